// The header that heed pack wrote, as C++ reads it: the compiler sizes what the module needs.
#include <cstdio>

#include "heed/heed.hpp"
#include "my_module.h"

constexpr auto config = MY_MODULE_CONFIG.max_query(4).batch_first();
static heed::Arena<heed::workspace_bytes(config)> workspace;
static_assert(heed::weights_bytes(config) == sizeof my_module_weights, "the header is of this configuration");

int main() {
  static float x[4 * MY_MODULE_EMBED_DIM], y[4 * MY_MODULE_EMBED_DIM];
  heed::Call call;
  call.query = heed::tensor(x, {1, 4, MY_MODULE_EMBED_DIM});
  call.output = heed::tensor(y, {1, 4, MY_MODULE_EMBED_DIM});
  heed::MultiheadAttention mha;
  heed::Error error;
  if (!mha.init_packed(config, my_module_weights, error) || !mha.forward(call, workspace, error)) {
    std::puts(error.message);
    return 1;
  }
  for (const float value : y)  // biases are not 0
    if (value != 0) return 0;
  return 3;
}
