#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

#include "fail.hpp"
#include "file.hpp"
#include "safetensors_header.hpp"
#include "sizes.hpp"
#include "values.hpp"

namespace heed::io {

namespace {

using Json = nlohmann::json;

// With `replace`, broken UTF-8 becomes U+FFFD instead of an exception; same_names
// notices afterwards.
std::string json_string(const std::string& value) {
  return Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool writable(Dtype dtype) noexcept {
  return dtype == Dtype::f32 || dtype == Dtype::f64 || dtype == Dtype::i64 || dtype == Dtype::u8 ||
         dtype == Dtype::boolean;
}

Error check_view(std::string_view file, const TensorView& tensor) {
  const auto wrong = [&](Status status, const auto&... parts) {
    return fail(status, file, "tensor ", quote_name(tensor.name), ": ", parts...);
  };
  if (!writable(tensor.dtype)) {
    return wrong(Status::bad_dtype, "expected F32, F64, I64, U8 or BOOL, found ",
                 dtype_name(tensor.dtype));
  }
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  if (!checked_bytes(tensor.shape, dtype_size(tensor.dtype), count, bytes)) {
    return wrong(Status::bad_shape, "expected a size of at most 64 bits, found the shape ",
                 shape_text(tensor.shape));
  }
  if (count != tensor.count || (count != 0 && tensor.data == nullptr)) {
    return wrong(Status::size_mismatch, "expected ", count, " values for the shape ",
                 shape_text(tensor.shape), ", found ", tensor.data == nullptr ? 0 : tensor.count);
  }
  if (tensor.dtype == Dtype::boolean) {
    const auto* values = static_cast<const std::uint8_t*>(tensor.data);
    for (std::size_t i = 0; i < tensor.count; ++i) {
      if (values[i] > 1) {
        return wrong(Status::bad_value, "expected only 0 and 1, found ",
                     static_cast<unsigned>(values[i]), " at element ", i);
      }
    }
  }
  return {};
}

using Order = std::vector<const TensorView*>;

// Checked one by one, then widest first: every tensor is then aligned, and the
// order stays the caller's within a width.
Error put_in_order(std::string_view file, const std::vector<TensorView>& tensors, Order& order) {
  for (const TensorView& tensor : tensors) {
    if (Error error = check_view(file, tensor)) return error;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return std::pair(dtype_size(b->dtype), a) < std::pair(dtype_size(a->dtype), b);  // both lie in `tensors`
  });
  return {};
}

std::string tensor_json(const TensorView& tensor, std::uint64_t begin, std::uint64_t end) {
  std::string shape;
  for (const std::uint64_t size : tensor.shape) {
    shape += text(shape.empty() ? "" : ",", size);
  }
  return text(json_string(tensor.name), ":{\"dtype\":\"", dtype_name(tensor.dtype),
              "\",\"shape\":[", shape, "],\"data_offsets\":[", begin, ",", end, "]}");
}

// Also says how many bytes of data follow. The sum cannot overflow: the values
// are all in memory.
std::string header_json(const Order& order, const Metadata& metadata, std::uint64_t& data_size) {
  std::string json;
  for (const auto& [key, value] : metadata) {
    json += json.empty() ? text("\"", kMetadataKey, "\":{") : ",";
    json += text(json_string(key), ":", json_string(value));
  }
  if (!json.empty()) json += "}";
  data_size = 0;
  for (const TensorView* tensor : order) {
    const std::uint64_t end = data_size + tensor->count * dtype_size(tensor->dtype);
    json += text(json.empty() ? "" : ",", tensor_json(*tensor, data_size, end));
    data_size = end;
  }
  json = "{" + json + "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}

bool same_names(const Order& order, const Metadata& metadata, const Header& header) {
  if (header.tensors.size() != order.size() || header.metadata != metadata) return false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (header.tensors[i].name != order[i]->name) return false;
  }
  return true;
}

// The reader is the judge of what may be written: duplicate names, limits, and
// names that do not survive the trip.
Error check_header(std::string_view file, const std::string& json, std::uint64_t data_size,
                   const Order& order, const Metadata& metadata) {
  const auto bad_name = [&] {
    return fail(Status::bad_name, file,
                "expected names and metadata in UTF-8 and no tensor with the name __metadata__, "
                "found another");
  };
  for (const TensorView* tensor : order) {
    if (tensor->name == kMetadataKey) return bad_name();
  }
  if (json.size() > kMaxSafetensorsHeader) {
    return fail(Status::header_too_large, file, "expected a header of at most ",
                kMaxSafetensorsHeader, " bytes, but names and metadata need ", json.size());
  }
  Header header;
  if (Error error = parse_header(json, file, header)) return error;
  // Before the layout is checked, because that sorts empty tensors to the front
  // of their equals.
  if (!same_names(order, metadata, header)) return bad_name();
  return check_layout(data_size, file, header.tensors);
}

}  // namespace

Error write_safetensors(std::string_view path, const std::vector<TensorView>& tensors,
                        const Metadata& metadata) noexcept {
  return guarded(path, [&]() -> Error {
    Order order;
    if (Error error = put_in_order(path, tensors, order)) return error;
    std::uint64_t data_size = 0;
    const std::string json = header_json(order, metadata, data_size);
    if (Error error = check_header(path, json, data_size, order, metadata)) return error;

    AtomicFile file;
    if (Error error = file.open(path)) return error;
    std::uint8_t length[8];
    store_le(length, json.size(), sizeof length);
    file.write(length, sizeof length);
    file.write(json.data(), json.size());
    for (const TensorView* tensor : order) {
      file.write_elements(tensor->data, tensor->count, dtype_size(tensor->dtype));
    }
    return file.commit();
  });
}

}  // namespace heed::io
