/* first_program.c - who attends to whom: self-attention over the 4 tokens a, b, c, a. */
#include <stdio.h>

#include "heed/heed.h"

/* heed plan --embed-dim 8 --num-heads 2 --max-query 4 --no-bias says how many bytes. */
static HEED_ALIGNED unsigned char plan_bytes[HEED_PLAN_BYTES], weights[2112], workspace[2176];
static float x[4][8], in_proj_weight[24][8], out_proj_weight[8][8], y[4][8], attention[4][4];

int main(void) {
  const int letter[4] = {0, 1, 2, 0};
  heed_config config = heed_config_default(8, 2);
  heed_call call = heed_call_default();
  heed_state_dict state_dict = {0};
  const heed_plan *plan;
  heed_error error;

  for (int i = 0; i < 24; ++i) /* identities, in place of a trained module: q, k, v are the tokens */
    in_proj_weight[i][i % 8] = out_proj_weight[i % 8][i % 8] = 1;
  for (int t = 0; t < 4; ++t) /* a token is its letter, once for each of the 2 heads */
    x[t][letter[t]] = x[t][4 + letter[t]] = 3;

  config.bias = false;
  config.batch_first = true;
  config.max_query = 4;
  state_dict.in_proj_weight = heed_contiguous(in_proj_weight, HEED_FLOAT32, 2, 24, 8, 0, 0);
  state_dict.out_proj_weight = heed_contiguous(out_proj_weight, HEED_FLOAT32, 2, 8, 8, 0, 0);
  call.query = heed_contiguous(x, HEED_FLOAT32, 3, 1, 4, 8, 0); /* key and value are the query */
  call.output = heed_contiguous(y, HEED_FLOAT32, 3, 1, 4, 8, 0);
  call.attn_weights = heed_contiguous(attention, HEED_FLOAT32, 3, 1, 4, 4, 0);
  call.need_weights = true;

  if (heed_plan_init(&config, plan_bytes, sizeof plan_bytes, &plan, &error) != HEED_OK ||
      heed_weights_pack(plan, &state_dict, weights, sizeof weights, &error) != HEED_OK ||
      heed_forward(plan, weights, &call, workspace, sizeof workspace, &error) != HEED_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (int t = 0; t < 4; ++t)
    printf("%c  %.2f %.2f %.2f %.2f\n", 'a' + letter[t], attention[t][0], attention[t][1], attention[t][2],
           attention[t][3]);
  return 0;
}
