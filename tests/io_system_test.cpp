// heed::io where the system gives out: each system call fails in turn, is interrupted, or does less
// than was asked for. They are caught by GNU ld's --wrap.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <functional>
#include <system_error>

#include "io_files.hpp"

namespace {

enum class Call { none, open, fstat, read, write, fsync, close, rename };

// From the `after`-th call of that kind on, `times` calls answer `result` with `error`.
struct Fault {
  Call call = Call::none;
  int error = 0, times = 1, after = 0;
  long result = -1;
};
Fault fault;
int opened, closed;
std::size_t most_bytes = SIZE_MAX;  // that one read or write takes
std::size_t largest_write;

bool fails(Call call) {
  if (fault.call != call || fault.times == 0 || fault.after-- > 0) return false;
  --fault.times;
  fault.after = 0;
  errno = fault.error;
  return true;
}
std::size_t some(std::size_t bytes) { return bytes < most_bytes ? bytes : most_bytes; }

}  // namespace

extern "C" {
int __real_open(const char*, int, mode_t);
int __real_fstat(int, struct stat*);
ssize_t __real_read(int, void*, size_t);
ssize_t __real_write(int, const void*, size_t);
int __real_fsync(int);
int __real_close(int);
int __real_rename(const char*, const char*);

int __wrap_open(const char* path, int flags, mode_t mode) {
  if (fails(Call::open)) return -1;
  const int descriptor = __real_open(path, flags, mode);
  if (descriptor >= 0) ++opened;
  return descriptor;
}
int __wrap_fstat(int d, struct stat* s) { return fails(Call::fstat) ? -1 : __real_fstat(d, s); }
ssize_t __wrap_read(int d, void* to, size_t n) {
  return fails(Call::read) ? fault.result : __real_read(d, to, some(n));
}
ssize_t __wrap_write(int d, const void* from, size_t n) {
  if (n > largest_write) largest_write = n;
  return fails(Call::write) ? fault.result : __real_write(d, from, some(n));
}
int __wrap_fsync(int d) { return fails(Call::fsync) ? -1 : __real_fsync(d); }
int __wrap_close(int d) {
  ++closed;
  const int result = __real_close(d);
  return fails(Call::close) ? -1 : result;
}
int __wrap_rename(const char* from, const char* to) { return fails(Call::rename) ? -1 : __real_rename(from, to); }
}

namespace {

Error with(const Fault& f, const std::function<Error()>& work) {
  opened = closed = 0;
  fault = f;
  const Error error = work();
  fault = {};
  CHECK(opened == closed);
  return error;
}

void check(const Error& error, Status want, int reason) {
  CAPTURE(error.message);
  CHECK(error.status == want);
  CHECK(error.message.find(std::generic_category().message(reason)) != std::string::npos);
}

NpyArray array_of(std::size_t n) {
  NpyArray array{Dtype::f32, {n}, {}, {}};
  for (std::size_t i = 0; i < n; ++i) array.f32.push_back(static_cast<float>(i) * 0.25f);
  return array;
}

}  // namespace

TEST_CASE("each system call of reading that fails gives a status and the system's reason") {
  const Folder folder;
  const std::string path = folder / "a";
  REQUIRE_FALSE(write_npy(path, array_of(9)));
  NpyArray array = array_of(2);
  const auto load = [&] { return load_npy(path, array); };
  check(with({Call::open, EACCES}, load), Status::open_failed, EACCES);
  check(with({Call::fstat, EIO}, load), Status::read_failed, EIO);
  check(with({Call::read, EIO}, load), Status::read_failed, EIO);
  const Error error = with({Call::read, 0, 1, 0, 0}, load);
  CHECK(error.status == Status::truncated);
  CHECK(error.message == path + ": expected 164 bytes, but the file ended after 0.");
  CHECK(array.f32 == array_of(2).f32);
  CHECK_FALSE(with({}, load));
  CHECK(array.f32 == array_of(9).f32);
  SafetensorsFile file;
  check(with({Call::read, EIO}, [&] { return load_safetensors(path, file); }), Status::read_failed, EIO);
}

TEST_CASE("files are written in pieces of 64 KiB") {
  const Folder folder;
  largest_write = 0;
  REQUIRE_FALSE(write_npy(folder / "a", array_of(40'000)));
  CHECK(largest_write == 65536);
}

TEST_CASE("each system call of writing that fails gives a status, and leaves the older file and no other") {
  const Folder folder;
  const std::string path = folder / "a";
  REQUIRE_FALSE(write_npy(path, array_of(3)));
  const Bytes before = slurp(path);
  const NpyArray array = array_of(40'000);  // in three pieces
  const auto save = [&] { return write_npy(path, array); };
  const auto refused = [&](const Fault& f, Status want, int reason) {
    CAPTURE(int(f.call), f.error, f.after);
    check(with(f, save), want, reason);
    CHECK(slurp(path) == before);
    CHECK(folder.files() == 1);
  };
  refused({Call::open, EACCES}, Status::open_failed, EACCES);
  refused({Call::open, EEXIST, 1000}, Status::open_failed, EEXIST);
  for (const int piece : {0, 1, 2}) refused({Call::write, ENOSPC, 1, piece}, Status::write_failed, ENOSPC);
  refused({Call::write, 0, 1, 0, 0}, Status::write_failed, EIO);
  refused({Call::fsync, EIO}, Status::write_failed, EIO);
  refused({Call::close, EDQUOT}, Status::write_failed, EDQUOT);
  refused({Call::rename, EXDEV}, Status::write_failed, EXDEV);
  check(with({Call::open, EACCES}, [&] { return write_sample(path); }), Status::open_failed, EACCES);
  CHECK_FALSE(with({}, save));
  NpyArray again;
  REQUIRE_FALSE(load_npy(path, again));
  CHECK(again.f32 == array.f32);
}

TEST_CASE("what is no fault of the system is no failure") {
  const Folder folder;
  const std::string path = folder / "a";
  const NpyArray array = array_of(20'000);
  const auto save = [&] { return write_npy(path, array); };
  const auto load = [&] {
    NpyArray again;
    Error error = load_npy(path, again);
    if (!error) CHECK(again.f32 == array.f32);
    return error;
  };
  for (const Call call : {Call::open, Call::write, Call::fsync}) CHECK_FALSE(with({call, EINTR, 3}, save));
  for (const Call call : {Call::open, Call::read}) CHECK_FALSE(with({call, EINTR, 3}, load));
  CHECK_FALSE(with({Call::fsync, EINVAL}, save));     // a file system that cannot
  CHECK_FALSE(with({Call::close, EINTR}, save));      // and Linux has closed it
  CHECK_FALSE(with({Call::open, EEXIST, 99}, save));  // temporaries of a crashed process
  CHECK_FALSE(with({}, load));
  most_bytes = 1000;
  CHECK_FALSE(with({}, save));
  CHECK_FALSE(with({}, load));
  most_bytes = SIZE_MAX;
  CHECK(folder.files() == 1);
}

TEST_CASE("descriptor 0 is a descriptor") {
  const Folder folder;
  const int input = ::dup(0);
  REQUIRE(input >= 0);
  REQUIRE(__real_close(0) == 0);
  const Error written = with({}, [&] { return write_npy(folder / "a", array_of(5)); });
  NpyArray array;
  const Error read = with({}, [&] { return load_npy(folder / "a", array); });
  REQUIRE(::dup2(input, 0) == 0);
  __real_close(input);
  CHECK_FALSE(written);
  CHECK_FALSE(read);
  CHECK(array.f32 == array_of(5).f32);
}
