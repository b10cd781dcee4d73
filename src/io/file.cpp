#include "file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <system_error>

#include "fail.hpp"
#include "values.hpp"

namespace heed::io {

namespace {

constexpr std::size_t kBufferBytes = 65536;

std::string reason(int error) { return std::generic_category().message(error); }

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

template <class Call>
auto retried(const Call& call) noexcept {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

Error read_file(std::string_view path, std::vector<std::uint8_t>& bytes) {
  const std::string name(path);
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang.
  const Descriptor file{
      retried([&] { return ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); })};
  if (file.number < 0) return fail(Status::open_failed, path, "cannot open: ", reason(errno));
  struct stat about {};
  if (::fstat(file.number, &about) != 0) {
    return fail(Status::read_failed, path, "cannot read its size: ", reason(errno));
  }
  if (!S_ISREG(about.st_mode)) {
    return fail(Status::open_failed, path, "expected a regular file, but this is none");
  }
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > std::numeric_limits<std::size_t>::max()) return out_of_memory(path);
  bytes.resize(static_cast<std::size_t>(size));
  for (std::size_t done = 0; done < bytes.size();) {
    const auto got =
        retried([&] { return ::read(file.number, bytes.data() + done, bytes.size() - done); });
    if (got < 0) return fail(Status::read_failed, path, "cannot read: ", reason(errno));
    if (got == 0) {
      return fail(Status::truncated, path, "expected ", size, " bytes, but the file ended after ",
                  done);
    }
    done += static_cast<std::size_t>(got);
  }
  return {};
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Error AtomicFile::open(std::string_view path) {
  static std::atomic<unsigned> counter{0};
  path_ = path;
  // Renaming over a device would destroy it: root may well say --out /dev/null.
  struct stat about {};
  if (::stat(path_.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) {
    return fail(Status::open_failed, path, "expected a regular file or none, but this is neither");
  }
  buffer_.reserve(kBufferBytes);
  // A crashed process with our number may have left its temporary: try others.
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::string name = text(path, ".tmp~", ::getpid(), "~", counter.fetch_add(1));
    descriptor_ = retried(
        [&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor_ >= 0) {
      temporary_ = std::move(name);
      return {};
    }
    if (errno != EEXIST) break;
  }
  return fail(Status::open_failed, path,
              "cannot create a temporary file beside it: ", reason(errno));
}

void AtomicFile::flush() {
  for (std::size_t done = 0; error_ == 0 && done < buffer_.size();) {
    const auto put =
        retried([&] { return ::write(descriptor_, buffer_.data() + done, buffer_.size() - done); });
    if (put < 0) error_ = errno;
    if (put == 0) error_ = EIO;  // POSIX allows it, and it would loop for ever
    if (put > 0) done += static_cast<std::size_t>(put);
  }
  buffer_.clear();
}

void AtomicFile::write(const void* data, std::size_t size) { write_elements(data, size, 1); }

void AtomicFile::write_elements(const void* data, std::size_t count, std::size_t size) {
  const auto* from = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < count && error_ == 0; ++i, from += size) {
    std::uint64_t value = *from;
    if (size == 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, from, sizeof word);
      value = word;
    } else if (size == 8) {
      std::memcpy(&value, from, sizeof value);
    }
    if (buffer_.size() + size > kBufferBytes) flush();
    buffer_.resize(buffer_.size() + size);
    store_le(buffer_.data() + buffer_.size() - size, value, size);
  }
}

Error AtomicFile::commit() {
  flush();
  // Without fsync a crash soon after the rename may leave an empty file under
  // the good name. EINVAL: a file system that cannot sync, which is no fault.
  if (error_ == 0 && retried([&] { return ::fsync(descriptor_); }) != 0 && errno != EINVAL) {
    error_ = errno;
  }
  // Closed once only: after EINTR Linux has closed the descriptor already.
  if (::close(descriptor_) != 0 && error_ == 0 && errno != EINTR) error_ = errno;
  descriptor_ = -1;
  if (error_ == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) error_ = errno;
  if (error_ != 0) return fail(Status::write_failed, path_, "cannot write: ", reason(error_));
  temporary_.clear();
  return {};
}

}  // namespace heed::io
