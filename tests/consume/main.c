/* A C program that knows nothing of heed but its header: runs one attention, checks one number. */
#include <heed/heed.h>
#include <stdio.h>

#define E 4
#define L 3

static _Alignas(HEED_ALIGNMENT) unsigned char plan_bytes[HEED_PLAN_BYTES];
static _Alignas(HEED_ALIGNMENT) unsigned char weights[4096], workspace[65536];

int main(void) {
  float in_proj[3 * E * E] = {0}, out_proj[E * E] = {0}, x[L * E], y[L * E];
  heed_config config = heed_config_default(E, 2);
  heed_state_dict s = {0};
  heed_call call = heed_call_default();
  const heed_plan *plan;
  heed_error error;
  int i;
  for (i = 0; i < E; ++i) /* q = k = 0: every key has the same weight; v = out = identity */
    in_proj[(2 * E + i) * E + i] = out_proj[i * E + i] = 1.0f;
  for (i = 0; i < L * E; ++i) x[i] = (float)i;
  config.bias = false;
  config.batch_first = true;
  config.max_query = L;
  s.in_proj_weight = heed_contiguous(in_proj, HEED_FLOAT32, 2, 3 * E, E, 0, 0);
  s.out_proj_weight = heed_contiguous(out_proj, HEED_FLOAT32, 2, E, E, 0, 0);
  call.query = heed_contiguous(x, HEED_FLOAT32, 2, L, E, 0, 0);
  call.output = heed_contiguous(y, HEED_FLOAT32, 2, L, E, 0, 0);
  if (heed_weights_bytes(&config) > sizeof weights || heed_workspace_bytes(&config) > sizeof workspace) return 1;
  if (heed_plan_init(&config, plan_bytes, sizeof plan_bytes, &plan, &error) ||
      heed_weights_pack(plan, &s, weights, sizeof weights, &error) ||
      heed_forward(plan, weights, &call, workspace, sizeof workspace, &error)) {
    printf("%s: %s\n", heed_status_name(error.status), error.message);
    return 1;
  }
  for (i = 0; i < L * E; ++i) /* the mean of rows 0, 1, 2 is row 1 */
    if (y[i] < x[E + i % E] - 1e-5f || y[i] > x[E + i % E] + 1e-5f) return 1;
  printf("C, heed %s, arch %s: ok\n", HEED_VERSION_STRING, heed_plan_isa(plan));
  return 0;
}
