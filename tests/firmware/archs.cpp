// archs.cpp - all archs of a firmware image give the same bits, and those of other boards, on
// pseudo-random problems of many sizes: modules and SDPA, masks of all kinds, hidden keys that are
// NaN, infinite values.
#include "board.h"
#include "heed/heed.hpp"

namespace {

constexpr uint32_t kHash = 0x2f2076a9;  // of all answers, the same on every board
constexpr uint32_t kProblems = 160, kMostDim = 48, kMostQueries = 50, kMostKeys = 140;
constexpr uint32_t kMostHeads = 5, kMostOutput = kMostQueries * (kMostDim + kMostHeads * (kMostKeys + 2));
constexpr float kNan = __builtin_nanf(""), kInf = __builtin_inff();

heed::Arena<HEED_PLAN_BYTES> plan_memory;
heed::Arena<49152> packed;
heed::Arena<131072> workspace;
float in_proj[4 * kMostDim * kMostDim], biases[8 * kMostDim];
float queries[kMostQueries * kMostDim], keys[kMostKeys * kMostDim], values[kMostKeys * kMostDim];
float float_mask[kMostQueries * kMostKeys], answers[kMostOutput];
uint8_t bool_mask[kMostQueries * kMostKeys], padding[kMostKeys];
heed_error error;

uint32_t state = 1;
uint32_t any(uint32_t end) {
  state = state * 1664525u + 1013904223u;
  return (state >> 8) % end;
}
template <uint32_t N>
void fill(float (&x)[N], float bound) {
  for (float& f : x) f = (float(any(1u << 24)) * 0x1p-23f - 1.0f) * bound;
}

struct Problem {
  uint32_t heads, dim, value_dim, query_len, key_len;  // dim, value_dim: of one head
  bool bias_kv, zero_attn, need_weights, average;
  uint32_t mask;  // 0: none, 1: bool, 2: float
  bool pads, causal;
};

// Sizes around those of registers and tiles; now and then a second block of keys.
Problem next_problem() {
  static const uint32_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 50};
  Problem p{};
  p.heads = 1 + any(kMostHeads);
  p.dim = 1 + any(kMostDim / p.heads);
  p.value_dim = 1 + any(kMostDim / p.heads);
  p.query_len = lengths[any(12)];
  p.key_len = any(8) == 0 ? 126 + any(10) : lengths[any(12)];
  p.bias_kv = any(4) == 0, p.zero_attn = any(4) == 0;
  p.need_weights = any(2) == 0, p.average = any(2) == 0;
  p.mask = any(3);
  p.pads = any(3) == 0, p.causal = any(3) == 0;
  fill(in_proj, 0.3f);
  fill(biases, 0.3f);
  fill(queries, 4.0f);
  fill(keys, 2.0f);
  fill(values, 2.0f);
  fill(float_mask, 3.0f);
  for (float& f : float_mask) f = any(4) == 0 ? -kInf : f;
  for (uint8_t& b : bool_mask) b = any(3) == 0;
  for (uint8_t& b : padding) b = any(3) == 0;
  if (any(6) == 0) values[any(p.key_len)] = kInf;
  if (any(6) == 0) queries[any(p.query_len)] = kNan;
  return p;
}

heed_tensor floats(const float* data, uint32_t a, uint32_t b, uint32_t c) {
  return heed_contiguous(data, HEED_FLOAT32, 3, a, b, c, 0);
}

heed_tensor mask_of(const Problem& p) {
  if (p.mask == 1) return heed_contiguous(bool_mask, HEED_BOOL, 2, p.query_len, p.key_len, 0, 0);
  return heed_contiguous(p.mask == 2 ? float_mask : nullptr, HEED_FLOAT32, 2, p.query_len, p.key_len, 0, 0);
}

