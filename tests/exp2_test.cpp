// kernels/exp2.hpp against the C library's long double, through the scalar arch: the other
// archs have the same bits (bits_test.cpp).
#define HEED_NO_XSIMD
#include "kernels/exp2.hpp"

#include <cfloat>
#include <cmath>
#include <cstdio>

#include "catch.hpp"
#include "core/subnormal.hpp"
#include "support.hpp"

using namespace heed_test;

namespace {

struct Scalar {
  using isa = heed::scalar_isa;
};

// As in a call: subnormal results are 0. volatile: the compiler's own arithmetic knows nothing of that.
float exp2_of(float x) {
  const heed::SubnormalsAreZero while_it_runs;
  volatile float in = x;
  volatile float out = heed::exp2<heed::simd_of<Scalar>>(in);
  return out;
}

// Units in the last place of the exact result.
double ulps(float came, long double want) {
  int exponent;
  std::frexp(want, &exponent);
  return double(std::fabs(static_cast<long double>(came) - want) / std::ldexp(1.0L, exponent - 24));
}

}  // namespace

TEST_CASE("exp2 of floats from -126 to 0 is within 2 units of the last place", "[exp2]") {
  double worst = 0;
  float where = 0;
  const uint32_t stride = quick() ? 10007 : 503, last = 0xc2fc0000u;  // bits of -126
  uint64_t count = 0;
  for (uint32_t bits = 0x80000000u; bits <= last; bits += stride, ++count) {
    const float x = float_of_bits(bits), y = exp2_of(x);
    const double error = ulps(y, exp2l(static_cast<long double>(x)));
    if (error > worst) worst = error, where = x;
    if (y < FLT_MIN || y > 1.0f) {
      CAPTURE(x, y);
      REQUIRE((y >= FLT_MIN && y <= 1.0f));
    }
  }
  std::printf("exp2 worst error %.3f ulp at %a, of %llu values\n", worst, double(where), static_cast<unsigned long long>(count));
  CHECK(worst <= 2.0);
}

TEST_CASE("exp2 below -126 is zero", "[exp2]") {
  for (uint32_t bits = 0xc2fc0010u; bits <= 0xff800000u; bits += quick() ? 99991 : 1009) {
    const float y = exp2_of(float_of_bits(bits));
    if (y != 0.0f || std::signbit(y)) {
      CAPTURE(float_of_bits(bits), y);
      REQUIRE(y == 0.0f);
    }
  }
  CHECK(exp2_of(-127.0f) == 0.0f);
  CHECK(exp2_of(-FLT_MAX) == 0.0f);
}

// Minutes: a gate of its own (./dev gates). Double precision is 2^29 times finer, and quicker than
// long double.
TEST_CASE("exp2 of every float from -150 to 0", "[.exp2_every]") {
  double worst = 0, lost = 0;
  uint64_t count = 0;
  for (uint32_t bits = 0x80000000u; bits <= 0xc3160000u; ++bits, ++count) {
    const float x = float_of_bits(bits), y = exp2_of(x);
    const double want = std::exp2(double(x)), error = std::fabs(double(y) - want);
    if (bits > 0xc2fc0000u) {  // below -126: exactly 0, or 2^-126 where p rounds to 1
      if (error > lost) lost = error;
      if (!(y == 0.0f || y >= FLT_MIN)) worst = HUGE_VAL;
      continue;
    }
    uint64_t exponent;  // one unit of the last place of a float: 2^-23 of want's power of two
    std::memcpy(&exponent, &want, sizeof exponent);
    exponent = (exponent & 0x7ff0000000000000u) - (uint64_t(23) << 52);
    double unit;
    std::memcpy(&unit, &exponent, sizeof unit);
    if (!(error <= worst * unit)) worst = error / unit;
  }
  std::printf("exp2 of every float of [-150, 0], %llu: %.3f ulp, below -126 at most %.3g off\n",
              static_cast<unsigned long long>(count), worst, lost);
  CHECK(worst <= 2.0);
  CHECK(lost <= 0x1p-126);
}

TEST_CASE("exp2 is exact where the softmax needs it to be", "[exp2]") {
  CHECK(bits_of(exp2_of(0.0f)) == bits_of(1.0f));
  CHECK(bits_of(exp2_of(-0.0f)) == bits_of(1.0f));
  CHECK(bits_of(exp2_of(-HUGE_VALF)) == 0);
  for (int n = 1; n <= 126; ++n) CHECK(exp2_of(float(-n)) == std::ldexp(1.0f, -n));
  CHECK(std::isnan(exp2_of(quiet_nan())));
  CHECK(std::isnan(exp2_of(float_of_bits(0xffc00001u))));
}
