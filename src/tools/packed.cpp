#include "tools/packed.hpp"

#include <cstring>

#include "heed/heed.hpp"
#include "io/file.hpp"
#include "tools/failure.hpp"

namespace heed::tool {
namespace {

// A plan for whatever packs and checks: it runs nothing.
const heed_plan* plan_for(heed_config c, Arena<HEED_PLAN_BYTES>& memory, const std::string& name) {
  heed_error error;
  const heed_plan* plan = nullptr;
  c.max_query = 1;
  if (heed_plan_init(&c, memory.bytes, sizeof memory.bytes, &plan, &error) != HEED_OK)
    refuse(name, ": ", error.message, ", found embed_dim ", c.embed_dim, " and num_heads ", c.num_heads);
  return plan;
}

class Unpacker {
 public:
  Unpacker(const Packed& packed, const std::string& name)
      : bytes_(static_cast<const unsigned char*>(packed.bytes.data())), name_(name) {}

  // Appends (outputs, depth), row-major, from panels of 16 outputs.
  void matrix(uint64_t offset, uint32_t outputs, uint32_t depth, std::vector<float>& to) {
    const std::size_t begin = to.size();
    to.resize(begin + std::size_t(outputs) * depth);
    for (uint32_t n = 0; n < round_up(outputs, kPanel); ++n)
      for (uint32_t k = 0; k < depth; ++k)
        value(offset, (uint64_t(n / kPanel) * depth + k) * kPanel + n % kPanel,
              n < outputs ? &to[begin + std::size_t(n) * depth + k] : nullptr);
  }

  void vector(uint64_t offset, uint32_t n, std::vector<float>& to) { matrix(offset, n, 1, to); }

 private:
  // Padding must be 0: a state_dict has one packed form.
  void value(uint64_t offset, uint64_t index, float* to) {
    const unsigned char* from = bytes_ + offset + index * sizeof(float);
    static constexpr unsigned char kZero[sizeof(float)] = {};
    if (to) std::memcpy(to, from, sizeof *to);
    else if (std::memcmp(from, kZero, sizeof kZero) != 0)
      refuse(name_, ": expected padding of zeros, found another value at byte ", offset + index * sizeof(float));
  }
  const unsigned char* bytes_;
  const std::string& name_;
};

}  // namespace

Packed pack_module(const Module& module, uint32_t num_heads) {
  heed_config c = heed_config_default(module.embed_dim, num_heads);
  c.bias = module.bias;
  c.add_bias_kv = module.add_bias_kv;
  c.kdim = module.kdim;
  c.vdim = module.vdim;
  Arena<HEED_PLAN_BYTES> memory;
  const heed_plan* plan = plan_for(c, memory, module.path);
  c.max_query = 1;
  Packed packed{c, AlignedBytes(heed_weights_bytes(&c), "packed weights")};
  packed.config.max_query = 0;
  heed_error error;
  if (heed_weights_pack(plan, &module.state_dict, packed.bytes.data(), packed.bytes.size(), &error) != HEED_OK)
    refuse(module.path, ": ", error.message);
  return packed;
}

Packed parse_packed(const std::vector<uint8_t>& file, const std::string& name) {
  Packed packed{heed_config_default(0, 0), AlignedBytes(file.size() ? file.size() : 1, "packed weights")};
  if (!file.empty()) std::memcpy(packed.bytes.data(), file.data(), file.size());
  heed_error error;
  if (heed_weights_config(packed.bytes.data(), file.size(), &packed.config, &error) != HEED_OK)
    refuse(name, ": ", error.message);
  Arena<HEED_PLAN_BYTES> memory;
  const heed_plan* plan = plan_for(packed.config, memory, name);
  if (heed_weights_verify(plan, packed.bytes.data(), file.size(), &error) != HEED_OK) refuse(name, ": ", error.message);
  return packed;
}

Packed load_packed(const std::string& path) {
  std::vector<uint8_t> file;
  check(io::guarded(path, [&] { return io::read_file(path, file); }));
  return parse_packed(file, path);
}

std::vector<NamedTensor> unpack(const Packed& packed, const std::string& name) {
  const Geometry g = geometry(packed.config);
  const WeightsLayout w = weights_layout(g);
  const uint32_t e = g.embed_dim, depth[3] = {e, g.kdim, g.vdim};
  const uint64_t weight[3] = {w.q, w.k, w.v}, bias[3] = {w.q_bias, w.k_bias, w.v_bias};
  Unpacker from(packed, name);
  std::vector<NamedTensor> tensors;
  const auto add = [&](const char* tensor, const io::Shape& shape) -> std::vector<float>& {
    tensors.push_back({tensor, shape, {}});
    return tensors.back().values;
  };
  if (g.kdim == e && g.vdim == e) {
    std::vector<float>& all = add("in_proj_weight", {3 * uint64_t(e), e});
    for (const uint64_t offset : weight) from.matrix(offset, e, e, all);
  } else {
    constexpr const char* kNames[3] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    for (int i = 0; i < 3; ++i) from.matrix(weight[i], e, depth[i], add(kNames[i], {e, depth[i]}));
  }
  if (g.bias) {
    std::vector<float>& all = add("in_proj_bias", {3 * uint64_t(e)});
    for (const uint64_t offset : bias) from.vector(offset, e, all);
  }
  if (g.add_bias_kv) {
    from.vector(w.bias_k, e, add("bias_k", {1, 1, e}));
    from.vector(w.bias_v, e, add("bias_v", {1, 1, e}));
  }
  from.matrix(w.out, e, e, add("out_proj.weight", {e, e}));
  if (g.bias) from.vector(w.out_bias, e, add("out_proj.bias", {e}));
  return tensors;
}

}  // namespace heed::tool
