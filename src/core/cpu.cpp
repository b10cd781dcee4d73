// cpu.cpp - CPU features by the compiler's own detection, which also asks the operating
// system (XGETBV, HWCAP). xsimd before 13.2 asks neither rightly: it takes AVX from the
// wrong CPUID leaf and never looks at XCR0.
#include "core/cpu.hpp"

#if defined(__arm__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace heed {

CpuFeatures detect_cpu() {
  CpuFeatures c;
  c.onednn = true;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  c.sse42 = __builtin_cpu_supports("sse4.2");
  c.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  // oneDNN takes FMA for granted where AVX2 is, and dies of SIGILL where a virtual machine hides it.
  c.onednn = c.avx2 || !__builtin_cpu_supports("avx2");
  c.avx512 = c.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
  c.neon64 = true;  // Advanced SIMD is part of every AArch64 with floating point
#elif defined(__arm__) && defined(__linux__)
  constexpr unsigned long kNeon = 1ul << 12, kVfpv4 = 1ul << 16;  // HWCAP_NEON, HWCAP_VFPv4
  const unsigned long hwcap = getauxval(AT_HWCAP);
  c.neon32 = (hwcap & kNeon) && (hwcap & kVfpv4);
#elif defined(__arm__) && defined(__ARM_NEON) && defined(__ARM_FEATURE_FMA)
  c.neon32 = true;  // bare metal: built for it, so it is there
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
  c.helium = true;  // likewise; only an M-profile has MVE
#endif
  return c;
}

}  // namespace heed
