// table.hpp - the contract between src/ (which decides) and arch/ (which computes).
// Everything is row-major; strides count floats. Callers have checked everything.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/choice.hpp"
#include "heed/layout.hpp"

namespace heed {

// c[r][f - first] = bias[f] + sum over i of a[r][i] * weight[f][i], f in [first, last).
struct ProjectArgs {
  const float* a;
  ptrdiff_t a_stride;
  const float* panels;     // [N / 16][depth][16], 64-byte aligned
  const float* bias;       // N floats, or nullptr: 0
  float* c;
  ptrdiff_t c_stride;
  const uint8_t* visible;  // rows with 0 are neither read nor written; nullptr: all count
  uint32_t rows, depth, first, last;
};

// How a mask is read: element (row, key) at data + row * row_stride + key * key_stride.
struct MaskView {
  const void* data;  // nullptr: no mask, and the rest says nothing
  ptrdiff_t row_stride, key_stride;
  bool is_float;  // float: added to the score, -inf hides
  bool hides;     // bool: the value that hides
};

// One head, up to kQueryBlock queries: out = softmax(scale q k^T + masks) v.
// Key positions count the extra slots first: [slots][keys of the caller].
struct AttendArgs {
  const float* q;
  const float* k;
  const float* v;
  float* out;
  ptrdiff_t q_stride, k_stride, v_stride, out_stride;
  uint32_t rows, head_dim, value_dim;
  uint32_t slots;              // extra slots: seen by all, not in the mask
  uint32_t positions;          // slots + keys that any of the queries may see
  float scale;                 // times log2(e): scores are powers of two
  const uint8_t* visible;      // per position, 0: never read; nullptr: all count
  const float* position_bias;  // per position, times log2(e), 16 floats longer; nullptr: 0
  const uint8_t* finite;       // per key block: no NaN or inf in v; nullptr: do not care
  bool causal;
  int32_t limit;               // row r sees positions below limit + r, and the slots
  MaskView mask;               // row 0 is the first query
  float fully_masked;          // 0 or NaN: 1 / sum of a row that sees nothing
  float* weights;              // nullptr, or rows of [keys of the caller][slots]
  ptrdiff_t weights_stride;
  uint32_t weight_columns;     // keys of the caller + slots
  bool weights_add;            // add to what is there (average over heads)
  float weights_scale;         // after adding
  float* qt;                   // scratch of the slice, see layout.hpp
  float* ot;
  float* scores;
};

// A whole small module for one batch entry, see Geometry::small(): no masks, no slots.
struct SmallArgs {
  const float* query;
  const float* key;
  const float* value;
  float* out;
  ptrdiff_t query_stride, key_stride, value_stride, out_stride;
  const float *q_panels, *k_panels, *v_panels, *out_panels;  // as in ProjectArgs
  const float *q_bias, *k_bias, *v_bias, *out_bias;
  uint32_t rows, keys, num_heads, head_dim, embed_dim, kdim, vdim;
  float scale;                 // as in AttendArgs
  float fully_masked;
  float* weights;              // nullptr, or rows of keys
  ptrdiff_t weights_stride;
  ptrdiff_t weights_head;      // from one head to the next; 0: the average over heads
  float *q, *k, *v;            // scratch: rows of embed_dim
  ptrdiff_t stride;
  float *qt, *ot, *scores;     // scratch: embed_dim, embed_dim, and twice the keys, times 8
};

// What the bits of an arch's sums are: those of all archs whose multiply-adds round once, those
// of rounding twice, or an order of its own.
enum class Rounding : uint32_t { fused, twice, own };

struct KernelTable {
  const char* name;
  const char* simd;            // xsimd's name of the arch
  uint32_t lanes;
  Rounding rounding;
  void (*project)(const ProjectArgs&);
  void (*attend)(AttendArgs&);      // moves qt and ot while it works, then puts them back
  void (*small)(const SmallArgs&);  // nullptr: no such kernel
  Tiles tiles;                      // for heed plan --explain
};

inline constexpr float kLog2e = 1.44269504088896340736f;

}  // namespace heed
