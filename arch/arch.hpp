// arch.hpp - the mold every arch is cast in: all kernels, one table.
#pragma once
#include "core/table.hpp"
#include "kernels/attend.hpp"
#include "kernels/project.hpp"

namespace heed {
template <class Arch>
constexpr KernelTable make_table() {
  return {Arch::name,
          Arch::isa::name(),
          uint32_t(simd_of<Arch>::W),
          &Project<Arch>::run,
          &Attend<Arch>::run,
          {Arch::project_rows, Arch::project_vectors, Arch::attend_rows, Arch::attend_vectors, Arch::single_rows}};
}
}  // namespace heed

// The object's only way out; arch/CMakeLists.txt hides all else.
#define HEED_ARCH(arch)                                     \
  namespace heed {                                          \
  extern const KernelTable table_##arch;                    \
  constexpr KernelTable table_##arch = make_table<arch>();  \
  }
