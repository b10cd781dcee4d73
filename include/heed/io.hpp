// heed::io reads and writes the two file formats in which attention weights and
// activations travel between Python and a device: .safetensors and .npy.
//
// Files are hostile until proven otherwise. Every byte of a header is checked
// before anything is believed: sizes with overflow-checked 64-bit arithmetic,
// names for duplicates, offsets for overlaps and gaps. A file that passes has
// exactly one meaning. A refused file costs at most memory for its own bytes
// (a small multiple of its header) plus a constant.
//
// Errors are values. No function throws: every one is noexcept, and running out
// of memory is a status like any other. After an error the outputs are as they
// were before the call.
//
// Threads: there is no global state except a counter for temporary file names
// (atomic). Any function may run in any thread at any time; one object may be
// read by many threads at once, and written by one while nobody reads it.
//
// Hosted systems only (POSIX files, heap). A device needs none of this.
#ifndef HEED_IO_HPP
#define HEED_IO_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heed::io {

// What went wrong, for programs. Error::message says it for people.
enum class Status {
  ok,
  open_failed,       // the file cannot be opened or created, or is not a regular file
  read_failed,       // the system failed while reading
  write_failed,      // the system failed while writing; no file was left behind
  out_of_memory,     // the heap is exhausted
  truncated,         // the file ends before its header or (npy) its values do
  header_too_large,  // the header is longer than this library accepts
  bad_header,        // the header has a wrong form
  bad_json,          // safetensors: the header is not JSON in UTF-8
  duplicate_key,     // a key or a tensor name stands twice
  unknown_key,       // a key that the format does not know
  missing_key,       // a key that the format demands is absent
  bad_metadata,      // safetensors: __metadata__ is not an object of strings
  bad_dtype,         // an unknown dtype, or one that this call cannot deliver
  bad_shape,         // not a list of sizes, too many of them, or a product beyond 64 bits
  bad_offsets,       // safetensors: data_offsets are not [begin, end] inside the data
  overlap,           // safetensors: two tensors share bytes
  gap,               // safetensors: bytes between two tensors belong to nobody
  misaligned,        // safetensors: a tensor starts at no multiple of its element size
  trailing_bytes,    // bytes after the last value
  size_mismatch,     // the shape and the number of values or bytes disagree
  bad_value,         // a boolean that is neither 0 nor 1
  bad_name,          // a name to be written is not UTF-8 or is reserved
  too_many,          // more tensors or metadata entries than this library accepts
  not_found,         // no tensor has this name
  bad_magic,         // npy: the file does not begin with \x93NUMPY
  bad_version,       // npy: a version other than 1.0, 2.0 and 3.0
};

// The enumerator's own name, "duplicate_key" for example. Never null.
const char* status_name(Status status) noexcept;

// The result of every call. True means that something went wrong:
//
//   if (const heed::io::Error error = heed::io::load_npy(path, array)) {
//     std::cerr << error.message << '\n';
//   }
//
// message is one sentence which names the file, the tensor if there is one, what
// was expected and what was found. Names that come from a file are quoted,
// escaped and cut to 80 bytes, so a hostile file cannot steer a terminal.
struct [[nodiscard]] Error {
  Status status = Status::ok;
  std::string message;

  explicit operator bool() const noexcept { return status != Status::ok; }
};

// Element types. A safetensors file may hold any of them; which of them a
// function can read or write is said there. Sub-byte types are refused.
enum class Dtype : std::uint8_t {
  boolean,
  u8,
  i8,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  i64,
  u64,
  f64,
  c64,
};

// The name that safetensors uses: "F32", "BOOL". Never null.
const char* dtype_name(Dtype dtype) noexcept;

// Bytes of one element: 1, 2, 4 or 8.
std::size_t dtype_size(Dtype dtype) noexcept;

// Sizes of a tensor's dimensions, outermost first; empty for a scalar.
using Shape = std::vector<std::uint64_t>;
using Metadata = std::map<std::string, std::string>;

