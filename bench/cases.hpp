// cases.hpp - the shapes that are measured, once.
#pragma once
#include <cstdint>

namespace heed::bench {

struct MhaCase {
  const char* name;
  uint32_t batch, embed_dim, num_heads, length;
  // Multiply-adds of four projections and two attention products, two flops each.
  double flops() const {
    const double n = batch, e = embed_dim, s = length;
    return n * (8.0 * s * e * e + 4.0 * s * s * e);
  }
};

inline constexpr MhaCase kMhaCases[] = {
    {"seed", 1, 8, 2, 4},               // the lecture's example
    {"kwt1", 1, 64, 1, 99},             // keyword spotting
    {"kwt3", 1, 192, 3, 99},
    {"minilm", 1, 384, 12, 128},        // sentence embedding
    {"minilm_b8", 8, 384, 12, 128},
    {"vit_tiny", 1, 192, 3, 197},       // vision
    {"vit_base", 1, 768, 12, 197},
    {"bert_base", 1, 768, 12, 384},
    {"whisper_tiny_enc", 1, 384, 6, 1500},  // speech
};

}  // namespace heed::bench
