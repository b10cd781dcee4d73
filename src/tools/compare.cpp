// compare.cpp - heed compare: how far two arrays are apart.
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "tools/failure.hpp"
#include "tools/options.hpp"

namespace heed::tool {
namespace {

float element(const io::NpyArray& array, std::size_t i) {
  return array.dtype == io::Dtype::f32 ? array.f32[i] : float(array.boolean[i]);
}

// NaN equals NaN, infinity equals itself; what cannot be subtracted is infinitely far apart.
double difference(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::infinity();
  return std::fabs(double(a) - double(b));
}

std::string position(std::size_t i, const io::Shape& shape) {
  io::Shape at(shape.size());
  for (std::size_t d = shape.size(); d-- > 0; i /= static_cast<std::size_t>(shape[d])) at[d] = i % shape[d];
  return io::shape_text(at);
}

}  // namespace

void compare(const CompareOptions& o) {
  io::NpyArray a, b;
  check(io::load_npy(o.a, a));
  check(io::load_npy(o.b, b));
  if (a.shape != b.shape)
    refuse(o.b, ": expected the shape ", io::shape_text(a.shape), " of ", o.a, ", found ", io::shape_text(b.shape));
  if (a.dtype != b.dtype)
    refuse(o.b, ": expected the type ", io::dtype_name(a.dtype), " of ", o.a, ", found ", io::dtype_name(b.dtype));
  const std::size_t count = a.dtype == io::Dtype::f32 ? a.f32.size() : a.boolean.size();
  double most = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double d = difference(element(a, i), element(b, i));
    if (d <= most) continue;
    most = d;
    where = i;
  }
  std::printf("max abs difference %.3g", most);
  if (most > 0)
    std::printf(" at %s (%.9g and %.9g)", position(where, a.shape).c_str(), double(element(a, where)),
                double(element(b, where)));
  std::printf(", shape %s\n", io::shape_text(a.shape).c_str());
  if (!o.tolerance || most <= *o.tolerance) return;
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "%.9g, more than the tolerance %.9g", most, *o.tolerance);
  refuse(o.a, " and ", o.b, " differ by ", numbers);
}

}  // namespace heed::tool
