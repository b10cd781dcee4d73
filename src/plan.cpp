// plan.cpp - config -> rules -> layout -> kernel table -> plan.
#include "plan.hpp"

#include <string.h>

#include "core/message.hpp"
#include "dispatch.hpp"
#include "heed/rules.hpp"

namespace heed {
namespace {

template <class Config>
heed_status plan_init(const Config* config, void* memory, size_t bytes, const heed_plan** plan,
                      heed_error* error) {
  if (!config || !memory || !plan)
    return Message(error, HEED_ERROR_NULL) << (!config ? "config" : !memory ? "memory" : "plan")
                                           << " must not be NULL";
  if (const char* rule = broken_rule(*config)) return Message(error, HEED_ERROR_CONFIG) << rule;
  if (reinterpret_cast<uintptr_t>(memory) % HEED_ALIGNMENT != 0)
    return Message(error, HEED_ERROR_MEMORY) << "a plan's memory must be aligned to 64 bytes";
  if (bytes < HEED_PLAN_BYTES)
    return Message(error, HEED_ERROR_MEMORY)
           << "a plan needs " << HEED_PLAN_BYTES << " bytes, but " << uint64_t(bytes) << " came";
  heed_plan p{};
  p.magic = kPlanMagic;
  p.geometry = geometry(*config);
  if (p.geometry.projects()) {
    p.weights = weights_layout(p.geometry);
    p.header = weights_header(p.geometry, p.weights);
  }
  p.workspace = workspace_layout(p.geometry);
  if (p.weights.bytes > kMostBytes || p.workspace.bytes > kMostBytes)
    return Message(error, HEED_ERROR_CONFIG)
           << "weights or workspace exceed what this machine can address";
  p.kernels = find_table(config->isa, error);
  if (!p.kernels) return HEED_ERROR_ISA;
  p.scale = 1.0f / __builtin_sqrtf(float(p.geometry.head_dim));
  p.small = p.geometry.small() && p.kernels->small;
  memcpy(memory, &p, sizeof p);
  *plan = static_cast<const heed_plan*>(memory);
  return succeed(error);
}

}  // namespace
}  // namespace heed

size_t heed_weights_bytes(const heed_config* config) { return config ? heed::weights_bytes(*config) : 0; }
size_t heed_workspace_bytes(const heed_config* config) { return config ? heed::workspace_bytes(*config) : 0; }
size_t heed_sdpa_workspace_bytes(const heed_sdpa_config* config) {
  return config ? heed::workspace_bytes(*config) : 0;
}

heed_status heed_plan_init(const heed_config* config, void* memory, size_t bytes,
                           const heed_plan** plan, heed_error* error) {
  return heed::plan_init(config, memory, bytes, plan, error);
}
heed_status heed_sdpa_plan_init(const heed_sdpa_config* config, void* memory, size_t bytes,
                                const heed_plan** plan, heed_error* error) {
  return heed::plan_init(config, memory, bytes, plan, error);
}

const char* heed_plan_isa(const heed_plan* plan) { return heed::is_plan(plan) ? plan->kernels->name : ""; }
