// features.hpp - what this build has. CMake's HEED_WITH_... options, all ON unless flash is
// scarce; what is OFF costs nothing, and a call that needs it is refused by name.
#pragma once

namespace heed {

inline constexpr bool kWithMasks = HEED_WITH_MASKS;                  // attn_mask, key_padding_mask
inline constexpr bool kWithCausal = HEED_WITH_CAUSAL;                // heed_causal but NONE
inline constexpr bool kWithWeightsOutput = HEED_WITH_WEIGHTS_OUTPUT; // need_weights
inline constexpr bool kWithBiasKv = HEED_WITH_BIAS_KV;               // add_bias_kv, add_zero_attn
inline constexpr bool kWithSdpa = HEED_WITH_SDPA;                    // scaled_dot_product_attention
inline constexpr bool kWithSlices = HEED_WITH_SLICES;                // more than one thread per call
inline constexpr bool kWithPack = HEED_WITH_PACK;                    // state_dict to packed weights
inline constexpr bool kWithTiles = HEED_WITH_TILES;                  // arch scalar: 16 sums at a time, not one
inline constexpr bool kWithSelfTest = HEED_WITH_SELF_TEST;           // heed_self_test, heed_plan_verify
inline constexpr bool kWithMessages = HEED_WITH_MESSAGES;            // sentences beside the status
inline constexpr bool kWithEverything = kWithMasks && kWithCausal && kWithWeightsOutput && kWithBiasKv && kWithSdpa &&
                                        kWithSlices && kWithPack && kWithSelfTest;

// Built for size (-Os): few tile sizes, shared code in place of inlined code. The bits are the
// same. Not `inline`: kernels and the rest may be built differently.
#if defined(__OPTIMIZE_SIZE__)
constexpr bool kForSize = true;
#define HEED_APART __attribute__((noinline))  // a function that is not worth to be copied into its caller
#else
constexpr bool kForSize = false;
#define HEED_APART
#endif

}  // namespace heed
