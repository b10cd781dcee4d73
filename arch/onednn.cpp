// onednn.cpp - the reference path: the same door, the products by oneDNN's matmul.
//
// A witness against the kernels of src/kernels, so it shares nothing with them but the door
// (core/table.hpp) and the constants of the layout: operands are copied into plain dense
// matrices, the softmax is std::exp in natural units. It allocates on every call and throws
// inside: hosted only, and chosen only by name. Right to rounding, not to the bit.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "core/table.hpp"

namespace heed {

// How often oneDNN or the heap refused and plain loops answered: 0 in a sound run.
std::atomic<uint32_t> onednn_fallbacks{0};

namespace {

using Limits = std::numeric_limits<float>;
constexpr float kHides = -Limits::infinity();
constexpr double kLn2 = 0.693147180559945309417;
using Floats = std::vector<float>;

template <class T>
T* row_of(T* data, ptrdiff_t stride, uint32_t row) { return data + ptrdiff_t(row) * stride; }

// ---- oneDNN -------------------------------------------------------------------------

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream() {  // a stream is not for two threads at once
  static thread_local dnnl::stream stream(cpu());
  return stream;
}

dnnl::memory::desc matrix(uint32_t rows, uint32_t columns, bool transposed) {
  using Dims = dnnl::memory::dims;
  const Dims strides = transposed ? Dims{1, int64_t(rows)} : Dims{int64_t(columns), 1};
  return {Dims{int64_t(rows), int64_t(columns)}, dnnl::memory::data_type::f32, strides};
}

dnnl::matmul::primitive_desc describe(const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                                      const dnnl::memory::desc& c) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(cpu(), a, b, c);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, c), cpu());
#endif
}

// c (m, n) = a (m, k) times b (k, n), dense; b_transposed: b lies as (n, k).
Floats matmul(uint32_t m, uint32_t n, uint32_t k, Floats& a, Floats& b, bool b_transposed) {
  Floats c(size_t(m) * n);
  if (c.empty() || k == 0) return c;
  const auto a_desc = matrix(m, k, false), b_desc = matrix(k, n, b_transposed), c_desc = matrix(m, n, false);
  // Made and executed by one thread: what oneDNN asks for with a scratchpad of its own.
  dnnl::matmul(describe(a_desc, b_desc, c_desc))
      .execute(stream(), {{DNNL_ARG_SRC, dnnl::memory(a_desc, cpu(), a.data())},
                          {DNNL_ARG_WEIGHTS, dnnl::memory(b_desc, cpu(), b.data())},
                          {DNNL_ARG_DST, dnnl::memory(c_desc, cpu(), c.data())}});
  stream().wait();
  return c;
}

// ---- project ------------------------------------------------------------------------

float weight_at(const ProjectArgs& g, uint32_t f, uint32_t i) {
  return g.panels[(size_t(f / kPanel) * g.depth + i) * kPanel + f % kPanel];
}

float bias_at(const ProjectArgs& g, uint32_t f) { return g.bias ? g.bias[f] : 0.0f; }

bool counts(const ProjectArgs& g, uint32_t row) { return !g.visible || g.visible[row]; }

void project_by_matmul(const ProjectArgs& g) {
  const uint32_t features = g.last - g.first;
  uint32_t rows = 0;
  Floats a, w(size_t(g.depth) * features);
  for (uint32_t r = 0; r < g.rows; ++r) {
    if (!counts(g, r)) continue;
    const float* from = row_of(g.a, g.a_stride, r);
    a.insert(a.end(), from, from + g.depth);
    ++rows;
  }
  for (uint32_t i = 0; i < g.depth; ++i)
    for (uint32_t f = 0; f < features; ++f) w[size_t(i) * features + f] = weight_at(g, g.first + f, i);
  const Floats c = matmul(rows, features, g.depth, a, w, false);
  const float* from = c.data();
  for (uint32_t r = 0; r < g.rows; ++r) {
    if (!counts(g, r)) continue;
    float* to = row_of(g.c, g.c_stride, r);
    for (uint32_t f = g.first; f < g.last; ++f) *to++ = *from++ + bias_at(g, f);
  }
}

void project_by_loops(const ProjectArgs& g) {
  for (uint32_t r = 0; r < g.rows; ++r) {
    if (!counts(g, r)) continue;
    const float* a = row_of(g.a, g.a_stride, r);
    float* to = row_of(g.c, g.c_stride, r);
    for (uint32_t f = g.first; f < g.last; ++f) {
      double sum = bias_at(g, f);
      for (uint32_t i = 0; i < g.depth; ++i) sum += double(a[i]) * double(weight_at(g, f, i));
      *to++ = float(sum);
    }
  }
}

