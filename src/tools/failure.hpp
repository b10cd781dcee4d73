// failure.hpp - bad input ends a command with one sentence on stderr and exit code 1.
#pragma once
#include <stdexcept>
#include <string>

#include "heed/io.hpp"
#include "io/fail.hpp"

namespace heed::tool {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The parts are strings and integers; the full stop and "heed: " are added when it is printed.
template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw Failure(io::text(parts...));
}

inline void check(const io::Error& error) {
  if (error) refuse(error.message);
}

}  // namespace heed::tool
