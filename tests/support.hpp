// support.hpp - what every test needs: archs of this machine, random numbers, bits, memory
// whose borders are watched.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "heed/heed.h"

namespace heed_test {

bool quick();  // HEED_TEST_QUICK is set: fewer sizes, for emulators

// Archs that this CPU can run, best first. FMA: those that promise equal bits.
std::vector<std::string> usable_archs();
std::vector<std::string> fma_archs();
inline bool is_reference_path(const std::string& arch) { return arch == "onednn"; }

// The same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return uint32_t((next() >> 32) * n >> 32); }
  bool chance(uint32_t percent) { return below(100) < percent; }
  float uniform(float bound) { return (float(next() >> 40) * 0x1p-23f - 1.0f) * bound; }
  std::vector<float> floats(size_t n, float bound) {
    std::vector<float> v(n);
    for (float& x : v) x = uniform(bound);
    return v;
  }

 private:
  uint64_t state_;
};

// Bits with one pattern for every NaN: payloads are the CPU's business.
inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return x != x ? 0x7fc00000u : bits;
}
bool same_bits(const std::vector<float>& a, const std::vector<float>& b);
inline float flushed(float x) { return x > -0x1p-126f && x < 0x1p-126f ? x < 0 ? -0.0f : 0.0f : x; }
float float_of_bits(uint32_t bits);
inline float signalling_nan() { return float_of_bits(0x7fa00000u); }
inline float quiet_nan() { return float_of_bits(0x7fc00000u); }

// Of bits, subnormal numbers taken as 0.
class Fnv1a {
 public:
  void add(const std::vector<float>& values);
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;
};

// Where a buffer lies. The page kinds have unmapped memory behind (before) the last (first)
// byte and so see a single byte of over-read; they are heap where there is no mmap.
enum class Place { heap, page_end, page_begin };
bool has_guard_pages();

// Bytes at a multiple of 64 (page_end: as far as the size allows), plus `offset`. All begin
// as 0xff, which is NaN as float; those around the buffer must stay so.
class Memory {
 public:
  Memory(size_t bytes, Place place, size_t offset = 0);
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&&) = delete;
  ~Memory();
  unsigned char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool intact() const;     // nothing around the buffer was written
  bool untouched() const;  // nor anything inside

 private:
  unsigned char *base_ = nullptr, *data_ = nullptr;
  size_t base_bytes_ = 0, bytes_ = 0, begin_ = 0, end_ = 0;  // [begin_, end_) of base_ is ours
  bool mapped_ = false;
};

}  // namespace heed_test
