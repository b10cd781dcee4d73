// attend_few.hpp - the same attention for a few queries: decoding, and the odd rows of a block.
//
// Their lanes would be nearly empty, so here lanes are keys while scores are made and features
// while values are summed. Every chain runs over the same terms in the same order as in
// attend.hpp: the bits are equal.
#pragma once
#include "core/choice.hpp"
#include "kernels/exp2.hpp"
#include "kernels/key_block.hpp"

namespace heed {

template <class Arch>
struct AttendFew {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W;
  static constexpr uint32_t kRoom = round_up(kFewQueries, W);  // so many floats hold something of each query

  struct Rows {
    const AttendArgs& g;
    uint32_t first, count, end;  // end: of the row that sees furthest
    float max[kRoom], sum[kRoom];
    float* q(uint32_t r) const { return g.qt + r * g.head_dim; }
    float* out(uint32_t r) const { return g.ot + r * g.value_dim; }
    float* scores(uint32_t r) const {
      const uint32_t keys = end < kKeyBlock ? end : kKeyBlock;
      return g.scores + r * round_up(keys, W);
    }
  };

  static HEED_INLINE float first_lane(V v) {
    alignas(4 * W) float lanes[W];
    S::store(lanes, v);
    return lanes[0];
  }

  // To each row's scores of W keys, N of its features from d on.
  template <int N>
  static HEED_INLINE void add_terms(const Rows& p, const V (&kt)[N], uint32_t d, uint32_t i) {
    const float* q = p.q(0) + d;
    float* score = p.scores(0) + i;
    const size_t q_stride = p.g.head_dim, score_stride = size_t(p.scores(1) - p.scores(0));
    for (uint32_t r = p.count; r != 0; --r, q += q_stride, score += score_stride) {
      V acc = S::load(score);
      HEED_UNROLL for (int u = 0; u < N; ++u) acc = S::fma(kt[u], S::set(q[u]), acc);
      S::store(score, acc);
    }
  }

  // Scores of W keys for all rows; keys past the block or not to be read are replaced as in
  // attend.hpp. A row of scores waits in memory while the keys' features are turned into lanes.
  static HEED_INLINE void score(const Rows& p, const KeyBlock& b, uint32_t i) {
    const AttendArgs& g = p.g;
    const float* k[W];
    alignas(4 * W) float bias[W] = {};
    for (uint32_t u = 0; u < uint32_t(W); ++u) {
      uint32_t position = b.begin + (i + u < b.keys ? i + u : b.keys - 1);
      if (!is_visible(g, position)) position = b.any;
      k[u] = g.k + ptrdiff_t(position) * g.k_stride;
      if (bias_from(g, position)) bias[u] = *bias_from(g, position);
    }
    for (uint32_t r = 0; r < p.count; ++r) S::store(p.scores(r) + i, S::set(0.0f));
    uint32_t d = 0;
    for (; d + W <= g.head_dim; d += W) {
      V kt[W];
      HEED_UNROLL for (int u = 0; u < W; ++u) kt[u] = S::load(k[u] + d);
      S::transpose(kt);
      add_terms(p, kt, d, i);
    }
    for (; d < g.head_dim; ++d) {
      alignas(4 * W) float lanes[W];
      for (int u = 0; u < W; ++u) lanes[u] = k[u][d];
      const V kt[1] = {S::load(lanes)};
      add_terms(p, kt, d, i);
    }
    if (!bias_from(g, 0)) return;
    for (uint32_t r = 0; r < p.count; ++r)
      S::store(p.scores(r) + i, S::add(S::load(p.scores(r) + i), S::load(bias)));
  }

  static HEED_NOINLINE void score_block(const Rows& p, const KeyBlock& b) {
    for (uint32_t i = 0; i < b.keys; i += W) score(p, b, i);
  }

  static HEED_INLINE void mask_row(const Rows& p, const KeyBlock& b, uint32_t r) {
    const AttendArgs& g = p.g;
    const uint32_t limit = position_limit(g, p.first + r);
    if (!has_mask(g) && b.dense && b.begin + b.keys <= limit) return;
    for (uint32_t i = 0; i < b.keys; ++i) {
      float* s = p.scores(r) + i;
      const uint32_t position = b.begin + i;
      if (!is_visible(g, position) || position >= limit) {
        *s = kHidden;
      } else if (has_mask(g)) {
        *s = first_lane(add_mask_term<S>(S::set(*s), S::set(mask_term(g, p.first + r, position))));
      }
    }
  }

