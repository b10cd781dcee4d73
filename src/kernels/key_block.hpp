// key_block.hpp - which keys of a block of 128 a query may see. Shared by the two attention
// kernels, so that both hide the same keys.
//
// A score of -inf means "not there": its weight is exactly 0 and its value is not looked at.
#pragma once
#include <cfloat>

#include "core/table.hpp"
#include "kernels/simd.hpp"

namespace heed {
namespace {

constexpr float kHidden = -__builtin_inff();
constexpr float kLowest = -FLT_MAX;  // the running maximum before any key was seen

struct KeyBlock {
  uint32_t begin = 0, keys = 0;
  bool dense = true;    // no position of it is invisible
  bool careful = false; // values: skip what has weight 0, it may be NaN or not exist
  uint32_t any = 0;     // a visible position of it, to read in place of one that is not
};

// The block at `begin` of positions below `end`; false: nothing of it is visible.
inline bool open_key_block(const AttendArgs& g, uint32_t begin, uint32_t end, KeyBlock* b) {
  b->begin = begin;
  b->keys = end - begin < kKeyBlock ? end - begin : kKeyBlock;
  b->any = begin;
  uint32_t seen = b->keys;
  if (kWithMasks && g.visible) {
    seen = 0;
    for (uint32_t i = 0; i < b->keys; ++i) {
      if (!g.visible[begin + i]) continue;
      b->any = begin + i;
      ++seen;
    }
  }
  b->dense = seen == b->keys;
  b->careful = !b->dense || ((kWithMasks || kWithCausal) && g.finite && !g.finite[begin / kKeyBlock]);
  return seen != 0;
}

inline const float* first_value(const AttendArgs& g, const KeyBlock& b) {
  return g.v + ptrdiff_t(b.begin) * g.v_stride;
}

inline bool is_visible(const AttendArgs& g, uint32_t position) {
  return !kWithMasks || !g.visible || g.visible[position];
}

inline bool has_mask(const AttendArgs& g) { return kWithMasks && g.mask.data; }

// Per position, from the one given on; nullptr: none.
inline const float* bias_from(const AttendArgs& g, uint32_t position) {
  return kWithMasks && g.position_bias ? g.position_bias + position : nullptr;
}

// Row r sees positions below this.
inline uint32_t position_limit(const AttendArgs& g, uint32_t row) {
  if (!kWithCausal || !g.causal) return g.positions;
  const int32_t limit = g.limit + int32_t(row);
  if (limit >= int32_t(g.positions)) return g.positions;
  const uint32_t slots = g.slots < g.positions ? g.slots : g.positions;
  return limit > int32_t(slots) ? uint32_t(limit) : slots;
}

// What attn_mask adds to a score, in the mask's own unit: -inf hides. Slots are not in it.
inline float mask_term(const AttendArgs& g, uint32_t row, uint32_t position) {
  if (position < g.slots) return 0.0f;
  const ptrdiff_t at = ptrdiff_t(row) * g.mask.row_stride +
                       ptrdiff_t(position - g.slots) * g.mask.key_stride;
  if (g.mask.is_float) return static_cast<const float*>(g.mask.data)[at];
  const bool set = static_cast<const uint8_t*>(g.mask.data)[at] != 0;
  return set == g.mask.hides ? kHidden : 0.0f;
}

// score + term * log2(e), but for -inf, which hides whatever the score is (NaN too). Finite
// terms stay finite: a row with the lowest or the largest on every key is uniform, as in PyTorch.
template <class S>
static HEED_INLINE typename S::V add_mask_term(typename S::V score, typename S::V term) {
  const typename S::V most = S::if_equal(term, S::set(-kHidden), S::set(-kHidden), S::set(-kLowest));
  const typename S::V scaled = S::max(S::set(kLowest), S::mul(term, S::set(kLog2e)));
  return S::if_equal(term, S::set(kHidden), S::set(kHidden), S::add(score, S::min(most, scaled)));
}

// Column of the weights output in which a position stands: the slots come last there.
inline uint32_t weight_column(const AttendArgs& g, uint32_t position) {
  return position < g.slots ? g.weight_columns - g.slots + position : position - g.slots;
}

// What weight columns hold that no block will write: 0, or NaN in a row whose answer is NaN,
// also when other heads have been there before.
inline void begin_weight_row(const AttendArgs& g, uint32_t row, float inverse) {
  const float nothing = inverse * 0.0f;
  if (g.weights_add && nothing == 0.0f) return;
  float* w = g.weights + ptrdiff_t(row) * g.weights_stride;
  for (uint32_t i = 0; i < g.weight_columns; ++i) w[i] = nothing;
}

// fully_masked where nothing was seen.
template <class S>
static HEED_INLINE typename S::V inverse_sum(typename S::V sum, float fully_masked) {
  return S::if_equal(sum, S::set(0.0f), S::set(fully_masked), S::div(S::set(1.0f), sum));
}

}  // namespace
}  // namespace heed
