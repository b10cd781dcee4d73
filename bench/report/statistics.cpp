#include "statistics.hpp"

#include <algorithm>
#include <limits>

namespace heed::bench {
namespace {

// P(U = u) when m and n values come from one distribution: the coefficients of the Gaussian
// binomial, multiplied and divided factor by factor.
std::vector<double> mann_whitney(size_t m, size_t n) {
  const size_t most = m * n;
  std::vector<double> p(most + 1, 0.0);
  p[0] = 1.0;
  for (size_t i = 1; i <= m; ++i) {
    for (size_t u = most; u + 1 > n + i; --u) p[u] -= p[u - n - i];
    for (size_t u = i; u <= most; ++u) p[u] += p[u - i];
  }
  double sum = 0.0;
  for (double x : p) sum += x;
  for (double& x : p) x /= sum;
  return p;
}

}  // namespace

double median(std::vector<double> values) {
  const size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

Interval shift(const std::vector<double>& a, const std::vector<double>& b, double confidence) {
  std::vector<double> differences;
  for (double x : a)
    for (double y : b) differences.push_back(y - x);
  std::sort(differences.begin(), differences.end());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> p = mann_whitney(a.size(), b.size());
  double tail = 0.0;
  size_t outside = 0;  // so many of the least and of the greatest differences may be left out
  while (outside < p.size() && (tail += p[outside]) <= 0.5 * (1.0 - confidence)) ++outside;
  if (outside == 0) return {-kInfinity, median(differences), kInfinity};
  return {differences[outside - 1], median(differences), differences[differences.size() - outside]};
}

}  // namespace heed::bench
