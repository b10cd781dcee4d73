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

enum class Rule : uint32_t {
  no_dims,
  embed_dim,
  num_heads,
  divisible,
  dim_of_head,
  kdim,
  vdim,
  no_head_dims,
  num_kv_heads,
  head_dim,
  value_dim,
  max_batch,
  no_query,
  max_query,
  max_key,
  slices,
  count,
  sound = count
};

constexpr const char* rule_text(Rule rule) {
  constexpr const char* kTexts[] = {"embed_dim and num_heads must be greater than 0",
                                    "embed_dim must be at most 65536",
                                    "num_heads must be at most 4096",
                                    "embed_dim must be divisible by num_heads",
                                    "embed_dim / num_heads must be at most 512",
                                    "kdim must be at most 65536",
                                    "vdim must be at most 65536",
                                    "num_heads and head_dim must be greater than 0",
                                    "num_kv_heads must divide num_heads",
                                    "head_dim must be at most 512",
                                    "value_dim must be at most 512",
                                    "max_batch must be at most 65536",
                                    "max_query must be at least 1",
                                    "max_query must be at most 16777200",
                                    "max_key must be at most 16777200",
                                    "slices must be at most 1024",
                                    nullptr};
  static_assert(sizeof kTexts / sizeof kTexts[0] == size_t(Rule::count) + 1, "a sentence for each");
  return kTexts[uint32_t(rule)];
}

__attribute__((noinline)) constexpr Rule broken_limit(uint32_t max_batch, uint32_t max_query, uint32_t max_key,
                                                      uint32_t slices) {
  if (max_batch > kMaxBatch) return Rule::max_batch;
  if (max_query == 0) return Rule::no_query;
  if (max_query > kMaxLength) return Rule::max_query;
  if (max_key > kMaxLength) return Rule::max_key;
  if (slices > kMaxSlices) return Rule::slices;
  return Rule::sound;
}

// The first rule that is broken; Rule::sound: none.
__attribute__((noinline)) constexpr Rule first_broken(const heed_config& c) {
  if (c.embed_dim == 0 || c.num_heads == 0) return Rule::no_dims;
  if (c.embed_dim > kMaxEmbedDim) return Rule::embed_dim;
  if (c.num_heads > kMaxHeads) return Rule::num_heads;
  if (c.embed_dim % c.num_heads != 0) return Rule::divisible;
  if (c.embed_dim / c.num_heads > kMaxHeadDim) return Rule::dim_of_head;
  if (c.kdim > kMaxEmbedDim) return Rule::kdim;
  if (c.vdim > kMaxEmbedDim) return Rule::vdim;
  return broken_limit(c.max_batch, c.max_query, c.max_key, c.slices);
}

__attribute__((noinline)) constexpr Rule first_broken(const heed_sdpa_config& c) {
  if (c.num_heads == 0 || c.head_dim == 0) return Rule::no_head_dims;
  if (c.num_heads > kMaxHeads) return Rule::num_heads;
  if (c.num_kv_heads != 0 && c.num_heads % c.num_kv_heads != 0) return Rule::num_kv_heads;
  if (c.head_dim > kMaxHeadDim) return Rule::head_dim;
  if (c.value_dim > kMaxHeadDim) return Rule::value_dim;
  return broken_limit(c.max_batch, c.max_query, c.max_key, c.slices);
}

// Its sentence; nullptr: the configuration is sound.
constexpr const char* broken_rule(const heed_config& c) { return rule_text(first_broken(c)); }
constexpr const char* broken_rule(const heed_sdpa_config& c) { return rule_text(first_broken(c)); }

}  // namespace heed
