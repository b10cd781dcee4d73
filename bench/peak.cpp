#include "peak.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace heed::bench {

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

namespace {

constexpr long kTurns = 4000;

// 12 independent accumulators cover latency times throughput of every core we know (at most
// 10); the sums stay 0, so that no operand is ever denormal.
#if defined(__x86_64__)
#define FMA12(r) \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "0\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "1\n\t" \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "2\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "3\n\t" \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "4\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "5\n\t" \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "6\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "7\n\t" \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "8\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "9\n\t" \
  "vfmadd231ps %%" r "14,%%" r "15,%%" r "10\n\tvfmadd231ps %%" r "14,%%" r "15,%%" r "11\n\t"
#define CLOBBERS "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
  "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
void turns_avx2() {
  long n = kTurns;
  asm volatile("vzeroall\n1:\n\t" FMA12("ymm") "dec %0\n\tjnz 1b\n\tvzeroupper" : "+r"(n)::CLOBBERS);
}
void turns_avx512() {
  long n = kTurns;
  asm volatile("vzeroall\n1:\n\t" FMA12("zmm") "dec %0\n\tjnz 1b\n\tvzeroupper" : "+r"(n)::CLOBBERS);
}
#elif defined(__aarch64__)
#define FMLA(r) "fmla v" r ".4s, v16.4s, v17.4s\n\t"
void turns_neon64() {
  long n = kTurns;
  asm volatile("movi v16.4s, #0\n\tmovi v17.4s, #0\n1:\n\t" FMLA("0") FMLA("1") FMLA("2") FMLA("3")
               FMLA("4") FMLA("5") FMLA("6") FMLA("7") FMLA("18") FMLA("19") FMLA("20") FMLA("21")
               "subs %0, %0, #1\n\tb.ne 1b" : "+r"(n)::"cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
               "v7", "v16", "v17", "v18", "v19", "v20", "v21");
}
#endif

struct Loop {
  const char* arch;
  void (*turns)();
  double flops;  // of one turn
};

constexpr std::array kLoops = {
#if defined(__x86_64__)
    Loop{"avx512", turns_avx512, 12.0 * 2 * 16},
    Loop{"avx2", turns_avx2, 12.0 * 2 * 8},
#elif defined(__aarch64__)
    Loop{"neon64", turns_neon64, 12.0 * 2 * 4},
#endif
    Loop{"", nullptr, 0.0},
};

}  // namespace

double fma_rate(const char* arch, long readings) {
  for (const Loop& loop : kLoops) {
    if (!loop.turns || std::strcmp(loop.arch, arch) != 0) continue;
    const double start = thread_seconds();
    for (long i = 0; i < readings; ++i) loop.turns();
    return double(readings) * double(kTurns) * loop.flops / (thread_seconds() - start) * 1e-9;
  }
  return 0.0;
}

double fma_peak(const char* arch) {
  std::array<double, 101> rates{};
  for (double& rate : rates) rate = fma_rate(arch, 8);
  std::nth_element(rates.begin(), rates.begin() + 50, rates.end());
  return rates[50];
}

void read_all(const float* data, size_t count) {
  using Lanes = unsigned __attribute__((vector_size(16), may_alias));
  Lanes seen[8] = {};
  for (size_t i = 0; i + 32 <= count; i += 32)
    for (size_t j = 0; j < 8; ++j) seen[j] |= *reinterpret_cast<const Lanes*>(data + i + 4 * j);
  asm volatile("" : : "m"(seen));
}

}  // namespace heed::bench
