// small.cpp - whole batch entries of small modules, see Geometry::small().
#include "entry.hpp"

namespace heed {

bool is_small(const Job& job) {
  return job.plan->small && job.keys != 0 && !job.causal && !job.mask.data && !job.padding.data;
}

void run_small(const Entry& e) {
  const Job& job = e.job;
  const WeightsLayout& layout = job.plan->weights;
  unsigned char* const slice = e.slice(0);
  SmallArgs a;
  a.query = job.query.at(e.n, 0, 0);
  a.key = job.key.at(e.n, 0, 0);
  a.value = job.value.at(e.n, 0, 0);
  a.out = job.output.at(e.n, 0, 0);
  a.query_stride = job.query.row;
  a.key_stride = job.key.row;
  a.value_stride = job.value.row;
  a.out_stride = job.output.row;
  a.q_panels = e.packed(layout.q);
  a.k_panels = e.packed(layout.k);
  a.v_panels = e.packed(layout.v);
  a.out_panels = e.packed(layout.out);
  a.q_bias = e.g.bias ? e.packed(layout.q_bias) : nullptr;
  a.k_bias = e.g.bias ? e.packed(layout.k_bias) : nullptr;
  a.v_bias = e.g.bias ? e.packed(layout.v_bias) : nullptr;
  a.out_bias = e.g.bias ? e.packed(layout.out_bias) : nullptr;
  a.rows = job.queries;
  a.keys = job.keys;
  a.num_heads = e.g.num_heads;
  a.head_dim = e.g.head_dim;
  a.embed_dim = e.g.embed_dim;
  a.kdim = e.g.kdim;
  a.vdim = e.g.vdim;
  a.scale = job.scale * kLog2e;
  a.fully_masked = job.fully_masked;
  a.weights = nullptr;
  a.weights_stride = a.weights_head = 0;
  if (job.need_weights) {
    a.weights = job.attn_weights.at(e.n, 0, 0);
    a.weights_stride = job.attn_weights.row;
    a.weights_head = job.attn_weights.head;  // 0 for averaged weights
  }
  a.q = floats(slice, e.w.q);
  a.k = floats(slice, e.w.k);
  a.v = floats(slice, e.w.v);
  a.stride = ptrdiff_t(e.w.k_stride);
  a.qt = floats(slice, e.w.qt);
  a.ot = floats(slice, e.w.ot);
  a.scores = floats(slice, e.w.scores);
  job.plan->kernels->small(a);
}

}  // namespace heed
