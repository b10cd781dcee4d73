// neon64.cpp - any 64-bit Arm (Raspberry Pi 3, 4, 5): 32 registers of 4 floats.
#include "arch.hpp"

namespace {
struct neon64 {
  static constexpr const char* name = "neon64";
  using isa = xsimd::neon64;
  using small = neon64;
  static constexpr int project_rows = 5, project_vectors = 4, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = false;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = 4, attend_vectors = 4, steps = 1;
  static constexpr int few_rows = 1;
};
}  // namespace

HEED_ARCH(neon64)
