// io_files.hpp - files made byte by byte, for the tests of heed::io.
#pragma once
#include "heed/io.hpp"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "catch.hpp"

using namespace heed::io;
namespace fs = std::filesystem;

using Bytes = std::vector<std::uint8_t>;

inline Bytes bytes_of(const std::string& text) {
  Bytes bytes;
  for (const char c : text) bytes.push_back(static_cast<std::uint8_t>(c));  // which may be negative
  return bytes;
}

// The same bytes in an exact heap block, so that a sanitizer sees each over-read.
inline Status parse(const Bytes& bytes, SafetensorsFile& out) {
  const Bytes exact(bytes.begin(), bytes.end());
  const Error error = parse_safetensors(exact.data(), exact.size(), "memory", out);
  CHECK(static_cast<bool>(error) == !error.message.empty());
  return error.status;
}
inline Status parse(const Bytes& bytes, NpyArray& out) {
  const Bytes exact(bytes.begin(), bytes.end());
  const Error error = parse_npy(exact.data(), exact.size(), "memory", out);
  CHECK(static_cast<bool>(error) == !error.message.empty());
  return error.status;
}

inline Bytes little_endian(std::uint64_t value, int size) {
  Bytes bytes;
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> 8 * i));
  return bytes;
}

inline Bytes safetensors(const std::string& header, const Bytes& data = {}) {
  Bytes bytes = little_endian(header.size(), 8);
  const Bytes text = bytes_of(header);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline Bytes npy(const std::string& dict, std::size_t data_size = 0, int major = 1) {
  Bytes bytes = bytes_of("\x93NUMPY");
  bytes.push_back(static_cast<std::uint8_t>(major));
  bytes.push_back(0);
  const Bytes length = little_endian(dict.size(), major == 1 ? 2 : 4);
  bytes.insert(bytes.end(), length.begin(), length.end());
  const Bytes text = bytes_of(dict);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.resize(bytes.size() + data_size);
  return bytes;
}

// An empty folder of our own that vanishes with the test.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("heed_io_test_" + std::to_string(::getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return (path / name).string(); }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(path), fs::directory_iterator());
  }
};

inline std::string many(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

inline Bytes slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return bytes_of(std::string(std::istreambuf_iterator<char>(in), {}));
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline const std::vector<float> kFloats = {0.0f, -0.0f, 1.5f, -INFINITY, 1e-45f, NAN};
inline const std::vector<double> kDoubles = {0.1, -1e300};
inline const std::vector<std::int64_t> kInts = {INT64_MIN, -1, INT64_MAX};
inline const std::vector<std::uint8_t> kBools = {1, 0, 1};

inline Error write_sample(const std::string& path) {
  return write_safetensors(
      path,
      {view_bool("mask", {3}, kBools), view_f32("w\"\n\xc3\xa9", {2, 3}, kFloats),
       view_f64("d", {2, 1}, kDoubles), view_i64("i", {3}, kInts), view_f32("none", {0, 7}, {}),
       view_u8("raw", {}, {1})},
      {{"format", "pt"}, {"", "\xe2\x82\xac"}});
}

inline const std::string kF32x2 = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
inline const std::string kDict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
