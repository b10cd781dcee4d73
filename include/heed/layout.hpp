// layout.hpp - where every byte lies. The only place that knows.
//
// Packed weights (made once, read-only, the same bytes on every arch):
//
//   [header 64 B][q panels][k panels][v panels][q, k, v bias][bias_k][bias_v][out panels][out bias]
//
//   A matrix (N, K) lies as panels of 16 outputs: panel[n / 16][k][n % 16], so that one
//   64-byte row feeds 16 lanes; N is padded with zeros to a multiple of 16.
//
// Workspace (one call at a time; everything is row-major as PyTorch has it, but q^T, o^T
// and scores, whose lanes are queries):
//
//   [visible S'][key bias S'][heads L x H*D]        what all slices share
//   then per slice, 64-byte aligned:
//   [k S' x g D][v S' x g D]                        keys and values of a group of g heads
//   [q 48 x g D]                                    one block of their queries
//   [q^T D x 48][o^T Dv x 48]                       the same for one head, lanes are queries
//   [scores 128 x 48][finite g x S' / 128]          one block of keys
//
// Nothing here depends on the arch, and nothing on L * S.
#pragma once
#include "heed/heed.h"
#include "heed/rules.hpp"

namespace heed {

inline constexpr uint32_t kPanel = 16;        // outputs of a weight panel: the widest register
inline constexpr uint32_t kQueryBlock = 48;   // a multiple of every arch's query group
inline constexpr uint32_t kKeyBlock = 128;    // keys between two corrections of the softmax
inline constexpr uint32_t kReduceBlock = 48;  // terms of one chain of fma in a projection: longer ones round more

constexpr uint32_t round_up(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }
constexpr uint64_t align_up(uint64_t bytes) { return (bytes + HEED_ALIGNMENT - 1) / HEED_ALIGNMENT * HEED_ALIGNMENT; }

// The most that the machine can address. What is more becomes kTooMany, whatever is added to it.
inline constexpr size_t kMostBytes = size_t(PTRDIFF_MAX), kTooMany = kMostBytes + 1;

// Where a matrix of floats ends that begins at `at`. noinline, here and below: one copy is enough
// of what runs once per plan.
__attribute__((noinline)) constexpr size_t past_matrix(size_t at, uint32_t rows, size_t row_floats) {
  const uint64_t end = at + align_up(uint64_t(rows) * row_floats * sizeof(float));
  return end > kMostBytes ? kTooMany : size_t(end);
}
constexpr uint32_t at_least(uint32_t least, uint32_t n) { return n < least ? least : n; }
constexpr uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

// Floats from one row to the next of a matrix that heed lays out itself: rows begin at 16
// bytes, and not all in the same few sets of a cache.
constexpr uint32_t row_stride(uint32_t columns) {
  const uint32_t n = (columns + 3) / 4 * 4;
  return n % 1024 == 0 ? n + 16 : n;
}

// Modules below these sizes have a kernel of their own: kernels/small.hpp.
inline constexpr uint32_t kSmallEmbedDim = 32, kSmallLength = 16, kSmallTile = 4, kSmallLanes = 8;

// How many heads are projected at a time: as few as fill whole panels, or edges of panels
// would be computed twice; of a small module all, since each projection has a price. Where a
// workspace is small beside the weights, tiles of four panels are worth more: 3 % at minilm.
inline constexpr uint32_t kMostGroupFeatures = 256, kLargeEmbedDim = 256;
constexpr uint32_t heads_per_group(uint32_t num_heads, uint32_t head_dim, uint32_t slices) {
  if (num_heads * head_dim <= kSmallEmbedDim) return num_heads;
  uint32_t g = 1;
  while (g * head_dim % kPanel != 0 && (g + 1) * head_dim <= kMostGroupFeatures && g < num_heads) ++g;
  if (num_heads * head_dim >= kLargeEmbedDim)
    while (g * head_dim < 4 * kPanel && num_heads % (2 * g * slices) == 0) g *= 2;  // as many for each slice
  return g;
}

// What an operation computes with, whichever of the two configurations it came from.
struct Geometry {
  bool bias = false, add_bias_kv = false, add_zero_attn = false, batch_first = false;  // near: shorter Thumb code
  uint32_t num_heads = 0, num_kv_heads = 0, head_dim = 0, value_dim = 0;
  uint32_t embed_dim = 0, kdim = 0, vdim = 0;  // 0: no projections (SDPA)
  uint32_t max_batch = 1, max_query = 0, max_key = 0, slices = 1;
  uint32_t group = 1;  // heads that are projected at a time

