#include <stdexcept>

#include "problem.hpp"

namespace heed_test {

Runner::Where Runner::place(const Shape& shape, const std::vector<int>& axes,
                            const std::vector<float>* values, bool boolean) {
  Where w;
  w.shape = shape;
  w.tensor.dtype = boolean ? HEED_BOOL : HEED_FLOAT32;
  w.tensor.rank = uint32_t(axes.size());
  const size_t unit = boolean ? 1 : sizeof(float);
  size_t step = 1, rows = 1, count = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const uint32_t n = shape[size_t(axes[i])];
    w.tensor.shape[i] = n;
    w.tensor.stride[i] = w.stride[size_t(axes[i])] = ptrdiff_t(step);
    const bool last = i + 1 == axes.size();
    step *= last ? n + o_.row_padding : n;
    if (!last) rows *= n;
    count *= n;
  }
  const size_t columns = axes.empty() ? 1 : shape[size_t(axes.back())];
  const size_t elements = count ? (rows - 1) * (columns + o_.row_padding) + columns : 0;
  memory_.emplace_back(elements * unit, o_.place, o_.offset * unit);
  w.memory = memory_.size() - 1;
  w.tensor.data = memory_.back().data();
  if (!values) return w;
  size_t from = 0;
  for (uint32_t a = 0; a < shape[0]; ++a)
    for (uint32_t b = 0; b < shape[1]; ++b)
      for (uint32_t c = 0; c < shape[2]; ++c)
        for (uint32_t d = 0; d < shape[3]; ++d) {
          const ptrdiff_t at = ptrdiff_t(a) * w.stride[0] + ptrdiff_t(b) * w.stride[1] +
                               ptrdiff_t(c) * w.stride[2] + ptrdiff_t(d) * w.stride[3];
          const float x = (*values)[from++];
          unsigned char* to = memory_.back().data() + size_t(at) * unit;
          if (boolean) *to = uint8_t(x);
          else std::memcpy(to, &x, sizeof x);
        }
  return w;
}

std::vector<float> Runner::read(const Where& w) const {
  std::vector<float> out;
  if (memory_.empty() || w.tensor.rank == 0) return out;
  const unsigned char* data = memory_[w.memory].data();
  for (uint32_t a = 0; a < w.shape[0]; ++a)
    for (uint32_t b = 0; b < w.shape[1]; ++b)
      for (uint32_t c = 0; c < w.shape[2]; ++c)
        for (uint32_t d = 0; d < w.shape[3]; ++d) {
          float x;
          std::memcpy(&x, data + sizeof(float) * size_t(ptrdiff_t(a) * w.stride[0] + ptrdiff_t(b) * w.stride[1] +
                                                        ptrdiff_t(c) * w.stride[2] + ptrdiff_t(d) * w.stride[3]),
                      sizeof x);
          out.push_back(x);
        }
  return out;
}

heed_tensor Runner::place_mask(const Mask& m) {
  if (!m) return heed_contiguous(nullptr, HEED_FLOAT32, 0, 0, 0, 0, 0);
  Shape shape{1, 1, 1, 1};
  std::vector<int> axes;
  for (size_t i = 0; i < m.shape.size(); ++i) {
    shape[4 - m.shape.size() + i] = m.shape[i];
    axes.push_back(int(4 - m.shape.size() + i));
  }
  return place(shape, axes, &m.values, !m.is_float).tensor;
}

heed_tensor Runner::place_weight(const Problem& p, const char* name, uint32_t rows, uint32_t columns) {
  const auto found = p.weights.find(name);
  if (found == p.weights.end()) return heed_contiguous(nullptr, HEED_FLOAT32, 0, 0, 0, 0, 0);
  if (rows) return place({1, 1, rows, columns}, {2, 3}, &found->second).tensor;
  if (std::string(name).find("bias_") == 0) return place({1, 1, 1, columns}, {0, 1, 3}, &found->second).tensor;
  return place({1, 1, 1, columns}, {3}, &found->second).tensor;
}

void Runner::place_mha(const Problem& p) {
  config = heed_config_default(p.E, p.H);
  config.bias = p.bias;
  config.add_bias_kv = p.add_bias_kv;
  config.add_zero_attn = p.add_zero_attn;
  config.batch_first = p.batch_first;
  config.kdim = p.kdim;
  config.vdim = p.vdim;
  config.max_batch = (p.N ? p.N : 1) + o_.spare;
  config.max_query = (p.L ? p.L : 1) + o_.spare;
  config.max_key = (p.S ? p.S : 1) + o_.spare;
  config.slices = o_.slices;
  config.isa = o_.isa.empty() ? nullptr : o_.isa.c_str();
  state_dict.in_proj_weight = place_weight(p, "in_proj_weight", 3 * p.E, p.E);
  state_dict.q_proj_weight = place_weight(p, "q_proj_weight", p.E, p.E);
  state_dict.k_proj_weight = place_weight(p, "k_proj_weight", p.E, p.kdim);
  state_dict.v_proj_weight = place_weight(p, "v_proj_weight", p.E, p.vdim);
  state_dict.in_proj_bias = place_weight(p, "in_proj_bias", 0, 3 * p.E);
  state_dict.bias_k = place_weight(p, "bias_k", 0, p.E);
  state_dict.bias_v = place_weight(p, "bias_v", 0, p.E);
  state_dict.out_proj_weight = place_weight(p, "out_proj.weight", p.E, p.E);
  state_dict.out_proj_bias = place_weight(p, "out_proj.bias", 0, p.E);
  state_dict.q_proj_bias = state_dict.k_proj_bias = state_dict.v_proj_bias =
      heed_contiguous(nullptr, HEED_FLOAT32, 0, 0, 0, 0, 0);

  const std::vector<int> axes = p.unbatched ? std::vector<int>{2, 3}
                                : p.batch_first ? std::vector<int>{0, 2, 3} : std::vector<int>{2, 0, 3};
  call = heed_call_default();
  call.query = place({p.N, 1, p.L, p.E}, axes, &p.q).tensor;
  if (!p.key_is_query) call.key = place({p.N, 1, p.S, p.kdim}, axes, &p.k).tensor;
  if (!p.value_is_key) call.value = place({p.N, 1, p.S, p.vdim}, axes, &p.v).tensor;
  call.key_padding_mask = place_mask(p.padding);
  call.attn_mask = place_mask(p.mask);
  call.causal = p.causal;
  call.causal_offset = p.causal_offset;
  call.need_weights = p.need_weights;
  call.average_attn_weights = p.average;
  call.fully_masked = p.fully_masked;
  output_at_ = place({p.N, 1, p.L, p.E}, axes, nullptr);
  call.output = output_at_.tensor;
  if (p.need_weights) {
    std::vector<int> w = p.average ? std::vector<int>{0, 2, 3} : std::vector<int>{0, 1, 2, 3};
    if (p.unbatched) w.erase(w.begin());
    weights_at_ = place({p.N, p.weight_heads(), p.L, p.columns()}, w, nullptr);
    call.attn_weights = weights_at_.tensor;
  }
  call.parallel_for = o_.parallel_for;
  call.parallel_context = o_.context;
  packed.reset(new Memory(heed_weights_bytes(&config), o_.place));
  workspace.reset(new Memory(heed_workspace_bytes(&config), o_.place));
}

