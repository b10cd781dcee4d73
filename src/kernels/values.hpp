// values.hpp - o = o alpha + v^T p over a block of keys: MR features x NV registers of queries
// at a time. Careful tiles do not look at values whose weight is 0: they may be NaN, or absent.
#pragma once
#include "core/choice.hpp"
#include "kernels/key_block.hpp"

namespace heed {

template <class Arch>
struct Values {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, MR = Arch::attend_rows;
  static constexpr ptrdiff_t kAhead = 8;  // a column of values crosses more lines than the first cache keeps

  // Of the features whose first value is at v, into o. alpha: nullptr for the first block.
  template <int M, int N, bool Careful>
  static HEED_NOINLINE void tile(const AttendArgs& g, const KeyBlock& b, const V* alpha, const float* v, float* o) {
    constexpr bool careful = Careful && (kWithMasks || kWithCausal);
    V acc[M][N];
    HEED_UNROLL for (int i = 0; i < M; ++i)
      HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::set(0.0f);
    const float* s = g.scores;
    const uint32_t keys = b.keys;
    uint32_t k = 0;
    do {  // a block has a key
      if (careful && !is_visible(g, b.begin + k)) continue;
      V p[N];
      HEED_UNROLL for (int j = 0; j < N; ++j) p[j] = S::load(s + j * W);
      if constexpr (Arch::prefetch_rows != 0) __builtin_prefetch(v + kAhead * g.v_stride);
      if constexpr (S::kLanes && M == W && !Careful) {
        const V x = S::load(v);
        for_constants<M>([&](auto i) HEED_LAMBDA {
          HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::template fma_lane<i>(p[j], x, acc[i][j]);
        });
      } else {
        HEED_UNROLL for (int i = 0; i < M; ++i) {
          const auto x = S::set(v[i]);
          HEED_UNROLL for (int j = 0; j < N; ++j) {
            const V y = S::fma(x, p[j], acc[i][j]);
            acc[i][j] = careful ? S::if_equal(p[j], S::set(0.0f), acc[i][j], y) : y;
          }
        }
      }
    } while (v += g.v_stride, s += N * W, ++k != keys);
    const Sums<V, M, N> sum(acc);
    HEED_UNROLL_IF_FAST for (int i = 0; i < M; ++i) {
      HEED_UNROLL_IF_FAST for (int j = 0; j < N; ++j) {
        float* at = o + (i * N + j) * W;
        S::store(at, alpha ? S::fma(S::load(at), alpha[j], sum.of[i][j]) : sum.of[i][j]);
      }
    }
  }

  // `left` features.
  template <int N, bool Careful, int M = MR>
  static HEED_INLINE void tiles(const AttendArgs& g, const KeyBlock& b, const V* alpha, uint32_t left, const float* v,
                                float* o) {
    for (; left >= uint32_t(M); left -= M, v += M, o += M * N * W) tile<M, N, Careful>(g, b, alpha, v, o);
    if constexpr (M > 1) tiles<N, Careful, W == 1 ? 1 : M / 2>(g, b, alpha, left, v, o);
  }

  template <int N>
  static HEED_INLINE void all_tiles(const AttendArgs& g, const KeyBlock& b, const V* alpha) {
    if (b.careful) tiles<N, true>(g, b, alpha, g.value_dim, first_value(g, b), g.ot);
    else tiles<N, false>(g, b, alpha, g.value_dim, first_value(g, b), g.ot);
  }

  // One feature, register by register: in a size build what is careful, and the rest of the others.
  static HEED_NOINLINE void feature(const AttendArgs& g, const KeyBlock& b, const V* alpha, uint32_t d,
                                    uint32_t registers) {
    const bool careful = (kWithMasks || kWithCausal) && b.careful;
    for (uint32_t j = 0; j < registers; ++j) {
      V acc = S::set(0.0f);
      const float* v = first_value(g, b) + d;
      const float* s = g.scores + j * W;
      for (uint32_t k = 0; k < b.keys; ++k, v += g.v_stride, s += registers * W) {
        const V p = S::load(s);
        if constexpr (W == 1) {
          if (careful && p == 0.0f) continue;  // as it is where a position is invisible
        } else if (careful && !is_visible(g, b.begin + k)) {
          continue;
        }
        const V y = S::fma(S::set(*v), p, acc);
        acc = careful && W != 1 ? S::if_equal(p, S::set(0.0f), acc, y) : y;
      }
      float* at = g.ot + (d * registers + j) * W;
      S::store(at, alpha ? S::fma(S::load(at), alpha[j], acc) : acc);
    }
  }

  template <int N>
  static HEED_INLINE void few_tiles(const AttendArgs& g, const KeyBlock& b, const V* alpha) {
    uint32_t d = 0;
    if constexpr (MR > 1 && N > 1)
      for (; !b.careful && d + MR <= g.value_dim; d += MR)
        tile<MR, N, false>(g, b, alpha, first_value(g, b) + d, g.ot + d * N * W);
    for (; d < g.value_dim; ++d) feature(g, b, alpha, d, N);
  }
};

}  // namespace heed
