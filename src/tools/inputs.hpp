// inputs.hpp - the .npy files of a call.
#pragma once
#include <cstdint>
#include <string>

#include "heed/heed.h"
#include "heed/io.hpp"
#include "tools/options.hpp"

namespace heed::tool {

// A view; its data are never NULL, not even those of an empty array.
heed_tensor view(const io::NpyArray& array);

struct Input {
  std::string path;  // empty: not given
  io::NpyArray array;

  bool given() const { return !path.empty(); }
  heed_tensor tensor() const { return given() ? view(array) : heed_contiguous(nullptr, HEED_FLOAT32, 0, 0, 0, 0, 0); }
};

struct Inputs {
  Input query, key, value, key_padding_mask, attn_mask;
  bool batch_first = false;

  // The file that holds the keys, and the one that holds the values.
  const Input& keys_file() const { return key.given() ? key : query; }
  const Input& values_file() const { return value.given() ? value : keys_file(); }

  bool batched() const { return query.array.shape.size() == 3; }
  uint32_t batch() const { return batched() ? size(query, batch_first ? 0 : 1) : 1; }
  uint32_t queries() const { return size(query, batched() && batch_first ? 1 : 0); }
  uint32_t keys() const { return size(keys_file(), batched() && batch_first ? 1 : 0); }

 private:
  static uint32_t size(const Input& input, std::size_t dimension) {
    return static_cast<uint32_t>(input.array.shape[dimension]);
  }
};

// Checks types and ranks, as far as shapes depend on them; heed_forward checks the rest.
Inputs load_inputs(const RunOptions& options);

// The files that an error of heed_forward is about, "" if it is about none.
std::string blame(heed_status status, const Inputs& inputs);

}  // namespace heed::tool
