// plan.cpp - config -> rules -> layout -> kernel table -> plan.
#include "plan.hpp"

#include <string.h>

#include "core/message.hpp"
#include "dispatch.hpp"
#include "heed/rules.hpp"

namespace heed {
namespace {

heed_status check_features(const Geometry& g, heed_error* error) {
  if (!kWithBiasKv && g.extra_slots() != 0) return refuse_feature(error, "HEED_WITH_BIAS_KV");
  if (!kWithSlices && g.slices != 1) return refuse_feature(error, "HEED_WITH_SLICES");
  return HEED_OK;
}

// A sound configuration, whichever of the two it came from.
heed_status make_plan(const Geometry& g, const char* isa, void* memory, size_t bytes, const heed_plan** plan,
                      heed_error* error) {
  heed_status status = check_alignment(Sentence::plans_memory, memory, error);
  if (status == HEED_OK) status = check_room(Sentence::plan_room, HEED_PLAN_BYTES, bytes, error);
  if (status == HEED_OK) status = check_features(g, error);
  if (status != HEED_OK) return status;
  heed_plan p;
  memset(static_cast<void*>(&p), 0, sizeof p);  // what lies between its fields, too: the checksum is of bytes
  p.magic = kPlanMagic;
  p.geometry = g;
  p.weights = weights_layout(g);
  p.workspace = workspace_layout(g);
  write_header(g, p.weights.bytes, p.header);
  if (p.weights.bytes > kMostBytes || p.workspace.bytes > kMostBytes)
    return refuse<Sentence::too_large>(error, HEED_ERROR_CONFIG);
  p.kernels = find_table(isa, error);
  if (!p.kernels) return HEED_ERROR_ISA;
  p.scale = 1.0f / __builtin_sqrtf(float(g.head_dim));
  p.small = !kForSize && g.small() && p.kernels->small;
  if constexpr (kWithSelfTest) p.crc = checksum(&p);
  memcpy(memory, &p, sizeof p);
  *plan = static_cast<const heed_plan*>(memory);
  return succeed(error);
}

template <class Config>
heed_status plan_init(const Config* config, void* memory, size_t bytes, const heed_plan** plan, heed_error* error) {
  if (!config || !memory || !plan)
    return refuse_null(error, !config ? Sentence::name_config : !memory ? Sentence::name_memory : Sentence::name_plan);
  const Rule rule = first_broken(*config);
  if (rule != Rule::sound) return refuse_rule(error, HEED_ERROR_CONFIG, rule);
  return make_plan(heed::geometry(*config), config->isa, memory, bytes, plan, error);
}

}  // namespace
}  // namespace heed

size_t heed_weights_bytes(const heed_config* config) { return config ? heed::weights_bytes(*config) : 0; }
size_t heed_workspace_bytes(const heed_config* config) { return config ? heed::workspace_bytes(*config) : 0; }
size_t heed_sdpa_workspace_bytes(const heed_sdpa_config* config) {
  return heed::kWithSdpa && config ? heed::workspace_bytes(*config) : 0;
}

heed_status heed_plan_init(const heed_config* config, void* memory, size_t bytes,
                           const heed_plan** plan, heed_error* error) {
  return heed::plan_init(config, memory, bytes, plan, error);
}
heed_status heed_sdpa_plan_init(const heed_sdpa_config* config, void* memory, size_t bytes,
                                const heed_plan** plan, heed_error* error) {
  if constexpr (!heed::kWithSdpa) return heed::refuse_feature(error, "HEED_WITH_SDPA");
  else return heed::plan_init(config, memory, bytes, plan, error);
}

heed_status heed_plan_verify(const heed_plan* plan, heed_error* error) {
  using namespace heed;
  if constexpr (!kWithSelfTest) {
    return refuse_feature(error, "HEED_WITH_SELF_TEST");
  } else {
    if (!plan) return refuse_null(error, Sentence::name_plan);
    if (!is_plan(plan)) return refuse<Sentence::plan_of_either>(error, HEED_ERROR_PLAN);
    const uint32_t sum = checksum(plan);
    if (sum != plan->crc) return refuse<Sentence::plan_damaged>(error, HEED_ERROR_PLAN, plan->crc, sum);
    return succeed(error);
  }
}

const char* heed_plan_isa(const heed_plan* plan) { return heed::is_plan(plan) ? plan->kernels->name : ""; }
