// main.cpp - exit codes: 0, 1 for bad input with one sentence on stderr, 2 for wrong usage.
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "tools/failure.hpp"
#include "tools/options.hpp"

namespace {

int fail(const char* sentence) {
  const std::size_t length = std::strlen(sentence);
  const bool stop = length > 0 && sentence[length - 1] == '.';
  std::fflush(stdout);
  std::fprintf(stderr, "heed: %s%s\n", sentence, stop ? "" : ".");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = heed::tool::command_line(argc, argv);
    // A full disk or a closed pipe shows when the last bytes go out.
    if (std::fflush(stdout) != 0 || std::ferror(stdout)) return fail("cannot write to standard output");
    return code;
  } catch (const heed::tool::Failure& failure) {
    return fail(failure.what());
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}
