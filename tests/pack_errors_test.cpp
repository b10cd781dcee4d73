// Plans of the wrong kind, state_dicts that do not fit, weights of another module, NULL.
#include <functional>

#include "refusal.hpp"

using namespace heed_test;

namespace {

constexpr heed_tensor kAbsent{};

Problem module(bool separate, bool bias, bool bias_kv) {
  Problem p;
  p.L = 2, p.S = 3, p.H = 2, p.E = 4;
  p.kdim = separate ? 3 : 4;
  p.vdim = separate ? 5 : 4;
  p.bias = bias;
  p.add_bias_kv = bias_kv;
  Random random(62);
  fill_random(p, random);
  return p;
}

using Make = std::function<void(heed_state_dict&)>;

void check_pack(const Problem& p, heed_status want, const std::vector<std::string>& words, const Make& make) {
  Runner r(p, {});
  REQUIRE(r.prepare() == HEED_OK);
  make(r.state_dict);
  Memory weights(r.packed->bytes(), Place::heap);
  check_error(r.error, heed_weights_pack(r.plan, &r.state_dict, weights.data(), weights.bytes(), &r.error), want, words);
  CHECK(weights.untouched());
  CHECK(heed_weights_pack(r.plan, &r.state_dict, weights.data(), weights.bytes(), nullptr) == want);
}

void check_state_dict(const Problem& p, const std::vector<std::string>& words, const Make& make) {
  check_pack(p, HEED_ERROR_STATE_DICT, words, make);
}

}  // namespace

TEST_CASE("each missing tensor of a state_dict is named", "[errors]") {
  const Problem one = module(false, true, true), three = module(true, true, false);
  check_state_dict(one, {"in_proj_weight", "missing"}, [](heed_state_dict& s) { s.in_proj_weight = kAbsent; });
  check_state_dict(one, {"in_proj_bias", "missing"}, [](heed_state_dict& s) { s.in_proj_bias = kAbsent; });
  check_state_dict(one, {"out_proj.weight", "missing"}, [](heed_state_dict& s) { s.out_proj_weight = kAbsent; });
  check_state_dict(one, {"out_proj.bias", "missing"}, [](heed_state_dict& s) { s.out_proj_bias = kAbsent; });
  check_state_dict(three, {"q_proj_weight", "missing"}, [](heed_state_dict& s) { s.q_proj_weight = kAbsent; });
  check_state_dict(three, {"k_proj_weight", "missing"}, [](heed_state_dict& s) { s.k_proj_weight = kAbsent; });
  check_state_dict(three, {"v_proj_weight", "missing"}, [](heed_state_dict& s) { s.v_proj_weight = kAbsent; });
  check_pack(one, HEED_ERROR_BIAS_KV, {"bias_k", "missing"}, [](heed_state_dict& s) { s.bias_k = kAbsent; });
  check_pack(one, HEED_ERROR_BIAS_KV, {"bias_v", "missing"}, [](heed_state_dict& s) { s.bias_v = kAbsent; });
}

TEST_CASE("each surplus tensor of a state_dict is named", "[errors]") {
  const Problem one = module(false, true, false), bare = module(false, false, false);
  check_state_dict(one, {"q_proj_weight", "in_proj_weight"}, [](heed_state_dict& s) { s.q_proj_weight = s.out_proj_weight; });
  check_state_dict(one, {"k_proj_weight", "in_proj_weight"}, [](heed_state_dict& s) { s.k_proj_weight = s.out_proj_weight; });
  check_state_dict(one, {"v_proj_weight", "in_proj_weight"}, [](heed_state_dict& s) { s.v_proj_weight = s.out_proj_weight; });
  check_state_dict(one, {"q_proj_bias", "in_proj_bias"}, [](heed_state_dict& s) { s.q_proj_bias = s.out_proj_bias; });
  check_state_dict(one, {"k_proj_bias", "in_proj_bias"}, [](heed_state_dict& s) { s.k_proj_bias = s.out_proj_bias; });
  check_state_dict(one, {"v_proj_bias", "in_proj_bias"}, [](heed_state_dict& s) { s.v_proj_bias = s.out_proj_bias; });
  check_state_dict(bare, {"in_proj_bias", "bias = false"}, [](heed_state_dict& s) { s.in_proj_bias = s.in_proj_weight; });
  check_state_dict(bare, {"k_proj_bias", "bias = false"}, [](heed_state_dict& s) { s.k_proj_bias = s.in_proj_weight; });
  check_state_dict(bare, {"out_proj.bias", "bias = false"}, [](heed_state_dict& s) { s.out_proj_bias = s.in_proj_weight; });
  check_pack(one, HEED_ERROR_BIAS_KV, {"bias_k", "add_bias_kv = false"}, [](heed_state_dict& s) { s.bias_k = s.out_proj_bias; });
  check_pack(one, HEED_ERROR_BIAS_KV, {"bias_v", "add_bias_kv = false"}, [](heed_state_dict& s) { s.bias_v = s.out_proj_bias; });
  check_state_dict(module(true, true, false), {"in_proj_weight", "kdim or vdim"}, [](heed_state_dict& s) {
    s.in_proj_weight = s.q_proj_weight;
    s.q_proj_weight = s.k_proj_weight = s.v_proj_weight = kAbsent;
  });
}

