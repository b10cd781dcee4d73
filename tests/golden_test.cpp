// What PyTorch answers, for every case of golden/golden.safetensors, on every arch.
#include "golden.hpp"

#include <cstdio>

#include "catch.hpp"
#include "compare.hpp"

using namespace heed_test;

namespace {

double output_tolerance(const GoldenCase& g) {
  if (g.by_hand) return 1e-6 * std::max(1.0, largest(g.output));
  return std::max(2 * g.torch_output, 1e-6 * largest(g.output));
}

}  // namespace

TEST_CASE("every golden case gives PyTorch's answer on every arch", "[golden]") {
  const std::vector<GoldenCase>& cases = golden_cases();
  REQUIRE(cases.size() == 674);
  for (const std::string& arch : usable_archs()) {
    Worst<std::string> output, weights;
    for (const GoldenCase& g : cases) {
      CAPTURE(arch, g.id, g.group, g.note);
      const Answer a = solve(g.problem, arch);
      const double o = ratio_of(distance(a.output, g.output), output_tolerance(g));
      const double w = ratio_of(distance(a.weights, g.weights), std::max(2e-6, 2 * g.torch_weights));
      CHECK(o <= 1);
      CHECK(w <= 1);
      output.see(o, g.id);
      weights.see(w, g.id);
    }
    std::printf("golden %-7s worst error/tolerance: output %.3f (case %s), weights %.3f (case %s)\n",
                arch.c_str(), output.ratio, output.where.c_str(), weights.ratio, weights.where.c_str());
  }
}
