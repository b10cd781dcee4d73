// rules: any configuration at all. What is sound, and how many bytes it takes, is computed once more
// in 128 bits; every region of weights and workspace must be as large as that, in order and inside.
#include "fuzz.hpp"
#include "heed/layout.hpp"

namespace {

using namespace heed_fuzz;
using Wide = unsigned __int128;

// Any number, small ones, and those around the limits more often than chance would have it.
uint32_t number(FuzzedDataProvider& in) {
  constexpr uint32_t kAround[] = {1, 16, 32, 48, 128, 256, 512, 1024, 4096, 65536, 16777200, 0x80000000};
  switch (in.ConsumeIntegralInRange<int>(0, 2)) {
    case 0: return in.ConsumeIntegralInRange<uint32_t>(0, 70);
    case 1: return in.ConsumeIntegral<uint32_t>();
    default: return in.PickValueInArray(kAround) + in.ConsumeIntegralInRange<uint32_t>(0, 2) - 1;
  }
}

bool sound_limits(uint32_t batch, uint32_t query, uint32_t key, uint32_t slices) {
  return batch <= 65536 && query >= 1 && query <= 16777200 && key <= 16777200 && slices <= 1024;
}
bool is_sound(const heed_config& c) {
  return c.embed_dim >= 1 && c.num_heads >= 1 && c.embed_dim <= 65536 && c.num_heads <= 4096 &&
         c.embed_dim % c.num_heads == 0 && c.embed_dim / c.num_heads <= 512 && c.kdim <= 65536 && c.vdim <= 65536 &&
         sound_limits(c.max_batch, c.max_query, c.max_key, c.slices);
}
bool is_sound(const heed_sdpa_config& c) {
  return c.num_heads >= 1 && c.head_dim >= 1 && c.num_heads <= 4096 && c.head_dim <= 512 && c.value_dim <= 512 &&
         (c.num_kv_heads == 0 || c.num_heads % c.num_kv_heads == 0) &&
         sound_limits(c.max_batch, c.max_query, c.max_key, c.slices);
}

Wide or_else(uint32_t n, uint32_t fallback) { return n ? n : fallback; }
Wide up(Wide n, Wide to) { return (n + to - 1) / to * to; }
Wide least(Wide a, Wide b) { return a < b ? a : b; }

// Regions that follow each other: where the next one must not begin before.
class Regions {
 public:
  void add(uint64_t at, Wide bytes) {
    must(at % HEED_ALIGNMENT == 0, "regions are aligned");
    must(at >= end_, "regions are in order and do not overlap");
    end_ = at + bytes;
  }
  void close(Wide bytes) const { must(end_ <= bytes, "regions lie inside"); }

