// compare.cpp - faster, slower or the same?
//
// A case is compared by its share of the FMA peak, which the core reached at that moment, so that a
// clock that drifts from run to run cancels out; where there is no such peak, by time. For each case
// an interval of the ratio, such that with 95% probability all of them hold the truth together
// (Bonferroni). It is made wider by what the machine itself changed between the runs, as the
// yardsticks of both saw it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "report.hpp"
#include "results.hpp"
#include "statistics.hpp"

namespace heed::bench {
namespace {

constexpr double kFalseAlarms = 0.05;  // of comparisons in which nothing changed, over all cases

bool is_case(const std::string& name) { return name.rfind("mha/", 0) == 0 || name.rfind("sdpa/", 0) == 0; }

Values logs(Values values, double sign) {
  for (double& v : values) v = sign * std::log(v);
  return values;
}

struct Pair {
  std::string name;
  Values a, b;  // logarithms of speed
  bool share;   // of the peak
};

Pair make_pair(const std::string& name, const Series& a, const Series& b) {
  const bool share = a.counters.count("peak") && b.counters.count("peak");
  if (share) return {name, logs(a.counter("peak"), 1.0), logs(b.counter("peak"), 1.0), true};
  return {name, logs(a.seconds, -1.0), logs(b.seconds, -1.0), false};
}

std::vector<Pair> pairs(const Results& a, const Results& b) {
  std::vector<Pair> found;
  for (const std::string& name : a.names) {
    const auto other = b.series.find(name);
    const Series& one = a.series.at(name);
    if (!is_case(name) || other == b.series.end() || !one.error.empty() || !other->second.error.empty()) continue;
    found.push_back(make_pair(name, one, other->second));
  }
  if (found.empty()) throw std::runtime_error("no case was measured in both " + a.path + " and " + b.path);
  return found;
}

// How far the yardsticks whose names begin so moved, as a logarithm: the median of them. NaN: they were not measured.
double moved(const Results& a, const Results& b, const std::string& prefix) {
  Values steps;
  for (const std::string& name : a.names) {
    const auto other = b.series.find(name);
    if (name.rfind(prefix, 0) != 0 || other == b.series.end()) continue;
    const Values &x = a.series.at(name).seconds, &y = other->second.seconds;
    if (!x.empty() && !y.empty()) steps.push_back(std::fabs(std::log(median(x) / median(y))));
  }
  return steps.empty() ? std::nan("") : median(steps);
}

std::string percent(double logarithm) {
  char text[40];
  if (std::isnan(logarithm)) return "an unknown amount (no such case in both)";
  std::snprintf(text, sizeof text, "%.1f%%", 100.0 * std::expm1(logarithm));
  return text;
}

double or_none(double logarithm) { return std::isnan(logarithm) ? 0.0 : logarithm; }

const char* verdict(const Interval& i, double floor) {
  if (std::isinf(i.low)) return "too few repetitions to say";
  if (i.low > std::log1p(floor)) return "faster";
  if (i.high < -std::log1p(floor)) return "slower";
  return "same";
}

std::string line(const Pair& p, const Interval& i, double floor) {
  char text[200];
  const auto value = [&p](const Values& v) { return p.share ? std::exp(median(v)) : 1e6 * std::exp(-median(v)); };
  const char* const format = p.share ? "%-44s %9.3f %9.3f        " : "%-44s %9.1f %9.1f us     ";
  std::string out(text, size_t(std::snprintf(text, sizeof text, format, p.name.c_str(), value(p.a), value(p.b))));
  if (std::isinf(i.low)) return out + verdict(i, floor) + "\n";
  std::snprintf(text, sizeof text, "%6.3f [%.3f, %.3f]  %s\n", std::exp(i.middle), std::exp(i.low), std::exp(i.high),
                verdict(i, floor));
  return out + text;
}

std::string difference(const Results& a, const Results& b) {
  std::string out;
  for (const char* key : {"cpu", "system", "compiler", "governor", "core", "commit"}) {
    const std::string x = a.context.value(key, "unknown"), y = b.context.value(key, "unknown");
    out += std::string(key) + ": " + x + (x == y ? "" : " -> " + y) + "\n";
  }
  return out;
}

}  // namespace

std::string comparison(const std::string& a_path, const std::string& b_path, double floor) {
  const Results a = read_results(a_path), b = read_results(b_path);
  const std::vector<Pair> all = pairs(a, b);
  const double memory = moved(a, b, "read/"), clock = moved(a, b, "peak/");
  const double confidence = 1.0 - kFalseAlarms / double(all.size());
  std::string out = difference(a, b), last;
  char text[300];
  out += "between the runs the FMA peak moved by " + percent(clock) + ", reading memory by " + percent(memory) + "\n\n";
  std::snprintf(text, sizeof text, "%-44s %9s %9s        %6s %s\n", "case (share of peak, or time)", "A", "B", "speed",
                "95% interval");
  out += text;
  int counts[3] = {0, 0, 0};
  for (const Pair& p : all) {
    Interval i = shift(p.a, p.b, confidence);
    const double allowance = or_none(memory) + (p.share ? 0.0 : or_none(clock));
    i.low -= allowance;
    i.high += allowance;
    const std::string said = verdict(i, floor);
    ++counts[said == "faster" ? 0 : said == "slower" ? 1 : 2];
    out += line(p, i, floor);
  }
  std::snprintf(text, sizeof text, "\n%d faster, %d slower, %d the same or not to be told apart\n", counts[0],
                counts[1], counts[2]);
  return out + text;
}

}  // namespace heed::bench