// ---- safetensors --------------------------------------------------------------

// Limits. A header beyond them is refused with header_too_large, too_many or
// bad_shape, so that no header can make a small file cost much memory.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;  // bytes
inline constexpr std::size_t kMaxSafetensorsTensors = 65'536;
inline constexpr std::size_t kMaxSafetensorsMetadata = 65'536;
inline constexpr std::size_t kMaxSafetensorsDims = 32;

// One tensor of a file. begin and end are bytes from the start of the data (not
// of the file); end - begin is the product of shape times dtype_size(dtype).
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// A whole .safetensors file that has passed every check, held in memory.
// Const functions may run in many threads at once.
class SafetensorsFile {
 public:
  // All tensors in the order of their bytes in the file.
  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }

  // The entries of __metadata__; empty if the file has none.
  const Metadata& metadata() const noexcept { return metadata_; }

  // The name under which the file was loaded or parsed.
  const std::string& file_name() const noexcept { return file_name_; }

  // The tensor with this name or null. Linear in the number of tensors.
  // The pointer lives until this object is changed or destroyed.
  const TensorInfo* find(std::string_view name) const noexcept;

  // The raw little-endian bytes of one of this object's own tensors, which may
  // stand at any address: copy them out with memcpy.
  const std::uint8_t* bytes(const TensorInfo& tensor) const noexcept {
    return file_.data() + data_start_ + tensor.begin;
  }

  // Copies a tensor out in C order, with its shape.
  // Errors: not_found; bad_dtype if the stored type is not among those listed;
  // bad_value (read_bool); out_of_memory.
  //
  // read_f32   F32 bit by bit; F16 and BF16 exactly; F64 rounded to the nearest
  //            float, ties to even, overflow to infinity. NaN stays NaN.
  // read_f64   F64 bit by bit.
  // read_i64   I64.
  // read_bool  BOOL or U8, if every byte is 0 or 1.
  Error read_f32(std::string_view name, std::vector<float>& out, Shape& shape) const noexcept;
  Error read_f64(std::string_view name, std::vector<double>& out, Shape& shape) const noexcept;
  Error read_i64(std::string_view name, std::vector<std::int64_t>& out,
                 Shape& shape) const noexcept;
  Error read_bool(std::string_view name, std::vector<std::uint8_t>& out,
                  Shape& shape) const noexcept;

 private:
  friend Error load_safetensors(std::string_view, SafetensorsFile&) noexcept;
  friend Error parse_safetensors(const void*, std::size_t, std::string_view,
                                 SafetensorsFile&) noexcept;

  std::string file_name_;
  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
  std::vector<std::uint8_t> file_;
  std::size_t data_start_ = 0;
};

// Reads and checks a whole file.
// Errors: open_failed, read_failed, out_of_memory, and those of
// parse_safetensors. A file that shrinks while it is read gives truncated.
Error load_safetensors(std::string_view path, SafetensorsFile& out) noexcept;

// Checks `size` bytes in memory as if they were a file, and copies them.
// file_name stands in messages only. data may be null if size is 0.
//
// Stricter than the format's own reader in what could be misread: no key may
// stand twice, a tensor has no keys but dtype, shape and data_offsets, numbers
// are plain unsigned integers (no -0, 1e3 or 1.0), the data are covered by the
// tensors without overlap, gap or rest, and each tensor begins at a multiple of
// its element size, counted from the start of the data.
//
// Errors: truncated, header_too_large, bad_header, bad_json, duplicate_key,
// unknown_key, missing_key, bad_metadata, bad_dtype, bad_shape, bad_offsets,
// overlap, gap, misaligned, trailing_bytes, size_mismatch, too_many,
// out_of_memory.
Error parse_safetensors(const void* data, std::size_t size, std::string_view file_name,
                        SafetensorsFile& out) noexcept;

