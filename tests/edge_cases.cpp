#include "edge_cases.hpp"

#include <cfloat>
#include <cmath>

#include "random_problem.hpp"

namespace heed_test {
namespace {

constexpr float kInf = __builtin_inff();

}  // namespace

Problem plain_problem(bool sdpa) {
  Problem p;
  p.sdpa = sdpa;
  p.L = 3, p.S = 9, p.H = p.Hkv = 2, p.D = p.Dv = 4, p.E = p.kdim = p.vdim = 8;
  p.need_weights = true;
  p.average = false;
  Random random(61);
  fill_random(p, random);
  return p;
}

void fill_mask(Problem& p, const std::function<float(uint32_t row, uint32_t key)>& value) {
  p.mask.is_float = true;
  p.mask.shape = {p.L, p.S};
  for (uint32_t i = 0; i < p.L; ++i)
    for (uint32_t j = 0; j < p.S; ++j) p.mask.values.push_back(value(i, j));
}

namespace {

// One number at one place, or all over it.
void add_numbers(std::vector<EdgeCase>& list) {
  const std::pair<const char*, float> numbers[] = {{"NaN", quiet_nan()},  {"signalling NaN", signalling_nan()},
                                                   {"inf", kInf},         {"-inf", -kInf},
                                                   {"FLT_MAX", FLT_MAX},  {"-FLT_MAX", -FLT_MAX},
                                                   {"1e30", 1e30f},       {"FLT_MIN", FLT_MIN},
                                                   {"subnormal", 1e-40f}, {"-0", -0.0f}};
  for (const auto& n : numbers) {
    const std::string name = n.first;
    const float x = n.second;
    const bool finite = std::fabs(x) <= FLT_MAX;
    list.push_back({"query has " + name, [x](Problem& p) { p.q[1] = x; }, std::fabs(x) < 1});
    list.push_back({"key has " + name, [x](Problem& p) { p.k[10] = x; }, std::fabs(x) < 1});
    list.push_back({"value has " + name, [x](Problem& p) { p.v[10] = x; }, std::fabs(x) < 1});
    list.push_back(
        {"mask has " + name,
         [x](Problem& p) { fill_mask(p, [x](uint32_t i, uint32_t j) { return i == 1 && j == 4 ? x : 0.5f; }); },
         finite || x == -kInf});
    list.push_back({"a row of the mask is " + name,
                    [x](Problem& p) { fill_mask(p, [x](uint32_t i, uint32_t) { return i == 1 ? x : 0.0f; }); },
                    finite || x == -kInf});
    list.push_back({"all queries are " + name, [x](Problem& p) { p.q.assign(p.q.size(), x); }, std::fabs(x) < 1});
    list.push_back({"masked key and value are " + name,
                    [x](Problem& p) {
                      fill_mask(p, [](uint32_t, uint32_t j) { return j == 2 ? -kInf : 0.0f; });
                      const size_t width = p.sdpa ? p.D : p.E;
                      for (size_t i = 0; i < width; ++i) p.k[2 * width + i] = p.v[2 * width + i] = x;
                    },
                    true});
  }
}

}  // namespace

std::vector<EdgeCase> edge_cases() {
  std::vector<EdgeCase> list;
  add_numbers(list);
  for (const heed_fully_masked f : {HEED_FULLY_MASKED_ZERO, HEED_FULLY_MASKED_NAN})
    list.push_back({f ? "nothing is seen, NaN" : "nothing is seen, 0",
                    [f](Problem& p) {
                      p.fully_masked = f;
                      fill_mask(p, [](uint32_t, uint32_t) { return -kInf; });
                    },
                    f == HEED_FULLY_MASKED_ZERO});
  list.push_back(
      {"rows of the largest and the lowest",
       [](Problem& p) { fill_mask(p, [](uint32_t i, uint32_t j) { return (i + j) % 2 ? FLT_MAX : -FLT_MAX; }); },
       true});
  list.push_back({"causality hides all from the first",
                  [](Problem& p) { p.causal = HEED_CAUSAL_OFFSET, p.causal_offset = -1; }, true});
  list.push_back({"scores differ by more than exp can say",
                  [](Problem& p) {
                    for (float& x : p.q) x *= 1e4f;
                  },
                  true});
  return list;
}

Fnv1a edge_hash(const std::string& arch) {
  Fnv1a hash;
  for (const bool sdpa : {true, false})
    for (const EdgeCase& c : edge_cases()) {
      Problem p = plain_problem(sdpa);
      c.set(p);
      const Answer a = solve(p, arch);
      hash.add(a.output);
      hash.add(a.weights);
    }
  return hash;
}

}  // namespace heed_test
