// heed.hpp - the C++17 face of heed.h: header only, nothing of its own inside.
//
//   constexpr auto config = heed::Config(8, 2).batch_first().max_query(4);
//   static heed::Arena<heed::weights_bytes(config)> weights;      // sized by the compiler
//   static heed::Arena<heed::workspace_bytes(config)> workspace;
//   heed::MultiheadAttention attention;
//   heed::Error error;
//   if (!attention.init(config, state_dict, weights, error)) ...  error.message
//   if (!attention.forward(call, workspace, error)) ...
//
// A configuration that breaks a rule (heed/rules.hpp) does not compile when it is constexpr.
#pragma once
#include <initializer_list>

#include "heed/cost.hpp"
#include "heed/heed.h"
#include "heed/layout.hpp"
#include "heed/rules.hpp"

namespace heed {

using Tensor = heed_tensor;
using StateDict = heed_state_dict;
using Error = heed_error;

// Bytes that the caller owns, aligned as plans, weights and workspaces want them.
template <size_t Bytes>
struct Arena {
  alignas(HEED_ALIGNMENT) unsigned char bytes[Bytes];
  static constexpr size_t size() { return Bytes; }
};

// heed_config with PyTorch's defaults; each setter bears the argument's name.
class Config {
 public:
  constexpr Config(uint32_t embed_dim, uint32_t num_heads) : c_{} {
    c_.embed_dim = embed_dim;
    c_.num_heads = num_heads;
    c_.bias = true;
    c_.max_batch = c_.slices = 1;
  }
  constexpr Config dropout(float p) const { Config n = *this; n.c_.dropout = p; return n; }
  constexpr Config bias(bool on = true) const { Config n = *this; n.c_.bias = on; return n; }
  constexpr Config add_bias_kv(bool on = true) const { Config n = *this; n.c_.add_bias_kv = on; return n; }
  constexpr Config add_zero_attn(bool on = true) const { Config n = *this; n.c_.add_zero_attn = on; return n; }
  constexpr Config batch_first(bool on = true) const { Config n = *this; n.c_.batch_first = on; return n; }
  constexpr Config kdim(uint32_t v) const { Config n = *this; n.c_.kdim = v; return n; }
  constexpr Config vdim(uint32_t v) const { Config n = *this; n.c_.vdim = v; return n; }
  constexpr Config max_batch(uint32_t v) const { Config n = *this; n.c_.max_batch = v; return n; }
  constexpr Config max_query(uint32_t v) const { Config n = *this; n.c_.max_query = v; return n; }
  constexpr Config max_key(uint32_t v) const { Config n = *this; n.c_.max_key = v; return n; }
  constexpr Config slices(uint32_t v) const { Config n = *this; n.c_.slices = v; return n; }
  constexpr Config isa(const char* name) const { Config n = *this; n.c_.isa = name; return n; }
  constexpr operator heed_config() const { return c_; }

 private:
  heed_config c_;
};

// A contiguous float32 (or bool) view: heed::tensor(x, {1, 4, 8}).
inline Tensor tensor(const float* data, std::initializer_list<uint32_t> shape) {
  uint32_t d[HEED_MAX_RANK] = {};
  uint32_t rank = 0;
  for (uint32_t n : shape)
    if (rank++ < HEED_MAX_RANK) d[rank - 1] = n;
  return heed_contiguous(data, HEED_FLOAT32, rank, d[0], d[1], d[2], d[3]);
}
inline Tensor tensor(const bool* data, std::initializer_list<uint32_t> shape) {
  static_assert(sizeof(bool) == 1, "a bool of a mask is one byte");
  Tensor t = tensor(static_cast<const float*>(nullptr), shape);
  t.data = const_cast<bool*>(data);
  t.dtype = HEED_BOOL;
  return t;
}

// heed_call with PyTorch's defaults.
struct Call : heed_call {
  Call() : heed_call(heed_call_default()) {}
};
struct SdpaCall : heed_sdpa_call {
  SdpaCall() : heed_sdpa_call(heed_sdpa_call_default()) {}
};

// torch.nn.MultiheadAttention. Holds the plan; packed weights stay with the caller and must
// live as long. forward() may run in many threads at once, each with its own workspace.
class MultiheadAttention {
 public:
  // Plan and pack. false: error says why.
  [[nodiscard]] bool init(const heed_config& config, const StateDict& state_dict, void* weights,
                          size_t bytes, Error& error) {
    const heed_plan* plan = nullptr;
    packed_ = nullptr;
    if (heed_plan_init(&config, plan_.bytes, sizeof plan_.bytes, &plan, &error) != HEED_OK) return false;
    if (heed_weights_pack(plan, &state_dict, weights, bytes, &error) != HEED_OK) return false;
    packed_ = weights;
    return true;
  }
  template <size_t N>
  [[nodiscard]] bool init(const heed_config& config, const StateDict& state_dict, Arena<N>& weights,
                          Error& error) {
    return init(config, state_dict, weights.bytes, N, error);
  }
  // Plan for weights that are packed already, for example in flash.
  [[nodiscard]] bool init_packed(const heed_config& config, const void* weights, Error& error) {
    const heed_plan* plan = nullptr;
    packed_ = nullptr;
    if (heed_plan_init(&config, plan_.bytes, sizeof plan_.bytes, &plan, &error) != HEED_OK) return false;
    packed_ = weights;
    return true;
  }

  [[nodiscard]] bool forward(const heed_call& call, void* workspace, size_t bytes, Error& error) const {
    return heed_forward(plan(), packed_, &call, workspace, bytes, &error) == HEED_OK;
  }
  template <size_t N>
  [[nodiscard]] bool forward(const heed_call& call, Arena<N>& workspace, Error& error) const {
    return forward(call, workspace.bytes, N, error);
  }

  const char* isa() const { return heed_plan_isa(plan()); }
  const heed_plan* plan() const { return reinterpret_cast<const heed_plan*>(plan_.bytes); }

 private:
  Arena<HEED_PLAN_BYTES> plan_{};
  const void* packed_ = nullptr;
};

}  // namespace heed
