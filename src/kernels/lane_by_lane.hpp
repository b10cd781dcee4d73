// lane_by_lane.hpp - what attention does once per query, key or feature, a float at a time: for
// builds where code size counts. attend.hpp has the same for whole registers; the bits are equal.
#pragma once
#include "kernels/exp2.hpp"
#include "kernels/key_block.hpp"

namespace heed {

// P: Attend's group of queries.
template <class Arch, class P>
struct LaneByLane {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W;

  static HEED_NOINLINE void load_queries(const P& p) {
    const AttendArgs& g = p.g;
    const uint32_t lanes = p.lanes();
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      const float* q = g.q + ptrdiff_t(p.row_at(0, lane)) * g.q_stride;
      for (uint32_t d = 0; d < g.head_dim; ++d) g.qt[d * lanes + lane] = q[d] * g.scale;
    }
  }

  static HEED_NOINLINE V mask_register(const P& p, const KeyBlock& b, uint32_t j) {
    using One = ScalarSimd<Arch>;
    const AttendArgs& g = p.g;
    alignas(4 * W) float most[W];
    S::store(most, p.state.max(j));
    for (uint32_t i = 0; i < uint32_t(W); ++i) {
      const uint32_t lane = j * W + i, limit = position_limit(g, p.row + lane);
      float* at = g.scores + lane;
      for (uint32_t position = b.begin; position < b.begin + b.keys; ++position, at += p.lanes()) {
        float s = kHidden;
        if (position < limit && is_visible(g, position)) {
          s = *at;
          if (has_mask(g)) s = add_mask_term<One>(s, mask_term(g, p.row_at(0, lane), position));
        }
        *at = s;
        most[i] = One::max(most[i], s);
      }
    }
    return S::load(most);
  }

  static HEED_NOINLINE void store_outputs(const P& p) {
    const AttendArgs& g = p.g;
    const uint32_t lanes = p.lanes();
    for (uint32_t lane = 0; lane < p.rows; ++lane) {
      alignas(4 * W) float inverse[W];
      S::store(inverse, p.state.sum(lane / W));
      float* out = g.out + ptrdiff_t(p.row + lane) * g.out_stride;
      for (uint32_t d = 0; d < g.value_dim; ++d) out[d] = g.ot[d * lanes + lane] * inverse[lane % W];
    }
  }

  // Of `keys` keys, whose scores of register j's queries begin at s.
  static HEED_NOINLINE void store_weights(const P& p, uint32_t j, uint32_t position, uint32_t keys, const float* s) {
    const AttendArgs& g = p.g;
    for (; keys != 0; --keys, ++position, s += p.lanes()) {
      alignas(4 * W) float weight[W];
      S::store(weight, S::mul(exp2<S>(S::sub(S::load(s), p.state.max(j))), p.state.sum(j)));
      float* at = g.weights + ptrdiff_t(p.row + j * W) * g.weights_stride + weight_column(g, position);
      for (uint32_t q = 0; q < p.rows_of(j); ++q, at += g.weights_stride)
        *at = (g.weights_add ? *at + weight[q] : weight[q]) * g.weights_scale;
    }
  }
};

}  // namespace heed