// A tensor to be written: who owns the values keeps them alive during the call.
// data points to `count` elements of dtype in the machine's own byte order.
// Make it with the functions below, which cannot confuse the types.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  const void* data = nullptr;
  std::size_t count = 0;
};

inline TensorView view_f32(std::string name, Shape shape,
                           const std::vector<float>& values) noexcept {
  return {std::move(name), Dtype::f32, std::move(shape), values.data(), values.size()};
}
inline TensorView view_f64(std::string name, Shape shape,
                           const std::vector<double>& values) noexcept {
  return {std::move(name), Dtype::f64, std::move(shape), values.data(), values.size()};
}
inline TensorView view_i64(std::string name, Shape shape,
                           const std::vector<std::int64_t>& values) noexcept {
  return {std::move(name), Dtype::i64, std::move(shape), values.data(), values.size()};
}
inline TensorView view_u8(std::string name, Shape shape,
                          const std::vector<std::uint8_t>& values) noexcept {
  return {std::move(name), Dtype::u8, std::move(shape), values.data(), values.size()};
}
// Each value must be 0 or 1.
inline TensorView view_bool(std::string name, Shape shape,
                            const std::vector<std::uint8_t>& values) noexcept {
  return {std::move(name), Dtype::boolean, std::move(shape), values.data(), values.size()};
}

// Writes tensors and metadata. Wide elements come first in the file, so that all
// are aligned; tensors of one width keep their order. The header is padded with
// spaces to a multiple of 8 bytes. Equal arguments give equal bytes.
//
// There is never half a file: everything goes to a temporary file in the same
// folder, is flushed to the disk, and only then takes the name `path`, replacing
// a file or symbolic link of that name. On any error the temporary file is removed
// and an older file at `path` stays untouched. A device or a folder is refused.
//
// Errors: bad_dtype (other than F32, F64, I64, U8, BOOL), bad_shape,
// size_mismatch (shape and count), bad_value, bad_name, duplicate_key,
// header_too_large, too_many, open_failed, write_failed, out_of_memory.
Error write_safetensors(std::string_view path, const std::vector<TensorView>& tensors,
                        const Metadata& metadata) noexcept;

// ---- npy ----------------------------------------------------------------------

inline constexpr std::size_t kMaxNpyHeader = 65'536;  // bytes
inline constexpr std::size_t kMaxNpyDims = 8;

// An array in C order. dtype is f32 or boolean and says which vector is used:
// it has as many elements as the product of shape, and the other one is empty.
// Elements of `boolean` are 0 or 1.
struct NpyArray {
  Dtype dtype = Dtype::f32;
  Shape shape;
  std::vector<float> f32;
  std::vector<std::uint8_t> boolean;
};

// Reads and checks a whole file.
// Errors: open_failed, read_failed, out_of_memory, and those of parse_npy.
Error load_npy(std::string_view path, NpyArray& out) noexcept;

// Checks and converts `size` bytes in memory as if they were a file; file_name
// stands in messages only. data may be null if size is 0.
//
// Versions 1.0, 2.0 and 3.0; '<f4', '<f8' and '<f2' (converted to float as by
// SafetensorsFile::read_f32) and '|b1'. Fortran order is converted to C order.
// Pickled objects are never read.
//
// Errors: bad_magic, bad_version, truncated, header_too_large, bad_header,
// duplicate_key, unknown_key, missing_key, bad_dtype, bad_shape, bad_value,
// trailing_bytes, out_of_memory.
Error parse_npy(const void* data, std::size_t size, std::string_view file_name,
                NpyArray& out) noexcept;

// Writes version 1.0 in C order, with a header as numpy writes it. Whole or not
// at all, like write_safetensors.
// Errors: bad_dtype, bad_shape, size_mismatch, bad_value, open_failed,
// write_failed, out_of_memory.
Error write_npy(std::string_view path, const NpyArray& array) noexcept;

}  // namespace heed::io

#endif
