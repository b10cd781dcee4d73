// small.cpp - calls of small modules, see Geometry::small(): one kernel per batch entry.
#include "core/subnormal.hpp"
#include "entry.hpp"

namespace heed {

bool run_small(const Job& job) {
  const heed_plan& plan = *job.plan;
  if (!plan.small || job.batch == 0 || job.keys == 0 || job.causal || job.mask.data || job.padding.data) return false;
  const WeightsLayout& layout = plan.weights;
  const bool bias = plan.geometry.bias;
  unsigned char* const slice = job.workspace + plan.workspace.slices;
  SmallArgs a;
  a.query = job.query.data;
  a.key = job.key.data;
  a.value = job.value.data;
  a.out = job.output.data;
  a.query_stride = job.query.row;
  a.key_stride = job.key.row;
  a.value_stride = job.value.row;
  a.out_stride = job.output.row;
  a.q_panels = floats(job.weights, layout.q);
  a.k_panels = floats(job.weights, layout.k);
  a.v_panels = floats(job.weights, layout.v);
  a.out_panels = floats(job.weights, layout.out);
  a.q_bias = bias ? floats(job.weights, layout.q_bias) : nullptr;
  a.k_bias = bias ? floats(job.weights, layout.k_bias) : nullptr;
  a.v_bias = bias ? floats(job.weights, layout.v_bias) : nullptr;
  a.out_bias = bias ? floats(job.weights, layout.out_bias) : nullptr;
  a.rows = job.queries;
  a.keys = job.keys;
  a.num_heads = plan.geometry.num_heads;
  a.head_dim = plan.geometry.head_dim;
  a.embed_dim = plan.geometry.embed_dim;
  a.kdim = plan.geometry.kdim;
  a.vdim = plan.geometry.vdim;
  a.scale = job.scale * kLog2e;
  a.fully_masked = job.fully_masked;
  a.weights = nullptr;
  a.weights_stride = a.weights_head = 0;
  if (job.need_weights) {
    a.weights = job.attn_weights.data;
    a.weights_stride = job.attn_weights.row;
    a.weights_head = job.attn_weights.head;  // 0 for averaged weights
  }
  a.q = floats(slice, plan.workspace.q);
  a.k = floats(slice, plan.workspace.k);
  a.v = floats(slice, plan.workspace.v);
  a.stride = ptrdiff_t(plan.workspace.k_stride);
  a.qt = floats(slice, plan.workspace.qt);
  a.ot = floats(slice, plan.workspace.ot);
  a.scores = floats(slice, plan.workspace.scores);
  const SubnormalsAreZero while_it_runs;
  for (uint32_t n = 1;; ++n) {
    plan.kernels->small(a);
    if (n == job.batch) return true;
    a.query += job.query.batch;
    a.key += job.key.batch;
    a.value += job.value.batch;
    a.out += job.output.batch;
    if (a.weights) a.weights += job.attn_weights.batch;
  }
}

}  // namespace heed
