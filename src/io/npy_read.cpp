#include "dtype.hpp"
#include "fail.hpp"
#include "file.hpp"
#include "npy_header.hpp"
#include "sizes.hpp"
#include "values.hpp"

namespace heed::io {

namespace {

// The header of a file: [magic 6][major 1][minor 1][length 2 or 4][dict].
Error parse_head(std::string_view bytes, std::string_view file, NpyHeader& header,
                 std::size_t& data_start) {
  constexpr std::size_t kVersionEnd = 8;
  if (bytes.substr(0, kNpyMagic.size()) != kNpyMagic.substr(0, bytes.size())) {
    return fail(Status::bad_magic, file,
                "expected an npy file, but it does not begin with \\x93NUMPY");
  }
  const auto cut = [&](std::uint64_t need) {
    return fail(Status::truncated, file, "expected an npy header of ", need,
                " bytes, but the file ends after ", bytes.size());
  };
  if (bytes.size() < kVersionEnd) return cut(kVersionEnd);
  const auto* head = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const unsigned major = head[6];
  const unsigned minor = head[7];
  if (major < 1 || major > 3 || minor != 0) {
    return fail(Status::bad_version, file, "expected npy version 1.0, 2.0 or 3.0, found ", major,
                ".", minor);
  }
  const std::size_t dict_start = kVersionEnd + (major == 1 ? 2 : 4);
  if (bytes.size() < dict_start) return cut(dict_start);
  const std::uint32_t length = major == 1 ? load_le<std::uint16_t>(head + kVersionEnd)
                                          : load_le<std::uint32_t>(head + kVersionEnd);
  if (length > kMaxNpyHeader) {
    return fail(Status::header_too_large, file, "expected an npy header of at most ", kMaxNpyHeader,
                " bytes, but the file states ", length);
  }
  if (length > bytes.size() - dict_start) return cut(std::uint64_t{dict_start} + length);
  data_start = dict_start + length;
  return parse_npy_dict(bytes.substr(dict_start, length), file, header);
}

// The type in the file, or what is wrong with it.
Error stored_dtype(const std::string& descr, std::string_view file, Dtype& dtype) {
  if (descr == "<f4")
    dtype = Dtype::f32;
  else if (descr == "<f8")
    dtype = Dtype::f64;
  else if (descr == "<f2")
    dtype = Dtype::f16;
  else if (descr == "|b1")
    dtype = Dtype::boolean;
  else if (!descr.empty() && descr.front() == '>') {
    return fail(Status::bad_dtype, file, "expected little-endian values, but descr ",
                quote_name(descr), " is big-endian; save a.astype('<f4') instead");
  } else {
    return fail(Status::bad_dtype, file,
                "expected descr \"<f4\", \"<f8\", \"<f2\" or \"|b1\", found ", quote_name(descr));
  }
  return {};
}

// Visits the elements in C order and says where each of them is stored.
// Like an odometer: the last digit turns fastest.
class Walk {
 public:
  Walk(const Shape& shape, bool fortran_order) : shape_(shape), dims_(shape.size()) {
    std::size_t stride = 1;
    for (std::size_t i = 0; i < dims_; ++i) {
      const std::size_t dim = fortran_order ? i : dims_ - 1 - i;
      stride_[dim] = stride;
      stride *= static_cast<std::size_t>(shape[dim]);
    }
  }

  std::size_t next() noexcept {
    const std::size_t here = index_;
    for (std::size_t dim = dims_; dim-- > 0;) {
      index_ += stride_[dim];
      if (++digit_[dim] < shape_[dim]) break;
      index_ -= stride_[dim] * digit_[dim];
      digit_[dim] = 0;
    }
    return here;
  }

 private:
  const Shape& shape_;
  std::size_t dims_;
  std::size_t stride_[kMaxNpyDims] = {};
  std::size_t digit_[kMaxNpyDims] = {};
  std::size_t index_ = 0;
};

Error copy_values(const std::uint8_t* data, std::size_t count, Dtype stored, bool fortran_order,
                  std::string_view file, NpyArray& array) {
  Walk walk(array.shape, fortran_order);
  if (stored != Dtype::boolean) {
    array.f32.resize(count);
    for (float& value : array.f32) value = f32_at(stored, data, walk.next());
    return {};
  }
  array.dtype = Dtype::boolean;
  array.boolean.resize(count);
  for (std::uint8_t& value : array.boolean) {
    value = data[walk.next()];
    if (value > 1) {
      return fail(Status::bad_value, file, "expected only 0 and 1, found ",
                  static_cast<unsigned>(value));
    }
  }
  return {};
}

Error parse_array(std::string_view bytes, std::string_view file, NpyArray& array) {
  NpyHeader header;
  std::size_t data_start = 0;
  if (Error error = parse_head(bytes, file, header, data_start)) return error;
  Dtype stored = Dtype::f32;
  if (Error error = stored_dtype(header.descr, file, stored)) return error;
  std::uint64_t count = 0;
  std::uint64_t need = 0;
  if (!checked_bytes(header.shape, dtype_size(stored), count, need)) {
    return fail(Status::bad_shape, file, "expected a size of at most 64 bits, found the shape ",
                shape_text(header.shape));
  }
  const std::size_t have = bytes.size() - data_start;
  if (have != need) {
    return fail(have < need ? Status::truncated : Status::trailing_bytes, file, "expected ", need,
                " bytes of data for the shape ", shape_text(header.shape), ", found ", have);
  }
  array.shape = std::move(header.shape);
  // From here on count fits into size_t: that many bytes are in memory.
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + data_start;
  return copy_values(data, static_cast<std::size_t>(count), stored, header.fortran_order, file,
                     array);
}

}  // namespace

Error parse_npy(const void* data, std::size_t size, std::string_view file_name,
                NpyArray& out) noexcept {
  return guarded(file_name, [&]() -> Error {
    NpyArray array;
    const std::string_view bytes(static_cast<const char*>(data), size);
    if (Error error = parse_array(bytes, file_name, array)) return error;
    out = std::move(array);
    return {};
  });
}

Error load_npy(std::string_view path, NpyArray& out) noexcept {
  return guarded(path, [&]() -> Error {
    std::vector<std::uint8_t> bytes;
    if (Error error = read_file(path, bytes)) return error;
    return parse_npy(bytes.data(), bytes.size(), path, out);
  });
}

}  // namespace heed::io
