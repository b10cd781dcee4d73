// What core/choice.hpp decides is what calls do.
#include "catch.hpp"
#include "core/choice.hpp"
#include "plan.hpp"
#include "random_problem.hpp"

using namespace heed_test;

namespace {

void count_steps(void* steps, uint32_t count, heed_task task, void* argument) {
  ++*static_cast<uint32_t*>(steps);
  for (uint32_t i = 0; i < count; ++i) task(argument, i);
}

uint32_t expected_steps(const heed::Geometry& g, bool average) {
  if (heed::split_heads(g, average)) return 2;
  return (g.groups() + g.slices - 1) / g.slices * 2 + 1;
}

uint32_t small_calls, other_calls;
const heed::KernelTable* own;
void count_small(const heed::SmallArgs& a) {
  ++small_calls;
  own->small(a);
}
void count_project(const heed::ProjectArgs& a) {
  ++other_calls;
  own->project(a);
}

}  // namespace

TEST_CASE("slices have heads of their own exactly where split_heads says so", "[choice]") {
  Random random(91);
  for (uint32_t heads = 1; heads <= 12; ++heads) {
    for (uint32_t slices = 2; slices <= 13; ++slices) {
      for (bool average : {false, true}) {
        Problem p;
        p.H = heads;
        p.E = p.kdim = p.vdim = heads;
        p.L = p.S = 3;
        p.need_weights = true;
        p.average = average;
        fill_random(p, random);
        uint32_t steps = 0;
        Options o("scalar");
        o.slices = slices;
        o.parallel_for = count_steps;
        o.context = &steps;
        Runner r(p, o);
        REQUIRE(r.go() == HEED_OK);
        CAPTURE(heads, slices, average);
        CHECK(steps == expected_steps(r.plan->geometry, average));
      }
    }
  }
}

TEST_CASE("groups of queries fill a block and no more registers than a tile has", "[choice]") {
  Random random(92);
  Problem p;
  fill_random(p, random);
  for (const std::string& arch : usable_archs()) {
    Runner r(p, Options(arch));
    REQUIRE(heed_plan_init(&r.config, r.plan_memory->data(), HEED_PLAN_BYTES, &r.plan, &r.error) == HEED_OK);
    const heed::KernelTable& kernels = *r.plan->kernels;
    CAPTURE(arch);
    CHECK((kernels.tiles.attend_registers == 0) == is_reference_path(arch));
    if (is_reference_path(arch)) continue;
    const bool turns = kernels.lanes > 1 && kernels.tiles.attend_registers * kernels.lanes < heed::kQueryBlock;
    for (uint32_t rows = 1; rows <= heed::kQueryBlock; ++rows) {
      uint32_t done = 0, odd = 0, lanes = 0, first = 0, groups = 0;
      while (done < rows) {
        const heed::QueryGroup q = heed::next_queries(kernels.tiles, kernels.lanes, rows - done);
        CAPTURE(rows, done);
        REQUIRE(q.rows > 0);
        CHECK(q.registers <= kernels.tiles.attend_registers);
        CHECK(q.rows <= (q.registers ? q.registers * kernels.lanes : heed::few_alone(kernels.tiles)));
        CHECK((q.registers == 0 || kernels.tiles.whole_groups || q.rows > (q.registers - 1) * kernels.lanes));
        odd += q.registers == 0 ? q.rows : 0;
        lanes += q.registers * kernels.lanes;
        if (groups++ == 0) first = lanes;
        done += q.rows;
      }
      CHECK(done == rows);
      CHECK(odd <= (odd == rows ? heed::few_alone(kernels.tiles) : kernels.tiles.few_rows));
      // attend.hpp keeps maxima and sums in what the first group leaves of 8 keys' scores.
      const uint32_t room = heed::round_up(rows, heed::kPanel);
      CHECK(lanes <= room);
      const bool alone = lanes == first && lanes == heed::kPanel;
      if (turns && !alone) CHECK(2 * lanes <= (room - first) * 8);
    }
  }
}

