// forward.cpp - heed_forward: PyTorch's checks in PyTorch's order, then the job.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

struct Inputs {
  const heed_tensor &query, &key, &value;  // key and value default to query and key
  bool batched;
  uint32_t batch_axis, length_axis;        // of a batched tensor
  uint32_t batch, queries, keys;

  Inputs(const heed_call& c, bool batch_first)
      : query(c.query), key(c.key.data || c.key.rank ? c.key : query),
        value(c.value.data || c.value.rank ? c.value : key), batched(query.rank == 3),
        batch_axis(batch_first ? 0 : 1), length_axis(batch_first ? 1 : 0),
        batch(1), queries(0), keys(0) {}
  uint32_t batch_of(const heed_tensor& t) const { return batched ? t.shape[batch_axis] : 1; }
  uint32_t length_of(const heed_tensor& t) const { return t.shape[batched ? length_axis : 0]; }
  void read_lengths() {
    batch = batch_of(query);
    queries = length_of(query);
    keys = length_of(key);
  }
  Rows rows(const heed_tensor& t) const {
    return {static_cast<float*>(t.data), batched ? t.stride[batch_axis] : 0, 0,
            t.stride[batched ? length_axis : 0]};
  }
};

heed_status check_ranks(const heed_call& c, const Inputs& in, heed_error* error) {
  if (in.query.rank != 2 && in.query.rank != 3)
    return Message(error, HEED_ERROR_QUERY_RANK)
           << "query should be unbatched 2-D or batched 3-D, but a " << in.query.rank << "-D tensor came";
  if (in.key.rank != in.query.rank || in.value.rank != in.query.rank)
    return Message(error, HEED_ERROR_KEY_VALUE_RANK)
           << "for a " << in.query.rank << "-D query, key and value should be " << in.query.rank << "-D, but "
           << in.key.rank << "-D and " << in.value.rank << "-D came";
  const heed_tensor &padding = c.key_padding_mask, &mask = c.attn_mask;
  const uint32_t padding_rank = in.batched ? 2 : 1;
  if (padding.data && padding.rank != padding_rank)
    return Message(error, HEED_ERROR_KEY_PADDING_MASK_RANK)
           << "key_padding_mask should be " << padding_rank << "-D, but a " << padding.rank << "-D tensor came";
  const uint32_t most = in.batched ? 4 : 3;
  if (mask.data && (mask.rank < 2 || mask.rank > most))
    return Message(error, HEED_ERROR_ATTN_MASK_RANK)
           << "attn_mask should be 2-D, 3-D" << (in.batched ? " or 4-D" : "") << ", but a " << mask.rank << "-D tensor came";
  return HEED_OK;
}

heed_status check_unbatched_mask(const heed_call& c, const Geometry& g, const Inputs& in, heed_error* error) {
  const uint32_t want[3] = {g.num_heads, in.length_of(in.query), in.length_of(in.key)};
  if (!c.attn_mask.data || in.batched || c.attn_mask.rank != 3 || same_shape(c.attn_mask, 3, want)) return HEED_OK;
  return Message(error, HEED_ERROR_UNBATCHED_ATTN_MASK)
         << "an unbatched 3-D attn_mask should be (num_heads, L, S) = (" << want[0] << ", " << want[1] << ", "
         << want[2] << "), but " << c.attn_mask << " came";
}

heed_status check_shapes(const Geometry& g, const Inputs& in, heed_error* error) {
  const uint32_t last = in.query.rank - 1;
  if (in.query.shape[last] != g.embed_dim)
    return Message(error, HEED_ERROR_EMBED_DIM)
           << "query should have embed_dim = " << g.embed_dim << " features, but " << in.query.shape[last] << " came";
  if (in.length_of(in.key) != in.length_of(in.value) || in.batch_of(in.key) != in.batch_of(in.value))
    return Message(error, HEED_ERROR_KEY_VALUE_SHAPE)
           << "key and value should agree in batch and length, but " << in.key << " and " << in.value << " came";
  if (in.key.shape[last] != g.kdim || in.value.shape[last] != g.vdim)
    return Message(error, HEED_ERROR_KEY_VALUE_DIM)
           << "key and value should have kdim = " << g.kdim << " and vdim = " << g.vdim << " features, but "
           << in.key.shape[last] << " and " << in.value.shape[last] << " came";
  return HEED_OK;
}

