// avx2.cpp - AVX2 with FMA (Haswell, Zen): 16 registers of 8 floats.
#include "arch.hpp"

namespace {
struct avx2 {
  static constexpr const char* name = "avx2";
  using isa = xsimd::fma3<xsimd::avx2>;
  using small = avx2;
  static constexpr int project_rows = 6, project_vectors = 2, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = true;
  static constexpr int prefetch_rows = 32;
  static constexpr int attend_rows = 4, attend_vectors = 3, steps = 8;
  static constexpr int few_rows = 6;
};
}  // namespace

HEED_ARCH(avx2)
