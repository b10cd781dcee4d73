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

// What is made of the first rule that is broken: its sentence, or only that there is one, so that a
// build without sentences does not hold them.
struct RuleText {
  static constexpr const char* broken(const char* rule) { return rule; }
  static constexpr const char* sound() { return nullptr; }
};
struct RuleHolds {
  static constexpr bool broken(const char*) { return false; }
  static constexpr bool sound() { return true; }
};

template <class Verdict>
constexpr auto limit_verdict(uint32_t max_batch, uint32_t max_query, uint32_t max_key, uint32_t slices) {
  if (max_batch > kMaxBatch) return Verdict::broken("max_batch must be at most 65536");
  if (max_query == 0) return Verdict::broken("max_query must be at least 1");
  if (max_query > kMaxLength) return Verdict::broken("max_query must be at most 16777200");
  if (max_key > kMaxLength) return Verdict::broken("max_key must be at most 16777200");
  if (slices > kMaxSlices) return Verdict::broken("slices must be at most 1024");
  return Verdict::sound();
}

template <class Verdict>
constexpr auto verdict(const heed_config& c) {
  if (c.embed_dim == 0 || c.num_heads == 0) return Verdict::broken("embed_dim and num_heads must be greater than 0");
  if (c.embed_dim > kMaxEmbedDim) return Verdict::broken("embed_dim must be at most 65536");
  if (c.num_heads > kMaxHeads) return Verdict::broken("num_heads must be at most 4096");
  if (c.embed_dim % c.num_heads != 0) return Verdict::broken("embed_dim must be divisible by num_heads");
  if (c.embed_dim / c.num_heads > kMaxHeadDim) return Verdict::broken("embed_dim / num_heads must be at most 512");
  if (c.kdim > kMaxEmbedDim) return Verdict::broken("kdim must be at most 65536");
  if (c.vdim > kMaxEmbedDim) return Verdict::broken("vdim must be at most 65536");
  return limit_verdict<Verdict>(c.max_batch, c.max_query, c.max_key, c.slices);
}

template <class Verdict>
constexpr auto verdict(const heed_sdpa_config& c) {
  if (c.num_heads == 0 || c.head_dim == 0) return Verdict::broken("num_heads and head_dim must be greater than 0");
  if (c.num_heads > kMaxHeads) return Verdict::broken("num_heads must be at most 4096");
  if (c.num_kv_heads && c.num_heads % c.num_kv_heads) return Verdict::broken("num_kv_heads must divide num_heads");
  if (c.head_dim > kMaxHeadDim) return Verdict::broken("head_dim must be at most 512");
  if (c.value_dim > kMaxHeadDim) return Verdict::broken("value_dim must be at most 512");
  return limit_verdict<Verdict>(c.max_batch, c.max_query, c.max_key, c.slices);
}

// The sentence of the first rule that is broken; nullptr: the configuration is sound.
constexpr const char* broken_rule(const heed_config& c) { return verdict<RuleText>(c); }
constexpr const char* broken_rule(const heed_sdpa_config& c) { return verdict<RuleText>(c); }

}  // namespace heed
