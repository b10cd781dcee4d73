// rolled.hpp - what follows the sums of a tile, in builds for size: loops that are not unrolled, for
// which the sums must be in memory.
#pragma once
#include "kernels/simd.hpp"

namespace heed {

// Accumulators as the loops after the sum read them: the same registers, but in a size build a
// copy in memory.
template <class V, int M, int N>
struct Sums {
  V of[M][N];
  HEED_INLINE explicit Sums(const V (&acc)[M][N]) {
    HEED_UNROLL for (int i = 0; i < M; ++i) HEED_UNROLL for (int j = 0; j < N; ++j) of[i][j] = acc[i][j];
  }
};

// The end of a score tile: the sums wait where they go.
template <class S, int M, int N>
static HEED_INLINE void rolled_scores(const typename S::V (&acc)[M][N], const float* bias, float* s,
                                      typename S::V* max) {
  HEED_UNROLL for (int i = 0; i < M; ++i)
    HEED_UNROLL for (int j = 0; j < N; ++j) S::store(s + (i * N + j) * S::W, acc[i][j]);
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j, s += S::W) {
      typename S::V x = S::load(s);
      if (bias) S::store(s, x = S::add(x, S::set(bias[i])));
      max[j] = S::max(max[j], x);
    }
  }
}

}  // namespace heed
