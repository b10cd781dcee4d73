// A key that no query may see is never read: it may be a signalling NaN, or not exist. A key
// hidden from one query and seen by another does not leak into the first.
#include "catch.hpp"
#include "random_problem.hpp"

#include <cmath>
#include <functional>
#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace heed_test;

namespace {

Problem small(bool sdpa, uint32_t L, uint32_t S) {
  Problem p;
  p.sdpa = sdpa;
  p.L = L;
  p.S = S;
  p.H = 2;
  p.D = p.Dv = 5;
  p.E = p.kdim = p.vdim = 10;
  p.need_weights = true;
  p.average = false;
  return p;
}

using Hide = std::function<void(Problem&, const std::vector<bool>&)>;

// Every way to say that keys are hidden from all queries.
std::vector<std::pair<std::string, Hide>> ways(bool sdpa) {
  const auto column_mask = [sdpa](bool is_float, bool per_head) {
    return [=](Problem& p, const std::vector<bool>& hidden) {
      p.mask.is_float = is_float;
      p.mask.shape = per_head ? std::vector<uint32_t>{p.N, p.H, p.L, p.S} : std::vector<uint32_t>{p.L, p.S};
      const uint32_t rows = per_head ? p.N * p.H * p.L : p.L;
      for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t j = 0; j < p.S; ++j)
          p.mask.values.push_back(is_float ? hidden[j] ? -HUGE_VALF : 0.25f : float(hidden[j] != sdpa));
    };
  };
  std::vector<std::pair<std::string, Hide>> list{{"attn_mask bool", column_mask(false, false)},
                                                 {"attn_mask float", column_mask(true, false)},
                                                 {"attn_mask bool per head", column_mask(false, true)},
                                                 {"attn_mask float per head", column_mask(true, true)}};
  for (const bool is_float : {false, true}) {
    if (sdpa) continue;
    list.push_back({is_float ? "key_padding_mask float" : "key_padding_mask bool",
                    [=](Problem& p, const std::vector<bool>& hidden) {
                      p.padding.is_float = is_float;
                      p.padding.shape = {p.N, p.S};
                      for (uint32_t n = 0; n < p.N; ++n)
                        for (uint32_t j = 0; j < p.S; ++j)
                          p.padding.values.push_back(!hidden[j] ? 0.0f : is_float ? -HUGE_VALF : 255.0f);
                    }});
  }
  return list;
}

// Keys hidden at the end, at the beginning, in the middle, here and there, a whole block, all.
std::vector<std::vector<bool>> patterns(uint32_t S, Random& random) {
  std::vector<std::vector<bool>> list(6, std::vector<bool>(S));
  for (uint32_t j = 0; j < S; ++j) {
    list[0][j] = j >= S - S / 3;
    list[1][j] = j < S / 3;
    list[2][j] = j > S / 4 && j < S / 2;
    list[3][j] = random.chance(50);
    list[4][j] = j < 128;
    list[5][j] = true;
  }
  return list;
}

void poison(Problem& p, const std::vector<bool>& hidden, float with) {
  const auto fill = [&](std::vector<float>& v) {
    const size_t width = v.size() / p.S;
    for (uint32_t j = 0; j < p.S; ++j)
      if (hidden[j]) std::fill_n(v.begin() + ptrdiff_t(j * width), width, with);
  };
  fill(p.k);
  fill(p.v);
}

// Rows on pages of their own, at the end of them; those of hidden keys are not mapped.
class Pages {
 public:
  Pages(const std::vector<float>& values, const std::vector<bool>& hidden) {
#if defined(__unix__)
    const size_t page = size_t(sysconf(_SC_PAGESIZE)), width = values.size() / hidden.size();
    bytes_ = page * hidden.size();
    base_ = static_cast<unsigned char*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    stride_ = page / sizeof(float);
    first_ = base_ + page - width * sizeof(float);
    for (size_t j = 0; j < hidden.size(); ++j) {
      std::memcpy(first_ + j * page, values.data() + j * width, width * sizeof(float));
      if (hidden[j]) mprotect(base_ + j * page, page, PROT_NONE);
    }
#endif
  }
  Pages(const Pages&) = delete;
  ~Pages() {
#if defined(__unix__)
    munmap(base_, bytes_);
#endif
  }
  void put(heed_tensor& t) const {  // rows stand at the last axis but one
    t.data = first_;
    t.stride[t.rank - 2] = ptrdiff_t(stride_);
    for (uint32_t i = 0; i + 2 < t.rank; ++i) t.stride[i] = 0;
  }