 private:
  Wide end_ = 0;
};

// The sizes of heed.h's shapes, and nothing that layout.hpp computes.
struct Oracle {
  Wide heads, head_dim, value_dim, embed_dim = 0, kdim = 0, vdim = 0, queries, keys, slices, bias = 0, bias_kv = 0;
  explicit Oracle(const heed_config& c)
      : heads(c.num_heads),
        head_dim(c.embed_dim / c.num_heads),
        value_dim(head_dim),
        embed_dim(c.embed_dim),
        kdim(or_else(c.kdim, c.embed_dim)),
        vdim(or_else(c.vdim, c.embed_dim)),
        queries(c.max_query),
        keys(or_else(c.max_key, c.max_query) + c.add_bias_kv + c.add_zero_attn),
        slices(or_else(c.slices, 1)),
        bias(c.bias),
        bias_kv(c.add_bias_kv) {}
  explicit Oracle(const heed_sdpa_config& c)
      : heads(c.num_heads),
        head_dim(c.head_dim),
        value_dim(or_else(c.value_dim, c.head_dim)),
        queries(c.max_query),
        keys(or_else(c.max_key, c.max_query)),
        slices(or_else(c.slices, 1)) {}
};

Wide weights_bytes(const Oracle& o) {
  const Wide row = up(o.embed_dim, 16) * 4;  // a multiple of 64: nothing to align
  return 64 + row * (o.embed_dim + o.kdim + o.vdim + o.embed_dim + 4 * o.bias + 2 * o.bias_kv);
}

void check_weights(const heed::WeightsLayout& w, const Oracle& o) {
  const Wide row = up(o.embed_dim, 16) * 4;
  Regions regions;
  regions.add(0, heed::kWeightsHeaderBytes);
  regions.add(w.q, row * o.embed_dim);
  regions.add(w.k, row * o.kdim);
  regions.add(w.v, row * o.vdim);
  for (uint64_t at : {w.q_bias, w.k_bias, w.v_bias}) regions.add(at, row * o.bias);
  for (uint64_t at : {w.bias_k, w.bias_v}) regions.add(at, row * o.bias_kv);
  regions.add(w.out, row * o.embed_dim);
  regions.add(w.out_bias, row * o.bias);
  regions.close(w.bytes);
  must(w.bytes == weights_bytes(o), "packed weights take exactly their bytes");
}

void check_workspace(const heed::Geometry& g, const heed::WorkspaceLayout& w, const Oracle& o) {
  const Wide own = o.embed_dim ? 1 : 0, queries = up(least(o.queries, 48), 16);
  must(g.group >= 1 && g.group <= o.heads, "a group has some of the heads");
  must(w.k_stride >= g.group * o.head_dim && w.v_stride >= g.group * o.value_dim, "a group's heads fit a row");
  must(w.heads_stride >= o.heads * o.value_dim, "all heads fit a row");
  Regions all, slice;
  all.add(w.visible, o.keys);
  all.add(w.key_bias, o.keys * 4);
  all.add(w.heads, own * o.queries * w.heads_stride * 4);
  all.add(w.slices, o.slices * w.slice_bytes);
  all.close(w.bytes);
  slice.add(w.k, own * o.keys * w.k_stride * 4);
  slice.add(w.v, own * o.keys * w.v_stride * 4);
  slice.add(w.q, own * least(o.queries, 48) * w.k_stride * 4);
  slice.add(w.qt, o.head_dim * queries * 4);
  slice.add(w.ot, o.value_dim * queries * 4);
  slice.add(w.scores, least(o.keys, 128) * queries * 4);
  slice.add(w.finite, g.group * up(o.keys, 128) / 128);
  slice.close(w.slice_bytes);
  must(w.slice_bytes % HEED_ALIGNMENT == 0, "slices are aligned");
}

heed_status init(const heed_config& c, const Exact& memory, size_t bytes, const heed_plan** plan, heed_error* error) {
  return heed_plan_init(&c, memory.data(), bytes, plan, error);
}
heed_status init(const heed_sdpa_config& c, const Exact& memory, size_t bytes, const heed_plan** plan,
                 heed_error* error) {
  return heed_sdpa_plan_init(&c, memory.data(), bytes, plan, error);
}

template <class Config>
void check_plan(const Config& c, bool sound, size_t room) {
  const Exact memory(HEED_PLAN_BYTES);
  const heed_plan* plan = nullptr;
  heed_error error;
  const heed_status status = init(c, memory, room, &plan, &error);
  must_explain(status, error);
  const heed_status want = room < HEED_PLAN_BYTES ? HEED_ERROR_MEMORY : HEED_OK;
  must(status == (sound ? want : HEED_ERROR_CONFIG), "a plan is made of a sound configuration and no other");
  if (status == HEED_OK) must(heed_plan_isa(plan)[0] != 0, "a plan has an arch");
  else must(!plan && memory.untouched(), "a refused plan leaves its memory");
}

void check_module(FuzzedDataProvider& in, size_t room) {
  heed_config c = heed_config_default(number(in), number(in));
  if (in.ConsumeBool()) c.embed_dim = c.num_heads * in.ConsumeIntegralInRange<uint32_t>(1, 513);  // or few are sound
  for (bool* flag : {&c.bias, &c.add_bias_kv, &c.add_zero_attn, &c.batch_first}) *flag = in.ConsumeBool();
  for (uint32_t* n : {&c.max_query, &c.max_key, &c.kdim, &c.vdim, &c.max_batch, &c.slices})
    *n = in.ConsumeBool() ? number(in) : in.ConsumeIntegralInRange<uint32_t>(1, 1000);
  const bool sound = is_sound(c);
  must(sound == !heed::broken_rule(c), "rules.hpp knows what is sound");
  check_plan(c, sound, room);
  if (!sound) return must(!heed_weights_bytes(&c) && !heed_workspace_bytes(&c), "the unsound has no size");
  const Oracle oracle(c);
  const heed::Geometry g = heed::geometry(c);
  check_weights(heed::weights_layout(g), oracle);
  check_workspace(g, heed::workspace_layout(g), oracle);
  must(heed_weights_bytes(&c) == weights_bytes(oracle), "heed_weights_bytes is the oracle's");
  must(heed_workspace_bytes(&c) == heed::workspace_layout(g).bytes, "heed_workspace_bytes is the layout's");
}

void check_sdpa(FuzzedDataProvider& in, size_t room) {
  heed_sdpa_config c{};
  c.num_heads = number(in);
  c.num_kv_heads = in.ConsumeBool() ? 0 : number(in);
  c.head_dim = number(in);
  for (uint32_t* n : {&c.max_query, &c.max_key, &c.value_dim, &c.max_batch, &c.slices})
    *n = in.ConsumeBool() ? number(in) : in.ConsumeIntegralInRange<uint32_t>(1, 1000);
  const bool sound = is_sound(c);
  must(sound == !heed::broken_rule(c), "rules.hpp knows what is sound");
  check_plan(c, sound, room);
  if (!sound) return must(!heed_sdpa_workspace_bytes(&c), "the unsound has no size");
  const heed::Geometry g = heed::geometry(c);
  check_workspace(g, heed::workspace_layout(g), Oracle(c));
  must(heed_sdpa_workspace_bytes(&c) == heed::workspace_layout(g).bytes, "heed_sdpa_workspace_bytes is the layout's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  const size_t room = in.ConsumeIntegralInRange<int>(0, 7) ? HEED_PLAN_BYTES : HEED_PLAN_BYTES - 1;
  if (in.ConsumeBool()) check_module(in, room);
  else check_sdpa(in, room);
  return 0;
}
