#include <algorithm>
#include <tuple>

#include "dtype.hpp"
#include "fail.hpp"
#include "safetensors_header.hpp"
#include "sizes.hpp"

namespace heed::io {

namespace {

template <class... Parts>
Error fail_tensor(Status status, std::string_view file, const TensorInfo& tensor,
                  const Parts&... parts) {
  return fail(status, file, "tensor ", quote_name(tensor.name), ": ", parts...);
}

// Each tensor by itself: inside the data, as long as its shape says, aligned.
Error check_tensor(const TensorInfo& tensor, std::uint64_t data_size, std::string_view file) {
  const std::size_t element = dtype_size(tensor.dtype);
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  if (!checked_bytes(tensor.shape, element, count, bytes)) {
    return fail_tensor(Status::bad_shape, file, tensor,
                       "expected a size of at most 64 bits, found the shape ",
                       shape_text(tensor.shape));
  }
  if (tensor.begin > tensor.end || tensor.end > data_size) {
    return fail_tensor(Status::bad_offsets, file, tensor, "expected data_offsets within the ",
                       data_size, " bytes of data, found [", tensor.begin, ", ", tensor.end, "]");
  }
  if (tensor.end - tensor.begin != bytes) {
    return fail_tensor(Status::size_mismatch, file, tensor, "expected ", bytes,
                       " bytes for the shape ", shape_text(tensor.shape), " of ",
                       dtype_name(tensor.dtype), ", but data_offsets span ",
                       tensor.end - tensor.begin);
  }
  if (tensor.begin % element != 0) {
    return fail_tensor(Status::misaligned, file, tensor, "expected ", dtype_name(tensor.dtype),
                       " data to begin at a multiple of ", element, ", found offset ",
                       tensor.begin);
  }
  return {};
}

}  // namespace

Error check_layout(std::uint64_t data_size, std::string_view file,
                   std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& tensor : tensors) {
    if (Error error = check_tensor(tensor, data_size, file)) return error;
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t covered = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.begin != covered) {
      return fail_tensor(tensor.begin < covered ? Status::overlap : Status::gap, file, tensor,
                         "expected its data to begin at offset ", covered,
                         ", where the tensor before it ends, found ", tensor.begin);
    }
    covered = tensor.end;
  }
  if (covered != data_size) {
    return fail(Status::trailing_bytes, file,
                "expected the data to end with the last tensor at byte ", covered, ", found ",
                data_size, " bytes");
  }
  return {};
}

}  // namespace heed::io
