// Which arch a CPU gets. CMakeLists.txt runs this on the CPUs that qemu plays and says in
// HEED_EXPECTED_ARCH which one is right for each; an arch that the CPU cannot run dies there of SIGILL.
#include <cstdlib>

#include "compare.hpp"
#include "reference.hpp"
#include "refusal.hpp"

using namespace heed_test;

namespace {

// Long enough for whole tiles and their rests, in every kernel.
Problem module() {
  Problem p;
  p.L = 53, p.S = 131, p.H = 2, p.E = p.kdim = p.vdim = 2 * 19;
  p.need_weights = true;
  Random random(81);
  fill_random(p, random);
  return p;
}

// heed_plan_init with HEED_ISA in the environment, or with the name in the configuration.
heed_status plan_with(const char* environment, const char* name, heed_error& error, std::string& isa) {
  if (environment) setenv("HEED_ISA", environment, 1);
  heed_config config = heed_config_default(8, 2);
  config.max_query = 4;
  config.isa = name;
  alignas(HEED_ALIGNMENT) unsigned char memory[HEED_PLAN_BYTES];
  const heed_plan* plan = nullptr;
  const heed_status status = heed_plan_init(&config, memory, sizeof memory, &plan, &error);
  unsetenv("HEED_ISA");
  isa = status == HEED_OK ? heed_plan_isa(plan) : "";
  return status;
}

// Of all archs of this build, or of those that the CPU can run.
std::string names(bool usable_only) {
  std::string list;
  heed_isa_info info;
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i)
    if (info.usable || !usable_only) list += (list.empty() ? "" : ", ") + std::string(info.name);
  return list;
}

}  // namespace

TEST_CASE("the best arch of this CPU is chosen", "[archs]") {
  unsetenv("HEED_ISA");
  heed_error error;
  std::string isa;
  REQUIRE(plan_with(nullptr, nullptr, error, isa) == HEED_OK);
  CHECK(isa == usable_archs().front());
  if (const char* expected = std::getenv("HEED_EXPECTED_ARCH")) CHECK(isa == expected);
}

TEST_CASE("every arch is run or refused, whichever way it is named", "[archs]") {
  heed_isa_info info;
  const Problem p = module();
  const Reference want = reference(p);
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i) {
    CAPTURE(info.name, info.usable);
    for (const bool by_environment : {false, true}) {
      heed_error error;
      std::string isa;
      const heed_status status =
          plan_with(by_environment ? info.name : nullptr, by_environment ? nullptr : info.name, error, isa);
      if (info.usable) {
        CHECK(status == HEED_OK);
        CHECK(isa == info.name);
      } else {
        check_error(error, status, HEED_ERROR_ISA, {info.name, info.needs, "it can run " + names(true)});
      }
    }
    // oneDNN 2.6 takes FMA for granted where AVX2 is, and dies on Haswell,-fma.
    if (!info.usable || (info.by_name_only && std::getenv("HEED_EXPECTED_ARCH"))) continue;
    const Answer came = solve(p, std::string(info.name));
    CHECK(distance(came.output, want.output) < 1e-5 * largest(want.output));
    CHECK(distance(came.weights, want.weights) < 1e-5);
  }
}

TEST_CASE("names that no arch has are refused with those that there are", "[archs]") {
  heed_error error;
  std::string isa;
  for (const std::string name : {"nonsense", "AVX2", "avx2 ", "neon", "scalar,avx2", " "}) {
    CAPTURE(name);
    check_error(error, plan_with(name.c_str(), nullptr, error, isa), HEED_ERROR_ISA,
                {name, "not in this build, which has " + names(false)});
    check_error(error, plan_with(nullptr, name.c_str(), error, isa), HEED_ERROR_ISA,
                {name, "not in this build, which has " + names(false)});
  }
  CHECK(plan_with("", nullptr, error, isa) == HEED_OK);
}
