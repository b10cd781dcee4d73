// Arguments at the edge of what they may be: offsets of any size, infinite padding, memory of SDPA,
// tensors that come alone.
#include <cstdio>
#include <limits>

#include "heed/rules.hpp"
#include "random_problem.hpp"
#include "refusal.hpp"

using namespace heed_test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Problem sdpa_problem() {
  Problem p;
  p.sdpa = true;
  p.L = 5, p.S = 7, p.H = p.Hkv = 2, p.D = 4, p.Dv = 3;
  p.need_weights = true;
  Random random(71);
  fill_random(p, random);
  return p;
}

Problem mha_problem() {
  Problem p;
  p.L = 5, p.S = 7, p.H = 2, p.E = p.kdim = p.vdim = 8;
  p.need_weights = true;
  Random random(72);
  fill_random(p, random);
  return p;
}

// `part` of the rows and columns of `whole`, which begin together and are `step` rows apart.
std::vector<float> part_of(const std::vector<float>& whole, uint32_t columns, uint32_t rows, uint32_t step,
                           uint32_t part) {
  std::vector<float> values;
  for (uint32_t r = 0; r < rows; ++r)
    for (uint32_t c = 0; c < part; ++c) values.push_back(whole[size_t(r) * step * columns + c]);
  return values;
}

}  // namespace

TEST_CASE("a causal offset may be any number: beyond the last key it hides nothing, before the first all", "[errors]") {
  for (const Problem& plain : {sdpa_problem(), mha_problem()}) {
    Problem p = plain;
    for (const std::string& arch : usable_archs()) {
      p.causal = HEED_CAUSAL_NONE;
      const Answer all = solve(p, arch);
      p.causal = HEED_CAUSAL_OFFSET;
      for (const int64_t offset : {int64_t(p.S), int64_t(1) << 31, (int64_t(1) << 31) + 1, INT64_MAX}) {
        CAPTURE(arch, p.sdpa, offset);
        p.causal_offset = offset;
        CHECK(same_bits(solve(p, arch), all));
      }
      for (const int64_t offset : {-int64_t(p.L), -(int64_t(1) << 31), -(int64_t(1) << 31) - 1, INT64_MIN}) {
        CAPTURE(arch, p.sdpa, offset);
        p.causal_offset = offset;
        for (const float w : solve(p, arch).weights) CHECK(w == 0.0f);
      }
    }
  }
}

TEST_CASE("inputs may begin together and be others: fewer rows, every other row, fewer columns", "[errors]") {
  for (const uint32_t head_dim : {4u, 20u}) {  // a small module, and one that is not
    Problem p;
    p.L = p.S = 6, p.H = 2, p.E = p.kdim = p.vdim = 2 * head_dim;
    p.need_weights = true;
    Random random(74);
    fill_random(p, random);
    Problem fewer = p, other = p, narrow = p;
    fewer.L = other.L = 3;
    fewer.q = part_of(p.k, p.E, 3, 1, p.E);
    other.q = part_of(p.k, p.E, 3, 2, p.E);
    narrow.kdim = narrow.vdim = head_dim;
    fill_random(narrow, random);
    narrow.k = narrow.v = part_of(narrow.q, p.E, p.S, 1, head_dim);
    fewer.v = other.v = p.k;
    for (const std::string& arch : usable_archs()) {
      CAPTURE(arch, head_dim);
      const auto check = [&](const Problem& problem, void (*share)(heed_call&)) {
        Runner r(problem, arch);
        REQUIRE(r.prepare() == HEED_OK);
        share(r.call);
        REQUIRE(r.run() == HEED_OK);
        CHECK(same_bits({r.output(), r.weights()}, solve(problem, arch)));
      };
      check(fewer, [](heed_call& c) { c.query.data = c.value.data = c.key.data; });
      check(other, [](heed_call& c) {
        c.query.data = c.value.data = c.key.data;
        c.query.stride[1] *= 2;
      });
      check(narrow, [](heed_call& c) {
        c.key.data = c.value.data = c.query.data;
        c.key.stride[1] = c.value.stride[1] = c.query.stride[1];
      });
    }
  }
}

TEST_CASE("infinite padding is what an infinite mask is", "[errors]") {
  Problem p = mha_problem();
  p.padding = {true, {1, p.S}, std::vector<float>(p.S, 0.0f)};
  p.padding.values[3] = kInf;
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    for (const float x : solve(p, arch).output) CHECK(x != x);  // as PyTorch: inf - inf
  }
}

TEST_CASE("memory of SDPA that is too small or not aligned is refused, and weights that are not aligned", "[errors]") {
  Runner r(sdpa_problem(), {});
  REQUIRE(r.go() == HEED_OK);
  const size_t space = r.workspace->bytes();
  Memory big(space + 64, Place::heap);
  check_error(r.error, heed_scaled_dot_product_attention(r.plan, &r.sdpa_call, big.data(), space - 1, &r.error),
              HEED_ERROR_MEMORY, {std::to_string(space), std::to_string(space - 1), "came"});
  check_error(r.error, heed_scaled_dot_product_attention(r.plan, &r.sdpa_call, big.data() + 4, space, &r.error),
              HEED_ERROR_MEMORY, {"workspace", "aligned to 64"});
  CHECK(big.untouched());

  Runner m(mha_problem(), {});
  REQUIRE(m.go() == HEED_OK);
  Memory moved(m.packed->bytes() + 64, Place::heap);
  std::memcpy(moved.data() + 32, m.packed->data(), m.packed->bytes());
  m.packed.reset(new Memory(std::move(moved)));
  check_error(m.error,
              heed_forward(m.plan, m.packed->data() + 32, &m.call, m.workspace->data(), m.workspace->bytes(), &m.error),
              HEED_ERROR_WEIGHTS, {"aligned to 64 bytes"});
}

TEST_CASE("one projection without the others, and a tensor of too many dimensions, are told", "[errors]") {
  Problem p = mha_problem();
  p.vdim = 5;
  Random random(73);
  fill_random(p, random);
  const auto told = [&](const std::vector<std::string>& words, void (*make)(heed_state_dict&)) {
    Runner r(p, {});
    REQUIRE(r.prepare() == HEED_OK);
    make(r.state_dict);
    check_error(r.error, heed_weights_pack(r.plan, &r.state_dict, r.packed->data(), r.packed->bytes(), &r.error),
                HEED_ERROR_STATE_DICT, words);
  };
  told({"in_proj_weight", "vdim"}, [](heed_state_dict& s) {  // kdim alone is embed_dim
    s.in_proj_weight = s.q_proj_weight;
    s.q_proj_weight = s.k_proj_weight = s.v_proj_weight = heed_tensor{};
  });
  told({"q_proj_weight is missing"}, [](heed_state_dict& s) { s.q_proj_weight = s.v_proj_weight = heed_tensor{}; });
  told({"q_proj_weight is missing"}, [](heed_state_dict& s) { s.q_proj_weight = s.k_proj_weight = heed_tensor{}; });
  told({"k_proj_weight is missing"}, [](heed_state_dict& s) { s.k_proj_weight = s.v_proj_weight = heed_tensor{}; });
  told({"out_proj.weight", "(8, 8)", "(1, 1, 8, 8)", "came"}, [](heed_state_dict& s) {
    s.out_proj_weight = heed_contiguous(s.out_proj_weight.data, HEED_FLOAT32, 4, 1, 1, 8, 8);
  });
}
