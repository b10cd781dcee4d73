// heed_self_test and heed_plan_verify: every arch of this machine is right, and one wrong bit of a
// kernel's answer or of a plan is found.
#include <cfenv>

#include "self_test.hpp"
#include "plan.hpp"

#include "dispatch.hpp"
#include "refusal.hpp"

using namespace heed_test;

namespace {

// A bit each, in the order of their sentences, test_project and so on.
static_assert(heed::kWrongProject == 1 && heed::kWrongAttend == 2 && heed::kWrongAttendFew == 4 &&
              heed::kWrongMasks == 8 && heed::kWrongCausal == 16 && heed::kWrongWeights == 32 &&
              heed::kWrongSmall == 64);

struct Room {
  alignas(HEED_ALIGNMENT) unsigned char bytes[HEED_SELF_TEST_BYTES];
};

const heed::KernelTable* sound;  // what the faulty kernels below call

void flip(float* x) {
  uint32_t bits;
  std::memcpy(&bits, x, sizeof bits);
  bits ^= 1;
  std::memcpy(x, &bits, sizeof bits);
}

void faulty_project(const heed::ProjectArgs& a) {
  sound->project(a);
  flip(a.c + ptrdiff_t(a.rows - 1) * a.c_stride + a.last - 1);
}
template <uint32_t wrong>
void faulty_attend(heed::AttendArgs& a) {
  sound->attend(a);
  const uint32_t is = a.weights   ? heed::kWrongWeights
                      : a.causal  ? heed::kWrongCausal
                      : a.visible ? heed::kWrongMasks
                      : a.rows < 3 ? heed::kWrongAttendFew : heed::kWrongAttend;
  if (is == wrong) flip(a.weights ? a.weights + a.weights_stride + a.weight_columns - 1 : a.out);
}
void faulty_small(const heed::SmallArgs& a) {
  sound->small(a);
  flip(a.out);
}

// What a function called next finds on the stack where it writes nothing.
__attribute__((noinline)) void leave_on_stack(unsigned char byte) {
  volatile unsigned char bytes[4096];
  for (volatile unsigned char& b : bytes) b = byte;
}

uint32_t wrong_with(heed::KernelTable faulty, Room& room) { return heed::self_test(faulty, room.bytes); }

}  // namespace

TEST_CASE("every arch of this machine passes its self-test", "[self_test]") {
  for (const std::string& arch : usable_archs()) {
    CAPTURE(arch);
    Memory room(HEED_SELF_TEST_BYTES, Place::page_end);
    heed_error e;
    CHECK(heed_self_test(arch.c_str(), room.data(), room.bytes(), &e) == HEED_OK);
    CHECK(e.status == HEED_OK);
    CHECK(room.intact());
  }
  Room room;
  CHECK(heed_self_test(nullptr, room.bytes, sizeof room.bytes, nullptr) == HEED_OK);
}

TEST_CASE("one wrong bit of any kernel's answer is found and named", "[self_test]") {
  Room room;
  for (const std::string& arch : usable_archs()) {
    if (is_reference_path(arch)) continue;  // right to rounding alone
    CAPTURE(arch);
    sound = heed::find_table(arch.c_str(), nullptr);
    REQUIRE(sound);
    const heed::KernelTable good = *sound;
    CHECK(wrong_with(good, room) == 0);
    heed::KernelTable t = good;
    t.project = &faulty_project;
    CHECK(wrong_with(t, room) == heed::kWrongProject);
    t = good;
    t.attend = &faulty_attend<heed::kWrongAttend>;
    CHECK(wrong_with(t, room) == heed::kWrongAttend);
    t.attend = &faulty_attend<heed::kWrongAttendFew>;
    CHECK(wrong_with(t, room) == heed::kWrongAttendFew);
    t.attend = &faulty_attend<heed::kWrongMasks>;
    CHECK(wrong_with(t, room) == heed::kWrongMasks);
    t.attend = &faulty_attend<heed::kWrongCausal>;
    CHECK(wrong_with(t, room) == heed::kWrongCausal);
    t.attend = &faulty_attend<heed::kWrongWeights>;
    CHECK(wrong_with(t, room) == heed::kWrongWeights);
    if (!good.small) continue;
    t = good;
    t.small = &faulty_small;
    CHECK(wrong_with(t, room) == heed::kWrongSmall);
  }
}

TEST_CASE("an engine with an order of its own is held to its sums", "[self_test]") {
  Room room;
  sound = heed::find_table("scalar", nullptr);
  if (!sound) return;
  heed::KernelTable t = *sound;
  t.rounding = heed::Rounding::own;
  CHECK(wrong_with(t, room) == 0);
  t.project = [](const heed::ProjectArgs& a) {
    sound->project(a);
    a.c[0] *= 1.001f;
  };
  t.attend = [](heed::AttendArgs& a) {
    sound->attend(a);
    *(a.weights ? a.weights : a.out) = quiet_nan();
  };
  CHECK(wrong_with(t, room) == (heed::kWrongProject | heed::kWrongAttend | heed::kWrongAttendFew | heed::kWrongMasks |
                                heed::kWrongCausal | heed::kWrongWeights));
}

