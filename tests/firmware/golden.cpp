// golden.cpp - some of tests/golden on a machine without files, heap and stdio: PyTorch's answers
// within 1e-5, and over all of them the hash that the desktop's bits have. First with the arch that
// heed chooses, then with the plainest of the build.
#include "board.h"
#include "heed/heed.hpp"

namespace {

struct Array {
  const void* data;
  bool is_bool;
  uint32_t rank, shape[HEED_MAX_RANK];
  heed_tensor tensor() const {
    return heed_contiguous(data, is_bool ? HEED_BOOL : HEED_FLOAT32, rank, shape[0], shape[1], shape[2], shape[3]);
  }
  uint32_t size() const {
    uint32_t n = data ? 1 : 0;
    for (uint32_t i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

struct Case {
  const char* name;
  uint32_t embed_dim, num_heads, kdim, vdim, batch, query_len, key_len;
  bool bias, add_bias_kv, add_zero_attn, batch_first, need_weights, average_attn_weights;
  int causal, causal_offset, fully_masked;
  Array in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k, bias_v;
  Array out_proj_weight, out_proj_bias;
  Array query, key, value, key_padding_mask, attn_mask, output, weights;
};

constexpr float kNan = __builtin_nanf(""), kInf = __builtin_inff();
#include "golden_subset.h"

constexpr uint32_t kDesktopHash = 0x31bc8162;  // arch avx2
constexpr uint32_t kMost = 2048;               // floats of an output
heed::Arena<HEED_PLAN_BYTES> plan_memory;
heed::Arena<8192> packed;
heed::Arena<32768> workspace;
float output[kMost], weights[kMost];
heed_error error;

heed_config config_of(const Case& c, const char* isa) {
  heed_config config = heed_config_default(c.embed_dim, c.num_heads);
  config.kdim = c.kdim;
  config.vdim = c.vdim;
  config.bias = c.bias;
  config.add_bias_kv = c.add_bias_kv;
  config.add_zero_attn = c.add_zero_attn;
  config.batch_first = c.batch_first;
  config.max_batch = c.batch;
  config.max_query = c.query_len;
  config.max_key = c.key_len;
  config.isa = isa;
  return config;
}

heed_state_dict state_dict_of(const Case& c) {
  heed_state_dict s{};
  s.in_proj_weight = c.in_proj_weight.tensor();
  s.q_proj_weight = c.q_proj_weight.tensor();
  s.k_proj_weight = c.k_proj_weight.tensor();
  s.v_proj_weight = c.v_proj_weight.tensor();
  s.in_proj_bias = c.in_proj_bias.tensor();
  s.bias_k = c.bias_k.tensor();
  s.bias_v = c.bias_v.tensor();
  s.out_proj_weight = c.out_proj_weight.tensor();
  s.out_proj_bias = c.out_proj_bias.tensor();
  return s;
}

heed_call call_of(const Case& c) {
  heed_call call = heed_call_default();
  call.query = c.query.tensor();
  call.key = c.key.tensor();
  call.value = c.value.tensor();
  call.key_padding_mask = c.key_padding_mask.tensor();
  call.attn_mask = c.attn_mask.tensor();
  call.causal = heed_causal(c.causal);
  call.causal_offset = c.causal_offset;
  call.fully_masked = heed_fully_masked(c.fully_masked);
  call.need_weights = c.need_weights;
  call.average_attn_weights = c.average_attn_weights;
  call.output = c.output.tensor();
  call.output.data = output;
  call.attn_weights = c.weights.tensor();
  if (c.need_weights) call.attn_weights.data = weights;
  return call;
}

// An error's sentence, or nullptr; *chosen: the arch.
const char* answer(const Case& c, const char* isa, const char** chosen) {
  const heed_config config = config_of(c, isa);
  const heed_state_dict state_dict = state_dict_of(c);
  const heed_call call = call_of(c);
  const heed_plan* plan;
  if (c.output.size() > kMost || c.weights.size() > kMost) return "golden.cpp has no room for it";
  if (heed_plan_init(&config, plan_memory.bytes, HEED_PLAN_BYTES, &plan, &error) != HEED_OK ||
      heed_weights_pack(plan, &state_dict, packed.bytes, packed.size(), &error) != HEED_OK ||
      heed_weights_verify(plan, packed.bytes, heed_weights_bytes(&config), &error) != HEED_OK ||
      heed_forward(plan, packed.bytes, &call, workspace.bytes, workspace.size(), &error) != HEED_OK)
    return error.message;
  *chosen = heed_plan_isa(plan);
  return nullptr;
}

bool near(const float* x, const Array& want) {
  const float* y = static_cast<const float*>(want.data);
  for (uint32_t i = 0; i < want.size(); ++i) {
    if (x[i] != x[i] && y[i] != y[i]) continue;  // NaN
    if (!(x[i] - y[i] <= 1e-5f && y[i] - x[i] <= 1e-5f)) return false;
  }
  return true;
}

// A NaN's sign and payload differ between processors.
uint32_t hash(uint32_t h, float* x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i)
    if (x[i] != x[i]) x[i] = 1e38f;
  return hash_floats(h, x, n);
}

bool refuses() {
  heed_config config = heed_config_default(8, 3);
  const heed_plan* plan;
  config.max_query = 1;
  return heed_plan_init(&config, plan_memory.bytes, HEED_PLAN_BYTES, &plan, &error) == HEED_ERROR_CONFIG &&
         heed_workspace_bytes(&config) == 0;
}

bool same(const char* a, const char* b) {
  for (; *a && *a == *b; ++a, ++b) {}
  return *a == *b;
}

const char* plainest_isa() {
  heed_isa_info info{};
  for (uint32_t i = heed_isa_count(); i-- > 0 && heed_isa_get(i, &info) && info.by_name_only;) {}
  return info.name;
}

// How many answers are wrong; `expected`: the arch that should give them, or nullptr.
int wrong_answers(const char* isa, const char* expected) {
  int wrong = 0;
  uint32_t all = HASH_BEGIN;
  const char* chosen = "none";
  for (const Case& c : kCases) {
    const char* why = answer(c, isa, &chosen);
    if (!why && !(near(output, c.output) && near(weights, c.weights))) why = "not PyTorch's answer";
    all = hash(hash(all, output, c.output.size()), weights, c.weights.size());
    board_write_hex(all);
    board_write(why ? " NOT ok " : " ok ");
    board_write(c.name);
    if (why) board_write(": ");
    board_write(why ? why : "");
    board_write("\n");
    wrong += why != nullptr;
  }
  if (expected && !same(chosen, expected)) {
    board_write("NOT ok: another arch should have been chosen: ");
    ++wrong;
  }
  board_write(chosen);
  board_write(all == kDesktopHash ? ": the desktop's bits\n" : ": NOT ok: the desktop has other bits\n");
  return wrong + (all != kDesktopHash);
}

}  // namespace

int main() {
#if defined(BEST_ARCH)
  const char* const best = BEST_ARCH;
#else
  const char* const best = nullptr;  // hosted: $HEED_ISA may say another
#endif
  const char* const plainest = plainest_isa();
  const int wrong = wrong_answers(nullptr, best) + wrong_answers(plainest, plainest);
  return refuses() && wrong == 0 ? 0 : 1;
}
