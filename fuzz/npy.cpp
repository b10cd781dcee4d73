// npy: whatever the bytes are, they are refused with a sentence or give as many values as their shape says.
#include "fuzz.hpp"
#include "heed/io.hpp"

namespace {

using namespace heed::io;
using heed_fuzz::must;

// The bytes as they are, or a header with its right magic and length before it.
std::vector<uint8_t> draw_file(FuzzedDataProvider& in) {
  if (in.ConsumeBool()) return in.ConsumeRemainingBytes<uint8_t>();
  const uint8_t version = in.ConsumeIntegralInRange<uint8_t>(1, 3);
  const std::string dict = in.ConsumeRandomLengthString();
  std::vector<uint8_t> file{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) file.push_back(uint8_t(dict.size() >> 8 * i));
  file.insert(file.end(), dict.begin(), dict.end());
  const std::vector<uint8_t> data = in.ConsumeRemainingBytes<uint8_t>();
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  const std::vector<uint8_t> bytes = draw_file(in);
  NpyArray array;
  const Error error = parse_npy(bytes.data(), bytes.size(), "fuzz", array);
  if (error) {
    must(!error.message.empty() && array.shape.empty() && array.f32.empty() && array.boolean.empty(),
         "a refused file leaves its output");
    return 0;
  }
  uint64_t count = 1;
  for (const uint64_t n : array.shape) count *= n;
  must(array.dtype == Dtype::f32 || array.dtype == Dtype::boolean, "an array is of float or bool");
  const bool is_float = array.dtype == Dtype::f32;
  must((is_float ? array.f32.size() : array.boolean.size()) == count, "an array has all its values");
  must(is_float ? array.boolean.empty() : array.f32.empty(), "the other vector is empty");
  must(count <= bytes.size(), "a small file costs little memory");
  for (const uint8_t x : array.boolean) must(x <= 1, "a bool is 0 or 1");
  return 0;
}
