// weights.cpp - from the tensors of a state_dict to packed weights (layout.hpp).
#include <string.h>

#include "core/crc32c.hpp"
#include "core/message.hpp"
#include "plan.hpp"

namespace heed {
namespace {

// A tensor of the state_dict: `rows` of `columns` floats, or absent.
struct Source {
  const float* data = nullptr;
  ptrdiff_t row_stride = 0;
};

// Checks one tensor against (rows, columns); rows 0 means a vector, which may also come with
// leading dimensions of 1, as bias_k does.
heed_status check_tensor(const char* name, const heed_tensor& t, uint32_t rows, uint32_t columns,
                         heed_error* error) {
  if (t.dtype != HEED_FLOAT32)
    return Message(error, HEED_ERROR_DTYPE) << name << " must be float32, but bool came";
  const uint32_t want_rank = rows ? 2 : 1;
  bool fits = t.rank >= want_rank && t.rank <= 3;
  for (uint32_t i = 0; fits && i + want_rank < t.rank; ++i) fits = t.shape[i] == 1;
  fits = fits && t.shape[t.rank - 1] == columns && (!rows || t.shape[t.rank - 2] == rows);
  if (!fits) {
    Message m(error, HEED_ERROR_STATE_DICT);
    m << name << " must have shape (";
    if (rows) m << rows << ", ";
    return m << columns << "), but " << t << " came";
  }
  if (t.stride[t.rank - 1] != 1 && columns > 1)
    return Message(error, HEED_ERROR_STRIDE) << "the elements of a row of " << name << " must lie side by side";
  return HEED_OK;
}

class StateDict {
 public:
  StateDict(const heed_state_dict& s, const Geometry& g, heed_error* error)
      : s_(s), g_(g), error_(error) {}

  // The named tensor; `required` when absence is an error, else a Source without data.
  Source read(const char* name, const heed_tensor& t, uint32_t rows, uint32_t columns, bool required) {
    if (status_ != HEED_OK) return {};
    if (!t.data) {
      if (required) status_ = Message(error_, HEED_ERROR_STATE_DICT) << name << " is missing";
      return {};
    }
    status_ = check_tensor(name, t, rows, columns, error_);
    return {static_cast<const float*>(t.data), t.rank > 1 ? t.stride[t.rank - 2] : 0};
  }
  void refuse(const char* name, const heed_tensor& t, const char* why, heed_status status) {
    if (status_ == HEED_OK && t.data) status_ = Message(error_, status) << name << " came, but " << why;
  }

  heed_status collect();
  Source weight[3], bias[3], bias_k, bias_v, out, out_bias;

