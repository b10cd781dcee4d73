// module_file.hpp - one attention module out of a .safetensors file.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "heed/heed.h"

namespace heed::tool {

// Float32 values, views of them, and what their shapes say about the configuration.
struct Module {
  std::string path, prefix;
  bool prefix_found = false;  // looked for, and not empty
  uint32_t embed_dim = 0, kdim = 0, vdim = 0;
  bool bias = false, add_bias_kv = false;
  heed_state_dict state_dict{};
  std::vector<std::vector<float>> values;  // what state_dict points to: move, do not copy

  Module() = default;
  Module(Module&&) = default;
};

// Without a prefix, the module at the top of the file, else the only one in it.
Module load_module(const std::string& path, const std::optional<std::string>& prefix);

}  // namespace heed::tool
