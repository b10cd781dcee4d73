// choice.hpp - what is decided from sizes alone: how a call is cut up for slices and for kernels.
// heed plan --explain asks the same functions. static: each arch has its own code of them.
#pragma once
#include "core/features.hpp"
#include "heed/layout.hpp"

namespace heed {

// All sizes of a tile are compiled for SIMD, where a half-empty tile costs a whole one, but only
// the largest and 1 without (one lane), and where code size counts more.
static constexpr bool few_tile_sizes(int lanes) { return lanes == 1 || kForSize; }

// How much of `left` the next tile of at most `most` takes. The last two share what is left: after
// 6 rows a single one would have the registers nearly to itself.
static constexpr uint32_t tile_size(uint32_t left, uint32_t most, bool few_sizes) {
  if (left >= most) return few_sizes || left == most || left >= 2 * most ? most : (left + 1) / 2;
  return few_sizes ? 1 : left;
}

// The same for panels, where a register holds one. Of 4 panels none is left over, but 3, with more
// rows, read less for each multiply-add.
static constexpr uint32_t panels_of_tile(uint32_t left, uint32_t most, bool few_sizes) {
  if (few_sizes || most < 4) return tile_size(left, most, few_sizes);
  return left < 3 ? left : left % 3 == 0 || left == 5 ? 3 : 4;
}

// Registers of an arch's tiles; all 0: its engine decides by itself.
struct Tiles {
  uint32_t project_rows = 0, project_registers = 0;  // rows x registers of features
  uint32_t attend_rows = 0, attend_registers = 0;    // keys, or features of v, x registers of queries
  uint32_t few_rows = 0;                             // so many odd queries have a kernel of their own
  bool few_sizes = false;                            // but for these, only tiles of 1
  bool whole_groups = false;                         // attention has no others, and leaves registers unused
};

template <class Arch, int W>
static constexpr Tiles tiles_of() {
  Tiles t;
  t.project_rows = Arch::project_rows;
  t.project_registers = Arch::project_vectors;
  t.attend_rows = Arch::attend_rows;
  t.attend_registers = Arch::attend_vectors;
  t.few_rows = kForSize ? 0 : Arch::few_rows;
  t.few_sizes = few_tile_sizes(W);
  t.whole_groups = kForSize && W == 1;
  return t;
}

static constexpr uint32_t kFewQueries = 8;  // at most, for that kernel

// A few odd rows are cheaper by themselves than in a register of their own, and even more so than in a group of
// that register alone.
static constexpr uint32_t few_alone(const Tiles& t) { return t.few_rows > 1 ? kFewQueries : t.few_rows; }

// The next queries of a block that attention does together; registers == 0: a few odd ones.
struct QueryGroup {
  uint32_t rows, registers;
};

// Registers of the next group, if `left` are many.
static constexpr uint32_t next_registers(const Tiles& t, uint32_t lanes, uint32_t left) {
  const uint32_t all = left / lanes + (left % lanes > t.few_rows ? 1u : 0u);
  return t.whole_groups ? t.attend_registers : tile_size(all, t.attend_registers, t.few_sizes);
}

static constexpr QueryGroup next_queries(const Tiles& t, uint32_t lanes, uint32_t left) {
  if (left <= few_alone(t)) return {left, 0};
  const uint32_t n = next_registers(t, lanes, left);
  return {n * lanes < left ? n * lanes : left, n};
}

// Queries are attended in blocks. Where a block is one group, the last two share what is left: a group of one
// register has too few sums at a time, and takes a third longer than its part of a wide one.
static constexpr uint32_t query_block(const Tiles& t, uint32_t lanes, uint32_t left) {
  if (left <= kQueryBlock) return left;
  if (kForSize || t.attend_registers * lanes != kQueryBlock) return kQueryBlock;
  return next_registers(t, lanes, left) * lanes;
}

// Rows of keys, values and output are projected in blocks, so that a block of the input stays in cache while
// the weights pass over it; and the more rows, the less often the weights come from far away. The last block
// takes what is left, rather than leave a few rows with tiles of their own.
static constexpr uint32_t kRowBlock = 2 * kQueryBlock;
static constexpr uint32_t row_block(uint32_t left) { return left < 2 * kRowBlock ? left : kRowBlock; }

// Whether each slice has groups of heads of its own: they split evenly enough to keep every slice
// busy, and no sum over heads is wanted. Otherwise slices share the tokens of as many groups as
// there are slices.
static constexpr bool split_heads(const Geometry& g, bool average) {
  if (!kWithSlices || g.slices == 1) return true;
  const uint32_t turns = (g.groups() + g.slices - 1) / g.slices;
  return turns * g.slices * 10 <= g.groups() * 11 && !average;
}

}  // namespace heed