// ---- attend: who sees what ----------------------------------------------------------

// What is added to the score of a key, in natural units; -inf: the row does not see it.
// A float, and added as one, as PyTorch does: a row with -1e9 on every key is uniform.
float score_term(const AttendArgs& g, uint32_t row, uint32_t position) {
  if (g.visible && !g.visible[position]) return kHides;
  float bias = g.position_bias ? g.position_bias[position] : 0.0f;
  if (bias != Limits::lowest()) bias = float(double(bias) * kLn2);  // which stands for itself
  if (position < g.slots) return bias;
  if (g.causal && int64_t(position) >= g.limit + int64_t(row)) return kHides;
  if (!g.mask.data) return bias;
  const ptrdiff_t at = ptrdiff_t(row) * g.mask.row_stride + ptrdiff_t(position - g.slots) * g.mask.key_stride;
  if (g.mask.is_float) return bias + static_cast<const float*>(g.mask.data)[at];
  const bool set = static_cast<const uint8_t*>(g.mask.data)[at] != 0;
  return set == g.mask.hides ? kHides : bias;
}

struct Softmax {  // of one row; weight(score) * inverse is the attention weight
  float max = kHides, inverse = 0.0f;
  double weight(float score) const {
    const double w = score == kHides ? 0.0 : std::exp(double(score) - double(max));
    return w < double(Limits::min()) ? 0.0 : w;  // nowhere in heed is a weight denormal
  }
};

template <class ScoreAt>
Softmax softmax_over(uint32_t count, float fully_masked, const ScoreAt& score_at) {
  Softmax s;
  for (uint32_t i = 0; i < count; ++i) s.max = std::max(s.max, score_at(i));  // NaN: not taken
  double sum = 0.0;
  for (uint32_t i = 0; i < count; ++i) sum += s.weight(score_at(i));
  s.inverse = sum == 0.0 ? fully_masked : float(1.0 / sum);
  return s;
}

// Columns: the caller's keys, then the slots. weight_of(position) for positions that exist.
template <class WeightOf>
void write_weight_row(const AttendArgs& g, uint32_t row, float inverse, const WeightOf& weight_of) {
  float* to = row_of(g.weights, g.weights_stride, row);
  const uint32_t keys = g.weight_columns - g.slots;
  for (uint32_t c = 0; c < g.weight_columns; ++c) {
    const uint32_t position = c < keys ? g.slots + c : c - keys;
    const float w = position < g.positions ? weight_of(position) : 0.0f * inverse;
    to[c] = (g.weights_add ? to[c] + w : w) * g.weights_scale;
  }
}

// ---- attend by matmul ---------------------------------------------------------------

struct Gathered {                 // what any row sees; the rest is never read
  std::vector<uint32_t> seen;     // positions
  std::vector<uint32_t> index;    // of a position in seen, or seen.size()
  std::vector<uint32_t> singular; // of seen: a value of it is NaN or infinite
  Floats q, k, v;                 // dense; singular rows of v are 0
  uint32_t count() const { return uint32_t(seen.size()); }
};

bool anyone_sees(const AttendArgs& g, uint32_t position) {
  for (uint32_t r = 0; r < g.rows; ++r)
    if (score_term(g, r, position) != kHides) return true;
  return false;
}

Gathered gather(const AttendArgs& g) {
  Gathered m;
  for (uint32_t r = 0; r < g.rows; ++r) {
    const float* q = row_of(g.q, g.q_stride, r);
    for (uint32_t d = 0; d < g.head_dim; ++d) m.q.push_back(float(double(q[d]) * double(g.scale) * kLn2));
  }
  for (uint32_t p = 0; p < g.positions; ++p)
    if (anyone_sees(g, p)) m.seen.push_back(p);
  m.index.assign(g.positions, m.count());
  for (uint32_t i = 0; i < m.count(); ++i) {
    m.index[m.seen[i]] = i;
    const float* k = row_of(g.k, g.k_stride, m.seen[i]);
    const float* v = row_of(g.v, g.v_stride, m.seen[i]);
    const bool finite = std::all_of(v, v + g.value_dim, [](float x) { return std::isfinite(x); });
    m.k.insert(m.k.end(), k, k + g.head_dim);
    m.v.insert(m.v.end(), v, v + g.value_dim);
    if (finite) continue;
    m.singular.push_back(i);
    std::fill_n(m.v.end() - ptrdiff_t(g.value_dim), g.value_dim, 0.0f);
  }
  return m;
}

