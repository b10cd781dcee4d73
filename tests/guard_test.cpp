// Not a byte beside a buffer is touched: buffers end (or begin) where unmapped memory does,
// at every size around the tiles, on every arch.
#include "catch.hpp"
#include "random_problem.hpp"
#include "threads.hpp"

#include <functional>

using namespace heed_test;

namespace {

std::vector<uint32_t> tile_sizes() {
  std::vector<uint32_t> sizes;
  for (uint32_t n = 1; n <= 33; n += quick() ? 4 : 1) sizes.push_back(n);
  for (uint32_t n : {47u, 48u, 49u, 50u, 127u, 128u, 129u, 130u}) sizes.push_back(n);
  return sizes;
}

// One of the ways in which a call can be masked; `way` counts through them.
void dress(Problem& p, Random& random, uint32_t way) {
  p.need_weights = way % 2 == 1;
  p.average = way % 4 == 1;
  p.batch_first = way % 3 == 0;
  if (way % 5 == 1) p.causal = HEED_CAUSAL_BOTTOM_RIGHT;
  if (way % 5 == 2) p.mask = random_mask(random, {p.L, p.S}, false, 60, !p.sdpa);
  if (way % 5 == 3) p.mask = random_mask(random, {p.N, p.H, p.L, p.S}, true, 60, !p.sdpa);
  if (!p.sdpa && way % 5 == 4) p.padding = random_mask(random, {p.N, p.S}, way % 2 == 0, 60, true);
  if (!p.sdpa) p.add_bias_kv = way % 7 == 3, p.add_zero_attn = way % 7 == 5;
}

void run_guarded(const Problem& p, const std::string& arch) {
  CAPTURE(arch, describe(p));
  const Answer want = solve(p, arch);  // heap, with canaries
  for (const Place place : {Place::page_end, Place::page_begin}) {
    Options o(arch);
    o.place = place;
    Answer came;
    REQUIRE_NOTHROW(came = solve(p, o));
    if (!is_reference_path(arch)) CHECK(same_bits(want, came));
  }
}

void sweep(uint64_t seed, bool sdpa, const std::function<void(Problem&, uint32_t)>& set) {
  Random random(seed);
  uint32_t way = 0;
  for (const uint32_t size : tile_sizes()) {
    for (const std::string& arch : usable_archs()) {
      Problem p;
      p.sdpa = sdpa;
      p.L = 5, p.S = 7, p.H = p.Hkv = 2, p.D = p.Dv = 5, p.N = 2;
      set(p, size);
      if (!sdpa) p.E = p.H * p.D;
      if (!sdpa && p.kdim == 1) p.kdim = p.E, p.vdim = p.E;
      dress(p, random, way++);
      fill_random(p, random);
      run_guarded(p, arch);
    }
  }
}

}  // namespace

TEST_CASE("number of queries: nothing beside the buffers is touched", "[guard]") {
  sweep(21, false, [](Problem& p, uint32_t n) { p.L = n; });
  sweep(22, true, [](Problem& p, uint32_t n) { p.L = n; });
}

TEST_CASE("number of keys: nothing beside the buffers is touched", "[guard]") {
  sweep(23, false, [](Problem& p, uint32_t n) { p.S = n; });
  sweep(24, true, [](Problem& p, uint32_t n) { p.S = n, p.L = 1 + n % 4; });
}

TEST_CASE("queries and keys together: nothing beside the buffers is touched", "[guard]") {
  sweep(25, true, [](Problem& p, uint32_t n) { p.L = p.S = n, p.N = 1; });
  sweep(26, false, [](Problem& p, uint32_t n) { p.L = p.S = n, p.D = 4, p.key_is_query = p.value_is_key = true; });
}

TEST_CASE("head dimensions: nothing beside the buffers is touched", "[guard]") {
  sweep(27, true, [](Problem& p, uint32_t n) { p.D = n, p.L = 1 + n % 7; });
  sweep(28, true, [](Problem& p, uint32_t n) { p.Dv = n, p.L = 1 + n % 7; });
  sweep(29, false, [](Problem& p, uint32_t n) { p.D = n, p.H = 1; });
  sweep(30, false, [](Problem& p, uint32_t n) { p.D = n, p.H = 3; });
}

TEST_CASE("heads and feature counts: nothing beside the buffers is touched", "[guard]") {
  sweep(31, false, [](Problem& p, uint32_t n) { p.H = n, p.D = 1 + n % 3; });
  sweep(32, false, [](Problem& p, uint32_t n) { p.kdim = n, p.vdim = 3; });
  sweep(33, false, [](Problem& p, uint32_t n) { p.vdim = n, p.kdim = 2; });
}

TEST_CASE("slices stay in their part of the workspace", "[guard]") {
  Random random(34);
  uint32_t way = 0;
  for (const std::string& arch : usable_archs()) {
    for (uint32_t slices : {1u, 2u, 3u, 5u, 8u}) {
      for (uint32_t L : {1u, 17u, 50u}) {
        Problem p;
        p.H = 3, p.D = 5, p.E = p.kdim = p.vdim = 15, p.L = L, p.S = 130;
        dress(p, random, way++);
        fill_random(p, random);
        CAPTURE(arch, slices, describe(p));
        const Answer want = solve(p, arch);
        Options o(arch);
        o.slices = slices;
        o.place = way % 2 ? Place::page_end : Place::page_begin;
        o.parallel_for = on_threads;
        const Answer came = solve(p, o);
        if (!is_reference_path(arch)) CHECK(same_bits(want, came));
      }
    }
  }
}
