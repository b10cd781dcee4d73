// scalar.cpp - any CPU, one float at a time, fused multiply-add by the hardware or by libm.
#include "arch.hpp"

namespace {
struct scalar {
  static constexpr const char* name = "scalar";
  using isa = heed::scalar_isa;
  using small = void;
  static constexpr int project_rows = heed::kWithTiles ? 4 : 1, project_vectors = project_rows, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = false;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = project_rows, attend_vectors = project_rows, steps = 1;
  static constexpr int few_rows = 0;
};
}  // namespace

HEED_ARCH(scalar)
