/* The header that heed pack wrote, as C reads it: the weights run from where they lie. */
#include <stdio.h>

#include "my_module.h"

static HEED_ALIGNED unsigned char plan_bytes[HEED_PLAN_BYTES];
static HEED_ALIGNED unsigned char workspace[1 << 16];

int main(void) {
  static float x[4 * MY_MODULE_EMBED_DIM], y[4 * MY_MODULE_EMBED_DIM];
  heed_config config = my_module_config();
  heed_call call = heed_call_default();
  const heed_plan *plan = NULL;
  heed_error error;
  int i, changed = 0;
  config.max_query = 4;
  call.query = heed_contiguous(x, HEED_FLOAT32, 2, 4, MY_MODULE_EMBED_DIM, 0, 0);
  call.output = heed_contiguous(y, HEED_FLOAT32, 2, 4, MY_MODULE_EMBED_DIM, 0, 0);
  if (sizeof my_module_weights != MY_MODULE_BYTES || MY_MODULE_BYTES != heed_weights_bytes(&config)) return 2;
  if (heed_plan_init(&config, plan_bytes, sizeof plan_bytes, &plan, &error) != HEED_OK ||
      heed_weights_verify(plan, my_module_weights, sizeof my_module_weights, &error) != HEED_OK ||
      heed_forward(plan, my_module_weights, &call, workspace, sizeof workspace, &error) != HEED_OK) {
    printf("%s\n", error.message);
    return 1;
  }
  for (i = 0; i < 4 * (int)MY_MODULE_EMBED_DIM; ++i) changed |= y[i] != 0; /* biases are not 0 */
  return changed ? 0 : 3;
}
