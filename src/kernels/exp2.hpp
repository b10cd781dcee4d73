// exp2.hpp - 2^x for x <= 0, the softmax's only transcendental, the same bits on every arch.
//
//   n = round(x), f = x - n in [-1/2, 1/2], 2^x = (2 p(f)) * 2^(n - 1)
//
// Adding 1.5 * 2^23 + 126 rounds x to an integer and leaves n + 126, the exponent field of
// 2^(n - 1), in the low bits. p is doubled so that every result is normal or exactly 0
// (x < -125.5, -inf included): no denormals, which some CPUs flush and others trip over.
// The constant term is exactly 2, so 2^0 is exactly 1: a key block in which a query sees
// nothing changes nothing. NaN gives NaN. Error: exp2_test.cpp (at most 2 ulp).
#pragma once
#include "kernels/simd.hpp"

namespace heed {

template <class S>
static HEED_INLINE typename S::V exp2(typename S::V x) {
  using V = typename S::V;
  const V magic = S::set(12582912.0f + 126.0f);
  x = S::max(S::set(-126.0f), x);  // this order keeps a NaN
  const V shifted = S::add(x, magic);
  const V f = S::sub(x, S::sub(shifted, magic));
  V p = S::set(0x1.5ab432p-9f);
  p = S::fma(p, f, S::set(0x1.3cecap-6f));
  p = S::fma(p, f, S::set(0x1.c6baaep-4f));
  p = S::fma(p, f, S::set(0x1.ebf9b4p-2f));
  p = S::fma(p, f, S::set(0x1.62e424p+0f));
  p = S::fma(p, f, S::set(2.0f));
  return S::mul(p, S::shift_to_exponent(shifted));
}

}  // namespace heed
