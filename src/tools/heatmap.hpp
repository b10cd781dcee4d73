// heatmap.hpp - attention weights as colours, on a terminal and as a picture.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace heed::tool {

struct Rgb {
  uint8_t red, green, blue;
};

// Dark blue over green to yellow, as viridis; index 0 is the least.
const std::array<Rgb, 256>& colour_map();

// The least and the greatest finite value.
struct Range {
  float least = 0, most = 0;
  std::size_t index(float value) const;  // of colour_map(); value must not be NaN
};
Range range(const float* values, std::size_t count);

// A matrix (rows, columns) as blocks of numbers; without colours just the numbers.
std::string terminal_heatmap(const float* weights, uint32_t rows, uint32_t columns, bool colours);

// Many matrices (queries, keys) in a grid: batch entries are its rows, heads its columns.
struct Panels {
  uint32_t batch = 1, heads = 1, queries = 0, keys = 0;
  uint32_t cell_width = 1, cell_height = 1;  // pixels

  uint64_t panel_width() const { return uint64_t(keys) * cell_width; }
  uint64_t panel_height() const { return uint64_t(queries) * cell_height; }
  uint64_t width() const { return heads * (panel_width() + kSeparator) + kSeparator; }
  uint64_t height() const { return batch * (panel_height() + kSeparator) + kSeparator; }

  static constexpr uint32_t kSeparator = 3;
  static constexpr uint32_t kMaxSide = 32768;
};

// Scales cells so that a panel has some 200 pixels a side. Refuses what is empty or too large.
Panels panels(uint32_t batch, uint32_t heads, uint32_t queries, uint32_t keys, const std::string& path);

// Weights (batch, heads, queries, keys). Grey is NaN.
void write_heatmap(const std::string& path, const Panels& panels, const float* weights);

}  // namespace heed::tool
