// first_program.cpp - who attends to whom: self-attention over the 4 tokens a, b, c, a.
#include <cstdio>

#include "heed/heed.hpp"

constexpr auto config = heed::Config(8, 2).bias(false).batch_first().max_query(4);
static heed::Arena<heed::weights_bytes(config)> weights;  // sized by the compiler
static heed::Arena<heed::workspace_bytes(config)> workspace;
static float x[4 * 8], in_proj_weight[24 * 8], out_proj_weight[8 * 8], y[4 * 8], attention[4 * 4];

int main() {
  const int letter[4] = {0, 1, 2, 0};
  for (int i = 0; i < 24; ++i)  // identities, in place of a trained module: q, k, v are the tokens
    in_proj_weight[8 * i + i % 8] = out_proj_weight[9 * (i % 8)] = 1;
  for (int t = 0; t < 4; ++t)  // a token is its letter, once for each of the 2 heads
    x[8 * t + letter[t]] = x[8 * t + 4 + letter[t]] = 3;

  heed::StateDict state_dict{};
  state_dict.in_proj_weight = heed::tensor(in_proj_weight, {24, 8});
  state_dict.out_proj_weight = heed::tensor(out_proj_weight, {8, 8});

  heed::Call call;  // key and value are left out: they are the query
  call.query = heed::tensor(x, {1, 4, 8});
  call.output = heed::tensor(y, {1, 4, 8});
  call.attn_weights = heed::tensor(attention, {1, 4, 4});
  call.need_weights = true;

  heed::MultiheadAttention mha;
  heed::Error error;
  if (!mha.init(config, state_dict, weights, error) || !mha.forward(call, workspace, error)) {
    std::fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (int t = 0; t < 4; ++t)
    std::printf("%c  %.2f %.2f %.2f %.2f\n", 'a' + letter[t], attention[4 * t], attention[4 * t + 1],
                attention[4 * t + 2], attention[4 * t + 3]);
}
