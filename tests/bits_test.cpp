// The same bits, however a call is cut up, placed, threaded, and on whichever arch with FMA.
// (sse42 rounds twice and onednn sums in its own order: they promise no bits across archs,
// but sse42 must agree with itself.)
#include "catch.hpp"
#include "golden.hpp"
#include "random_problem.hpp"
#include "threads.hpp"

#include <cinttypes>
#include <cstdio>

using namespace heed_test;

namespace {

// All outputs and weights of the golden data: NaN as 0x7fc00000, subnormals as 0, little-endian.
constexpr uint64_t kGoldenHash = 0xfa4cdd7c8bb043d4;

std::vector<std::string> exact_archs() {  // equal to themselves, not always to each other
  std::vector<std::string> names = usable_archs();
  names.erase(std::remove(names.begin(), names.end(), "onednn"), names.end());
  return names;
}

const Sizes kSizes{
    {1, 2, 3}, {1, 2, 3, 7, 16, 33, 50, 97}, {1, 5, 16, 33, 127, 129, 260}, {1, 2, 3, 4, 8}, {1, 3, 4, 7, 8, 16, 17}};

std::vector<Problem> problems(uint64_t seed, uint32_t count, const Sizes& sizes = kSizes) {
  Random random(seed);
  std::vector<Problem> list;
  for (uint32_t i = 0; i < count; ++i) list.push_back(random_problem(random, sizes));
  return list;
}

uint32_t count_of(uint32_t full) { return quick() ? full / 10 + 1 : full; }

// As numpy's own tests have them; sums with such a stride overflow.
void spoil_unused_strides(Runner& r, bool sdpa) {
  std::vector<heed_tensor*> tensors{&r.call.query,     &r.call.key,    &r.call.value,       &r.call.key_padding_mask,
                                    &r.call.attn_mask, &r.call.output, &r.call.attn_weights};
  if (sdpa)
    tensors = {&r.sdpa_call.query,     &r.sdpa_call.key,    &r.sdpa_call.value,
               &r.sdpa_call.attn_mask, &r.sdpa_call.output, &r.sdpa_call.attn_weights};
  for (heed_tensor* t : tensors)
    for (uint32_t i = 0; i < t->rank; ++i)
      if (t->shape[i] == 1) t->stride[i] = PTRDIFF_MAX;
}

// Rows of one query in every batch entry and head, from outputs or weights of `heads` heads.
std::vector<float> row_of(const std::vector<float>& v, uint32_t heads_and_batch, uint32_t L, uint32_t row) {
  const size_t width = v.size() / (size_t(heads_and_batch) * L);
  std::vector<float> out;
  for (uint32_t i = 0; i < heads_and_batch; ++i) {
    const auto at = v.begin() + ptrdiff_t((size_t(i) * L + row) * width);
    out.insert(out.end(), at, at + ptrdiff_t(width));
  }
  return out;
}

Answer answer_row(const Problem& p, const Answer& a, uint32_t row) {
  Answer r{row_of(a.output, p.sdpa ? p.N * p.H : p.N, p.L, row), {}};
  if (p.need_weights) r.weights = row_of(a.weights, p.N * p.weight_heads(), p.L, row);
  return r;
}

void check_fma_archs(const Problem& p) {
  if (fma_archs().empty()) return;  // a build of sse42 alone
  const Answer want = solve(p, fma_archs().back());  // scalar, where it was built
  for (const std::string& arch : fma_archs()) {
    CAPTURE(describe(p), arch);
    CHECK(same_bits(want, solve(p, arch)));
  }
}

}  // namespace

TEST_CASE("archs with FMA give the same bits", "[bits]") {
  for (const Problem& p : problems(11, count_of(300))) check_fma_archs(p);
}

// Keys of every number of rows, projected to one to four panels, in two chains of which the second is short.
TEST_CASE("projections by tiles of every size give the same bits", "[bits]") {
  Random random(13);
  Problem p;
  p.causal = HEED_CAUSAL_BOTTOM_RIGHT;  // or the smallest would have a kernel of their own
  p.kdim = p.vdim = 61;
  for (uint32_t panels = 1; panels <= 4; ++panels) {
    p.E = panels * 16;
    for (p.S = 1; p.S <= 57; p.S += quick() && p.S > 8 ? 2 : 1) {
      fill_random(p, random);
      check_fma_archs(p);
    }
  }
}