heed_status check_attn_mask(const heed_tensor& mask, const Geometry& g, const Inputs& in, heed_error* error) {
  if (!mask.data) return HEED_OK;
  const uint32_t n = in.batch, h = g.num_heads, l = in.queries, s = in.keys;
  const uint32_t two[2] = {l, s}, three[3] = {n * h, l, s}, four[4] = {n, h, l, s};
  if (mask.rank == 2 && !same_shape(mask, 2, two))
    return Message(error, HEED_ERROR_ATTN_MASK_2D)
           << "a 2-D attn_mask should be (L, S) = (" << l << ", " << s << "), but " << mask << " came";
  if (mask.rank == 3 && !same_shape(mask, 3, three))
    return Message(error, HEED_ERROR_ATTN_MASK_3D)
           << "a 3-D attn_mask should be (N*H, L, S) = (" << n * h << ", " << l << ", " << s << "), but " << mask << " came";
  if (mask.rank == 4 && !same_shape(mask, 4, four))
    return Message(error, HEED_ERROR_ATTN_MASK_3D)
           << "a 4-D attn_mask should be (N, H, L, S) = (" << n << ", " << h << ", " << l << ", " << s << "), but "
           << mask << " came";
  return HEED_OK;
}

heed_status check_rest(const heed_call& c, const Inputs& in, heed_error* error) {
  if (in.batch_of(in.key) != in.batch)
    return Message(error, HEED_ERROR_BATCH)
           << "query and key should have the same batch, but " << in.batch << " and " << in.batch_of(in.key) << " came";
  const heed_tensor& padding = c.key_padding_mask;
  const uint32_t batched[2] = {in.batch, in.keys}, *want = in.batched ? batched : batched + 1;
  if (padding.data && !same_shape(padding, in.batched ? 2 : 1, want)) {
    Message m(error, HEED_ERROR_KEY_PADDING_MASK_SHAPE);
    m << "key_padding_mask should be ";
    if (in.batched) m << "(N, S) = (" << in.batch << ", " << in.keys << ")";
    else m << "(S) = (" << in.keys << ")";
    return m << ", but " << padding << " came";
  }
  heed_status status = check_float_rows("query", in.query, error);
  if (status == HEED_OK) status = check_float_rows("key", in.key, error);
  if (status == HEED_OK) status = check_float_rows("value", in.value, error);
  return status;
}

heed_status check_outputs(const heed_call& c, const Geometry& g, const Inputs& in, heed_error* error) {
  if (!same_shape(c.output, in.query.rank, in.query.shape))
    return Message(error, HEED_ERROR_OUTPUT)
           << "output should have the shape of query, " << in.query << ", but " << c.output << " came";
  if (c.output.dtype != HEED_FLOAT32 || (c.output.stride[c.output.rank - 1] != 1 && g.embed_dim > 1))
    return check_float_rows("output", c.output, error);
  if (!c.need_weights) return HEED_OK;
  uint32_t want[4] = {in.batch, g.num_heads, in.queries, in.keys + g.extra_slots()};
  uint32_t *shape = want, rank = 4;
  if (c.average_attn_weights) {
    want[1] = in.batch;
    shape = want + 1;
    rank = 3;
  }
  if (!in.batched) {
    ++shape;
    --rank;
  }
  if (!same_shape(c.attn_weights, rank, shape)) {
    Message m(error, HEED_ERROR_ATTN_WEIGHTS);
    m << "attn_weights should be (";
    for (uint32_t i = 0; i < rank; ++i) m << (i ? ", " : "") << shape[i];
    return m << "), but " << c.attn_weights << " came";
  }
  return check_float_rows("attn_weights", c.attn_weights, error);
}

heed_status check_pointers(const heed_call& c, const Geometry& g, const Inputs& in, heed_error* error) {
  const bool any = in.batch != 0 && in.queries != 0, keys = any && in.keys != 0;
  const char* absent = any && !in.query.data ? "query" : keys && !in.key.data ? "key" : keys && !in.value.data ? "value"
                       : any && !c.output.data ? "output" : nullptr;
  if (absent) return Message(error, HEED_ERROR_NULL) << absent << ".data must not be NULL";
  if (c.need_weights && any && in.keys + g.extra_slots() != 0 && !c.attn_weights.data)
    return Message(error, HEED_ERROR_NULL) << "need_weights is set: attn_weights.data must not be NULL";
  return HEED_OK;
}

