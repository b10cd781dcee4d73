// reference.hpp - the formulas in double precision and plain loops: what the answer is.
// Shares no code and no layout with the library.
#pragma once
#include "problem.hpp"

namespace heed_test {

struct Reference {
  std::vector<double> output, weights;  // in the order of Problem
};
Reference reference(const Problem& p);

}  // namespace heed_test
