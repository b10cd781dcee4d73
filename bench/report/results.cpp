#include "results.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace heed::bench {
namespace {

using Json = nlohmann::json;

double unit(const std::string& name, const std::string& path) {
  for (const auto& [word, seconds] : {std::pair("ns", 1e-9), {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}})
    if (name == word) return seconds;
  throw std::runtime_error(path + ": unknown time unit \"" + name + "\"");
}

// Without what Google Benchmark adds.
std::string short_name(const std::string& name) {
  return name.substr(0, std::min(name.find("/min_time:"), name.find("/manual_time")));
}

void add(Results& r, const Json& entry) {
  if (entry.value("run_type", "") != "iteration") return;
  const std::string name = short_name(entry.at("run_name").get<std::string>());
  if (r.series.find(name) == r.series.end()) r.names.push_back(name);
  Series& series = r.series[name];
  if (entry.value("error_occurred", false)) {
    series.error = entry.value("error_message", "failed");
    return;
  }
  // The mean, where the benchmark itself took no median of its calls.
  const double mean = entry.at("real_time").get<double>() * unit(entry.at("time_unit").get<std::string>(), r.path);
  series.seconds.push_back(entry.value("median", mean));
  for (const char* counter : {"GFLOP/s", "GB/s", "peak", "err", "flop/byte"})
    if (entry.contains(counter)) series.counters[counter].push_back(entry.at(counter).get<double>());
}

}  // namespace

Json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be opened");
  try {
    return Json::parse(file);
  } catch (const Json::parse_error&) { throw std::runtime_error(path + ": not JSON"); }
}

Results read_results(const std::string& path) {
  Results r;
  r.path = path;
  const Json json = read_json(path);
  try {
    r.context = json.at("context");
    for (const Json& entry : json.at("benchmarks")) add(r, entry);
  } catch (const Json::exception&) { throw std::runtime_error(path + ": not a result of heed_bench"); }
  std::sort(r.names.begin(), r.names.end());  // they come in random order
  if (r.names.empty()) throw std::runtime_error(path + ": holds no repetition of any benchmark");
  return r;
}

}  // namespace heed::bench
