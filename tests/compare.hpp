// compare.hpp - how far an answer is from one in double precision.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace heed_test {

inline double largest(const std::vector<double>& v) {
  double most = 0;
  for (double x : v)
    if (std::isfinite(x)) most = std::max(most, std::fabs(x));
  return most;
}

// Largest distance; NaN must stand against NaN, or it is infinite.
inline double distance(const std::vector<float>& came, const std::vector<double>& want) {
  if (came.size() != want.size()) return HUGE_VAL;
  double most = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(want[i]) != std::isnan(came[i])) return HUGE_VAL;
    if (!std::isnan(want[i])) most = std::max(most, std::fabs(double(came[i]) - want[i]));
  }
  return most;
}

// error / tolerance, where nothing of nothing is fine.
inline double ratio_of(double error, double tolerance) { return error == 0 ? 0 : error / tolerance; }

// The largest ratio seen, and where.
template <class Where>
struct Worst {
  double ratio = 0;
  Where where{};
  void see(double r, const Where& w) {
    if (r > ratio) ratio = r, where = w;
  }
};

}  // namespace heed_test
