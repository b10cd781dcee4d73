// attend.hpp - out = softmax(scale q k^T + masks) v for one head and a block of queries.
//
// Lanes are queries: a group of NV registers holds NV * W of them, so that the softmax needs
// no sum across lanes. Keys come in blocks of 128 at absolute positions:
//
//   s = k q^T          MR keys x NV registers at a time, one fma chain over head_dim
//   m' = max(m, s)     p = 2^(s - m')     alpha = 2^(m - m')
//   l = l alpha + sum of p                (four sums by position mod 4, then (0+1)+(2+3))
//   o = o alpha + v^T p                   one fma chain over the block's keys
//
// and out = o / l at the end. All groups of a block of queries take a block of keys before the next, so
// that it comes from memory once (but for a few odd rows, and size builds). Each of these chains is the
// same for a query whatever the arch, the group it is in, and the queries beside it: that is where equal
// bits come from.
#pragma once
#include <type_traits>

#include "core/choice.hpp"
#include "kernels/attend_few.hpp"
#include "kernels/columns.hpp"
#include "kernels/exp2.hpp"
#include "kernels/key_block.hpp"
#include "kernels/lane_by_lane.hpp"
#include "kernels/scores.hpp"
#include "kernels/values.hpp"

namespace heed {

template <class Arch>
struct Attend {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, MR = Arch::attend_rows, NV = Arch::attend_vectors;
  static_assert(8 % MR == 0 && kQueryBlock % (NV * W) == 0, "score tiles fill the workspace's blocks");

  static constexpr Tiles kTiles = tiles_of<Arch, W>();

  // Groups that take turns on a block of keys. Code for several is more than a size build is for.
  static constexpr uint32_t kTurns = kForSize || W == 1 ? 1 : kQueryBlock / uint32_t(NV * W);

  // Of a group's queries the maxima and the sums, at the end 1 / sum; and of a block of keys the maxima with it,
  // then what corrects for that (alpha).
  struct OnStack {
    V max_[NV], sum_[NV], next[NV];
    V max(uint32_t j) const { return max_[j]; }
    V sum(uint32_t j) const { return sum_[j]; }
    void set_max(uint32_t j, V x) { max_[j] = x; }
    void set_sum(uint32_t j, V x) { sum_[j] = x; }
  };
  struct InMemory {
    float *max_, *sum_;
    V* next;
    V max(uint32_t j) const { return S::load(max_ + j * W); }
    V sum(uint32_t j) const { return S::load(sum_ + j * W); }
    void set_max(uint32_t j, V x) { S::store(max_ + j * W, x); }
    void set_sum(uint32_t j, V x) { S::store(sum_ + j * W, x); }
  };

  struct Group {               // `registers` * W queries, of which `rows` exist
    const AttendArgs& g;
    uint32_t row, rows, registers;
    uint32_t end;              // no query of the group sees a position from here on
    std::conditional_t<kTurns == 1, OnStack, InMemory> state;

    Group(const AttendArgs& args, uint32_t from, uint32_t n, uint32_t wide)
        : g(args), row(from), rows(n), registers(wide), end(position_limit(args, from + n - 1)) {}
    uint32_t lanes() const { return registers * uint32_t(W); }  // a row of q^T, scores, o^T
    // The query of a lane; lanes past the last query repeat it.
    uint32_t row_at(uint32_t j, uint32_t lane) const {
      const uint32_t at = j * uint32_t(W) + lane;
      return row + (at < rows ? at : rows - 1);
    }
    uint32_t rows_of(uint32_t j) const {
      const uint32_t before = j * uint32_t(W);
      return rows <= before ? 0 : rows - before < uint32_t(W) ? rows - before : uint32_t(W);
    }
  };

  using ByLane = LaneByLane<Arch, Group>;

  // The compiled size for a run-time number of registers.
  template <int N = NV, class F>
  static HEED_INLINE void with_registers(uint32_t n, F f) {
    if constexpr (N > 1 && !kTiles.whole_groups) {
      if (n < uint32_t(N)) return with_registers<smaller_tile<W>(N)>(n, f);
    }
    f(std::integral_constant<int, N>());
  }

  // ---- q^T -------------------------------------------------------------------------

  // Lanes past the last row repeat it: nobody looks at them.
  static HEED_NOINLINE void load_queries(const Group& p) {
    if constexpr (kForSize) return ByLane::load_queries(p);
    const AttendArgs& g = p.g;
    const uint32_t lanes = p.lanes(), dim = g.head_dim;
    for (uint32_t j = 0; j < p.registers; ++j) {
      const float* q[W];
      for (uint32_t i = 0; i < uint32_t(W); ++i) q[i] = g.q + ptrdiff_t(p.row_at(j, i)) * g.q_stride;
      float* qt = g.qt + j * W;
      if (dim >= uint32_t(W)) {
        for (uint32_t d = 0; d < dim; d += W) Columns<S>::to_lanes(q, Columns<S>::step_at(d, dim), g.scale, qt, lanes);
      } else {
        for (uint32_t d = 0; d < dim; ++d)
          for (uint32_t i = 0; i < uint32_t(W); ++i) qt[d * lanes + i] = q[i][d] * g.scale;
      }
    }
  }

