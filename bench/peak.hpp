// peak.hpp - the machine's limits: fused multiply-adds, the yardstick of every figure, and reading.
#pragma once
#include <cstddef>

namespace heed::bench {

// Seconds of CPU that this thread has used: other jobs on the core do not count.
double thread_seconds();

// GFLOP/s of independent fused multiply-adds in registers of the named arch, on this core, now:
// in some 7 us for each reading. 0 for archs without such a loop.
double fma_rate(const char* arch, long readings);

// The median of many such rates (about 5 ms).
double fma_peak(const char* arch);

// Loads all of them: what memory gives at that size.
void read_all(const float* data, size_t count);

}  // namespace heed::bench
