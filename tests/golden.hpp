// golden.hpp - golden/golden.safetensors: what PyTorch answers (golden/README.md).
#pragma once
#include "problem.hpp"

namespace heed_test {

struct GoldenCase {
  std::string id, group, note;
  Problem problem;
  std::vector<double> output, weights;       // in the order of Problem
  double torch_output = -1, torch_weights = -1;  // PyTorch's own float32 error; -1: none
  bool by_hand = false;
};

const std::vector<GoldenCase>& golden_cases();  // throws what is wrong with the file

}  // namespace heed_test
