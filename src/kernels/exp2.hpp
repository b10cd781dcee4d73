// exp2.hpp - 2^x for x <= 0, the softmax's only transcendental, the same bits on every arch.
//
//   n = round(x), f = x - n in [-1/2, 1/2], 2^x = p(f) 2^n
//
// AVX-512 has instructions for f and for the product. Elsewhere adding 1.5 * 2^23 + 128 rounds x
// to an integer, halves to even, and leaves n + 128 in the low bits, the exponent field of 2^(n + 1);
// p is halved. From -127 down nothing is left of that field or of the product: calls take subnormal
// numbers as 0 (core/subnormal.hpp), so every result is normal or exactly 0, for -inf too.
// The constant term is exactly 1 (1/2), so 2^0 is exactly 1: a key block in which a query sees
// nothing changes nothing. NaN gives NaN. Error: exp2_test.cpp (at most 2 ulp).
#pragma once
#include "kernels/simd.hpp"

namespace heed {

// N at a time, stage by stage: one alone is a chain of some 40 cycles, and side by side in
// the code they are side by side in the CPU.
template <class S, int N>
static HEED_INLINE void exp2(typename S::V (&x)[N]) {
  using V = typename S::V;
  constexpr float kMagic = 12582912.0f + 128.0f, kOne = S::kScales ? 1.0f : 0.5f;
  constexpr float kCoefficients[] = {0x1.5ab432p-10f * kOne, 0x1.3cecap-7f * kOne,  0x1.c6baaep-5f * kOne,
                                     0x1.ebf9b4p-3f * kOne,  0x1.62e424p-1f * kOne, kOne};
  V power[N], p[N];  // n, or the sum whose low bits are n + 128
  HEED_UNROLL for (int i = 0; i < N; ++i) {
    if constexpr (S::kScales) {
      const V f = S::from_nearest(x[i]);
      power[i] = S::sub(x[i], f);
      x[i] = f;
    } else {
      x[i] = S::max(S::set(-128.0f), x[i]);  // this order keeps a NaN
      power[i] = S::add(x[i], S::set(kMagic));
      x[i] = S::sub(x[i], S::sub(power[i], S::set(kMagic)));
    }
    p[i] = S::set(kCoefficients[0]);
  }
  HEED_UNROLL for (int c = 1; c < 6; ++c)
    HEED_UNROLL for (int i = 0; i < N; ++i) p[i] = S::fma(p[i], x[i], S::set(kCoefficients[c]));
  HEED_UNROLL for (int i = 0; i < N; ++i) {
    if constexpr (S::kScales) x[i] = S::scale(p[i], power[i]);
    else x[i] = S::mul(p[i], S::shift_to_exponent(power[i]));
  }
}

template <class S>
static HEED_INLINE_IF_FAST typename S::V exp2(typename S::V x) {
  typename S::V one[1] = {x};
  exp2<S, 1>(one);
  return one[0];
}

}  // namespace heed
