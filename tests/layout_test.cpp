// Sizes are constants of the compiler, the same as the C functions' and free of L * S; a plan
// moves as bytes; empty and unbatched calls, and an output in place of the query, work.
#include "catch.hpp"
#include "heed/heed.hpp"
#include "random_problem.hpp"

using namespace heed_test;

namespace {

constexpr auto minilm = heed::Config(384, 12).batch_first().max_query(128);
static_assert(heed::workspace_bytes(minilm) <= 512 * 1024, "MiniLM's attention fits half a megabyte");
static_assert(heed::weights_bytes(minilm) >= 4 * 384 * 384 * 4);
static_assert(heed::weights_bytes(minilm) <= 4 * 384 * 384 * 4 + 64 + 4 * 384 * 4);

constexpr size_t workspace_of(uint32_t queries, uint32_t keys) {
  return heed::workspace_bytes(heed::Config(64, 4).max_query(queries).max_key(keys));
}
static_assert(workspace_of(4096, 4096) < 2 * workspace_of(2048, 2048) + 4096, "linear in length");
static_assert(workspace_of(8192, 8192) < 2 * workspace_of(4096, 4096) + 4096, "linear in length");
static_assert(workspace_of(1, 8192) + workspace_of(8192, 1) + 65536 > workspace_of(8192, 8192), "no L * S");
static_assert(heed::workspace_bytes(heed::Config(64, 4).max_query(64).max_batch(1000)) == workspace_of(64, 64),
              "a batch costs no memory");

constexpr heed_sdpa_config sdpa_config(uint32_t dim, uint32_t length) {
  heed_sdpa_config c{};
  c.num_heads = 2;
  c.head_dim = dim;
  c.max_query = length;
  return c;
}
static_assert(heed::workspace_bytes(sdpa_config(64, 100000)) < 1 << 20, "SDPA reads its caller's rows");
// Groups: whole panels; 64 features in large modules, as many groups for each slice.
static_assert(heed::heads_per_group(12, 32, 1) == 2 && heed::heads_per_group(12, 32, 3) == 2);
static_assert(heed::heads_per_group(12, 32, 4) == 1 && heed::heads_per_group(11, 32, 1) == 1);
static_assert(heed::heads_per_group(16, 16, 4) == 4 && heed::heads_per_group(16, 16, 8) == 2);
static_assert(heed::heads_per_group(7, 32, 1) == 1 && heed::heads_per_group(4, 32, 1) == 1);
static_assert(heed::heads_per_group(8, 64, 1) == 1 && heed::heads_per_group(8, 36, 1) == 4);
static_assert(HEED_PLAN_BYTES % HEED_ALIGNMENT == 0);

constexpr auto lecture = heed::Config(8, 2).batch_first().max_query(4).slices(2);
heed::Arena<heed::weights_bytes(lecture)> lecture_weights;
heed::Arena<heed::workspace_bytes(lecture)> lecture_workspace;

}  // namespace

TEST_CASE("C functions and constexpr functions give the same sizes", "[layout]") {
  Random random(81);
  for (int i = 0; i < 2000; ++i) {
    const uint32_t heads = 1 + random.below(12);
    heed_config c = heed_config_default(heads * (1 + random.below(80)), heads);
    c.max_query = 1 + random.below(300);
    c.max_key = random.below(300);
    c.kdim = random.below(50);
    c.vdim = random.below(50);
    c.slices = random.below(9);
    c.bias = random.chance(50);
    c.add_bias_kv = random.chance(50);
    c.add_zero_attn = random.chance(50);
    CHECK(heed_weights_bytes(&c) == heed::weights_bytes(c));
    CHECK(heed_workspace_bytes(&c) == heed::workspace_bytes(c));
    CHECK(heed_workspace_bytes(&c) % HEED_ALIGNMENT == 0);
    heed_sdpa_config s = sdpa_config(1 + random.below(512), 1 + random.below(300));
    s.slices = c.slices;
    CHECK(heed_sdpa_workspace_bytes(&s) == heed::workspace_bytes(s));
  }
}

