// attention.cpp - runs a checked job: batch entry by batch entry, in slices.
//
// Heads come in groups, whose keys, values and queries are projected together. A slice works
// either on some of the groups, or on some of the tokens of all groups:
//
//   heads    every slice projects and attends its own groups; one parallel step
//   tokens   for as many groups at a time as there are slices: all slices project keys and
//            values, then all attend; two steps per turn. For few groups, and for averaged
//            weights, which are summed over heads in order.
//
// The output projection is one more step, in slices of tokens. What is computed for a query
// does not depend on which slice does it.
#include "core/choice.hpp"
#include "core/subnormal.hpp"
#include "entry.hpp"

namespace heed {
namespace {

using Step = void (*)(const Entry&, uint32_t slice);

// The floating-point control is heed's within a step alone: the caller's parallel_for has the caller's.
HEED_APART void run_step(const Entry& e, Step step, uint32_t slice) {
  const SubnormalsAreZero while_it_runs;
  step(e, slice);
}

void parallel(const Entry& e, Step step) {
  struct Task {
    const Entry& entry;
    Step step;
  } task{e, step};
  const heed_task one = [](void* t, uint32_t i) { run_step(static_cast<Task*>(t)->entry, static_cast<Task*>(t)->step, i); };
  if (e.job.parallel_for && e.slices() > 1) return e.job.parallel_for(e.job.parallel_context, e.slices(), one, &task);
  for (uint32_t i = 0; i < e.slices(); ++i) run_step(e, step, i);
}

// ---- keys and values of a group ---------------------------------------------------------

// Heads [first, last), and where their features are.
struct Group {
  uint32_t first, last, head_dim;
  Group(const Entry& e, uint32_t group)
      : first(group * e.g.group), last(first + e.g.group), head_dim(e.g.head_dim) {
    if (last > e.g.num_heads) last = e.g.num_heads;
  }
  uint32_t first_feature() const { return first * head_dim; }
  uint32_t features() const { return (last - first) * head_dim; }
};

// Of keys or values: the learned ones, then zeros, as far as there are such.
__attribute__((noinline)) void store_slots(const Entry& e, const Group& group, float* to, uint32_t stride,
                                           size_t learned) {
  const float* from = e.g.add_bias_kv ? e.packed(learned) + group.first_feature() : nullptr;
  for (uint32_t slot = 0; slot < e.slots; ++slot, to += stride, from = nullptr)
    for (uint32_t i = 0; i < group.features(); ++i) to[i] = from ? from[i] : 0.0f;
}

// From all features of an input to [first, last) of a matrix's.
HEED_APART ProjectArgs projection(const Entry& e, size_t panels, size_t bias, uint32_t depth, uint32_t first,
                                  uint32_t last) {
  ProjectArgs p{};
  p.panels = e.packed(panels);
  p.bias = e.g.bias ? e.packed(bias) : nullptr;
  p.depth = depth;
  p.first = first;
  p.last = last;
  return p;
}

// Positions [first, last) of `group` into slice i's k and v.
void project_keys_values(const Entry& e, const Group& group, uint32_t i, uint32_t first, uint32_t last) {
  if (first >= last) return;
  const WeightsLayout& layout = e.job.plan->weights;
  unsigned char* const slice = e.slice(i);
  float *const k = floats(slice, e.w.k), *const v = floats(slice, e.w.v);
  if (kWithBiasKv && first == 0) {
    store_slots(e, group, k, e.w.k_stride, layout.bias_k);
    store_slots(e, group, v, e.w.v_stride, layout.bias_v);
  }
  const uint32_t f = group.first_feature(), end = f + group.features();
  ProjectArgs both[2] = {projection(e, layout.k, layout.k_bias, e.g.kdim, f, end),
                         projection(e, layout.v, layout.v_bias, e.g.vdim, f, end)};
  for (uint32_t j = first < e.slots ? e.slots : first, rows; j < last; j += rows) {
    rows = row_block(last - j);
    for (ProjectArgs& p : both) {
      const bool is_key = &p == both;
      const Rows& from = is_key ? e.job.key : e.job.value;
      const uint32_t stride = is_key ? e.w.k_stride : e.w.v_stride;
      p.rows = rows;
      p.visible = e.visible ? e.visible + j : nullptr;
      p.a = from.at(e.n, 0, j - e.slots);
      p.a_stride = from.row;
      p.c = (is_key ? k : v) + j * size_t(stride);
      p.c_stride = ptrdiff_t(stride);
      e.job.plan->kernels->project(p);
    }
  }
}

// ---- queries -----------------------------------------------------------------------------

__attribute__((noinline)) void find_finite(const Entry& e, const float* v, ptrdiff_t stride, uint8_t* finite) {
  for (uint32_t b = 0; b < e.positions; b += kKeyBlock) {
    const uint32_t end = e.positions - b < kKeyBlock ? e.positions : b + kKeyBlock;
    uint32_t bad = 0;
    for (uint32_t j = b; j < end; ++j) {
      if (e.visible && !e.visible[j]) continue;
      const float* row = v + ptrdiff_t(j) * stride;
      for (uint32_t i = 0; i < e.g.value_dim; ++i) {
        uint32_t bits;
        __builtin_memcpy(&bits, row + i, sizeof bits);
        bad |= uint32_t((bits & 0x7f800000u) == 0x7f800000u);
      }
    }
    finite[b / kKeyBlock] = bad == 0;
  }
}

// What all blocks of queries of a head have in common; `kv` is the slice that holds k and v.
AttendArgs head_args(const Entry& e, const Group& group, uint32_t head, uint32_t i, uint32_t kv) {
  AttendArgs a{};
  unsigned char *const own = e.slice(i), *const shared = e.slice(kv);
  const uint32_t in_group = head - group.first;
  if (e.projects()) {
    a.k = floats(shared, e.w.k) + in_group * e.g.head_dim;
    a.v = floats(shared, e.w.v) + in_group * e.g.value_dim;
    a.k_stride = ptrdiff_t(e.w.k_stride);
    a.v_stride = ptrdiff_t(e.w.v_stride);
  } else {
    const uint32_t kv_head = head / (e.g.num_heads / e.g.num_kv_heads);
    a.k = e.job.key.at(e.n, kv_head, 0);
    a.v = e.job.value.at(e.n, kv_head, 0);
    a.k_stride = e.job.key.row;
    a.v_stride = e.job.value.row;
  }
  // A byte per key block: is the head's v free of NaN and infinities there?
  if (e.may_hide_values) a.finite = own + e.w.finite + in_group * ((e.positions + kKeyBlock - 1) / kKeyBlock);
  a.head_dim = e.g.head_dim;
  a.value_dim = e.g.value_dim;
  a.slots = e.slots;
  a.positions = e.positions;
  a.scale = e.job.scale * kLog2e;
  a.visible = e.visible;
  a.position_bias = e.position_bias;
  a.causal = e.job.causal;
  a.mask = e.job.mask;
  a.fully_masked = e.job.fully_masked;
  a.qt = floats(own, e.w.qt);
  a.ot = floats(own, e.w.ot);
  a.scores = floats(own, e.w.scores);
  return a;
}

const void* mask_row(const Job& job, uint32_t n, uint32_t head, uint32_t row) {
  const ptrdiff_t at = ptrdiff_t(n) * job.mask_batch + ptrdiff_t(head) * job.mask_head +
                       ptrdiff_t(row) * job.mask.row_stride;
  return static_cast<const unsigned char*>(job.mask.data) + at * (job.mask.is_float ? ptrdiff_t(sizeof(float)) : 1);
}

// A caller's rows of one head are new to the cache, and too short for it to see a pattern. Apart, as find_finite is:
// what its loop needs is not on the stack while attention runs.
enum class Access { kRead, kWrite };
template <Access access>
__attribute__((noinline)) void prefetch(const float* row, ptrdiff_t stride, uint32_t rows, uint32_t columns) {
  if (kForSize) return;
  constexpr uint32_t kLine = HEED_ALIGNMENT / sizeof(float);
  for (uint32_t r = 0; r < rows; ++r, row += stride)
    for (uint32_t i = 0; i < columns; i += kLine) __builtin_prefetch(row + i, access == Access::kWrite, 2);
}

void project_queries(const Entry& e, const Group& group, uint32_t i, uint32_t row, uint32_t rows) {
  const WeightsLayout& layout = e.job.plan->weights;
  const uint32_t first = group.first_feature();
  ProjectArgs p = projection(e, layout.q, layout.q_bias, e.g.embed_dim, first, first + group.features());
  p.a = e.job.query.at(e.n, 0, row);
  p.a_stride = e.job.query.row;
  p.c = floats(e.slice(i), e.w.q);
  p.c_stride = ptrdiff_t(e.w.k_stride);
  p.rows = rows;
  e.job.plan->kernels->project(p);
}

// A block of queries, from `row` on, of one head: projected (MHA), or where they lie (SDPA). The
// first of a slice finds out about the head's values.
void attend_block(const Entry& e, const Group& group, uint32_t head, uint32_t i, uint32_t kv, uint32_t row,
                  uint32_t rows, bool first) {
  const Job& job = e.job;
  AttendArgs a = head_args(e, group, head, i, kv);
  if (a.finite && first) find_finite(e, a.v, a.v_stride, const_cast<uint8_t*>(a.finite));  // in our own workspace
  a.rows = rows;
  if (e.projects()) {
    a.q = floats(e.slice(i), e.w.q) + (head - group.first) * e.g.head_dim;
    a.q_stride = ptrdiff_t(e.w.k_stride);
    a.out = e.heads_row(row) + head * e.g.value_dim;
    a.out_stride = ptrdiff_t(e.w.heads_stride);
  } else {
    a.q = job.query.at(e.n, head, row);
    a.q_stride = job.query.row;
    a.out = job.output.at(e.n, head, row);
    a.out_stride = job.output.row;
    prefetch<Access::kWrite>(a.out, a.out_stride, rows, e.g.value_dim);
  }
  a.limit = int32_t(e.slots + row) + job.causal_offset + 1;
  if (kWithMasks && job.mask.data) a.mask.data = mask_row(job, e.n, head, row);
  if (kWithWeightsOutput && job.need_weights) {
    a.weights = job.attn_weights.at(e.n, head, row);  // of the average, all heads have the same
    a.weights_stride = job.attn_weights.row;
    a.weight_columns = e.slots + job.keys;
    a.weights_add = job.average && head != 0;
    a.weights_scale = job.average && head + 1 == e.g.num_heads ? 1.0f / float(e.g.num_heads) : 1.0f;
  }
  job.plan->kernels->attend(a);
}

// Queries [first, last) of a group.
void attend_queries(const Entry& e, const Group& group, uint32_t i, uint32_t kv, uint32_t first, uint32_t last) {
  if (first >= last) return;
  for (uint32_t row = first, next; row < last; row = next) {
    const uint32_t rows = query_block(e.job.plan->kernels->tiles, e.job.plan->kernels->lanes, last - row);
    next = row + rows;
    if (e.projects()) project_queries(e, group, i, row, rows);
    else prefetch<Access::kRead>(e.job.query.at(e.n, group.first, next), e.job.query.row,
                                 last - next < kQueryBlock ? last - next : kQueryBlock, e.g.head_dim);
    for (uint32_t h = group.first; h < group.last; ++h) attend_block(e, group, h, i, kv, row, rows, row == first);
  }
}

// ---- steps -------------------------------------------------------------------------------

void own_groups(const Entry& e, uint32_t i) {
  for (uint32_t j = e.part(e.g.groups(), i); j < e.part(e.g.groups(), i + 1); ++j) {
    const Group group(e, j);
    if (e.projects()) project_keys_values(e, group, i, 0, e.positions);
    attend_queries(e, group, i, i, 0, e.job.queries);
  }
}

void shared_keys_values(const Entry& e, uint32_t i) {
  for (uint32_t j = 0; j < e.groups; ++j)
    project_keys_values(e, Group(e, e.first_group + j), j, e.part(e.positions, i), e.part(e.positions, i + 1));
}

// Slice i's part of the queries, in whole panels.
struct Queries {
  uint32_t first, last;
};
HEED_APART Queries queries_of(const Entry& e, uint32_t i) {
  const uint32_t blocks = (e.job.queries + kPanel - 1) / kPanel, end = e.part(blocks, i + 1) * kPanel;
  return {e.part(blocks, i) * kPanel, end < e.job.queries ? end : e.job.queries};
}

void shared_queries(const Entry& e, uint32_t i) {
  const Queries own = queries_of(e, i);
  for (uint32_t j = 0; j < e.groups; ++j) attend_queries(e, Group(e, e.first_group + j), i, j, own.first, own.last);
}

void project_output(const Entry& e, uint32_t i) {
  const Queries own = queries_of(e, i);
  const WeightsLayout& layout = e.job.plan->weights;
  ProjectArgs p = projection(e, layout.out, layout.out_bias, e.g.embed_dim, 0, e.g.embed_dim);
  p.a_stride = ptrdiff_t(e.w.heads_stride);
  p.c_stride = e.job.output.row;
  for (uint32_t row = own.first; row < own.last; row += p.rows) {
    p.rows = row_block(own.last - row);
    p.a = e.heads_row(row);
    p.c = e.job.output.at(e.n, 0, row);
    e.job.plan->kernels->project(p);
  }
}

void run_entry(Entry& e) {
  if constexpr (kForSize) {
    find_positions(e);  // subnormal terms are found to be 0 when they are read
  } else {
    const SubnormalsAreZero while_it_runs;
    find_positions(e);
  }
  if (split_heads(e.g, e.job.need_weights && e.job.average)) {
    parallel(e, own_groups);
  } else {
    for (uint32_t j = 0; j < e.g.groups(); j += e.groups) {
      e.first_group = j;
      e.groups = e.g.groups() - j < e.slices() ? e.g.groups() - j : e.slices();
      if (e.projects()) parallel(e, shared_keys_values);
      parallel(e, shared_queries);
    }
  }
  if (e.projects()) parallel(e, project_output);
}

}  // namespace

void run(const Job& job) {
  if (job.queries == 0) return;
  if (!kForSize && run_small(job)) return;
  for (uint32_t n = 0; n < job.batch; ++n) {
    Entry e(job, n);
    run_entry(e);
  }
}

}  // namespace heed
