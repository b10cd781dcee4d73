// neon32.cpp - 32-bit Arm with NEON and VFPv4 (Raspberry Pi 2 and later): 16 registers of 4 floats.
#include "arch.hpp"

namespace {
struct neon32 {
  static constexpr const char* name = "neon32";
  using isa = xsimd::neon;
  using small = neon32;
  static constexpr int project_rows = 4, project_vectors = 2, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = false;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = 4, attend_vectors = 2, steps = 1;
  static constexpr int few_rows = 1;
};
}  // namespace

HEED_ARCH(neon32)
