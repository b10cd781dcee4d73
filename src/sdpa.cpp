// sdpa.cpp - heed_scaled_dot_product_attention: checks, then the job.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

// (N, H, T, D), or (H, T, D) when unbatched.
struct Axes {
  uint32_t lead;  // 1 when batched
  uint32_t batch(const heed_tensor& t) const { return lead ? t.shape[0] : 1; }
  uint32_t heads(const heed_tensor& t) const { return t.shape[lead]; }
  uint32_t length(const heed_tensor& t) const { return t.shape[lead + 1]; }
  uint32_t dim(const heed_tensor& t) const { return t.shape[lead + 2]; }
  Rows rows(const heed_tensor& t) const {
    return {static_cast<float*>(t.data), lead ? t.stride[0] : 0, t.stride[lead], t.stride[lead + 1]};
  }
};

heed_status check_inputs(const Geometry& g, const heed_sdpa_call& c, const Axes& a, heed_error* error) {
  if (a.heads(c.query) != g.num_heads || a.dim(c.query) != g.head_dim)
    return Message(error, HEED_ERROR_EMBED_DIM)
           << "query should have num_heads = " << g.num_heads << " and head_dim = " << g.head_dim << ", but "
           << c.query << " came";
  if (a.batch(c.key) != a.batch(c.value) || a.length(c.key) != a.length(c.value))
    return Message(error, HEED_ERROR_KEY_VALUE_SHAPE)
           << "key and value should agree in batch and length, but " << c.key << " and " << c.value << " came";
  if (a.heads(c.key) != g.num_kv_heads || a.heads(c.value) != g.num_kv_heads || a.dim(c.key) != g.head_dim ||
      a.dim(c.value) != g.value_dim)
    return Message(error, HEED_ERROR_KEY_VALUE_DIM)
           << "key and value should have num_kv_heads = " << g.num_kv_heads << ", head_dim = " << g.head_dim
           << " and value_dim = " << g.value_dim << ", but " << c.key << " and " << c.value << " came";
  if (a.batch(c.key) != a.batch(c.query))
    return Message(error, HEED_ERROR_BATCH) << "query and key should have the same batch, but " << a.batch(c.query)
                                            << " and " << a.batch(c.key) << " came";
  heed_status status = check_float_rows("query", c.query, error);
  if (status == HEED_OK) status = check_float_rows("key", c.key, error);
  if (status == HEED_OK) status = check_float_rows("value", c.value, error);
  return status;
}

// attn_mask broadcasts to (N, H, L, S) from the right.
heed_status check_mask(const heed_sdpa_call& c, const uint32_t (&full)[4], heed_error* error) {
  const heed_tensor& m = c.attn_mask;
  if (!m.data) return HEED_OK;
  if (m.rank < 1 || m.rank > 4)
    return Message(error, HEED_ERROR_ATTN_MASK_RANK) << "attn_mask should be 1-D to 4-D, but a " << m.rank << "-D tensor came";
  for (uint32_t i = 0; i < m.rank; ++i) {
    if (m.shape[i] == 1 || m.shape[i] == full[4 - m.rank + i]) continue;
    return Message(error, HEED_ERROR_ATTN_MASK_3D)
           << "attn_mask should broadcast to (N, H, L, S) = (" << full[0] << ", " << full[1] << ", " << full[2] << ", "
           << full[3] << "), but " << m << " came";
  }
  return HEED_OK;
}

heed_status check_results(const heed_sdpa_call& c, const Geometry& g, const Axes& a, const uint32_t (&full)[4],
                          heed_error* error) {
  const uint32_t out[4] = {full[0], full[1], full[2], g.value_dim};
  if (!same_shape(c.output, 3 + a.lead, out + 1 - a.lead))
    return Message(error, HEED_ERROR_OUTPUT)
           << "output should be (N, H, L, value_dim) = (" << out[0] << ", " << out[1] << ", " << out[2] << ", " << out[3]
           << ") or without N as query, but " << c.output << " came";
  heed_status status = check_float_rows("output", c.output, error);
  if (status != HEED_OK || !c.need_weights) return status;
  if (!same_shape(c.attn_weights, 3 + a.lead, full + 1 - a.lead))
    return Message(error, HEED_ERROR_ATTN_WEIGHTS)
           << "attn_weights should be (N, H, L, S) = (" << full[0] << ", " << full[1] << ", " << full[2] << ", " << full[3]
           << ") or without N as query, but " << c.attn_weights << " came";
  return check_float_rows("attn_weights", c.attn_weights, error);
}

