#include "tools/torch_print.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>

namespace heed::tool {
namespace {

constexpr std::size_t kLineWidth = 80;

std::string number(float value, std::size_t width) {
  char text[64];
  std::snprintf(text, sizeof text, "%*.4f", static_cast<int>(width), double(value));
  return text;
}

// One row, broken into lines that all begin one column right of its bracket.
std::string row(const float* values, uint32_t count, std::size_t width, std::size_t indent) {
  const std::size_t per_line = std::max<std::size_t>(1, (kLineWidth - indent) / (width + 2));
  std::string out = "[";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += i % per_line ? ", " : ",\n" + std::string(indent + 1, ' ');
    out += number(values[i], width);
  }
  return out + "]";
}

std::string block(const float* values, const uint32_t* shape, uint32_t rank, std::size_t width, std::size_t indent) {
  if (rank == 1) return row(values, shape[0], width, indent);
  std::size_t step = 1;
  for (uint32_t d = 1; d < rank; ++d) step *= shape[d];
  std::string out = "[";
  for (std::size_t i = 0; i < shape[0]; ++i) {
    if (i > 0) out += "," + std::string(rank - 1, '\n') + std::string(indent + 1, ' ');
    out += block(values + i * step, shape + 1, rank - 1, width, indent + 1);
  }
  return out + "]";
}

}  // namespace

std::string shape_tuple(const uint32_t* shape, uint32_t rank) {
  std::string out = "(";
  for (uint32_t d = 0; d < rank; ++d) out += (d ? ", " : "") + std::to_string(shape[d]);
  return out + (rank == 1 ? ",)" : ")");
}

std::string torch_print(const float* values, const uint32_t* shape, uint32_t rank) {
  const std::string head = "tensor(";
  std::size_t count = 1, width = 1;
  for (uint32_t d = 0; d < rank; ++d) count *= shape[d];
  for (std::size_t i = 0; i < count; ++i) width = std::max(width, number(values[i], 0).size());
  return head + block(values, shape, rank, width, head.size()) + ")";
}

}  // namespace heed::tool
