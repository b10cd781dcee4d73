// check.cpp - the checks that both operations share.
#include "core/message.hpp"
#include "job.hpp"

namespace heed {

heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error) {
  if (reinterpret_cast<uintptr_t>(workspace) % HEED_ALIGNMENT != 0)
    return Message(error, HEED_ERROR_MEMORY) << "workspace must be aligned to 64 bytes";
  if (bytes < plan.workspace.bytes)
    return Message(error, HEED_ERROR_MEMORY) << "the workspace needs " << plan.workspace.bytes
                                             << " bytes, but " << uint64_t(bytes) << " came";
  return HEED_OK;
}

heed_status check_lengths(const heed_plan& plan, uint32_t batch, uint32_t queries, uint32_t keys,
                          heed_error* error) {
  const Geometry& g = plan.geometry;
  const char* name = batch > g.max_batch ? "max_batch" : queries > g.max_query ? "max_query" : "max_key";
  const uint32_t limit = batch > g.max_batch ? g.max_batch : queries > g.max_query ? g.max_query : g.max_key;
  const uint32_t came = batch > g.max_batch ? batch : queries > g.max_query ? queries : keys;
  if (came > limit)
    return Message(error, HEED_ERROR_LIMIT) << "the plan was made for " << name << " = " << limit << ", but " << came << " came";
  return HEED_OK;
}

heed_status check_float_rows(const char* name, const heed_tensor& t, heed_error* error) {
  if (t.dtype != HEED_FLOAT32)
    return Message(error, HEED_ERROR_DTYPE) << name << " must be float32, but bool came";
  if (t.stride[t.rank - 1] != 1 && t.shape[t.rank - 1] > 1)
    return Message(error, HEED_ERROR_STRIDE)
           << "the elements of a row of " << name << " must lie side by side: its last stride must be 1, but "
           << int64_t(t.stride[t.rank - 1]) << " came";
  return HEED_OK;
}

heed_status check_mask_dtype(const char* name, const heed_tensor& t, heed_error* error) {
  if (t.data && t.dtype != HEED_FLOAT32 && t.dtype != HEED_BOOL)
    return Message(error, HEED_ERROR_MASK_DTYPE)
           << "only bool and float32 are supported for " << name << ", but dtype " << int(t.dtype) << " came";
  return HEED_OK;
}

heed_status check_options(int causal, int fully_masked, heed_error* error) {
  if (causal < HEED_CAUSAL_NONE || causal > HEED_CAUSAL_OFFSET)
    return Message(error, HEED_ERROR_CAUSAL) << "causal must be a heed_causal, 0 to 3, but " << causal << " came";
  if (fully_masked != HEED_FULLY_MASKED_ZERO && fully_masked != HEED_FULLY_MASKED_NAN)
    return Message(error, HEED_ERROR_OPTION)
           << "fully_masked must be a heed_fully_masked, 0 or 1, but " << fully_masked << " came";
  return HEED_OK;
}

int64_t causal_offset(heed_causal causal, int64_t offset, uint32_t queries, uint32_t keys) {
  if (causal == HEED_CAUSAL_BOTTOM_RIGHT) return int64_t(keys) - int64_t(queries);
  if (causal != HEED_CAUSAL_OFFSET) return 0;
  const int64_t most = int64_t(1) << 31;  // beyond any length: sums with positions cannot overflow
  return offset > most ? most : offset < -most ? -most : offset;
}

float fully_masked_value(heed_fully_masked policy, uint64_t positions) {
  // Without any key PyTorch gives 0, not NaN: there is no softmax to divide by nothing.
  return policy == HEED_FULLY_MASKED_NAN && positions != 0 ? __builtin_nanf("") : 0.0f;
}

bool same_shape(const heed_tensor& t, uint32_t rank, const uint32_t* shape) {
  if (t.rank != rank) return false;
  for (uint32_t i = 0; i < rank; ++i)
    if (t.shape[i] != shape[i]) return false;
  return true;
}

}  // namespace heed