// From 512 KiB of keys and values on, scores fetch what follows them. Rows for groups of every number of registers;
// features beside the loops' steps. A module's rows do not follow each other, and its padding is a bias.
TEST_CASE("keys and values that no cache holds give the same bits", "[bits]") {
  Random random(12);
  for (const bool sdpa : {true, false}) {
    Problem p;
    p.sdpa = sdpa;
    p.E = p.kdim = p.vdim = p.D = p.Dv = 17;
    p.S = 4000;  // 531 KiB
    if (!sdpa) {
      p.padding.shape = {1, p.S};
      p.padding.values.assign(p.S, 0.0f);
      p.padding.values[p.S / 2] = 1.0f;
    }
    for (const uint32_t rows : {8u, 16u, 80u}) {
      p.L = rows;
      fill_random(p, random);
      check_fma_archs(p);
    }
  }
}

TEST_CASE("slices, threads and their order do not change a bit", "[bits]") {
  Random order(5);
  for (const Problem& p : problems(12, count_of(100))) {
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer want = solve(p, arch);
      for (uint32_t slices : {2u, 3u, 8u}) {
        CAPTURE(arch, slices);
        Options o(arch);
        o.slices = slices;
        CHECK(same_bits(want, solve(p, o)));
        o.parallel_for = shuffled;
        o.context = &order;
        CHECK(same_bits(want, solve(p, o)));
        o.parallel_for = on_threads;
        CHECK(same_bits(want, solve(p, o)));
      }
    }
  }
}

TEST_CASE("the caller's parallel_for does the slices of both operations", "[bits]") {
  Random random(19);
  Problem p;
  p.H = p.Hkv = 2, p.D = p.Dv = 5, p.E = p.kdim = p.vdim = 10, p.L = p.S = 40;
  for (const bool sdpa : {false, true}) {
    p.sdpa = sdpa;
    fill_random(p, random);
    for (const uint32_t slices : {1u, 2u}) {
      uint32_t tasks = 0;
      Options o;
      o.slices = slices;
      o.context = &tasks;
      o.parallel_for = [](void* done, uint32_t count, heed_task task, void* argument) {
        for (uint32_t i = 0; i < count; ++i) task(argument, i), ++*static_cast<uint32_t*>(done);
      };
      solve(p, o);
      CAPTURE(sdpa, slices);
      CHECK(tasks == (slices == 1 ? 0 : sdpa ? 2 : 6));  // a module's steps: keys and values, queries, output
    }
  }
}

TEST_CASE("heads split among slices and tokens split among slices give the same bits", "[bits]") {
  // 6 heads: 2, 3 and 6 slices take heads, 4 and 5 take tokens; so do averaged weights.
  Random random(13);
  Problem p;
  p.H = 6;
  p.E = 6 * 9;
  p.kdim = p.vdim = p.E;
  p.N = 2;
  p.L = 83;
  p.S = 140;
  p.add_bias_kv = p.add_zero_attn = p.need_weights = true;
  p.causal = HEED_CAUSAL_BOTTOM_RIGHT;
  fill_random(p, random);
  for (bool average : {false, true}) {
    p.average = average;
    for (const std::string& arch : exact_archs()) {
      const Answer want = solve(p, arch);
      for (uint32_t slices = 2; slices <= 9; ++slices) {
        CAPTURE(arch, slices, average);
        Options o(arch);
        o.slices = slices;
        o.parallel_for = on_threads;
        CHECK(same_bits(want, solve(p, o)));
      }
    }
  }
}

TEST_CASE("a batch gives the bits of its entries alone", "[bits]") {
  for (Problem& p : problems(14, count_of(100))) {
    if (p.N < 2) continue;
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer want = solve(p, arch);
      Answer parts;
      for (uint32_t n = 0; n < p.N; ++n) {
        const Answer a = solve(batch_part(p, n, n + 1), arch);
        parts.output.insert(parts.output.end(), a.output.begin(), a.output.end());
        parts.weights.insert(parts.weights.end(), a.weights.begin(), a.weights.end());
      }
      CAPTURE(arch);
      CHECK(same_bits(want, parts));
    }
  }
}

TEST_CASE("addresses, strides and limits of the plan do not change a bit", "[bits]") {
  for (const Problem& p : problems(15, count_of(40))) {
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer want = solve(p, arch);
      for (uint32_t offset = 0; offset < 16; ++offset) {
        Options o(arch);
        o.offset = offset;
        o.row_padding = offset % 4 == 3 ? 19 : offset % 4;
        o.spare = offset % 3 * 50;
        CAPTURE(arch, offset);
        CHECK(same_bits(want, solve(p, o)));
      }
    }
  }
}

