// weights.cpp - from the tensors of a state_dict to packed weights (layout.hpp).
#include <string.h>

#include "core/crc32c.hpp"
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

enum Name { kInWeight, kQWeight, kKWeight, kVWeight, kInBias, kQBias, kKBias, kVBias, kBiasK, kBiasV, kOutWeight, kOutBias };

static_assert(sizeof(heed_state_dict) == (kOutBias + 1) * sizeof(heed_tensor), "as many tensors, in this order");

Sentence name_of(int name) { return Sentence(uint32_t(Sentence::in_proj_weight) + uint32_t(name)); }

// (outputs, depth) row-major -> panels of 16 outputs, a vector being a matrix of depth 1; gives
// where the next region begins. No data: zeros.
float* pack_panels(const float* data, ptrdiff_t row_stride, uint32_t outputs, uint32_t depth, float* panels) {
  for (uint32_t p = 0; p < outputs; p += kPanel)
    for (uint32_t k = 0; k < depth; ++k)
      for (uint32_t i = 0; i < kPanel; ++i)
        *panels++ = data && p + i < outputs ? data[ptrdiff_t(p + i) * row_stride + ptrdiff_t(k)] : 0.0f;
  return panels;
}

// Goes through a state_dict in the order of the layout twice: first it checks, then it packs.
class StateDict {
 public:
  StateDict(const heed_state_dict& s, const Geometry& g, heed_error* error)
      : tensors_(reinterpret_cast<const heed_tensor*>(&s)), g_(g), error_(error) {
    for (int i = 0; i <= kOutBias; ++i) present_ |= uint32_t(tensors_[i].data != nullptr) << i;
  }

  heed_status check() {
    refuse_surplus();
    all();
    return status_;
  }
  void pack(float* to) {
    to_ = to;
    all();
  }

 private:
  bool has(int name) const { return present_ >> name & 1; }
  void fail(int name, Sentence why);
  void refuse_tensors(uint32_t which, Sentence why);
  void refuse_surplus();
  bool has_any_of_three(int first) const { return (present_ >> first & 7) != 0; }
  void check(int name, const Shape& want);
  void region(int name, uint32_t rows, uint32_t columns, uint32_t first);
  void all();
  const heed_tensor* tensors_;
  const Geometry& g_;
  heed_error* error_;
  uint32_t present_ = 0;  // a bit per tensor
  heed_status status_ = HEED_OK;
  float* to_ = nullptr;
};

HEED_APART void StateDict::fail(int name, Sentence why) {
  const bool is_bias_kv = why == Sentence::surplus_bias_kv || why == Sentence::no_bias_kv;
  const heed_status status = is_bias_kv ? HEED_ERROR_BIAS_KV : HEED_ERROR_STATE_DICT;
  if (status_ == HEED_OK) status_ = refuse_with(error_, status, why, name_of(name));
}

HEED_APART void StateDict::refuse_tensors(uint32_t which, Sentence why) {
  which &= present_;
  if (which) fail(__builtin_ctz(which), why);
}

// What is there and should not be.
void StateDict::refuse_surplus() {
  const uint32_t e = g_.embed_dim;
  if (has(kInWeight)) {
    refuse_tensors(7 << kQWeight, Sentence::two_weights);
    if (g_.kdim != e || g_.vdim != e) fail(kInWeight, Sentence::other_dims);
  } else if (!has_any_of_three(kQWeight)) {
    fail(kInWeight, Sentence::no_weights);
  }
  if (!g_.bias) refuse_tensors(15 << kInBias | 1 << kOutBias, Sentence::surplus_bias);
  else if (has(kInBias)) refuse_tensors(7 << kQBias, Sentence::two_biases);
  if (!g_.add_bias_kv) refuse_tensors(3 << kBiasK, Sentence::surplus_bias_kv);
  else if (!has(kBiasK) || !has(kBiasV)) fail(has(kBiasK) ? kBiasV : kBiasK, Sentence::no_bias_kv);
}

// Leading dimensions may be 1, as bias_k has them.
void StateDict::check(int name, const Shape& want) {
  const heed_tensor& t = tensors_[name];
  const bool required = name < kQBias || name > kVBias;
  if (!t.data && required) fail(name, Sentence::missing);
  if (!t.data || status_ != HEED_OK) return;
  bool fits = t.rank >= want.rank && t.rank <= 3;
  for (uint32_t i = 0; fits && i < t.rank; ++i)
    fits = t.shape[i] == (i + want.rank < t.rank ? 1 : want.size[i + want.rank - t.rank]);
  if (fits) status_ = check_rows(name_of(name), t, error_);
  else status_ = refuse<Sentence::shape>(error_, HEED_ERROR_STATE_DICT, name_of(name), &want, &t);
}

