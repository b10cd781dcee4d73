// peak.hpp - the machine's fused multiply-add peak, the yardstick of every figure.
#pragma once

namespace heed::bench {

// Seconds of CPU that this thread has used: other jobs on the core do not count.
double thread_seconds();

// GFLOP/s of independent fused multiply-adds in registers of the named arch, on this core,
// now (about 5 ms). 0 for archs without such a loop.
double fma_peak(const char* arch);

}  // namespace heed::bench
