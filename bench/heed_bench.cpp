// heed_bench - the cases of cases.hpp on every arch of this CPU. Run it as `./dev bench`.
//
// Names: mha/<arch>/<shape>/threads:<n>, sdpa/<arch>/<shape>/threads:<n>, peak/<arch>, read/<KiB>.
// Beside heed's archs stands onednn_primitives, see onednn.hpp.
// Counters: median, the seconds of the median call; GFLOP/s of it; peak, the share of the FMA peak of
// the arch that the median call has: each call's, by what multiply-adds alone reach on the same core
// just before and just after it, since clocks change within milliseconds; err, the largest difference
// from double precision. A case is checked before it is timed, and not timed when it is wrong. One thread: its CPU
// time, so that a busy machine blurs it less; several threads: wall time, of a call that follows another: while the
// peak is read the pool's threads fall asleep. Every repetition makes plan, packed weights and workspace anew, since
// where they happen to lie makes a difference, too.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <string>

#include "machine.hpp"
#include "onednn.hpp"
#include "peak.hpp"
#include "subject.hpp"

namespace heed::bench {
namespace {

constexpr double kTolerance = 1e-4;
constexpr long kReadings = 8;
constexpr const char* kRival = "onednn_primitives";  // not an arch of heed

// Flops of the largest case that an arch has to do: those that nobody would choose do less.
double limit(const heed_isa_info& arch, bool has_peak) {
  if (arch.by_name_only) return 1e10;
  if (has_peak) return 1e99;
  return arch.lanes > 1 ? 2e8 : 1e7;
}

int main_core = -1;
bool all_right = true;

const Problem& problem_of(const Case& c) {
  static std::map<const Case*, Problem> problems;
  return problems.try_emplace(&c, c).first->second;
}

// The arch of the greatest peak: the yardstick of oneDNN, which chooses its instructions itself.
std::string best_yardstick() {
  heed_isa_info arch;
  for (uint32_t i = 0; heed_isa_get(i, &arch); ++i)
    if (arch.usable && fma_peak(arch.name) > 0.0) return arch.name;
  return "";
}

// A clock reading costs as much as a tiny case, and the yardstick's wide multiply-adds slow the core down for part of
// a millisecond, which nobody's tiny case comes after.
int calls_per_reading(const Case& c) { return c.flops() < 1e6 ? 4096 : 1; }

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median_of(std::vector<double>& values) {
  const auto median = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), median, values.end());
  return *median;
}

void refuse(benchmark::State& state, const char* why) {
  all_right = false;
  state.SkipWithError(why);
}

struct Run {
  const Case& c;
  std::string isa, yardstick;
  uint32_t threads;

  std::string name() const {
    return std::string(c.sdpa ? "sdpa/" : "mha/") + isa + "/" + c.name + "/threads:" + std::to_string(threads);
  }
};

template <class Subject>
void measure(benchmark::State& state, const Run& run, Subject& subject) {
  subject.run();
  const double error = subject.error();
  if (!(error < kTolerance)) return refuse(state, "the answer is wrong");
  const auto clock = run.threads > 1 ? wall_seconds : thread_seconds;
  const int calls = calls_per_reading(run.c);
  const double gflop = run.c.flops() * 1e-9;
  std::vector<double> seconds, shares;
  seconds.reserve(size_t(state.max_iterations));
  shares.reserve(size_t(state.max_iterations));
  double before = fma_rate(run.yardstick.c_str(), kReadings);
  for (auto _ : state) {
    if (run.threads > 1) subject.run();
    const double start = clock();
    for (int i = 0; i < calls; ++i) subject.run();
    seconds.push_back((clock() - start) / calls);
    state.SetIterationTime(seconds.back());
    const double after = fma_rate(run.yardstick.c_str(), kReadings), peak = 0.5 * (before + after) * run.threads;
    if (peak > 0.0) shares.push_back(gflop / seconds.back() / peak);
    before = after;
  }
  const double time = median_of(seconds);
  state.counters["GFLOP/s"] = gflop / time;
  state.counters["median"] = time;
  state.counters["flop/byte"] = run.c.flops() / (run.c.floats() * 4.0);
  state.counters["err"] = error;
  if (!shares.empty()) state.counters["peak"] = median_of(shares);
}

void run_case(benchmark::State& state, const Run& run) {
  // Pinned before threads are started: they inherit it.
  pin(cores_from(main_core, run.threads));
  try {
    const Problem& problem = problem_of(run.c);
    if (run.isa == kRival) {
      measure(state, run, *onednn_rival(problem));
    } else {
      Subject subject(problem, run.isa.c_str(), run.threads);
      measure(state, run, subject);
    }
  } catch (const std::exception& error) { refuse(state, error.what()); }
}

