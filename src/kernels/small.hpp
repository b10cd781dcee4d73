// small.hpp - a whole module in one call, where its parts are too short to be worth calls.
//
// The formula, and the order of every sum, are those of project.hpp and attend.hpp, with all
// keys in one block: equal bits. What is left out is what a small module does not need: masks,
// slots, tiles of other sizes. Tiles are of 4 rows, keys or features; rows and keys of the
// scratch come in fours, so that only the caller's rows need care.
#pragma once
#include "core/table.hpp"
#include "kernels/exp2.hpp"
#include "kernels/key_block.hpp"

namespace heed {

template <class Arch>
struct Small {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, M = int(kSmallTile);
  static_assert(W % M == 0 && W <= int(kSmallLanes));

  struct Rows {  // `count` rows from `first` on
    float* first;
    ptrdiff_t stride;
    uint32_t count;
  };
  struct Matrix {
    const float *panels, *bias;
    float* to;
  };

  // ---- projections -----------------------------------------------------------------

  // N matrices of the same input at once, into scratch (whole tiles) or the caller's rows.
  template <int N, bool Scratch>
  static HEED_INLINE void project(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth, const Matrix (&m)[N],
                                  size_t features, ptrdiff_t to_stride) {
    for (size_t r = 0; r < rows; r += M, x += M * x_stride) {
      const float* a[M];  // rows past the last repeat it
      HEED_UNROLL for (int i = 0; i < M; ++i) a[i] = i == 0 || r + size_t(i) < rows ? x + i * x_stride : a[i - 1];
      for (size_t f = 0; f < features; f += W) {
        V acc[M][N];
        const float* b[N];
        HEED_UNROLL for (int j = 0; j < N; ++j) {
          b[j] = m[j].panels + f / kPanel * kPanel * depth + f % kPanel;
          const V start = m[j].bias ? S::load(m[j].bias + f) : S::set(0.0f);
          HEED_UNROLL for (int i = 0; i < M; ++i) acc[i][j] = start;
        }
        for (size_t k = 0; k < depth; ++k) {
          V w[N];
          HEED_UNROLL for (int j = 0; j < N; ++j) w[j] = S::load(b[j] + k * kPanel);
          HEED_UNROLL for (int i = 0; i < M; ++i) {
            const V xi = S::set(a[i][k]);
            HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::fma(xi, w[j], acc[i][j]);
          }
        }
        HEED_UNROLL for (int j = 0; j < N; ++j) {
          float* c = m[j].to + ptrdiff_t(r) * to_stride + f;
          HEED_UNROLL for (int i = 0; i < M; ++i)
            if (Scratch || r + size_t(i) < rows) S::store(c + i * to_stride, acc[i][j]);
        }
      }
    }
  }

  static HEED_NOINLINE void project_three(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth,
                                          const Matrix (&m)[3], size_t features, ptrdiff_t to_stride) {
    project<3, true>(x, x_stride, rows, depth, m, features, to_stride);
  }

  static HEED_NOINLINE void project_one(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth, Matrix m,
                                        size_t features, ptrdiff_t to_stride) {
    project<1, true>(x, x_stride, rows, depth, {m}, features, to_stride);
  }

  // ---- rows to lanes and back ------------------------------------------------------

  // W columns of up to W scratch rows; where a four of rows is absent, another stands in.
  static HEED_INLINE void load_columns(const float* row, ptrdiff_t stride, size_t rows, V (&r)[W]) {
    HEED_UNROLL for (int i = 0; i < W; i += M) {
      if (i == 0 || size_t(i) < rows) {
        HEED_UNROLL for (int u = 0; u < M; ++u) r[i + u] = S::load(row + (i + u) * stride);
      } else {
        HEED_UNROLL for (int u = 0; u < M; ++u) r[i + u] = r[u];
      }
    }
    S::transpose(r);
  }

  static HEED_INLINE void load_queries(const float* q, ptrdiff_t stride, size_t rows, size_t features, float scale,
                                       float* qt) {
    for (size_t f = 0; f < features; f += W, qt += W * W) {
      V r[W];
      load_columns(q + f, stride, rows, r);
      HEED_UNROLL for (int i = 0; i < W; ++i) S::store(qt + i * W, S::mul(r[i], S::set(scale)));
    }
  }

