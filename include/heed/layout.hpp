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
inline constexpr uint32_t kReduceBlock = 256; // length of one chain of fma in a projection

constexpr uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
constexpr uint64_t align_up(uint64_t bytes) { return round_up(bytes, HEED_ALIGNMENT); }
constexpr uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

// Floats from one row to the next of a matrix that heed lays out itself: rows begin at 16
// bytes, and not all in the same few sets of a cache.
constexpr uint64_t row_stride(uint64_t columns) {
  const uint64_t n = round_up(columns, 4);
  return n % 1024 == 0 ? n + 16 : n;
}

// How many heads are projected at a time: as few as fill whole panels, or edges of panels
// would be computed twice; of a small module all, since each projection has a price.
inline constexpr uint32_t kSmallEmbedDim = 64, kMostGroupFeatures = 256;
constexpr uint32_t heads_per_group(uint32_t num_heads, uint32_t head_dim) {
  if (uint64_t(num_heads) * head_dim <= kSmallEmbedDim) return num_heads;
  uint32_t g = 1;
  while (g * head_dim % kPanel != 0 && (g + 1) * uint64_t(head_dim) <= kMostGroupFeatures && g < num_heads) ++g;
  return g;
}

// What an operation computes with, whichever of the two configurations it came from.
struct Geometry {
  uint32_t num_heads = 0, num_kv_heads = 0, head_dim = 0, value_dim = 0;
  uint32_t embed_dim = 0, kdim = 0, vdim = 0;  // 0: no projections (SDPA)
  uint32_t max_batch = 1, max_query = 0, max_key = 0, slices = 1;
  uint32_t group = 1;                          // heads that are projected at a time
  bool bias = false, add_bias_kv = false, add_zero_attn = false, batch_first = false;

  constexpr uint32_t extra_slots() const { return uint32_t(add_bias_kv) + uint32_t(add_zero_attn); }
  constexpr uint64_t max_slots() const { return uint64_t(max_key) + extra_slots(); }
  constexpr bool projects() const { return embed_dim != 0; }
  constexpr uint32_t groups() const { return (num_heads + group - 1) / group; }
};

constexpr Geometry geometry(const heed_config& c) {
  Geometry g;
  g.num_heads = g.num_kv_heads = c.num_heads;
  g.head_dim = g.value_dim = c.embed_dim / c.num_heads;
  g.embed_dim = c.embed_dim;
  g.kdim = or_default(c.kdim, c.embed_dim);
  g.vdim = or_default(c.vdim, c.embed_dim);
  g.max_batch = or_default(c.max_batch, 1);
  g.max_query = c.max_query;
  g.max_key = or_default(c.max_key, c.max_query);
  g.slices = or_default(c.slices, 1);
  g.group = heads_per_group(g.num_heads, g.head_dim);
  g.bias = c.bias;
  g.add_bias_kv = c.add_bias_kv;
  g.add_zero_attn = c.add_zero_attn;
  g.batch_first = c.batch_first;
  return g;
}

constexpr Geometry geometry(const heed_sdpa_config& c) {
  Geometry g;
  g.num_heads = c.num_heads;
  g.num_kv_heads = or_default(c.num_kv_heads, c.num_heads);
  g.head_dim = c.head_dim;
  g.value_dim = or_default(c.value_dim, c.head_dim);
  g.max_batch = or_default(c.max_batch, 1);
  g.max_query = c.max_query;
  g.max_key = or_default(c.max_key, c.max_query);
  g.slices = or_default(c.slices, 1);
  return g;
}

struct WeightsLayout {  // offsets in bytes
  uint64_t q = 0, k = 0, v = 0, q_bias = 0, k_bias = 0, v_bias = 0, bias_k = 0, bias_v = 0;
  uint64_t out = 0, out_bias = 0, bytes = 0;
};

inline constexpr uint64_t kWeightsHeaderBytes = 64;

