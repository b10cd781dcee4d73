/* board.h - text out of a program that has no operating system: by semihosting, which a debugger
 * or qemu listens to; on a hosted system by stdio, so that the examples run there too. */
#ifndef HEED_EXAMPLES_BOARD_H_
#define HEED_EXAMPLES_BOARD_H_

#include <stdint.h>

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
static inline void board_write(const char *text) {
  register int operation __asm__("r0") = 4; /* SYS_WRITE0 */
  register const char *argument __asm__("r1") = text;
  __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
}
#elif defined(__aarch64__) && !defined(__linux__) && !defined(__APPLE__)
static inline void board_write(const char *text) {
  register long operation __asm__("x0") = 4;
  register const char *argument __asm__("x1") = text;
  __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(argument) : "memory");
}
#else
#include <stdio.h>
static inline void board_write(const char *text) { fputs(text, stdout); }
#endif

/* x with 4 decimals, as PyTorch prints; |x| < 100000. */
static inline void board_write_float(float x) {
  char text[12], *at = text + sizeof text;
  uint32_t n = (uint32_t)((x < 0 ? -x : x) * 10000.0f + 0.5f);
  int digit;
  *--at = 0;
  for (digit = 0; digit < 5 || n; ++digit, n /= 10) {
    if (digit == 4) *--at = '.';
    *--at = (char)('0' + n % 10);
  }
  *--at = x < 0 ? '-' : ' ';
  board_write(at);
}

static inline void board_write_hex(uint32_t x) {
  char text[9];
  int i;
  for (i = 8; i-- > 0; x >>= 4) text[i] = "0123456789abcdef"[x & 15];
  text[8] = 0;
  board_write(text);
}

/* FNV-1a over the bits of n floats, going on from `hash`; HASH_BEGIN to begin. Equal hashes on
 * the desk and on the device: equal bits. */
#define HASH_BEGIN 2166136261u
static inline uint32_t hash_floats(uint32_t hash, const float *x, uint32_t n) {
  const unsigned char *byte = (const unsigned char *)x;
  uint32_t i;
  for (i = 0; i < 4 * n; ++i) hash = (hash ^ byte[i]) * 16777619u;
  return hash;
}

#endif
