// Numbers at the edge: accuracy against double precision up to the largest usual sizes, a table of
// NaN, infinities, huge and subnormal numbers and masks that every arch answers alike, and the
// floating-point environment, which no call changes.
#include <cfenv>
#include <cfloat>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <functional>

#include "catch.hpp"
#include "compare.hpp"
#include "random_problem.hpp"
#include "reference.hpp"

using namespace heed_test;

namespace {

constexpr float kInf = __builtin_inff();
// All answers of the table below, NaN as 0x7fc00000, subnormals as 0, on an arch with FMA.
constexpr uint64_t kTableHash = 0xf1056a66ad0ba625;

struct Case {
  std::string name;
  std::function<void(Problem&)> set;
  bool finite = false;  // the answer is
};

// Three queries, nine keys, two heads of four; a case changes some of it.
Problem plain(bool sdpa) {
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

std::vector<Case> table() {
  std::vector<Case> list;
  const std::pair<const char*, float> numbers[] = {
      {"NaN", quiet_nan()}, {"signalling NaN", signalling_nan()}, {"inf", kInf}, {"-inf", -kInf},
      {"FLT_MAX", FLT_MAX}, {"-FLT_MAX", -FLT_MAX}, {"1e30", 1e30f}, {"FLT_MIN", FLT_MIN},
      {"subnormal", 1e-40f}, {"-0", -0.0f}};
  for (const auto& n : numbers) {
    const std::string name = n.first;
    const float x = n.second;
    const bool finite = std::fabs(x) <= FLT_MAX;
    list.push_back({"query has " + name, [x](Problem& p) { p.q[1] = x; }, std::fabs(x) < 1});
    list.push_back({"key has " + name, [x](Problem& p) { p.k[10] = x; }, std::fabs(x) < 1});
    list.push_back({"value has " + name, [x](Problem& p) { p.v[10] = x; }, std::fabs(x) < 1});
    list.push_back({"mask has " + name, [x](Problem& p) {
      fill_mask(p, [x](uint32_t i, uint32_t j) { return i == 1 && j == 4 ? x : 0.5f; });
    }, finite || x == -kInf});
    list.push_back({"a row of the mask is " + name, [x](Problem& p) {
      fill_mask(p, [x](uint32_t i, uint32_t) { return i == 1 ? x : 0.0f; });
    }, finite || x == -kInf});
    list.push_back({"all queries are " + name, [x](Problem& p) { p.q.assign(p.q.size(), x); }, std::fabs(x) < 1});
    list.push_back({"masked key and value are " + name, [x](Problem& p) {
      fill_mask(p, [](uint32_t, uint32_t j) { return j == 2 ? -kInf : 0.0f; });
      const size_t width = p.sdpa ? p.D : p.E;
      for (size_t i = 0; i < width; ++i) p.k[2 * width + i] = p.v[2 * width + i] = x;
    }, !std::isnan(x)});
  }
  for (const heed_fully_masked f : {HEED_FULLY_MASKED_ZERO, HEED_FULLY_MASKED_NAN})
    list.push_back({f ? "nothing is seen, NaN" : "nothing is seen, 0", [f](Problem& p) {
      p.fully_masked = f;
      fill_mask(p, [](uint32_t, uint32_t) { return -kInf; });
    }, f == HEED_FULLY_MASKED_ZERO});
  list.push_back({"rows of the largest and the lowest", [](Problem& p) {
    fill_mask(p, [](uint32_t i, uint32_t j) { return (i + j) % 2 ? FLT_MAX : -FLT_MAX; });
  }, true});
  list.push_back({"causality hides all from the first", [](Problem& p) {
    p.causal = HEED_CAUSAL_OFFSET, p.causal_offset = -1;
  }, true});
  list.push_back({"scores differ by more than exp can say", [](Problem& p) {
    for (float& x : p.q) x *= 1e4f;
  }, true});
  return list;
}

bool all_finite(const Answer& a) {
  for (const auto* v : {&a.output, &a.weights})
    for (const float x : *v)
      if (!std::isfinite(x)) return false;
  return true;
}

}  // namespace

TEST_CASE("NaN, infinities, huge, subnormal and hidden numbers give the same on every arch with FMA", "[numbers]") {
  const std::vector<Case> cases = table();
  REQUIRE(cases.size() >= 40);
  for (const std::string& arch : fma_archs()) {
    Fnv1a hash;
    for (const bool sdpa : {true, false}) {
      for (const Case& c : cases) {
        Problem p = plain(sdpa);
        c.set(p);
        const Answer a = solve(p, arch);
        hash.add(a.output);
        hash.add(a.weights);
        CAPTURE(arch, c.name, sdpa);
        if (c.finite && (sdpa || c.name.find("masked key") != 0)) CHECK(all_finite(a));
      }
    }
    std::printf("table of %zu cases, hash on %-7s 0x%016" PRIx64 "\n", 2 * cases.size(), arch.c_str(), hash.value());
    CAPTURE(arch);
    CHECK(hash.value() == kTableHash);
  }
}

TEST_CASE("a finite mask is finite, whatever its size", "[numbers]") {
  for (const float x : {2.0e38f, 2.4e38f, FLT_MAX, -2.4e38f, -FLT_MAX}) {
    for (const bool padding : {false, true}) {
      for (const uint32_t L : {1u, 3u, 20u}) {
        Problem p = plain(padding ? false : true);
        p.L = L;
        Random random(62);
        fill_random(p, random);
        if (padding) {
          p.padding.is_float = true;
          p.padding.shape = {p.N, p.S};
          p.padding.values.assign(p.S, x);
        } else {
          fill_mask(p, [x](uint32_t, uint32_t) { return x; });
        }
        for (const std::string& arch : usable_archs()) {
          CAPTURE(x, padding, L, arch);
          const Answer a = solve(p, arch);
          REQUIRE(all_finite(a));
          for (const float w : a.weights) CHECK(std::fabs(w - 1.0f / 9) < 1e-6f);  // as in PyTorch: uniform
        }
      }
    }
  }
}

TEST_CASE("an infinite mask is not made finite", "[numbers]") {
  Problem p = plain(true);
  fill_mask(p, [](uint32_t i, uint32_t j) { return i == 1 && j == 4 ? kInf : 0.0f; });
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    const Answer a = solve(p, arch);
    CHECK(std::isnan(a.output[p.Dv]));  // of query 1, as in PyTorch
    CHECK(std::isfinite(a.output[0]));
  }
}

