// Everything that can be wrong before a call: configuration, memory, arch, plan, state_dict.
#include <cstdlib>
#include <functional>
#include <limits>

#include "heed/rules.hpp"
#include "refusal.hpp"

using namespace heed_test;

namespace {

Problem small() {
  Problem p;
  p.L = 2, p.S = 3, p.H = 2, p.E = p.kdim = p.vdim = 4;
  Random random(61);
  fill_random(p, random);
  return p;
}

class Environment {  // HEED_ISA for as long as this lives
 public:
  explicit Environment(const char* value) {
    const char* was = std::getenv("HEED_ISA");
    had_ = was != nullptr;
    if (had_) was_ = was;
    if (value) setenv("HEED_ISA", value, 1);
    else unsetenv("HEED_ISA");
  }
  ~Environment() {
    if (had_) setenv("HEED_ISA", was_.c_str(), 1);
    else unsetenv("HEED_ISA");
  }

 private:
  bool had_;
  std::string was_;
};

template <class Config>
void check_rule(const Config& config, const char* sentence) {
  CAPTURE(sentence);
  Memory memory(HEED_PLAN_BYTES, Place::heap);
  const heed_plan* plan = nullptr;
  heed_error error;
  heed_status status;
  if constexpr (std::is_same_v<Config, heed_config>) {
    status = heed_plan_init(&config, memory.data(), memory.bytes(), &plan, &error);
    CHECK(heed_weights_bytes(&config) == 0);
    CHECK(heed_workspace_bytes(&config) == 0);
  } else {
    status = heed_sdpa_plan_init(&config, memory.data(), memory.bytes(), &plan, &error);
    CHECK(heed_sdpa_workspace_bytes(&config) == 0);
  }
  check_error(error, status, HEED_ERROR_CONFIG, {sentence});
  CHECK(plan == nullptr);
  CHECK(memory.untouched());
}

}  // namespace

TEST_CASE("each rule of a configuration is kept and told", "[errors]") {
  const auto broken = [](const std::function<void(heed_config&)>& make, const char* sentence) {
    heed_config c = heed_config_default(8, 2);
    c.max_query = 4;
    REQUIRE(heed_workspace_bytes(&c) > 0);
    make(c);
    check_rule(c, sentence);
  };
  broken([](heed_config& c) { c.embed_dim = 0; }, "embed_dim and num_heads must be greater than 0");
  broken([](heed_config& c) { c.num_heads = 0; }, "embed_dim and num_heads must be greater than 0");
  broken([](heed_config& c) { c.embed_dim = 65538; }, "embed_dim must be at most 65536");
  broken([](heed_config& c) { c.num_heads = 4097, c.embed_dim = 8194; }, "num_heads must be at most 4096");
  broken([](heed_config& c) { c.num_heads = 3; }, "embed_dim must be divisible by num_heads");
  broken([](heed_config& c) { c.embed_dim = 1026; }, "embed_dim / num_heads must be at most 512");
  broken([](heed_config& c) { c.kdim = 65537; }, "kdim must be at most 65536");
  broken([](heed_config& c) { c.vdim = 65537; }, "vdim must be at most 65536");
  broken([](heed_config& c) { c.max_batch = 65537; }, "max_batch must be at most 65536");
  broken([](heed_config& c) { c.max_query = 0; }, "max_query must be at least 1");
  broken([](heed_config& c) { c.max_query = 16777201; }, "max_query must be at most 16777200");
  broken([](heed_config& c) { c.max_key = 16777201; }, "max_key must be at most 16777200");
  broken([](heed_config& c) { c.slices = 1025; }, "slices must be at most 1024");
}

TEST_CASE("the largest numbers that the rules allow are sound", "[errors]") {
  const auto sound = [](const std::function<void(heed_config&)>& make) {
    heed_config c = heed_config_default(8, 2);
    c.max_query = 4;
    make(c);
    CHECK(heed::first_broken(c) == heed::Rule::sound);
  };
  sound([](heed_config& c) { c.embed_dim = 65536, c.num_heads = 128; });
  sound([](heed_config& c) { c.embed_dim = c.num_heads = 4096; });
  sound([](heed_config& c) { c.kdim = c.vdim = 65536; });
  sound([](heed_config& c) { c.max_batch = 65536; });
  sound([](heed_config& c) { c.max_query = c.max_key = 16777200; });
  sound([](heed_config& c) { c.slices = 1024; });
  heed_sdpa_config s{};
  s.num_heads = s.num_kv_heads = 4096, s.head_dim = s.value_dim = 512, s.max_query = 1;
  CHECK(heed::first_broken(s) == heed::Rule::sound);
}

