// statistics.hpp - medians, and intervals that a few wild values cannot move.
#pragma once
#include <cstddef>
#include <vector>

namespace heed::bench {

double median(std::vector<double> values);  // of at least one

struct Interval {
  double low, middle, high;
};

// By how much b's values lie above a's: the Hodges-Lehmann estimate, and the interval of the
// rank test of Mann and Whitney, which holds the truth with probability `confidence` or more
// whatever the distribution. With too few values for that it is infinitely wide.
Interval shift(const std::vector<double>& a, const std::vector<double>& b, double confidence);

}  // namespace heed::bench
