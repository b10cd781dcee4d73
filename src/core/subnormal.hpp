// subnormal.hpp - SubnormalsAreZero: as long as one lives, this thread's CPU takes numbers below
// 2^-126 as 0, read or computed; then its floating-point control is what it was before.
//
// Many CPUs handle each such number in microcode: on a Xeon, a call whose inputs were full of them
// took 500 times as long. And 32-bit Arm's vectors know none at all, so that zeros are the same bits
// on every arch.
#pragma once
#include <stdint.h>

namespace heed {

#if defined(__SSE2__)
constexpr uintptr_t kSubnormalsAreZero = 0x8040;  // MXCSR: of results, of operands
inline uintptr_t floating_control() { return __builtin_ia32_stmxcsr(); }
inline void set_floating_control(uintptr_t control) { __builtin_ia32_ldmxcsr(uint32_t(control)); }
#elif defined(__aarch64__)
constexpr uintptr_t kSubnormalsAreZero = uintptr_t(1) << 24;  // FPCR.FZ
inline uintptr_t floating_control() {
  uint64_t control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}
inline void set_floating_control(uintptr_t control) {
  __asm__ volatile("msr fpcr, %0" : : "r"(uint64_t(control)) : "memory");
}
#elif defined(__arm__) && defined(__ARM_FP)
constexpr uintptr_t kSubnormalsAreZero = uintptr_t(1) << 24;  // FPSCR.FZ
inline uintptr_t floating_control() {
  uintptr_t control;
  __asm__ volatile("vmrs %0, fpscr" : "=r"(control));
  return control;
}
inline void set_floating_control(uintptr_t control) {
  __asm__ volatile("vmsr fpscr, %0" : : "r"(control) : "memory", "cc");
}
#else  // no such CPU is known: numbers are what they are
constexpr uintptr_t kSubnormalsAreZero = 0;
inline uintptr_t floating_control() { return 0; }
inline void set_floating_control(uintptr_t) {}
#endif

class SubnormalsAreZero {
 public:
  SubnormalsAreZero() : before_(floating_control()) { set_floating_control(before_ | kSubnormalsAreZero); }
  ~SubnormalsAreZero() { set_floating_control(before_); }
  SubnormalsAreZero(const SubnormalsAreZero&) = delete;
  SubnormalsAreZero& operator=(const SubnormalsAreZero&) = delete;

 private:
  uintptr_t before_;
};

}  // namespace heed
