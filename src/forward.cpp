// forward.cpp - heed_forward: from the call to the job; and what both operations share of that.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

// The stride of an axis of one element says nothing, and may be anything: numpy has had PTRDIFF_MAX there.
inline ptrdiff_t step_along(const heed_tensor& t, uint32_t axis) { return t.shape[axis] > 1 ? t.stride[axis] : 0; }

// Axes are counted from the last one, too, and may come before the first: nothing is stepped over there.
HEED_APART ptrdiff_t step(const heed_tensor& t, uint32_t axis) {
  return axis < HEED_MAX_RANK ? step_along(t, axis) : 0;
}

// Of a module nobody asks for a head but 0.
HEED_APART void fill_rows(const Request& in, const heed_tensor& t, Rows& to) {
  to = {static_cast<float*>(t.data), in.batched ? step_along(t, in.batch_axis) : 0, step_along(t, in.batched),
        step_along(t, in.length_axis)};
}

MaskView mask_view(const heed_tensor& t, bool hides) { return {t.data, 0, 0, t.dtype == HEED_FLOAT32, hides}; }

void fill_padding(const Request& in, Job& job) {
  const heed_tensor& p = *in.key_padding_mask;
  job.padding = mask_view(p, true);
  job.padding.row_stride = step(p, p.rank - 2);
  job.padding.key_stride = step(p, p.rank - 1);
}

void fill_mask(const Request& in, Job& job) {
  const heed_tensor& m = *in.attn_mask;
  job.mask = mask_view(m, in.projects());  // SDPA: true takes part, false hides
  job.mask_head = step(m, m.rank - 3);     // of (N, H, L, S); 0 where it has no such axis or broadcasts
  job.mask_batch =
      in.projects() && m.rank == 3 ? job.mask_head * ptrdiff_t(in.geometry().num_heads) : step(m, m.rank - 4);
  job.mask.row_stride = step(m, m.rank - 2);
  job.mask.key_stride = step(m, m.rank - 1);
}

void fill_weights_output(const Request& in, Job& job) {
  const heed_tensor& w = *in.attn_weights;
  const uint32_t head = w.rank - 3;  // where there is one
  job.attn_weights = {static_cast<float*>(w.data), step(w, in.average ? head : head - 1),
                      in.average ? 0 : step(w, head), step(w, w.rank - 2)};
}

int32_t offset_of(const Request& in) {
  const int64_t offset = in.causal_offset;
  if (in.causal == HEED_CAUSAL_BOTTOM_RIGHT) return int32_t(in.keys()) - int32_t(in.queries());
  if (in.causal != HEED_CAUSAL_OFFSET) return 0;
  constexpr int32_t kMost = 2 * int32_t(kMaxLength);  // beyond any length, and sums with positions fit
  return offset > kMost ? kMost : offset < -kMost ? -kMost : int32_t(offset);
}

void fill(const Request& in, Job& job) {
  job.plan = &in.plan;
  job.batch = in.batch();
  job.queries = in.queries();
  job.keys = in.keys();
  Rows rows;
  Rows* const to[] = {&job.query, &job.key, &job.value};
  for (uint32_t i = 0; i < 3; *to[i++] = rows)
    if (!in.repeats(i)) fill_rows(in, *in.inputs[i], rows);
  fill_rows(in, *in.output, job.output);
  job.padding.data = nullptr;
  job.mask = {};
  job.mask_batch = job.mask_head = 0;
  if (kWithMasks && in.key_padding_mask) fill_padding(in, job);
  if (kWithMasks && in.attn_mask) fill_mask(in, job);
  job.need_weights = kWithWeightsOutput && in.need_weights;
  job.average = job.need_weights && in.average;
  if (job.need_weights) fill_weights_output(in, job);
  job.causal = in.causal != HEED_CAUSAL_NONE;
  job.causal_offset = kWithCausal ? offset_of(in) : 0;
  job.scale = in.plan.scale;
  job.fully_masked = 0.0f;
  // Without any key PyTorch gives 0, not NaN: there is no softmax to divide by nothing.
  if (in.fully_masked == HEED_FULLY_MASKED_NAN && in.positions() != 0) job.fully_masked = __builtin_nanf("");
}

heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error) {
  const heed_status status = check_alignment(Sentence::name_workspace, workspace, error);
  if (status != HEED_OK) return status;
  return check_room(Sentence::workspace_room, plan.workspace.bytes, bytes, error);
}

}  // namespace

heed_status accept(Request& in, void* workspace, size_t bytes, Job& job) {
  heed_status status = check_workspace(in.plan, workspace, bytes, in.error);
  if (status == HEED_OK) status = check(in);
  if (status != HEED_OK) return status;
  fill(in, job);
  job.workspace = static_cast<unsigned char*>(workspace);
  return status;
}

namespace {

// Apart, so that the request's stack is free again when the job runs.
__attribute__((noinline)) heed_status make_job(const heed_plan& plan, const heed_call& call, void* workspace,
                                               size_t bytes, heed_error* error, Job& job) {
  Request in(plan, call, error);
  if (call.key_padding_mask.data) in.key_padding_mask = &call.key_padding_mask;
  if (!call.key.data && call.key.rank == 0) in.inputs[1] = in.inputs[0];
  if (!call.value.data && call.value.rank == 0) in.inputs[2] = in.inputs[1];
  in.average = call.average_attn_weights;
  return accept(in, workspace, bytes, job);
}

}  // namespace
}  // namespace heed

heed_status heed_forward(const heed_plan* plan, const void* weights, const heed_call* call, void* workspace,
                         size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !weights || !call || !workspace)
    return refuse_null(error, !plan      ? Sentence::name_plan
                              : !weights ? Sentence::name_weights
                              : !call    ? Sentence::name_call
                                         : Sentence::name_workspace);
  heed_status status = check_plan(plan, true, error);
  if (status != HEED_OK) return status;
  if (reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT != 0 || !weights_match(*plan, weights))
    return refuse<Sentence::not_packed>(error, HEED_ERROR_WEIGHTS);
  Job job;
  status = make_job(*plan, *call, workspace, bytes, error, job);
  if (status != HEED_OK) return status;
  job.weights = static_cast<const unsigned char*>(weights);
  job.parallel_for = call->parallel_for;
  job.parallel_context = call->parallel_context;
  run(job);
  return succeed(error);
}
