// Nothing that heed decides or answers comes from memory that nobody wrote. Runs under MemorySanitizer alone
// (--preset msan), and so uses no standard library: that one is not instrumented. Plan, packed weights and
// workspace come fresh from malloc, and so do keys and values that no query may see.
#include <sanitizer/msan_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <initializer_list>

#include "heed/heed.h"

namespace {

uint32_t state = 1;
float number() {
  state = state * 1664525u + 1013904223u;
  return float(state >> 8) * 0x1p-23f - 1.0f;
}

[[noreturn]] void fail(const char* what) {
  fprintf(stderr, "initialized_test: %s\n", what);
  exit(1);
}

template <class T>
T* fresh(size_t count) {
  void* p = aligned_alloc(HEED_ALIGNMENT, (count * sizeof(T) + HEED_ALIGNMENT) / HEED_ALIGNMENT * HEED_ALIGNMENT);
  if (!p) fail("out of memory");
  __msan_poison(p, count * sizeof(T));
  return static_cast<T*>(p);
}

float* numbers(size_t count) {
  float* p = fresh<float>(count);
  for (size_t i = 0; i < count; ++i) p[i] = number();
  return p;
}

struct Case {
  uint32_t N, L, S, H, D;
  unsigned way;  // what masks it, and its flags
};

// Is key j hidden from every query? The masks of this test are made from it.
bool hidden(const Case& c, uint32_t j) { return j % 5 == 2 || j + c.way % 3 >= c.S; }

// Keys that are hidden from every query are left as they came from malloc.
float* rows_with_holes(const Case& c, uint32_t heads, uint32_t features, bool holes) {
  float* p = fresh<float>(size_t(c.N) * heads * c.S * features);
  for (uint32_t n = 0; n < c.N * heads; ++n)
    for (uint32_t j = 0; j < c.S; ++j)
      for (uint32_t i = 0; i < features && !(holes && hidden(c, j)); ++i)
        p[(size_t(n) * c.S + j) * features + i] = number();
  return p;
}

void expect(heed_status status, const heed_error& error) {
  if (status != HEED_OK) fail(error.message);
}

heed_tensor matrix(const float* data, uint32_t rows, uint32_t columns) {
  return heed_contiguous(data, HEED_FLOAT32, 2, rows, columns, 0, 0);
}

void* packed_weights(const heed_config& c, const heed_plan* plan) {
  const uint32_t E = c.embed_dim;
  heed_state_dict s{};
  s.in_proj_weight = matrix(numbers(size_t(3) * E * E), 3 * E, E);
  s.out_proj_weight = matrix(numbers(size_t(E) * E), E, E);
  if (c.bias) {
    s.in_proj_bias = heed_contiguous(numbers(3 * E), HEED_FLOAT32, 1, 3 * E, 0, 0, 0);
    s.out_proj_bias = heed_contiguous(numbers(E), HEED_FLOAT32, 1, E, 0, 0, 0);
  }
  if (c.add_bias_kv) {
    s.bias_k = heed_contiguous(numbers(E), HEED_FLOAT32, 3, 1, 1, E, 0);
    s.bias_v = heed_contiguous(numbers(E), HEED_FLOAT32, 3, 1, 1, E, 0);
  }
  unsigned char* packed = fresh<unsigned char>(heed_weights_bytes(&c));
  heed_error error;
  expect(heed_weights_pack(plan, &s, packed, heed_weights_bytes(&c), &error), error);
  expect(heed_weights_verify(plan, packed, heed_weights_bytes(&c), &error), error);
  return packed;
}

void* masked_columns(const Case& c, size_t rows, bool as_float, bool true_hides) {
  const size_t count = rows * c.S;
  if (as_float) {
    float* p = fresh<float>(count);
    for (size_t i = 0; i < count; ++i) p[i] = hidden(c, uint32_t(i % c.S)) ? -__builtin_inff() : number();
    return p;
  }
  uint8_t* p = fresh<uint8_t>(count);
  for (size_t i = 0; i < count; ++i) p[i] = hidden(c, uint32_t(i % c.S)) == true_hides;
  return p;
}

void module(const Case& c, const char* isa) {
  heed_config config = heed_config_default(c.H * c.D, c.H);
  config.isa = isa;
  config.batch_first = true;
  config.bias = c.way % 4 != 3;
  config.add_bias_kv = c.way % 7 == 3;
  config.add_zero_attn = c.way % 7 == 5;
  config.max_batch = c.N, config.max_query = c.L, config.max_key = c.S;
  config.slices = 1 + c.way % 3;
  heed_error error;
  const heed_plan* plan = nullptr;
  expect(heed_plan_init(&config, fresh<unsigned char>(HEED_PLAN_BYTES), HEED_PLAN_BYTES, &plan, &error), error);
  void* weights = packed_weights(config, plan);
  const bool masks = c.way % 2 == 1, as_float = c.way % 3 == 0;
  const uint32_t E = config.embed_dim, columns = c.S + config.add_bias_kv + config.add_zero_attn;
  heed_call call = heed_call_default();
  call.query = heed_contiguous(numbers(size_t(c.N) * c.L * E), HEED_FLOAT32, 3, c.N, c.L, E, 0);
  call.key = heed_contiguous(rows_with_holes(c, 1, E, masks), HEED_FLOAT32, 3, c.N, c.S, E, 0);
  call.value = heed_contiguous(rows_with_holes(c, 1, E, masks), HEED_FLOAT32, 3, c.N, c.S, E, 0);
  const heed_dtype dtype = as_float ? HEED_FLOAT32 : HEED_BOOL;
  if (masks && c.way % 4 == 1)
    call.key_padding_mask = heed_contiguous(masked_columns(c, c.N, as_float, true), dtype, 2, c.N, c.S, 0, 0);
  else if (masks)
    call.attn_mask =
        heed_contiguous(masked_columns(c, size_t(c.N) * c.H * c.L, as_float, true), dtype, 4, c.N, c.H, c.L, c.S);
  call.causal = c.way % 5 == 1 ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
  call.need_weights = c.way % 3 != 2;
  call.average_attn_weights = c.way % 2 == 0;
  float* output = fresh<float>(size_t(c.N) * c.L * E);
  const size_t weight_count = size_t(c.N) * (call.average_attn_weights ? 1 : c.H) * c.L * columns;
  float* attn_weights = fresh<float>(weight_count);
  call.output = heed_contiguous(output, HEED_FLOAT32, 3, c.N, c.L, E, 0);
  call.attn_weights = call.average_attn_weights
                          ? heed_contiguous(attn_weights, HEED_FLOAT32, 3, c.N, c.L, columns, 0)
                          : heed_contiguous(attn_weights, HEED_FLOAT32, 4, c.N, c.H, c.L, columns);
  const size_t bytes = heed_workspace_bytes(&config);
  expect(heed_forward(plan, weights, &call, fresh<unsigned char>(bytes), bytes, &error), error);
  __msan_check_mem_is_initialized(output, size_t(c.N) * c.L * E * sizeof(float));
  if (call.need_weights) __msan_check_mem_is_initialized(attn_weights, weight_count * sizeof(float));
}

void sdpa(const Case& c, const char* isa) {
  heed_sdpa_config config{};
  config.isa = isa;
  config.num_heads = c.H, config.head_dim = c.D, config.value_dim = 1 + c.way % 20;
  config.max_batch = c.N, config.max_query = c.L, config.max_key = c.S;
  heed_error error;
  const heed_plan* plan = nullptr;
  expect(heed_sdpa_plan_init(&config, fresh<unsigned char>(HEED_PLAN_BYTES), HEED_PLAN_BYTES, &plan, &error), error);
  const bool masks = c.way % 2 == 1, as_float = c.way % 3 == 0;
  heed_sdpa_call call = heed_sdpa_call_default();
  const size_t rows = size_t(c.N) * c.H * c.L;
  call.query = heed_contiguous(numbers(rows * c.D), HEED_FLOAT32, 4, c.N, c.H, c.L, c.D);
  call.key = heed_contiguous(rows_with_holes(c, c.H, c.D, masks), HEED_FLOAT32, 4, c.N, c.H, c.S, c.D);
  call.value = heed_contiguous(rows_with_holes(c, c.H, config.value_dim, masks), HEED_FLOAT32, 4, c.N, c.H, c.S,
                               config.value_dim);
  if (masks)
    call.attn_mask = heed_contiguous(masked_columns(c, c.L, as_float, false), as_float ? HEED_FLOAT32 : HEED_BOOL, 2,
                                     c.L, c.S, 0, 0);
  call.causal = c.way % 5 == 1 ? HEED_CAUSAL_TOP_LEFT : HEED_CAUSAL_NONE;
  call.need_weights = c.way % 3 != 2;
  float *output = fresh<float>(rows * config.value_dim), *attn_weights = fresh<float>(rows * c.S);
  call.output = heed_contiguous(output, HEED_FLOAT32, 4, c.N, c.H, c.L, config.value_dim);
  call.attn_weights = heed_contiguous(attn_weights, HEED_FLOAT32, 4, c.N, c.H, c.L, c.S);
  const size_t bytes = heed_sdpa_workspace_bytes(&config);
  expect(heed_scaled_dot_product_attention(plan, &call, fresh<unsigned char>(bytes), bytes, &error), error);
  __msan_check_mem_is_initialized(output, rows * config.value_dim * sizeof(float));
  if (call.need_weights) __msan_check_mem_is_initialized(attn_weights, rows * c.S * sizeof(float));
}

}  // namespace

int main() {
  unsigned calls = 0, way = 0;
  heed_isa_info isa;
  for (uint32_t i = 0; heed_isa_get(i, &isa); ++i) {
    if (!isa.usable) continue;
    for (uint32_t L : {1u, 2u, 5u, 16u, 17u, 48u, 50u})
      for (uint32_t S : {1u, 6u, 16u, 33u, 130u})
        for (uint32_t D : {1u, 4u, 7u, 16u, 33u})
          for (uint32_t H : {1u, 3u}) {
            const Case c{1 + way % 2, L, S, H, D, way};
            module(c, isa.name);
            sdpa(c, isa.name);
            ++way;
            calls += 2;
          }
  }
  printf("%u calls\n", calls);
  return calls == 0;
}
