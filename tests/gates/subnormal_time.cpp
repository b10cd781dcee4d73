// subnormal_time ARCH - what calls cost whose inputs are subnormal numbers, against the same calls on
// usual ones: the two are timed in turn, and the worst median of their ratios is printed last. It is refused
// beyond 1.1: a CPU that is slow with such numbers would let whoever sends them stall a device.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>

#include "random_problem.hpp"

using namespace heed_test;

namespace {

constexpr double kMost = 1.1;
constexpr int kPairs = 101;

Problem problem(bool sdpa) {
  Problem p;
  p.sdpa = sdpa;
  p.L = p.S = 96, p.H = p.Hkv = 2, p.D = p.Dv = 32, p.E = p.kdim = p.vdim = 64;
  Random random(95);
  fill_random(p, random);
  p.mask = random_mask(random, {p.L, p.S}, true, 0, true);
  return p;
}

using Numbers = std::vector<float>;

// [1e-41, 1e-39) in place of every `each`th number.
void make_subnormal(Numbers& v, size_t each) {
  for (size_t i = 0; i < v.size(); i += each) v[i] = (v[i] < 0 ? -1e-39f : 1e-39f) * (0.01f + 0.3f * v[i] * v[i]);
}

struct Kind {
  const char* name;
  std::function<void(Problem&)> set;
};

const Kind kKinds[] = {
    {"queries", [](Problem& p) { make_subnormal(p.q, 1); }},
    {"keys", [](Problem& p) { make_subnormal(p.k, 1); }},
    {"values", [](Problem& p) { make_subnormal(p.v, 1); }},
    {"the mask", [](Problem& p) { make_subnormal(p.mask.values, 1); }},
    {"half of all", [](Problem& p) { make_subnormal(p.q, 2), make_subnormal(p.k, 2), make_subnormal(p.v, 2); }},
    {"all", [](Problem& p) { make_subnormal(p.q, 1), make_subnormal(p.k, 1), make_subnormal(p.v, 1); }},
};

void put(const heed_tensor& t, const Numbers& values) {
  std::memcpy(const_cast<void*>(t.data), values.data(), values.size() * sizeof(float));
}

// What this thread has computed, whatever else runs on its core.
double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) * 1e6 + double(t.tv_nsec) * 1e-3;
}

// Both kinds of numbers are put where the same runner reads them: where memory lies costs time, too.
double microseconds(Runner& r, const Problem& p) {
  put(p.sdpa ? r.sdpa_call.query : r.call.query, p.q);
  put(p.sdpa ? r.sdpa_call.key : r.call.key, p.k);
  put(p.sdpa ? r.sdpa_call.value : r.call.value, p.v);
  put(p.sdpa ? r.sdpa_call.attn_mask : r.call.attn_mask, p.mask.values);
  const double start = now();
  return r.run() == HEED_OK ? now() - start : HUGE_VAL;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + int(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// Median of the ratios of neighbours in time; what else the machine does, both of them feel.
double ratio(Runner& r, const Problem& usual, const Problem& subnormal) {
  std::vector<double> ratios;
  for (int i = 0; i < kPairs; ++i) {
    const double time = microseconds(r, usual);
    ratios.push_back(microseconds(r, subnormal) / time);
  }
  return median(ratios);
}

// What costs more does so each time: the least of three.
double least_ratio(const std::string& arch, bool sdpa, const Kind& kind) {
  const Problem usual = problem(sdpa);
  Problem subnormal = usual;
  kind.set(subnormal);
  Runner r(usual, arch);
  if (r.prepare() != HEED_OK) return HUGE_VAL;
  double least = HUGE_VAL;
  for (int i = 0; i < 3 && !(least <= kMost); ++i) least = std::min(least, ratio(r, usual, subnormal));
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  double worst = 0;
  for (const bool sdpa : {false, true})
    for (const Kind& kind : kKinds) {
      const double r = least_ratio(argv[1], sdpa, kind);
      std::printf("%s %s, subnormal: %s  %.3f\n", argv[1], sdpa ? "sdpa" : "module", kind.name, r);
      worst = std::max(worst, r);
    }
  std::printf("worst %.3f\n", worst);
  return !(worst <= kMost);
}
