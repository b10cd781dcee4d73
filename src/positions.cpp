// positions.cpp - which keys of a batch entry are there at all, and what is added to their scores.
#include <string.h>

#include "entry.hpp"

namespace heed {

namespace {

// How many keys query `row` may see by causality alone.
HEED_APART uint32_t causal_keys(const Job& job, uint32_t row) {
  if (!kWithCausal || !job.causal) return job.keys;
  const int32_t limit = int32_t(row) + job.causal_offset + 1;
  return limit <= 0 ? 0 : limit < int32_t(job.keys) ? uint32_t(limit) : job.keys;
}

constexpr float kHides = -__builtin_inff();

HEED_APART float term(const MaskView& mask, ptrdiff_t at) {
  if (mask.is_float) return static_cast<const float*>(mask.data)[at];
  return (static_cast<const uint8_t*>(mask.data)[at] != 0) == mask.hides ? kHides : 0.0f;
}

// Finite stays finite, as in key_block.hpp; but for -inf, which needs no score. NaN stays.
float scaled_term(float term) {
  const float scaled = term * kLog2e;
  if (scaled < -__FLT_MAX__) return -__FLT_MAX__;
  return scaled > __FLT_MAX__ && term <= __FLT_MAX__ ? __FLT_MAX__ : scaled;
}

// Keys that attn_mask hides from every query are as good as padded: finds them. The last
// query of a causal mask sees everything, so looking upwards usually ends after one row.
void find_masked_columns(const Entry& e, uint8_t* seen, uint32_t keys) {
  const Job& job = e.job;
  const uint32_t heads = job.mask_head != 0 ? e.g.num_heads : 1;
  memset(seen, 0, keys);
  uint32_t unseen = keys;
  for (uint32_t h = 0; h < heads && unseen; ++h) {
    for (uint32_t row = job.queries; row-- > 0 && unseen;) {
      uint32_t limit = causal_keys(job, row);
      if (limit > keys) limit = keys;
      const ptrdiff_t at =
          ptrdiff_t(e.n) * job.mask_batch + ptrdiff_t(h) * job.mask_head + ptrdiff_t(row) * job.mask.row_stride;
      for (uint32_t j = 0; j < limit; ++j) {
        if (seen[j] || term(job.mask, at + ptrdiff_t(j) * job.mask.key_stride) == kHides) continue;
        seen[j] = 1;
        --unseen;
      }
      if (job.mask.row_stride == 0 && !job.causal) break;  // all rows alike
    }
  }
}

}  // namespace

void find_positions(Entry& e) {
  const Job& job = e.job;
  const uint32_t keys = causal_keys(job, job.queries - 1);  // a job without queries is not run
  e.positions = e.slots + keys;
  if (!kWithMasks || (!job.padding.data && !job.mask.data)) return;
  uint8_t* visible = job.workspace + e.w.visible;
  float* bias = floats(job.workspace, e.w.key_bias);
  memset(visible, 1, e.positions);
  if (job.mask.data) find_masked_columns(e, visible + e.slots, keys);
  if (job.padding.data) {
    for (uint32_t j = 0; j < e.positions; ++j) {
      const ptrdiff_t at = ptrdiff_t(e.n) * job.padding.row_stride + ptrdiff_t(j - e.slots) * job.padding.key_stride;
      const float t = j < e.slots ? 0.0f : term(job.padding, at);
      if (t == kHides) visible[j] = 0;
      bias[j] = scaled_term(t);
    }
    if (job.padding.is_float) e.position_bias = bias;
  }
  // Positions at the end that nobody sees do not exist.
  while (e.positions > 0 && !visible[e.positions - 1]) --e.positions;
  for (uint32_t j = 0; j < e.positions; ++j)
    if (!visible[j]) e.visible = visible;
}

}  // namespace heed
