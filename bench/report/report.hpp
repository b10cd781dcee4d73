// report.hpp - what is made of results. Everything throws std::runtime_error with a sentence.
#pragma once
#include <string>
#include <vector>

namespace heed::bench {

// Says per case whether b is faster than a, slower, or the same. `floor`: a smaller relative
// difference is never said.
std::string comparison(const std::string& a, const std::string& b, double floor);

// Markdown: the machine, then all series.
std::string markdown(const std::string& results);

// A case in the words of heed bench.
std::string arguments(const std::string& name);

// Writes generated tables into a document: what lies between "<!-- bench NAME -->" and
// "<!-- end -->" is replaced. Returns how many.
int insert_tables(const std::string& document, const std::string& results, const std::string& peers);

}  // namespace heed::bench
