// scores.hpp - s = k q^T of a block of keys: MR keys x NV registers of queries at a time.
#pragma once
#include "core/choice.hpp"
#include "kernels/key_block.hpp"
#include "kernels/project.hpp"

namespace heed {

template <class Arch>
struct Scores {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, MR = Arch::attend_rows, kSteps = Arch::steps;

  // The end of a score tile without unrolling: the sums are where they go.
  template <int M, int N>
  static HEED_INLINE void rolled_end(const float* bias, float* s, V* max) {
    for (int i = 0; i < M; ++i) {
      for (int j = 0; j < N; ++j, s += W) {
        V x = S::load(s);
        if (bias) S::store(s, x = S::add(x, S::set(bias[i])));
        max[j] = S::max(max[j], x);
      }
    }
  }

  // The same sums by a tile of the projection, into s, without bias: one code for both.
  template <int M, int N>
  static HEED_INLINE void projected_scores(const AttendArgs& g, const float* const (&k)[M], float* s) {
    typename Project<Arch>::Tile t;
    HEED_UNROLL_IF_FAST for (int i = 0; i < M; ++i) {
      t.a[i] = k[i];
      t.c[i] = s + i * N;
    }
    t.b = g.qt;
    t.b_stride = N;
    t.bias = nullptr;
    Project<Arch>::template chain<M, N>(t, 0, g.head_dim);
  }

  // Long sequences do not stay in the second cache (short ones do: fetching them costs 1 to 3 %). For each
  // feature a tile fetches a line of what follows it, in all kAhead rows: by turns of the values that go with
  // its keys, and of the keys of the next block. Nothing new where rows do not follow each other.
  static constexpr int kAhead = HEED_ALIGNMENT / sizeof(float);
  static constexpr bool kFetches = Arch::prefetch_rows != 0;
  static constexpr size_t kStays = size_t(1) << 19;  // bytes of keys and values
  static HEED_INLINE bool stays(const AttendArgs& g) {
    return size_t(g.positions) * (g.head_dim + g.value_dim) * sizeof(float) <= kStays;
  }
  static HEED_INLINE const float* ahead_of(const AttendArgs& g, const KeyBlock& b, uint32_t i) {
    const uint32_t next = b.begin + i / kAhead * kAhead + kKeyBlock;
    const bool values = i % kAhead < kAhead / 2;
    if (values && g.v_stride == ptrdiff_t(g.value_dim)) return g.v + ptrdiff_t(b.begin + i) * g.v_stride;
    if (!values && g.k_stride == ptrdiff_t(g.head_dim) && next < g.positions) return g.k + ptrdiff_t(next) * g.k_stride;
    return g.qt;
  }

