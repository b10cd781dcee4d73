// heed_count - one call of a case, and nothing else of weight: what the plugin counts.
//   heed_count CASE ARCH
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "heed/heed.hpp"

namespace {

struct Case {
  const char* name;
  uint32_t embed_dim, num_heads, queries, keys;
};

constexpr Case kCases[] = {
    {"kwt1", 64, 1, 99, 99},        // keyword spotting
    {"minilm", 384, 12, 128, 128},  // sentence embedding
    {"decode", 384, 12, 1, 128},    // a single query
};

// The same on every machine, from -1 to 1.
std::vector<float> values(size_t n, float scale) {
  static uint32_t state = 1;
  std::vector<float> v(n);
  for (float& x : v) {
    state = state * 1664525u + 1013904223u;
    x = (float(state >> 8) / 8388608.0f - 1.0f) * scale;
  }
  return v;
}

struct Aligned {
  explicit Aligned(size_t bytes)
      : data(std::aligned_alloc(HEED_ALIGNMENT, size_t(heed::align_up(bytes)))), size(bytes) {}
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  void* data;
  size_t size;
};

int run(const Case& c, const char* arch) {
  const uint32_t e = c.embed_dim;
  const std::vector<float> in = values(3 * size_t(e) * e, 0.1f), in_bias = values(3 * size_t(e), 0.1f);
  const std::vector<float> out = values(size_t(e) * e, 0.1f), out_bias = values(e, 0.1f);
  const std::vector<float> x = values(size_t(c.queries) * e, 1.0f), keys = values(size_t(c.keys) * e, 1.0f);
  std::vector<float> y(x.size());
  heed::StateDict s{};
  s.in_proj_weight = heed::tensor(in.data(), {3 * e, e});
  s.in_proj_bias = heed::tensor(in_bias.data(), {3 * e});
  s.out_proj_weight = heed::tensor(out.data(), {e, e});
  s.out_proj_bias = heed::tensor(out_bias.data(), {e});
  const heed_config config = heed::Config(e, c.num_heads).batch_first().max_query(c.queries).max_key(c.keys).isa(arch);
  const Aligned weights(heed_weights_bytes(&config)), workspace(heed_workspace_bytes(&config));
  heed::Call call;
  call.query = heed::tensor(x.data(), {1, c.queries, e});
  call.key = heed::tensor(keys.data(), {1, c.keys, e});
  call.output = heed::tensor(y.data(), {1, c.queries, e});
  heed::MultiheadAttention mha;
  heed::Error error;
  if (mha.init(config, s, weights.data, weights.size, error) &&
      mha.forward(call, workspace.data, workspace.size, error))
    return 0;
  std::fprintf(stderr, "heed_count: %s.\n", error.message);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& c : kCases)
    if (argc == 3 && std::strcmp(argv[1], c.name) == 0) return run(c, argv[2]);
  std::fprintf(stderr, "usage: heed_count kwt1|minilm|decode ARCH\n");
  return 2;
}
