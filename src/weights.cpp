// weights.cpp - from the tensors of a state_dict to packed weights (layout.hpp).
#include <string.h>

#include "core/crc32c.hpp"
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

enum Name { kInWeight, kQWeight, kKWeight, kVWeight, kInBias, kQBias, kKBias, kVBias, kBiasK, kBiasV, kOutWeight, kOutBias };

// As PyTorch names them, in the order of heed_state_dict.
constexpr char kNames[][16] = {"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight",
                               "in_proj_bias",   "q_proj_bias",   "k_proj_bias",   "v_proj_bias",
                               "bias_k",         "bias_v",        "out_proj.weight", "out_proj.bias"};
static_assert(sizeof(heed_state_dict) == sizeof kNames / sizeof kNames[0] * sizeof(heed_tensor), "one name per tensor");

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
      : tensors_(reinterpret_cast<const heed_tensor*>(&s)), g_(g), error_(error) {}

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
  bool has(int name) const { return tensors_[name].data != nullptr; }
  void fail(int name, const char* why, heed_status status);
  void refuse_tensors(int first, int count, const char* why, heed_status status);
  void refuse_surplus();
  void check(int name, const Shape& want, bool required);
  void matrix(int name, uint32_t rows, uint32_t columns, uint32_t first);
  void vector(int name, uint32_t columns, uint32_t first, bool required);
  void all();
  const heed_tensor* tensors_;
  const Geometry& g_;
  heed_error* error_;
  heed_status status_ = HEED_OK;
  float* to_ = nullptr;
};

void StateDict::fail(int name, const char* why, heed_status status) {
  if (status_ == HEED_OK) status_ = refuse(error_, status, "% %", &kNames[name][0], why);
}

void StateDict::refuse_tensors(int first, int count, const char* why, heed_status status) {
  for (int i = first; i < first + count; ++i)
    if (has(i)) fail(i, why, status);
}

// What is there and should not be.
void StateDict::refuse_surplus() {
  const uint32_t e = g_.embed_dim;
  if (has(kInWeight)) {
    refuse_tensors(kQWeight, 3, "came, but in_proj_weight came too: give one or the other", HEED_ERROR_STATE_DICT);
    if (g_.kdim != e || g_.vdim != e)
      fail(kInWeight, "came, but kdim or vdim differ from embed_dim: q_, k_ and v_proj_weight are needed",
           HEED_ERROR_STATE_DICT);
  } else if (!has(kQWeight) && !has(kKWeight) && !has(kVWeight)) {
    fail(kInWeight, "(or q_, k_ and v_proj_weight) is missing", HEED_ERROR_STATE_DICT);
  }
  if (!g_.bias) {
    const char* why = "came, but the configuration says bias = false";
    refuse_tensors(kInBias, 4, why, HEED_ERROR_STATE_DICT);
    refuse_tensors(kOutBias, 1, why, HEED_ERROR_STATE_DICT);
  } else if (has(kInBias)) {
    refuse_tensors(kQBias, 3, "came, but in_proj_bias came too: give one or the other", HEED_ERROR_STATE_DICT);
  }
  if (!g_.add_bias_kv)
    refuse_tensors(kBiasK, 2, "came, but the configuration says add_bias_kv = false", HEED_ERROR_BIAS_KV);
  else if (!has(kBiasK) || !has(kBiasV))
    fail(has(kBiasK) ? kBiasV : kBiasK, "is missing, but the configuration says add_bias_kv", HEED_ERROR_BIAS_KV);
}

// Leading dimensions may be 1, as bias_k has them.
void StateDict::check(int name, const Shape& want, bool required) {
  const heed_tensor& t = tensors_[name];
  const char* words = kNames[name];
  if (!t.data && required) fail(name, "is missing", HEED_ERROR_STATE_DICT);
  if (!t.data || status_ != HEED_OK) return;
  bool fits = t.rank >= want.rank && t.rank <= 3;
  for (uint32_t i = 0; fits && i < t.rank; ++i)
    fits = t.shape[i] == (i + want.rank < t.rank ? 1 : want.size[i + want.rank - t.rank]);
  if (fits) status_ = check_rows(words, t, error_);
  else status_ = refuse(error_, HEED_ERROR_STATE_DICT, "% should have shape %, but % came", words, &want, &t);
}

// embed_dim rows of the tensor, from `first` on.
void StateDict::matrix(int name, uint32_t rows, uint32_t columns, uint32_t first) {
  const heed_tensor& t = tensors_[name];
  if (!to_) return check(name, {2, {rows, columns}}, true);
  const ptrdiff_t stride = t.stride[t.rank - 2];
  to_ = pack_panels(static_cast<const float*>(t.data) + ptrdiff_t(first) * stride, stride, g_.embed_dim, columns, to_);
}