TEST_CASE("the largest configuration has a size or is refused, and never a small one by overflow", "[layout]") {
  heed_config c = heed_config_default(65536, 4096);
  c.max_query = c.max_key = heed::kMaxLength;
  c.slices = 1024;
  const size_t bytes = heed_workspace_bytes(&c);
  if (sizeof(size_t) == 8) CHECK(double(bytes) > 65536.0 * 4 * heed::kMaxLength);
  else CHECK(bytes == 0);
  if (sizeof(size_t) == 8) CHECK(heed_weights_bytes(&c) > size_t(4) * 65536 * 65536 * 3);
  else CHECK(heed_weights_bytes(&c) == 0);
  alignas(HEED_ALIGNMENT) unsigned char memory[HEED_PLAN_BYTES];
  const heed_plan* plan = nullptr;
  CHECK(heed_plan_init(&c, memory, sizeof memory, &plan, nullptr) ==
        (sizeof(size_t) == 8 ? HEED_OK : HEED_ERROR_CONFIG));
}

TEST_CASE("the C++ face gives the bits of the C functions", "[layout]") {
  Random random(82);
  Problem p;
  p.H = 2, p.E = p.kdim = p.vdim = 8, p.L = p.S = 4, p.key_is_query = p.value_is_key = true;
  fill_random(p, random);
  Runner r(p, {});
  REQUIRE(r.go() == HEED_OK);
  heed::MultiheadAttention attention;
  heed::Error error;
  REQUIRE(attention.init(lecture, r.state_dict, lecture_weights, error));
  CHECK(std::string(attention.isa()) == heed_plan_isa(r.plan));
  std::vector<float> out(p.q.size());
  heed::Call call;
  call.query = heed::tensor(p.q.data(), {1, 4, 8});
  call.output = heed::tensor(out.data(), {1, 4, 8});
  REQUIRE(attention.forward(call, lecture_workspace, error));
  CHECK(same_bits(out, r.output()));

  heed::MultiheadAttention from_flash;
  REQUIRE(from_flash.init_packed(lecture, lecture_weights.bytes, error));
  out.assign(out.size(), 0.0f);
  REQUIRE(from_flash.forward(call, lecture_workspace, error));
  CHECK(same_bits(out, r.output()));
  const heed::MultiheadAttention copy = attention;  // the plan moves as bytes
  out.assign(out.size(), 0.0f);
  REQUIRE(copy.forward(call, lecture_workspace, error));
  CHECK(same_bits(out, r.output()));
  CHECK_FALSE(attention.init(heed::Config(8, 3).max_query(4), r.state_dict, lecture_weights, error));
  CHECK(error.status == HEED_ERROR_CONFIG);
  CHECK_FALSE(heed::MultiheadAttention().forward(call, lecture_workspace, error));  // never initialised
}

TEST_CASE("the C++ face says why it failed, and is not to be called then", "[layout]") {
  Random random(83);
  Problem p;
  p.H = 2, p.E = p.kdim = p.vdim = 8, p.L = p.S = 4;
  fill_random(p, random);
  Runner r(p, {});
  REQUIRE(r.prepare() == HEED_OK);
  heed::MultiheadAttention attention;
  heed::Error error;
  CHECK(std::string(attention.isa()).empty());
  heed::StateDict lacking = r.state_dict;
  lacking.out_proj_weight = heed::Tensor{};
  CHECK_FALSE(attention.init(lecture, lacking, lecture_weights, error));
  CHECK(error.status == HEED_ERROR_STATE_DICT);
  CHECK_FALSE(attention.forward(heed::Call(), lecture_workspace, error));
  CHECK(error.status == HEED_ERROR_NULL);
  CHECK_FALSE(attention.init_packed(heed::Config(8, 2), lecture_weights.bytes, error));
  CHECK(error.status == HEED_ERROR_CONFIG);
  const float x[1] = {};
  const heed::Tensor five = heed::tensor(x, {1, 2, 3, 4, 5});
  CHECK(five.rank == 5);
  for (uint32_t i = 0; i < HEED_MAX_RANK; ++i) CHECK(five.shape[i] == i + 1);
}