 private:
  void collect_weights();
  void collect_biases();
  const heed_state_dict& s_;
  const Geometry& g_;
  heed_error* error_;
  heed_status status_ = HEED_OK;
};

void StateDict::collect_weights() {
  const uint32_t e = g_.embed_dim, depth[3] = {e, g_.kdim, g_.vdim};
  if (!s_.in_proj_weight.data) {
    const heed_tensor* t[3] = {&s_.q_proj_weight, &s_.k_proj_weight, &s_.v_proj_weight};
    const char* name[3] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    const bool none = !t[0]->data && !t[1]->data && !t[2]->data;
    if (none) read("in_proj_weight (or q_, k_ and v_proj_weight)", s_.in_proj_weight, 3 * e, e, true);
    for (int i = 0; i < 3; ++i) weight[i] = read(name[i], *t[i], e, depth[i], true);
    return;
  }
  const char* both = "in_proj_weight came too: give one or the other";
  refuse("q_proj_weight", s_.q_proj_weight, both, HEED_ERROR_STATE_DICT);
  refuse("k_proj_weight", s_.k_proj_weight, both, HEED_ERROR_STATE_DICT);
  refuse("v_proj_weight", s_.v_proj_weight, both, HEED_ERROR_STATE_DICT);
  if (g_.kdim != e || g_.vdim != e)
    refuse("in_proj_weight", s_.in_proj_weight, "kdim or vdim differ from embed_dim: q_, k_ and v_proj_weight are needed",
           HEED_ERROR_STATE_DICT);
  const Source all = read("in_proj_weight", s_.in_proj_weight, 3 * e, e, true);
  for (int i = 0; i < 3 && all.data; ++i)
    weight[i] = {all.data + ptrdiff_t(e) * i * all.row_stride, all.row_stride};
}

void StateDict::collect_biases() {
  const uint32_t e = g_.embed_dim;
  const heed_tensor* t[3] = {&s_.q_proj_bias, &s_.k_proj_bias, &s_.v_proj_bias};
  const char* name[3] = {"q_proj_bias", "k_proj_bias", "v_proj_bias"};
  const bool separate = t[0]->data || t[1]->data || t[2]->data;
  if (!g_.bias) {
    const char* why = "the configuration says bias = false";
    refuse("in_proj_bias", s_.in_proj_bias, why, HEED_ERROR_STATE_DICT);
    for (int i = 0; i < 3; ++i) refuse(name[i], *t[i], why, HEED_ERROR_STATE_DICT);
    refuse("out_proj.bias", s_.out_proj_bias, why, HEED_ERROR_STATE_DICT);
    return;
  }
  if (s_.in_proj_bias.data) {
    for (int i = 0; i < 3; ++i)
      refuse(name[i], *t[i], "in_proj_bias came too: give one or the other", HEED_ERROR_STATE_DICT);
  }
  if (separate) {
    for (int i = 0; i < 3; ++i) bias[i] = read(name[i], *t[i], 0, e, false);
  } else {
    const Source all = read("in_proj_bias", s_.in_proj_bias, 0, 3 * e, true);
    for (uint32_t i = 0; i < 3 && all.data; ++i) bias[i] = {all.data + i * e, 0};
  }
  out_bias = read("out_proj.bias", s_.out_proj_bias, 0, e, true);
}

heed_status StateDict::collect() {
  const uint32_t e = g_.embed_dim;
  collect_weights();
  collect_biases();
  if (g_.add_bias_kv) {
    if (status_ == HEED_OK && (!s_.bias_k.data || !s_.bias_v.data))
      status_ = Message(error_, HEED_ERROR_BIAS_KV)
                << "add_bias_kv needs bias_k and bias_v, but " << (s_.bias_k.data ? "bias_v" : "bias_k") << " is missing";
    bias_k = read("bias_k", s_.bias_k, 0, e, true);
    bias_v = read("bias_v", s_.bias_v, 0, e, true);
  } else {
    const char* why = "the configuration says add_bias_kv = false";
    refuse("bias_k", s_.bias_k, why, HEED_ERROR_BIAS_KV);
    refuse("bias_v", s_.bias_v, why, HEED_ERROR_BIAS_KV);
  }
  out = read("out_proj.weight", s_.out_proj_weight, e, e, true);
  return status_;
}

// (outputs, depth) row-major -> panels of 16 outputs.
void pack_panels(const Source& w, uint32_t outputs, uint32_t depth, float* panels) {
  for (uint32_t p = 0; p < outputs; p += kPanel)
    for (uint32_t k = 0; k < depth; ++k)
      for (uint32_t i = 0; i < kPanel; ++i)
        *panels++ = p + i < outputs ? w.data[ptrdiff_t(p + i) * w.row_stride + ptrdiff_t(k)] : 0.0f;
}

void pack_vector(const Source& v, uint32_t n, float* out) {
  const uint32_t padded = uint32_t(round_up(n, kPanel));
  for (uint32_t i = 0; i < padded; ++i) out[i] = v.data && i < n ? v.data[i] : 0.0f;
}

void pack(const StateDict& s, const Geometry& g, const WeightsLayout& w, unsigned char* to) {
  const auto at = [&](uint64_t offset) { return reinterpret_cast<float*>(to + offset); };
  const uint32_t e = g.embed_dim;
  pack_panels(s.weight[0], e, e, at(w.q));
  pack_panels(s.weight[1], e, g.kdim, at(w.k));
  pack_panels(s.weight[2], e, g.vdim, at(w.v));
  pack_panels(s.out, e, e, at(w.out));
  if (g.bias) {
    pack_vector(s.bias[0], e, at(w.q_bias));
    pack_vector(s.bias[1], e, at(w.k_bias));
    pack_vector(s.bias[2], e, at(w.v_bias));
    pack_vector(s.out_bias, e, at(w.out_bias));
  }
  if (g.add_bias_kv) {
    pack_vector(s.bias_k, e, at(w.bias_k));
    pack_vector(s.bias_v, e, at(w.bias_v));
  }
  WeightsHeader h = weights_header(g, w);
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
  constexpr size_t kWords = sizeof(WeightsHeader) / sizeof(uint32_t), kCrc = offsetof(WeightsHeader, crc) / sizeof(uint32_t);
  uint32_t want[kWords], came[kWords], difference = 0;
  memcpy(want, &plan.header, sizeof want);
  memcpy(came, weights, sizeof came);
  for (size_t i = 0; i < kWords; ++i) difference |= i == kCrc ? 0 : want[i] ^ came[i];
  return difference == 0;
}

}  // namespace heed

heed_status heed_weights_pack(const heed_plan* plan, const heed_state_dict* state_dict, void* weights,
                              size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !state_dict || !weights)
    return Message(error, HEED_ERROR_NULL)
           << (!plan ? "plan" : !state_dict ? "state_dict" : "weights") << " must not be NULL";
  if (!is_plan(plan) || !plan->geometry.projects())
    return Message(error, HEED_ERROR_PLAN) << "plan is not one of heed_plan_init";
  if (reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT != 0)
    return Message(error, HEED_ERROR_MEMORY) << "weights must be aligned to 64 bytes";
  if (bytes < plan->weights.bytes)
    return Message(error, HEED_ERROR_MEMORY) << "packed weights need " << plan->weights.bytes
                                             << " bytes, but " << uint64_t(bytes) << " came";
  StateDict s(*state_dict, plan->geometry, error);
  const heed_status status = s.collect();
  if (status != HEED_OK) return status;
  pack(s, plan->geometry, plan->weights, static_cast<unsigned char*>(weights));
  return succeed(error);
}

