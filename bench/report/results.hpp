// results.hpp - what heed_bench wrote: one series of repetitions for every case.
#pragma once
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace heed::bench {

using Values = std::vector<double>;

// Of a case; an entry for each repetition.
struct Series {
  std::string error;  // not empty: it could not be measured
  Values seconds;     // of a call
  std::map<std::string, Values> counters;

  // Empty if there is no such counter.
  Values counter(const std::string& name) const {
    const auto at = counters.find(name);
    return at == counters.end() ? Values() : at->second;
  }
};

struct Results {
  std::string path;
  nlohmann::json context;
  std::vector<std::string> names;  // sorted, without what Google Benchmark adds
  std::map<std::string, Series> series;
};

// Throws std::runtime_error with a sentence.
Results read_results(const std::string& path);
nlohmann::json read_json(const std::string& path);

}  // namespace heed::bench
