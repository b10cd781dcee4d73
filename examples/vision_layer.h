// vision_layer.h - for openmp.cpp and others: a layer of a small vision transformer, run by one
// thread and then by those of a heed_parallel_for.
#include <cstdio>
#include <cstring>

#include "heed/heed.hpp"

namespace vision_layer {

constexpr uint32_t kTokens = 197, kFeatures = 192, kThreads = 4;
constexpr auto alone = heed::Config(kFeatures, 4).bias(false).max_query(kTokens);
constexpr auto shared = alone.slices(heed::slices_for(alone, kThreads));  // as many as pay
static heed::Arena<heed::weights_bytes(alone)> weights;
static heed::Arena<heed::workspace_bytes(shared)> workspace;
static float x[kTokens * kFeatures], want[kTokens * kFeatures], y[kTokens * kFeatures];
static float in_proj_weight[3 * kFeatures * kFeatures], out_proj_weight[kFeatures * kFeatures];

template <size_t N>
void fill(float (&values)[N], uint32_t seed) {  // any numbers will do
  for (float& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = float(seed >> 8) / float(1 << 24) - 0.5f;
  }
}

// The exit code of a program that runs the layer both ways: 0 if the bits are the same.
inline int compare(heed_parallel_for parallel_for, void* context) {
  fill(x, 1);
  fill(in_proj_weight, 2);
  fill(out_proj_weight, 3);
  heed::StateDict state_dict{};
  state_dict.in_proj_weight = heed::tensor(in_proj_weight, {3 * kFeatures, kFeatures});
  state_dict.out_proj_weight = heed::tensor(out_proj_weight, {kFeatures, kFeatures});

  heed::MultiheadAttention one, many;
  heed::Error error;
  heed::Call call;
  call.query = heed::tensor(x, {kTokens, kFeatures});
  call.output = heed::tensor(want, {kTokens, kFeatures});
  bool fine = one.init(alone, state_dict, weights, error) && one.forward(call, workspace, error);

  call.output = heed::tensor(y, {kTokens, kFeatures});
  call.parallel_for = parallel_for;
  call.parallel_context = context;
  fine = fine && many.init_packed(shared, weights.bytes, error) && many.forward(call, workspace, error);
  if (!fine) {
    std::fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  const bool same = std::memcmp(y, want, sizeof y) == 0;
  std::printf("%u slices: %s\n", heed_config(shared).slices, same ? "the same bits" : "other bits");
  return same ? 0 : 1;
}

}  // namespace vision_layer
