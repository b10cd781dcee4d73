#include "dtype.hpp"

namespace heed::io {

const char* dtype_name(Dtype dtype) noexcept {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "unknown";
}

std::size_t dtype_size(Dtype dtype) noexcept {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row.size;
  }
  return 1;
}

}  // namespace heed::io
