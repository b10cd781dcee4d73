// self_test.hpp - known answers for a kernel table; the tests give it faulty ones.
#pragma once
#include "core/table.hpp"

namespace heed {

// One bit for each kernel that gave another answer than the recorded one. `memory`: aligned,
// HEED_SELF_TEST_BYTES.
enum WrongKernel : uint32_t {
  kWrongProject = 1,
  kWrongAttend = 2,      // whole registers of queries, two blocks of keys
  kWrongAttendFew = 4,   // a few odd queries
  kWrongMasks = 8,       // HEED_WITH_MASKS
  kWrongCausal = 16,     // HEED_WITH_CAUSAL
  kWrongWeights = 32,    // HEED_WITH_WEIGHTS_OUTPUT
  kWrongSmall = 64
};
uint32_t self_test(const KernelTable& kernels, void* memory);

}  // namespace heed
