// Size arithmetic on numbers that a stranger wrote: 64-bit, and overflow is said.
#ifndef HEED_SRC_IO_SIZES_HPP
#define HEED_SRC_IO_SIZES_HPP

#include <cstdint>
#include <limits>

#include "heed/io.hpp"

namespace heed::io {

[[nodiscard]] inline bool checked_mul(std::uint64_t a, std::uint64_t b,
                                      std::uint64_t& product) noexcept {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return false;
  product = a * b;
  return true;
}

// The number of elements and of bytes of a shape. A dimension of 0 makes both 0,
// but the other dimensions must still multiply without overflow: whether a
// shape is sound shall not depend on where its zero stands, and strides can be
// computed from it without a second thought.
[[nodiscard]] inline bool checked_bytes(const Shape& shape, std::uint64_t element_size,
                                        std::uint64_t& count, std::uint64_t& bytes) noexcept {
  bool empty = false;
  count = 1;
  for (const std::uint64_t size : shape) {
    empty = empty || size == 0;
    if (size != 0 && !checked_mul(count, size, count)) return false;
  }
  if (!checked_mul(count, element_size, bytes)) return false;
  if (empty) count = bytes = 0;
  return true;
}

}  // namespace heed::io

#endif
