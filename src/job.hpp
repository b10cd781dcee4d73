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
  bool causal, need_weights, average;
  uint32_t batch, queries, keys;
  Rows query, key, value, output;
  Rows attn_weights;  // set with need_weights
  MaskView padding;   // row_stride: from one batch entry to the next
  MaskView mask;
  ptrdiff_t mask_batch, mask_head;
  int32_t causal_offset;  // with causal, query i sees keys 0 .. i + offset
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
  bool need_weights, average;
  bool batched = false;          // this and what follows the options is read from the tensors
  const heed_tensor* inputs[3];  // query, key, value
  const heed_tensor *output, *attn_weights;
  const heed_tensor *key_padding_mask, *attn_mask;  // nullptr: none
  int causal, fully_masked;
  int64_t causal_offset;
  uint32_t batch_axis = 0, length_axis = 0;  // that of heads, where there are such, comes behind the batch
  Sizes sizes[3];  // of the inputs

  template <class Call>  // heed_call or heed_sdpa_call
  Request(const heed_plan& p, const Call& c, heed_error* e)
      : plan(p),
        error(e),
        need_weights(c.need_weights),
        average(false),
        inputs{&c.query, &c.key, &c.value},
        output(&c.output),
        attn_weights(&c.attn_weights),
        key_padding_mask(nullptr),
        attn_mask(c.attn_mask.data ? &c.attn_mask : nullptr),
        causal(int(c.causal)),
        fully_masked(int(c.fully_masked)),
        causal_offset(c.causal_offset) {}
  const Geometry& geometry() const { return plan.geometry; }
  uint32_t batch() const { return sizes[0].batch; }
  uint32_t queries() const { return sizes[0].length; }
  uint32_t keys() const { return sizes[1].length; }
  uint32_t positions() const { return keys() + geometry().extra_slots(); }
  bool projects() const { return !kWithSdpa || plan.geometry.projects(); }
  // Is input i the one before it, as in self-attention? Then nothing new is in it.
  bool repeats(uint32_t i) const { return !kForSize && i != 0 && inputs[i] == inputs[i - 1]; }
};

// PyTorch's checks in PyTorch's order, and the limits of the plan; reads axes and lengths.
heed_status check(Request& in);
// Checks the workspace and the request, and makes the job of it, but for weights and threads.
heed_status accept(Request& in, void* workspace, size_t bytes, Job& job);
// Rows of float32, as all tensors but masks have.
heed_status check_rows(Sentence name, const heed_tensor& t, heed_error* error);
heed_status check_plan(const heed_plan* plan, bool projects, heed_error* error);

}  // namespace heed