// embed_dim rows of a matrix, or elements of a vector (no columns), from `first` on.
HEED_APART void StateDict::region(int name, uint32_t rows, uint32_t columns, uint32_t first) {
  if (!to_) return check(name, {columns ? 2u : 1u, {rows, columns}});
  const heed_tensor& t = tensors_[name];
  const ptrdiff_t stride = columns ? t.stride[t.rank - 2] : 1;
  const float* data = static_cast<const float*>(t.data);
  to_ =
      pack_panels(data ? data + ptrdiff_t(first) * stride : nullptr, stride, g_.embed_dim, columns ? columns : 1, to_);
}

void StateDict::all() {
  const uint32_t e = g_.embed_dim, depth[3] = {e, g_.kdim, g_.vdim};
  for (uint32_t is_bias = 0; is_bias <= uint32_t(g_.bias); ++is_bias) {
    const int whole = is_bias ? kInBias : kInWeight;
    const bool one = !has_any_of_three(whole + 1);  // for all of q, k and v
    for (uint32_t i = 0; i < 3; ++i)
      region(one ? whole : whole + 1 + int(i), one ? 3 * e : e, is_bias ? 0 : depth[i], one ? i * e : 0);
  }
  for (int i = 0; i < 2 && g_.add_bias_kv; ++i) region(kBiasK + i, e, 0, 0);
  region(kOutWeight, e, e, 0);
  if (g_.bias) region(kOutBias, e, 0, 0);
}

// The checksum over all bytes as they were when the header's own field was still 0: a header that
// matches the plan's was that.
uint32_t checksum(const heed_plan& plan, const unsigned char* weights) {
  constexpr size_t kHeader = sizeof plan.header;
  return crc32c(weights + kHeader, plan.weights.bytes - kHeader, crc32c(&plan.header, kHeader));
}

heed_status check_weights_memory(const heed_plan* plan, const void* weights, heed_error* error) {
  const heed_status status = check_plan(plan, true, error);
  return status != HEED_OK ? status : check_alignment(Sentence::name_weights, weights, error);
}

}  // namespace

// memcmp, without asking libc for it, of all but the checksum, a word of the machine at a time.
bool weights_match(const heed_plan& plan, const void* weights) {
  constexpr size_t kCrc = offsetof(WeightsHeader, crc);
  const unsigned char *a = reinterpret_cast<const unsigned char*>(&plan.header),
                      *b = static_cast<const unsigned char*>(weights);
  uintptr_t difference = 0;
  for (size_t at = 0; at < sizeof(WeightsHeader); at += sizeof difference) {
    uintptr_t want, came;
    memcpy(&want, a + at, sizeof want);
    memcpy(&came, b + at, sizeof came);
    want ^= came;
    if (at / sizeof want == kCrc / sizeof want) want &= ~(uintptr_t(0xffffffffu) << kCrc % sizeof want * 8);
    difference |= want;
  }
  return difference == 0;
}

}  // namespace heed

heed_status heed_weights_pack(const heed_plan* plan, const heed_state_dict* state_dict, void* weights,
                              size_t bytes, heed_error* error) {
  using namespace heed;
  if constexpr (!kWithPack) {
    return refuse_feature(error, "HEED_WITH_PACK");
  } else {
    if (!plan || !state_dict || !weights)
      return refuse_null(error, !plan         ? Sentence::name_plan
                                : !state_dict ? Sentence::name_state_dict
                                              : Sentence::name_weights);
    heed_status status = check_weights_memory(plan, weights, error);
    if (status == HEED_OK) status = check_room(Sentence::weights_room, plan->weights.bytes, bytes, error);
    if (status != HEED_OK) return status;
    StateDict s(*state_dict, plan->geometry, error);
    status = s.check();
    if (status != HEED_OK) return status;
    s.pack(static_cast<float*>(weights) + kWeightsHeaderBytes / sizeof(float));
    memcpy(weights, &plan->header, sizeof plan->header);
    const uint32_t crc = crc32c(weights, plan->weights.bytes);
    memcpy(static_cast<unsigned char*>(weights) + offsetof(WeightsHeader, crc), &crc, sizeof crc);
    return succeed(error);
  }
}

heed_status heed_weights_verify(const heed_plan* plan, const void* weights, size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !weights) return refuse_null(error, !plan ? Sentence::name_plan : Sentence::name_weights);
  const heed_status status = check_weights_memory(plan, weights, error);
  if (status != HEED_OK) return status;
  if (bytes != plan->weights.bytes)
    return refuse<Sentence::weights_bytes>(error, HEED_ERROR_WEIGHTS, plan->weights.bytes, bytes);
  if (!weights_match(*plan, weights)) return refuse<Sentence::weights_header>(error, HEED_ERROR_WEIGHTS);
  const unsigned char* const all = static_cast<const unsigned char*>(weights);
  const uint32_t sum = checksum(*plan, all);
  uint32_t want;
  memcpy(&want, all + offsetof(WeightsHeader, crc), sizeof want);
  if (sum != want) return refuse<Sentence::weights_damaged>(error, HEED_ERROR_WEIGHTS, want, sum);
  return succeed(error);
}
