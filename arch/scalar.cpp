// scalar.cpp - any CPU, one float at a time, fused multiply-add by the hardware or by libm.
#include "arch.hpp"

namespace {
struct scalar {
  static constexpr const char* name = "scalar";
  using isa = heed::scalar_isa;
  using small = void;
  static constexpr int project_rows = 4, project_vectors = 4;
  static constexpr int prefetch_rows = 0;
  static constexpr int attend_rows = 4, attend_vectors = 4;
  static constexpr int few_rows = 0;
};
}  // namespace

HEED_ARCH(scalar)
