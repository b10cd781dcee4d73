// avx512.cpp - AVX-512 F, BW, DQ (Skylake-X, Zen 4): 32 registers of 16 floats.
#include "arch.hpp"

namespace {
struct avx512 {
  static constexpr const char* name = "avx512";
  using isa = xsimd::avx512bw;
  static constexpr int project_rows = 8, project_vectors = 3;
  static constexpr int attend_rows = 8, attend_vectors = 3;
  static constexpr int single_rows = 3;
};
}  // namespace

HEED_ARCH(avx512)