  // ---- masks -----------------------------------------------------------------------

  static HEED_INLINE bool needs_mask(const Group& p, const KeyBlock& b) {
    if (!kWithMasks && !kWithCausal) return false;
    return !b.dense || has_mask(p.g) || b.begin + b.keys > position_limit(p.g, p.row);
  }

  // Adds attn_mask to `keys` <= W scores of register j, from `position` on. Lanes past the last query
  // repeat it.
  static HEED_NOINLINE void add_mask(const Group& p, uint32_t j, uint32_t position, uint32_t keys, float* s) {
    const AttendArgs& g = p.g;
    const uint32_t lanes = p.lanes();
    if (g.mask.key_stride != 1 || keys < uint32_t(W) || position < g.slots) {
      for (uint32_t i = 0; i < keys; ++i, s += lanes) {
        alignas(4 * W) float terms[W];
        for (uint32_t q = 0; q < uint32_t(W); ++q) terms[q] = mask_term(g, p.row_at(j, q), position + i);
        S::store(s, add_mask_term<S>(S::load(s), S::load(terms)));
      }
      return;
    }
    V r[W];  // of a query each, then of a key
    HEED_UNROLL for (int q = 0; q < W; ++q) {
      const ptrdiff_t at = ptrdiff_t(p.row_at(j, uint32_t(q))) * g.mask.row_stride + ptrdiff_t(position - g.slots);
      r[q] = g.mask.is_float ? S::load(static_cast<const float*>(g.mask.data) + at)
                             : S::choose_by_bytes(static_cast<const uint8_t*>(g.mask.data) + at,
                                                  S::set(g.mask.hides ? 0.0f : kHidden),
                                                  S::set(g.mask.hides ? kHidden : 0.0f));
    }
    S::transpose(r);
    HEED_UNROLL for (int i = 0; i < W; ++i) {
      float* const at = s + uint32_t(i) * lanes;
      S::store(at, add_mask_term<S>(S::load(at), r[i]));
    }
  }

  // Hides what register j's queries may not see; the largest of the scores left and max[j].
  static HEED_NOINLINE V mask_register(const Group& p, const KeyBlock& b, uint32_t j) {
    if constexpr (kForSize) return ByLane::mask_register(p, b, j);
    const AttendArgs& g = p.g;
    float* at = g.scores + j * W;
    if (has_mask(g))
      for (uint32_t i = 0; i < b.keys; i += W)
        add_mask(p, j, b.begin + i, b.keys - i < uint32_t(W) ? b.keys - i : uint32_t(W), at + i * p.lanes());
    alignas(4 * W) float limit[W];
    for (uint32_t i = 0; i < uint32_t(W); ++i) limit[i] = float(position_limit(g, p.row + j * W + i));
    const V limits = S::load(limit), hidden = S::set(kHidden);
    V m = p.state.max(j);
    for (uint32_t position = b.begin; position < b.begin + b.keys; ++position, at += p.lanes()) {
      V s = hidden;
      if (is_visible(g, position)) s = S::if_less(S::set(float(position)), limits, S::load(at), hidden);
      S::store(at, s);
      m = S::max(m, s);
    }
    return m;
  }

  // ---- scores ----------------------------------------------------------------------

  // Scores of a block, masks applied; next[j]: the larger of max[j] and register j's.
  static HEED_INLINE_IF_FAST void score_block(Group& p, const KeyBlock& b) {
    const AttendArgs& g = p.g;
    for (uint32_t j = 0; j < p.registers; ++j) p.state.next[j] = p.state.max(j);
    with_registers(p.registers, [&](auto n) { Scores<Arch>::template tiles<n>(g, b, p.state.next); });
    if (!needs_mask(p, b)) return;
    // What is hidden counts no more.
    for (uint32_t j = 0; j < p.registers; ++j) p.state.next[j] = mask_register(p, b, j);
  }

  // ---- softmax ---------------------------------------------------------------------

