// demo.cpp - heed demo: the lecture's example, from the same random numbers as PyTorch's
//
//   torch.manual_seed(0)
//   attention = nn.MultiheadAttention(embed_dim=8, num_heads=2, batch_first=True)
//   X = torch.rand(1, 4, 8)
//   output, weights = attention(X, X, X)
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "heed/heed.hpp"
#include "tools/failure.hpp"
#include "tools/heatmap.hpp"
#include "tools/options.hpp"
#include "tools/torch_print.hpp"

namespace heed::tool {
namespace {

constexpr uint32_t kBatch = 1, kLength = 4, kEmbedDim = 8, kNumHeads = 2;
constexpr int kCalls = 2000;
constexpr heed_config kConfig = Config(kEmbedDim, kNumHeads).batch_first().max_query(kLength);

// torch.manual_seed, and uniform numbers as PyTorch's CPU generator draws them.
class Generator {
 public:
  explicit Generator(uint32_t seed) : engine_(seed) {}

  template <std::size_t N>
  void fill(std::array<float, N>& values, double from, double to) {
    const float low = float(from), width = float(to) - float(from);
    for (float& value : values) value = uniform() * width + low;
  }

 private:
  float uniform() { return float(engine_() & 0xffffff) * 0x1p-24f; }
  std::mt19937 engine_;
};

struct Lecture {
  std::array<float, 3 * kEmbedDim * kEmbedDim> in_proj_weight{};
  std::array<float, 3 * kEmbedDim> in_proj_bias{};
  std::array<float, kEmbedDim * kEmbedDim> out_proj_weight{};
  std::array<float, kEmbedDim> out_proj_bias{};
  std::array<float, kBatch * kLength * kEmbedDim> x{}, output{};
  std::array<float, kBatch * kLength * kLength> weights{};

  // The order is that of PyTorch's constructors: nn.Linear first draws its weight and its bias,
  // then nn.MultiheadAttention draws in_proj_weight and makes the biases zero.
  explicit Lecture(Generator g) {
    const double kaiming = std::sqrt(3.0) * std::sqrt(2.0 / ((1 + 5) * kEmbedDim));
    const double xavier = std::sqrt(6.0 / (3 * kEmbedDim + kEmbedDim));
    g.fill(out_proj_weight, -kaiming, kaiming);
    g.fill(out_proj_bias, 0, 1);
    out_proj_bias.fill(0);
    g.fill(in_proj_weight, -xavier, xavier);
    g.fill(x, 0, 1);
  }

  StateDict state_dict() const {
    StateDict s{};
    s.in_proj_weight = tensor(in_proj_weight.data(), {3 * kEmbedDim, kEmbedDim});
    s.in_proj_bias = tensor(in_proj_bias.data(), {3 * kEmbedDim});
    s.out_proj_weight = tensor(out_proj_weight.data(), {kEmbedDim, kEmbedDim});
    s.out_proj_bias = tensor(out_proj_bias.data(), {kEmbedDim});
    return s;
  }

  Call call() {
    Call c;
    c.query = tensor(x.data(), {kBatch, kLength, kEmbedDim});
    c.need_weights = true;
    c.output = tensor(output.data(), {kBatch, kLength, kEmbedDim});
    c.attn_weights = tensor(weights.data(), {kBatch, kLength, kLength});
    return c;
  }
};

class Attention {
 public:
  explicit Attention(const StateDict& state_dict) {
    if (!attention_.init(kConfig, state_dict, weights_, error_)) refuse(error_.message);
  }
  void forward(const Call& call) {
    if (!attention_.forward(call, workspace_, error_)) refuse(error_.message);
  }
  const char* isa() const { return attention_.isa(); }

 private:
  Arena<weights_bytes(kConfig)> weights_;
  Arena<workspace_bytes(kConfig)> workspace_;
  MultiheadAttention attention_;
  Error error_{};
};

void show(const char* title, const char* name, const heed_tensor& t) {
  const float* values = static_cast<const float*>(t.data);
  std::printf("%s:\n%s\n%s shape: %s\n\n", title, torch_print(values, t.shape, t.rank).c_str(), name,
              shape_tuple(t.shape, t.rank).c_str());
}

bool wants_colours(Color color) {
  if (color != Color::automatic) return color == Color::always;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && std::strcmp(term, "dumb") == 0);
}

long long median_ns(Attention& attention, const Call& call) {
  std::vector<long long> times(kCalls);
  for (long long& time : times) {
    const auto begin = std::chrono::steady_clock::now();
    attention.forward(call);
    const auto end = std::chrono::steady_clock::now();
    time = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
  }
  std::nth_element(times.begin(), times.begin() + kCalls / 2, times.end());
  return times[kCalls / 2];
}

}  // namespace

void demo(const DemoOptions& options) {
  Lecture lecture(Generator(0));
  Attention attention(lecture.state_dict());
  const Call call = lecture.call();
  attention.forward(call);
  show("Input X", "Input", call.query);
  show("Attention Output", "Output", call.output);
  show("Attention Weights", "Weights", call.attn_weights);

  const Range r = range(lecture.weights.data(), lecture.weights.size());
  std::printf("Heat map of the weights, mean of %u heads, dark %.4f to bright %.4f:\n%s\n", kNumHeads, double(r.least),
              double(r.most),
              terminal_heatmap(lecture.weights.data(), kLength, kLength, wants_colours(options.color)).c_str());
  std::printf("%s: %lld ns per forward (median of %d)\n", attention.isa(), median_ns(attention, call), kCalls);
}

}  // namespace heed::tool
