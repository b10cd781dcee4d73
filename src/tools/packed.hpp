// packed.hpp - packed weights as a file (docs/blob.md): made, read, and taken apart again.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "heed/heed.h"
#include "heed/io.hpp"
#include "tools/memory.hpp"
#include "tools/module_file.hpp"

namespace heed::tool {

struct Packed {
  heed_config config;  // without limits
  AlignedBytes bytes;
};

Packed pack_module(const Module& module, uint32_t num_heads);

// Checks everything, the checksum too. `name` stands in the sentences.
Packed parse_packed(const std::vector<uint8_t>& file, const std::string& name);
Packed load_packed(const std::string& path);

struct NamedTensor {
  std::string name;
  io::Shape shape;
  std::vector<float> values;
};

// The tensors under PyTorch's names, each bit as it was packed.
std::vector<NamedTensor> unpack(const Packed& packed, const std::string& name);

// A C header that puts the bytes into flash; the identifiers in it begin with `stem`.
std::string c_header(const Packed& packed, const std::string& stem, const std::string& target);
bool is_identifier(const std::string& text);

}  // namespace heed::tool
