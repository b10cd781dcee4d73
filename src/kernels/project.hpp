// project.hpp - a linear layer: c[r][f] = bias[f] + sum over i of a[r][i] * weight[f][i].
//
// Lanes are output features. A tile holds MR rows x NV registers of accumulators; rows of a
// are read where they lie (one broadcast each), weights come as panels of 16 features.
// Where the arch asks for it, all rows of a block pass a slab of the weights before any goes on to
// the next. Weights of a large module come from beyond the second cache, and the first rows would
// wait for them (6 % at minilm): the first tiles of many rows fetch the next slab, a line every other
// term, and the others nothing, since what is near already costs as much to fetch (5 % with AVX2);
// tiles of few rows fetch what they soon read themselves.
// The sum runs in index order, one chain of fma per 48 terms, so that an element of c does
// not depend on the arch, the tile, or which other rows and features are computed with it.
#pragma once
#include "core/choice.hpp"
#include "core/table.hpp"
#include "kernels/simd.hpp"

namespace heed {

template <class Arch>
struct Project {
  using S = simd_of<Arch>;
  using V = typename S::V;
  static constexpr int W = S::W, MR = Arch::project_rows, NV = Arch::project_vectors;
  static constexpr bool kSlabs = Arch::project_slabs && !kForSize;
  static constexpr size_t kSlabDepth = 8 * kReduceBlock;

  // A tile's registers lie in one panel, or are one panel each.
  static_assert(W == int(kPanel) || int(kPanel) % (NV * W) == 0);
  static constexpr size_t panel_stride(size_t depth) {
    return W == int(kPanel) ? depth * kPanel : kTermStride ? kPanel : size_t(W);
  }

  struct Tile {
    const float* a[MR];
    float* c[MR];       // where the first register's features go
    const float* b;     // its weights; those of the next are b_stride further
    size_t b_stride;    // with kTermStride: those of the next term
    const float* bias;  // nullptr: 0
    const float* ahead; // with slabs: what to fetch while this tile computes; nullptr: nothing
  };

  // Built for size, tiles of scores are tiles of this kernel (scores.hpp), whose weights are no panels.
  static constexpr bool kTermStride = kForSize && W == 1;

  // Rows of a tile of so many registers. Single registers are few where sizes are: their rows go one by one.
  static constexpr int most_rows(int registers) {
    if (few_tile_sizes(W) && registers == 1) return 1;
    return registers * MR < Arch::project_sums ? MR : Arch::project_sums / registers;
  }
  template <int M, int N>
  static constexpr bool fetches_ahead() { return kSlabs && 2 * M >= most_rows(N); }

  static constexpr int kSteps = kForSize ? 1 : Arch::steps;  // terms of a turn of the loop
  static constexpr bool kIndexed = kSteps == 1 && !S::kLanes;  // rows by one index, or each by a pointer that moves

  // Where M rows and the weights of N registers are read. `rows`: the term at which a row's pointer stands, the
  // end of the chain with an index, the first term without.
  template <int M, int N, bool Ahead = false>
  struct Cursor {
    static constexpr int P = W == int(kPanel) ? N : 1;  // panels
    const ptrdiff_t term_stride;
    const float *a[M], *b[P], *ahead;
    ptrdiff_t k = 0;  // counted to 0: an end would take one more register

    HEED_INLINE Cursor(const Tile& t, size_t begin, size_t rows)
        : term_stride(kTermStride ? ptrdiff_t(t.b_stride) : ptrdiff_t(kPanel)),
          ahead(Ahead ? t.ahead + begin % kSlabDepth / 2 * kPanel : nullptr) {
      HEED_UNROLL for (int i = 0; i < M; ++i) a[i] = t.a[i] + rows;
      HEED_UNROLL for (int j = 0; j < P; ++j) b[j] = t.b + size_t(j) * t.b_stride + ptrdiff_t(begin) * term_stride;
    }
    HEED_INLINE float row(int i, int term) const { return a[i][kIndexed ? k : term]; }
    HEED_INLINE const float* weights(int j, int term) const {
      return P == 1 ? b[0] + term * int(kPanel) + j * W : b[j] + term * int(kPanel);
    }
    HEED_INLINE void advance(int terms) {
      k += terms;
      HEED_UNROLL for (int j = 0; j < P; ++j) b[j] += terms * term_stride;
      if constexpr (Ahead) hide(ahead += terms / 2 * int(kPanel));
      if constexpr (!kIndexed) {
        HEED_UNROLL for (int i = 0; i < M; ++i) hide(a[i] += terms);
        HEED_UNROLL for (int j = 0; j < P; ++j) hide(b[j]);
        hide(k);
      }
    }
  };

