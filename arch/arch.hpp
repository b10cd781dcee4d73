// arch.hpp - the mold every arch is cast in: all kernels, one table.
#pragma once
#include "core/table.hpp"
#include "kernels/attend.hpp"
#include "kernels/project.hpp"
#include "kernels/small.hpp"

namespace heed {
template <class Arch>
constexpr KernelTable make_table() {
  KernelTable t = {Arch::name, Arch::isa::name(), uint32_t(simd_of<Arch>::W), &Project<Arch>::run, &Attend<Arch>::run,
                   nullptr};
  if constexpr (simd_of<Arch>::W > 1 && !kForSize) t.small = &Small<typename Arch::small>::run;
  return t;
}
}  // namespace heed

// The object's only way out; arch/CMakeLists.txt hides all else.
#define HEED_ARCH(arch)                                     \
  namespace heed {                                          \
  extern const KernelTable table_##arch;                    \
  constexpr KernelTable table_##arch = make_table<arch>();  \
  }
