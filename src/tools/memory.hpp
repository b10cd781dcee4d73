// memory.hpp - bytes for plans, packed weights and workspaces.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "heed/heed.h"
#include "io/sizes.hpp"
#include "tools/failure.hpp"

namespace heed::tool {

// Aligned as heed.h wants it, freed at the end. `what` names it in the sentence if it fails.
class AlignedBytes {
 public:
  AlignedBytes(std::size_t size, const char* what) : size_(size) {
    constexpr std::align_val_t kAlignment{HEED_ALIGNMENT};
    bytes_.reset(::operator new(size, kAlignment, std::nothrow));
    if (!bytes_) refuse("not enough memory for the ", what, " of ", size, " bytes");
  }
  void* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* bytes) const { ::operator delete (bytes, std::align_val_t{HEED_ALIGNMENT}); }
  };
  std::size_t size_;
  std::unique_ptr<void, Free> bytes_;
};

// An array of zeros.
inline io::NpyArray zeros(const io::Shape& shape, const char* what) {
  std::uint64_t count = 0, bytes = 0;
  io::NpyArray array;
  array.shape = shape;
  try {
    if (!io::checked_bytes(shape, sizeof(float), count, bytes)) throw std::bad_alloc();
    if (count > array.f32.max_size()) throw std::bad_alloc();
    array.f32.resize(static_cast<std::size_t>(count));
  } catch (const std::bad_alloc&) {
    refuse("not enough memory for the ", what, " of the shape ", io::shape_text(shape));
  }
  return array;
}

}  // namespace heed::tool
