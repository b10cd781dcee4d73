// features.cpp - what a build has and leaves out (HEED_WITH_...): the same bits with all of it and
// with HEED_MINIMAL, and a call that needs what is not there is refused by name. Runs on a board.
#include "board.h"
#include "heed/heed.hpp"
#include "plan.hpp"

namespace {

constexpr uint32_t kE = 8, kL = 4;
constexpr heed_config kConfig = heed::Config(kE, 2).batch_first().max_query(kL);
constexpr uint32_t kHash = 0x2e1c9f9f;  // of the output on arch avx2 with everything

heed::Arena<HEED_PLAN_BYTES> memory;
heed::Arena<heed::weights_bytes(kConfig)> packed;
heed::Arena<4096> workspace, sdpa_workspace;
heed::Arena<HEED_SELF_TEST_BYTES> self_test_memory;
float matrix[3 * kE * kE], bias[3 * kE], x[kL * kE], output[kL * kE], attention[kL * kL];
heed_error error;
int wrong = 0;

void check(bool ok, const char* what) {
  board_write(ok ? "ok " : "NOT ok ");
  board_write(what);
  board_write("\n");
  if (!ok) {
    board_write(error.message);
    board_write("\n");
    ++wrong;
  }
}

bool contains(const char* text, const char* word) {
  for (; *text; ++text) {
    uint32_t i = 0;
    while (word[i] && text[i] == word[i]) ++i;
    if (!word[i]) return true;
  }
  return false;
}

// Accepted by a build that has it; else refused by the option's name.
void needs(bool with, heed_status status, const char* option) {
  bool ok = status == error.status && status == (with ? HEED_OK : HEED_ERROR_FEATURE);
  if (with || !HEED_WITH_MESSAGES) ok = ok && error.message[0] == 0;
  else ok = ok && contains(error.message, option);
  check(ok, option);
}

// Values that are exact in any arithmetic.
float value(uint32_t i) { return float(int((i * 37 + i / 5 * 11) % 17) - 8) / 16; }

// The reference for heed_weights_pack, and what takes its place where that is left out.
void pack_panels(const float* w, uint32_t outputs, uint32_t depth, uint64_t offset) {
  float* to = reinterpret_cast<float*>(packed.bytes + offset);
  for (uint32_t n = 0; n < outputs; ++n)
    for (uint32_t k = 0; k < depth; ++k) to[(n / 16 * depth + k) * 16 + n % 16] = w[n * depth + k];
}

void pack_by_hand(const heed_plan* plan) {
  const heed::WeightsLayout w = heed::weights_layout(heed::geometry(kConfig));
  for (unsigned char& byte : packed.bytes) byte = 0;
  pack_panels(matrix, kE, kE, w.q);
  pack_panels(matrix + kE * kE, kE, kE, w.k);
  pack_panels(matrix + 2 * kE * kE, kE, kE, w.v);
  pack_panels(matrix, kE, kE, w.out);
  pack_panels(bias, kE, 1, w.q_bias);
  pack_panels(bias + kE, kE, 1, w.k_bias);
  pack_panels(bias + 2 * kE, kE, 1, w.v_bias);
  pack_panels(bias, kE, 1, w.out_bias);
  __builtin_memcpy(packed.bytes, &plan->header, sizeof plan->header);
}

uint32_t hash_bytes(const heed::Arena<heed::weights_bytes(kConfig)>& a) {
  return hash_floats(HASH_BEGIN, reinterpret_cast<const float*>(a.bytes + heed::kWeightsHeaderBytes),
                     uint32_t(a.size() - heed::kWeightsHeaderBytes) / 4);
}

void try_pack(const heed_plan* plan) {
  heed_state_dict s{};
  s.in_proj_weight = heed::tensor(matrix, {3 * kE, kE});
  s.in_proj_bias = heed::tensor(bias, {3 * kE});
  s.out_proj_weight = heed::tensor(matrix, {kE, kE});
  s.out_proj_bias = heed::tensor(bias, {kE});
  const uint32_t by_hand = hash_bytes(packed);
  needs(HEED_WITH_PACK, heed_weights_pack(plan, &s, packed.bytes, packed.size(), &error), "HEED_WITH_PACK");
  check(hash_bytes(packed) == by_hand, "packed weights are panels of 16");
}

heed_status plan_for(const heed_config& config) {
  static heed::Arena<HEED_PLAN_BYTES> other;
  const heed_plan* plan;
  return heed_plan_init(&config, other.bytes, HEED_PLAN_BYTES, &plan, &error);
}

void try_calls(const heed_plan* plan, const heed_call& plain) {
  static const bool mask[kL * kL] = {};
  const auto forward = [&](const heed_call& c) {
    return heed_forward(plan, packed.bytes, &c, workspace.bytes, workspace.size(), &error);
  };
  heed_call call = plain;
  call.attn_mask = heed::tensor(mask, {kL, kL});
  needs(HEED_WITH_MASKS, forward(call), "HEED_WITH_MASKS");
  call = plain;
  call.key_padding_mask = heed::tensor(mask, {1, kL});
  needs(HEED_WITH_MASKS, forward(call), "HEED_WITH_MASKS");
  call = plain;
  call.causal = HEED_CAUSAL_TOP_LEFT;
  needs(HEED_WITH_CAUSAL, forward(call), "HEED_WITH_CAUSAL");
  call = plain;
  call.need_weights = true;
  call.attn_weights = heed::tensor(attention, {1, kL, kL});
  needs(HEED_WITH_WEIGHTS_OUTPUT, forward(call), "HEED_WITH_WEIGHTS_OUTPUT");
}

void try_plans() {
  needs(HEED_WITH_BIAS_KV, plan_for(heed::Config(kE, 2).max_query(kL).add_bias_kv()), "HEED_WITH_BIAS_KV");
  needs(HEED_WITH_BIAS_KV, plan_for(heed::Config(kE, 2).max_query(kL).add_zero_attn()), "HEED_WITH_BIAS_KV");
  needs(HEED_WITH_SELF_TEST, heed_self_test(nullptr, self_test_memory.bytes, self_test_memory.size(), &error),
        "HEED_WITH_SELF_TEST");
  needs(HEED_WITH_SLICES, plan_for(heed::Config(kE, 2).max_query(kL).slices(2)), "HEED_WITH_SLICES");
  heed_sdpa_config config{};
  config.num_heads = 2;
  config.head_dim = config.max_query = kL;
  const heed_plan* plan;
  needs(HEED_WITH_SDPA, heed_sdpa_plan_init(&config, memory.bytes, HEED_PLAN_BYTES, &plan, &error), "HEED_WITH_SDPA");
  heed_sdpa_call call = heed_sdpa_call_default();
  call.query = call.key = call.value = heed::tensor(x, {2, kL, kL});
  call.output = heed::tensor(output, {2, kL, kL});
  needs(HEED_WITH_SDPA, heed_scaled_dot_product_attention(reinterpret_cast<heed_plan*>(memory.bytes), &call,
                        sdpa_workspace.bytes, sdpa_workspace.size(), &error), "HEED_WITH_SDPA");
}

}  // namespace

int main() {
  for (uint32_t i = 0; i < 3 * kE * kE; ++i) matrix[i] = value(i);
  for (uint32_t i = 0; i < 3 * kE; ++i) bias[i] = value(i + 5);
  for (uint32_t i = 0; i < kL * kE; ++i) x[i] = value(i + 3) * 2;
  const heed_plan* plan = nullptr;
  check(heed_plan_init(&kConfig, memory.bytes, HEED_PLAN_BYTES, &plan, &error) == HEED_OK, "plan");
  if (!plan) return 1;
  pack_by_hand(plan);
  heed_call call = heed_call_default();
  call.query = heed::tensor(x, {1, kL, kE});
  call.output = heed::tensor(output, {1, kL, kE});
  check(heed_forward(plan, packed.bytes, &call, workspace.bytes, workspace.size(), &error) == HEED_OK, "forward");
  const uint32_t hash = hash_floats(HASH_BEGIN, output, kL * kE);
  board_write_hex(hash);
  check(hash == kHash, " the bits of a build with everything");
  needs(HEED_WITH_SELF_TEST, heed_plan_verify(plan, &error), "HEED_WITH_SELF_TEST");
  try_pack(plan);
  try_calls(plan, call);
  try_plans();
  return wrong;
}
