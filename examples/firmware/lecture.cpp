// lecture.cpp - nn.MultiheadAttention on a microcontroller: no heap, no files, no stdio. The
// compiler sizes every buffer; the weights lie in flash as PyTorch saved them and are packed
// at boot. Returns 0 only if the answer is PyTorch's, and bit for bit that of a desktop.
#include "board.h"
#include "heed/heed.hpp"
#include "lecture_module.h"

constexpr auto config = heed::Config(8, 2).batch_first().max_query(4);
static heed::Arena<heed::weights_bytes(config)> weights;
static heed::Arena<heed::workspace_bytes(config)> workspace;
static float output[4 * 8], attention[4 * 4];

constexpr uint32_t desktop_hash = 0xca47a9c4;  // arch avx2

static float largest_difference(const float* a, const float* b, int n) {
  float most = 0;
  for (int i = 0; i < n; ++i) {
    const float difference = a[i] < b[i] ? b[i] - a[i] : a[i] - b[i];
    if (!(difference <= most)) most = difference;  // NaN too
  }
  return most;
}

static void print_rows(const char* title, const float* x, int rows, int columns) {
  board_write(title);
  for (int i = 0; i < rows * columns; ++i) {
    board_write_float(x[i]);
    board_write(i % columns == columns - 1 ? "\n" : " ");
  }
}

int main() {
  heed::StateDict state_dict{};
  state_dict.in_proj_weight = heed::tensor(in_proj_weight, {24, 8});
  state_dict.in_proj_bias = heed::tensor(in_proj_bias, {24});
  state_dict.out_proj_weight = heed::tensor(out_proj_weight, {8, 8});
  state_dict.out_proj_bias = heed::tensor(out_proj_bias, {8});

  heed::Call call;  // key and value are left out: they are the query
  call.query = heed::tensor(tokens, {1, 4, 8});
  call.output = heed::tensor(output, {1, 4, 8});
  call.attn_weights = heed::tensor(attention, {1, 4, 4});
  call.need_weights = true;

  static heed::MultiheadAttention mha;
  heed::Error error;
  if (!mha.init(config, state_dict, weights, error) || !mha.forward(call, workspace, error)) {
    board_write(error.message);
    board_write("\n");
    return 1;
  }
  print_rows("output\n", output, 4, 8);
  print_rows("attention weights\n", attention, 4, 4);

  const bool torch = largest_difference(output, torch_output, 4 * 8) <= 1e-6f &&
                     largest_difference(attention, torch_weights, 4 * 4) <= 1e-6f;
  const uint32_t hash = hash_floats(hash_floats(HASH_BEGIN, output, 4 * 8), attention, 4 * 4);
  board_write("hash ");
  board_write_hex(hash);
  board_write(!torch ? ": not PyTorch's answer\n" : hash != desktop_hash ? ": not the desktop's bits\n" : "\n");
  return torch && hash == desktop_hash ? 0 : 1;
}
