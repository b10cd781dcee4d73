// check.cpp - the checks of a call, the same for both operations: PyTorch's, in PyTorch's order.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

bool same_shape(const heed_tensor& t, const Shape& want) {
  bool same = t.rank == want.rank;
  for (uint32_t i = 0; same && i < want.rank; ++i) same = t.shape[i] == want.size[i];
  return same;
}

}  // namespace

heed_status check_rows(const char* name, const heed_tensor& t, heed_error* error) {
  if (t.dtype != HEED_FLOAT32) return refuse(error, HEED_ERROR_DTYPE, "% must be float32, but bool came", name);
  const ptrdiff_t stride = t.stride[t.rank - 1];
  if (stride != 1 && t.shape[t.rank - 1] > 1)
    return refuse(error, HEED_ERROR_STRIDE,
                  "the elements of a row of % must lie side by side: the last stride must be 1, but % came", name,
                  stride);
  return HEED_OK;
}

namespace {

heed_status check_result(heed_status wrong_shape, const char* name, const heed_tensor& t, const Shape& want,
                         heed_error* error) {
  if (!same_shape(t, want)) return refuse(error, wrong_shape, "% should have shape %, but % came", name, &want, &t);
  return check_rows(name, t, error);
}

// Ranks of all inputs; finds the axes.
heed_status check_ranks(Request& in) {
  const uint32_t rank = in.query->rank, least = in.projects() ? 2 : 3;
  if (rank != least && rank != least + 1)
    return refuse(in.error, HEED_ERROR_QUERY_RANK, "query should be unbatched %-D or batched %-D, but a %-D tensor came",
                  least, least + 1, rank);
  if (in.key->rank != rank || in.value->rank != rank)
    return refuse(in.error, HEED_ERROR_KEY_VALUE_RANK, "for a %-D query, key and value should be %-D, but %-D and %-D came",
                  rank, rank, in.key->rank, in.value->rank);
  in.batched = rank != least;
  in.head_axis = in.batched;
  in.length_axis = rank - 2;
  if (in.projects() && in.batched && !in.geometry().batch_first) {
    in.batch_axis = 1;
    in.length_axis = 0;
  }
  if (!kWithMasks) return HEED_OK;
  const uint32_t padding_rank = 1 + uint32_t(in.batched);
  if (in.key_padding_mask && in.key_padding_mask->rank != padding_rank)
    return refuse(in.error, HEED_ERROR_KEY_PADDING_MASK_RANK, "key_padding_mask should be %-D, but a %-D tensor came",
                  padding_rank, in.key_padding_mask->rank);
  const uint32_t lowest = in.projects() ? 2 : 1, highest = in.projects() && !in.batched ? 3 : 4;
  if (in.attn_mask && (in.attn_mask->rank < lowest || in.attn_mask->rank > highest))
    return refuse(in.error, HEED_ERROR_ATTN_MASK_RANK, "attn_mask should be %-D to %-D, but a %-D tensor came", lowest,
                  highest, in.attn_mask->rank);
  return HEED_OK;
}

heed_status check_mask_dtype(const char* name, const heed_tensor* t, heed_error* error) {
  if (!t || t->dtype == HEED_FLOAT32 || t->dtype == HEED_BOOL) return HEED_OK;
  return refuse(error, HEED_ERROR_MASK_DTYPE, "only bool and float32 are supported for %, but dtype % came", name,
                int(t->dtype));
}

// attn_mask is (L, S), (N*H, L, S), unbatched (H, L, S), or (N, H, L, S); SDPA's broadcasts to
// the last of these from the right.
heed_status check_attn_mask(const Request& in, heed_status wrong) {
  if (!in.attn_mask) return HEED_OK;
  const heed_tensor& m = *in.attn_mask;
  Shape want{4, {in.batch, in.geometry().num_heads, in.queries, in.keys}};
  if (!in.projects()) {
    bool fits = true;
    for (uint32_t i = 0; i < m.rank; ++i) fits &= m.shape[i] == 1 || m.shape[i] == want.size[4 - m.rank + i];
    if (fits) return HEED_OK;
    return refuse(in.error, HEED_ERROR_ATTN_MASK_3D, "attn_mask should broadcast to (N, H, L, S) = %, but % came", &want, &m);
  }
  const char* leading = m.rank == 4 ? "N, H, " : m.rank == 2 ? "" : in.batched ? "N*H, " : "num_heads, ";
  if (m.rank == 3) want.size[1] *= in.batch;
  const uint32_t skipped = 4 - m.rank;
  for (uint32_t i = 0; i < m.rank; ++i) want.size[i] = want.size[i + skipped];
  want.rank = m.rank;
  if (same_shape(m, want)) return HEED_OK;
  return refuse(in.error, wrong, "a %-D attn_mask should be (%L, S) = %, but % came", m.rank, leading, &want, &m);
}

heed_status check_options(const Request& in) {
  if (in.causal < HEED_CAUSAL_NONE || in.causal > HEED_CAUSAL_OFFSET)
    return refuse(in.error, HEED_ERROR_CAUSAL, "causal must be a heed_causal, 0 to 3, but % came", in.causal);
  if (!kWithCausal && in.causal != HEED_CAUSAL_NONE) return refuse_feature(in.error, "HEED_WITH_CAUSAL");
  if (in.fully_masked != HEED_FULLY_MASKED_ZERO && in.fully_masked != HEED_FULLY_MASKED_NAN)
    return refuse(in.error, HEED_ERROR_OPTION, "fully_masked must be a heed_fully_masked, 0 or 1, but % came",
                  in.fully_masked);
  return HEED_OK;
}

// Features and heads of query, key and value.
heed_status check_dims(const Request& in) {
  const Geometry& g = in.geometry();
  const heed_tensor &q = *in.query, &k = *in.key, &v = *in.value;
  const uint32_t last = q.rank - 1, h = in.head_axis;
  const bool split = !in.projects();  // into heads, by the caller
  if (!split && q.shape[last] != g.embed_dim)
    return refuse(in.error, HEED_ERROR_EMBED_DIM, "query should have embed_dim = % features, but % came", g.embed_dim,
                  q.shape[last]);
  if (split && (q.shape[h] != g.num_heads || q.shape[last] != g.head_dim))
    return refuse(in.error, HEED_ERROR_EMBED_DIM, "query should have num_heads = % and head_dim = %, but % came", g.num_heads,
                  g.head_dim, &q);
  if (in.length_of(&k) != in.length_of(&v) || in.batch_of(&k) != in.batch_of(&v))
    return refuse(in.error, HEED_ERROR_KEY_VALUE_SHAPE, "key and value should agree in batch and length, but % and % came",
                  &k, &v);
  if (!split && (k.shape[last] != g.kdim || v.shape[last] != g.vdim))
    return refuse(in.error, HEED_ERROR_KEY_VALUE_DIM,
                  "key and value should have kdim = % and vdim = % features, but % and % came", g.kdim, g.vdim,
                  k.shape[last], v.shape[last]);
  if (split && (k.shape[h] != g.num_kv_heads || v.shape[h] != g.num_kv_heads || k.shape[last] != g.head_dim ||
                v.shape[last] != g.value_dim))
    return refuse(in.error, HEED_ERROR_KEY_VALUE_DIM,
                  "key and value should have num_kv_heads = %, head_dim = % and value_dim = %, but % and % came",
                  g.num_kv_heads, g.head_dim, g.value_dim, &k, &v);
  return HEED_OK;
}

heed_status check_limit(const char* name, uint32_t limit, uint32_t came, heed_error* error) {
  if (came <= limit) return HEED_OK;
  return refuse(error, HEED_ERROR_LIMIT, "the plan was made for % = %, but % came", name, limit, came);
}

heed_status check_batch_and_padding(const Request& in) {
  if (in.batch_of(in.key) != in.batch)
    return refuse(in.error, HEED_ERROR_BATCH, "query and key should have the same batch, but % and % came", in.batch,
                  in.batch_of(in.key));
  if (!in.key_padding_mask) return HEED_OK;
  Shape want{1, {in.keys}};
  if (in.batched) want = {2, {in.batch, in.keys}};
  if (same_shape(*in.key_padding_mask, want)) return HEED_OK;
  return refuse(in.error, HEED_ERROR_KEY_PADDING_MASK_SHAPE, "key_padding_mask should be (%S) = %, but % came",
                in.batched ? "N, " : "", &want, in.key_padding_mask);
}

heed_status check_results(const Request& in) {
  const Geometry& g = in.geometry();
  Shape want{in.query->rank, {}};
  for (uint32_t i = 0; i < want.rank; ++i) want.size[i] = in.query->shape[i];
  if (!in.projects()) want.size[want.rank - 1] = g.value_dim;
  const heed_status status = check_result(HEED_ERROR_OUTPUT, "output", *in.output, want, in.error);
  if (status != HEED_OK || !kWithWeightsOutput || !in.need_weights) return status;
  want.rank = 0;
  if (in.batched) want.size[want.rank++] = in.batch;
  if (!in.average) want.size[want.rank++] = g.num_heads;
  want.size[want.rank++] = in.queries;
  want.size[want.rank++] = in.keys + g.extra_slots();
  return check_result(HEED_ERROR_ATTN_WEIGHTS, "attn_weights", *in.attn_weights, want, in.error);
}

heed_status check_data(const Request& in) {
  const bool any = in.batch != 0 && in.queries != 0, keys = any && in.keys != 0;
  const char* absent = nullptr;
  if (kWithWeightsOutput && in.need_weights && any && in.keys + in.geometry().extra_slots() != 0 && !in.attn_weights->data)
    absent = "attn_weights.data";
  if (any && !in.output->data) absent = "output.data";
  if (keys && !in.value->data) absent = "value.data";
  if (keys && !in.key->data) absent = "key.data";
  if (any && !in.query->data) absent = "query.data";
  return absent ? refuse_null(in.error, absent) : HEED_OK;
}

}  // namespace

