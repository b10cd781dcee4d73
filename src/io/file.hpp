// Files as this library wants them: read whole, written whole or not at all.
// Functions here may throw bad_alloc; callers stand inside guarded().
#ifndef HEED_SRC_IO_FILE_HPP
#define HEED_SRC_IO_FILE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "heed/io.hpp"

namespace heed::io {

// The bytes of a regular file. Refuses devices, pipes and folders: their size is
// not known before reading, and reading may never end.
Error read_file(std::string_view path, std::vector<std::uint8_t>& bytes);

// A file that appears under its name only when commit() succeeds; until then it
// is a temporary in the same folder, which the destructor removes.
//
// After a failure, write functions do nothing: commit() reports the first one.
class AtomicFile {
 public:
  AtomicFile() = default;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  Error open(std::string_view path);
  void write(const void* data, std::size_t size);
  // `count` elements of `size` bytes (1, 4 or 8), in the machine's byte order.
  void write_elements(const void* data, std::size_t count, std::size_t size);
  Error commit();

 private:
  void flush();

  std::string path_;
  std::string temporary_;  // empty once there is nothing to remove
  std::vector<std::uint8_t> buffer_;
  int descriptor_ = -1;
  int error_ = 0;  // errno of the first failure
};

}  // namespace heed::io

#endif
