#include "problem.hpp"

#include <cmath>

namespace heed_test {

int64_t Problem::offset() const {
  if (causal == HEED_CAUSAL_BOTTOM_RIGHT) return int64_t(S) - int64_t(L);
  return causal == HEED_CAUSAL_OFFSET ? causal_offset : 0;
}

void fill_weights(Problem& p, Random& random) {
  const auto matrix = [&](uint32_t rows, uint32_t columns) {
    return random.floats(size_t(rows) * columns, std::sqrt(3.0f / float(columns)));
  };
  p.weights.clear();
  if (p.kdim == p.E && p.vdim == p.E) {
    p.weights["in_proj_weight"] = matrix(3 * p.E, p.E);
  } else {
    p.weights["q_proj_weight"] = matrix(p.E, p.E);
    p.weights["k_proj_weight"] = matrix(p.E, p.kdim);
    p.weights["v_proj_weight"] = matrix(p.E, p.vdim);
  }
  p.weights["out_proj.weight"] = matrix(p.E, p.E);
  if (p.bias) {
    p.weights["in_proj_bias"] = random.floats(3 * p.E, 0.5f);
    p.weights["out_proj.bias"] = random.floats(p.E, 0.5f);
  }
  if (p.add_bias_kv) {
    p.weights["bias_k"] = random.floats(p.E, 1.0f);
    p.weights["bias_v"] = random.floats(p.E, 1.0f);
  }
}

void fill_random(Problem& p, Random& random) {
  if (p.sdpa) {
    p.q = random.floats(size_t(p.N) * p.H * p.L * p.D, 1.7f);
    p.k = random.floats(size_t(p.N) * p.Hkv * p.S * p.D, 1.7f);
    p.v = random.floats(size_t(p.N) * p.Hkv * p.S * p.Dv, 1.7f);
    return;
  }
  p.D = p.Dv = p.E / p.H;
  p.q = random.floats(size_t(p.N) * p.L * p.E, 1.7f);
  p.k = random.floats(size_t(p.N) * p.S * p.kdim, 1.7f);
  p.v = random.floats(size_t(p.N) * p.S * p.vdim, 1.7f);
  if (p.key_is_query) p.k = p.q;
  if (p.value_is_key) p.v = p.k;
  fill_weights(p, random);
}

namespace {

// Entries [first, last) of the middle one of (outer, size, inner).
std::vector<float> part(const std::vector<float>& v, size_t outer, size_t size, size_t inner, size_t first,
                        size_t last) {
  std::vector<float> out;
  out.reserve(outer * (last - first) * inner);
  for (size_t o = 0; o < outer; ++o)
    out.insert(out.end(), v.begin() + ptrdiff_t((o * size + first) * inner),
               v.begin() + ptrdiff_t((o * size + last) * inner));
  return out;
}

// The same of a mask along an axis counted from the end: 1 is keys, 2 queries.
void cut_mask(Mask& m, size_t axis, uint32_t first, uint32_t last) {
  if (!m || axis > m.shape.size() || m.shape[m.shape.size() - axis] == 1) return;
  const size_t at = m.shape.size() - axis;
  size_t outer = 1, inner = 1;
  for (size_t i = 0; i < at; ++i) outer *= m.shape[i];
  for (size_t i = at + 1; i < m.shape.size(); ++i) inner *= m.shape[i];
  m.values = part(m.values, outer, m.shape[at], inner, first, last);
  m.shape[at] = last - first;
}

}  // namespace

Problem batch_part(const Problem& p, uint32_t first, uint32_t last) {
  Problem r = p;
  r.N = last - first;
  r.q = part(p.q, 1, p.N, p.q.size() / p.N, first, last);
  r.k = part(p.k, 1, p.N, p.k.size() / p.N, first, last);
  r.v = part(p.v, 1, p.N, p.v.size() / p.N, first, last);
  if (r.padding) cut_mask(r.padding, r.padding.shape.size(), first, last);
  if (r.mask.shape.size() == 4) cut_mask(r.mask, 4, first, last);
  if (!p.sdpa && r.mask.shape.size() == 3) cut_mask(r.mask, 3, first * p.H, last * p.H);
  return r;
}

Problem query_part(const Problem& p, uint32_t first, uint32_t last) {
  Problem r = p;
  const size_t outer = p.sdpa ? size_t(p.N) * p.H : p.N, inner = p.sdpa ? p.D : p.E;
  r.L = last - first;
  r.key_is_query = false;
  if (p.value_is_key) r.value_is_key = false;
  r.q = part(p.q, outer, p.L, inner, first, last);
  cut_mask(r.mask, 2, first, last);
  if (p.causal != HEED_CAUSAL_NONE) {
    r.causal = HEED_CAUSAL_OFFSET;
    r.causal_offset = p.offset() + first;
  }
  return r;
}

Problem key_part(const Problem& p, uint32_t keys) {
  Problem r = p;
  const size_t outer = p.sdpa ? size_t(p.N) * p.Hkv : p.N;
  r.S = keys;
  r.key_is_query = r.value_is_key = false;
  r.k = part(p.k, outer, p.S, p.k.size() / (outer * p.S), 0, keys);
  r.v = part(p.v, outer, p.S, p.v.size() / (outer * p.S), 0, keys);
  cut_mask(r.mask, 1, 0, keys);
  cut_mask(r.padding, 1, 0, keys);
  if (p.causal == HEED_CAUSAL_BOTTOM_RIGHT) {
    r.causal = HEED_CAUSAL_OFFSET;
    r.causal_offset = p.offset();
  }
  return r;
}

}  // namespace heed_test
