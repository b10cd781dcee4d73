// keyword_spotting.cpp - the attention of a keyword spotter (KWT-1: 99 frames of 64 features,
// one head) with pseudo-random weights: 250 KiB of RAM in all, sized by the compiler. Returns 0
// only if the answer is bit for bit that of a desktop.
#include "board.h"
#include "heed/heed.hpp"

constexpr uint32_t kFrames = 99, kFeatures = 64;
constexpr auto config = heed::Config(kFeatures, 1).batch_first().max_query(kFrames);
static heed::Arena<heed::weights_bytes(config)> weights;
static heed::Arena<heed::workspace_bytes(config)> workspace;
static float in_proj_weight[3 * kFeatures * kFeatures], in_proj_bias[3 * kFeatures];
static float out_proj_weight[kFeatures * kFeatures], out_proj_bias[kFeatures];
static float frames[kFrames * kFeatures], output[kFrames * kFeatures];

constexpr uint32_t desktop_hash = 0xa7e8822b;  // arch avx2

// Uniform in [-bound, bound); exact, so the same numbers everywhere.
template <uint32_t N>
static void fill(float (&values)[N], float bound) {
  static uint32_t state = 1;
  for (float& x : values) {
    state = state * 1664525u + 1013904223u;
    x = (float(state >> 8) * 0x1p-23f - 1.0f) * bound;
  }
}

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
// SysTick, 25 MHz on the boards that qemu plays; with -icount shift=0 an instruction takes 1 ns.
static volatile uint32_t* const systick = reinterpret_cast<volatile uint32_t*>(0xe000e010);
static void start_clock() {
  systick[1] = systick[2] = 0xffffff;
  systick[0] = 5;
}
static uint32_t ticks() { return 0xffffff - systick[2]; }
#else
static void start_clock() {}
static uint32_t ticks() { return 0; }
#endif

int main() {
  fill(in_proj_weight, 0.25f);
  fill(in_proj_bias, 0.25f);
  fill(out_proj_weight, 0.125f);
  fill(out_proj_bias, 0.125f);
  fill(frames, 2.0f);

  heed::StateDict state_dict{};
  state_dict.in_proj_weight = heed::tensor(in_proj_weight, {3 * kFeatures, kFeatures});
  state_dict.in_proj_bias = heed::tensor(in_proj_bias, {3 * kFeatures});
  state_dict.out_proj_weight = heed::tensor(out_proj_weight, {kFeatures, kFeatures});
  state_dict.out_proj_bias = heed::tensor(out_proj_bias, {kFeatures});
  heed::Call call;
  call.query = heed::tensor(frames, {kFrames, kFeatures});  // unbatched
  call.output = heed::tensor(output, {kFrames, kFeatures});

  static heed::MultiheadAttention mha;
  heed::Error error;
  bool ok = mha.init(config, state_dict, weights, error);
  start_clock();
  ok = ok && mha.forward(call, workspace, error);
  const uint32_t passed = ticks();
  if (!ok) {
    board_write(error.message);
    board_write("\n");
    return 1;
  }
  const uint32_t hash = hash_floats(HASH_BEGIN, output, kFrames * kFeatures);
  board_write("ticks ");
  board_write_hex(passed);
  board_write(" hash ");
  board_write_hex(hash);
  board_write(hash == desktop_hash ? "\n" : ": not the desktop's bits\n");
  return hash == desktop_hash ? 0 : 1;
}
