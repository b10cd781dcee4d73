// bench.cpp - heed bench: how long a call takes, and how long it may take: one shape, one arch.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "heed/heed.hpp"
#include "heed/threads.hpp"
#include "tools/failure.hpp"
#include "tools/memory.hpp"
#include "tools/options.hpp"

namespace heed::tool {
namespace {

constexpr std::size_t kFewestCalls = 10, kMostCalls = 1000000;
using Clock = std::chrono::steady_clock;

heed_config configuration(const BenchOptions& o) {
  heed_config c = heed_config_default(o.embed_dim, o.num_heads);
  c.batch_first = true;
  c.max_batch = o.batch;
  c.max_query = o.query;
  c.max_key = o.key;
  c.slices = o.threads;
  c.isa = o.isa ? o.isa->c_str() : nullptr;
  return c;
}

io::NpyArray random_array(const io::Shape& shape, double scale, const char* what) {
  static std::mt19937 bits(1);
  io::NpyArray array = zeros(shape, what);
  std::uniform_real_distribution<float> uniform(-float(scale), float(scale));
  for (float& value : array.f32) value = uniform(bits);
  return array;
}

heed_tensor of(const io::NpyArray& array) {
  heed_tensor t = heed_contiguous(array.f32.data(), HEED_FLOAT32, uint32_t(array.shape.size()), 0, 0, 0, 0);
  ptrdiff_t step = 1;
  for (std::size_t i = array.shape.size(); i-- > 0; step *= ptrdiff_t(array.shape[i])) {
    t.shape[i] = uint32_t(array.shape[i]);
    t.stride[i] = step;
  }
  return t;
}

// A module with random weights on random tokens.
class Layer {
 public:
  Layer(const BenchOptions& o, const heed_config& c)
      : plan_memory_(HEED_PLAN_BYTES, "plan"), call_(heed_call_default()) {
    if (!pool_.init(c.slices, error_)) refuse(error_.message);
    check(heed_plan_init(&c, plan_memory_.data(), plan_memory_.size(), &plan_, &error_));
    weights_.emplace(heed_weights_bytes(&c), "weights");
    workspace_.emplace(heed_workspace_bytes(&c), "workspace");
    pack(o.embed_dim);
    const uint64_t e = o.embed_dim;
    query_ = random_array({o.batch, o.query, e}, 1.7, "query");
    key_ = random_array({o.batch, o.key, e}, 1.7, "key");
    output_ = zeros(query_.shape, "output");
    call_.query = of(query_);
    call_.key = of(key_);
    call_.output = of(output_);
    call_.causal = o.causal ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
    want_weights(o);
    call_.parallel_for = ThreadPool::parallel_for;
    call_.parallel_context = &pool_;
  }

  void forward() {
    check(heed_forward(plan_, weights_->data(), &call_, workspace_->data(), workspace_->size(), &error_));
  }
  const char* isa() const { return heed_plan_isa(plan_); }

 private:
  void check(heed_status status) const {
    if (status != HEED_OK) refuse(error_.message);
  }

  void pack(uint64_t e) {
    const double scale = std::sqrt(3.0 / double(e));
    const io::NpyArray in = random_array({3 * e, e}, scale, "weights"), out = random_array({e, e}, scale, "weights");
    const io::NpyArray in_bias = random_array({3 * e}, 0.1, "biases"), out_bias = random_array({e}, 0.1, "biases");
    heed_state_dict s{};
    s.in_proj_weight = of(in);
    s.in_proj_bias = of(in_bias);
    s.out_proj_weight = of(out);
    s.out_proj_bias = of(out_bias);
    check(heed_weights_pack(plan_, &s, weights_->data(), weights_->size(), &error_));
  }

  void want_weights(const BenchOptions& o) {
    if (o.need_weights == NeedWeights::none) return;
    call_.need_weights = true;
    call_.average_attn_weights = o.need_weights == NeedWeights::average;
    io::Shape shape{o.batch, o.query, o.key};
    if (!call_.average_attn_weights) shape.insert(shape.begin() + 1, o.num_heads);
    attn_weights_ = zeros(shape, "attention weights");
    call_.attn_weights = of(attn_weights_);
  }