TEST_CASE("a plan and packed weights work in another place", "[layout]") {
  Random random(83);
  const Problem p = random_problem(random, {{2}, {5}, {7}, {3}, {6}});
  for (const std::string& arch : usable_archs()) {
    Runner r(p, arch);
    REQUIRE(r.go() == HEED_OK);
    const std::vector<float> want = r.output();
    Memory plan(HEED_PLAN_BYTES, Place::heap);
    std::memcpy(plan.data(), r.plan_memory->data(), HEED_PLAN_BYTES);
    std::memset(r.plan_memory->data(), 0, HEED_PLAN_BYTES);
    r.plan = reinterpret_cast<const heed_plan*>(plan.data());
    if (r.packed) {
      std::unique_ptr<Memory> weights(new Memory(r.packed->bytes(), Place::heap));
      std::memcpy(weights->data(), r.packed->data(), weights->bytes());
      r.packed.swap(weights);
    }
    std::memset(r.output_memory().data(), 0, r.output_memory().bytes());
    REQUIRE(r.run() == HEED_OK);
    CHECK(same_bits(r.output(), want));
  }
}

TEST_CASE("empty batches, queries and keys are answered", "[layout]") {
  for (const bool sdpa : {false, true})
    for (const uint32_t N : {0u, 1u, 2u})
      for (const uint32_t L : {0u, 3u})
        for (const uint32_t S : {0u, 4u})
          for (const bool zero : {false, true}) {
            Problem p;
            p.sdpa = sdpa;
            p.N = N, p.L = L, p.S = S, p.H = p.Hkv = 2, p.D = p.Dv = 3, p.E = p.kdim = p.vdim = 6;
            p.add_zero_attn = zero && !sdpa;
            p.need_weights = true;
            p.average = S == 0;
            p.fully_masked = HEED_FULLY_MASKED_NAN;  // no key is not a masked key
            Random random(84);
            fill_random(p, random);
            for (const std::string& arch : usable_archs()) {
              CAPTURE(arch, describe(p));
              const Answer a = solve(p, arch);
              REQUIRE(a.output.size() == size_t(N) * L * 6);
              CHECK(a.weights.size() == size_t(N) * L * p.columns() * (p.sdpa ? 2 : p.weight_heads()));
              if (S) continue;
              for (size_t i = 0; i < a.output.size(); ++i)
                CHECK(a.output[i] == (sdpa ? 0.0f : p.weights.at("out_proj.bias")[i % 6]));
              for (float w : a.weights) CHECK(w == 1.0f);  // of the zero slot
            }
          }
}

TEST_CASE("an unbatched call gives the bits of a batch of one", "[layout]") {
  Random random(85);
  for (int i = 0; i < 100; ++i) {
    Problem p = random_problem(random, {{1}, {1, 5}, {3, 40}, {1, 3}, {2, 8}});
    const bool three = p.mask.shape.size() == 3 && !p.sdpa;
    if (!p.unbatched || three) continue;
    Problem batched = p;
    batched.unbatched = false;
    if (p.padding) batched.padding.shape = {1, p.S};
    CAPTURE(describe(p));
    for (const std::string& arch : usable_archs()) CHECK(same_bits(solve(p, arch), solve(batched, arch)));
  }
}

TEST_CASE("the output may take the place of the query", "[layout]") {
  Random random(86);
  for (const bool batch_first : {false, true})
    for (const uint32_t slices : {1u, 3u}) {
      Problem p;
      p.N = 3, p.L = p.S = 70, p.H = 2, p.E = p.kdim = p.vdim = 10, p.batch_first = batch_first;
      p.key_is_query = p.value_is_key = true;
      fill_random(p, random);
      for (const std::string& arch : usable_archs()) {
        Options o(arch);
        o.slices = slices;
        Runner r(p, o), in_place(p, o);
        REQUIRE(r.go() == HEED_OK);
        in_place.call.output = in_place.call.query;
        REQUIRE(in_place.go() == HEED_OK);
        const size_t bytes = p.q.size() * sizeof(float);
        CHECK(std::memcmp(in_place.call.query.data, r.call.output.data, bytes) == 0);
      }
    }
}

TEST_CASE("rows begin at 16 bytes, and those of whole 4 KiB are 64 bytes further apart", "[layout]") {
  for (uint32_t columns = 1; columns <= 5000; ++columns) {
    const uint32_t stride = heed::row_stride(columns), whole = (columns + 3) / 4 * 4;
    CAPTURE(columns);
    CHECK(stride == (whole == 1024 || whole == 2048 || whole == 3072 || whole == 4096 ? whole + 16 : whole));
  }
}