heed_status check(const heed_plan& plan, const heed_call& c, Inputs& in, heed_error* error) {
  const Geometry& g = plan.geometry;
  heed_status status = check_ranks(c, in, error);
  if (status == HEED_OK) status = check_unbatched_mask(c, g, in, error);
  if (status == HEED_OK) status = check_mask_dtype("key_padding_mask", c.key_padding_mask, error);
  if (status == HEED_OK) status = check_mask_dtype("attn_mask", c.attn_mask, error);
  if (status == HEED_OK) status = check_options(int(c.causal), int(c.fully_masked), error);
  if (status == HEED_OK) status = check_shapes(g, in, error);
  if (status != HEED_OK) return status;
  in.read_lengths();
  status = check_lengths(plan, in.batch, in.queries, in.keys, error);
  if (status == HEED_OK) status = check_attn_mask(c.attn_mask, g, in, error);
  if (status == HEED_OK) status = check_rest(c, in, error);
  if (status == HEED_OK) status = check_outputs(c, g, in, error);
  if (status == HEED_OK) status = check_pointers(c, g, in, error);
  return status;
}

void read_masks(const heed_call& c, const Geometry& g, const Inputs& in, Job& job) {
  if (c.key_padding_mask.data) {
    job.padding = mask_view(c.key_padding_mask, true);
    job.padding.row_stride = in.batched ? c.key_padding_mask.stride[0] : 0;
    job.padding.key_stride = c.key_padding_mask.stride[in.batched ? 1 : 0];
  }
  const heed_tensor& m = c.attn_mask;
  if (!m.data) return;
  job.mask = mask_view(m, true);
  job.mask.row_stride = m.stride[m.rank - 2];
  job.mask.key_stride = m.stride[m.rank - 1];
  if (m.rank >= 3) job.mask_head = m.stride[m.rank - 3];
  job.mask_batch = m.rank == 4 ? m.stride[0] : job.mask_head * ptrdiff_t(g.num_heads);
}

void read_weights_output(const heed_call& c, const Inputs& in, Job& job) {
  if (!c.need_weights) return;
  const heed_tensor& w = c.attn_weights;
  job.need_weights = true;
  job.average = c.average_attn_weights;
  job.attn_weights = {static_cast<float*>(w.data), in.batched ? w.stride[0] : 0,
                      job.average ? 0 : w.stride[w.rank - 3], w.stride[w.rank - 2]};
}

}  // namespace
}  // namespace heed

heed_status heed_forward(const heed_plan* plan, const void* weights, const heed_call* call, void* workspace,
                         size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !weights || !call || !workspace)
    return Message(error, HEED_ERROR_NULL)
           << (!plan ? "plan" : !weights ? "weights" : !call ? "call" : "workspace") << " must not be NULL";
  if (!is_plan(plan) || !plan->geometry.projects())
    return Message(error, HEED_ERROR_PLAN) << "plan is not one of heed_plan_init";
  if (reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT != 0 || !weights_match(*plan, weights))
    return Message(error, HEED_ERROR_WEIGHTS)
           << "weights are not those that heed_weights_pack made for this configuration, aligned to 64 bytes";
  heed_status status = check_workspace(*plan, workspace, bytes, error);
  if (status != HEED_OK) return status;
  const Geometry& g = plan->geometry;
  Inputs in(*call, g.batch_first);
  status = check(*plan, *call, in, error);
  if (status != HEED_OK) return status;

  Job job;
  job.plan = plan;
  job.weights = static_cast<const unsigned char*>(weights);
  job.workspace = static_cast<unsigned char*>(workspace);
  job.batch = in.batch;
  job.queries = in.queries;
  job.keys = in.keys;
  job.query = in.rows(in.query);
  job.key = in.rows(in.key);
  job.value = in.rows(in.value);
  job.output = in.rows(call->output);
  read_masks(*call, g, in, job);
  read_weights_output(*call, in, job);
  job.causal = call->causal != HEED_CAUSAL_NONE;
  job.causal_offset = causal_offset(call->causal, call->causal_offset, in.queries, in.keys);
  job.scale = plan->scale;
  job.fully_masked = fully_masked_value(call->fully_masked, uint64_t(in.keys) + g.extra_slots());
  job.parallel_for = call->parallel_for;
  job.parallel_context = call->parallel_context;
  run(job);
  return succeed(error);
}