  AlignedBytes plan_memory_;
  ThreadPool pool_;
  std::optional<AlignedBytes> weights_, workspace_;
  const heed_plan* plan_ = nullptr;
  io::NpyArray query_, key_, output_, attn_weights_;
  heed_call call_;
  heed_error error_{};
};

double nanoseconds(Clock::duration d) { return std::chrono::duration<double, std::nano>(d).count(); }

// Sorted. The first calls, which find their memory cold, do not count.
std::vector<double> measure(Layer& layer, double seconds) {
  std::vector<double> times;
  for (int i = 0; i < 3; ++i) layer.forward();
  const auto begin = Clock::now();
  for (auto start = begin; times.size() < kMostCalls;) {
    layer.forward();
    const auto end = Clock::now();
    times.push_back(nanoseconds(end - start));
    if (times.size() >= kFewestCalls && nanoseconds(end - begin) > seconds * 1e9) break;
    start = Clock::now();
  }
  std::sort(times.begin(), times.end());
  return times;
}

// The least time of a share `p` of the calls: nearest rank.
double percentile(const std::vector<double>& sorted, double p) {
  const double rank = std::ceil(p * double(sorted.size()));
  return sorted[std::size_t(std::max(rank, 1.0)) - 1];
}

// Multiply-adds of the projections and of the pairs that causality leaves, two flops each.
double flops(const BenchOptions& o) {
  const double l = o.query, s = o.key, e = o.embed_dim;
  double pairs = l * s;
  if (o.causal) {
    pairs = 0.0;
    for (uint32_t i = 0; i < o.query; ++i) pairs += std::max(0.0, s - l + i + 1.0);
  }
  return o.batch * (4.0 * e * e * (l + s) + 4.0 * pairs * e);
}

struct Report {
  std::string isa;
  std::size_t calls = 0;
  double p50 = 0, p99 = 0, p999 = 0, max = 0, gflops = 0;
};

void print_json(const BenchOptions& o, const Report& r) {
  nlohmann::ordered_json json;
  json["version"] = HEED_VERSION_STRING;
  json["arch"] = r.isa;
  json["config"] = {{"embed_dim", o.embed_dim}, {"num_heads", o.num_heads}, {"batch", o.batch},
                    {"query", o.query},         {"key", o.key},             {"causal", o.causal},
                    {"threads", o.threads}};
  json["need_weights"] = o.need_weights == NeedWeights::none      ? "none"
                         : o.need_weights == NeedWeights::average ? "average"
                                                                  : "per-head";
  json["calls"] = r.calls;
  json["ns"] = {{"p50", r.p50}, {"p99", r.p99}, {"p99.9", r.p999}, {"max", r.max}};
  json["gflops"] = r.gflops;
  std::printf("%s\n", json.dump(2).c_str());
}

void print_time(const char* name, double ns) {
  if (ns < 1e4) std::printf("%-8s %10.0f ns\n", name, ns);
  else if (ns < 1e7) std::printf("%-8s %10.1f us\n", name, ns * 1e-3);
  else std::printf("%-8s %10.1f ms\n", name, ns * 1e-6);
}

void print_text(const BenchOptions& o, const Report& r) {
  std::printf("embed_dim %u, num_heads %u, batch %u, query %u, key %u%s, threads %u, arch %s\n", o.embed_dim,
              o.num_heads, o.batch, o.query, o.key, o.causal ? ", causal" : "", o.threads, r.isa.c_str());
  print_time("p50", r.p50);
  print_time("p99", r.p99);
  print_time("p99.9", r.p999);
  print_time("max", r.max);
  std::printf("%zu calls, %.1f GFLOP/s in the median one\n", r.calls, r.gflops);
}

}  // namespace

void bench(const BenchOptions& given) {
  BenchOptions o = given;
  if (o.key == 0) o.key = o.query;
  const heed_config config = configuration(o);
  Layer layer(o, config);
  const std::vector<double> times = measure(layer, o.seconds);
  Report r{layer.isa(), times.size()};
  r.p50 = percentile(times, 0.5);
  r.p99 = percentile(times, 0.99);
  r.p999 = percentile(times, 0.999);
  r.max = times.back();
  r.gflops = flops(o) / r.p50;
  o.json ? print_json(o, r) : print_text(o, r);
}

}  // namespace heed::tool
