#include "fail.hpp"
#include "file.hpp"
#include "npy_header.hpp"
#include "sizes.hpp"
#include "values.hpp"

namespace heed::io {

namespace {

Error check_array(std::string_view file, const NpyArray& array) {
  if (array.dtype != Dtype::f32 && array.dtype != Dtype::boolean) {
    return fail(Status::bad_dtype, file, "expected F32 or BOOL values to write, found ",
                dtype_name(array.dtype));
  }
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  if (array.shape.size() > kMaxNpyDims ||
      !checked_bytes(array.shape, dtype_size(array.dtype), count, bytes)) {
    return fail(Status::bad_shape, file, "expected at most ", kMaxNpyDims,
                " dimensions and a size of at most 64 bits, found the shape ",
                shape_text(array.shape));
  }
  const std::size_t have = array.dtype == Dtype::f32 ? array.f32.size() : array.boolean.size();
  if (have != count) {
    return fail(Status::size_mismatch, file, "expected ", count, " values for the shape ",
                shape_text(array.shape), ", found ", have);
  }
  if (array.dtype == Dtype::f32) return {};
  for (const std::uint8_t value : array.boolean) {
    if (value > 1) {
      return fail(Status::bad_value, file, "expected only 0 and 1, found ",
                  static_cast<unsigned>(value));
    }
  }
  return {};
}

// Byte for byte what numpy writes, so that files can be compared with cmp: the
// values begin at a multiple of 64, and a newline ends the header.
std::string head(const NpyArray& array) {
  std::string shape;
  for (const std::uint64_t size : array.shape) shape += text(shape.empty() ? "" : ", ", size);
  if (array.shape.size() == 1) shape += ",";
  const std::string dict = text("{'descr': '", array.dtype == Dtype::f32 ? "<f4" : "|b1",
                                "', 'fortran_order': False, 'shape': (", shape, "), }");
  constexpr std::size_t kDictStart = 10;
  const std::size_t total = (kDictStart + dict.size() + 1 + 63) / 64 * 64;
  std::uint8_t length[2];
  store_le(length, total - kDictStart, sizeof length);
  std::string out = text(kNpyMagic, std::string_view("\x01\x00", 2),
                         std::string_view(reinterpret_cast<const char*>(length), 2), dict);
  out.resize(total - 1, ' ');
  return out + "\n";
}

}  // namespace

Error write_npy(std::string_view path, const NpyArray& array) noexcept {
  return guarded(path, [&]() -> Error {
    if (Error error = check_array(path, array)) return error;
    const std::string header = head(array);
    AtomicFile file;
    if (Error error = file.open(path)) return error;
    file.write(header.data(), header.size());
    if (array.dtype == Dtype::f32) {
      file.write_elements(array.f32.data(), array.f32.size(), sizeof(float));
    } else {
      file.write(array.boolean.data(), array.boolean.size());
    }
    return file.commit();
  });
}

}  // namespace heed::io