template <class Function>
benchmark::internal::Benchmark* add(const std::string& name, Function&& function) {
  return benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

void add_peak(const std::string& arch) {
  add("peak/" + arch, [arch](benchmark::State& state) {
    pin(cores_from(main_core, 1));
    double sum = 0.0;
    for (auto _ : state) {
      const double start = thread_seconds();
      sum += fma_peak(arch.c_str());
      state.SetIterationTime(thread_seconds() - start);
    }
    state.counters["GFLOP/s"] = sum / double(state.iterations());
  });
}

// The least time of a benchmark that Google Benchmark is told one nth of.
double enough(int n) { return 0.02 / n; }

void add_read(int kib) {
  const int times = std::max(1, 1024 / kib);  // a clock reading costs as much as 16 KiB
  const auto body = [kib, times](benchmark::State& state) {
    pin(cores_from(main_core, 1));
    const Floats buffer(size_t(kib) * 256, 1.0f);
    double sum = 0.0;
    for (auto _ : state) {
      const double start = thread_seconds();
      for (int i = 0; i < times; ++i) read_all(buffer.data(), buffer.size());
      const double one = (thread_seconds() - start) / times;
      state.SetIterationTime(one);
      sum += one;
    }
    state.counters["GB/s"] = kib * 1024e-9 * double(state.iterations()) / sum;
  };
  add("read/" + std::to_string(kib), body)->MinTime(enough(times));
}

void add_case(const Run& run) {
  auto* const added = add(run.name(), [run](benchmark::State& state) { run_case(state, run); });
  if (const int calls = calls_per_reading(run.c); calls > 1) added->MinTime(enough(calls));
}

void add_arch(const heed_isa_info& arch, size_t cores) {
  const std::string peak = arch.by_name_only ? best_yardstick() : arch.name;
  const bool fast = fma_peak(peak.c_str()) > 0.0;
  if (peak == arch.name && fast) add_peak(peak);
  for (const Case& c : kCases) {
    if (c.flops() > limit(arch, fast)) continue;
    const bool threaded = std::any_of(std::begin(kThreadedCases), std::end(kThreadedCases),
                                      [&c](const char* name) { return std::strcmp(name, c.name) == 0; });
    for (uint32_t threads = 1; threads <= cores; threads *= 2) {
      if (threads > 1 && (!threaded || !fast || arch.by_name_only)) break;
      add_case({c, arch.name, peak, threads});
    }
  }
}

// The names of all that is measured, best first.
std::string add_all() {
  const size_t cores = std::max(size_t(1), usable_cores().size());
  std::string names;
  heed_isa_info arch;
  for (uint32_t i = 0; heed_isa_get(i, &arch); ++i) {
    if (!arch.usable) continue;
    add_arch(arch, cores);
    names += std::string(arch.name) + " ";
  }
  bool rival = false;
  for (const Case& c : kCases) {
    if (!has_onednn_rival(c)) continue;
    rival = true;
    add_case({c, kRival, best_yardstick(), 1});
  }
  for (int kib : {16, 256, 4096, 131072}) add_read(kib);
  return names + (rival ? kRival : "");
}

// Takes --core out of the arguments. False: it is not a number.
bool take_core(int& argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--core", 6) != 0 || (argv[i][6] != '=' && argv[i][6] != '\0')) continue;
    const bool joined = argv[i][6] == '=';
    const char* const text = joined ? argv[i] + 7 : i + 1 < argc ? argv[i + 1] : "";
    char* end = nullptr;
    const long core = std::strtol(text, &end, 10);
    if (end == text || *end || core < 0 || core > 65535) return false;
    main_core = int(core);
    const int used = joined ? 1 : 2;
    std::copy(argv + i + used, argv + argc + 1, argv + i);
    argc -= used;
    --i;
  }
  return true;
}

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  using namespace heed::bench;
  if (!take_core(argc, argv)) {
    std::fprintf(stderr, "heed_bench: --core wants the number of a core.\n");
    return 2;
  }
  one_openmp_thread();
  benchmark::AddCustomContext("archs", add_all());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const std::vector<int> cores = cores_from(main_core, 1);
  const bool pinned = pin(cores);
  for (const auto& [name, text] : machine_card()) benchmark::AddCustomContext(name, text);
  benchmark::AddCustomContext("core", pinned ? std::to_string(cores[0]) : "not pinned");
  const bool any = benchmark::RunSpecifiedBenchmarks() > 0;
  return any && all_right ? 0 : 1;
}