  static HEED_INLINE void store_heads(const float* ot, size_t features, size_t rows, float* to, ptrdiff_t stride) {
    for (size_t f = 0; f < features; f += W, ot += W * W) {
      HEED_UNROLL for (int i = 0; i < W; i += M) {
        if (i != 0 && size_t(i) >= rows) break;
        V r[M];
        HEED_UNROLL for (int u = 0; u < M; ++u) r[u] = S::load_fours(ot + u * W + i, M * W);
        S::transpose_fours(r);
        HEED_UNROLL for (int u = 0; u < M; ++u) S::store(to + (i + u) * stride + f, r[u]);
      }
    }
  }

  // ---- one head, W queries ---------------------------------------------------------

  struct Head {
    const float *k, *v;  // rows of keys
    ptrdiff_t stride;
    size_t keys, dim;
    float fully_masked;
    float *qt, *ot, *scores;
  };

  static HEED_INLINE V scores(const Head& h) {
    V max = S::set(kLowest);
    const float* k = h.k;
    float* s = h.scores;
    for (size_t j = 0; j < h.keys; j += M, k += M * h.stride, s += M * W) {
      V acc[M];
      HEED_UNROLL for (int i = 0; i < M; ++i) acc[i] = S::set(0.0f);
      const float *kd = k, *qt = h.qt;
      for (const float* const end = k + h.dim; kd != end; ++kd, qt += W) {
        const V q = S::load(qt);
        HEED_UNROLL for (int i = 0; i < M; ++i) acc[i] = S::fma(S::set(kd[i * h.stride]), q, acc[i]);
      }
      HEED_UNROLL for (int i = 0; i < M; ++i) {
        max = S::max(max, acc[i]);
        S::store(s + i * W, acc[i]);
      }
    }
    return max;
  }

  // p = 2^(s - max) in place for M keys, of which `keys` count.
  static HEED_INLINE void weigh_tile(float* s, size_t keys, V max, V (&sum)[M]) {
    V x[M];
    HEED_UNROLL for (int i = 0; i < M; ++i) x[i] = S::sub(S::load(s + i * W), max);
    exp2<S, M>(x);
    HEED_UNROLL for (int i = 0; i < M; ++i) {
      S::store(s + i * W, x[i]);
      if (size_t(i) < keys) sum[i] = S::add(sum[i], x[i]);
    }
  }

  static HEED_INLINE V weigh(float* s, size_t keys, V max) {
    V sum[M];
    HEED_UNROLL for (int i = 0; i < M; ++i) sum[i] = S::set(0.0f);
    for (; keys >= size_t(M); keys -= M, s += M * W) weigh_tile(s, M, max, sum);
    if (keys) weigh_tile(s, keys, max, sum);
    return S::add(S::add(sum[0], sum[1]), S::add(sum[2], sum[3]));
  }

  template <int N>
  static HEED_INLINE void values(const Head& h, size_t d, V inverse) {
    V acc[N];
    HEED_UNROLL for (int i = 0; i < N; ++i) acc[i] = S::set(0.0f);
    const float *v = h.v + d, *p = h.scores;
    for (const float* const end = p + h.keys * W; p != end; p += W, v += h.stride) {
      const V weight = S::load(p);
      HEED_UNROLL for (int i = 0; i < N; ++i) acc[i] = S::fma(S::set(v[i]), weight, acc[i]);
    }
    HEED_UNROLL for (int i = 0; i < N; ++i) S::store(h.ot + (d + size_t(i)) * W, S::mul(acc[i], inverse));
  }

  static HEED_NOINLINE V attend(const Head& h) {
    const V max = scores(h), inverse = inverse_sum<S>(weigh(h.scores, h.keys, max), h.fully_masked);
    size_t d = 0;
    for (; d + M <= h.dim; d += M) values<M>(h, d, inverse);
    for (; d < h.dim; ++d) values<1>(h, d, inverse);
    return inverse;
  }