void StateDict::vector(int name, uint32_t columns, uint32_t first, bool required) {
  if (!to_) return check(name, {1, {columns}}, required);
  const float* data = static_cast<const float*>(tensors_[name].data);
  to_ = pack_panels(data ? data + first : nullptr, 1, g_.embed_dim, 1, to_);
}

void StateDict::all() {
  const uint32_t e = g_.embed_dim, depth[3] = {e, g_.kdim, g_.vdim};
  const bool one = has(kInWeight), one_bias = !has(kQBias) && !has(kKBias) && !has(kVBias);
  for (uint32_t i = 0; i < 3; ++i)
    matrix(one ? kInWeight : kQWeight + int(i), one ? 3 * e : e, depth[i], one ? i * e : 0);
  for (uint32_t i = 0; i < 3 && g_.bias; ++i)
    vector(one_bias ? kInBias : kQBias + int(i), one_bias ? 3 * e : e, one_bias ? i * e : 0, one_bias);
  for (int i = 0; i < 2 && g_.add_bias_kv; ++i) vector(kBiasK + i, e, 0, true);
  matrix(kOutWeight, e, e, 0);
  if (g_.bias) vector(kOutBias, e, 0, true);
}

// The checksum over all bytes as they were when the header's own field was still 0.
uint32_t checksum(const unsigned char* weights, size_t bytes) {
  WeightsHeader h;
  memcpy(&h, weights, sizeof h);
  h.crc = 0;
  return crc32c(weights + sizeof h, bytes - sizeof h, crc32c(&h, sizeof h));
}

heed_status check_weights_memory(const heed_plan* plan, const void* weights, heed_error* error) {
  const heed_status status = check_plan(plan, true, error);
  if (status != HEED_OK || reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT == 0) return status;
  return refuse_alignment(error, "weights");
}

}  // namespace

WeightsHeader weights_header(const Geometry& g, const WeightsLayout& w) {
  WeightsHeader h{};
  h.magic = kWeightsMagic;
  h.version = kWeightsVersion;
  h.panel = kPanel;
  h.embed_dim = g.embed_dim;
  h.num_heads = g.num_heads;
  h.kdim = g.kdim;
  h.vdim = g.vdim;
  h.bias = g.bias;
  h.add_bias_kv = g.add_bias_kv;
  h.bytes = w.bytes;
  return h;
}

// memcmp, without asking libc for it, of all but the checksum.
bool weights_match(const heed_plan& plan, const void* weights) {
  constexpr size_t kCrc = offsetof(WeightsHeader, crc);
  const unsigned char *a = reinterpret_cast<const unsigned char*>(&plan.header),
                      *b = static_cast<const unsigned char*>(weights);
  uint32_t difference = 0;
  for (size_t at = 0; at < sizeof(WeightsHeader); at += sizeof(uint32_t)) {
    uint32_t want, came;
    memcpy(&want, a + at, sizeof want);
    memcpy(&came, b + at, sizeof came);
    if (at != kCrc) difference |= want ^ came;
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
    if (!plan || !state_dict || !weights) return refuse_null(error, !plan ? "plan" : !state_dict ? "state_dict" : "weights");
    heed_status status = check_weights_memory(plan, weights, error);
    if (status == HEED_OK) status = check_room("packed weights need", plan->weights.bytes, bytes, error);
    if (status != HEED_OK) return status;
    StateDict s(*state_dict, plan->geometry, error);
    status = s.check();
    if (status != HEED_OK) return status;
    s.pack(static_cast<float*>(weights) + kWeightsHeaderBytes / sizeof(float));
    WeightsHeader h = plan->header;
    memcpy(weights, &h, sizeof h);
    h.crc = crc32c(weights, size_t(h.bytes));
    memcpy(weights, &h, sizeof h);
    return succeed(error);
  }
}

heed_status heed_weights_verify(const heed_plan* plan, const void* weights, size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !weights) return refuse_null(error, !plan ? "plan" : "weights");
  const heed_status status = check_weights_memory(plan, weights, error);
  if (status != HEED_OK) return status;
  if (bytes != plan->weights.bytes)
    return refuse(error, HEED_ERROR_WEIGHTS, "packed weights for this configuration have % bytes, but % came",
                  plan->weights.bytes, bytes);
  if (!weights_match(*plan, weights))
    return refuse(error, HEED_ERROR_WEIGHTS,
                  "weights have not the header that heed_weights_pack gives them for this plan");
  WeightsHeader h;
  memcpy(&h, weights, sizeof h);
  const uint32_t sum = checksum(static_cast<const unsigned char*>(weights), bytes);
  if (sum != h.crc)
    return refuse(error, HEED_ERROR_WEIGHTS, "weights are damaged: their CRC-32C should be %, but is %", h.crc, sum);
  return succeed(error);
}
