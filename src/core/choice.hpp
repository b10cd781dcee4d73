// choice.hpp - what is decided from sizes alone: how a call is cut up for slices and for kernels.
// heed plan --explain asks the same functions. static: each arch has its own code of them.
#pragma once
#include "core/features.hpp"
#include "heed/layout.hpp"

namespace heed {

// How much of `left` the next tile of at most `most` takes. The last two share what is left: after
// 6 rows a single one would have the registers nearly to itself. Without SIMD (one lane), and in
// builds for size, there are but the largest tile and that of 1.
static constexpr bool few_tiles(uint32_t lanes) { return lanes == 1 || kForSize; }
static constexpr uint32_t tile_size(uint32_t left, uint32_t most, uint32_t lanes) {
  if (left >= most) return few_tiles(lanes) || left == most || left >= 2 * most ? most : (left + 1) / 2;
  return few_tiles(lanes) ? 1 : left;
}

// Registers of an arch's tiles; all 0: its engine decides by itself.
struct Tiles {
  uint32_t project_rows = 0, project_registers = 0;  // rows x registers of features
  uint32_t attend_rows = 0, attend_registers = 0;    // keys, or features of v, x registers of queries
  uint32_t few_rows = 0;                             // so many odd queries have a kernel of their own
};

template <class Arch>
static constexpr Tiles tiles_of() {
  return {Arch::project_rows, Arch::project_vectors, Arch::attend_rows, Arch::attend_vectors,
          kForSize ? 0 : Arch::few_rows};
}

// The next queries of a block that attention does together; registers == 0: a few odd ones.
struct QueryGroup {
  uint32_t rows, registers;
};

// A few odd rows are cheaper by themselves than in a register of their own.
static constexpr QueryGroup next_queries(const Tiles& t, uint32_t lanes, uint32_t left) {
  if (left <= t.few_rows) return {left, 0};
  const uint32_t registers = left / lanes + (left % lanes > t.few_rows ? 1u : 0u);
  // A register of one query costs less, when unused, than another set of tiles.
  const uint32_t n = kForSize && lanes == 1 ? t.attend_registers : tile_size(registers, t.attend_registers, lanes);
  return {n * lanes < left ? n * lanes : left, n};
}

// Rows of a projection go in blocks, so that a block of the input stays in cache while the weights
// pass over it. The last block takes what is left, rather than leave a few rows with tiles of
// their own.
static constexpr uint32_t row_block(uint32_t left) { return left < 2 * kQueryBlock ? left : kQueryBlock; }

// Whether each slice has groups of heads of its own: they split evenly enough to keep every slice
// busy, and no sum over heads is wanted. Otherwise slices share the tokens of as many groups as
// there are slices.
static constexpr bool split_heads(const Geometry& g, bool average) {
  if (!kWithSlices || g.slices == 1) return true;
  const uint32_t turns = (g.groups() + g.slices - 1) / g.slices;
  return uint64_t(turns) * g.slices * 10 <= uint64_t(g.groups()) * 11 && !average;
}

}  // namespace heed