// A NaN of v reaches those who give it weight, and not, as 0 * NaN, those who do not see it.
void add_singular(const AttendArgs& g, const Gathered& m, const Floats& p, Floats& out) {
  for (const uint32_t i : m.singular) {
    const float* v = row_of(g.v, g.v_stride, m.seen[i]);
    for (uint32_t r = 0; r < g.rows; ++r) {
      const float weight = p[size_t(r) * m.count() + i];
      if (weight == 0.0f) continue;
      for (uint32_t d = 0; d < g.value_dim; ++d) out[size_t(r) * g.value_dim + d] += weight * v[d];
    }
  }
}

void attend_by_matmul(const AttendArgs& g) {
  Gathered m = gather(g);
  const uint32_t n = m.count();
  Floats p = matmul(g.rows, n, g.head_dim, m.q, m.k, true), inverse(g.rows);
  for (uint32_t r = 0; r < g.rows; ++r) {
    float* const scores = p.data() + size_t(r) * n;
    for (uint32_t i = 0; i < n; ++i) {
      const float term = score_term(g, r, m.seen[i]);
      scores[i] = term == kHides ? kHides : scores[i] + term;  // hidden even if NaN
    }
    const Softmax s = softmax_over(n, g.fully_masked, [&](uint32_t i) { return scores[i]; });
    for (uint32_t i = 0; i < n; ++i) scores[i] = float(s.weight(scores[i]) * double(s.inverse));
    inverse[r] = s.inverse;
  }
  Floats out = matmul(g.rows, g.value_dim, n, p, m.v, false);
  add_singular(g, m, p, out);
  // Nothing throws from here on, and so nothing is written twice.
  for (uint32_t r = 0; r < g.rows; ++r) {
    float* to = row_of(g.out, g.out_stride, r);
    const float nothing = 0.0f * inverse[r];
    for (uint32_t d = 0; d < g.value_dim; ++d) to[d] = n == 0 ? nothing : out[size_t(r) * g.value_dim + d];
    if (!g.weights) continue;
    write_weight_row(g, r, inverse[r], [&](uint32_t position) {
      return m.index[position] == n ? nothing : p[size_t(r) * n + m.index[position]];
    });
  }
}

// ---- attend without oneDNN and without the heap -------------------------------------

void attend_row_by_loops(const AttendArgs& g, uint32_t row) {
  const float* q = row_of(g.q, g.q_stride, row);
  const auto score_at = [&](uint32_t position) {
    const float term = score_term(g, row, position);
    if (term == kHides) return kHides;  // and k is not read
    const float* k = row_of(g.k, g.k_stride, position);
    double dot = 0.0;
    for (uint32_t d = 0; d < g.head_dim; ++d) dot += double(q[d]) * double(k[d]);
    return float(dot * double(g.scale) * kLn2) + term;
  };
  const Softmax s = softmax_over(g.positions, g.fully_masked, score_at);
  const auto weight_of = [&](uint32_t p) { return float(s.weight(score_at(p)) * double(s.inverse)); };
  std::fill_n(g.ot, g.value_dim, 0.0f * s.inverse);
  for (uint32_t p = 0; p < g.positions; ++p) {
    const float weight = weight_of(p);  // in a row of NaN not 0 even where hidden
    if (weight == 0.0f || score_term(g, row, p) == kHides) continue;
    const float* v = row_of(g.v, g.v_stride, p);
    for (uint32_t d = 0; d < g.value_dim; ++d) g.ot[d] += weight * v[d];
  }
  std::copy_n(g.ot, g.value_dim, row_of(g.out, g.out_stride, row));
  if (g.weights) write_weight_row(g, row, s.inverse, weight_of);
}

// ---- the door -----------------------------------------------------------------------

// The door has no status, so a refusal by oneDNN or the heap must not change the answer.
void project(const ProjectArgs& g) {
  try {
    project_by_matmul(g);
  } catch (const std::exception&) {
    ++onednn_fallbacks;
    project_by_loops(g);
  }
}

void attend(AttendArgs& g) {
  if (g.rows == 0) return;
  try {
    attend_by_matmul(g);
  } catch (const std::exception&) {
    ++onednn_fallbacks;
    for (uint32_t r = 0; r < g.rows; ++r) attend_row_by_loops(g, r);
  }
}

}  // namespace

extern const KernelTable table_onednn;
constexpr KernelTable table_onednn = {"onednn", "oneDNN", 0, Rounding::own, &project, &attend, nullptr, {}};

}  // namespace heed
