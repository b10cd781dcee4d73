// cpu.hpp - what this CPU and its operating system can run.
#pragma once
namespace heed {
struct CpuFeatures {
  bool avx512 = false, avx2 = false, sse42 = false, neon64 = false, neon32 = false, helium = false, onednn = false;
};
CpuFeatures detect_cpu();
}  // namespace heed
