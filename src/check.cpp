// check.cpp - the checks of a call, the same for both operations: PyTorch's, in PyTorch's order.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

HEED_APART bool same_shape(const heed_tensor& t, const Shape& want) {
  bool same = t.rank == want.rank;
  for (uint32_t i = 0; same && i < want.rank; ++i) same = t.shape[i] == want.size[i];
  return same;
}

}  // namespace

heed_status check_rows(Sentence name, const heed_tensor& t, heed_error* error) {
  if (t.dtype != HEED_FLOAT32) return refuse<Sentence::dtype>(error, HEED_ERROR_DTYPE, name);
  const ptrdiff_t stride = t.stride[t.rank - 1];
  if (stride != 1 && t.shape[t.rank - 1] > 1) return refuse<Sentence::stride>(error, HEED_ERROR_STRIDE, name, stride);
  return HEED_OK;
}

namespace {

HEED_APART heed_status check_result(heed_status wrong_shape, Sentence name, const heed_tensor& t, const Shape& want,
                                    heed_error* error) {
  if (!same_shape(t, want)) return refuse<Sentence::shape>(error, wrong_shape, name, &want, &t);
  return check_rows(name, t, error);
}

// Ranks of query, key and value; finds the axes.
HEED_APART heed_status check_ranks(Request& in) {
  const uint32_t rank = in.inputs[0]->rank, least = 3 - uint32_t(in.projects());
  if (rank - least > 1)  // a rank below wraps round
    return refuse<Sentence::query_rank>(in.error, HEED_ERROR_QUERY_RANK, least, least + 1, rank);
  if (in.inputs[1]->rank != rank || in.inputs[2]->rank != rank)
    return refuse<Sentence::key_value_rank>(in.error, HEED_ERROR_KEY_VALUE_RANK, rank, rank, in.inputs[1]->rank,
                                            in.inputs[2]->rank);
  in.batched = rank != least;
  in.length_axis = rank - 2;
  if (in.projects() && in.batched && !in.geometry().batch_first) {
    in.batch_axis = 1;
    in.length_axis = 0;
  }
  return HEED_OK;
}

HEED_APART heed_status check_mask_ranks(Request& in) {
  const uint32_t padding_rank = 1 + uint32_t(in.batched);
  if (in.key_padding_mask && in.key_padding_mask->rank != padding_rank)
    return refuse<Sentence::padding_rank>(in.error, HEED_ERROR_KEY_PADDING_MASK_RANK, padding_rank,
                                          in.key_padding_mask->rank);
  const uint32_t lowest = in.projects() ? 2 : 1, highest = in.projects() && !in.batched ? 3 : 4;
  if (in.attn_mask && (in.attn_mask->rank < lowest || in.attn_mask->rank > highest))
    return refuse<Sentence::mask_rank>(in.error, HEED_ERROR_ATTN_MASK_RANK, lowest, highest, in.attn_mask->rank);
  return HEED_OK;
}

void read_sizes(Request& in) {
  Sizes s{};
  for (uint32_t i = 0; i < 3; in.sizes[i++] = s) {
    const heed_tensor& t = *in.inputs[i];
    if (in.repeats(i)) continue;
    s = {in.batched ? t.shape[in.batch_axis] : 1, t.shape[in.batched], t.shape[in.length_axis], t.shape[t.rank - 1]};
  }
}

HEED_APART heed_status check_mask_dtype(Sentence name, const heed_tensor* t, heed_error* error) {
  if (!t || t->dtype == HEED_FLOAT32 || t->dtype == HEED_BOOL) return HEED_OK;
  return refuse<Sentence::mask_dtype>(error, HEED_ERROR_MASK_DTYPE, name, int(t->dtype));
}

heed_status check_mask_dtypes(Request& in) {
  const heed_status status = check_mask_dtype(Sentence::name_padding, in.key_padding_mask, in.error);
  return status != HEED_OK ? status : check_mask_dtype(Sentence::name_attn_mask, in.attn_mask, in.error);
}

// attn_mask is (L, S), (N*H, L, S), unbatched (H, L, S), or (N, H, L, S); SDPA's broadcasts to
// the last of these from the right.
HEED_APART heed_status check_attn_mask(const Request& in, heed_status wrong) {
  const heed_tensor& m = *in.attn_mask;
  const bool stacked = in.projects() && m.rank == 3;  // batch entries and heads on one axis
  const uint32_t heads = in.geometry().num_heads;
  const Shape all = {4, {in.batch(), stacked ? in.batch() * heads : heads, in.queries(), in.keys()}};
  const Shape want = all.last(m.rank);
  bool fits = true;
  for (uint32_t i = 0; i < m.rank; ++i) fits &= m.shape[i] == want.size[i] || (!in.projects() && m.shape[i] == 1);
  if (fits) return HEED_OK;
  if (!in.projects()) return refuse<Sentence::mask_broadcasts>(in.error, HEED_ERROR_ATTN_MASK_3D, &all, &m);
  const Sentence leading = m.rank == 4   ? Sentence::axes_nh
                           : m.rank == 2 ? Sentence::nothing
                           : in.batched  ? Sentence::axis_n_times_h
                                         : Sentence::axis_heads;
  return refuse<Sentence::mask_shape>(in.error, wrong, m.rank, leading, &want, &m);
}

// A three-dimensional mask of an unbatched call is looked at before all else.
heed_status check_early_mask(Request& in) {
  if (!in.projects() || in.batched || !in.attn_mask || in.attn_mask->rank != 3) return HEED_OK;
  return check_attn_mask(in, HEED_ERROR_UNBATCHED_ATTN_MASK);
}

heed_status check_late_mask(Request& in) {
  if (!in.attn_mask) return HEED_OK;
  return check_attn_mask(in, in.attn_mask->rank == 2 ? HEED_ERROR_ATTN_MASK_2D : HEED_ERROR_ATTN_MASK_3D);
}

HEED_APART heed_status check_options(Request& in) {
  if (in.causal < HEED_CAUSAL_NONE || in.causal > HEED_CAUSAL_OFFSET)
    return refuse<Sentence::causal>(in.error, HEED_ERROR_CAUSAL, in.causal);
  if (!kWithCausal && in.causal != HEED_CAUSAL_NONE) return refuse_feature(in.error, "HEED_WITH_CAUSAL");
  if (in.fully_masked != HEED_FULLY_MASKED_ZERO && in.fully_masked != HEED_FULLY_MASKED_NAN)
    return refuse<Sentence::fully_masked>(in.error, HEED_ERROR_OPTION, in.fully_masked);
  return HEED_OK;
}

HEED_APART heed_status check_query_dims(Request& in) {
  const Geometry& g = in.geometry();
  const Sizes& q = in.sizes[0];
  if (in.projects()) {
    if (q.features == g.embed_dim) return HEED_OK;
    return refuse<Sentence::embed_dim>(in.error, HEED_ERROR_EMBED_DIM, g.embed_dim, q.features);
  }
  if (q.heads == g.num_heads && q.features == g.head_dim) return HEED_OK;
  return refuse<Sentence::heads>(in.error, HEED_ERROR_EMBED_DIM, g.num_heads, g.head_dim, in.inputs[0]);
}

HEED_APART heed_status check_key_value_dims(Request& in) {
  const Geometry& g = in.geometry();
  const Sizes &k = in.sizes[1], &v = in.sizes[2];
  if (k.length != v.length || k.batch != v.batch)
    return refuse<Sentence::key_value_shape>(in.error, HEED_ERROR_KEY_VALUE_SHAPE, in.inputs[1], in.inputs[2]);
  if (in.projects()) {
    if (k.features == g.kdim && v.features == g.vdim) return HEED_OK;
    return refuse<Sentence::key_value_dim>(in.error, HEED_ERROR_KEY_VALUE_DIM, g.kdim, g.vdim, k.features, v.features);
  }
  if (k.heads == g.num_kv_heads && v.heads == g.num_kv_heads && k.features == g.head_dim && v.features == g.value_dim)
    return HEED_OK;
  return refuse<Sentence::key_value_heads>(in.error, HEED_ERROR_KEY_VALUE_DIM, g.num_kv_heads, g.head_dim, g.value_dim,
                                           in.inputs[1], in.inputs[2]);
}

HEED_APART heed_status check_limit(Sentence name, uint32_t limit, uint32_t came, heed_error* error) {
  if (came <= limit) return HEED_OK;
  return refuse<Sentence::limit>(error, HEED_ERROR_LIMIT, name, limit, came);
}

heed_status check_limits(Request& in) {
  const Geometry& g = in.geometry();
  heed_status status = check_limit(Sentence::max_batch, g.max_batch, in.batch(), in.error);
  if (status == HEED_OK) status = check_limit(Sentence::max_query, g.max_query, in.queries(), in.error);
  return status != HEED_OK ? status : check_limit(Sentence::max_key, g.max_key, in.keys(), in.error);
}

HEED_APART heed_status check_batch(Request& in) {
  if (in.sizes[1].batch == in.batch()) return HEED_OK;
  return refuse<Sentence::batch>(in.error, HEED_ERROR_BATCH, in.batch(), in.sizes[1].batch);
}

HEED_APART heed_status check_padding(Request& in) {
  if (!in.key_padding_mask) return HEED_OK;
  Shape want;
  want.rank = 0;
  if (in.batched) want.add(in.batch());
  want.add(in.keys());
  if (same_shape(*in.key_padding_mask, want)) return HEED_OK;
  return refuse<Sentence::padding_shape>(in.error, HEED_ERROR_KEY_PADDING_MASK_SHAPE,
                                         in.batched ? Sentence::axis_n : Sentence::nothing, &want, in.key_padding_mask);
}

heed_status check_all_rows(Request& in) {
  heed_status status = HEED_OK;
  for (uint32_t i = 0; i < 3 && status == HEED_OK; ++i)
    if (!in.repeats(i)) status = check_rows(Sentence(uint32_t(Sentence::name_query) + i), *in.inputs[i], in.error);
  return status;
}

HEED_APART heed_status check_output(Request& in) {
  Shape want;
  want.rank = in.inputs[0]->rank;
  __builtin_memcpy(want.size, in.inputs[0]->shape, sizeof want.size);
  if (!in.projects()) want.size[want.rank - 1] = in.geometry().value_dim;
  return check_result(HEED_ERROR_OUTPUT, Sentence::name_output, *in.output, want, in.error);
}

HEED_APART heed_status check_weights_output(Request& in) {
  if (!in.need_weights) return HEED_OK;
  Shape want;
  want.rank = 0;
  if (in.batched) want.add(in.batch());
  if (!in.average) want.add(in.geometry().num_heads);
  want.add(in.queries());
  want.add(in.positions());
  return check_result(HEED_ERROR_ATTN_WEIGHTS, Sentence::name_attn_weights, *in.attn_weights, want, in.error);
}

HEED_APART heed_status check_data(Request& in) {
  if (in.batch() == 0 || in.queries() == 0) return HEED_OK;
  for (uint32_t i = 0; i < 3; ++i)
    if (!in.inputs[i]->data && (i == 0 || in.keys() != 0))
      return refuse_null(in.error, Sentence(uint32_t(Sentence::query_data) + i));
  if (!in.output->data) return refuse_null(in.error, Sentence::output_data);
  if (kWithWeightsOutput && in.need_weights && in.positions() != 0 && !in.attn_weights->data)
    return refuse_null(in.error, Sentence::weights_data);
  return HEED_OK;
}

}  // namespace

