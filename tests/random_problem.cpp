#include "random_problem.hpp"

#include <sstream>

namespace heed_test {
namespace {

template <class T>
T one_of(Random& random, const std::vector<T>& of) {
  return of[random.below(uint32_t(of.size()))];
}

std::vector<uint32_t> mask_shape(Random& random, const Problem& p) {
  if (!p.sdpa) {
    if (p.unbatched) return random.chance(50) ? std::vector<uint32_t>{p.L, p.S} : std::vector<uint32_t>{p.H, p.L, p.S};
    switch (random.below(3)) {
      case 0: return {p.L, p.S};
      case 1: return {p.N * p.H, p.L, p.S};
      default: return {p.N, p.H, p.L, p.S};
    }
  }
  std::vector<uint32_t> full{p.N, p.H, p.L, p.S};
  for (uint32_t& n : full)
    if (random.chance(30)) n = 1;
  return std::vector<uint32_t>(full.begin() + int(random.below(4)), full.end());
}

void draw_options(Random& random, Problem& p) {
  p.unbatched = p.N == 1 && random.chance(30);
  p.batch_first = random.chance(50);
  p.need_weights = random.chance(40);
  p.average = random.chance(50);
  p.causal = heed_causal(random.chance(50) ? 0 : 1 + random.below(3));
  if (p.causal == HEED_CAUSAL_OFFSET) p.causal_offset = int64_t(random.below(p.S + p.L + 2)) - int64_t(p.L);
  p.fully_masked = random.chance(30) ? HEED_FULLY_MASKED_NAN : HEED_FULLY_MASKED_ZERO;
}

void draw_masks(Random& random, Problem& p) {
  const uint32_t hide = one_of<uint32_t>(random, {0, 10, 50, 95, 100});
  if (random.chance(40)) {  // one draw after the other: compilers differ in the order of arguments
    const bool is_float = random.chance(50);
    p.mask = random_mask(random, mask_shape(random, p), is_float, hide, !p.sdpa);
  }
  if (p.sdpa || !random.chance(40)) return;
  const std::vector<uint32_t> shape = p.unbatched ? std::vector<uint32_t>{p.S} : std::vector<uint32_t>{p.N, p.S};
  const uint32_t padded = one_of<uint32_t>(random, {5, 50, 100});
  p.padding = random_mask(random, shape, random.chance(50), padded, true);
}

}  // namespace

Mask random_mask(Random& random, std::vector<uint32_t> shape, bool is_float, uint32_t hide_percent, bool true_hides) {
  Mask m;
  m.is_float = is_float;
  m.shape = std::move(shape);
  size_t count = 1;
  for (uint32_t n : m.shape) count *= n;
  for (size_t i = 0; i < count; ++i) {
    const bool hide = random.chance(hide_percent);
    const float set = float(1 + random.below(255));
    m.values.push_back(is_float ? (hide ? -__builtin_inff() : random.uniform(2.0f)) : hide == true_hides ? set : 0.0f);
  }
  return m;
}

Problem random_problem(Random& random, const Sizes& sizes) {
  Problem p;
  p.sdpa = random.chance(40);
  p.N = one_of(random, sizes.batch);
  p.L = one_of(random, sizes.queries);
  p.S = one_of(random, sizes.keys);
  p.H = p.Hkv = one_of(random, sizes.heads);
  p.D = p.Dv = one_of(random, sizes.head_dims);
  draw_options(random, p);
  if (p.sdpa) {
    if (random.chance(40)) p.Dv = one_of(random, sizes.head_dims);
    std::vector<uint32_t> divisors;
    for (uint32_t d = 1; d <= p.H; ++d)
      if (p.H % d == 0) divisors.push_back(d);
    p.Hkv = one_of(random, divisors);
    p.has_scale = random.chance(30);
    p.scale = random.uniform(0.5f);
  } else {
    p.E = p.H * p.D;
    p.kdim = random.chance(25) ? 1 + random.below(40) : p.E;
    p.vdim = random.chance(25) ? 1 + random.below(40) : p.E;
    p.bias = random.chance(70);
    p.add_bias_kv = random.chance(25);
    p.add_zero_attn = random.chance(25);
    p.key_is_query = p.kdim == p.E && p.S == p.L && random.chance(40);
    p.value_is_key = p.vdim == p.kdim && random.chance(40);
  }
  draw_masks(random, p);
  fill_random(p, random);
  return p;
}

std::string describe(const Problem& p) {
  std::ostringstream s;
  s << (p.sdpa ? "sdpa" : "mha") << " N=" << p.N << " L=" << p.L << " S=" << p.S << " H=" << p.H << "/" << p.Hkv
    << " D=" << p.D << "/" << p.Dv << " E=" << p.E << " kdim=" << p.kdim << " vdim=" << p.vdim << " bias=" << p.bias
    << " kv=" << p.add_bias_kv << " zero=" << p.add_zero_attn << " batch_first=" << p.batch_first
    << " unbatched=" << p.unbatched << " need_weights=" << p.need_weights << " average=" << p.average
    << " causal=" << int(p.causal) << "," << p.offset() << " nan=" << int(p.fully_masked) << " scale=" << p.has_scale
    << "," << p.scale << " padding=" << (p.padding ? p.padding.is_float ? "float" : "bool" : "-") << " mask=";
  if (!p.mask) s << "-";
  else s << (p.mask.is_float ? "float" : "bool");
  for (uint32_t n : p.mask.shape) s << " " << n;
  return s.str();
}

}  // namespace heed_test
