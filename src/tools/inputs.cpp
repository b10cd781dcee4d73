#include "tools/inputs.hpp"

#include <limits>

#include "tools/failure.hpp"

namespace heed::tool {
namespace {

constexpr uint32_t kMaxSize = std::numeric_limits<uint32_t>::max();

Input load(const std::string& path, bool is_mask) {
  Input input;
  input.path = path;
  if (path.empty()) return input;
  check(io::load_npy(path, input.array));
  const io::Shape& shape = input.array.shape;
  if (!is_mask && input.array.dtype != io::Dtype::f32)
    refuse(path, ": expected float values, found ", io::dtype_name(input.array.dtype));
  if (shape.size() > HEED_MAX_RANK)
    refuse(path, ": expected at most ", HEED_MAX_RANK, " dimensions, found the shape ", io::shape_text(shape));
  for (const uint64_t size : shape)
    if (size > kMaxSize)
      refuse(path, ": expected sizes of at most ", kMaxSize, ", found the shape ", io::shape_text(shape));
  return input;
}

void check_rank(const Input& input, const Inputs& in) {
  const std::size_t rank = in.query.array.shape.size();
  if (!input.given() || input.array.shape.size() == rank) return;
  refuse(input.path, ": expected ", rank, " dimensions, as ", in.query.path, " has, found the shape ",
         io::shape_text(input.array.shape));
}

// "a.npy", or "a.npy and b.npy".
std::string both(const Input& a, const Input& b) { return a.path == b.path ? a.path : a.path + " and " + b.path; }

}  // namespace

heed_tensor view(const io::NpyArray& array) {
  static const float nothing = 0;  // NULL would mean that the tensor is absent
  const void* data = &nothing;
  if (!array.f32.empty()) data = array.f32.data();
  if (!array.boolean.empty()) data = array.boolean.data();
  uint32_t d[HEED_MAX_RANK] = {};
  for (std::size_t i = 0; i < array.shape.size(); ++i) d[i] = static_cast<uint32_t>(array.shape[i]);
  return heed_contiguous(data, array.dtype == io::Dtype::boolean ? HEED_BOOL : HEED_FLOAT32,
                         static_cast<uint32_t>(array.shape.size()), d[0], d[1], d[2], d[3]);
}

Inputs load_inputs(const RunOptions& options) {
  Inputs in;
  in.batch_first = options.batch_first;
  in.query = load(options.query, false);
  in.key = load(options.key, false);
  in.value = load(options.value, false);
  in.key_padding_mask = load(options.key_padding_mask, true);
  in.attn_mask = load(options.attn_mask, true);
  const std::size_t rank = in.query.array.shape.size();
  if (rank != 2 && rank != 3)
    refuse(in.query.path, ": expected 3 dimensions, or 2 if unbatched, found the shape ",
           io::shape_text(in.query.array.shape));
  check_rank(in.key, in);
  check_rank(in.value, in);
  return in;
}

std::string blame(heed_status status, const Inputs& in) {
  switch (status) {
    case HEED_ERROR_KEY_PADDING_MASK_RANK:
    case HEED_ERROR_KEY_PADDING_MASK_SHAPE: return in.key_padding_mask.path;
    case HEED_ERROR_ATTN_MASK_RANK:
    case HEED_ERROR_UNBATCHED_ATTN_MASK:
    case HEED_ERROR_ATTN_MASK_2D:
    case HEED_ERROR_ATTN_MASK_3D: return in.attn_mask.path;
    case HEED_ERROR_QUERY_RANK:
    case HEED_ERROR_EMBED_DIM: return in.query.path;
    case HEED_ERROR_KEY_VALUE_RANK:
    case HEED_ERROR_KEY_VALUE_SHAPE:
    case HEED_ERROR_KEY_VALUE_DIM: return both(in.keys_file(), in.values_file());
    case HEED_ERROR_BATCH: return both(in.query, in.keys_file());
    default: return "";
  }
}

}  // namespace heed::tool
