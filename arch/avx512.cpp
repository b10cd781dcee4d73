// avx512.cpp - AVX-512 F, BW, DQ (Skylake-X, Zen 4): 32 registers of 16 floats.
#include "arch.hpp"

namespace {
struct half {  // a small module does not fill 16 lanes
  using isa = xsimd::fma3<xsimd::avx2>;
};

struct avx512 {
  static constexpr const char* name = "avx512";
  using isa = xsimd::avx512bw;
  using small = half;
  static constexpr int project_rows = 8, project_vectors = 4, project_sums = 24;
  static constexpr bool project_slabs = true;
  static constexpr int prefetch_rows = 32;
  static constexpr int attend_rows = 8, attend_vectors = 3, steps = 4;
  static constexpr int few_rows = 6;
};
}  // namespace

HEED_ARCH(avx512)