TEST_CASE("answers are within 1e-6 of the largest of double precision's, up to E and S of 1024", "[accuracy]") {
  double worst = 0;
  std::string where;
  const auto measure = [&](uint32_t E, uint32_t H, uint32_t S) {
    Problem p;
    p.E = p.kdim = p.vdim = E, p.H = H, p.L = 5, p.S = S;
    Random random(uint64_t(E) * 5000 + S);
    fill_random(p, random);
    const Reference want = reference(p);
    for (const std::string& arch : usable_archs()) {
      if (is_reference_path(arch)) continue;
      const Answer came = solve(p, arch);
      const double error = distance(came.output, want.output) / largest(want.output);
      CAPTURE(arch, describe(p), error);
      CHECK(error <= 1e-6);
      if (error > worst) worst = error, where = arch + ", " + describe(p);
    }
  };
  const uint32_t most = quick() ? 128 : 1024;
  for (uint32_t E = 16; E <= most; E *= 4)
    for (uint32_t S = 4; S <= most; S *= 4) measure(E, E / 16, S), measure(E, (E + 127) / 128, S);
  std::printf("largest error / max|out| %.3g at %s\n", worst, where.c_str());
}

#if defined(FE_TONEAREST) && defined(__unix__)
namespace {
struct Environment {
  std::fenv_t e;
  Environment() { std::memset(&e, 0, sizeof e), std::fegetenv(&e); }
};
}  // namespace

TEST_CASE("no call touches the floating-point environment's control, whichever it is", "[numbers]") {
  const int modes[] = {
      FE_TONEAREST,
#if defined(FE_UPWARD) && defined(FE_TOWARDZERO)
      FE_UPWARD, FE_TOWARDZERO,
#endif
  };
  alignas(HEED_ALIGNMENT) static unsigned char room[HEED_SELF_TEST_BYTES];
  for (const std::string& arch : usable_archs()) {
    for (const int mode : modes) {
      for (const bool wrong : {false, true}) {
        Problem p = plain(false);
        p.q[1] = quiet_nan();
        Runner r(p, arch);
        REQUIRE(r.prepare() == HEED_OK);
        if (wrong) r.call.query.rank = 1;
        REQUIRE(std::fesetround(mode) == 0);
        const Environment before;
        const heed_status status = r.run();
        if (heed_self_test(arch.c_str(), room, sizeof room, nullptr) == HEED_OK) {}
        if (r.prepare() == HEED_OK) {}
        if (heed_weights_verify(r.plan, nullptr, 0, nullptr) == HEED_OK) {}
        const Environment after;
        std::fesetround(FE_TONEAREST);
        CAPTURE(arch, mode, wrong);
        CHECK(status == (wrong ? HEED_ERROR_QUERY_RANK : HEED_OK));
#if defined(__x86_64__)
        // Rounding, masks, flush-to-zero of SSE; and the x87's control word. Flags may rise.
        CHECK((before.e.__mxcsr & ~0x3fu) == (after.e.__mxcsr & ~0x3fu));
        CHECK(before.e.__control_word == after.e.__control_word);
#elif defined(__aarch64__)
        CHECK(before.e.__fpcr == after.e.__fpcr);
#endif
      }
    }
  }
}
#endif
