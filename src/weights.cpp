// weights.cpp - from the tensors of a state_dict to packed weights (layout.hpp).
#include <string.h>

#include "core/crc32c.hpp"
#include "core/message.hpp"
#include "job.hpp"

namespace heed {
namespace {

// A tensor of the state_dict: rows of floats, or absent.
struct Source {
  const float* data = nullptr;
  ptrdiff_t row_stride = 0;
};

enum Name { kInWeight, kQWeight, kKWeight, kVWeight, kInBias, kQBias, kKBias, kVBias, kBiasK, kBiasV, kOutWeight, kOutBias };

// As PyTorch names them, in the order of heed_state_dict.
constexpr char kNames[][16] = {"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight",
                               "in_proj_bias",   "q_proj_bias",   "k_proj_bias",   "v_proj_bias",
                               "bias_k",         "bias_v",        "out_proj.weight", "out_proj.bias"};

class StateDict {
 public:
  StateDict(const heed_state_dict& s, const Geometry& g, heed_error* error)
      : tensor_{&s.in_proj_weight, &s.q_proj_weight, &s.k_proj_weight, &s.v_proj_weight, &s.in_proj_bias, &s.q_proj_bias,
                &s.k_proj_bias, &s.v_proj_bias, &s.bias_k, &s.bias_v, &s.out_proj_weight, &s.out_proj_bias},
        g_(g), error_(error) {}

  heed_status collect();
  Source weight[4], bias[4], slot[2];  // of q, k, v, out; bias_k, bias_v