TEST_CASE("each misshapen tensor of a state_dict is named with both shapes", "[errors]") {
  const Problem one = module(false, true, true), three = module(true, true, false);
  check_state_dict(one, {"in_proj_weight", "(12, 4)", "(11, 4)", "came"}, [](heed_state_dict& s) { s.in_proj_weight.shape[0] = 11; });
  check_state_dict(one, {"in_proj_bias", "(12)", "(4)", "came"}, [](heed_state_dict& s) { s.in_proj_bias.shape[0] = 4; });
  check_state_dict(one, {"out_proj.weight", "(4, 4)", "(4, 5)", "came"}, [](heed_state_dict& s) { s.out_proj_weight.shape[1] = 5; });
  check_state_dict(one, {"out_proj.weight", "(4, 4)", "(4)", "came"}, [](heed_state_dict& s) { s.out_proj_weight.rank = 1; });
  check_state_dict(one, {"out_proj.bias", "(4)", "(5)", "came"}, [](heed_state_dict& s) { s.out_proj_bias.shape[0] = 5; });
  check_state_dict(one, {"out_proj.bias", "(4)", "()", "came"}, [](heed_state_dict& s) { s.out_proj_bias.rank = 0; });
  check_state_dict(one, {"bias_k", "(4)", "(1, 2, 4)", "came"}, [](heed_state_dict& s) { s.bias_k.shape[1] = 2; });
  check_state_dict(one, {"bias_v", "(4)", "(1, 1, 3)", "came"}, [](heed_state_dict& s) { s.bias_v.shape[2] = 3; });
  check_state_dict(three, {"q_proj_weight", "(4, 4)", "(4, 3)", "came"}, [](heed_state_dict& s) { s.q_proj_weight.shape[1] = 3; });
  check_state_dict(three, {"k_proj_weight", "(4, 3)", "(4, 4)", "came"}, [](heed_state_dict& s) { s.k_proj_weight.shape[1] = 4; });
  check_state_dict(three, {"v_proj_weight", "(4, 5)", "(3, 5)", "came"}, [](heed_state_dict& s) { s.v_proj_weight.shape[0] = 3; });
  check_pack(one, HEED_ERROR_DTYPE, {"in_proj_weight", "float32", "bool"}, [](heed_state_dict& s) { s.in_proj_weight.dtype = HEED_BOOL; });
  check_pack(one, HEED_ERROR_STRIDE, {"out_proj.weight", "side by side"}, [](heed_state_dict& s) { s.out_proj_weight.stride[1] = 2; });
}

TEST_CASE("an absent bias beside present ones is zeros", "[errors]") {
  Problem p = module(false, true, false);
  std::fill_n(p.weights["in_proj_bias"].begin() + 4, 4, 0.0f);  // of the keys: Whisper has none
  Runner whole(p, {}), parts(p, {});
  float* bias = static_cast<float*>(parts.state_dict.in_proj_bias.data);
  parts.state_dict.q_proj_bias = heed_contiguous(bias, HEED_FLOAT32, 1, 4, 0, 0, 0);
  parts.state_dict.v_proj_bias = heed_contiguous(bias + 8, HEED_FLOAT32, 1, 4, 0, 0, 0);
  parts.state_dict.in_proj_bias = kAbsent;
  REQUIRE(whole.go() == HEED_OK);
  REQUIRE(parts.go() == HEED_OK);
  CHECK(std::memcmp(whole.packed->data(), parts.packed->data(), whole.packed->bytes()) == 0);
}

TEST_CASE("packed weights are the same bytes on every arch", "[errors]") {
  const Problem p = module(true, true, true);
  Runner first(p, usable_archs().front());
  REQUIRE(first.go() == HEED_OK);
  for (const std::string& arch : usable_archs()) {
    Runner other(p, arch);
    REQUIRE(other.go() == HEED_OK);
    CHECK(std::memcmp(first.packed->data(), other.packed->data(), first.packed->bytes()) == 0);
  }
}

TEST_CASE("weights of another module are refused", "[errors]") {
  const std::vector<Make> none;
  Problem other = module(false, true, false);
  std::vector<Problem> others;
  others.push_back(module(true, true, false));
  others.push_back(module(false, false, false));
  others.push_back(module(false, true, true));
  other.H = 4;
  others.push_back(other);
  other.H = 2, other.E = other.kdim = other.vdim = 6;
  Random random(63);
  fill_random(other, random);
  others.push_back(other);
  for (const Problem& q : others) {
    CAPTURE(q.E, q.H, q.kdim, q.bias, q.add_bias_kv);
    Runner r(module(false, true, false), {}), wrong(q, {});
    REQUIRE(r.prepare() == HEED_OK);
    REQUIRE(wrong.prepare() == HEED_OK);
    check_error(r.error, heed_forward(r.plan, wrong.packed->data(), &r.call, r.workspace->data(), r.workspace->bytes(), &r.error),
                HEED_ERROR_WEIGHTS, {"weights", "heed_weights_pack"});
    CHECK(r.output_memory().untouched());
  }
  Runner r(module(false, true, false), {});
  REQUIRE(r.prepare() == HEED_OK);
  r.packed->data()[0] ^= 1;
  CHECK(r.run() == HEED_ERROR_WEIGHTS);
}