  static HEED_INLINE void weigh_row(float* s, uint32_t keys, float max) {
    for (uint32_t i = 0; i < keys; i += W) S::store(s + i, exp2<S>(S::sub(S::load(s + i), S::set(max))));
  }

  // Of each row's weights, the sum. Four sums by position mod 4 are four lanes, so that a register holds those of
  // W / 4 rows: rows past the last have room.
  static HEED_INLINE void block_sums(const Rows& p, uint32_t keys, float* sum) {
    const float* s = p.scores(0);
    const ptrdiff_t stride = p.scores(1) - s;
    for (uint32_t r = 0; r < p.count; r += W / 4, s += W / 4 * stride) {
      V sums = S::set(0.0f);
      uint32_t i = 0;
      for (; i + 4 <= keys; i += 4) sums = S::add(sums, S::load_fours(s + i, stride));
      alignas(4 * W) float four[W];
      S::store(four, sums);
      for (uint32_t u = 0; u < uint32_t(W) / 4; ++u) {
        float* const own = four + 4 * u;
        for (uint32_t j = i; j < keys; ++j) own[j - i] += s[ptrdiff_t(u) * stride + ptrdiff_t(j)];
        sum[r + u] = (own[0] + own[1]) + (own[2] + own[3]);
      }
    }
  }

  // The largest of them and `max`. Of a NaN nobody takes notice: its weight will be one.
  static HEED_INLINE float block_max(const float* s, uint32_t keys, float max) {
    V most = S::set(max);
    for (; keys >= uint32_t(W); keys -= W, s += W) most = S::if_less(most, S::load(s), S::load(s), most);
    alignas(4 * W) float lanes[W];
    S::store(lanes, most);
    for (uint32_t i = 0; i < uint32_t(W); ++i) max = lanes[i] > max ? lanes[i] : max;
    for (uint32_t i = 0; i < keys; ++i) max = s[i] > max ? s[i] : max;
    return max;
  }

  static HEED_INLINE void scale_row(const float* from, float scale, uint32_t n, float* to) {
    for (; n >= uint32_t(W); n -= W, from += W, to += W) S::store(to, S::mul(S::load(from), S::set(scale)));
    for (uint32_t i = 0; i < n; ++i) to[i] = from[i] * scale;
  }

  // ---- values: R rows x N registers of features at a time -----------------------------

  struct Weighted {  // what a block's values go to
    Rows& p;
    const KeyBlock& b;
    const float* alpha;
    bool first;
    const float* v(uint32_t d) const { return first_value(p.g, b) + d; }
    bool skips(uint32_t r, uint32_t k) const {
      return b.careful && (p.scores(r)[k] == 0.0f || !is_visible(p.g, b.begin + k));
    }
  };

  // Features [d, d + N * W).
  template <int R, int N>
  static HEED_NOINLINE void value_tile(const Weighted& w, uint32_t r, uint32_t d) {
    V acc[R][N];
    HEED_UNROLL for (int i = 0; i < R; ++i)
      HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::set(0.0f);
    const float *v = w.v(d), *s = w.p.scores(r);
    const size_t s_stride = size_t(w.p.scores(1) - w.p.scores(0));
    for (uint32_t k = 0; k < w.b.keys; ++k, v += w.p.g.v_stride) {
      if (R == 1 && w.skips(r, k)) continue;
      V x[N];
      HEED_UNROLL for (int j = 0; j < N; ++j) x[j] = S::load(v + j * W);
      if constexpr (R > 1)
        HEED_UNROLL for (int j = 0; j < N; ++j) S::keep(x[j]);
      HEED_UNROLL for (int i = 0; i < R; ++i) {
        const auto weight = S::set(s[size_t(i) * s_stride + k]);
        HEED_UNROLL for (int j = 0; j < N; ++j) S::fma_into(acc[i][j], x[j], weight);
      }
    }
    HEED_UNROLL for (int i = 0; i < R; ++i) {
      const auto alpha = S::set(w.alpha[r + uint32_t(i)]);
      HEED_UNROLL for (int j = 0; j < N; ++j) {
        float* o = w.p.out(r + uint32_t(i)) + d + uint32_t(j * W);
        S::store(o, w.first ? acc[i][j] : S::fma(S::load(o), alpha, acc[i][j]));
      }
    }
  }

  // The features left over, one lane of a tile each.
  static HEED_INLINE void value_rest(const Weighted& w, uint32_t r, uint32_t d) {
    for (; d < w.p.g.value_dim; ++d) {
      V acc = S::set(0.0f);
      const float* v = w.v(d);
      for (uint32_t k = 0; k < w.b.keys; ++k, v += w.p.g.v_stride)
        if (!w.skips(r, k)) acc = S::fma(S::set(*v), S::set(w.p.scores(r)[k]), acc);
      float* o = w.p.out(r) + d;
      *o = first_lane(w.first ? acc : S::fma(S::set(*o), S::set(w.alpha[r]), acc));
    }
  }

