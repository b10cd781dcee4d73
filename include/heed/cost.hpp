// cost.hpp - what a call computes, and how many threads that is worth. constexpr, from sizes alone.
//
//   constexpr auto shape = heed::Config(384, 12).max_query(128);
//   constexpr auto config = shape.slices(heed::slices_for(shape, 4));
#pragma once
#include "heed/layout.hpp"

namespace heed {

// Multiply-adds of one batch entry of the largest size that the plan is made for. double: those of
// the largest plan exceed 64 bits.
struct Cost {
  double in_projections = 0, scores = 0, values = 0, out_projection = 0;
  constexpr double total() const { return in_projections + scores + values + out_projection; }
};

constexpr Cost cost(const Geometry& g) {
  const double embed_dim = g.embed_dim, queries = g.max_query, keys = g.max_key;
  const double pairs = queries * double(g.max_slots()) * g.num_heads;
  Cost c;
  c.in_projections = embed_dim * (embed_dim * queries + (double(g.kdim) + g.vdim) * keys);
  c.scores = pairs * g.head_dim;
  c.values = pairs * g.value_dim;
  c.out_projection = embed_dim * embed_dim * queries;
  return c;
}

// To deal a step out and to wait for its end takes 1 to 10 us. The fastest cores of today do this
// many multiply-adds in about 10 us, so that work below 20 us stays on one thread; on slower ones
// the bound is the safer.
inline constexpr double kSliceMultiplyAdds = 1 << 20;

// How many slices to make a plan for when a call of its largest size may use `threads`: no more
// than there is work for, than there are heads, or than blocks of 16 queries, whichever are more.
template <class Config>  // heed_config or heed_sdpa_config
constexpr uint32_t slices_for(const Config& c, uint32_t threads) {
  if (broken_rule(c)) return 1;  // heed_plan_init says which
  const Geometry g = geometry(c);
  const uint32_t blocks = (g.max_query - 1) / kPanel + 1;
  uint32_t most = blocks > g.num_heads ? blocks : g.num_heads;
  if (most > threads) most = threads;
  if (most > kMaxSlices) most = kMaxSlices;
  const double worth = cost(g).total() / kSliceMultiplyAdds;
  if (worth < most) most = uint32_t(worth);
  return most ? most : 1;
}

}  // namespace heed
