#include "fail.hpp"
#include "file.hpp"
#include "safetensors_header.hpp"
#include "values.hpp"

namespace heed::io {

namespace {

constexpr std::size_t kLengthBytes = 8;

// The file is [8 bytes: header length][header][data].
Error parse_bytes(const std::uint8_t* bytes, std::size_t size, std::string_view file,
                  Header& header, std::size_t& data_start) {
  if (size < kLengthBytes) {
    return fail(Status::truncated, file, "expected at least 8 bytes, found ", size);
  }
  const auto length = load_le<std::uint64_t>(bytes);
  if (length > kMaxSafetensorsHeader) {
    return fail(Status::header_too_large, file, "expected a header of at most ",
                kMaxSafetensorsHeader, " bytes, but the file states ", length);
  }
  if (length > size - kLengthBytes) {
    return fail(Status::truncated, file, "expected a header of ", length, " bytes, but only ",
                size - kLengthBytes, " follow");
  }
  data_start = kLengthBytes + static_cast<std::size_t>(length);
  const std::string_view json(reinterpret_cast<const char*>(bytes) + kLengthBytes,
                              static_cast<std::size_t>(length));
  if (Error error = parse_header(json, file, header)) return error;
  return check_layout(size - data_start, file, header.tensors);
}

// Fills copies first and hands over last: after bad_alloc nothing has changed.
template <class Value, class At>
void copy_out(const TensorInfo& tensor, std::size_t element, const At& at, std::vector<Value>& out,
              Shape& shape) {
  std::vector<Value> values(static_cast<std::size_t>(tensor.end - tensor.begin) / element);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = at(i);
  Shape sizes = tensor.shape;
  out.swap(values);
  shape.swap(sizes);
}

Error no_such_tensor(std::string_view file, std::string_view name) {
  return fail(Status::not_found, file, "expected a tensor ", quote_name(name),
              ", but there is none");
}

Error wrong_dtype(std::string_view file, const TensorInfo& tensor, const char* expected) {
  return fail(Status::bad_dtype, file, "tensor ", quote_name(tensor.name), ": expected ", expected,
              ", found ", dtype_name(tensor.dtype));
}

}  // namespace

Error parse_safetensors(const void* data, std::size_t size, std::string_view file_name,
                        SafetensorsFile& out) noexcept {
  return guarded(file_name, [&]() -> Error {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    SafetensorsFile file;
    Header header;
    if (Error error = parse_bytes(bytes, size, file_name, header, file.data_start_)) return error;
    file.file_name_ = file_name;
    file.file_.assign(bytes, bytes + size);
    file.tensors_ = std::move(header.tensors);
    file.metadata_ = std::move(header.metadata);
    out = std::move(file);
    return {};
  });
}

Error load_safetensors(std::string_view path, SafetensorsFile& out) noexcept {
  return guarded(path, [&]() -> Error {
    SafetensorsFile file;
    Header header;
    if (Error error = read_file(path, file.file_)) return error;
    if (Error error =
            parse_bytes(file.file_.data(), file.file_.size(), path, header, file.data_start_)) {
      return error;
    }
    file.file_name_ = path;
    file.tensors_ = std::move(header.tensors);
    file.metadata_ = std::move(header.metadata);
    out = std::move(file);
    return {};
  });
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const noexcept {
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

Error SafetensorsFile::read_f32(std::string_view name, std::vector<float>& out,
                                Shape& shape) const noexcept {
  return guarded(file_name_, [&]() -> Error {
    const TensorInfo* tensor = find(name);
    if (tensor == nullptr) return no_such_tensor(file_name_, name);
    const Dtype dtype = tensor->dtype;
    if (!converts_to_f32(dtype)) return wrong_dtype(file_name_, *tensor, "F32, F16, BF16 or F64");
    const auto at = [dtype, from = bytes(*tensor)](std::size_t i) {
      return f32_at(dtype, from, i);
    };
    copy_out(*tensor, dtype_size(dtype), at, out, shape);
    return {};
  });
}

Error SafetensorsFile::read_f64(std::string_view name, std::vector<double>& out,
                                Shape& shape) const noexcept {
  return guarded(file_name_, [&]() -> Error {
    const TensorInfo* tensor = find(name);
    if (tensor == nullptr) return no_such_tensor(file_name_, name);
    if (tensor->dtype != Dtype::f64) return wrong_dtype(file_name_, *tensor, "F64");
    const auto at = [from = bytes(*tensor)](std::size_t i) {
      return bits_as<double>(load_le<std::uint64_t>(from + 8 * i));
    };
    copy_out(*tensor, 8, at, out, shape);
    return {};
  });
}

Error SafetensorsFile::read_i64(std::string_view name, std::vector<std::int64_t>& out,
                                Shape& shape) const noexcept {
  return guarded(file_name_, [&]() -> Error {
    const TensorInfo* tensor = find(name);
    if (tensor == nullptr) return no_such_tensor(file_name_, name);
    if (tensor->dtype != Dtype::i64) return wrong_dtype(file_name_, *tensor, "I64");
    const auto at = [from = bytes(*tensor)](std::size_t i) {
      return bits_as<std::int64_t>(load_le<std::uint64_t>(from + 8 * i));
    };
    copy_out(*tensor, 8, at, out, shape);
    return {};
  });
}

Error SafetensorsFile::read_bool(std::string_view name, std::vector<std::uint8_t>& out,
                                 Shape& shape) const noexcept {
  return guarded(file_name_, [&]() -> Error {
    const TensorInfo* tensor = find(name);
    if (tensor == nullptr) return no_such_tensor(file_name_, name);
    if (tensor->dtype != Dtype::boolean && tensor->dtype != Dtype::u8) {
      return wrong_dtype(file_name_, *tensor, "BOOL or U8");
    }
    const std::uint8_t* from = bytes(*tensor);
    for (std::uint64_t i = 0; i < tensor->end - tensor->begin; ++i) {
      if (from[i] > 1) {
        return fail(Status::bad_value, file_name_, "tensor ", quote_name(tensor->name),
                    ": expected only 0 and 1, found ", static_cast<unsigned>(from[i]),
                    " at element ", i);
      }
    }
    copy_out(
        *tensor, 1, [from](std::size_t i) { return from[i]; }, out, shape);
    return {};
  });
}

}  // namespace heed::io
