// columns.hpp - W rows of W features become W registers whose lanes are the rows, and back.
#pragma once
#include "kernels/simd.hpp"

namespace heed {

template <class S>
struct Columns {
  using V = typename S::V;
  static constexpr int W = S::W;

  // Where steps of W features begin; the last overlaps the one before it, if need be. Fewer
  // features than W go one by one.
  static HEED_INLINE uint32_t step_at(uint32_t d, uint32_t features) {
    return d + uint32_t(W) <= features ? d : features - uint32_t(W);
  }

  static HEED_NOINLINE void to_lanes(const float* const* q, uint32_t d, float scale, float* qt, size_t lanes) {
    V r[W];
    HEED_UNROLL for (int i = 0; i < W; ++i) r[i] = S::load(q[i] + d);
    S::transpose(r);
    HEED_UNROLL for (int i = 0; i < W; ++i) S::store(qt + (d + size_t(i)) * lanes, S::mul(r[i], S::set(scale)));
  }

  static HEED_NOINLINE void to_rows(const float* ot, size_t lanes, const V& inverse, uint32_t d, float* out,
                                          ptrdiff_t stride, uint32_t rows) {
    V r[W];
    HEED_UNROLL for (int i = 0; i < W; ++i) r[i] = S::mul(S::load(ot + (d + size_t(i)) * lanes), inverse);
    S::transpose(r);
    HEED_UNROLL for (int i = 0; i < W; ++i)
      if (uint32_t(i) < rows) S::store(out + i * stride + d, r[i]);
  }
};

}  // namespace heed
