/* lecture.c - the same in C: nothing of C++ is linked. */
#include "board.h"
#include "heed/heed.h"
#include "lecture_module.h"

/* heed plan --embed-dim 8 --num-heads 2 --max-query 4 says how many bytes. */
static HEED_ALIGNED unsigned char plan_bytes[HEED_PLAN_BYTES], weights[2368], workspace[2176];
static float output[4 * 8], attention[4 * 4];

static int near(const float *a, const float *b, int n) {
  int i;
  for (i = 0; i < n; ++i)
    if (!(a[i] - b[i] <= 1e-6f && b[i] - a[i] <= 1e-6f)) return 0;
  return 1;
}

int main(void) {
  heed_config config = heed_config_default(8, 2);
  heed_state_dict state_dict = {0};
  heed_call call = heed_call_default();
  const heed_plan *plan;
  heed_error error;

  config.batch_first = true;
  config.max_query = 4;
  state_dict.in_proj_weight = heed_contiguous(in_proj_weight, HEED_FLOAT32, 2, 24, 8, 0, 0);
  state_dict.in_proj_bias = heed_contiguous(in_proj_bias, HEED_FLOAT32, 1, 24, 0, 0, 0);
  state_dict.out_proj_weight = heed_contiguous(out_proj_weight, HEED_FLOAT32, 2, 8, 8, 0, 0);
  state_dict.out_proj_bias = heed_contiguous(out_proj_bias, HEED_FLOAT32, 1, 8, 0, 0, 0);
  call.query = heed_contiguous(tokens, HEED_FLOAT32, 3, 1, 4, 8, 0);
  call.output = heed_contiguous(output, HEED_FLOAT32, 3, 1, 4, 8, 0);
  call.attn_weights = heed_contiguous(attention, HEED_FLOAT32, 3, 1, 4, 4, 0);
  call.need_weights = true;

  if (heed_plan_init(&config, plan_bytes, sizeof plan_bytes, &plan, &error) != HEED_OK ||
      heed_weights_pack(plan, &state_dict, weights, sizeof weights, &error) != HEED_OK ||
      heed_forward(plan, weights, &call, workspace, sizeof workspace, &error) != HEED_OK) {
    board_write(error.message);
    board_write("\n");
    return 1;
  }
  board_write("output[0]");
  for (int i = 0; i < 8; ++i) {
    board_write(" ");
    board_write_float(output[i]);
  }
  board_write("\n");
  return near(output, torch_output, 4 * 8) && near(attention, torch_weights, 4 * 4) ? 0 : 1;
}