 private:
  unsigned char *base_ = nullptr, *first_ = nullptr;
  size_t bytes_ = 0, stride_ = 0;
};

void for_all_hidden(const std::function<void(const Problem&, const std::vector<bool>&, const std::string&)>& f) {
  Random random(41);
  for (const bool sdpa : {false, true})
    for (const uint32_t L : {1u, 2u, 5u, 19u, 50u})
      for (const uint32_t S : {9u, 40u, 131u, 260u})
        for (const auto& way : ways(sdpa))
          for (const std::vector<bool>& hidden : patterns(S, random)) {
            if (quick() && random.chance(85)) continue;
            Problem p = small(sdpa, L, S);
            fill_random(p, random);
            way.second(p, hidden);
            f(p, hidden, way.first);
          }
}

}  // namespace

TEST_CASE("signalling NaN in keys and values that nobody sees changes no bit", "[hidden]") {
  for_all_hidden([](const Problem& clean, const std::vector<bool>& hidden, const std::string& way) {
    Problem bad = clean;
    poison(bad, hidden, signalling_nan());
    for (const std::string& arch : usable_archs()) {
      CAPTURE(arch, way, describe(clean));
      CHECK(same_bits(solve(clean, arch), solve(bad, arch)));
    }
  });
}

TEST_CASE("keys and values that nobody sees may lie in unmapped memory", "[hidden]") {
  if (!has_guard_pages()) return;
  for_all_hidden([](const Problem& p, const std::vector<bool>& hidden, const std::string& way) {
    if (p.sdpa && p.Hkv != 1) return;
    const Pages k(p.k, hidden), v(p.v, hidden);
    for (const std::string& arch : usable_archs()) {
      CAPTURE(arch, way, describe(p));
      Runner r(p, arch);
      k.put(p.sdpa ? r.sdpa_call.key : r.call.key);
      v.put(p.sdpa ? r.sdpa_call.value : r.call.value);
      REQUIRE(r.go() == HEED_OK);
      CHECK(same_bits(solve(p, arch), {r.output(), r.weights()}));
    }
  });
}

TEST_CASE("keys behind the last query's causal limit may lie in unmapped memory", "[hidden]") {
  if (!has_guard_pages()) return;
  Random random(42);
  for (const bool sdpa : {false, true})
    for (const uint32_t L : {1u, 3u, 17u, 50u})
      for (const int64_t offset : {-60, -2, 0, 5, 100}) {
        Problem p = small(sdpa, L, 150);
        p.causal = HEED_CAUSAL_OFFSET;
        p.causal_offset = offset;
        fill_random(p, random);
        std::vector<bool> hidden(p.S);
        for (uint32_t j = 0; j < p.S; ++j) hidden[j] = int64_t(j) > int64_t(L) - 1 + offset;
        const Pages k(p.k, hidden), v(p.v, hidden);
        for (const std::string& arch : usable_archs()) {
          CAPTURE(arch, describe(p));
          Runner r(p, arch);
          k.put(sdpa ? r.sdpa_call.key : r.call.key);
          v.put(sdpa ? r.sdpa_call.value : r.call.value);
          REQUIRE(r.go() == HEED_OK);
          CHECK(same_bits(solve(p, arch), {r.output(), r.weights()}));
        }
      }
}