TEST_CASE("the stride of an axis of one element may be anything", "[bits]") {
  for (const Problem& p : problems(18, count_of(100), {{1, 2}, {1, 2}, {1, 2, 5}, {1, 2}, {1, 4}})) {
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer want = solve(p, arch);
      Runner r(p, arch);
      spoil_unused_strides(r, p.sdpa);
      REQUIRE(r.go() == HEED_OK);
      CHECK(same_bits(want, {r.output(), r.weights()}));
    }
  }
}

TEST_CASE("a query alone gives the bits that it has among others", "[bits]") {
  for (const Problem& p : problems(16, count_of(100))) {
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer all = solve(p, arch);
      for (uint32_t row = 0; row < p.L; row += p.L < 20 ? 1 : 7) {
        CAPTURE(arch, row);
        CHECK(same_bits(answer_row(p, all, row), solve(query_part(p, row, row + 1), arch)));
      }
    }
  }
}

TEST_CASE("a head that sees nothing makes averaged weights NaN in every column", "[bits][nan]") {
  Problem p;  // head 1 of query 0 sees nothing, and nobody sees the last key
  p.H = 2;
  p.E = p.kdim = p.vdim = 2;
  p.S = 3;
  p.need_weights = true;
  p.fully_masked = HEED_FULLY_MASKED_NAN;
  p.mask.shape = {2, 1, 3};
  p.mask.values = {0, 0, 1, 1, 1, 1};
  Random random(3);
  fill_random(p, random);
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    for (float w : solve(p, arch).weights) CHECK(w != w);
  }
}

TEST_CASE("decoding token by token gives the bits of one causal prefill", "[bits]") {
  for (Problem p : problems(17, count_of(60))) {
    p.causal = HEED_CAUSAL_TOP_LEFT;
    p.mask = Mask();
    if (p.L > p.S || p.need_weights) continue;  // the weights would differ in length
    CAPTURE(describe(p));
    for (const std::string& arch : exact_archs()) {
      const Answer all = solve(p, arch);
      for (uint32_t row = 0; row < p.L; row += p.L < 20 ? 1 : 7) {
        Problem step = query_part(key_part(p, row + 1), row, row + 1);
        if (!p.padding) step.causal = row % 2 ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
        CAPTURE(arch, row);
        CHECK(same_bits(answer_row(p, all, row), solve(step, arch)));
      }
    }
  }
}

TEST_CASE("a padded batch gives the bits of its sequences alone", "[bits]") {
  Random random(18);
  for (Problem p : problems(18, count_of(60))) {
    if (p.sdpa || p.unbatched || p.causal == HEED_CAUSAL_BOTTOM_RIGHT) continue;
    CAPTURE(describe(p));
    p.need_weights = false;
    p.padding.shape = {p.N, p.S};
    p.padding.is_float = random.chance(50);
    p.padding.values.assign(size_t(p.N) * p.S, 0.0f);
    std::vector<uint32_t> lengths;
    for (uint32_t n = 0; n < p.N; ++n) {
      lengths.push_back(1 + random.below(p.S));
      for (uint32_t j = lengths[n]; j < p.S; ++j)
        p.padding.values[n * p.S + j] = p.padding.is_float ? -__builtin_inff() : 1.0f;
    }
    for (const std::string& arch : exact_archs()) {
      const Answer all = solve(p, arch);
      const size_t size = all.output.size() / p.N;
      for (uint32_t n = 0; n < p.N; ++n) {
        Problem alone = key_part(batch_part(p, n, n + 1), lengths[n]);
        alone.padding = Mask();
        const auto at = all.output.begin() + ptrdiff_t(n * size);
        CAPTURE(arch, n, lengths[n]);
        CHECK(same_bits(std::vector<float>(at, at + ptrdiff_t(size)), solve(alone, arch).output));
      }
    }
  }
}

TEST_CASE("the golden answers have the recorded hash on every arch with FMA", "[bits][hash]") {
  for (const std::string& arch : fma_archs()) {
    Fnv1a hash;
    for (const GoldenCase& g : golden_cases()) {
      const Answer a = solve(g.problem, arch);
      hash.add(a.output);
      hash.add(a.weights);
    }
    std::printf("golden hash %-7s 0x%016" PRIx64 "\n", arch.c_str(), hash.value());
    CAPTURE(arch);
    CHECK(hash.value() == kGoldenHash);
  }
}
