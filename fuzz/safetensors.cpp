// safetensors: whatever the bytes are, they are refused with a sentence or have exactly one meaning.
#include "fuzz.hpp"
#include "heed/io.hpp"

namespace {

using namespace heed::io;
using heed_fuzz::must;

// The bytes as they are, or a header with its right length before it, or the mutations would stop there.
std::vector<uint8_t> draw_file(FuzzedDataProvider& in) {
  if (in.ConsumeBool()) return in.ConsumeRemainingBytes<uint8_t>();
  const std::string header = in.ConsumeRandomLengthString();
  std::vector<uint8_t> file;
  for (int i = 0; i < 8; ++i) file.push_back(uint8_t(uint64_t(header.size()) >> 8 * i));
  file.insert(file.end(), header.begin(), header.end());
  const std::vector<uint8_t> data = in.ConsumeRemainingBytes<uint8_t>();
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

uint64_t product(const Shape& shape) {
  uint64_t n = 1;
  for (const uint64_t size : shape) n *= size;
  return n;
}

template <class Value>
void read(Error (SafetensorsFile::*function)(std::string_view, std::vector<Value>&, Shape&) const noexcept,
          const SafetensorsFile& file, const TensorInfo& tensor) {
  std::vector<Value> values;
  Shape shape;
  const Error error = (file.*function)(tensor.name, values, shape);
  if (error) must(!error.message.empty() && values.empty() && shape.empty(), "a refused read leaves its outputs");
  else must(shape == tensor.shape && values.size() == product(shape), "a read gives all values");
}

void check(const SafetensorsFile& file, size_t data_bytes) {
  uint64_t end = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    must(tensor.begin == end && tensor.end >= tensor.begin, "tensors cover the data in order");
    end = tensor.end;
    must(end <= data_bytes, "tensors lie inside the data");
    must(product(tensor.shape) * dtype_size(tensor.dtype) == end - tensor.begin, "shape and bytes agree");
    const uint8_t* bytes = file.bytes(tensor);
    must(std::string(bytes, bytes + (end - tensor.begin)).size() == end - tensor.begin, "all bytes can be read");
    must(file.find(tensor.name) == &tensor, "a name finds its tensor");
    read(&SafetensorsFile::read_f32, file, tensor);
    read(&SafetensorsFile::read_f64, file, tensor);
    read(&SafetensorsFile::read_i64, file, tensor);
    read(&SafetensorsFile::read_bool, file, tensor);
  }
  must(end == data_bytes, "the data have no rest");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  const std::vector<uint8_t> bytes = draw_file(in);
  SafetensorsFile file;
  const Error error = parse_safetensors(bytes.data(), bytes.size(), "fuzz", file);
  if (error) {
    must(!error.message.empty() && file.tensors().empty() && file.metadata().empty(),
         "a refused file leaves its output");
    return 0;
  }
  uint64_t header = 0;
  for (size_t i = 0; i < 8; ++i) header |= uint64_t(bytes[i]) << 8 * i;
  check(file, bytes.size() - 8 - size_t(header));
  return 0;
}
