#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heed_test {
namespace {

using Doubles = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity();

// rows (count, in) times weight^T (out, in) plus bias.
Doubles linear(const Doubles& rows, size_t count, const float* weight, const float* bias, size_t in, size_t out) {
  Doubles y(count * out);
  for (size_t r = 0; r < count; ++r)
    for (size_t o = 0; o < out; ++o) {
      double sum = bias ? double(bias[o]) : 0.0;
      for (size_t i = 0; i < in; ++i) sum += rows[r * in + i] * double(weight[o * in + i]);
      y[r * out + o] = sum;
    }
  return y;
}

// Term of attn_mask for (n, h, i, j); -inf hides. mha: (L, S), (N*H, L, S), (N, H, L, S),
// true hides; sdpa: broadcast from the right, true takes part.
double mask_term(const Problem& p, size_t n, size_t h, size_t i, size_t j) {
  const Mask& m = p.mask;
  if (!m) return 0.0;
  const size_t rank = m.shape.size();
  std::array<size_t, 4> index{n, h, i, j};
  size_t at = 0;
  if (!p.sdpa && rank == 3) {
    at = ((p.unbatched ? h : n * p.H + h) * p.L + i) * p.S + j;
  } else {
    for (size_t a = 0; a < rank; ++a) at = at * m.shape[a] + (m.shape[a] == 1 ? 0 : index[4 - rank + a]);
  }
  if (m.is_float) return double(m.values[at]);
  return (m.values[at] != 0.0f) != p.sdpa ? -kInf : 0.0;
}

double padding_term(const Problem& p, size_t n, size_t j) {
  if (!p.padding) return 0.0;
  const float x = p.padding.values[n * p.S + j];
  if (p.padding.is_float) return double(x);
  return x != 0.0f ? -kInf : 0.0;
}

// One head of one batch entry: q (L, D), k (S', D), v (S', Dv) as rows with a stride.
struct Head {
  const double *q, *k, *v;
  size_t q_stride, k_stride, v_stride;
};

void attend(const Problem& p, size_t n, size_t h, const Head& head, double scale, double* out, size_t out_stride,
            double* weights) {
  const size_t columns = p.columns();
  Doubles s(columns);
  for (size_t i = 0; i < p.L; ++i) {
    double most = -kInf, sum = 0.0;
    for (size_t j = 0; j < columns; ++j) {
      double term = 0.0;
      if (j < p.S) {
        term = mask_term(p, n, h, i, j) + padding_term(p, n, j);
        if (p.causal != HEED_CAUSAL_NONE && int64_t(j) > int64_t(i) + p.offset()) term = -kInf;
      }
      double dot = 0.0;
      if (term != -kInf)
        for (size_t d = 0; d < p.D; ++d) dot += head.q[i * head.q_stride + d] * head.k[j * head.k_stride + d];
      s[j] = term == -kInf ? -kInf : dot * scale + term;
      most = std::max(most, s[j]);
    }
    for (double& x : s) sum += x = x == -kInf ? 0.0 : std::exp(x - most);
    const bool nothing = sum == 0.0;
    const double policy = nothing && columns && p.fully_masked == HEED_FULLY_MASKED_NAN ? std::nan("") : 0.0;
    for (double& x : s) x = nothing ? policy : x / sum;
    for (size_t d = 0; d < p.Dv; ++d) {
      double y = nothing ? policy : 0.0;
      for (size_t j = 0; j < columns; ++j)
        if (s[j] != 0.0) y += s[j] * head.v[j * head.v_stride + d];
      out[i * out_stride + d] = y;
    }
    if (weights) std::copy(s.begin(), s.end(), weights + i * columns);
  }
}

struct Projections {
  const float *weight[3], *bias[3];
};

Projections projections(const Problem& p) {
  Projections r{};
  const size_t e = p.E;
  const auto find = [&](const char* name) {
    const auto at = p.weights.find(name);
    return at == p.weights.end() ? nullptr : at->second.data();
  };
  const char* separate[3] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
  const float *all = find("in_proj_weight"), *bias = find("in_proj_bias");
  for (size_t i = 0; i < 3; ++i) {
    r.weight[i] = all ? all + i * e * e : find(separate[i]);
    r.bias[i] = bias ? bias + i * e : nullptr;
  }
  return r;
}

Doubles doubles(const std::vector<float>& v, size_t first, size_t count) {
  return Doubles(v.begin() + ptrdiff_t(first), v.begin() + ptrdiff_t(first + count));
}

void mha_entry(const Problem& p, size_t n, Reference& r) {
  const size_t e = p.E, L = p.L, S = p.S, columns = p.columns();
  const Projections w = projections(p);
  const Doubles q = linear(doubles(p.q, n * L * e, L * e), L, w.weight[0], w.bias[0], e, e);
  Doubles k = linear(doubles(p.k, n * S * p.kdim, S * p.kdim), S, w.weight[1], w.bias[1], p.kdim, e);
  Doubles v = linear(doubles(p.v, n * S * p.vdim, S * p.vdim), S, w.weight[2], w.bias[2], p.vdim, e);
  if (p.add_bias_kv) {
    const std::vector<float>&bk = p.weights.at("bias_k"), &bv = p.weights.at("bias_v");
    k.insert(k.end(), bk.begin(), bk.end());
    v.insert(v.end(), bv.begin(), bv.end());
  }
  if (p.add_zero_attn) {
    k.insert(k.end(), e, 0.0);
    v.insert(v.end(), e, 0.0);
  }
  Doubles heads(L * e), one(L * columns);
  double* sum = p.need_weights ? r.weights.data() + n * p.weight_heads() * L * columns : nullptr;
  for (size_t h = 0; h < p.H; ++h) {
    const size_t at = h * p.D;
    attend(p, n, h, {q.data() + at, k.data() + at, v.data() + at, e, e, e}, 1.0 / std::sqrt(double(p.D)),
           heads.data() + at, e, one.data());
    if (!sum) continue;
    for (size_t i = 0; i < one.size(); ++i) {
      if (p.average) sum[i] += one[i] / double(p.H);
      else sum[h * one.size() + i] = one[i];
    }
  }
  const auto bias = p.weights.find("out_proj.bias");
  const Doubles out = linear(heads, L, p.weights.at("out_proj.weight").data(),
                             bias == p.weights.end() ? nullptr : bias->second.data(), e, e);
  std::copy(out.begin(), out.end(), r.output.begin() + ptrdiff_t(n * L * e));
}

void sdpa_entry(const Problem& p, size_t n, Reference& r) {
  const double scale = p.has_scale ? double(p.scale) : 1.0 / std::sqrt(double(p.D));
  for (size_t h = 0; h < p.H; ++h) {
    const size_t at = n * p.H + h, kv = n * p.Hkv + h / (p.H / p.Hkv);
    const Doubles q = doubles(p.q, at * p.L * p.D, p.L * p.D), k = doubles(p.k, kv * p.S * p.D, p.S * p.D),
                  v = doubles(p.v, kv * p.S * p.Dv, p.S * p.Dv);
    attend(p, n, h, {q.data(), k.data(), v.data(), p.D, p.D, p.Dv}, scale, r.output.data() + at * p.L * p.Dv, p.Dv,
           p.need_weights ? r.weights.data() + at * p.L * p.S : nullptr);
  }
}

}  // namespace

Reference reference(const Problem& p) {
  Reference r;
  r.output.resize(size_t(p.N) * p.L * (p.sdpa ? p.H * p.Dv : p.E));
  if (p.need_weights) r.weights.resize(size_t(p.N) * p.weight_heads() * p.L * p.columns());
  for (size_t n = 0; n < p.N; ++n) {
    if (p.sdpa) sdpa_entry(p, n, r);
    else mha_entry(p, n, r);
  }
  return r;
}

}  // namespace heed_test