  // Terms [begin, end) of M rows x N registers in one chain; the first starts from the bias, later ones are
  // added to c.
  template <int M, int N, bool Ahead>
  static HEED_INLINE void sum_chain(const Tile& t, Cursor<M, N, Ahead>& at, size_t begin, size_t end) {
    V acc[M][N];
    HEED_UNROLL for (int j = 0; j < N; ++j) {
      const V start = begin == 0 && t.bias ? S::load(t.bias + j * W) : S::set(0.0f);
      HEED_UNROLL for (int i = 0; i < M; ++i) acc[i][j] = start;
    }
    at.k = ptrdiff_t(begin) - ptrdiff_t(end);
    if constexpr (S::kLanes) {
      for (; at.k <= -W; at.advance(W)) {
        V x[M];
        HEED_UNROLL for (int i = 0; i < M; ++i) x[i] = S::load(at.a[i]);
        for_constants<W>([&](auto lane) HEED_LAMBDA {
          fma_lane_step<lane, S>(x, at.weights(0, lane), W, acc);
        });
      }
    }
    const auto step = [&](int term) HEED_LAMBDA {
      V w[N];
      HEED_UNROLL for (int j = 0; j < N; ++j) w[j] = S::load(at.weights(j, term));
      if constexpr (Arch::prefetch_rows != 0 && !fetches_ahead<M, N>()) {
        const int ahead = (term + Arch::prefetch_rows) * int(kPanel);
        HEED_UNROLL for (int j = 0; j < at.P; ++j) __builtin_prefetch(at.b[j] + ahead);
      }
      HEED_UNROLL for (int i = 0; i < M; ++i) {
        const auto x = S::set(at.row(i, term));
        HEED_UNROLL for (int j = 0; j < N; ++j) {
          if constexpr (kSteps > 1) S::fma_into(acc[i][j], w[j], x);
          else acc[i][j] = S::fma(x, w[j], acc[i][j]);
        }
      }
    };
    for (; at.k <= -kSteps; at.advance(kSteps)) {
      HEED_UNROLL for (int u = 0; u < kSteps; ++u) {
        if constexpr (Ahead) {  // a line every other term
          if (u % 2 == 0) __builtin_prefetch(at.ahead + u / 2 * int(kPanel), 0, 2);
        }
        step(u);
      }
    }
    if constexpr (kSteps > 1)
      for (; at.k != 0; at.advance(1)) step(0);
    const Sums<V, M, N> sum(acc);
    HEED_UNROLL_IF_FAST for (int i = 0; i < M; ++i) {
      float* const c = t.c[i];
      HEED_UNROLL_IF_FAST for (int j = 0; j < N; ++j)
        S::store(c + j * W, begin == 0 ? sum.of[i][j] : S::add(S::load(c + j * W), sum.of[i][j]));
    }
  }

  // Terms [begin, end) in one chain, rows by index.
  template <int M, int N>
  static HEED_INLINE_IF_FAST void chain(const Tile& t, size_t begin, size_t end) {
    static_assert(kIndexed);
    Cursor<M, N> at(t, begin, end);
    sum_chain(t, at, begin, end);
  }

  // Terms [k0, k1), chain by chain; k0 is where a chain begins. Pointers that move run on from chain to
  // chain: set anew for each, they would come late, by some 30 cycles.
  template <int M, int N, bool Ahead>
  static HEED_NOINLINE void chains(const Tile& t, size_t k0, size_t k1) {
    [[maybe_unused]] Cursor<M, N, Ahead> at(t, k0, k0);
    for (size_t end; k0 < k1; k0 = end) {
      end = k1 - k0 < kReduceBlock ? k1 : k0 + kReduceBlock;
      if constexpr (kIndexed) chain<M, N>(t, k0, end);
      else sum_chain(t, at, k0, end);
    }
  }

  // The compiled size for a run-time number of rows and registers.
  template <int N = NV, int M = most_rows(NV)>
  static HEED_INLINE void chains_of(const Tile& t, size_t k0, size_t k1, uint32_t rows, uint32_t n) {
    if constexpr (N > 1 && M == most_rows(N)) {  // registers first: with fewer rows they are chosen
      if (n < uint32_t(N)) return chains_of<smaller_tile<W>(N), most_rows(smaller_tile<W>(N))>(t, k0, k1, rows, n);
    }
    if constexpr (M > 1) {
      if (rows < uint32_t(M)) return chains_of<N, smaller_tile<W>(M)>(t, k0, k1, rows, n);
    }
    if constexpr (fetches_ahead<M, N>()) {
      if (t.ahead) return chains<M, N, true>(t, k0, k1);
    }
    chains<M, N, false>(t, k0, k1);
  }

  static HEED_NOINLINE void tile(const Tile& t, size_t k0, size_t k1, uint32_t rows, uint32_t n) {
    chains_of(t, k0, k1, rows, n);
  }

