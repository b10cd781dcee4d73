// The head of an npy file: magic, version, length and a Python dict literal.
#ifndef HEED_SRC_IO_NPY_HEADER_HPP
#define HEED_SRC_IO_NPY_HEADER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "heed/io.hpp"

namespace heed::io {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } with the keys
// in any order, and white space wherever Python allows it.
Error parse_npy_dict(std::string_view dict, std::string_view file, NpyHeader& out);

}  // namespace heed::io

#endif