heed_status check_pointers(const heed_sdpa_call& c, const uint32_t (&full)[4], heed_error* error) {
  const bool any = full[0] && full[2], keys = any && full[3];
  const char* absent = any && !c.query.data ? "query" : keys && !c.key.data ? "key" : keys && !c.value.data ? "value"
                       : any && !c.output.data ? "output" : keys && c.need_weights && !c.attn_weights.data ? "attn_weights" : nullptr;
  if (absent) return Message(error, HEED_ERROR_NULL) << absent << ".data must not be NULL";
  return HEED_OK;
}

heed_status check_ranks(const heed_sdpa_call& c, heed_error* error) {
  if (c.query.rank != 3 && c.query.rank != 4)
    return Message(error, HEED_ERROR_QUERY_RANK)
           << "query should be (N, H, L, D) or unbatched (H, L, D), but a " << c.query.rank << "-D tensor came";
  if (c.key.rank != c.query.rank || c.value.rank != c.query.rank)
    return Message(error, HEED_ERROR_KEY_VALUE_RANK)
           << "key and value should have the rank of query, " << c.query.rank << ", but " << c.key.rank << " and "
           << c.value.rank << " came";
  return HEED_OK;
}

void read_mask(const heed_tensor& m, Job& job) {
  if (!m.data) return;
  job.mask = mask_view(m, false);  // SDPA: true takes part, false hides
  const auto stride = [&](uint32_t axis) {  // of (N, H, L, S)
    if (axis + m.rank < 4) return ptrdiff_t(0);
    const uint32_t i = axis + m.rank - 4;
    return m.shape[i] == 1 ? ptrdiff_t(0) : m.stride[i];
  };
  job.mask_batch = stride(0);
  job.mask_head = stride(1);
  job.mask.row_stride = stride(2);
  job.mask.key_stride = stride(3);
}

}  // namespace
}  // namespace heed

heed_status heed_scaled_dot_product_attention(const heed_plan* plan, const heed_sdpa_call* call, void* workspace,
                                              size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !call || !workspace)
    return Message(error, HEED_ERROR_NULL) << (!plan ? "plan" : !call ? "call" : "workspace") << " must not be NULL";
  if (!is_plan(plan) || plan->geometry.projects())
    return Message(error, HEED_ERROR_PLAN) << "plan is not one of heed_sdpa_plan_init";
  const heed_sdpa_call& c = *call;
  const Geometry& g = plan->geometry;
  heed_status status = check_workspace(*plan, workspace, bytes, error);
  if (status == HEED_OK) status = check_ranks(c, error);
  if (status == HEED_OK) status = check_mask_dtype("attn_mask", c.attn_mask, error);
  if (status == HEED_OK) status = check_options(int(c.causal), int(c.fully_masked), error);
  if (status != HEED_OK) return status;
  const Axes a{c.query.rank - 3};
  status = check_inputs(g, c, a, error);
  if (status != HEED_OK) return status;
  const uint32_t full[4] = {a.batch(c.query), g.num_heads, a.length(c.query), a.length(c.key)};
  status = check_lengths(*plan, full[0], full[2], full[3], error);
  if (status == HEED_OK) status = check_mask(c, full, error);
  if (status == HEED_OK) status = check_results(c, g, a, full, error);
  if (status == HEED_OK) status = check_pointers(c, full, error);
  if (status != HEED_OK) return status;

  Job job;
  job.plan = plan;
  job.workspace = static_cast<unsigned char*>(workspace);
  job.batch = full[0];
  job.queries = full[2];
  job.keys = full[3];
  job.query = a.rows(c.query);
  job.key = a.rows(c.key);
  job.value = a.rows(c.value);
  job.output = a.rows(c.output);
  if (c.need_weights) job.attn_weights = a.rows(c.attn_weights);
  read_mask(c.attn_mask, job);
  job.causal = c.causal != HEED_CAUSAL_NONE;
  job.causal_offset = causal_offset(c.causal, c.causal_offset, full[2], full[3]);
  job.need_weights = c.need_weights;
  job.scale = c.has_scale ? c.scale : 1.0f / __builtin_sqrtf(float(g.head_dim));
  job.fully_masked = fully_masked_value(c.fully_masked, full[3]);
  job.parallel_for = c.parallel_for;
  job.parallel_context = c.parallel_context;
  run(job);
  return succeed(error);
}