void Runner::place_sdpa(const Problem& p) {
  sdpa_config = heed_sdpa_config{};
  sdpa_config.num_heads = p.H;
  sdpa_config.num_kv_heads = p.Hkv;
  sdpa_config.head_dim = p.D;
  sdpa_config.value_dim = p.Dv;
  sdpa_config.max_batch = (p.N ? p.N : 1) + o_.spare;
  sdpa_config.max_query = (p.L ? p.L : 1) + o_.spare;
  sdpa_config.max_key = (p.S ? p.S : 1) + o_.spare;
  sdpa_config.slices = o_.slices;
  sdpa_config.isa = o_.isa.empty() ? nullptr : o_.isa.c_str();
  const std::vector<int> axes = p.unbatched ? std::vector<int>{1, 2, 3} : std::vector<int>{0, 1, 2, 3};
  sdpa_call = heed_sdpa_call_default();
  sdpa_call.query = place({p.N, p.H, p.L, p.D}, axes, &p.q).tensor;
  sdpa_call.key = place({p.N, p.Hkv, p.S, p.D}, axes, &p.k).tensor;
  sdpa_call.value = place({p.N, p.Hkv, p.S, p.Dv}, axes, &p.v).tensor;
  sdpa_call.attn_mask = place_mask(p.mask);
  sdpa_call.causal = p.causal;
  sdpa_call.causal_offset = p.causal_offset;
  sdpa_call.has_scale = p.has_scale;
  sdpa_call.scale = p.scale;
  sdpa_call.need_weights = p.need_weights;
  sdpa_call.fully_masked = p.fully_masked;
  output_at_ = place({p.N, p.H, p.L, p.Dv}, axes, nullptr);
  sdpa_call.output = output_at_.tensor;
  if (p.need_weights) {
    weights_at_ = place({p.N, p.H, p.L, p.S}, axes, nullptr);
    sdpa_call.attn_weights = weights_at_.tensor;
  }
  sdpa_call.parallel_for = o_.parallel_for;
  sdpa_call.parallel_context = o_.context;
  workspace.reset(new Memory(heed_sdpa_workspace_bytes(&sdpa_config), o_.place));
}

Runner::Runner(const Problem& p, const Options& o) : sdpa_(p.sdpa), o_(o) {
  memory_.reserve(24);
  plan_memory.reset(new Memory(HEED_PLAN_BYTES, o.place));
  if (p.sdpa) place_sdpa(p);
  else place_mha(p);
}

heed_status Runner::prepare() {
  if (sdpa_) return heed_sdpa_plan_init(&sdpa_config, plan_memory->data(), HEED_PLAN_BYTES, &plan, &error);
  const heed_status s = heed_plan_init(&config, plan_memory->data(), HEED_PLAN_BYTES, &plan, &error);
  if (s != HEED_OK) return s;
  return heed_weights_pack(plan, &state_dict, packed->data(), packed->bytes(), &error);
}

heed_status Runner::run() {
  if (sdpa_)
    return heed_scaled_dot_product_attention(plan, &sdpa_call, workspace->data(), workspace->bytes(), &error);
  return heed_forward(plan, packed->data(), &call, workspace->data(), workspace->bytes(), &error);
}

heed_status Runner::go() {
  const heed_status s = prepare();
  return s == HEED_OK ? run() : s;
}

bool Runner::intact() const {
  for (const Memory& m : memory_)
    if (!m.intact()) return false;
  return plan_memory->intact() && workspace->intact() && (!packed || packed->intact());
}

Answer solve(const Problem& p, const Options& o) {
  Runner r(p, o);
  if (r.go() != HEED_OK) throw std::runtime_error(std::string(heed_status_name(r.error.status)) + ": " + r.error.message);
  if (!r.intact()) throw std::runtime_error("bytes beside a buffer were written");
  return {r.output(), r.weights()};
}

bool same_bits(const Answer& a, const Answer& b) {
  return same_bits(a.output, b.output) && same_bits(a.weights, b.weights);
}

}  // namespace heed_test