TEST_CASE("blocks of queries are full, but for the last two where a block is one group", "[choice]") {
  heed::Tiles t;
  t.attend_registers = 3;
  t.few_rows = 6;
  for (const uint32_t lanes : {1u, 4u, 8u, 16u}) {
    for (uint32_t left = 1; left <= 5 * heed::kQueryBlock; ++left) {
      const uint32_t rows = heed::query_block(t, lanes, left);
      CAPTURE(lanes, left);
      const bool shares = lanes == 16 && left >= 55 && left <= 70 && !heed::kForSize;  // 4 registers, and up to 6 rows
      CHECK(rows == (left <= heed::kQueryBlock ? left : shares ? 32 : heed::kQueryBlock));
    }
  }
}

TEST_CASE("panels come in tiles that are compiled: all sizes, or the largest and 1", "[choice]") {
  for (uint32_t most = 1; most <= 4; ++most) {
    for (uint32_t left = 1; left <= 13; ++left) {
      CAPTURE(most, left);
      const uint32_t any = heed::panels_of_tile(left, most, false), few = heed::panels_of_tile(left, most, true);
      CHECK((any >= 1 && any <= most && any <= left));
      CHECK(few == (left >= most ? most : 1));
    }
  }
}

TEST_CASE("groups are split where no slice waits for more than a tenth of the work", "[choice]") {
  const auto split = [](uint32_t heads, uint32_t slices) {
    heed::Geometry g;
    g.num_heads = heads;
    g.slices = slices;
    CHECK_FALSE(heed::split_heads(g, true));
    return heed::split_heads(g, false);
  };
  CHECK(split(12, 2));
  CHECK(split(12, 12));
  CHECK_FALSE(split(12, 5));   // 3 turns of 5: three slices wait in the last
  CHECK_FALSE(split(12, 24));  // half of them have nothing to do
  CHECK(split(10, 11));        // 11 for 10 is the tenth
  CHECK_FALSE(split(9, 10));
  CHECK(split(100, 11));        // 10 turns of 11
  CHECK_FALSE(split(100, 40));  // 3 turns of 40
}

TEST_CASE("a small module is one call of its own kernel, unless something is masked", "[choice]") {
  Problem plain;
  plain.L = 3, plain.S = 5, plain.H = 2, plain.E = plain.kdim = plain.vdim = 8;
  Random random(93);
  fill_random(plain, random);
  const auto calls = [](const Problem& p, const std::string& arch) {
    Runner r(p, arch);
    REQUIRE(r.prepare() == HEED_OK);
    heed_plan& plan = *reinterpret_cast<heed_plan*>(r.plan_memory->data());
    heed::KernelTable counting = *plan.kernels;
    own = plan.kernels;
    if (counting.small) counting.small = &count_small;
    counting.project = &count_project;
    plan.kernels = &counting;
    small_calls = other_calls = 0;
    REQUIRE(r.run() == HEED_OK);
    CHECK((small_calls == 0) == (other_calls != 0));
    return small_calls;
  };
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    Runner r(plain, arch);
    REQUIRE(r.prepare() == HEED_OK);
    CHECK(calls(plain, arch) == (r.plan->small ? 1 : 0));
    Problem p = plain;
    p.causal = HEED_CAUSAL_TOP_LEFT;
    CHECK(calls(p, arch) == 0);
    p = plain;
    p.mask = {false, {p.L, p.S}, std::vector<float>(p.L * p.S, 0.0f)};
    CHECK(calls(p, arch) == 0);
    p = plain;
    p.padding = {false, {1, p.S}, std::vector<float>(p.S, 0.0f)};
    CHECK(calls(p, arch) == 0);
    p = plain;
    p.S = 0;
    p.k.clear(), p.v.clear();
    CHECK(calls(p, arch) == 0);
    p = plain;
    p.add_zero_attn = true;
    CHECK(calls(p, arch) == 0);
  }
}
