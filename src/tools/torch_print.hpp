// torch_print.hpp - a tensor as PyTorch's print shows it.
#pragma once
#include <cstdint>
#include <string>

namespace heed::tool {

// (1, 4, 8)
std::string shape_tuple(const uint32_t* shape, uint32_t rank);

// "tensor([[[0.6814, 0.3330],\n         [...]]])": 4 decimals, one width for all numbers, lines of
// at most 80 columns. For numbers that PyTorch prints without an exponent.
std::string torch_print(const float* values, const uint32_t* shape, uint32_t rank);

}  // namespace heed::tool
