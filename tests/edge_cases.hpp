// edge_cases.hpp - a table of NaN, infinities, huge and subnormal numbers and masks that hide all:
// every arch with FMA answers it alike, however it was compiled.
#pragma once
#include <functional>

#include "problem.hpp"

namespace heed_test {

struct EdgeCase {
  std::string name;
  std::function<void(Problem&)> set;  // changes plain_problem
  bool finite = false;                // the answer is
};

// Three queries, nine keys, two heads of four; a case changes some of it.
Problem plain_problem(bool sdpa);
void fill_mask(Problem& p, const std::function<float(uint32_t row, uint32_t key)>& value);
std::vector<EdgeCase> edge_cases();

// Of all answers to the table, for both operations; gates/hash.txt has those that are recorded.
Fnv1a edge_hash(const std::string& arch);

}  // namespace heed_test
