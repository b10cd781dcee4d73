// rules.hpp - what a sound configuration is: one rule, one sentence. constexpr, so that
// firmware can hold its configuration against them at compile time.
#pragma once
#include "heed/heed.h"

namespace heed {

inline constexpr uint32_t kMaxHeadDim = 512;
inline constexpr uint32_t kMaxEmbedDim = 1u << 16;  // every byte count below then fits in 63 bits
inline constexpr uint32_t kMaxLength = 16777200;  // key positions, extra slots included, are exact as float32
inline constexpr uint32_t kMaxHeads = 1u << 12;
inline constexpr uint32_t kMaxBatch = 1u << 16;
inline constexpr uint32_t kMaxSlices = 1u << 10;

constexpr const char* broken_limit(uint32_t max_batch, uint32_t max_query, uint32_t max_key, uint32_t slices) {
  if (max_batch > kMaxBatch) return "max_batch must be at most 65536";
  if (max_query == 0) return "max_query must be at least 1";
  if (max_query > kMaxLength) return "max_query must be at most 16777200";
  if (max_key > kMaxLength) return "max_key must be at most 16777200";
  if (slices > kMaxSlices) return "slices must be at most 1024";
  return nullptr;
}

// The sentence of the first rule that is broken; nullptr: the configuration is sound.
constexpr const char* broken_rule(const heed_config& c) {
  if (c.embed_dim == 0 || c.num_heads == 0) return "embed_dim and num_heads must be greater than 0";
  if (c.embed_dim > kMaxEmbedDim) return "embed_dim must be at most 65536";
  if (c.num_heads > kMaxHeads) return "num_heads must be at most 4096";
  if (c.embed_dim % c.num_heads != 0) return "embed_dim must be divisible by num_heads";
  if (c.embed_dim / c.num_heads > kMaxHeadDim) return "embed_dim / num_heads must be at most 512";
  if (c.kdim > kMaxEmbedDim) return "kdim must be at most 65536";
  if (c.vdim > kMaxEmbedDim) return "vdim must be at most 65536";
  return broken_limit(c.max_batch, c.max_query, c.max_key, c.slices);
}

constexpr const char* broken_rule(const heed_sdpa_config& c) {
  if (c.num_heads == 0 || c.head_dim == 0) return "num_heads and head_dim must be greater than 0";
  if (c.num_heads > kMaxHeads) return "num_heads must be at most 4096";
  if (c.num_kv_heads != 0 && c.num_heads % c.num_kv_heads != 0)
    return "num_kv_heads must divide num_heads";
  if (c.head_dim > kMaxHeadDim) return "head_dim must be at most 512";
  if (c.value_dim > kMaxHeadDim) return "value_dim must be at most 512";
  return broken_limit(c.max_batch, c.max_query, c.max_key, c.slices);
}

}  // namespace heed
