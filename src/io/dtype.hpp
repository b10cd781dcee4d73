// The one list of element types: enumerator, safetensors name, bytes.
#ifndef HEED_SRC_IO_DTYPE_HPP
#define HEED_SRC_IO_DTYPE_HPP

#include <cstddef>
#include <string_view>

#include "heed/io.hpp"

namespace heed::io {

struct DtypeRow {
  Dtype dtype;
  const char* name;
  std::size_t size;
};

inline constexpr DtypeRow kDtypes[] = {
    {Dtype::boolean, "BOOL", 1},    {Dtype::u8, "U8", 1},           {Dtype::i8, "I8", 1},
    {Dtype::f8_e4m3, "F8_E4M3", 1}, {Dtype::f8_e5m2, "F8_E5M2", 1}, {Dtype::f8_e8m0, "F8_E8M0", 1},
    {Dtype::i16, "I16", 2},         {Dtype::u16, "U16", 2},         {Dtype::f16, "F16", 2},
    {Dtype::bf16, "BF16", 2},       {Dtype::i32, "I32", 4},         {Dtype::u32, "U32", 4},
    {Dtype::f32, "F32", 4},         {Dtype::i64, "I64", 8},         {Dtype::u64, "U64", 8},
    {Dtype::f64, "F64", 8},         {Dtype::c64, "C64", 8},
};

// False if no type has this name.
inline bool dtype_from_name(std::string_view name, Dtype& dtype) noexcept {
  for (const DtypeRow& row : kDtypes) {
    if (name == row.name) {
      dtype = row.dtype;
      return true;
    }
  }
  return false;
}

}  // namespace heed::io

#endif
