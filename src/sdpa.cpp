// sdpa.cpp - heed_scaled_dot_product_attention: from the call to the job.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

// Apart, so that the request's stack is free again when the job runs.
__attribute__((noinline)) heed_status make_job(const heed_plan& plan, const heed_sdpa_call& call, void* workspace,
                                               size_t bytes, heed_error* error, Job& job) {
  Request in(plan, call, error);
  return accept(in, workspace, bytes, job);
}

}  // namespace
}  // namespace heed

heed_status heed_scaled_dot_product_attention(const heed_plan* plan, const heed_sdpa_call* call, void* workspace,
                                              size_t bytes, heed_error* error) {
  using namespace heed;
  if (!kWithSdpa) return refuse_feature(error, "HEED_WITH_SDPA");
  if (!plan || !call || !workspace)
    return refuse_null(error, !plan ? Sentence::name_plan : !call ? Sentence::name_call : Sentence::name_workspace);
  heed_status status = check_plan(plan, false, error);
  if (status != HEED_OK) return status;
  Job job;
  status = make_job(*plan, *call, workspace, bytes, error, job);
  if (status != HEED_OK) return status;
  if (call->has_scale) job.scale = call->scale;
  job.parallel_for = call->parallel_for;
  job.parallel_context = call->parallel_context;
  run(job);
  return succeed(error);
}
