// Numbers at the edge: accuracy against double precision up to the largest usual sizes, a table of
// NaN, infinities, huge and subnormal numbers and masks that every arch answers alike, and the
// floating-point environment, which no call changes.
#include <cfenv>
#include <cfloat>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

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

namespace {

// A line of golden/torch_errors.txt.
struct Yardstick {
  uint32_t E = 0, H = 0, S = 0, problems = 0;
  double torch_error = 0;  // of PyTorch's float32, relative to the largest output: the worst of the problems
};

std::vector<Yardstick> yardsticks() {
  std::ifstream file(HEED_TEST_DATA "/golden/torch_errors.txt");
  std::vector<Yardstick> list;
  for (std::string line; std::getline(file, line);) {
    Yardstick y;
    std::istringstream words(line);
    if (line[0] != '#' && words >> y.E >> y.H >> y.S >> y.problems >> y.torch_error) list.push_back(y);
  }
  REQUIRE(list.size() == 35);
  REQUIRE((list.back().E == 1024 && list.back().S == 1024));
  return list;
}

// heed's error on the problems that golden/torch_errors.py makes, too: the largest of all archs.
double error_of(const Yardstick& y) {
  double most = 0;
  for (uint32_t i = 0; i < y.problems; ++i) {
    Problem p;
    p.E = p.kdim = p.vdim = y.E, p.H = y.H, p.L = 5, p.S = y.S;
    Random random((uint64_t(i) * 5000 + y.E) * 5000 + y.S);
    fill_random(p, random);
    const Reference want = reference(p);
    for (const std::string& arch : usable_archs())
      if (!is_reference_path(arch))
        most = std::max(most, distance(solve(p, arch).output, want.output) / largest(want.output));
  }
  return most;
}

std::string size_of(const Yardstick& y) {
  return "E " + std::to_string(y.E) + ", " + std::to_string(y.H) + " heads, S " + std::to_string(y.S);
}

}  // namespace

TEST_CASE("errors are at most 1e-6 of the largest answer, up to E and S of 1024", "[accuracy]") {
  Worst<std::string> worst;
  for (Yardstick y : yardsticks()) {
    if (quick() && (y.E > 128 || y.S > 128)) continue;
    y.problems = 1;
    const double error = error_of(y);
    CAPTURE(size_of(y), error);
    CHECK(error <= 1e-6);
    worst.see(error, size_of(y));
  }
  std::printf("largest error / max|out| %.3g (%s)\n", worst.ratio, worst.where.c_str());
}

// Those of heads that no panel is whole with, and too many or too wide for one group (layout.hpp).
TEST_CASE("so they are where a group's features begin within a register", "[accuracy]") {
  Yardstick y;
  y.S = 7, y.problems = 1;
  for (const auto& size : {std::pair<uint32_t, uint32_t>{17, 16}, {17, 33}, {136, 2}, {132, 3}, {131, 2}}) {
    y.H = size.second, y.E = y.H * size.first;
    const double error = error_of(y);
    CAPTURE(size_of(y), error);
    CHECK(error <= 1e-6);
  }
}

TEST_CASE("nor does it matter how many rows and registers a tile has", "[accuracy][choice]") {
  Random random(94);
  Problem p;
  for (p.L = 1; p.L <= 9; ++p.L)
    for (p.E = 36; p.E <= 80; p.E += p.E < 48 ? 4 : 16) {
      p.kdim = p.vdim = p.E, p.S = p.L;
      fill_random(p, random);
      const Reference want = reference(p);
      for (const std::string& arch : usable_archs()) {
        CAPTURE(arch, describe(p));
        CHECK(distance(solve(p, arch).output, want.output) <= 1e-6 * largest(want.output));
      }
    }
}

// A minute: a gate of its own (./dev gates).
TEST_CASE("errors are at most twice PyTorch's, up to E and S of 1024", "[.torch_error]") {
  Worst<std::string> worst;
  for (const Yardstick& y : yardsticks()) {
    const double error = error_of(y);
    CAPTURE(size_of(y), error, y.torch_error);
    CHECK(error <= 2 * y.torch_error);
    worst.see(error / y.torch_error, size_of(y));
  }
  std::printf("largest error / PyTorch's %.3g (%s)\n", worst.ratio, worst.where.c_str());
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
        REQUIRE(std::fesetenv(FE_DFL_ENV) == 0);  // whatever calls before this one have left
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