heed_status heed_weights_verify(const heed_plan* plan, const void* weights, size_t bytes, heed_error* error) {
  using namespace heed;
  if (!plan || !weights)
    return Message(error, HEED_ERROR_NULL) << (!plan ? "plan" : "weights") << " must not be NULL";
  if (!is_plan(plan) || !plan->geometry.projects())
    return Message(error, HEED_ERROR_PLAN) << "plan is not one of heed_plan_init";
  if (reinterpret_cast<uintptr_t>(weights) % HEED_ALIGNMENT != 0)
    return Message(error, HEED_ERROR_MEMORY) << "weights must be aligned to 64 bytes";
  if (bytes != plan->weights.bytes)
    return Message(error, HEED_ERROR_WEIGHTS) << "packed weights for this configuration have " << plan->weights.bytes
                                              << " bytes, but " << uint64_t(bytes) << " came";
  if (!weights_match(*plan, weights))
    return Message(error, HEED_ERROR_WEIGHTS)
           << "weights do not begin with the header that heed_weights_pack writes for this configuration";
  WeightsHeader h;
  memcpy(&h, weights, sizeof h);
  const uint32_t sum = checksum(static_cast<const unsigned char*>(weights), bytes);
  if (sum != h.crc)
    return Message(error, HEED_ERROR_WEIGHTS)
           << "weights are damaged: their CRC-32C should be " << h.crc << ", but is " << sum;
  return succeed(error);
}