  // Eight sums hide what an fma takes.
  template <int R, int N = R * 4 < Arch::project_sums ? 4 : 2>
  static HEED_INLINE void value_columns(const Weighted& w, uint32_t r, uint32_t d = 0) {
    for (; d + N * W <= w.p.g.value_dim; d += N * W) value_tile<R, N>(w, r, d);
    if constexpr (N > 1) return value_columns<R, N / 2>(w, r, d);
    for (uint32_t i = r; i < r + R; ++i) value_rest(w, i, d);
  }

  // The compiled size for a run-time number of rows.
  template <int R = Arch::few_rows < 4 ? 1 : 4>
  static HEED_INLINE void value_rows(const Weighted& w, uint32_t r, uint32_t rows) {
    if constexpr (R > 1) {
      if (rows < uint32_t(R)) return value_rows<R - 1>(w, r, rows);
    }
    value_columns<R>(w, r);
  }

  // Rows together see all that the block has; a careful one looks at each weight.
  static HEED_NOINLINE void values(const Weighted& w) {
    const uint32_t most = Arch::few_rows < 4 || w.b.careful ? 1 : 4;
    for (uint32_t r = 0, rows; r < w.p.count; r += rows) {
      rows = tile_size(w.p.count - r, most, false);
      value_rows(w, r, rows);
    }
  }

  static HEED_NOINLINE void attend_block(Rows& p, const KeyBlock& b, bool first) {
    alignas(4 * W) float alpha[kRoom], max[kRoom] = {}, sum[kRoom] = {};
    score_block(p, b);
    // Stage by stage: each row's are a chain of some 300 cycles.
    for (uint32_t r = 0; r < p.count; ++r) {
      mask_row(p, b, r);
      max[r] = block_max(p.scores(r), b.keys, p.max[r]);
    }
    for (uint32_t r = 0; r < p.count; ++r) weigh_row(p.scores(r), b.keys, max[r]);
    block_sums(p, b.keys, sum);
    for (uint32_t r = 0; r < kRoom; r += W) {
      const V more = S::load(max + r), change = exp2<S>(S::sub(S::load(p.max + r), more));
      S::store(p.sum + r, S::fma(S::load(p.sum + r), change, S::load(sum + r)));
      S::store(p.max + r, more);
      S::store(alpha + r, change);
    }
    values({p, b, alpha, first});
  }

  static HEED_NOINLINE void write_weights(Rows& p, const float* inverse) {
    const AttendArgs& g = p.g;
    for (uint32_t r = 0; r < p.count; ++r) begin_weight_row(g, p.first + r, inverse[r]);
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      score_block(p, b);
      for (uint32_t r = 0; r < p.count; ++r) {
        float *w = g.weights + ptrdiff_t(p.first + r) * g.weights_stride, *s = p.scores(r);
        mask_row(p, b, r);
        weigh_row(s, b.keys, p.max[r]);
        for (uint32_t i = 0; i < b.keys; ++i) {
          float* at = w + weight_column(g, k + i);
          const float weight = s[i] * inverse[r];
          *at = (g.weights_add ? *at + weight : weight) * g.weights_scale;
        }
      }
    }
  }

  // Rows [first, first + count).
  static HEED_NOINLINE void run(const AttendArgs& g, uint32_t first, uint32_t count) {
    Rows p{g, first, count, position_limit(g, first + count - 1), {}, {}};
    for (uint32_t r = 0; r < count; ++r) {
      scale_row(g.q + ptrdiff_t(first + r) * g.q_stride, g.scale, g.head_dim, p.q(r));
      p.max[r] = kLowest;
    }
    bool first_block = true;
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      attend_block(p, b, first_block);
      first_block = false;
    }
    if (first_block)
      for (uint32_t i = 0; i < count * g.value_dim; ++i) g.ot[i] = 0.0f;
    float inverse[kFewQueries];
    for (uint32_t r = 0; r < count; ++r) {
      inverse[r] = first_lane(inverse_sum<S>(S::set(p.sum[r]), g.fully_masked));
      scale_row(p.out(r), inverse[r], g.value_dim, g.out + ptrdiff_t(first + r) * g.out_stride);
    }
    if (kWithWeightsOutput && g.weights) write_weights(p, inverse);
  }
};

}  // namespace heed