constexpr WeightsLayout weights_layout(const Geometry& g) {
  const uint64_t features = round_up(g.embed_dim, kPanel), column = features * sizeof(float);
  const uint64_t bias = g.bias ? column : 0, slot = g.add_bias_kv ? column : 0;
  WeightsLayout w;
  w.q = kWeightsHeaderBytes;
  w.k = w.q + column * g.embed_dim;
  w.v = w.k + column * g.kdim;
  w.q_bias = w.v + column * g.vdim;
  w.k_bias = w.q_bias + bias;
  w.v_bias = w.k_bias + bias;
  w.bias_k = w.v_bias + bias;
  w.bias_v = w.bias_k + slot;
  w.out = w.bias_v + slot;
  w.out_bias = w.out + column * g.embed_dim;
  w.bytes = w.out_bias + bias;
  return w;
}

struct WorkspaceLayout {  // offsets in bytes; those of a slice count from its beginning
  uint64_t visible = 0, key_bias = 0, heads = 0, slices = 0, slice_bytes = 0, bytes = 0;
  uint64_t k = 0, v = 0, q = 0, qt = 0, ot = 0, scores = 0, finite = 0;
  uint64_t k_stride = 0, v_stride = 0, heads_stride = 0;  // floats
};

constexpr WorkspaceLayout workspace_layout(const Geometry& g) {
  const uint64_t f = sizeof(float), slots = g.max_slots();
  const uint64_t queries = round_up(g.max_query < kQueryBlock ? g.max_query : kQueryBlock, kPanel);
  const uint64_t keys = slots < kKeyBlock ? round_up(slots, 8) : kKeyBlock;
  const uint64_t own = g.projects() ? 1 : 0;  // SDPA reads its caller's rows where they lie
  WorkspaceLayout w;
  w.k_stride = row_stride(uint64_t(g.group) * g.head_dim);
  w.v_stride = row_stride(uint64_t(g.group) * g.value_dim);
  w.heads_stride = row_stride(uint64_t(g.num_heads) * g.value_dim);
  w.visible = 0;
  w.key_bias = align_up(slots);
  w.heads = w.key_bias + align_up((slots + kPanel) * f);
  w.slices = w.heads + align_up(own * g.max_query * w.heads_stride * f);
  w.k = 0;
  w.v = w.k + align_up(own * slots * w.k_stride * f);
  w.q = w.v + align_up(own * slots * w.v_stride * f);
  w.qt = w.q + align_up(own * queries * w.k_stride * f);
  w.ot = w.qt + align_up(queries * g.head_dim * f);
  w.scores = w.ot + align_up(queries * g.value_dim * f);
  w.finite = w.scores + align_up(queries * keys * f);
  w.slice_bytes = w.finite + align_up(g.group * ((slots + kKeyBlock - 1) / kKeyBlock));
  w.bytes = w.slices + g.slices * w.slice_bytes;
  return w;
}

// Byte counts are 64-bit; this is the most that the machine can address.
inline constexpr uint64_t kMostBytes = uint64_t(PTRDIFF_MAX);

// Not constexpr on purpose: a constant expression that gets here does not compile, and
// the compiler shows this name. At run time the sizes are 0.
inline size_t this_configuration_breaks_a_rule() { return 0; }

constexpr size_t addressable(uint64_t bytes) {
  return bytes <= kMostBytes ? size_t(bytes) : this_configuration_breaks_a_rule();
}
constexpr size_t weights_bytes(const heed_config& c) {
  return broken_rule(c) ? this_configuration_breaks_a_rule()
                        : addressable(weights_layout(geometry(c)).bytes);
}
template <class Config>  // heed_config or heed_sdpa_config
constexpr size_t workspace_bytes(const Config& c) {
  return broken_rule(c) ? this_configuration_breaks_a_rule()
                        : addressable(workspace_layout(geometry(c)).bytes);
}

}  // namespace heed
