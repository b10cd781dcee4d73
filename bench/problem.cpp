#include "problem.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace heed::bench {
namespace {

Floats random_floats(size_t n, double scale, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<double> normal(0.0, scale);
  Floats x(n);
  for (float& v : x) v = float(normal(bits));
  return x;
}

// weight (rows, columns) times x plus bias, of one row.
double project(const Floats& weight, const Floats& bias, const double* x, size_t columns, size_t row) {
  double sum = double(bias[row]);
  for (size_t i = 0; i < columns; ++i) sum += x[i] * double(weight[row * columns + i]);
  return sum;
}

double difference(const Doubles& want, const float* got) {
  double worst = 0.0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double d = std::fabs(want[i] - double(got[i]));
    if (!(d <= worst)) worst = d;  // NaN, too
  }
  return worst;
}

}  // namespace

Problem::Problem(const Case& c) : case_(c) {
  fill_masks();
  c.sdpa ? fill_sdpa() : fill_module();
  for (uint32_t n = 0; n < c.batch; n += std::max(1u, c.batch - 1)) {
    const uint32_t queries = c.queries(n);
    for (uint32_t i : {0u, queries / 2, queries - 1}) {
      if (!c.sdpa) rows_.push_back(module_row(n, i));
      for (uint32_t h = 0; c.sdpa && h < c.num_heads; ++h) rows_.push_back(sdpa_row(n, h, i));
    }
  }
}

size_t Problem::output_floats() const { return size_t(case_.batch) * case_.length * case_.embed_dim(); }

size_t Problem::weights_floats() const {
  const size_t one = size_t(case_.batch) * case_.length * case_.length;
  return case_.extra == Extra::weights ? one : case_.extra == Extra::head_weights ? one * case_.num_heads : 0;
}

double Problem::error(const float* output, const float* weights) const {
  double worst = 0.0;
  for (const Row& row : rows_) {
    worst = std::max(worst, difference(row.output, output + row.output_at));
    if (weights) worst = std::max(worst, difference(row.weights, weights + row.weights_at));
  }
  return worst;
}

void Problem::fill_module() {
  const size_t e = case_.embed_dim();
  const double scale = 1.0 / std::sqrt(double(e));
  in_proj_weight = random_floats(3 * e * e, scale, 1);
  in_proj_bias = random_floats(3 * e, 0.1, 2);
  out_proj_weight = random_floats(e * e, scale, 3);
  out_proj_bias = random_floats(e, 0.1, 4);
  x = random_floats(size_t(case_.batch) * case_.length * e, 1.0, 5);
}

void Problem::fill_sdpa() {
  q = random_floats(output_floats(), 1.0, 6);
  k = random_floats(output_floats(), 1.0, 7);
  v = random_floats(output_floats(), 1.0, 8);
}

void Problem::fill_masks() {
  const size_t l = case_.length;
  if (case_.extra == Extra::float_mask) float_mask = random_floats(l * l, 1.0, 9);
  if (case_.extra == Extra::bool_mask)
    for (float r : random_floats(l * l, 1.0, 10)) bool_mask.push_back(r > 0.6745f);  // a quarter
  if (case_.extra != Extra::padded && case_.extra != Extra::key_padding) return;
  for (uint32_t n = 0; n < case_.batch; ++n)
    for (uint32_t j = 0; j < case_.length; ++j) padding.push_back(j >= case_.keys(n));
}

double Problem::mask_term(uint32_t entry, uint32_t query, uint32_t key) const {
  const size_t at = size_t(query) * case_.length + key;
  const bool hidden = key >= case_.keys(entry) || (case_.extra == Extra::causal && key > query) ||
                      (!bool_mask.empty() && bool_mask[at]);
  if (hidden) return -INFINITY;
  return float_mask.empty() ? 0.0 : double(float_mask[at]);
}

Doubles Problem::softmax(uint32_t entry, uint32_t query, Doubles scores) const {
  const double scale = 1.0 / std::sqrt(double(case_.head_dim));
  double most = -INFINITY, sum = 0.0;
  for (uint32_t j = 0; j < case_.length; ++j) {
    scores[j] = scores[j] * scale + mask_term(entry, query, j);
    most = std::max(most, scores[j]);
  }
  for (double& s : scores) sum += s = std::exp(s - most);
  for (double& s : scores) s /= sum;
  return scores;
}

// q . k = sum over i of (W_k^T q)[i] x[i] + q . b_k: no key needs to be projected.
Problem::Row Problem::module_row(uint32_t entry, uint32_t query) const {
  const size_t e = case_.embed_dim(), d = case_.head_dim, l = case_.length, first = size_t(entry) * l;
  const Doubles keys(x.begin() + std::ptrdiff_t(first * e), x.begin() + std::ptrdiff_t((first + l) * e));
  Row row{(first + query) * e, (first + query) * l, Doubles(e), Doubles(l)};
  Doubles heads(e);
  for (size_t h = 0; h < case_.num_heads; ++h) {
    Doubles folded(e), scores(l), mixed(e);
    double bias = 0.0;
    for (size_t i = h * d; i < (h + 1) * d; ++i) {
      const double qi = project(in_proj_weight, in_proj_bias, &keys[query * e], e, i);
      bias += qi * double(in_proj_bias[e + i]);
      for (size_t j = 0; j < e; ++j) folded[j] += qi * double(in_proj_weight[(e + i) * e + j]);
    }
    for (size_t t = 0; t < l; ++t) {
      scores[t] = bias;
      for (size_t j = 0; j < e; ++j) scores[t] += folded[j] * keys[t * e + j];
    }
    const Doubles p = softmax(entry, query, std::move(scores));
    for (size_t t = 0; t < l; ++t)
      for (size_t j = 0; j < e; ++j) mixed[j] += p[t] * keys[t * e + j];
    for (size_t i = h * d; i < (h + 1) * d; ++i)
      heads[i] = project(in_proj_weight, in_proj_bias, mixed.data(), e, 2 * e + i);
    // Per head the row of head 0 is looked at, averaged that of all.
    if (case_.extra == Extra::weights)
      for (size_t t = 0; t < l; ++t) row.weights[t] += p[t] / double(case_.num_heads);
    else if (h == 0) row.weights = p;
  }
  if (case_.extra == Extra::head_weights) row.weights_at = (first * case_.num_heads + query) * l;
  for (size_t f = 0; f < e; ++f) row.output[f] = project(out_proj_weight, out_proj_bias, heads.data(), e, f);
  return row;
}

Problem::Row Problem::sdpa_row(uint32_t entry, uint32_t head, uint32_t query) const {
  const size_t d = case_.head_dim, l = case_.length, first = (size_t(entry) * case_.num_heads + head) * l;
  Row row{(first + query) * d, 0, Doubles(d), {}};
  Doubles scores(l);
  for (size_t t = 0; t < l; ++t)
    for (size_t i = 0; i < d; ++i) scores[t] += double(q[(first + query) * d + i]) * double(k[(first + t) * d + i]);
  const Doubles p = softmax(entry, query, std::move(scores));
  for (size_t t = 0; t < l; ++t)
    for (size_t i = 0; i < d; ++i) row.output[i] += p[t] * double(v[(first + t) * d + i]);
  return row;
}

}  // namespace heed::bench
