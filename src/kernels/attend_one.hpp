// attend_one.hpp - the same attention for one query: decoding, and odd rows of a block.
//
// With a single query its lanes would be empty, so here lanes are keys while scores are made
// and features while values are summed. Every chain runs over the same terms in the same
// order as in attend.hpp: the bits are equal.
#pragma once
#include "kernels/exp2.hpp"
#include "kernels/key_block.hpp"

namespace heed {

template <class Arch>
struct AttendOne {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W;

  struct Row {
    const AttendArgs& g;
    uint32_t row, end;
    float max, sum;
  };

  static HEED_INLINE float first_lane(V v) {
    alignas(64) float lanes[W];
    S::store(lanes, v);
    return lanes[0];
  }

  // Scores of W keys; keys past the block or not to be read are replaced as in attend.hpp.
  static HEED_INLINE V score(const Row& p, const KeyBlock& b, uint32_t i) {
    const AttendArgs& g = p.g;
    const float* k[W];
    alignas(64) float bias[W] = {};
    for (uint32_t r = 0; r < uint32_t(W); ++r) {
      uint32_t position = b.begin + (i + r < b.keys ? i + r : b.keys - 1);
      if (!is_visible(g, position)) position = b.any;
      k[r] = g.k + ptrdiff_t(position) * g.k_stride;
      if (bias_from(g, position)) bias[r] = *bias_from(g, position);
    }
    const uint32_t whole = g.head_dim / uint32_t(W) * uint32_t(W);
    V acc = S::set(0.0f);
    for (uint32_t d = 0; d < whole; d += W) {
      V r[W];
      HEED_UNROLL for (int u = 0; u < W; ++u) r[u] = S::load(k[u] + d);
      S::transpose(r);
      HEED_UNROLL for (int u = 0; u < W; ++u) acc = S::fma(r[u], S::set(g.qt[d + uint32_t(u)]), acc);
    }
    for (uint32_t d = whole; d < g.head_dim; ++d) {
      alignas(64) float lanes[W];
      for (int u = 0; u < W; ++u) lanes[u] = k[u][d];
      acc = S::fma(S::load(lanes), S::set(g.qt[d]), acc);
    }
    return bias_from(g, 0) ? S::add(acc, S::load(bias)) : acc;
  }

  static HEED_INLINE void score_block(const Row& p, const KeyBlock& b) {
    const AttendArgs& g = p.g;
    for (uint32_t i = 0; i < b.keys; i += W) S::store(g.scores + i, score(p, b, i));
    for (uint32_t i = 0; i < b.keys; ++i) {
      float* s = g.scores + i;
      const uint32_t position = b.begin + i;
      if (!is_visible(g, position)) {
        *s = kHidden;
      } else if (has_mask(g)) {
        *s = first_lane(add_mask_term<S>(S::set(*s), S::set(mask_term(g, p.row, position))));
      }
    }
  }

  static HEED_INLINE void weigh_block(const Row& p, const KeyBlock& b) {
    const V max = S::set(p.max);
    for (uint32_t i = 0; i < b.keys; i += W)
      S::store(p.g.scores + i, exp2<S>(S::sub(S::load(p.g.scores + i), max)));
  }

  static HEED_INLINE float block_sum(const float* p, uint32_t keys) {
    float sum[4] = {};
    for (uint32_t i = 0; i < keys; ++i) sum[i % 4] += p[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  static HEED_INLINE bool skips(const Row& p, const KeyBlock& b, uint32_t k) {
    return b.careful && (p.g.scores[k] == 0.0f || !is_visible(p.g, b.begin + k));
  }

  // Features [d, d + N * W).
  template <int N>
  static HEED_INLINE void value_columns(const Row& p, const KeyBlock& b, float alpha, bool first,
                                        uint32_t d) {
    const AttendArgs& g = p.g;
    V acc[N];
    HEED_UNROLL for (int j = 0; j < N; ++j) acc[j] = S::set(0.0f);
    const float* v = g.v + ptrdiff_t(b.begin) * g.v_stride + d;
    for (uint32_t k = 0; k < b.keys; ++k, v += g.v_stride) {
      if (skips(p, b, k)) continue;
      const V weight = S::set(g.scores[k]);
      HEED_UNROLL for (int j = 0; j < N; ++j) acc[j] = S::fma(S::load(v + j * W), weight, acc[j]);
    }
    HEED_UNROLL for (int j = 0; j < N; ++j) {
      float* o = g.ot + d + uint32_t(j * W);
      S::store(o, first ? acc[j] : S::fma(S::load(o), S::set(alpha), acc[j]));
    }
  }

  // The features left over, one lane of value_columns each.
  static HEED_INLINE void value_rest(const Row& p, const KeyBlock& b, float alpha, bool first, uint32_t d) {
    const AttendArgs& g = p.g;
    for (; d < g.value_dim; ++d) {
      V acc = S::set(0.0f);
      for (uint32_t k = 0; k < b.keys; ++k) {
        if (skips(p, b, k)) continue;
        acc = S::fma(S::set(g.v[ptrdiff_t(b.begin + k) * g.v_stride + ptrdiff_t(d)]), S::set(g.scores[k]), acc);
      }
      g.ot[d] = first_lane(first ? acc : S::fma(S::set(g.ot[d]), S::set(alpha), acc));
    }
  }

  static HEED_NOINLINE void values(const Row& p, const KeyBlock& b, float alpha, bool first) {
    uint32_t d = 0;
    for (; d + 4 * W <= p.g.value_dim; d += 4 * W) value_columns<4>(p, b, alpha, first, d);
    for (; d + W <= p.g.value_dim; d += W) value_columns<1>(p, b, alpha, first, d);
    value_rest(p, b, alpha, first, d);
  }

  static HEED_NOINLINE void write_weights(const Row& p, float inverse) {
    const AttendArgs& g = p.g;
    begin_weight_row(g, p.row, inverse);
    float* w = g.weights + ptrdiff_t(p.row) * g.weights_stride;
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      score_block(p, b);
      weigh_block(p, b);
      for (uint32_t i = 0; i < b.keys; ++i) {
        float* at = w + weight_column(g, k + i);
        const float weight = g.scores[i] * inverse;
        *at = (g.weights_add ? *at + weight : weight) * g.weights_scale;
      }
    }
  }

  static HEED_NOINLINE void run(const AttendArgs& g, uint32_t row) {
    Row p{g, row, position_limit(g, row), kLowest, 0.0f};
    const float* q = g.q + ptrdiff_t(row) * g.q_stride;
    for (uint32_t d = 0; d < g.head_dim; ++d) g.qt[d] = q[d] * g.scale;
    bool first = true;
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      score_block(p, b);
      float max = p.max;
      for (uint32_t i = 0; i < b.keys; ++i) max = g.scores[i] > max ? g.scores[i] : max;
      const float alpha = first_lane(exp2<S>(S::set(p.max - max)));
      p.max = max;
      weigh_block(p, b);
      p.sum = first_lane(S::fma(S::set(p.sum), S::set(alpha), S::set(block_sum(g.scores, b.keys))));
      values(p, b, alpha, first);
      first = false;
    }
    const float inverse = inverse_sum(g, p.sum);
    float* out = g.out + ptrdiff_t(row) * g.out_stride;
    for (uint32_t d = 0; d < g.value_dim; ++d) out[d] = first ? 0.0f * inverse : g.ot[d] * inverse;
    if (kWithWeightsOutput && g.weights) write_weights(p, inverse);
  }
};

}  // namespace heed