TEST_CASE("a machine that computes otherwise is told which answer is the first wrong one", "[self_test]") {
  if (!heed::find_table("scalar", nullptr)) return;
  Room room;
  heed_error e;
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  const heed_status came = heed_self_test("scalar", room.bytes, sizeof room.bytes, &e);
  REQUIRE(std::fesetround(FE_TONEAREST) == 0);
  check_error(e, came, HEED_ERROR_SELF_TEST, {"isa \"scalar\"", "wrong answer", "test of projection"});
}

TEST_CASE("a self-test that cannot be made is refused with a sentence", "[self_test]") {
  Room room;
  heed_error e;
  check_error(e, heed_self_test(nullptr, nullptr, sizeof room, &e), HEED_ERROR_NULL, {"memory"});
  check_error(e, heed_self_test(nullptr, room.bytes + 4, sizeof room, &e), HEED_ERROR_MEMORY, {"aligned to 64"});
  check_error(e, heed_self_test(nullptr, room.bytes, sizeof room - 1, &e), HEED_ERROR_MEMORY,
              {"self-test", std::to_string(HEED_SELF_TEST_BYTES), std::to_string(sizeof room - 1)});
  check_error(e, heed_self_test("nonsense", room.bytes, sizeof room, &e), HEED_ERROR_ISA, {"nonsense"});
}

TEST_CASE("plans of one configuration are the same bytes, whatever the stack held", "[self_test]") {
  heed_config config = heed_config_default(8, 2);
  config.max_query = 4;
  alignas(HEED_ALIGNMENT) unsigned char first[HEED_PLAN_BYTES], second[HEED_PLAN_BYTES];
  const heed_plan* plan;
  leave_on_stack(0x55);
  REQUIRE(heed_plan_init(&config, first, sizeof first, &plan, nullptr) == HEED_OK);
  leave_on_stack(0xaa);
  REQUIRE(heed_plan_init(&config, second, sizeof second, &plan, nullptr) == HEED_OK);
  CHECK(std::memcmp(first, second, sizeof(heed_plan)) == 0);
}

TEST_CASE("calls give the same answers, whatever the stack held", "[self_test]") {
  for (const bool sdpa : {false, true}) {
    Problem p;
    p.sdpa = sdpa;
    p.L = p.S = 20, p.H = p.Hkv = 2, p.D = p.Dv = 4, p.E = p.kdim = p.vdim = 8;
    p.mask = {false, {p.L, p.S}, std::vector<float>(size_t(p.L) * p.S, sdpa ? 0.0f : 1.0f)};
    std::fill_n(p.mask.values.begin(), p.S, sdpa ? 1.0f : 0.0f);  // all but one query see nothing
    Random random(93);
    fill_random(p, random);
    Runner r(p, {});
    REQUIRE(r.prepare() == HEED_OK);
    leave_on_stack(0);
    heed_status status = r.run();
    REQUIRE(status == HEED_OK);
    const std::vector<float> want = r.output();
    leave_on_stack(0xff);  // NaN, and no address
    status = r.run();      // outside of REQUIRE, which uses the stack itself
    REQUIRE(status == HEED_OK);
    CHECK(same_bits(want, r.output()));
  }
}

TEST_CASE("every flipped bit of a plan is found", "[self_test]") {
  for (const bool sdpa : {false, true}) {
    Problem p;
    p.sdpa = sdpa;
    p.L = 2, p.S = 3, p.H = p.Hkv = 2, p.D = p.Dv = 4, p.E = p.kdim = p.vdim = 8;
    Random random(92);
    fill_random(p, random);
    Runner r(p, {});
    REQUIRE(r.prepare() == HEED_OK);
    CHECK(heed_plan_verify(r.plan, &r.error) == HEED_OK);
    CHECK(heed_plan_verify(r.plan, nullptr) == HEED_OK);
    alignas(HEED_ALIGNMENT) unsigned char moved[HEED_PLAN_BYTES];
    std::memcpy(moved, r.plan, sizeof moved);
    const heed_plan* plan = reinterpret_cast<const heed_plan*>(moved);
    CHECK(heed_plan_verify(plan, nullptr) == HEED_OK);
    uint32_t unseen = 0;
    for (size_t bit = 0; bit < sizeof(heed_plan) * 8; ++bit) {
      moved[bit / 8] = uint8_t(moved[bit / 8] ^ 1u << bit % 8);
      unseen += heed_plan_verify(plan, nullptr) != HEED_ERROR_PLAN;
      moved[bit / 8] = uint8_t(moved[bit / 8] ^ 1u << bit % 8);
    }
    CHECK(unseen == 0);
    moved[sizeof(heed_plan) - 1] ^= 1;
    check_error(r.error, heed_plan_verify(plan, &r.error), HEED_ERROR_PLAN, {"damaged", "CRC-32C"});
    moved[0] ^= 1;
    check_error(r.error, heed_plan_verify(plan, &r.error), HEED_ERROR_PLAN, {"plan is not one"});
    check_error(r.error, heed_plan_verify(nullptr, &r.error), HEED_ERROR_NULL, {"plan"});
  }
}
