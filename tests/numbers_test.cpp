// Numbers at the edge: accuracy against double precision up to the largest usual sizes, a table of
// NaN, infinities, huge and subnormal numbers and masks that every arch answers alike, and the
// floating-point environment, which no call changes.
#include <cfenv>
#include <cfloat>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "catch.hpp"
#include "compare.hpp"
#include "edge_cases.hpp"
#include "random_problem.hpp"
#include "reference.hpp"

using namespace heed_test;

namespace {

constexpr float kInf = __builtin_inff();

bool all_finite(const Answer& a) {
  for (const auto* v : {&a.output, &a.weights})
    for (const float x : *v)
      if (!std::isfinite(x)) return false;
  return true;
}

}  // namespace

namespace {

// A line of gates/hash.txt: what the answers to the table hash to where multiply-adds round once, or twice.
uint64_t recorded(const std::string& name) {
  std::ifstream file(HEED_TEST_DATA "/gates/hash.txt");
  std::string line, hash;
  while (std::getline(file, line))
    if (line.rfind(name + " ", 0) == 0) hash = line.substr(name.size() + 1);
  REQUIRE(!hash.empty());
  return std::stoull(hash, nullptr, 16);
}

}  // namespace

TEST_CASE("what no number or mask at the edge can spoil is finite", "[numbers]") {
  const std::vector<EdgeCase> cases = edge_cases();
  REQUIRE(cases.size() >= 40);
  for (const std::string& arch : usable_archs()) {
    for (const bool sdpa : {true, false})
      for (const EdgeCase& c : cases) {
        if (!c.finite) continue;
        Problem p = plain_problem(sdpa);
        c.set(p);
        CAPTURE(arch, c.name, sdpa);
        CHECK(all_finite(solve(p, arch)));
      }
  }
}

TEST_CASE("NaN, infinities, huge, subnormal and hidden numbers give the recorded bits on every arch", "[numbers]") {
  const std::vector<std::string> fused = fma_archs();
  for (const std::string& arch : usable_archs()) {
    if (is_reference_path(arch)) continue;
    const bool once = std::find(fused.begin(), fused.end(), arch) != fused.end();
    const uint64_t hash = edge_hash(arch).value();
    std::printf("table of %zu cases, hash on %-7s 0x%016" PRIx64 "\n", 2 * edge_cases().size(), arch.c_str(), hash);
    CAPTURE(arch);
    CHECK(hash == recorded(once ? "edge_fused" : "edge_twice"));
  }
}

TEST_CASE("a finite mask is finite, whatever its size", "[numbers]") {
  for (const float x : {2.0e38f, 2.4e38f, FLT_MAX, -2.4e38f, -FLT_MAX}) {
    for (const bool padding : {false, true}) {
      for (const uint32_t L : {1u, 3u, 20u}) {
        Problem p = plain_problem(padding ? false : true);
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
  Problem p = plain_problem(true);
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
        Problem p = plain_problem(false);
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
#elif defined(__arm__)
        CHECK((before.e.__cw & 0x07ff9f00u) == (after.e.__cw & 0x07ff9f00u));  // all of FPSCR but flags
#endif
      }
    }
  }
}
#endif
