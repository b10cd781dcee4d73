#include "fail.hpp"

namespace heed::io {

std::string quote_name(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : name.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    // Bytes from 0x80 on may be C1 controls or cut UTF-8: escape them all.
    if (byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += name.size() > kLongest ? "...\"" : "\"";
  return out;
}

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (const std::uint64_t size : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(size);
  }
  return out + "]";
}

Error out_of_memory(std::string_view file) noexcept {
  try {
    return fail(Status::out_of_memory, file, "not enough memory for this file");
  } catch (...) {
    Error error;
    error.status = Status::out_of_memory;
    try {
      error.message = "out of memory";
    } catch (...) {  // GCOVR_EXCL_LINE: a standard library without room for 13 bytes in place
      // The status suffices.
    }
    return error;
  }
}

const char* status_name(Status status) noexcept {
  switch (status) {
    case Status::ok: return "ok";
    case Status::open_failed: return "open_failed";
    case Status::read_failed: return "read_failed";
    case Status::write_failed: return "write_failed";
    case Status::out_of_memory: return "out_of_memory";
    case Status::truncated: return "truncated";
    case Status::header_too_large: return "header_too_large";
    case Status::bad_header: return "bad_header";
    case Status::bad_json: return "bad_json";
    case Status::duplicate_key: return "duplicate_key";
    case Status::unknown_key: return "unknown_key";
    case Status::missing_key: return "missing_key";
    case Status::bad_metadata: return "bad_metadata";
    case Status::bad_dtype: return "bad_dtype";
    case Status::bad_shape: return "bad_shape";
    case Status::bad_offsets: return "bad_offsets";
    case Status::overlap: return "overlap";
    case Status::gap: return "gap";
    case Status::misaligned: return "misaligned";
    case Status::trailing_bytes: return "trailing_bytes";
    case Status::size_mismatch: return "size_mismatch";
    case Status::bad_value: return "bad_value";
    case Status::bad_name: return "bad_name";
    case Status::too_many: return "too_many";
    case Status::not_found: return "not_found";
    case Status::bad_magic: return "bad_magic";
    case Status::bad_version: return "bad_version";
  }
  return "unknown";
}

}  // namespace heed::io
