// helium.cpp - MVE with floating point (Cortex-M55, M85): 8 registers of 4 floats.
#include "arch.hpp"

namespace {
struct helium {
  static constexpr const char* name = "helium";
  using isa = heed::mve_isa;
  using small = void;
  static constexpr int project_rows = 3, project_vectors = 2, project_sums = project_rows * project_vectors;
  static constexpr bool project_slabs = false;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = 4, attend_vectors = 1, steps = 1;
  static constexpr int few_rows = 1;
};
}  // namespace

HEED_ARCH(helium)
