// Numbers to and from little-endian bytes at any address, on any machine.
#ifndef HEED_SRC_IO_VALUES_HPP
#define HEED_SRC_IO_VALUES_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "heed/io.hpp"

namespace heed::io {

static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);
static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8);

template <class To, class From>
To bits_as(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class Unsigned>
Unsigned load_le(const std::uint8_t* bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
    value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return static_cast<Unsigned>(value);
}

inline void store_le(std::uint8_t* bytes, std::uint64_t value, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(value >> (8 * i) & 0xff);
  }
}

// The wider formats hold every narrower value, so both conversions are exact.
// NaNs keep sign and payload.
inline float f32_of_bf16(std::uint16_t half) noexcept {
  return bits_as<float>(static_cast<std::uint32_t>(half) << 16);
}

inline float f32_of_f16(std::uint16_t half) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) return bits_as<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return bits_as<float>(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return bits_as<float>(sign);
  // Subnormal: fraction * 2^-24. Shift until the leading one stands where a
  // normal float16 hides it; bits, not arithmetic, so that FTZ cannot interfere.
  std::uint32_t biased = 113;
  while ((fraction & 0x400u) == 0) {
    fraction <<= 1;
    --biased;
  }
  return bits_as<float>(sign | biased << 23 | (fraction & 0x3ffu) << 13);
}

inline bool converts_to_f32(Dtype dtype) noexcept {
  return dtype == Dtype::f32 || dtype == Dtype::f16 || dtype == Dtype::bf16 || dtype == Dtype::f64;
}

// Element `index` of an array of one of the types above.
inline float f32_at(Dtype dtype, const std::uint8_t* bytes, std::size_t index) noexcept {
  switch (dtype) {
    case Dtype::f16: return f32_of_f16(load_le<std::uint16_t>(bytes + 2 * index));
    case Dtype::bf16: return f32_of_bf16(load_le<std::uint16_t>(bytes + 2 * index));
    // IEEE conversion: to nearest, ties to even, overflow to infinity.
    case Dtype::f64:
      return static_cast<float>(bits_as<double>(load_le<std::uint64_t>(bytes + 8 * index)));
    default: return bits_as<float>(load_le<std::uint32_t>(bytes + 4 * index));
  }
}

}  // namespace heed::io

#endif
