// calls: plan, pack, forward and SDPA as a careless caller makes them. A sound call of any shape is
// bent in up to three places; each tensor's memory is exactly what its shape and strides then claim.
#include <deque>

#include "fuzz.hpp"
#include "heed/layout.hpp"

namespace {

using namespace heed_fuzz;
using Wide = __int128;

uint32_t size_of(FuzzedDataProvider& in, uint32_t usual_most) {
  constexpr uint32_t kTiles[] = {15, 16, 17, 31, 33, 47, 48, 49, 64, 65};
  const uint32_t n =
      in.ConsumeBool() ? in.PickValueInArray(kTiles) : in.ConsumeIntegralInRange<uint32_t>(1, usual_most);
  return n < usual_most ? n : usual_most;
}

heed_tensor tensor(std::initializer_list<uint32_t> shape, heed_dtype dtype = HEED_FLOAT32) {
  uint32_t s[4] = {};
  std::copy(shape.begin(), shape.end(), s);
  static char unplaced;  // place() gives memory to what is not NULL
  return heed_contiguous(&unplaced, dtype, uint32_t(shape.size()), s[0], s[1], s[2], s[3]);
}

// One field of a tensor becomes what it should not be, or what is odd and still right.
void bend(FuzzedDataProvider& in, heed_tensor& t) {
  constexpr uint32_t kSizes[] = {0, 1, 2, 16, 0x7fffffff, 0x80000000, 0xffffffff};
  constexpr ptrdiff_t kStrides[] = {0, 1, -1, 2, 64, PTRDIFF_MAX, PTRDIFF_MIN, PTRDIFF_MAX / 4, ptrdiff_t(1) << 40};
  const uint32_t axis = in.ConsumeIntegralInRange<uint32_t>(0, 3);
  switch (in.ConsumeIntegralInRange<int>(0, 7)) {
    case 0: t.rank = in.PickValueInArray({0u, 1u, 2u, 3u, 4u, 5u, 0x80000000u, 0xffffffffu}); break;
    case 1: t.shape[axis] = in.PickValueInArray(kSizes); break;
    case 2: t.shape[axis] += in.ConsumeBool() ? 1u : ~0u; break;
    case 3: t.stride[axis] = in.PickValueInArray(kStrides); break;
    case 4: t.stride[axis] = in.ConsumeIntegralInRange<int>(-300, 300); break;
    case 5:
      t.dtype = in.PickValueInArray({HEED_FLOAT32, HEED_BOOL, heed_dtype(2), heed_dtype(-1), HEED_DTYPE_ANY_INT});
      break;
    case 6: t.data = nullptr; break;
    default: std::swap(t.shape[axis], t.shape[(axis + 1) % 4]), std::swap(t.stride[axis], t.stride[(axis + 1) % 4]);
  }
}

// The strides of axes of one element: numpy has had anything there.
template <size_t N>
void spoil_unused_strides(FuzzedDataProvider& in, heed_tensor* (&tensors)[N]) {
  if (in.ConsumeBool()) return;
  const ptrdiff_t stride = in.ConsumeBool() ? PTRDIFF_MAX : in.ConsumeIntegral<ptrdiff_t>();
  for (heed_tensor* t : tensors)
    for (uint32_t i = 0; i < HEED_MAX_RANK; ++i)
      if (t->shape[i] == 1) t->stride[i] = stride;
}

// Memory for all tensors of a call, and what is known of them.
class Memories {
 public:
  explicit Memories(FuzzedDataProvider& in)
      : random_(in.ConsumeIntegral<uint32_t>()), kind_(in.ConsumeEnum<Numbers>()) {}
  bool too_large = false;  // a tensor that has no memory: its call must be refused

  // As many bytes as the tensor claims, data somewhere inside where strides are negative.
  const Exact* place(heed_tensor& t) {
    if (!t.data) return nullptr;
    const size_t unit = t.dtype == HEED_BOOL ? 1 : sizeof(float);
    Wide low, high;
    extent(t, low, high);
    if ((high - low) * Wide(unit) > kMost) {
      for (ptrdiff_t& stride : t.stride) stride = stride == 1 ? 1 : 0;
      extent(t, low, high);
    }
    if ((high - low) * Wide(unit) > kMost) too_large = true, low = high = 0;
    memory_.emplace_back(size_t(high - low) * unit, 16);
    const Exact& memory = memory_.back();
    t.data = memory.data() + size_t(-low) * unit;
    return &memory;
  }
  void place_numbers(heed_tensor& t) {
    const Exact* memory = place(t);
    if (!memory) return;
    if (t.dtype != HEED_BOOL) return fill(memory->data(), memory->bytes() / 4, kind_, random_);
    for (size_t i = 0; i < memory->bytes(); ++i) memory->data()[i] = uint8_t(random_.below(3));
  }