  // Scores of M keys, whose rows begin at k[i], and the maximum raised to them. The maximum
  // stays in memory: in registers it would push q out of them.
  template <int M, int N, class... Ahead>  // const float*, if it fetches
  static HEED_INLINE void tile(const AttendArgs& g, const float* const (&k)[M], const float* bias, float* s, V* max,
                               Ahead... ahead) {
    if constexpr (Project<Arch>::kTermStride) {
      projected_scores<M, N>(g, k, s);
      return rolled_end<M, N>(bias, s, max);
    }
    V acc[M][N];
    HEED_UNROLL for (int i = 0; i < M; ++i)
      HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::set(0.0f);
    const float* qt = g.qt;
    size_t d = 0;
    if constexpr (S::kLanes) {
      for (const float* const end = qt + g.head_dim / W * (W * N * W); qt != end; qt += W * N * W, d += W) {
        V x[M];
        HEED_UNROLL for (int i = 0; i < M; ++i) x[i] = S::load(k[i] + d);
        for_constants<W>([&](auto lane) HEED_LAMBDA { fma_lane_step<lane, S>(x, qt + lane * N * W, W, acc); });
      }
    }
    const auto step = [&](size_t feature, const float* at) HEED_LAMBDA {
      V q[N];
      HEED_UNROLL for (int j = 0; j < N; ++j) q[j] = S::load(at + j * W);
      HEED_UNROLL for (int i = 0; i < M; ++i) {
        const auto x = S::set(k[i][feature]);
        HEED_UNROLL for (int j = 0; j < N; ++j) S::fma_into(acc[i][j], q[j], x);
      }
    };
    for (const size_t whole = g.head_dim / kSteps * kSteps; d < whole; d += kSteps, qt += kSteps * N * W) {
      HEED_UNROLL for (int u = 0; u < kSteps; ++u) {
        (__builtin_prefetch(ahead + u * kAhead, 0, 2), ...);
        step(d + size_t(u), qt + u * N * W);
      }
      ((ahead += kSteps * kAhead), ...);
    }
    if (kSteps > 1)
      for (; d < g.head_dim; ++d, qt += N * W) step(d, qt);
    if constexpr (kForSize) {
      HEED_UNROLL for (int i = 0; i < M; ++i)
        HEED_UNROLL for (int j = 0; j < N; ++j) S::store(s + (i * N + j) * W, acc[i][j]);
      return rolled_end<M, N>(bias, s, max);
    }
    if (bias)
      HEED_UNROLL for (int i = 0; i < M; ++i)
        HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::add(acc[i][j], S::set(bias[i]));
    HEED_UNROLL for (int j = 0; j < N; ++j) {
      V m = max[j];
      HEED_UNROLL for (int i = 0; i < M; ++i) {
        m = S::max(m, acc[i][j]);
        S::store(s + (i * N + j) * W, acc[i][j]);
      }
      max[j] = m;
    }
  }

  // The last tile may run past the block, and a block may hold positions that must not be
  // read: another key of the block is read in their place. That cannot raise the maximum,
  // and nobody uses the score.
  template <int M, int N>
  static HEED_NOINLINE void odd_tile(const AttendArgs& g, const KeyBlock& b, uint32_t i, V* max) {
    const float* k[M];
    float bias[M];
    HEED_UNROLL_IF_FAST for (uint32_t r = 0; r < uint32_t(M); ++r) {
      uint32_t position = b.begin + (i + r < b.keys ? i + r : b.keys - 1);
      if (!is_visible(g, position)) position = b.any;
      k[r] = g.k + ptrdiff_t(position) * g.k_stride;
      bias[r] = bias_from(g, position) ? *bias_from(g, position) : 0.0f;
    }
    tile<M, N>(g, k, bias_from(g, 0) ? bias : nullptr, g.scores + i * N * W, max);
  }

  template <int N, bool Fetches>
  static HEED_INLINE void whole_tiles(const AttendArgs& g, const KeyBlock& b, uint32_t whole, V* max) {
    const float* k[MR];
    HEED_UNROLL for (int r = 0; r < MR; ++r) k[r] = g.k + ptrdiff_t(b.begin + uint32_t(r)) * g.k_stride;
    const float* bias = bias_from(g, b.begin);
    float* s = g.scores;
    for (uint32_t i = 0; i < whole; i += MR, s += MR * N * W) {
      if constexpr (Fetches) tile<MR, N>(g, k, bias, s, max, ahead_of(g, b, i));
      else tile<MR, N>(g, k, bias, s, max);
      HEED_UNROLL for (int r = 0; r < MR; ++r) k[r] += MR * g.k_stride;
      if (bias) bias += MR;
    }
  }

  template <int N>
  static HEED_NOINLINE void tiles(const AttendArgs& g, const KeyBlock& b, V* max) {
    const uint32_t whole = b.dense && !kForSize ? b.keys / uint32_t(MR) * uint32_t(MR) : 0;
    if constexpr (!kFetches) whole_tiles<N, false>(g, b, whole, max);
    else if (stays(g)) whole_tiles<N, false>(g, b, whole, max);
    else whole_tiles<N, true>(g, b, whole, max);
    constexpr int kHalf = few_tile_sizes(W) ? 0 : MR / 2;
    uint32_t i = whole;
    for (; i + kHalf < b.keys; i += MR) odd_tile<MR, N>(g, b, i, max);
    if constexpr (kHalf != 0)
      if (i < b.keys) odd_tile<kHalf, N>(g, b, i, max);
  }
};

}  // namespace heed