 private:
  bool has(int name) const { return tensor_[name]->data != nullptr; }
  void refuse_tensors(int first, int count, const char* why, heed_status status);
  Source read(int name, uint32_t rows, uint32_t columns, bool required = true);
  void collect_weights();
  void collect_biases();
  void collect_slots();
  const heed_tensor* tensor_[12];
  const Geometry& g_;
  heed_error* error_;
  heed_status status_ = HEED_OK;
};

void StateDict::refuse_tensors(int first, int count, const char* why, heed_status status) {
  for (int i = first; i < first + count; ++i)
    if (status_ == HEED_OK && has(i)) status_ = refuse(error_, status, "% came, but %", &kNames[i][0], why);
}

// The named tensor of (rows, columns); rows 0 means a vector, which may also come with leading
// dimensions of 1, as bias_k does. Absent though not required: a Source without data.
Source StateDict::read(int name, uint32_t rows, uint32_t columns, bool required) {
  const heed_tensor& t = *tensor_[name];
  const char* words = kNames[name];
  if (status_ != HEED_OK) return {};
  if (!t.data) {
    if (required) status_ = refuse(error_, HEED_ERROR_STATE_DICT, "% is missing", words);
    return {};
  }
  if (t.dtype != HEED_FLOAT32) {
    status_ = refuse(error_, HEED_ERROR_DTYPE, "% must be float32, but bool came", words);
    return {};
  }
  const Shape want = rows ? Shape{2, {rows, columns}} : Shape{1, {columns}};
  bool fits = t.rank >= want.rank && t.rank <= 3;
  for (uint32_t i = 0; fits && i < t.rank; ++i)
    fits = t.shape[i] == (i + want.rank < t.rank ? 1 : want.size[i + want.rank - t.rank]);
  if (!fits) {
    status_ = refuse(error_, HEED_ERROR_STATE_DICT, "% should have shape %, but % came", words, &want, &t);
    return {};
  }
  if (t.stride[t.rank - 1] != 1 && columns > 1)
    status_ = refuse(error_, HEED_ERROR_STRIDE, "the elements of a row of % must lie side by side", words);
  return {static_cast<const float*>(t.data), t.rank > 1 ? t.stride[t.rank - 2] : 0};
}

void StateDict::collect_weights() {
  const uint32_t e = g_.embed_dim, depth[3] = {e, g_.kdim, g_.vdim};
  if (!has(kInWeight)) {
    if (status_ == HEED_OK && !has(kQWeight) && !has(kKWeight) && !has(kVWeight))
      status_ = refuse(error_, HEED_ERROR_STATE_DICT, "% (or q_, k_ and v_proj_weight) is missing", &kNames[kInWeight][0]);
    for (int i = 0; i < 3; ++i) weight[i] = read(kQWeight + i, e, depth[i]);
    return;
  }
  refuse_tensors(kQWeight, 3, "in_proj_weight came too: give one or the other", HEED_ERROR_STATE_DICT);
  if (g_.kdim != e || g_.vdim != e)
    refuse_tensors(kInWeight, 1, "kdim or vdim differ from embed_dim: q_, k_ and v_proj_weight are needed",
                   HEED_ERROR_STATE_DICT);
  const Source all = read(kInWeight, 3 * e, e);
  for (int i = 0; i < 3 && all.data; ++i) weight[i] = {all.data + ptrdiff_t(e) * i * all.row_stride, all.row_stride};
}

void StateDict::collect_biases() {
  const uint32_t e = g_.embed_dim;
  if (!g_.bias) {
    const char* why = "the configuration says bias = false";
    refuse_tensors(kInBias, 4, why, HEED_ERROR_STATE_DICT);
    refuse_tensors(kOutBias, 1, why, HEED_ERROR_STATE_DICT);
    return;
  }
  if (has(kInBias)) refuse_tensors(kQBias, 3, "in_proj_bias came too: give one or the other", HEED_ERROR_STATE_DICT);
  if (has(kQBias) || has(kKBias) || has(kVBias)) {
    for (int i = 0; i < 3; ++i) bias[i] = read(kQBias + i, 0, e, false);
  } else {
    const Source all = read(kInBias, 0, 3 * e);
    for (uint32_t i = 0; i < 3 && all.data; ++i) bias[i] = {all.data + i * e, 0};
  }
  bias[3] = read(kOutBias, 0, e);
}

void StateDict::collect_slots() {
  if (!g_.add_bias_kv) return refuse_tensors(kBiasK, 2, "the configuration says add_bias_kv = false", HEED_ERROR_BIAS_KV);
  if (status_ == HEED_OK && !(has(kBiasK) && has(kBiasV)))
    status_ = refuse(error_, HEED_ERROR_BIAS_KV, "add_bias_kv needs bias_k and bias_v, but % is missing",
                     &kNames[has(kBiasK) ? kBiasV : kBiasK][0]);
  for (int i = 0; i < 2; ++i) slot[i] = read(kBiasK + i, 0, g_.embed_dim);
}

heed_status StateDict::collect() {
  collect_weights();
  collect_biases();
  collect_slots();
  weight[3] = read(kOutWeight, g_.embed_dim, g_.embed_dim);
  return status_;
}

// (outputs, depth) row-major -> panels of 16 outputs. Both give where the next region begins.
float* pack_panels(const Source& w, uint32_t outputs, uint32_t depth, float* panels) {
  for (uint32_t p = 0; p < outputs; p += kPanel)
    for (uint32_t k = 0; k < depth; ++k)
      for (uint32_t i = 0; i < kPanel; ++i)
        *panels++ = p + i < outputs ? w.data[ptrdiff_t(p + i) * w.row_stride + ptrdiff_t(k)] : 0.0f;
  return panels;
}

float* pack_vector(const Source& v, uint32_t n, float* out) {
  const uint32_t padded = uint32_t(round_up(n, kPanel));
  for (uint32_t i = 0; i < padded; ++i) *out++ = v.data && i < n ? v.data[i] : 0.0f;
  return out;
}

WeightsHeader header_of(const Geometry& g, const WeightsLayout& w) {
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

// In the order of the layout.
void pack(const StateDict& s, const Geometry& g, const WeightsLayout& w, unsigned char* to) {
  const uint32_t e = g.embed_dim, depth[3] = {e, g.kdim, g.vdim};
  float* at = reinterpret_cast<float*>(to + w.q);
  for (int i = 0; i < 3; ++i) at = pack_panels(s.weight[i], e, depth[i], at);
  for (int i = 0; i < 3 && g.bias; ++i) at = pack_vector(s.bias[i], e, at);
  for (int i = 0; i < 2 && g.add_bias_kv; ++i) at = pack_vector(s.slot[i], e, at);
  at = pack_panels(s.weight[3], e, e, at);
  if (g.bias) pack_vector(s.bias[3], e, at);
  WeightsHeader h = header_of(g, w);
  memcpy(to, &h, sizeof h);
  h.crc = crc32c(to, size_t(w.bytes));
  memcpy(to, &h, sizeof h);
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

bool weights_match(const heed_plan& plan, const void* weights) {
  WeightsHeader header = header_of(plan.geometry, plan.weights);
  memcpy(&header.crc, static_cast<const unsigned char*>(weights) + offsetof(WeightsHeader, crc), sizeof header.crc);
  uint32_t want[sizeof header / sizeof(uint32_t)], came[sizeof header / sizeof(uint32_t)];
  memcpy(want, &header, sizeof want);
  memcpy(came, weights, sizeof came);
  uint32_t difference = 0;  // memcmp, without asking libc for it
  for (size_t i = 0; i < sizeof want / sizeof want[0]; ++i) difference |= want[i] ^ came[i];
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
    status = s.collect();
    if (status != HEED_OK) return status;
    pack(s, plan->geometry, plan->weights, static_cast<unsigned char*>(weights));
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
                  "weights do not begin with the header that heed_weights_pack writes for this configuration");
  WeightsHeader h;
  memcpy(&h, weights, sizeof h);
  const uint32_t sum = checksum(static_cast<const unsigned char*>(weights), bytes);
  if (sum != h.crc)
    return refuse(error, HEED_ERROR_WEIGHTS, "weights are damaged: their CRC-32C should be %, but is %", h.crc, sum);
  return succeed(error);
}
