// random_problem.hpp - problems with every option, drawn by chance.
#pragma once
#include "problem.hpp"

namespace heed_test {

struct Sizes {
  std::vector<uint32_t> batch, queries, keys, heads, head_dims;
};

// Masks with hidden keys, finite terms, fully masked rows; causal of every kind; weights;
// extra slots; grouped heads; broadcast masks.
Problem random_problem(Random& random, const Sizes& sizes);
Mask random_mask(Random& random, std::vector<uint32_t> shape, bool is_float, uint32_t hide_percent, bool true_hides);
std::string describe(const Problem& p);

}  // namespace heed_test