heed_status check_plan(const heed_plan* plan, bool projects, heed_error* error) {
  if (is_plan(plan) && plan->geometry.projects() == projects) return HEED_OK;
  return refuse<Sentence::plan_of>(error, HEED_ERROR_PLAN, projects ? Sentence::nothing : Sentence::sdpa_of_plan);
}

namespace {

HEED_APART heed_status check_shapes(Request& in) {
  heed_status status = kWithMasks ? check_early_mask(in) : HEED_OK;
  if (kWithMasks && status == HEED_OK) status = check_mask_dtypes(in);
  if (status == HEED_OK) status = check_options(in);
  if (status == HEED_OK) status = check_query_dims(in);
  if (status == HEED_OK) status = check_key_value_dims(in);
  if (status == HEED_OK) status = check_limits(in);
  return status;
}

HEED_APART heed_status check_tensors(Request& in) {
  heed_status status = kWithMasks ? check_late_mask(in) : HEED_OK;
  if (status == HEED_OK) status = check_batch(in);
  if (kWithMasks && status == HEED_OK) status = check_padding(in);
  if (status == HEED_OK) status = check_all_rows(in);
  if (status == HEED_OK) status = check_output(in);
  if (kWithWeightsOutput && status == HEED_OK) status = check_weights_output(in);
  if (status == HEED_OK) status = check_data(in);
  return status;
}

}  // namespace

heed_status check(Request& in) {
  if (!kWithMasks && (in.attn_mask || in.key_padding_mask)) return refuse_feature(in.error, "HEED_WITH_MASKS");
  if (!kWithWeightsOutput && in.need_weights) return refuse_feature(in.error, "HEED_WITH_WEIGHTS_OUTPUT");
  heed_status status = check_ranks(in);
  if (kWithMasks && status == HEED_OK) status = check_mask_ranks(in);
  if (status != HEED_OK) return status;
  read_sizes(in);
  status = check_shapes(in);
  return status != HEED_OK ? status : check_tensors(in);
}

}  // namespace heed