  constexpr uint32_t extra_slots() const { return uint32_t(add_bias_kv) + uint32_t(add_zero_attn); }
  constexpr uint32_t max_slots() const { return max_key + extra_slots(); }
  constexpr bool projects() const { return embed_dim != 0; }
  constexpr uint32_t groups() const { return (num_heads + group - 1) / group; }
  // So little work that it is done in one go, where no mask is given.
  constexpr bool small() const {
    return projects() && embed_dim <= kSmallEmbedDim && embed_dim % kSmallLanes == 0 && extra_slots() == 0 &&
           max_query <= kSmallLength && max_key <= kSmallLength && kdim <= kReduceBlock && vdim <= kReduceBlock;
  }
};

__attribute__((noinline)) constexpr void set_limits(Geometry& g, uint32_t max_batch, uint32_t max_query,
                                                    uint32_t max_key, uint32_t slices) {
  g.max_batch = or_default(max_batch, 1);
  g.max_query = max_query;
  g.max_key = or_default(max_key, max_query);
  g.slices = or_default(slices, 1);
}

__attribute__((noinline)) constexpr Geometry geometry(const heed_config& c) {
  Geometry g;
  g.num_heads = g.num_kv_heads = c.num_heads;
  g.head_dim = g.value_dim = c.embed_dim / c.num_heads;
  g.embed_dim = c.embed_dim;
  g.kdim = or_default(c.kdim, c.embed_dim);
  g.vdim = or_default(c.vdim, c.embed_dim);
  set_limits(g, c.max_batch, c.max_query, c.max_key, c.slices);
  g.group = heads_per_group(g.num_heads, g.head_dim, g.slices);
  g.bias = c.bias;
  g.add_bias_kv = c.add_bias_kv;
  g.add_zero_attn = c.add_zero_attn;
  g.batch_first = c.batch_first;
  return g;
}

__attribute__((noinline)) constexpr Geometry geometry(const heed_sdpa_config& c) {
  Geometry g;
  g.num_heads = c.num_heads;
  g.num_kv_heads = or_default(c.num_kv_heads, c.num_heads);
  g.head_dim = c.head_dim;
  g.value_dim = or_default(c.value_dim, c.head_dim);
  set_limits(g, c.max_batch, c.max_query, c.max_key, c.slices);
  return g;
}

struct WeightsLayout {  // offsets in bytes
  size_t q = 0, k = 0, v = 0, q_bias = 0, k_bias = 0, v_bias = 0, bias_k = 0, bias_v = 0;
  size_t out = 0, out_bias = 0, bytes = 0;
};

inline constexpr size_t kWeightsHeaderBytes = 64;

__attribute__((noinline)) constexpr WeightsLayout weights_layout(const Geometry& g) {
  const uint32_t features = round_up(g.embed_dim, kPanel);
  WeightsLayout w;
  w.q = kWeightsHeaderBytes;
  w.k = past_matrix(w.q, g.embed_dim, features);
  w.v = past_matrix(w.k, g.kdim, features);
  w.q_bias = past_matrix(w.v, g.vdim, features);
  w.k_bias = past_matrix(w.q_bias, g.bias, features);
  w.v_bias = past_matrix(w.k_bias, g.bias, features);
  w.bias_k = past_matrix(w.v_bias, g.bias, features);
  w.bias_v = past_matrix(w.bias_k, g.add_bias_kv, features);
  w.out = past_matrix(w.bias_v, g.add_bias_kv, features);
  w.out_bias = past_matrix(w.out, g.embed_dim, features);
  w.bytes = past_matrix(w.out_bias, g.bias, features);
  return w;
}

struct WorkspaceLayout {  // offsets in bytes; those of a slice count from its beginning
  size_t visible = 0, key_bias = 0, heads = 0, slices = 0, slice_bytes = 0, bytes = 0;
  size_t k = 0, v = 0, q = 0, qt = 0, ot = 0, scores = 0, finite = 0;
  uint32_t k_stride = 0, v_stride = 0, heads_stride = 0;  // floats
};

__attribute__((noinline)) constexpr WorkspaceLayout workspace_layout(const Geometry& g) {
  const uint32_t slots = g.max_slots(), rows = g.small() ? round_up(slots, kSmallTile) : slots;
  const uint32_t own = g.projects() ? rows : 0;  // SDPA reads its caller's rows where they lie
  const uint32_t all_heads = g.small() ? g.embed_dim * kSmallLanes : 0;
  const uint32_t queries = round_up(g.max_query < kQueryBlock ? g.max_query : kQueryBlock, kPanel);
  const uint32_t keys = slots < kKeyBlock ? round_up(slots, 8) : kKeyBlock;
  const uint32_t k_stride = row_stride(g.group * g.head_dim), v_stride = row_stride(g.group * g.value_dim);
  const uint32_t heads_stride = row_stride(g.num_heads * g.value_dim);
  WorkspaceLayout w;
  w.k_stride = k_stride;
  w.v_stride = v_stride;
  w.heads_stride = heads_stride;
  w.key_bias = size_t(align_up(slots));
  w.heads = past_matrix(w.key_bias, slots + kPanel, 1);
  w.slices = past_matrix(w.heads, g.projects() ? g.max_query : 0, heads_stride);
  w.v = past_matrix(w.k, own, k_stride);
  w.q = past_matrix(w.v, own, v_stride);
  w.qt = past_matrix(w.q, g.projects() ? queries : 0, k_stride);
  w.ot = past_matrix(w.qt, 1, at_least(all_heads, queries * g.head_dim));
  w.scores = past_matrix(w.ot, 1, at_least(all_heads, queries * g.value_dim));
  w.finite = past_matrix(w.scores, queries, keys);
  w.slice_bytes = past_matrix(w.finite, 1, (g.group * ((slots + kKeyBlock - 1) / kKeyBlock) + 3) / 4);
  w.bytes = past_matrix(w.slices, g.slices, w.slice_bytes / sizeof(float));
  return w;
}

// Not constexpr on purpose: a constant expression that gets here does not compile, and
// the compiler shows this name. At run time the sizes are 0.
inline size_t this_configuration_breaks_a_rule() { return 0; }

constexpr size_t addressable(size_t bytes) { return bytes <= kMostBytes ? bytes : this_configuration_breaks_a_rule(); }
constexpr size_t weights_bytes(const heed_config& c) {
  return first_broken(c) != Rule::sound ? this_configuration_breaks_a_rule()
                                        : addressable(weights_layout(geometry(c)).bytes);
}
template <class Config>  // heed_config or heed_sdpa_config
constexpr size_t workspace_bytes(const Config& c) {
  return first_broken(c) != Rule::sound ? this_configuration_breaks_a_rule()
                                        : addressable(workspace_layout(geometry(c)).bytes);
}

}  // namespace heed
