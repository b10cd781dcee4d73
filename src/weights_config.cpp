// weights_config.cpp - what packed weights say about themselves: the header, read by a stranger.
#include <string.h>

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
  if (h.magic != kWeightsMagic)
    return refuse(error, HEED_ERROR_WEIGHTS, "these are no packed weights: they do not begin with \"heed\"");
  if (h.version != kWeightsVersion || h.panel != kPanel)
    return refuse(error, HEED_ERROR_WEIGHTS,
                  "packed weights should have version % and panels of %, but version % and panels of % came",
                  kWeightsVersion, kPanel, h.version, h.panel);
  if (!canonical(h)) return refuse(error, HEED_ERROR_WEIGHTS, "the header of the packed weights is damaged");
  return HEED_OK;
}

}  // namespace
}  // namespace heed

heed_status heed_weights_config(const void* weights, size_t bytes, heed_config* config, heed_error* error) {
  using namespace heed;
  if (!weights || !config)
    return refuse_null(error, !weights ? "weights" : "config");
  if (reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT != 0)
    return refuse_alignment(error, "weights");
  if (bytes < kWeightsHeaderBytes)
    return refuse(error, HEED_ERROR_WEIGHTS, "packed weights begin with a header of 64 bytes, but % came", bytes);
  WeightsHeader h;
  memcpy(&h, weights, sizeof h);
  const heed_status status = check_format(h, error);
  if (status != HEED_OK) return status;
  heed_config c = heed_config_default(h.embed_dim, h.num_heads);
  c.bias = h.bias != 0;
  c.add_bias_kv = h.add_bias_kv != 0;
  c.kdim = h.kdim;
  c.vdim = h.vdim;
  c.max_query = 1;  // the rules want one
  if constexpr (kWithMessages) {
    if (const char* rule = broken_rule(c)) return refuse(error, HEED_ERROR_WEIGHTS, "damaged packed weights: %", rule);
  } else if (!verdict<RuleHolds>(c)) {
    return set_status(error, HEED_ERROR_WEIGHTS);
  }
  const uint64_t want = weights_layout(geometry(c)).bytes;
  if (h.bytes != want || bytes != want)
    return refuse(error, HEED_ERROR_WEIGHTS,
                  "packed weights for this configuration have % bytes, but their header says % and % came", want, h.bytes,
                  bytes);
  c.max_query = 0;
  *config = c;
  return succeed(error);
}
