// sse42.cpp - x86 without AVX: 16 registers of 4 floats. No FMA: outside of the promise of equal bits.
#include "arch.hpp"

namespace {
struct sse42 {
  static constexpr const char* name = "sse42";
  using isa = xsimd::sse4_2;
  using small = sse42;
  static constexpr int project_rows = 3, project_vectors = 4, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = false;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = 4, attend_vectors = 3, steps = 1;
  static constexpr int few_rows = 1;
};
}  // namespace

HEED_ARCH(sse42)
