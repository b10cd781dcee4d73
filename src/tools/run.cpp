// run.cpp - heed run: attention on files.
#include <cstdio>
#include <string>

#include "heed/threads.hpp"
#include "tools/failure.hpp"
#include "tools/inputs.hpp"
#include "tools/memory.hpp"
#include "tools/module_file.hpp"
#include "tools/options.hpp"
#include "tools/outputs.hpp"
#include "tools/progress.hpp"

namespace heed::tool {
namespace {

heed_config configuration(const RunOptions& o, const Module& module, const Inputs& in) {
  heed_config c = heed_config_default(module.embed_dim, o.num_heads);
  c.bias = module.bias;
  c.add_bias_kv = module.add_bias_kv;
  c.add_zero_attn = o.add_zero_attn;
  c.batch_first = o.batch_first;
  c.kdim = module.kdim;
  c.vdim = module.vdim;
  c.max_batch = in.batch();
  c.max_query = in.queries() ? in.queries() : 1;  // a plan for no query at all is unsound
  c.max_key = in.keys() ? in.keys() : 1;
  c.slices = slices_for(c, o.threads);
  c.isa = o.isa ? o.isa->c_str() : nullptr;
  return c;
}

// Checked here, because the output is made in query's shape before heed_forward looks at it.
void check_embed_dim(const Module& module, const Inputs& in) {
  if (in.query.array.shape.back() == module.embed_dim) return;
  refuse(in.query.path, ": expected the last dimension to be embed_dim ", module.embed_dim, " of ", module.path,
         ", found the shape ", io::shape_text(in.query.array.shape));
}

Outputs make_outputs(const RunOptions& o, const heed_config& c, const Inputs& in) {
  Outputs out;
  out.output_path = o.output;
  out.weights_path = o.output_weights;
  out.heatmap_path = o.heatmap;
  out.output = zeros(in.query.array.shape, "output");
  if (o.need_weights == NeedWeights::none) return out;
  const bool average = o.need_weights == NeedWeights::average;
  const uint64_t slots = uint64_t(in.keys()) + c.add_bias_kv + c.add_zero_attn;
  if (!o.heatmap.empty())
    out.panels = panels(in.batch(), average ? 1 : o.num_heads, in.queries(), static_cast<uint32_t>(slots), o.heatmap);
  io::Shape shape{in.queries(), slots};
  if (!average) shape.insert(shape.begin(), o.num_heads);
  if (in.batched()) shape.insert(shape.begin(), in.batch());
  out.weights = zeros(shape, "attention weights");
  return out;
}

heed_call make_call(const RunOptions& o, const Inputs& in, Outputs& out) {
  heed_call call = heed_call_default();
  call.query = in.query.tensor();
  call.key = in.key.tensor();
  call.value = in.value.tensor();
  call.key_padding_mask = in.key_padding_mask.tensor();
  call.attn_mask = in.attn_mask.tensor();
  call.causal = o.causal;
  call.need_weights = o.need_weights != NeedWeights::none;
  call.average_attn_weights = o.need_weights != NeedWeights::per_head;
  call.fully_masked = o.fully_masked;
  call.output = view(out.output);
  if (call.need_weights) call.attn_weights = view(out.weights);
  return call;
}

const heed_plan* make_plan(const heed_config& c, const Module& module, const Inputs& in, const AlignedBytes& memory) {
  heed_error error;
  const heed_plan* plan = nullptr;
  const heed_status status = heed_plan_init(&c, memory.data(), memory.size(), &plan, &error);
  if (status == HEED_ERROR_CONFIG)
    refuse(error.message, ", found embed_dim ", c.embed_dim, ", kdim ", c.kdim, " and vdim ", c.vdim, " in ",
           module.path, ", batch ", c.max_batch, ", query length ", c.max_query, " and key length ", c.max_key, " in ",
           in.query.path, in.key.given() ? " and " + in.key.path : "", ", and --num-heads ", c.num_heads);
  if (status != HEED_OK) refuse(error.message);
  return plan;
}

void forward(const heed_plan* plan, const heed_config& c, const Module& module, const Inputs& in, heed_call& call) {
  heed_error error;
  const AlignedBytes weights(heed_weights_bytes(&c), "weights");
  if (heed_weights_pack(plan, &module.state_dict, weights.data(), weights.size(), &error) != HEED_OK)
    refuse(module.path, ": ", error.message);
  const AlignedBytes workspace(heed_workspace_bytes(&c), "workspace");
  ThreadPool pool;
  if (!pool.init(c.slices, error)) refuse(error.message);
  call.parallel_for = ThreadPool::parallel_for;
  call.parallel_context = &pool;
  const Progress progress;
  const heed_status status = heed_forward(plan, weights.data(), &call, workspace.data(), workspace.size(), &error);
  if (status == HEED_OK) return;
  const std::string files = blame(status, in);
  refuse(files, files.empty() ? "" : ": ", error.message);
}

}  // namespace

void run(const RunOptions& o) {
  const Module module = load_module(o.weights, o.prefix);
  const Inputs in = load_inputs(o);
  check_embed_dim(module, in);
  const heed_config config = configuration(o, module, in);
  const AlignedBytes plan_memory(HEED_PLAN_BYTES, "plan");
  const heed_plan* plan = make_plan(config, module, in, plan_memory);
  Outputs out = make_outputs(o, config, in);
  heed_call call = make_call(o, in, out);
  forward(plan, config, module, in, call);
  write_outputs(out);
  if (module.prefix_found)
    std::fprintf(stderr, "heed: %s: took the module under %s\n", o.weights.c_str(),
                 io::quote_name(module.prefix).c_str());
}

}  // namespace heed::tool