heed_status check_plan(const heed_plan* plan, bool projects, heed_error* error) {
  if (is_plan(plan) && plan->geometry.projects() == projects) return HEED_OK;
  return refuse(error, HEED_ERROR_PLAN, "plan is not one of heed_%plan_init", projects ? "" : "sdpa_");
}

heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error) {
  if (reinterpret_cast<uintptr_t>(workspace) % HEED_ALIGNMENT != 0) return refuse_alignment(error, "workspace");
  return check_room("the workspace needs", plan.workspace.bytes, bytes, error);
}

heed_status check(Request& in) {
  if (!kWithMasks && (in.attn_mask || in.key_padding_mask)) return refuse_feature(in.error, "HEED_WITH_MASKS");
  if (!kWithWeightsOutput && in.need_weights) return refuse_feature(in.error, "HEED_WITH_WEIGHTS_OUTPUT");
  heed_status status = check_ranks(in);
  if (status != HEED_OK) return status;
  in.batch = in.batch_of(in.query);
  in.queries = in.length_of(in.query);
  in.keys = in.length_of(in.key);
  const bool early = kWithMasks && in.projects() && !in.batched && in.attn_mask && in.attn_mask->rank == 3;
  if (early) status = check_attn_mask(in, HEED_ERROR_UNBATCHED_ATTN_MASK);
  if (kWithMasks && status == HEED_OK) status = check_mask_dtype("key_padding_mask", in.key_padding_mask, in.error);
  if (kWithMasks && status == HEED_OK) status = check_mask_dtype("attn_mask", in.attn_mask, in.error);
  if (status == HEED_OK) status = check_options(in);
  if (status == HEED_OK) status = check_dims(in);
  const Geometry& g = in.geometry();
  if (status == HEED_OK) status = check_limit("max_batch", g.max_batch, in.batch, in.error);
  if (status == HEED_OK) status = check_limit("max_query", g.max_query, in.queries, in.error);
  if (status == HEED_OK) status = check_limit("max_key", g.max_key, in.keys, in.error);
  if (status != HEED_OK) return status;
  if (kWithMasks && in.attn_mask)
    status = check_attn_mask(in, in.attn_mask->rank == 2 ? HEED_ERROR_ATTN_MASK_2D : HEED_ERROR_ATTN_MASK_3D);
  if (status == HEED_OK) status = check_batch_and_padding(in);
  if (status == HEED_OK) status = check_rows("query", *in.query, in.error);
  if (status == HEED_OK && in.key != in.query) status = check_rows("key", *in.key, in.error);
  if (status == HEED_OK && in.value != in.key) status = check_rows("value", *in.value, in.error);
  if (status == HEED_OK) status = check_results(in);
  if (status == HEED_OK) status = check_data(in);
  return status;
}

}  // namespace heed
