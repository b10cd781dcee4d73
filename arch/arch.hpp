// arch.hpp - the mold every arch is cast in: all kernels, one table.
#pragma once
#include <type_traits>

#include "core/table.hpp"
#include "kernels/attend.hpp"
#include "kernels/project.hpp"
#include "kernels/small.hpp"

namespace heed {
template <class Arch>
constexpr KernelTable make_table() {
  KernelTable t{};
  t.name = Arch::name;
  t.simd = Arch::isa::name();
  t.lanes = uint32_t(simd_of<Arch>::W);
  t.rounding = simd_of<Arch>::kFused ? Rounding::fused : Rounding::twice;
  t.project = &Project<Arch>::run;
  t.attend = &Attend<Arch>::run;
  if constexpr (!std::is_void_v<typename Arch::small> && !kForSize) t.small = &Small<typename Arch::small>::run;
  t.tiles = tiles_of<Arch, simd_of<Arch>::W>();
  return t;
}
}  // namespace heed

// The object's only way out; arch/CMakeLists.txt hides all else.
#define HEED_ARCH(arch)                                     \
  namespace heed {                                          \
  extern const KernelTable table_##arch;                    \
  constexpr KernelTable table_##arch = make_table<arch>();  \
  }