  // ---- attention weights -------------------------------------------------------------

  // mean = p / sum, or that added to it.
  static HEED_INLINE void add_weights(const float* p, size_t keys, V inverse, bool first, float* mean) {
    for (size_t j = 0; j < keys; ++j, p += W, mean += W) {
      const V w = S::mul(S::load(p), inverse);
      S::store(mean, first ? w : S::add(S::load(mean), w));
    }
  }

  // (mean + p / sum) * scale, keys x queries, goes to rows of keys; mean may be nullptr.
  static HEED_NOINLINE void store_weights(const float* p, size_t keys, V inverse, const float* mean, float scale,
                                          Rows to) {
    for (size_t j = 0; j < keys; j += M) {
      V r[M];
      HEED_UNROLL for (int u = 0; u < M; ++u) {
        r[u] = S::mul(S::load(p + (j + size_t(u)) * W), inverse);
        if (mean) r[u] = S::add(S::load(mean + (j + size_t(u)) * W), r[u]);
        r[u] = S::mul(r[u], S::set(scale));
      }
      S::transpose_fours(r);
      float* w = to.first + j;
      HEED_UNROLL for (int i = 0; i < W; ++i, w += to.stride) {
        if (uint32_t(i) == to.count) break;
        if (j + M <= keys) {
          S::store_four(w, r[i % M], i / M);
          continue;
        }
        float part[M];
        S::store_four(part, r[i % M], i / M);
        for (size_t c = 0; c < keys - j; ++c) w[c] = part[c];
      }
    }
  }

  // ---- the module ------------------------------------------------------------------

  static HEED_INLINE void attend_rows(const SmallArgs& g, uint32_t row) {
    const uint32_t rows = g.rows - row < uint32_t(W) ? g.rows - row : uint32_t(W);
    float* const q = g.q + ptrdiff_t(row) * g.stride;
    load_queries(q, g.stride, rows, g.embed_dim, g.scale, g.qt);
    Head h = {g.k, g.v, g.stride, g.keys, g.head_dim, g.fully_masked, g.qt, g.ot, g.scores};
    float* const mean = g.scores + size_t(round_up(g.keys, M)) * W;
    for (uint32_t head = 0; head < g.num_heads; ++head) {
      const V inverse = attend(h);
      if (g.weights) {
        const bool average = g.weights_head == 0, last = head + 1 == g.num_heads;
        const Rows to = {g.weights + ptrdiff_t(head) * g.weights_head + ptrdiff_t(row) * g.weights_stride,
                         g.weights_stride, rows};
        if (average && !last) add_weights(h.scores, h.keys, inverse, head == 0, mean);
        else
          store_weights(h.scores, h.keys, inverse, average && head != 0 ? mean : nullptr,
                        average ? 1.0f / float(g.num_heads) : 1.0f, to);
      }
      h.k += h.dim, h.v += h.dim, h.qt += h.dim * W, h.ot += h.dim * W;
    }
    store_heads(g.ot, g.embed_dim, rows, q, g.stride);  // nobody needs q any more
  }

  static void run(const SmallArgs& g) {
    const Matrix q = {g.q_panels, g.q_bias, g.q}, k = {g.k_panels, g.k_bias, g.k}, v = {g.v_panels, g.v_bias, g.v};
    if (g.query == g.key && g.key == g.value) {
      project_three(g.query, g.query_stride, g.rows, g.embed_dim, {q, k, v}, g.embed_dim, g.stride);
    } else {
      project_one(g.query, g.query_stride, g.rows, g.embed_dim, q, g.embed_dim, g.stride);
      project_one(g.key, g.key_stride, g.keys, g.kdim, k, g.embed_dim, g.stride);
      project_one(g.value, g.value_stride, g.keys, g.vdim, v, g.embed_dim, g.stride);
    }
    for (uint32_t row = 0; row < g.rows; row += W) attend_rows(g, row);
    project<1, false>(g.q, g.stride, g.rows, g.embed_dim, {{g.out_panels, g.out_bias, g.out}}, g.embed_dim,
                      g.out_stride);
  }
};

}  // namespace heed