 private:
  static constexpr Wide kMost = 1 << 18;
  // Elements [low, high) from data on. Strides of axes of one element are not used.
  static void extent(const heed_tensor& t, Wide& low, Wide& high) {
    low = 0, high = 1;
    for (uint32_t i = 0; i < t.rank && i < HEED_MAX_RANK; ++i) {
      if (t.shape[i] == 0) return void(low = high = 0);
      const Wide last = Wide(t.stride[i]) * (t.shape[i] - 1);
      (last < 0 ? low : high) += last;
    }
  }
  Random random_;
  Numbers kind_;
  std::deque<Exact> memory_;
};

struct Sizes {
  uint32_t N, L, S, H, D;
  bool unbatched;
  explicit Sizes(FuzzedDataProvider& in)
      : N(size_of(in, 2)),
        L(size_of(in, 52)),
        S(size_of(in, 140)),
        H(size_of(in, 3)),
        D(size_of(in, 20)),
        unbatched(in.ConsumeBool()) {
    if (unbatched) N = 1;
  }
};

heed_causal draw_causal(FuzzedDataProvider& in) { return heed_causal(in.ConsumeIntegralInRange<int>(-1, 4)); }
int64_t draw_offset(FuzzedDataProvider& in) {
  return in.ConsumeBool() ? in.ConsumeIntegral<int64_t>() : in.ConsumeIntegralInRange<int64_t>(-80, 210);
}
heed_fully_masked draw_fully_masked(FuzzedDataProvider& in) {
  return heed_fully_masked(in.PickValueInArray({0, 0, 1, 1, 2, -1}));
}

// A plan, or what is handed over instead of one.
struct Planned {
  Exact memory{HEED_PLAN_BYTES};
  const heed_plan* plan = nullptr;
  size_t workspace_bytes = 0;
};

template <class Config>
bool init(FuzzedDataProvider& in, const Config& c, Planned& p,
          heed_status (*plan_init)(const Config*, void*, size_t, const heed_plan**, heed_error*)) {
  const bool absent = in.ConsumeIntegralInRange<int>(0, 63) == 0;
  heed_error error;
  const heed_status status =
      plan_init(absent ? nullptr : &c, p.memory.data(), p.memory.bytes(), &p.plan, in.ConsumeBool() ? &error : nullptr);
  if (status != HEED_OK) must(!p.plan && p.memory.untouched(), "a refused plan leaves its memory");
  return status == HEED_OK;
}

// Calls with what was drawn: pointers that are NULL, a workspace that is one byte short, a plan
// that is none. `run` gets a plan, a workspace and its bytes.
template <class Run>
void call_carelessly(FuzzedDataProvider& in, const Planned& p, const Memories& memories, const Exact* output,
                     bool in_place, const Run& run) {
  const Exact workspace(p.workspace_bytes);
  const int slip = in.ConsumeIntegralInRange<int>(0, 40);
  const Exact no_plan(HEED_PLAN_BYTES);
  const heed_plan* plan = slip == 1 ? nullptr : slip == 2 ? reinterpret_cast<const heed_plan*>(no_plan.data()) : p.plan;
  heed_error error{};
  const heed_status status = run(plan, slip == 3 ? nullptr : workspace.data(), workspace.bytes() - (slip == 4), &error);
  must_explain(status, error);
  if (slip >= 1 && slip <= 4) must(status != HEED_OK, "slips are refused");
  if (memories.too_large) must(status != HEED_OK, "a tensor beyond the plan's limits is refused");
  if (status != HEED_OK && output && !in_place) must(output->untouched(), "a refused call writes nothing");
}

void module_call(FuzzedDataProvider& in) {
  const Sizes s(in);
  heed_config c = heed_config_default(s.H * s.D, s.H);
  const std::string arch = any_arch(in);
  c.isa = arch.c_str();
  const bool own_dims = in.ConsumeBool();
  c.kdim = own_dims ? size_of(in, 40) : c.embed_dim;
  c.vdim = own_dims ? size_of(in, 40) : c.embed_dim;
  for (bool* flag : {&c.bias, &c.add_bias_kv, &c.add_zero_attn, &c.batch_first}) *flag = in.ConsumeBool();
  c.max_batch = s.N, c.max_query = s.L, c.max_key = s.S;
  c.slices = in.ConsumeIntegralInRange<uint32_t>(0, 4);
  Planned p;
  if (!init(in, c, p, heed_plan_init)) return;
  p.workspace_bytes = heed_workspace_bytes(&c);

  Memories memories(in);
  const uint32_t E = c.embed_dim;
  heed_state_dict state{};
  if (own_dims) {
    state.q_proj_weight = tensor({E, E});
    state.k_proj_weight = tensor({E, c.kdim});
    state.v_proj_weight = tensor({E, c.vdim});
  } else {
    state.in_proj_weight = tensor({3 * E, E});
  }
  if (c.bias) state.in_proj_bias = tensor({3 * E}), state.out_proj_bias = tensor({E});
  if (c.add_bias_kv) state.bias_k = tensor({1, 1, E}), state.bias_v = tensor({1, 1, E});
  state.out_proj_weight = tensor({E, E});
  heed_tensor* tensors = &state.in_proj_weight;
  heed_state_dict sound = state;
  if (in.ConsumeBool()) bend(in, tensors[in.ConsumeIntegralInRange<size_t>(0, 11)]);
  for (size_t i = 0; i < 12; ++i) memories.place_numbers(tensors[i]);
  const Exact packed(heed_weights_bytes(&c));
  heed_error error{};
  heed_status status = heed_weights_pack(p.plan, &state, packed.data(), packed.bytes(), &error);
  must_explain(status, error);
  if (memories.too_large) must(status != HEED_OK, "a weight beyond its shape is refused");
  memories.too_large = false;
  if (status != HEED_OK) {
    must(packed.untouched(), "a refused pack writes nothing");
    for (size_t i = 0; i < 12; ++i) memories.place_numbers((&sound.in_proj_weight)[i]);
    must(heed_weights_pack(p.plan, &sound, packed.data(), packed.bytes(), &error) == HEED_OK,
         "a sound state_dict is packed");
  }

  const auto rows = [&](uint32_t length, uint32_t features) {
    if (s.unbatched) return tensor({length, features});
    return c.batch_first ? tensor({s.N, length, features}) : tensor({length, s.N, features});
  };
  heed_call call = heed_call_default();
  call.query = rows(s.L, E);
  if (own_dims || in.ConsumeBool()) call.key = rows(s.S, c.kdim), call.value = rows(s.S, c.vdim);
  const uint32_t S = call.key.data ? s.S : s.L;
  call.output = rows(s.L, E);
  const heed_dtype dtype = in.ConsumeBool() ? HEED_BOOL : HEED_FLOAT32;
  if (in.ConsumeBool()) call.key_padding_mask = s.unbatched ? tensor({S}, dtype) : tensor({s.N, S}, dtype);
  switch (in.ConsumeIntegralInRange<int>(0, 5)) {
    case 0: call.attn_mask = tensor({s.L, S}, dtype); break;
    case 1: call.attn_mask = tensor({s.N * s.H, s.L, S}, dtype); break;
    case 2:
      if (!s.unbatched) call.attn_mask = tensor({s.N, s.H, s.L, S}, dtype);
      break;
    default: break;
  }
  call.causal = in.ConsumeBool() ? HEED_CAUSAL_NONE : draw_causal(in);
  call.causal_offset = draw_offset(in);
  call.need_weights = in.ConsumeBool();
  call.average_attn_weights = in.ConsumeBool();
  call.fully_masked = draw_fully_masked(in);
  call.parallel_for = in.ConsumeBool() ? backwards : nullptr;
  const uint32_t columns = S + c.add_bias_kv + c.add_zero_attn;
  if (call.average_attn_weights) call.attn_weights = s.unbatched ? tensor({s.L, columns}) : tensor({s.N, s.L, columns});
  else call.attn_weights = s.unbatched ? tensor({s.H, s.L, columns}) : tensor({s.N, s.H, s.L, columns});
  heed_tensor* all[] = {&call.query,     &call.key,    &call.value,       &call.key_padding_mask,
                        &call.attn_mask, &call.output, &call.attn_weights};
  for (int i = in.ConsumeIntegralInRange<int>(0, 3); i > 0; --i) bend(in, *in.PickValueInArray(all));
  spoil_unused_strides(in, all);
  const bool in_place = in.ConsumeIntegralInRange<int>(0, 7) == 0;
  for (heed_tensor* t : {&call.query, &call.key, &call.value, &call.key_padding_mask, &call.attn_mask})
    memories.place_numbers(*t);
  if (in_place) call.output = call.query;
  const Exact* output = in_place ? nullptr : memories.place(call.output);
  if (call.need_weights) memories.place(call.attn_weights);  // else nobody looks at it
  const int slip = in.ConsumeIntegralInRange<int>(0, 40);
  const Exact foreign(heed::kWeightsHeaderBytes);
  const void* weights = slip == 1 ? nullptr : slip == 2 ? foreign.data() : packed.data();
  call_carelessly(
      in, p, memories, output, in_place, [&](const heed_plan* plan, void* workspace, size_t bytes, heed_error* e) {
        const heed_status came = heed_forward(plan, weights, slip == 3 ? nullptr : &call, workspace, bytes, e);
        if (slip >= 1 && slip <= 3) must(came != HEED_OK, "slips are refused");
        return came;
      });
}

void sdpa_call(FuzzedDataProvider& in) {
  const Sizes s(in);
  heed_sdpa_config c{};
  const std::string arch = any_arch(in);
  c.isa = arch.c_str();
  c.num_kv_heads = s.H;
  c.num_heads = s.H * in.ConsumeIntegralInRange<uint32_t>(1, 3);
  c.head_dim = s.D;
  c.value_dim = size_of(in, 40);
  c.max_batch = s.N, c.max_query = s.L, c.max_key = s.S;
  c.slices = in.ConsumeIntegralInRange<uint32_t>(0, 4);
  Planned p;
  if (!init(in, c, p, heed_sdpa_plan_init)) return;
  p.workspace_bytes = heed_sdpa_workspace_bytes(&c);

  Memories memories(in);
  const auto rows = [&](uint32_t heads, uint32_t length, uint32_t features) {
    return s.unbatched ? tensor({heads, length, features}) : tensor({s.N, heads, length, features});
  };
  heed_sdpa_call call = heed_sdpa_call_default();
  call.query = rows(c.num_heads, s.L, s.D);
  call.key = rows(s.H, s.S, s.D);
  call.value = rows(s.H, s.S, c.value_dim);
  call.output = rows(c.num_heads, s.L, c.value_dim);
  const heed_dtype dtype = in.ConsumeBool() ? HEED_BOOL : HEED_FLOAT32;
  switch (in.ConsumeIntegralInRange<int>(0, 6)) {
    case 0: call.attn_mask = tensor({s.S}, dtype); break;
    case 1: call.attn_mask = tensor({s.L, s.S}, dtype); break;
    case 2: call.attn_mask = tensor({c.num_heads, 1, s.S}, dtype); break;
    case 3: call.attn_mask = tensor({s.N, c.num_heads, s.L, s.S}, dtype); break;
    case 4: call.attn_mask = tensor({s.N, 1, s.L, 1}, dtype); break;
    default: break;
  }
  call.causal = in.ConsumeBool() ? HEED_CAUSAL_NONE : draw_causal(in);
  call.causal_offset = draw_offset(in);
  call.has_scale = in.ConsumeBool();
  call.scale = in.PickValueInArray({0.0f, 1.0f, -1.0f, 3e38f, __builtin_inff(), __builtin_nanf("")});
  call.need_weights = in.ConsumeBool();
  call.attn_weights = rows(c.num_heads, s.L, s.S);
  call.fully_masked = draw_fully_masked(in);
  call.parallel_for = in.ConsumeBool() ? backwards : nullptr;
  heed_tensor* all[] = {&call.query, &call.key, &call.value, &call.attn_mask, &call.output, &call.attn_weights};
  for (int i = in.ConsumeIntegralInRange<int>(0, 3); i > 0; --i) bend(in, *in.PickValueInArray(all));
  spoil_unused_strides(in, all);
  const bool in_place = in.ConsumeIntegralInRange<int>(0, 7) == 0;
  for (heed_tensor* t : {&call.query, &call.key, &call.value, &call.attn_mask}) memories.place_numbers(*t);
  if (in_place) call.output = call.query;
  const Exact* output = in_place ? nullptr : memories.place(call.output);
  if (call.need_weights) memories.place(call.attn_weights);  // else nobody looks at it
  call_carelessly(in, p, memories, output, in_place,
                  [&](const heed_plan* plan, void* workspace, size_t bytes, heed_error* e) {
                    return heed_scaled_dot_product_attention(plan, &call, workspace, bytes, e);
                  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  if (in.ConsumeBool()) module_call(in);
  else sdpa_call(in);
  return 0;
}
