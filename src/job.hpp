// job.hpp - a checked call, the same for both operations: what to compute, no longer how it
// was asked for. Until it is checked a call is a request (check.cpp); attention.cpp runs jobs.
#pragma once
#include "core/message.hpp"
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
  const heed_plan* plan;         // no defaults: clearing a Job costs a tiny call 10 ns
  const unsigned char* weights;  // packed; none for SDPA
  unsigned char* workspace;
  uint32_t batch, queries, keys;
  Rows query, key, value, output;
  Rows attn_weights;  // set with need_weights
  MaskView padding;   // row_stride: from one batch entry to the next
  MaskView mask;
  ptrdiff_t mask_batch, mask_head;
  bool causal;
  int32_t causal_offset;  // query i sees keys 0 .. i + offset
  bool need_weights, average;
  float scale, fully_masked;
  heed_parallel_for parallel_for;
  void* parallel_context;
};

void run(const Job& job);

// Of a tensor of either operation; heads: of those that have them.
struct Sizes {
  uint32_t batch, heads, length, features;
};

// A call of either operation as its checks see it.
struct Request {
  const heed_plan& plan;
  heed_error* error;
  const heed_tensor* inputs[3];  // query, key, value
  const heed_tensor *output, *attn_weights;
  const heed_tensor *key_padding_mask, *attn_mask;  // nullptr: none
  int causal, fully_masked;
  bool need_weights, average;
  bool batched = false;                             // the rest is read from the tensors
  uint32_t batch_axis = 0, head_axis = 0, length_axis = 0;
  Sizes sizes[3];  // of the inputs

  template <class Call>  // heed_call or heed_sdpa_call
  Request(const heed_plan& p, const Call& c, heed_error* e)
      : plan(p),
        error(e),
        inputs{&c.query, &c.key, &c.value},
        output(&c.output),
        attn_weights(&c.attn_weights),
        key_padding_mask(nullptr),
        attn_mask(c.attn_mask.data ? &c.attn_mask : nullptr),
        causal(int(c.causal)),
        fully_masked(int(c.fully_masked)),
        need_weights(c.need_weights),
        average(false) {}
  const Geometry& geometry() const { return plan.geometry; }
  uint32_t batch() const { return sizes[0].batch; }
  uint32_t queries() const { return sizes[0].length; }
  uint32_t keys() const { return sizes[1].length; }
  uint32_t positions() const { return keys() + geometry().extra_slots(); }
  bool projects() const { return !kWithSdpa || plan.geometry.projects(); }
};

// PyTorch's checks in PyTorch's order, and the limits of the plan; reads axes and lengths.
heed_status check(Request& in);
// Rows of float32, as all tensors but masks have.
heed_status check_rows(Sentence name, const heed_tensor& t, heed_error* error);
heed_status check_plan(const heed_plan* plan, bool projects, heed_error* error);
heed_status check_workspace(const heed_plan& plan, const void* workspace, size_t bytes, heed_error* error);

// The job of a checked request, but for weights, workspace, scale and threads.
void fill(const Request& in, int64_t causal_offset, Job& job);

}  // namespace heed
