// weights_config.cpp - what packed weights say about themselves: the header, read by a stranger.
#include "core/message.hpp"
#include "heed/rules.hpp"
#include "plan.hpp"

namespace heed {
namespace {

// Flags and spare words have one spelling, and sizes are written out, so that a configuration
// has one header only.
bool canonical(const WeightsHeader& h) {
  uint32_t surplus = (h.bias | h.add_bias_kv) & ~1u;
  for (uint32_t word : h.spare) surplus |= word;
  return surplus == 0 && h.kdim != 0 && h.vdim != 0;
}

heed_status check_format(const WeightsHeader& h, heed_error* error) {
  if (h.magic != kWeightsMagic) return refuse<Sentence::magic>(error, HEED_ERROR_WEIGHTS);
  if (h.version != kWeightsVersion || h.panel != kPanel)
    return refuse<Sentence::version>(error, HEED_ERROR_WEIGHTS, kWeightsVersion, kPanel, h.version, h.panel);
  if (!canonical(h)) return refuse<Sentence::header_damaged>(error, HEED_ERROR_WEIGHTS);
  return HEED_OK;
}

}  // namespace
}  // namespace heed

heed_status heed_weights_config(const void* weights, size_t bytes, heed_config* config, heed_error* error) {
  using namespace heed;
  if (!weights || !config) return refuse_null(error, !weights ? Sentence::name_weights : Sentence::name_config);
  heed_status status = check_alignment(Sentence::name_weights, weights, error);
  if (status != HEED_OK) return status;
  if (bytes < kWeightsHeaderBytes) return refuse<Sentence::short_header>(error, HEED_ERROR_WEIGHTS, bytes);
  const WeightsHeader& h = *static_cast<const WeightsHeader*>(weights);
  status = check_format(h, error);
  if (status != HEED_OK) return status;
  heed_config c = heed_config_default(h.embed_dim, h.num_heads);
  c.bias = h.bias != 0;
  c.add_bias_kv = h.add_bias_kv != 0;
  c.kdim = h.kdim;
  c.vdim = h.vdim;
  c.max_query = 1;  // the rules want one
  const Rule rule = first_broken(c);
  if (rule != Rule::sound) return refuse_rule(error, HEED_ERROR_WEIGHTS, rule);
  const uint64_t want = weights_layout(geometry(c)).bytes;
  if (h.bytes != want || bytes != want)
    return refuse<Sentence::header_bytes>(error, HEED_ERROR_WEIGHTS, want, h.bytes, bytes);
  c.max_query = 0;
  *config = c;
  return succeed(error);
}