  // p = 2^(s - max) in place for N keys, added to their sums.
  template <int N>
  static HEED_INLINE void weigh(float* s, size_t lanes, V max, V* sum) {
    V x[N];
    HEED_UNROLL for (int u = 0; u < N; ++u) x[u] = S::sub(S::load(s + size_t(u) * lanes), max);
    if constexpr (N == 1) x[0] = exp2<S>(x[0]);
    else exp2<S, N>(x);
    HEED_UNROLL for (int u = 0; u < N; ++u) {
      S::store(s + size_t(u) * lanes, x[u]);
      sum[u] = S::add(sum[u], x[u]);
    }
  }

  // One register of queries against a block; the block's sum of p.
  static HEED_NOINLINE V softmax_register(const KeyBlock& b, float* s, size_t lanes, V max) {
    V sum[4] = {S::set(0.0f), S::set(0.0f), S::set(0.0f), S::set(0.0f)};
    uint32_t i = 0;
    constexpr int kTogether = Arch::attend_rows * NV < 16 ? 2 : 4;  // of 16 registers the sums keep four
    if constexpr (!kForSize)
      for (; i + 4 <= b.keys; i += 4)
        HEED_UNROLL for (int u = 0; u < 4; u += kTogether, s += kTogether * lanes)
          weigh<kTogether>(s, lanes, max, sum + u);
    for (; i < b.keys; ++i, s += lanes) weigh<1>(s, lanes, max, &sum[i % 4]);
    return S::add(S::add(sum[0], sum[1]), S::add(sum[2], sum[3]));
  }

  // ---- out -------------------------------------------------------------------------

  static HEED_NOINLINE void store_outputs(const Group& p) {
    if constexpr (kForSize) return ByLane::store_outputs(p);
    const AttendArgs& g = p.g;
    const uint32_t lanes = p.lanes(), dim = g.value_dim;
    for (uint32_t j = 0; j < p.registers; ++j) {
      const uint32_t rows = p.rows_of(j);
      float* out = g.out + ptrdiff_t(p.row + j * W) * g.out_stride;
      const float* ot = g.ot + j * W;
      if (dim >= uint32_t(W)) {
        for (uint32_t d = 0; d < dim; d += W)
          Columns<S>::to_rows(ot, lanes, p.state.sum(j), Columns<S>::step_at(d, dim), out, g.out_stride, rows);
        continue;
      }
      alignas(4 * W) float last[W];
      for (uint32_t d = 0; d < dim; ++d) {
        S::store(last, S::mul(S::load(ot + d * lanes), p.state.sum(j)));
        for (uint32_t i = 0; i < rows; ++i) out[ptrdiff_t(i) * g.out_stride + ptrdiff_t(d)] = last[i];
      }
    }
  }

  // ---- weights: a second pass over the scores with the final maximum and sum ---------

  // Of `keys` <= W keys, whose scores of register j's queries begin at s.
  static HEED_NOINLINE void store_weights(const Group& p, uint32_t j, uint32_t position, uint32_t keys,
                                          const float* s) {
    const AttendArgs& g = p.g;
    if (keys < uint32_t(W) || position < g.slots) return ByLane::store_weights(p, j, position, keys, s);
    const V max = p.state.max(j), sum = p.state.sum(j);
    V r[W];  // of a key each, then of a query
    HEED_UNROLL for (int i = 0; i < W; ++i)
      r[i] = S::mul(exp2<S>(S::sub(S::load(s + uint32_t(i) * p.lanes()), max)), sum);
    S::transpose(r);
    const uint32_t rows = p.rows_of(j);
    float* at = g.weights + ptrdiff_t(p.row + j * W) * g.weights_stride + weight_column(g, position);
    HEED_UNROLL for (int q = 0; q < W; ++q, at += g.weights_stride)
      if (uint32_t(q) < rows)
        S::store(at, S::mul(g.weights_add ? S::add(S::load(at), r[q]) : r[q], S::set(g.weights_scale)));
  }

  static HEED_NOINLINE void write_weights(Group& p) {
    const AttendArgs& g = p.g;
    for (uint32_t j = 0; j < p.registers; ++j) {
      alignas(4 * W) float inverse[W];
      S::store(inverse, p.state.sum(j));
      for (uint32_t i = 0; i < p.rows_of(j); ++i) begin_weight_row(g, p.row + j * W + i, inverse[i]);
    }
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      score_block(p, b);
      for (uint32_t j = 0; j < p.registers; ++j) {
        const float* const s = g.scores + j * W;
        if constexpr (kForSize) {
          ByLane::store_weights(p, j, k, b.keys, s);
          continue;
        }
        for (uint32_t i = 0; i < b.keys; i += W)
          store_weights(p, j, k + i, b.keys - i < uint32_t(W) ? b.keys - i : uint32_t(W), s + i * p.lanes());
      }
    }
  }

  // ---- the formula -----------------------------------------------------------------

