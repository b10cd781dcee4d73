// The two halves of believing a safetensors header:
//
//   parse_header   text -> tensors and metadata: JSON, keys, types
//   check_layout   do shapes, types and offsets tile the data exactly?
//
// The writer sends its own header through both before it writes a byte, so it
// cannot make a file that the reader refuses.
#ifndef HEED_SRC_IO_SAFETENSORS_HEADER_HPP
#define HEED_SRC_IO_SAFETENSORS_HEADER_HPP

#include <cstdint>
#include <string_view>
#include <vector>

#include "heed/io.hpp"

namespace heed::io {

struct Header {
  std::vector<TensorInfo> tensors;
  Metadata metadata;
};

inline constexpr std::string_view kMetadataKey = "__metadata__";

// Tensors are in the order of the text afterwards.
Error parse_header(std::string_view json, std::string_view file, Header& out);

// Tensors are in the order of their bytes afterwards.
Error check_layout(std::uint64_t data_size, std::string_view file,
                   std::vector<TensorInfo>& tensors);

}  // namespace heed::io

#endif
