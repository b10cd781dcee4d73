// png_file.hpp - writes a PNG, whole or not at all.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "tools/heatmap.hpp"

namespace heed::tool {

// paint fills line y with `width` pixels and does not throw.
using PaintLine = std::function<void(uint32_t y, Rgb* line)>;

void write_png(const std::string& path, uint32_t width, uint32_t height, const std::string& description,
               const PaintLine& paint);

}  // namespace heed::tool