  // The rows that count, in order. By sums alone: a product would wait in the queue of a port for the tile
  // before, and the tile for it (some 20 cycles).
  class RowsOf {
   public:
    HEED_INLINE RowsOf(const ProjectArgs& g, ptrdiff_t column) : g_(g), a_(g.a), c_(g.c + column) {}
    HEED_INLINE void next(Tile& t, uint32_t want) {
      for (uint32_t n = 0; n < want; a_ += g_.a_stride, c_ += g_.c_stride, ++row_) {
        if (g_.visible && !g_.visible[row_]) continue;
        t.a[n] = a_;
        t.c[n++] = c_;
      }
    }

   private:
    const ProjectArgs& g_;
    const float* a_;
    float* c_;
    uint32_t row_ = 0;
  };

  // A register that holds features beside [first, last) too is a tile by itself, which goes to a
  // scratch, and what belongs to c is copied.
  static HEED_NOINLINE void edge_tile(const ProjectArgs& g, Tile& t, size_t feature, uint32_t rows) {
    alignas(4 * W) float scratch[MR][W];
    float* c[MR];
    for (uint32_t i = 0; i < rows; ++i) {
      c[i] = t.c[i];
      t.c[i] = scratch[i];
    }
    tile(t, 0, g.depth, rows, 1);
    const size_t begin = feature < g.first ? g.first - feature : 0;
    const size_t end = feature + W > g.last ? g.last - feature : size_t(W);
    for (uint32_t i = 0; i < rows; ++i)
      for (size_t j = begin; j < end; ++j) c[i][j] = scratch[i][j];
  }

  static HEED_INLINE bool is_whole(const ProjectArgs& g, size_t feature, uint32_t n) {
    return W == 1 || (feature >= g.first && feature + n * size_t(W) <= g.last);
  }

  // n panels, slab by slab: all rows pass one before the next.
  static HEED_NOINLINE void slabs(const ProjectArgs& g, Tile& t, ptrdiff_t column, uint32_t rows, uint32_t n) {
    const uint32_t most = uint32_t(most_rows(int(n))), panels = W == int(kPanel) ? n : 1;
    const size_t panel_depth = g.depth * kPanel;
    for (size_t k = 0; k < g.depth; k += kSlabDepth) {
      const size_t end = g.depth - k < kSlabDepth ? g.depth : k + kSlabDepth;
      const float* next = end < g.depth ? t.b + end * kPanel : t.b + panels * panel_depth;
      uint32_t half = 0;  // of a panel of the next slab: what a tile fetches
      RowsOf next_rows(g, column);
      for (uint32_t left = rows; left != 0; ++half) {
        const uint32_t m = tile_size(left, most, false);
        next_rows.next(t, m);
        t.ahead = half < 2 * panels ? next + half / 2 * panel_depth + half % 2 * (kSlabDepth / 2 * kPanel) : nullptr;
        tile(t, k, end, m, n);
        left -= m;
      }
    }
  }

  // n registers of W features each, from `feature` on, all rows.
  static HEED_NOINLINE void columns(const ProjectArgs& g, size_t feature, uint32_t rows, uint32_t n) {
    Tile t;
    t.b = g.panels + feature / kPanel * kPanel * g.depth + feature % kPanel;
    t.b_stride = panel_stride(g.depth);
    t.bias = g.bias ? g.bias + feature : nullptr;
    const bool whole = is_whole(g, feature, n);
    const ptrdiff_t column = ptrdiff_t(feature) - ptrdiff_t(g.first);
    if constexpr (kSlabs) {
      if (whole) return slabs(g, t, column, rows, n);
      t.ahead = nullptr;
    }
    const uint32_t most = uint32_t(most_rows(int(n)));
    RowsOf next_rows(g, column);
    for (uint32_t left = rows; left != 0;) {
      const uint32_t m = tile_size(left, most, few_tile_sizes(W));
      next_rows.next(t, m);
      if (whole) tile(t, 0, g.depth, m, n);
      else edge_tile(g, t, feature, m);
      left -= m;
    }
  }

  // How many registers the tile at v takes: not beyond its panel, where panels hold several.
  static uint32_t registers_at(uint32_t v, uint32_t end) {
    if (W == int(kPanel)) return panels_of_tile(end - v, NV, few_tile_sizes(W));
    const uint32_t left = NV - v % uint32_t(NV);
    return tile_size(end - v < left ? end - v : left, NV, few_tile_sizes(W));
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
      uint32_t n = registers_at(v, end);
      while (n > 1 && !is_whole(g, size_t(v) * W, n)) n = kForSize ? 1 : n - 1;
      columns(g, size_t(v) * W, rows, n);
      v += n;
    }
  }
};

}  // namespace heed
