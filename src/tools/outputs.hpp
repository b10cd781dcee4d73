// outputs.hpp - the files that a run leaves: all of them, or none.
#pragma once
#include <string>

#include "heed/io.hpp"
#include "tools/heatmap.hpp"

namespace heed::tool {

struct Outputs {
  io::NpyArray output;
  io::NpyArray weights;
  std::string output_path, weights_path, heatmap_path;  // empty: not wanted
  Panels panels;                                        // how the weights are drawn
};

void write_outputs(const Outputs& outputs);

}  // namespace heed::tool
