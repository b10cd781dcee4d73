// project.hpp - a linear layer: c[r][f] = bias[f] + sum over i of a[r][i] * weight[f][i].
//
// Lanes are output features. A tile holds MR rows x NV registers of accumulators; rows of a
// are read where they lie (one broadcast each), weights come as panels of 16 features.
// The sum runs in index order, one chain of fma per 256 terms, so that an element of c does
// not depend on the arch, the tile, or which other rows and features are computed with it.
#pragma once
#include "core/table.hpp"
#include "kernels/simd.hpp"

namespace heed {

template <class Arch>
struct Project {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, MR = Arch::project_rows, NV = Arch::project_vectors;

  struct Tile {
    const float* a[MR];
    float* c[MR];
    const float* b[NV];     // first row of each register's part of a panel
    const float* bias[NV];  // nullptr: 0
    ptrdiff_t column[NV];   // where in c its features go
  };

  // Terms [k0, k1) of M rows x N registers; the first chain starts from the bias, later
  // ones are added to c.
  template <int M, int N>
  static HEED_NOINLINE void chain(const Tile& t, size_t k0, size_t k1) {
    V acc[M][N];
    HEED_UNROLL for (int j = 0; j < N; ++j) {
      const V start = k0 == 0 && t.bias[j] ? S::load(t.bias[j]) : S::set(0.0f);
      HEED_UNROLL for (int i = 0; i < M; ++i) acc[i][j] = start;
    }
    const float* a[M];
    const float* b[N];
    HEED_UNROLL for (int i = 0; i < M; ++i) a[i] = t.a[i];
    HEED_UNROLL for (int j = 0; j < N; ++j) b[j] = t.b[j];
    for (size_t k = k0; k < k1; ++k) {
      V w[N];
      HEED_UNROLL for (int j = 0; j < N; ++j) w[j] = S::load(b[j] + k * kPanel);
      HEED_UNROLL for (int i = 0; i < M; ++i) {
        const V x = S::set(a[i][k]);
        HEED_UNROLL for (int j = 0; j < N; ++j) acc[i][j] = S::fma(x, w[j], acc[i][j]);
      }
    }
    const Sums<V, M, N> sum(acc);
    HEED_UNROLL_IF_FAST for (int i = 0; i < M; ++i) {
      HEED_UNROLL_IF_FAST for (int j = 0; j < N; ++j) {
        float* c = t.c[i] + t.column[j];
        S::store(c, k0 == 0 ? sum.of[i][j] : S::add(S::load(c), sum.of[i][j]));
      }
    }
  }

  // The compiled size for a run-time number of rows and registers.
  template <int N = NV, int M = MR>
  static HEED_INLINE void chain_of(const Tile& t, size_t k0, size_t k1, uint32_t rows, uint32_t n) {
    if constexpr (N > 1) {
      if (n < uint32_t(N)) return chain_of<smaller_tile<W>(N), most_rows(smaller_tile<W>(N))>(t, k0, k1, rows, n);
    }
    if constexpr (M > 1) {
      if (rows < uint32_t(M)) return chain_of<N, smaller_tile<W>(M)>(t, k0, k1, rows, n);
    }
    chain<M, N>(t, k0, k1);
  }

  static HEED_NOINLINE void tile(const Tile& t, size_t depth, uint32_t rows, uint32_t n) {
    for (size_t k = 0; k < depth; k += kReduceBlock)
      chain_of(t, k, depth - k < kReduceBlock ? depth : k + kReduceBlock, rows, n);
  }

  // Without SIMD single features are few: their rows go one by one.
  static constexpr int most_rows(int registers) { return W == 1 && registers == 1 ? 1 : MR; }

  // The next `want` rows that count; *row moves past them.
  static HEED_INLINE void gather(const ProjectArgs& g, Tile& t, uint32_t* row, uint32_t want) {
    for (uint32_t n = 0; n < want; ++*row) {
      if (g.visible && !g.visible[*row]) continue;
      t.a[n] = g.a + ptrdiff_t(*row) * g.a_stride;
      t.c[n++] = g.c + ptrdiff_t(*row) * g.c_stride;
    }
  }

  // Where a register holds features beside [first, last), the tile goes to a scratch and
  // what belongs to c is copied.
  static HEED_NOINLINE void edge_tile(const ProjectArgs& g, Tile& t, size_t v, uint32_t rows, uint32_t n) {
    alignas(4 * W) float scratch[MR][kEdgeVectors * W];
    float* c[MR];
    for (uint32_t i = 0; i < rows; ++i) {
      c[i] = t.c[i];
      t.c[i] = scratch[i];
    }
    ptrdiff_t column[NV];
    for (uint32_t j = 0; j < n; ++j) {
      column[j] = t.column[j];
      t.column[j] = ptrdiff_t(j * uint32_t(W));
    }
    tile(t, g.depth, rows, n);
    for (uint32_t j = 0; j < n; ++j) t.column[j] = column[j];
    const size_t begin = v * W < g.first ? g.first - v * W : 0;
    const size_t end = (v + n) * W > g.last ? g.last - v * W : n * size_t(W);
    for (uint32_t i = 0; i < rows; ++i)
      for (size_t j = begin; j < end; ++j) c[i][v * W + j - g.first] = scratch[i][j];
  }

  // In a size build edges go register by register, which takes less stack.
  static constexpr int kEdgeVectors = kForSize ? 1 : NV;
  static HEED_INLINE bool is_whole(const ProjectArgs& g, size_t v, uint32_t n) {
    return W == 1 || (v * W >= g.first && (v + n) * W <= g.last);
  }

  // Registers [v, v + n) of W features each, all rows.
  static HEED_NOINLINE void columns(const ProjectArgs& g, size_t v, uint32_t rows, uint32_t n) {
    Tile t;
    for (uint32_t j = 0; j < n; ++j) {
      const size_t f = (v + j) * W;
      t.b[j] = g.panels + f / kPanel * kPanel * g.depth + f % kPanel;
      t.bias[j] = g.bias ? g.bias + f : nullptr;
      t.column[j] = ptrdiff_t(f) - ptrdiff_t(g.first);
    }
    const bool whole = is_whole(g, v, n);
    for (uint32_t row = 0, left = rows; left != 0;) {
      const uint32_t m = tile_size<W>(left, uint32_t(most_rows(int(n))));
      gather(g, t, &row, m);
      if (whole) tile(t, g.depth, m, n);
      else edge_tile(g, t, v, m, n);
      left -= m;
    }
  }

  static void run(const ProjectArgs& g) {
    uint32_t rows = g.rows;
    if (g.visible) {
      rows = 0;
      for (uint32_t r = 0; r < g.rows; ++r) rows += g.visible[r] != 0;
    }
    if (rows == 0) return;
    const uint32_t end = (g.last + uint32_t(W) - 1) / uint32_t(W);
    for (uint32_t v = g.first / uint32_t(W); v < end;) {
      uint32_t n = tile_size<W>(end - v, NV);
      if (kForSize && !is_whole(g, v, n)) n = 1;
      columns(g, v, rows, n);
      v += n;
    }
  }
};

}  // namespace heed