bool module(const Problem& p, const char* isa) {
  const uint32_t e = p.heads * p.dim, positions = p.key_len + p.bias_kv + p.zero_attn;
  heed_config config = heed_config_default(e, p.heads);
  config.add_bias_kv = p.bias_kv, config.add_zero_attn = p.zero_attn, config.batch_first = true;
  config.max_query = p.query_len, config.max_key = p.key_len;
  config.isa = isa;
  heed_state_dict s{};
  s.in_proj_weight = heed_contiguous(in_proj, HEED_FLOAT32, 2, 3 * e, e, 0, 0);
  s.in_proj_bias = heed_contiguous(biases, HEED_FLOAT32, 1, 3 * e, 0, 0, 0);
  s.out_proj_weight = heed_contiguous(in_proj + 3 * e * e, HEED_FLOAT32, 2, e, e, 0, 0);
  s.out_proj_bias = heed_contiguous(biases + 3 * e, HEED_FLOAT32, 1, e, 0, 0, 0);
  if (p.bias_kv) s.bias_k = floats(biases + 4 * e, 1, 1, e), s.bias_v = floats(biases + 5 * e, 1, 1, e);
  heed_call call = heed_call_default();
  call.query = floats(queries, 1, p.query_len, e);
  call.key = floats(keys, 1, p.key_len, e);
  call.value = floats(values, 1, p.key_len, e);
  if (p.pads) call.key_padding_mask = heed_contiguous(padding, HEED_BOOL, 2, 1, p.key_len, 0, 0);
  call.attn_mask = mask_of(p);
  call.causal = p.causal ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
  call.output = floats(answers, 1, p.query_len, e);
  call.need_weights = p.need_weights, call.average_attn_weights = p.average;
  const float* const weights = p.need_weights ? answers + p.query_len * e : nullptr;
  if (p.average) call.attn_weights = floats(weights, 1, p.query_len, positions);
  else call.attn_weights = heed_contiguous(weights, HEED_FLOAT32, 4, 1, p.heads, p.query_len, positions);
  for (uint32_t i = 0; p.pads && i < p.key_len * e; ++i)
    if (padding[i / e]) keys[i] = values[i] = kNan;  // never read
  const heed_plan* plan;
  return heed_plan_init(&config, plan_memory.bytes, plan_memory.size(), &plan, &error) == HEED_OK &&
         heed_weights_pack(plan, &s, packed.bytes, packed.size(), &error) == HEED_OK &&
         heed_forward(plan, packed.bytes, &call, workspace.bytes, workspace.size(), &error) == HEED_OK;
}

bool sdpa(const Problem& p, const char* isa) {
  heed_sdpa_config config{};
  config.num_heads = p.heads, config.head_dim = p.dim, config.value_dim = p.value_dim;
  config.max_query = p.query_len, config.max_key = p.key_len;
  config.isa = isa;
  heed_sdpa_call call = heed_sdpa_call_default();
  call.query = floats(queries, p.heads, p.query_len, p.dim);
  call.key = floats(keys, p.heads, p.key_len, p.dim);
  call.value = floats(values, p.heads, p.key_len, p.value_dim);
  call.attn_mask = mask_of(p);
  call.causal = p.causal ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
  call.output = floats(answers, p.heads, p.query_len, p.value_dim);
  call.need_weights = p.need_weights;
  if (p.need_weights)
    call.attn_weights = floats(answers + p.heads * p.query_len * p.value_dim, p.heads, p.query_len, p.key_len);
  const heed_plan* plan;
  return heed_sdpa_plan_init(&config, plan_memory.bytes, plan_memory.size(), &plan, &error) == HEED_OK &&
         heed_scaled_dot_product_attention(plan, &call, workspace.bytes, workspace.size(), &error) == HEED_OK;
}

// The answer's hash, every NaN alike, or 0 for an error.
uint32_t answer(const Problem& p, bool with_module, const char* isa) {
  for (float& f : answers) f = 7.0f;
  if (!(with_module ? module(p, isa) : sdpa(p, isa))) return 0;
  for (float& f : answers)
    if (f != f) f = 1e38f;
  return hash_floats(HASH_BEGIN, answers, kMostOutput);
}

}  // namespace

int main() {
  uint32_t wrong = 0, all = HASH_BEGIN;
  heed_isa_info best{}, other{};
  if (!heed_isa_get(0, &best)) return 1;
  for (uint32_t n = 0; n < kProblems; ++n) {
    const Problem p = next_problem();
    const uint32_t expected = answer(p, n % 3 != 0, best.name);
    all = (all ^ expected) * 16777619u;
    for (uint32_t i = 1; heed_isa_get(i, &other); ++i) {
      if (expected != 0 && answer(p, n % 3 != 0, other.name) == expected) continue;
      ++wrong;
      board_write("NOT ok: problem ");
      board_write_hex(n);
      board_write(expected ? ": other bits by " : ": ");
      board_write(expected ? other.name : error.message);
      board_write("\n");
    }
  }
  board_write_hex(all);
  board_write(wrong ? ": NOT ok: archs differ\n" : all == kHash ? ": all archs agree\n" : ": NOT ok: other bits\n");
  return wrong == 0 && all == kHash ? 0 : 1;
}
