// heed_bench - nn.MultiheadAttention at the shapes of cases.hpp, on every arch of this CPU.
//
// Names: mha/<arch>/<shape>/threads:1. Counters: GFLOP/s, and `peak`, the share of the FMA
// peak of that arch, measured on the same core just before and after. Time is CPU time of the
// thread, so that a busy machine blurs it less. Every case is checked before it is timed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cases.hpp"
#include "heed/heed.hpp"
#include "peak.hpp"

namespace heed::bench {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Bytes = std::unique_ptr<void, Free>;
Bytes aligned(size_t bytes) { return Bytes(std::aligned_alloc(HEED_ALIGNMENT, size_t(align_up(bytes)))); }

std::vector<float> random_floats(size_t n, double scale, uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<double> normal(0.0, scale);
  std::vector<float> x(n);
  for (float& v : x) v = float(normal(bits));
  return x;
}

// One module with weights, input and memory.
class Module {
 public:
  Module(const MhaCase& c, const char* isa) : case_(c), e_(c.embed_dim) {
    const double scale = 1.0 / std::sqrt(double(e_));
    in_ = random_floats(3 * e_ * e_, scale, 1);
    in_bias_ = random_floats(3 * e_, 0.1, 2);
    out_ = random_floats(e_ * e_, scale, 3);
    out_bias_ = random_floats(e_, 0.1, 4);
    x_ = random_floats(size_t(c.batch) * c.length * e_, 1.0, 5);
    y_.resize(x_.size());
    StateDict s{};
    s.in_proj_weight = tensor(in_.data(), {3 * c.embed_dim, c.embed_dim});
    s.in_proj_bias = tensor(in_bias_.data(), {3 * c.embed_dim});
    s.out_proj_weight = tensor(out_.data(), {c.embed_dim, c.embed_dim});
    s.out_proj_bias = tensor(out_bias_.data(), {c.embed_dim});
    const heed_config config =
        Config(c.embed_dim, c.num_heads).batch_first().max_batch(c.batch).max_query(c.length).isa(isa);
    weights_ = aligned(heed_weights_bytes(&config));
    workspace_bytes_ = heed_workspace_bytes(&config);
    workspace_ = aligned(workspace_bytes_);
    call_.query = tensor(x_.data(), {c.batch, c.length, c.embed_dim});
    call_.output = tensor(y_.data(), {c.batch, c.length, c.embed_dim});
    ready_ = attention_.init(config, s, weights_.get(), heed_weights_bytes(&config), error_);
  }

  bool run() { return ready_ && attention_.forward(call_, workspace_.get(), workspace_bytes_, error_); }
  const char* why() const { return error_.message; }

  // Largest difference from double precision, over a few queries.
  double error() const {
    double worst = 0.0;
    for (uint32_t t = 0; t < case_.length; t += case_.length / 3 + 1) {
      const std::vector<double> want = reference(t);
      for (size_t f = 0; f < e_; ++f) worst = std::max(worst, std::fabs(want[f] - double(y_[t * e_ + f])));
    }
    return worst;
  }

 private:
  double project(const std::vector<float>& w, const std::vector<float>& b, const double* x, size_t f) const {
    double sum = b[f];
    for (size_t i = 0; i < e_; ++i) sum += x[i] * double(w[f * e_ + i]);
    return sum;
  }

  std::vector<double> reference(uint32_t query) const {
    const uint32_t d = case_.embed_dim / case_.num_heads;
    const std::vector<double> x(x_.begin(), x_.begin() + std::ptrdiff_t(case_.length * e_));
    std::vector<double> heads(e_), result(e_);
    for (uint32_t h = 0; h < case_.num_heads; ++h) {
      // q . k = sum over i of (W_k^T q)[i] x[i] + q . b_k: no key needs to be projected.
      std::vector<double> q(d), folded(e_), p(case_.length), mixed(e_);
      double bias = 0.0, sum = 0.0;
      for (uint32_t i = 0; i < d; ++i) {
        q[i] = project(in_, in_bias_, &x[query * e_], h * d + i);
        bias += q[i] * double(in_bias_[e_ + h * d + i]);
        for (size_t j = 0; j < e_; ++j) folded[j] += q[i] * double(in_[(e_ + h * d + i) * e_ + j]);
      }
      for (uint32_t t = 0; t < case_.length; ++t) {
        p[t] = bias;
        for (size_t j = 0; j < e_; ++j) p[t] += folded[j] * x[t * e_ + j];
      }
      const double max = *std::max_element(p.begin(), p.end());
      for (double& v : p) sum += v = std::exp((v - max) / std::sqrt(double(d)));
      for (uint32_t t = 0; t < case_.length; ++t)
        for (size_t j = 0; j < e_; ++j) mixed[j] += p[t] / sum * x[t * e_ + j];
      for (uint32_t i = 0; i < d; ++i) heads[h * d + i] = project(in_, in_bias_, mixed.data(), 2 * e_ + h * d + i);
    }
    for (size_t f = 0; f < e_; ++f) result[f] = project(out_, out_bias_, heads.data(), f);
    return result;
  }

  const MhaCase& case_;
  size_t e_;
  std::vector<float> in_, in_bias_, out_, out_bias_, x_, y_;
  Bytes weights_, workspace_;
  size_t workspace_bytes_ = 0;
  MultiheadAttention attention_;
  Call call_;
  Error error_{};
  bool ready_ = false;
};

void run_case(benchmark::State& state, const MhaCase& c, const char* isa) {
  Module module(c, isa);
  if (!module.run()) return state.SkipWithError(module.why());
  const double error = module.error();
  if (!(error < 1e-4)) return state.SkipWithError("the answer is wrong");
  const double before = fma_peak(isa);
  const int calls = c.flops() < 1e6 ? 256 : 1;  // a clock reading costs as much as a tiny case
  double seconds = 0.0;
  for (auto _ : state) {
    const double start = thread_seconds();
    for (int i = 0; i < calls; ++i)
      if (!module.run()) return state.SkipWithError(module.why());
    const double one = (thread_seconds() - start) / calls;
    state.SetIterationTime(one);
    seconds += one;
  }
  const double gflops = c.flops() * double(state.iterations()) / seconds * 1e-9;
  const double peak = std::max(before, fma_peak(isa));
  state.counters["GFLOP/s"] = gflops;
  state.counters["err"] = error;
  if (peak > 0.0) state.counters["peak"] = gflops / peak;
}

void register_cases() {
  heed_isa_info info;
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i) {
    if (!info.usable) continue;
    for (const MhaCase& c : kMhaCases) {
      const char* isa = info.name;
      const std::string name = std::string("mha/") + isa + "/" + c.name + "/threads:1";
      benchmark::RegisterBenchmark(name.c_str(), [&c, isa](benchmark::State& s) { run_case(s, c, isa); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  heed::bench::register_cases();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