TEST_CASE("what is not a plan, or one of the other operation, is refused", "[errors]") {
  Problem s;
  s.sdpa = true;
  Random random(64);
  fill_random(s, random);
  Runner mha(module(false, true, false), {}), sdpa(s, {});
  REQUIRE(mha.prepare() == HEED_OK);
  REQUIRE(sdpa.prepare() == HEED_OK);
  alignas(64) unsigned char zeros[HEED_PLAN_BYTES] = {};
  const heed_plan* zero = reinterpret_cast<const heed_plan*>(zeros);
  heed_error e;
  for (const heed_plan* plan : {sdpa.plan, zero}) {
    check_error(e, heed_forward(plan, mha.packed->data(), &mha.call, mha.workspace->data(), mha.workspace->bytes(), &e),
                HEED_ERROR_PLAN, {"heed_plan_init"});
    check_error(e, heed_weights_pack(plan, &mha.state_dict, mha.packed->data(), mha.packed->bytes(), &e),
                HEED_ERROR_PLAN, {"heed_plan_init"});
  }
  for (const heed_plan* plan : {mha.plan, zero})
    check_error(e, heed_scaled_dot_product_attention(plan, &sdpa.sdpa_call, sdpa.workspace->data(), sdpa.workspace->bytes(), &e),
                HEED_ERROR_PLAN, {"heed_sdpa_plan_init"});
  CHECK(std::string(heed_plan_isa(zero)).empty());
  CHECK(std::string(heed_plan_isa(nullptr)).empty());
}

TEST_CASE("each NULL is named", "[errors]") {
  Problem s;
  s.sdpa = true;
  Random random(65);
  fill_random(s, random);
  Runner m(module(false, true, false), {}), d(s, {});
  REQUIRE(m.go() == HEED_OK);
  REQUIRE(d.go() == HEED_OK);
  heed_error e;
  const heed_plan* plan = nullptr;
  unsigned char* at = m.plan_memory->data();
  check_error(e, heed_plan_init(nullptr, at, 512, &plan, &e), HEED_ERROR_NULL, {"config"});
  check_error(e, heed_plan_init(&m.config, nullptr, 512, &plan, &e), HEED_ERROR_NULL, {"memory"});
  check_error(e, heed_plan_init(&m.config, at, 512, nullptr, &e), HEED_ERROR_NULL, {"plan"});
  check_error(e, heed_sdpa_plan_init(nullptr, at, 512, &plan, &e), HEED_ERROR_NULL, {"config"});
  CHECK(plan == nullptr);
  const size_t weights = m.packed->bytes(), space = m.workspace->bytes(), sdpa_space = d.workspace->bytes();
  check_error(e, heed_weights_pack(nullptr, &m.state_dict, m.packed->data(), weights, &e), HEED_ERROR_NULL, {"plan"});
  check_error(e, heed_weights_pack(m.plan, nullptr, m.packed->data(), weights, &e), HEED_ERROR_NULL, {"state_dict"});
  check_error(e, heed_weights_pack(m.plan, &m.state_dict, nullptr, weights, &e), HEED_ERROR_NULL, {"weights"});
  unsigned char *w = m.packed->data(), *ws = m.workspace->data(), *dws = d.workspace->data();
  check_error(e, heed_forward(nullptr, w, &m.call, ws, space, &e), HEED_ERROR_NULL, {"plan"});
  check_error(e, heed_forward(m.plan, nullptr, &m.call, ws, space, &e), HEED_ERROR_NULL, {"weights"});
  check_error(e, heed_forward(m.plan, w, nullptr, ws, space, &e), HEED_ERROR_NULL, {"call"});
  check_error(e, heed_forward(m.plan, w, &m.call, nullptr, space, &e), HEED_ERROR_NULL, {"workspace"});
  check_error(e, heed_scaled_dot_product_attention(nullptr, &d.sdpa_call, dws, sdpa_space, &e), HEED_ERROR_NULL, {"plan"});
  check_error(e, heed_scaled_dot_product_attention(d.plan, nullptr, dws, sdpa_space, &e), HEED_ERROR_NULL, {"call"});
  check_error(e, heed_scaled_dot_product_attention(d.plan, &d.sdpa_call, nullptr, sdpa_space, &e), HEED_ERROR_NULL, {"workspace"});
  CHECK(heed_weights_bytes(nullptr) == 0);
  CHECK(heed_workspace_bytes(nullptr) == 0);
  CHECK(heed_sdpa_workspace_bytes(nullptr) == 0);
  CHECK(heed_plan_init(nullptr, nullptr, 0, nullptr, nullptr) == HEED_ERROR_NULL);
}
