// cases.hpp - the shapes that are measured, once.
#pragma once
#include <cstdint>

namespace heed::bench {

// What a case has beside its shape.
enum class Extra {
  none,
  causal,
  bool_mask,     // a quarter of the (query, key) pairs is hidden; all of them are computed
  float_mask,    // a number is added to every score
  key_padding,   // the last quarter of the keys is padding
  weights,       // averaged attention weights are wanted, too
  head_weights,  // those of every head
  // A batch of lengths from 17 to `length`:
  padded,        // as one call with a key_padding_mask
  apart,         // the same queries and keys, one call for each entry
  ragged,        // one call for each entry, without the queries at padded places either
};

struct Case {
  const char* name;
  bool sdpa;  // scaled_dot_product_attention; otherwise the module with its projections
  uint32_t batch, num_heads, head_dim, length;
  Extra extra = Extra::none;

  constexpr uint32_t embed_dim() const { return num_heads * head_dim; }
  constexpr bool many_lengths() const {
    return extra == Extra::padded || extra == Extra::apart || extra == Extra::ragged;
  }
  constexpr bool many_calls() const { return extra == Extra::apart || extra == Extra::ragged; }

  // Keys that take part, and queries, of an entry of the batch.
  constexpr uint32_t keys(uint32_t entry) const {
    if (extra == Extra::key_padding) return length - length / 4;
    return many_lengths() ? 17 + entry * (length - 17) / (batch - 1) : length;
  }
  constexpr uint32_t queries(uint32_t entry) const { return extra == Extra::ragged ? keys(entry) : length; }

  // Pairs of a query and a key it may see by formula.
  constexpr double pairs(uint32_t entry) const {
    const double l = queries(entry), s = keys(entry);
    return extra == Extra::causal ? 0.5 * l * (l + 1.0) : l * s;
  }

  // Two for each multiply-add: q k^T and p v, and the projections of q, k, v and the output.
  constexpr double flops() const {
    const double e = embed_dim();
    double sum = 0.0;
    for (uint32_t n = 0; n < batch; ++n) {
      sum += 4.0 * pairs(n) * e;
      if (!sdpa) sum += 4.0 * e * e * (double(queries(n)) + double(keys(n)));
    }
    return sum;
  }

  // Floats that have to be read or written at least once: inputs, weights, output.
  constexpr double floats() const {
    const double e = embed_dim();
    double sum = sdpa ? 0.0 : 4.0 * e * (e + 1.0);
    for (uint32_t n = 0; n < batch; ++n) sum += e * (sdpa ? 2.0 * queries(n) + 2.0 * keys(n) : 2.0 * queries(n));
    return sum;
  }
};

inline constexpr Case kCases[] = {
    {"seed", false, 1, 2, 4, 4},                // the lecture's example
    {"kwt1", false, 1, 1, 64, 99},              // keyword spotting
    {"kwt3", false, 1, 3, 64, 99},
    {"minilm", false, 1, 12, 32, 128},          // sentence embedding
    {"minilm_b8", false, 8, 12, 32, 128},
    {"vit_tiny", false, 1, 3, 64, 197},         // vision
    {"vit_base", false, 1, 12, 64, 197},
    {"bert_base", false, 1, 12, 64, 384},
    {"whisper_tiny_enc", false, 1, 6, 64, 1500},  // speech

    {"seed_weights", false, 1, 2, 4, 4, Extra::weights},  // what the lecture asks for
    {"minilm_weights", false, 1, 12, 32, 128, Extra::weights},
    {"minilm_head_weights", false, 1, 12, 32, 128, Extra::head_weights},
    {"minilm_causal", false, 1, 12, 32, 128, Extra::causal},
    {"minilm_key_padding", false, 1, 12, 32, 128, Extra::key_padding},
    {"minilm_bool_mask", false, 1, 12, 32, 128, Extra::bool_mask},
    {"minilm_float_mask", false, 1, 12, 32, 128, Extra::float_mask},
    {"minilm_padded", false, 32, 12, 32, 128, Extra::padded},
    {"minilm_padded_apart", false, 32, 12, 32, 128, Extra::apart},
    {"minilm_ragged", false, 32, 12, 32, 128, Extra::ragged},

    {"sdpa_128", true, 1, 12, 32, 128},         // minilm's heads
    {"sdpa_197", true, 1, 12, 64, 197},         // vit_base's
    {"sdpa_384", true, 1, 12, 64, 384},         // bert_base's
    {"sdpa_1500", true, 1, 6, 64, 1500},        // whisper_tiny_enc's
    {"sdpa_4096", true, 1, 8, 64, 4096},
    {"sdpa_4096_causal", true, 1, 8, 64, 4096, Extra::causal},
    {"sdpa_2048_d128_causal", true, 1, 16, 128, 2048, Extra::causal},

    {"sdpa_128_d16", true, 1, 12, 16, 128},     // any head_dim
    {"sdpa_128_d20", true, 1, 12, 20, 128},
    {"sdpa_128_d24", true, 1, 12, 24, 128},
    {"sdpa_128_d30", true, 1, 12, 30, 128},
    {"sdpa_128_d36", true, 1, 12, 36, 128},
    {"sdpa_128_d44", true, 1, 12, 44, 128},
    {"sdpa_128_d48", true, 1, 12, 48, 128},
    {"sdpa_128_d60", true, 1, 12, 60, 128},
    {"sdpa_128_d64", true, 1, 12, 64, 128},
    {"sdpa_128_d80", true, 1, 12, 80, 128},
    {"sdpa_128_d128", true, 1, 12, 128, 128},
    {"sdpa_128_d256", true, 1, 12, 256, 128},
};

// Measured on several threads, too.
inline constexpr const char* kThreadedCases[] = {"kwt1",     "kwt3",      "minilm",           "minilm_b8", "vit_tiny",
                                                 "vit_base", "bert_base", "whisper_tiny_enc", "sdpa_1500"};

}  // namespace heed::bench
