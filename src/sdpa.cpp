// sdpa.cpp - heed_scaled_dot_product_attention: from the call to the job.
#include "core/message.hpp"
#include "job.hpp"

heed_status heed_scaled_dot_product_attention(const heed_plan* plan, const heed_sdpa_call* call, void* workspace,
                                              size_t bytes, heed_error* error) {
  using namespace heed;
  if (!kWithSdpa) return refuse_feature(error, "HEED_WITH_SDPA");
  if (!plan || !call || !workspace) return refuse_null(error, !plan ? "plan" : !call ? "call" : "workspace");
  heed_status status = check_plan(plan, false, error);
  if (status == HEED_OK) status = check_workspace(*plan, workspace, bytes, error);
  if (status != HEED_OK) return status;
  Request in(*plan, *call, error);
  status = check(in);
  if (status != HEED_OK) return status;
  Job job;
  fill(in, call->causal_offset, job);
  job.workspace = static_cast<unsigned char*>(workspace);
  if (call->has_scale) job.scale = call->scale;
  job.parallel_for = call->parallel_for;
  job.parallel_context = call->parallel_context;
  run(job);
  return succeed(error);
}