TEST_CASE("what a later query sees does not leak into an earlier one", "[hidden]") {
  Random random(43);
  for (const bool sdpa : {false, true})
    for (const uint32_t L : {2u, 3u, 9u, 33u, 97u, 150u})
      for (const bool by_mask : {false, true}) {
        Problem clean = small(sdpa, L, L);
        fill_random(clean, random);
        if (by_mask) {
          clean.mask.shape = {L, L};
          for (uint32_t i = 0; i < L; ++i)
            for (uint32_t j = 0; j < L; ++j) clean.mask.values.push_back(float((j > i) != sdpa));
        } else {
          clean.causal = HEED_CAUSAL_TOP_LEFT;
        }
        const uint32_t from = 1 + random.below(L - 1);
        std::vector<bool> bad_keys(L);
        for (uint32_t j = from; j < L; ++j) bad_keys[j] = true;
        for (const float with : {signalling_nan(), quiet_nan(), HUGE_VALF}) {
          Problem bad = clean;
          poison(bad, bad_keys, with);
          for (const std::string& arch : usable_archs()) {
            CAPTURE(arch, from, describe(clean));
            const Answer a = solve(clean, arch), b = solve(bad, arch);
            const size_t width = sdpa ? clean.Dv : clean.E, rows = a.output.size() / width;
            for (size_t r = 0; r < rows; ++r) {
              const bool sees = r % L >= from;
              for (size_t i = r * width; i < (r + 1) * width; ++i) {
                // An infinite key may score -inf, which is as good as hidden.
                if (sees) REQUIRE((std::isnan(b.output[i]) || std::isinf(with)));
                else REQUIRE(bits_of(a.output[i]) == bits_of(b.output[i]));
              }
            }
          }
        }
      }
}

TEST_CASE("a key hidden from one head only does not leak into that head", "[hidden]") {
  Random random(44);
  for (const uint32_t L : {1u, 2u, 3u, 20u})
    for (const bool is_float : {false, true}) {
      Problem clean = small(true, L, 9);
      fill_random(clean, random);
      clean.mask = random_mask(random, {2, 1, 9}, is_float, 0, false);  // head 0 does not see key 4
      clean.mask.values[4] = is_float ? -HUGE_VALF : 0.0f;
      Problem bad = clean;
      for (uint32_t i = 0; i < bad.Dv; ++i) bad.v[4 * bad.Dv + i] = quiet_nan();
      for (const std::string& arch : usable_archs()) {
        CAPTURE(arch, L, is_float);
        const Answer a = solve(clean, arch), b = solve(bad, arch);
        for (size_t i = 0; i < a.output.size() / 2; ++i) CHECK(bits_of(a.output[i]) == bits_of(b.output[i]));
        for (size_t i = a.output.size() / 2; i < a.output.size(); ++i) CHECK(std::isnan(b.output[i]));
      }
    }
}

TEST_CASE("nor does a block of one key, which other heads have, too", "[hidden]") {
  Random random(46);
  // Two heads are projected together; the last query alone sees the last key, and stands in the second block of
  // queries, when the other head has been there.
  Problem clean = small(false, 60, 129);
  clean.causal = HEED_CAUSAL_BOTTOM_RIGHT;
  fill_random(clean, random);
  Problem bad = clean;
  bad.v[128 * bad.vdim] = quiet_nan();
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    const Answer a = solve(clean, arch), b = solve(bad, arch);
    for (size_t i = 0; i < 59 * clean.E; ++i) CHECK(bits_of(a.output[i]) == bits_of(b.output[i]));
    for (size_t i = 59 * clean.E; i < b.output.size(); ++i) CHECK(std::isnan(b.output[i]));
  }
}

TEST_CASE("nor where the heads of its mask lie side by side", "[hidden]") {
  Random random(45);
  Problem p = small(true, 1, 9);
  fill_random(p, random);
  p.mask = random_mask(random, {2, 1, 9}, false, 0, false);
  p.mask.values[4] = 0.0f;
  for (uint32_t i = 0; i < p.Dv; ++i) p.v[4 * p.Dv + i] = quiet_nan();
  uint8_t turned[9][2];
  for (uint32_t j = 0; j < 9; ++j)
    for (uint32_t h = 0; h < 2; ++h) turned[j][h] = uint8_t(p.mask.values[h * 9 + j]);
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    const Answer want = solve(p, arch);
    CHECK(want.output[0] == want.output[0]);
    Runner r(p, arch);
    REQUIRE(r.prepare() == HEED_OK);
    heed_tensor& mask = r.sdpa_call.attn_mask;
    REQUIRE(mask.rank == 3);
    mask.data = turned;
    mask.stride[0] = 1, mask.stride[1] = 0, mask.stride[2] = 2;
    REQUIRE(r.run() == HEED_OK);
    CHECK(same_bits(r.output(), want.output));
  }
}
