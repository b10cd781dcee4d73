// fuzz.hpp - what the targets share: must(), memory of exactly the size asked for, hostile numbers.
#pragma once
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "heed/heed.h"
#include "support.hpp"

namespace heed_fuzz {

using heed_test::Random;

// A promise that does not hold is a finding.
inline void must(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

// Bytes between two red zones: AddressSanitizer sees the first byte beside them.
class Exact {
 public:
  explicit Exact(size_t bytes, size_t alignment = HEED_ALIGNMENT) : bytes_(bytes) {
    if (posix_memalign(&data_, alignment, bytes) != 0) std::abort();
    if (bytes) std::memset(data_, kFresh, bytes);
  }
  Exact(Exact&& other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }
  Exact& operator=(Exact&&) = delete;
  ~Exact() { std::free(data_); }
  unsigned char* data() const { return static_cast<unsigned char*>(data_); }
  size_t bytes() const { return bytes_; }
  bool untouched() const {
    for (size_t i = 0; i < bytes_; ++i)
      if (data()[i] != kFresh) return false;
    return true;
  }

 private:
  static constexpr unsigned char kFresh = 0xa5;
  void* data_ = nullptr;
  size_t bytes_;
};

// Every status comes with a sentence, and success with none.
inline void must_explain(heed_status status, const heed_error& error) {
  must(status == error.status, "heed_error::status is what the function returned");
  must(std::memchr(error.message, 0, sizeof error.message) != nullptr, "messages end");
  must((status == HEED_OK) == (error.message[0] == 0), "an error has a sentence, success has none");
}

enum class Numbers : uint8_t { usual, some_hostile, hostile, bits, kMaxValue = bits };

inline float hostile_number(Random& random) {
  constexpr uint32_t kBits[] = {0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa00000, 0x7f7fffff,
                                0xff7fffff, 0x00000001, 0x807fffff, 0x00800000, 0x3f800000, 0x4f000000, 0xcf000001};
  return heed_test::float_of_bits(kBits[random.below(sizeof kBits / sizeof kBits[0])]);
}

inline void fill(unsigned char* to, size_t floats, Numbers kind, Random& random) {
  for (size_t i = 0; i < floats; ++i) {
    float x = random.uniform(2.0f);
    if (kind == Numbers::hostile || (kind == Numbers::some_hostile && random.chance(5))) x = hostile_number(random);
    if (kind == Numbers::bits) x = heed_test::float_of_bits(uint32_t(random.next()));
    std::memcpy(to + i * sizeof x, &x, sizeof x);
  }
}

// One of the archs that this CPU runs.
inline std::string any_arch(FuzzedDataProvider& in) {
  static const std::vector<std::string> archs = heed_test::usable_archs();
  return archs[in.ConsumeIntegralInRange<size_t>(0, archs.size() - 1)];
}

// The caller's threads, one that deals the slices backwards.
inline void backwards(void*, uint32_t count, heed_task task, void* argument) {
  while (count-- > 0) task(argument, count);
}

}  // namespace heed_fuzz
