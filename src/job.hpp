// job.hpp - a checked call, the same for both operations: what to compute, no longer how it
// was asked for. Until it is checked a call is a request (check.cpp); attention.cpp runs jobs.
#pragma once
#include "core/features.hpp"
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

// A call of either operation as its checks see it.
struct Request {
  const heed_plan& plan;
  heed_error* error;
  const heed_tensor *query, *key, *value, *output, *attn_weights;
  const heed_tensor *key_padding_mask, *attn_mask;  // nullptr: none
  int causal, fully_masked;
  bool need_weights, average;
  bool batched = false;                             // the rest is read from the tensors
  uint32_t batch_axis = 0, head_axis = 0, length_axis = 0;
  uint32_t batch = 1, queries = 0, keys = 0;

  template <class Call>  // heed_call or heed_sdpa_call
  Request(const heed_plan& p, const Call& c, heed_error* e)
      : plan(p), error(e), query(&c.query), key(&c.key), value(&c.value), output(&c.output),
        attn_weights(&c.attn_weights), key_padding_mask(nullptr), attn_mask(c.attn_mask.data ? &c.attn_mask : nullptr),
        causal(int(c.causal)), fully_masked(int(c.fully_masked)), need_weights(c.need_weights), average(false) {}
  const Geometry& geometry() const { return plan.geometry; }
  bool projects() const { return !kWithSdpa || plan.geometry.projects(); }
  uint32_t batch_of(const heed_tensor* t) const { return batched ? t->shape[batch_axis] : 1; }
  uint32_t length_of(const heed_tensor* t) const { return t->shape[length_axis]; }
};

// PyTorch's checks in PyTorch's order, and the limits of the plan; reads axes and lengths.
heed_status check(Request& in);
// Rows of float32, as all tensors but masks have.
heed_status check_rows(const char* name, const heed_tensor& t, heed_error* error);
heed_status check_plan(const heed_plan* plan, bool projects, heed_error* error);
heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error);

// The job of a checked request, but for weights, workspace, scale and threads.
void fill(const Request& in, int64_t causal_offset, Job& job);

}  // namespace heed
