// heed_weights_verify: every damaged bit of packed weights is found.
#include "core/crc32c.hpp"
#include "refusal.hpp"

using namespace heed_test;

namespace {

Problem small(bool bias_kv) {
  Problem p;
  p.L = 2, p.S = 3, p.H = 2, p.E = 4, p.kdim = 3, p.vdim = 5;
  p.add_bias_kv = bias_kv;
  Random random(91);
  fill_random(p, random);
  return p;
}

}  // namespace

TEST_CASE("CRC-32C has the check value of RFC 3720", "[verify]") {
  CHECK(heed::crc32c("123456789", 9) == 0xe3069283u);
  CHECK(heed::crc32c("6789", 4, heed::crc32c("12345", 5)) == 0xe3069283u);
  const unsigned char zeros[32] = {};
  CHECK(heed::crc32c(zeros, 32) == 0x8a9136aau);
}

TEST_CASE("packed weights begin with heed and their version", "[verify]") {
  Runner r(small(false), {});
  REQUIRE(r.prepare() == HEED_OK);
  CHECK(std::memcmp(r.packed->data(), "heed\1\0\0", 8) == 0);
}

TEST_CASE("packed weights are found sound, on any arch and in any place", "[verify]") {
  for (const bool bias_kv : {false, true})
    for (const std::string& arch : usable_archs()) {
      Runner r(small(bias_kv), arch);
      REQUIRE(r.prepare() == HEED_OK);
      Memory copy(r.packed->bytes(), Place::page_end);
      std::memcpy(copy.data(), r.packed->data(), copy.bytes());
      CHECK(heed_weights_verify(r.plan, copy.data(), copy.bytes(), &r.error) == HEED_OK);
      CHECK(r.error.status == HEED_OK);
      CHECK(heed_weights_verify(r.plan, copy.data(), copy.bytes(), nullptr) == HEED_OK);
    }
}

TEST_CASE("every flipped bit of packed weights is found", "[verify]") {
  Runner r(small(true), {});
  REQUIRE(r.prepare() == HEED_OK);
  const size_t bytes = r.packed->bytes();
  uint32_t unseen = 0;
  for (size_t bit = 0; bit < bytes * 8; bit += quick() ? 13 : 1) {
    unsigned char& byte = r.packed->data()[bit / 8];
    byte = uint8_t(byte ^ 1u << bit % 8);
    unseen += heed_weights_verify(r.plan, r.packed->data(), bytes, nullptr) != HEED_ERROR_WEIGHTS;
    byte = uint8_t(byte ^ 1u << bit % 8);
  }
  CHECK(unseen == 0);
  CHECK(heed_weights_verify(r.plan, r.packed->data(), bytes, nullptr) == HEED_OK);
}

TEST_CASE("what cannot be packed weights is refused with a sentence", "[verify]") {
  Runner r(small(true), {}), other(small(false), {});
  REQUIRE(r.prepare() == HEED_OK);
  REQUIRE(other.prepare() == HEED_OK);
  const size_t bytes = r.packed->bytes();
  unsigned char* at = r.packed->data();
  heed_error e;
  at[bytes - 1] ^= 0x80;
  check_error(e, heed_weights_verify(r.plan, at, bytes, &e), HEED_ERROR_WEIGHTS, {"damaged", "CRC-32C"});
  at[0] ^= 1;
  check_error(e, heed_weights_verify(r.plan, at, bytes, &e), HEED_ERROR_WEIGHTS, {"header"});
  check_error(e, heed_weights_verify(r.plan, at, bytes - 1, &e), HEED_ERROR_WEIGHTS,
              {std::to_string(bytes), std::to_string(bytes - 1), "came"});
  check_error(e, heed_weights_verify(r.plan, at, bytes + 64, &e), HEED_ERROR_WEIGHTS, {std::to_string(bytes + 64), "came"});
  check_error(e, heed_weights_verify(r.plan, other.packed->data(), other.packed->bytes(), &e), HEED_ERROR_WEIGHTS, {"bytes"});
  check_error(e, heed_weights_verify(r.plan, at + 4, bytes, &e), HEED_ERROR_MEMORY, {"aligned to 64"});
  check_error(e, heed_weights_verify(nullptr, at, bytes, &e), HEED_ERROR_NULL, {"plan"});
  check_error(e, heed_weights_verify(r.plan, nullptr, bytes, &e), HEED_ERROR_NULL, {"weights"});
  alignas(64) unsigned char zeros[HEED_PLAN_BYTES] = {};
  check_error(e, heed_weights_verify(reinterpret_cast<const heed_plan*>(zeros), at, bytes, &e), HEED_ERROR_PLAN, {"plan"});
}
