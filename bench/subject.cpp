#include "subject.hpp"

#include <new>
#include <stdexcept>

namespace heed::bench {
namespace {

heed_tensor bools(const std::vector<unsigned char>& values, uint32_t rows, uint32_t columns) {
  return heed_contiguous(values.data(), HEED_BOOL, 2, rows, columns, 0, 0);
}

}  // namespace

void Subject::Bytes::make(size_t bytes) {
  size = size_t(align_up(bytes));
  data.reset(std::aligned_alloc(HEED_ALIGNMENT, size));
  if (!data) throw std::bad_alloc();
}

void Subject::check(heed_status status) const {
  if (status != HEED_OK) throw std::runtime_error(error_.message);
}

Subject::Subject(const Problem& problem, const char* isa, uint32_t threads)
    : problem_(problem), output_(problem.output_floats()), weights_(problem.weights_floats()) {
  plan_memory_.make(HEED_PLAN_BYTES);
  if (!pool_.init(threads, error_)) throw std::runtime_error(error_.message);
  problem.shape().sdpa ? make_sdpa(isa, threads) : make_module(isa, threads);
}

void Subject::run() {
  void* const workspace = workspace_.data.get();
  if (problem_.shape().sdpa)
    check(heed_scaled_dot_product_attention(plan_, &sdpa_call_, workspace, workspace_.size, &error_));
  for (const heed_call& call : calls_)
    check(heed_forward(plan_, packed_.data.get(), &call, workspace, workspace_.size, &error_));
}

void Subject::make_module(const char* isa, uint32_t threads) {
  const Case& c = problem_.shape();
  const uint32_t e = c.embed_dim();
  const heed_config config =
      Config(e, c.num_heads).batch_first().max_batch(c.batch).max_query(c.length).slices(threads).isa(isa);
  check(heed_plan_init(&config, plan_memory_.data.get(), plan_memory_.size, &plan_, &error_));
  StateDict s{};
  s.in_proj_weight = tensor(problem_.in_proj_weight.data(), {3 * e, e});
  s.in_proj_bias = tensor(problem_.in_proj_bias.data(), {3 * e});
  s.out_proj_weight = tensor(problem_.out_proj_weight.data(), {e, e});
  s.out_proj_bias = tensor(problem_.out_proj_bias.data(), {e});
  packed_.make(heed_weights_bytes(&config));
  workspace_.make(heed_workspace_bytes(&config));
  check(heed_weights_pack(plan_, &s, packed_.data.get(), packed_.size, &error_));
  if (!c.many_calls()) calls_.push_back(batch_call());
  for (uint32_t n = 0; c.many_calls() && n < c.batch; ++n) calls_.push_back(entry_call(n));
  for (heed_call& call : calls_) {
    call.parallel_for = ThreadPool::parallel_for;
    call.parallel_context = &pool_;
  }
}

heed_call Subject::batch_call() {
  const Case& c = problem_.shape();
  heed_call call = heed_call_default();
  call.query = tensor(problem_.x.data(), {c.batch, c.length, c.embed_dim()});
  call.output = tensor(output_.data(), {c.batch, c.length, c.embed_dim()});
  call.need_weights = !weights_.empty();
  call.average_attn_weights = c.extra != Extra::head_weights;
  if (c.extra == Extra::weights) call.attn_weights = tensor(weights_.data(), {c.batch, c.length, c.length});
  if (c.extra == Extra::head_weights)
    call.attn_weights = tensor(weights_.data(), {c.batch, c.num_heads, c.length, c.length});
  add_masks(call);
  return call;
}

void Subject::add_masks(heed_call& call) const {
  const Case& c = problem_.shape();
  if (c.extra == Extra::causal) call.causal = HEED_CAUSAL_TOP_LEFT;
  if (!problem_.bool_mask.empty()) call.attn_mask = bools(problem_.bool_mask, c.length, c.length);
  if (!problem_.float_mask.empty()) call.attn_mask = tensor(problem_.float_mask.data(), {c.length, c.length});
  if (!problem_.padding.empty()) call.key_padding_mask = bools(problem_.padding, c.batch, c.length);
}

heed_call Subject::entry_call(uint32_t entry) {
  const Case& c = problem_.shape();
  const uint32_t e = c.embed_dim();
  const size_t at = size_t(entry) * c.length * e;
  heed_call call = heed_call_default();
  call.query = tensor(problem_.x.data() + at, {c.queries(entry), e});
  call.key = tensor(problem_.x.data() + at, {c.keys(entry), e});
  call.output = tensor(output_.data() + at, {c.queries(entry), e});
  return call;
}

void Subject::make_sdpa(const char* isa, uint32_t threads) {
  const Case& c = problem_.shape();
  heed_sdpa_config config{};
  config.num_heads = c.num_heads;
  config.head_dim = c.head_dim;
  config.max_batch = c.batch;
  config.max_query = c.length;
  config.slices = threads;
  config.isa = isa;
  check(heed_sdpa_plan_init(&config, plan_memory_.data.get(), plan_memory_.size, &plan_, &error_));
  workspace_.make(heed_sdpa_workspace_bytes(&config));
  const auto view = [&c](const Floats& values) {
    return tensor(values.data(), {c.batch, c.num_heads, c.length, c.head_dim});
  };
  sdpa_call_.query = view(problem_.q);
  sdpa_call_.key = view(problem_.k);
  sdpa_call_.value = view(problem_.v);
  sdpa_call_.output = view(output_);
  if (c.extra == Extra::causal) sdpa_call_.causal = HEED_CAUSAL_TOP_LEFT;
  sdpa_call_.parallel_for = ThreadPool::parallel_for;
  sdpa_call_.parallel_context = &pool_;
}

}  // namespace heed::bench