  static HEED_NOINLINE void attend_block(Group& p, const KeyBlock& b, bool first) {
    const AttendArgs& g = p.g;
    score_block(p, b);
    for (uint32_t j = 0; j < p.registers; ++j) {
      const V max = p.state.next[j];
      p.state.next[j] = exp2<S>(S::sub(p.state.max(j), max));
      p.state.set_max(j, max);
      const V sum = softmax_register(b, g.scores + j * W, p.lanes(), max);
      p.state.set_sum(j, S::fma(p.state.sum(j), p.state.next[j], sum));
    }
    const V* const alpha = first ? nullptr : p.state.next;
    with_registers(p.registers, [&](auto n) {
      if constexpr (kForSize) Values<Arch>::template few_tiles<n>(g, b, alpha);
      else Values<Arch>::template all_tiles<n>(g, b, alpha);
    });
  }

  static HEED_INLINE void start(Group& p) {
    load_queries(p);
    for (uint32_t j = 0; j < p.registers; ++j) {
      p.state.set_max(j, S::set(kLowest));
      p.state.set_sum(j, S::set(0.0f));
    }
  }

  static HEED_INLINE void finish(Group& p, bool saw_nothing) {
    const AttendArgs& g = p.g;
    if (saw_nothing)
      for (uint32_t i = 0; i < g.value_dim * p.lanes(); ++i) g.ot[i] = 0.0f;
    for (uint32_t j = 0; j < p.registers; ++j) p.state.set_sum(j, inverse_sum<S>(p.state.sum(j), g.fully_masked));
    store_outputs(p);
    if (kWithWeightsOutput && g.weights) write_weights(p);
  }

  static HEED_NOINLINE void group(const AttendArgs& g, uint32_t row, uint32_t rows, uint32_t registers) {
    Group p(g, row, rows, registers);
    start(p);
    bool first = true;
    KeyBlock b;
    for (uint32_t k = 0; k < p.end; k += kKeyBlock) {
      if (!open_key_block(g, k, p.end, &b)) continue;
      attend_block(p, b, first);
      first = false;
    }
    finish(p, first);
  }

  // The groups from `row` on, but for a few odd rows; how many rows that is. Each has its part of q^T and o^T;
  // scores are one group's at a time, and what the first and widest leaves of their lanes, which go by 16 and have
  // at least 8 floats each, holds the maxima and sums of all. A group of 16 leaves none, and has its own (`alone`).
  static HEED_NOINLINE uint32_t groups(AttendArgs& g, uint32_t row) {
    struct Member {
      QueryGroup group;
      uint32_t row, lanes;  // lanes: of those before
      bool first;
    } member[kTurns] = {};
    uint32_t count = 0, rows = 0, lanes = 0;
    while (row + rows < g.rows && count < kTurns) {
      const QueryGroup next = next_queries(kTiles, W, g.rows - row - rows);
      if (next.registers == 0) break;
      member[count++] = {next, row + rows, lanes, true};
      rows += next.rows;
      lanes += next.registers * uint32_t(W);
    }
    float *const qt = g.qt, *const ot = g.ot;
    alignas(4 * W) float alone[2 * kPanel];
    const uint32_t keys = round_up(g.positions < kKeyBlock ? g.positions : kKeyBlock, 8);
    float* const most = lanes == kPanel && count == 1 ? alone : g.scores + size_t(member[0].group.registers * W) * keys;
    V next[NV];
    uint32_t k = 0;
    do {
      for (uint32_t i = 0; i < count; ++i) {
        Member& m = member[i];
        Group p(g, m.row, m.group.rows, m.group.registers);
        if (k != 0 && k >= p.end) continue;
        p.state = {most + m.lanes, most + lanes + m.lanes, next};
        g.qt = qt + m.lanes * g.head_dim;
        g.ot = ot + m.lanes * g.value_dim;
        if (k == 0) start(p);
        KeyBlock b;
        if (k < p.end && open_key_block(g, k, p.end, &b)) {
          attend_block(p, b, m.first);
          m.first = false;
        }
        if (k + kKeyBlock >= p.end) finish(p, m.first);
      }
      k += kKeyBlock;
    } while (k < position_limit(g, row + rows - 1));
    g.qt = qt;
    g.ot = ot;
    return rows;
  }

  static void run(AttendArgs& g) {
    for (uint32_t row = 0; row < g.rows;) {
      const QueryGroup next = next_queries(kTiles, W, g.rows - row);
      if (kTiles.few_rows == 0 || next.registers != 0) {
        if constexpr (kTurns == 1) group(g, row, next.rows, next.registers);
        else row += groups(g, row) - next.rows;
      } else if constexpr (kTiles.few_rows != 0) {
        AttendFew<Arch>::run(g, row, next.rows);
      }
      row += next.rows;
    }
  }
};

}  // namespace heed
