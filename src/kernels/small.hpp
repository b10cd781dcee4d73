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

  // Features [f, f + W) of N matrices for M rows of an input, whose terms are kStep apart.
  template <int kStep, int N>
  static HEED_INLINE void sums(const float* const (&a)[M], size_t depth, const Matrix (&m)[N], size_t f,
                               V (&acc)[M][N]) {
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
        const V x = S::set(a[i][k * kStep]);
        HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::fma(x, w[j], acc[i][j]);
      }
    }
  }

  // N matrices of the same input at once, into scratch: whole tiles.
  template <int N>
  static HEED_INLINE void project(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth, const Matrix (&m)[N],
                                  size_t features, ptrdiff_t to_stride) {
    for (size_t r = 0; r < rows; r += M, x += M * x_stride) {
      const float* a[M];  // rows past the last repeat it
      HEED_UNROLL for (int i = 0; i < M; ++i) a[i] = i == 0 || r + size_t(i) < rows ? x + i * x_stride : a[i - 1];
      for (size_t f = 0; f < features; f += W) {
        V acc[M][N];
        sums<1>(a, depth, m, f, acc);
        HEED_UNROLL for (int j = 0; j < N; ++j)
          HEED_UNROLL for (int i = 0; i < M; ++i)
            S::store(m[j].to + (ptrdiff_t(r) + i) * to_stride + ptrdiff_t(f), acc[i][j]);
      }
    }
  }

  static HEED_NOINLINE void project_three(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth,
                                          const Matrix (&m)[3], size_t features, ptrdiff_t to_stride) {
    project<3>(x, x_stride, rows, depth, m, features, to_stride);
  }

  static HEED_NOINLINE void project_one(const float* x, ptrdiff_t x_stride, size_t rows, size_t depth, Matrix m,
                                        size_t features, ptrdiff_t to_stride) {
    project<1>(x, x_stride, rows, depth, {m}, features, to_stride);
  }

  // From o^T, where it lies, to the caller's rows.
  static HEED_INLINE void project_out(const SmallArgs& g, uint32_t row, uint32_t rows) {
    const Matrix m[1] = {{g.out_panels, g.out_bias, g.out + ptrdiff_t(row) * g.out_stride}};
    for (uint32_t r = 0; r < rows; r += M) {
      const float* a[M];
      HEED_UNROLL for (uint32_t i = 0; i < uint32_t(M); ++i) a[i] = g.ot + r + i;
      for (size_t f = 0; f < g.embed_dim; f += W) {
        V acc[M][1];
        sums<W>(a, g.embed_dim, m, f, acc);
        float* c = m[0].to + ptrdiff_t(r) * g.out_stride + ptrdiff_t(f);
        HEED_UNROLL for (uint32_t i = 0; i < uint32_t(M); ++i, c += g.out_stride)
          if (r + i < rows) S::store(c, acc[i][0]);
      }
    }
  }

  // ---- W queries ---------------------------------------------------------------------

  // Of W rows of the scratch, or of four, which then are in all lanes.
  static HEED_INLINE void load_queries(const SmallArgs& g, const float* q, uint32_t rows) {
    const ptrdiff_t stride = g.stride, fours = rows > uint32_t(M) ? M * stride : 0;
    const V scale = S::set(g.scale);
    float* qt = g.qt;
    for (const float* const end = q + g.embed_dim; q != end; q += M, qt += M * W) {
      V r[M];
      HEED_UNROLL for (int u = 0; u < M; ++u) r[u] = S::mul(S::load_fours(q + u * stride, fours), scale);
      S::transpose_fours(r);
      HEED_UNROLL for (int u = 0; u < M; ++u) S::store(qt + u * W, r[u]);
    }
  }

  // ---- H heads of W queries at once: one alone is a chain of a hundred cycles ---------

  // Copies of what loops need: any store might change the arguments, for all that compilers know.
  template <int H>
  struct Heads {
    const size_t keys, dim;
    const ptrdiff_t stride;
    const float *k, *v, *qt;  // of the first head
    float *ot, *p[H];         // p: scores, then weights, keys x W queries
    V max[H], inverse[H];

    HEED_INLINE Heads(const SmallArgs& g, uint32_t head) : keys(g.keys), dim(g.head_dim), stride(g.stride) {
      const size_t first = head * dim;
      k = g.k + first;
      v = g.v + first;
      qt = g.qt + first * W;
      ot = g.ot + first * W;
      HEED_UNROLL for (int h = 0; h < H; ++h) p[h] = g.scores + size_t(h) * round_up(g.keys, M) * W;
    }
  };

  template <int H>
  static HEED_INLINE void score(Heads<H>& a) {
    const float* k = a.k;
    HEED_UNROLL for (int h = 0; h < H; ++h) a.max[h] = S::set(kLowest);
    for (size_t j = 0; j < a.keys; j += M, k += M * a.stride) {
      V acc[H][M];
      HEED_UNROLL for (int h = 0; h < H; ++h)
        HEED_UNROLL for (int i = 0; i < M; ++i) acc[h][i] = S::set(0.0f);
      const float* row[M];
      HEED_UNROLL for (int i = 0; i < M; ++i) hide(row[i] = k + i * a.stride);
      for (size_t d = 0, other = a.dim; d < a.dim; ++d, ++other) {  // of the first head and of the second
        HEED_UNROLL for (int h = 0; h < H; ++h) {
          const size_t at = h == 0 ? d : other;
          const V x = S::load(a.qt + at * W);
          HEED_UNROLL for (int i = 0; i < M; ++i) acc[h][i] = S::fma(S::set(row[i][at]), x, acc[h][i]);
        }
      }
      HEED_UNROLL for (int h = 0; h < H; ++h) {
        HEED_UNROLL for (int i = 0; i < M; ++i) S::store(a.p[h] + (j + size_t(i)) * W, acc[h][i]);
        a.max[h] = S::max(a.max[h], S::max(S::max(acc[h][0], acc[h][1]), S::max(acc[h][2], acc[h][3])));
      }
    }
  }

  // p = 2^(s - max) in place.
  template <int H>
  static HEED_INLINE void weigh(Heads<H>& a) {
    for (size_t j = 0; j < a.keys; j += 2) {
      V x[2 * H];
      HEED_UNROLL for (int i = 0; i < 2 * H; ++i)
        x[i] = S::sub(S::load(a.p[i / 2] + (j + size_t(i % 2)) * W), a.max[i / 2]);
      exp2<S, 2 * H>(x);
      HEED_UNROLL for (int i = 0; i < 2 * H; ++i) S::store(a.p[i / 2] + (j + size_t(i % 2)) * W, x[i]);
    }
  }

  static HEED_INLINE V sum(const float* p, size_t keys) {
    V sum[M];
    HEED_UNROLL for (int i = 0; i < M; ++i) sum[i] = size_t(i) < keys ? S::load(p + i * W) : S::set(0.0f);
    for (size_t j = M; j < keys; j += M)
      HEED_UNROLL for (int i = 0; i < M; ++i)
        if (j + size_t(i) < keys) sum[i] = S::add(sum[i], S::load(p + (j + size_t(i)) * W));
    return S::add(S::add(sum[0], sum[1]), S::add(sum[2], sum[3]));
  }

  // N features of each head, from its `at`th on.
  template <int N, int H>
  static HEED_INLINE void value_tile(const Heads<H>& a, size_t at) {
    V acc[H][N];
    HEED_UNROLL for (int h = 0; h < H; ++h)
      HEED_UNROLL for (int i = 0; i < N; ++i) acc[h][i] = S::set(0.0f);
    const float* v = a.v + at;
    for (size_t j = 0; j < a.keys; ++j, v += a.stride) {
      HEED_UNROLL for (int h = 0; h < H; ++h) {
        const V p = S::load(a.p[h] + j * W);
        const float* x = v + size_t(h) * a.dim;
        HEED_UNROLL for (int i = 0; i < N; ++i) acc[h][i] = S::fma(S::set(x[i]), p, acc[h][i]);
      }
    }
    HEED_UNROLL for (int h = 0; h < H; ++h) {
      float* const ot = a.ot + (size_t(h) * a.dim + at) * W;
      HEED_UNROLL for (int i = 0; i < N; ++i) S::store(ot + i * W, S::mul(acc[h][i], a.inverse[h]));
    }
  }

  template <int H>
  static HEED_INLINE void attend(Heads<H>& a, float fully_masked) {
    score(a);
    weigh(a);
    HEED_UNROLL for (int h = 0; h < H; ++h) a.inverse[h] = inverse_sum<S>(sum(a.p[h], a.keys), fully_masked);
    size_t d = 0;
    for (; d + M <= a.dim; d += M) value_tile<M>(a, d);
    for (; d < a.dim; ++d) value_tile<1>(a, d);
  }

  // ---- attention weights -------------------------------------------------------------

  // Weights of heads [h, h + count) are added up to those of the heads before, but for the first; the last
  // go to rows of keys, times scale.
  struct Average {
    float* sum;  // keys x W queries; nullptr: heads by themselves
    bool first, last;
    float scale;
  };
  template <int H>
  static HEED_INLINE void store_weights(const Heads<H>& a, int h, int count, const Average& to_average,
                                        const Rows& to) {
    for (size_t j = 0; j < a.keys; j += M) {
      V r[M];
      HEED_UNROLL for (int u = 0; u < M; ++u) {
        const size_t at = (j + size_t(u)) * W;
        r[u] = S::mul(S::load(a.p[h] + at), a.inverse[h]);
        if (!to_average.first) r[u] = S::add(S::load(to_average.sum + at), r[u]);
        HEED_UNROLL for (int i = h + 1; i < h + count; ++i)
          r[u] = S::add(r[u], S::mul(S::load(a.p[i] + at), a.inverse[i]));
        if (!to_average.last) S::store(to_average.sum + at, r[u]);
        r[u] = S::mul(r[u], S::set(to_average.scale));
      }
      if (!to_average.last) continue;
      S::transpose_fours(r);
      float* w = to.first + j;
      HEED_UNROLL for (int i = 0; i < W; ++i, w += to.stride) {
        if (uint32_t(i) == to.count) break;
        if (j + M <= a.keys) {
          S::store_four(w, r[i % M], i / M);
          continue;
        }
        float part[M];
        S::store_four(part, r[i % M], i / M);
        for (size_t c = 0; c < a.keys - j; ++c) w[c] = part[c];
      }
    }
  }

  // ---- the module ------------------------------------------------------------------

  template <int H>
  static HEED_NOINLINE void attend_heads(const SmallArgs& g, uint32_t row, uint32_t rows, uint32_t head) {
    Heads<H> a(g, head);
    attend(a, g.fully_masked);
    if (!g.weights) return;
    Rows to = {g.weights + ptrdiff_t(head) * g.weights_head + ptrdiff_t(row) * g.weights_stride, g.weights_stride,
               rows};
    if (g.weights_head == 0) {
      float* const sum = a.p[0] + round_up(g.keys, M) * W;
      return store_weights(a, 0, H, {sum, head == 0, head + H == g.num_heads, 1.0f / float(g.num_heads)}, to);
    }
    HEED_UNROLL for (int h = 0; h < H; ++h, to.first += g.weights_head)
      store_weights(a, h, 1, {nullptr, true, true, 1.0f}, to);
  }

  static HEED_INLINE void attend_rows(const SmallArgs& g, uint32_t row) {
    const uint32_t rows = g.rows - row < uint32_t(W) ? g.rows - row : uint32_t(W);
    load_queries(g, g.q + ptrdiff_t(row) * g.stride, rows);
    // Where a sum of weights goes from head to head, it takes the place of a second one.
    const bool sums = g.weights && g.weights_head == 0 && g.num_heads > 2;
    uint32_t head = 0;
    for (; !sums && head + 2 <= g.num_heads; head += 2) attend_heads<2>(g, row, rows, head);
    for (; head < g.num_heads; ++head) attend_heads<1>(g, row, rows, head);
    project_out(g, row, rows);
  }

  // Inputs may begin together and yet be others: query the first rows of key, or key a part of its columns.
  static HEED_INLINE bool inputs_are_one(const SmallArgs& g) {
    return g.query == g.key && g.key == g.value && g.query_stride == g.key_stride && g.key_stride == g.value_stride &&
           g.rows == g.keys && g.kdim == g.embed_dim && g.vdim == g.embed_dim;
  }

  static void run(const SmallArgs& g) {
    const Matrix q = {g.q_panels, g.q_bias, g.q}, k = {g.k_panels, g.k_bias, g.k}, v = {g.v_panels, g.v_bias, g.v};
    if (inputs_are_one(g)) {
      project_three(g.query, g.query_stride, g.rows, g.embed_dim, {q, k, v}, g.embed_dim, g.stride);
    } else {
      project_one(g.query, g.query_stride, g.rows, g.embed_dim, q, g.embed_dim, g.stride);
      project_one(g.key, g.key_stride, g.keys, g.kdim, k, g.embed_dim, g.stride);
      project_one(g.value, g.value_stride, g.keys, g.vdim, v, g.embed_dim, g.stride);
    }
    for (uint32_t row = 0; row < g.rows; row += W) attend_rows(g, row);
  }
};

}  // namespace heed
