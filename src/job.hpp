// job.hpp - a checked call, the same for both operations: what to compute, no longer how it
// was asked for. Checks make it (check_forward.cpp, check_sdpa.cpp), attention.cpp runs it.
#pragma once
#include "core/table.hpp"
#include "plan.hpp"

namespace heed {

// Rows of float32: element (n, h, row, i) at data + n * batch + h * head + row * stride + i.
struct Rows {
  float* data;
  ptrdiff_t batch, head, row;
  float* at(uint32_t n, uint32_t h, uint32_t r) const {
    return data + ptrdiff_t(n) * batch + ptrdiff_t(h) * head + ptrdiff_t(r) * row;
  }
};

struct Job {
  const heed_plan* plan = nullptr;
  const unsigned char* weights = nullptr;  // packed; NULL for SDPA
  unsigned char* workspace = nullptr;
  uint32_t batch = 0, queries = 0, keys = 0;
  Rows query, key, value, output;          // always set: clearing a Job costs a tiny call 10 ns
  Rows attn_weights;                       // set with need_weights
  MaskView padding;                        // row_stride: from one batch entry to the next
  MaskView mask;
  ptrdiff_t mask_batch = 0, mask_head = 0;
  bool causal = false;
  int64_t causal_offset = 0;               // query i sees keys 0 .. i + offset
  bool need_weights = false, average = false;
  float scale = 1.0f;
  float fully_masked = 0.0f;
  heed_parallel_for parallel_for = nullptr;
  void* parallel_context = nullptr;
};

void run(const Job& job);

// Checks that both operations share; each gives HEED_OK or the status with its sentence.
heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error);
heed_status check_lengths(const heed_plan& plan, uint32_t batch, uint32_t queries, uint32_t keys,
                          heed_error* error);
heed_status check_float_rows(const char* name, const heed_tensor& t, heed_error* error);
heed_status check_mask_dtype(const char* name, const heed_tensor& t, heed_error* error);
heed_status check_options(int causal, int fully_masked, heed_error* error);
int64_t causal_offset(heed_causal causal, int64_t offset, uint32_t queries, uint32_t keys);
float fully_masked_value(heed_fully_masked policy, uint64_t positions);
bool same_shape(const heed_tensor& t, uint32_t rank, const uint32_t* shape);
inline MaskView mask_view(const heed_tensor& t, bool hides) {
  MaskView m;
  m.data = t.data;
  m.is_float = t.dtype == HEED_FLOAT32;
  m.hides = hides;
  return m;
}

}  // namespace heed
