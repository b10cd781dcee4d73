// How this library says what went wrong. Messages are built only after something
// has failed; text() may throw bad_alloc, which guarded() turns into a status.
#ifndef HEED_SRC_IO_FAIL_HPP
#define HEED_SRC_IO_FAIL_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "heed/io.hpp"

namespace heed::io {

template <class Part>
void append_text(std::string& out, const Part& part) {
  if constexpr (std::is_integral_v<Part>) {
    out += std::to_string(part);
  } else {
    out += std::string_view(part);
  }
}

template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
}

// "<file>: <parts>."
template <class... Parts>
Error fail(Status status, std::string_view file, const Parts&... parts) {
  return {status, text(file, ": ", parts..., ".")};
}

// A name from a file in double quotes, with control characters escaped and a
// long tail cut off: messages end up in terminals and logs.
std::string quote_name(std::string_view name);

// [2, 3]
std::string shape_text(const Shape& shape);

// Never throws: if even the sentence finds no memory, it is two words long and
// lives inside the string object.
Error out_of_memory(std::string_view file) noexcept;

// The one place where exceptions end. Only the standard library throws here:
// bad_alloc, or length_error for a size that no vector can have.
template <class Work>
Error guarded(std::string_view file, const Work& work) noexcept {
  try {
    return work();
  } catch (...) {
    return out_of_memory(file);
  }
}

}  // namespace heed::io

#endif
