// exp2.hpp - 2^x for x <= 0, the softmax's only transcendental, the same bits on every arch.
//
//   n = round(x), f = x - n in [-1/2, 1/2], 2^x = (2 p(f)) * 2^(n - 1)
//
// Adding 1.5 * 2^23 + 126 rounds x to an integer and leaves n + 126, the exponent field of
// 2^(n - 1), in the low bits. p is doubled so that every result is normal or exactly 0
// (x <= -125.5, -inf included): no denormals, which some CPUs flush and others trip over.
// The constant term is exactly 2, so 2^0 is exactly 1: a key block in which a query sees
// nothing changes nothing. NaN gives NaN. Error: exp2_test.cpp (at most 2 ulp).
#pragma once
#include "kernels/simd.hpp"

namespace heed {

// N at a time, stage by stage: one alone is a chain of some 40 cycles, and side by side in
// the code they are side by side in the CPU.
template <class S, int N>
static HEED_INLINE void exp2(typename S::V (&x)[N]) {
  using V = typename S::V;
  constexpr float kMagic = 12582912.0f + 126.0f;
  constexpr float kCoefficients[] = {0x1.5ab432p-9f, 0x1.3cecap-6f,  0x1.c6baaep-4f,
                                     0x1.ebf9b4p-2f, 0x1.62e424p+0f, 2.0f};
  V shifted[N], p[N];
  HEED_UNROLL for (int i = 0; i < N; ++i) {
    x[i] = S::max(S::set(-126.0f), x[i]);  // this order keeps a NaN
    shifted[i] = S::add(x[i], S::set(kMagic));
    x[i] = S::sub(x[i], S::sub(shifted[i], S::set(kMagic)));
    p[i] = S::set(kCoefficients[0]);
  }
  HEED_UNROLL for (int c = 1; c < 6; ++c)
    HEED_UNROLL for (int i = 0; i < N; ++i) p[i] = S::fma(p[i], x[i], S::set(kCoefficients[c]));
  HEED_UNROLL for (int i = 0; i < N; ++i) x[i] = S::mul(p[i], S::shift_to_exponent(shifted[i]));
}

template <class S>
static HEED_INLINE_IF_FAST typename S::V exp2(typename S::V x) {
  typename S::V one[1] = {x};
  exp2<S, 1>(one);
  return one[0];
}

}  // namespace heed