TEST_CASE("each rule of an SDPA configuration is kept and told", "[errors]") {
  const auto broken = [](const std::function<void(heed_sdpa_config&)>& make, const char* sentence) {
    heed_sdpa_config c{};
    c.num_heads = 4, c.head_dim = 8, c.max_query = 4;
    REQUIRE(heed_sdpa_workspace_bytes(&c) > 0);
    make(c);
    check_rule(c, sentence);
  };
  broken([](heed_sdpa_config& c) { c.num_heads = 0; }, "num_heads and head_dim must be greater than 0");
  broken([](heed_sdpa_config& c) { c.head_dim = 0; }, "num_heads and head_dim must be greater than 0");
  broken([](heed_sdpa_config& c) { c.num_heads = 4097; }, "num_heads must be at most 4096");
  broken([](heed_sdpa_config& c) { c.num_kv_heads = 3; }, "num_kv_heads must divide num_heads");
  broken([](heed_sdpa_config& c) { c.head_dim = 513; }, "head_dim must be at most 512");
  broken([](heed_sdpa_config& c) { c.value_dim = 513; }, "value_dim must be at most 512");
  broken([](heed_sdpa_config& c) { c.max_batch = 65537; }, "max_batch must be at most 65536");
  broken([](heed_sdpa_config& c) { c.max_query = 0; }, "max_query must be at least 1");
  broken([](heed_sdpa_config& c) { c.max_query = 16777201; }, "max_query must be at most 16777200");
  broken([](heed_sdpa_config& c) { c.max_key = 16777201; }, "max_key must be at most 16777200");
  broken([](heed_sdpa_config& c) { c.slices = 1025; }, "slices must be at most 1024");
}

TEST_CASE("an unknown arch is refused with the names that there are", "[errors]") {
  const Environment none(nullptr);
  Runner r(small(), std::string("avx9000"));
  std::vector<std::string> words{"avx9000", "not in this build"};
  heed_isa_info info;
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i) words.push_back(info.name);
  check_error(r.error, r.prepare(), HEED_ERROR_ISA, words);
  CHECK(r.plan == nullptr);
  CHECK(r.plan_memory->untouched());
  CHECK_FALSE(heed_isa_get(heed_isa_count(), &info));
  CHECK_FALSE(heed_isa_get(0, nullptr));
}

TEST_CASE("an arch that this CPU lacks is refused with the names that it can run", "[errors]") {
  heed_isa_info info;
  for (uint32_t i = 0; heed_isa_get(i, &info); ++i) {
    if (info.usable) continue;
    Runner r(small(), std::string(info.name));
    std::vector<std::string> words{info.name, info.needs, "lacks"};
    for (const std::string& name : usable_archs()) words.push_back(name);
    check_error(r.error, r.prepare(), HEED_ERROR_ISA, words);
  }
}

TEST_CASE("a name beyond the message's room is cut, not overrun", "[errors]") {
  Runner r(small(), std::string(1000, 'x'));
  CHECK(r.prepare() == HEED_ERROR_ISA);
  CHECK(strnlen(r.error.message, HEED_MESSAGE_BYTES) == HEED_MESSAGE_BYTES - 1);
}

TEST_CASE("HEED_ISA chooses the arch, the configuration's isa wins", "[errors]") {
  const auto isa_with = [](const char* environment, const char* config) {
    const Environment e(environment);
    Runner r(small(), std::string(config));
    const heed_status s = r.prepare();
    return s == HEED_OK ? std::string(heed_plan_isa(r.plan)) : heed_status_name(s);
  };
  const std::string best = usable_archs().front();
  CHECK(isa_with(nullptr, "") == best);
  CHECK(isa_with("", "") == best);
  CHECK(isa_with("nonsense", "") == "HEED_ERROR_ISA");
  for (const std::string& name : usable_archs()) {
    CHECK(isa_with(name.c_str(), "") == name);
    CHECK(isa_with("nonsense", name.c_str()) == name);
    CHECK(isa_with(best.c_str(), name.c_str()) == name);
  }
}

TEST_CASE("memory that is too small or not aligned is refused", "[errors]") {
  Runner r(small(), {});
  const auto init = [&](size_t shift, size_t bytes) {
    Memory memory(HEED_PLAN_BYTES + 64, Place::heap);
    const heed_plan* plan = nullptr;
    const heed_status s = heed_plan_init(&r.config, memory.data() + shift, bytes, &plan, &r.error);
    CHECK((s == HEED_OK) == (plan != nullptr));
    if (s != HEED_OK) CHECK(memory.untouched());
    return s;
  };
  CHECK(init(0, HEED_PLAN_BYTES) == HEED_OK);
  CHECK(r.error.status == HEED_OK);
  CHECK(r.error.message[0] == 0);
  check_error(r.error, init(0, HEED_PLAN_BYTES - 1), HEED_ERROR_MEMORY, {"512 bytes", "511", "came"});
  for (size_t shift : {1u, 4u, 8u, 32u, 63u})
    check_error(r.error, init(shift, HEED_PLAN_BYTES), HEED_ERROR_MEMORY, {"plan", "aligned to 64"});

  REQUIRE(r.go() == HEED_OK);
  const size_t weights = r.packed->bytes(), space = r.workspace->bytes();
  Memory big(std::max(weights, space) + 64, Place::heap);
  check_error(r.error, heed_weights_pack(r.plan, &r.state_dict, big.data(), weights - 1, &r.error), HEED_ERROR_MEMORY,
              {std::to_string(weights), std::to_string(weights - 1), "came"});
  check_error(r.error, heed_weights_pack(r.plan, &r.state_dict, big.data() + 32, weights, &r.error), HEED_ERROR_MEMORY,
              {"weights", "aligned to 64"});
  check_error(r.error, heed_forward(r.plan, r.packed->data(), &r.call, big.data(), space - 1, &r.error),
              HEED_ERROR_MEMORY, {std::to_string(space), std::to_string(space - 1), "came"});
  check_error(r.error, heed_forward(r.plan, r.packed->data(), &r.call, big.data() + 4, space, &r.error),
              HEED_ERROR_MEMORY, {"workspace", "aligned to 64"});
  CHECK(big.untouched());
}
