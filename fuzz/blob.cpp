// blob: packed weights of a stranger. Only bytes with the right header and checksum pass
// heed_weights_verify; and whatever the floats are, heed_forward stays in its buffers.
#include "core/crc32c.hpp"
#include "fuzz.hpp"
#include "plan.hpp"

namespace {

using namespace heed_fuzz;

uint32_t checksum(const Exact& blob) {
  heed::WeightsHeader h;
  std::memcpy(&h, blob.data(), sizeof h);
  h.crc = 0;
  return heed::crc32c(blob.data() + sizeof h, blob.bytes() - sizeof h, heed::crc32c(&h, sizeof h));
}

// A call on these weights, with buffers of exactly the size that it needs.
heed_status run(FuzzedDataProvider& in, const heed_plan* plan, const heed_config& c, const void* weights) {
  const uint32_t L = in.ConsumeIntegralInRange<uint32_t>(1, c.max_query);
  const uint32_t S = in.ConsumeIntegralInRange<uint32_t>(1, c.max_key);
  const Exact query(size_t(4) * L * c.embed_dim, 16), key(size_t(4) * S * c.kdim, 16),
      value(size_t(4) * S * c.vdim, 16);
  const Exact output(query.bytes(), 16), workspace(heed_workspace_bytes(&c));
  const uint32_t columns = S + c.add_bias_kv + c.add_zero_attn;
  const Exact attn_weights(size_t(4) * L * columns, 16);
  Random random(in.ConsumeIntegral<uint32_t>());
  const Numbers kind = in.ConsumeEnum<Numbers>();
  fill(query.data(), query.bytes() / 4, kind, random);
  fill(key.data(), key.bytes() / 4, kind, random);
  fill(value.data(), value.bytes() / 4, kind, random);
  heed_call call = heed_call_default();
  call.query = heed_contiguous(query.data(), HEED_FLOAT32, 2, L, c.embed_dim, 0, 0);
  call.key = heed_contiguous(key.data(), HEED_FLOAT32, 2, S, c.kdim, 0, 0);
  call.value = heed_contiguous(value.data(), HEED_FLOAT32, 2, S, c.vdim, 0, 0);
  call.output = heed_contiguous(output.data(), HEED_FLOAT32, 2, L, c.embed_dim, 0, 0);
  call.attn_weights = heed_contiguous(attn_weights.data(), HEED_FLOAT32, 2, L, columns, 0, 0);
  call.need_weights = in.ConsumeBool();
  call.causal = in.ConsumeBool() ? HEED_CAUSAL_BOTTOM_RIGHT : HEED_CAUSAL_NONE;
  heed_error error;
  const heed_status status = heed_forward(plan, weights, &call, workspace.data(), workspace.bytes(), &error);
  must_explain(status, error);
  if (status != HEED_OK) must(output.untouched(), "a refused call writes nothing");
  return status;
}

// Plan, verify, run. `sealed`: is the checksum right?
void use(FuzzedDataProvider& in, heed_config c, const Exact& blob, bool same_header, bool sealed) {
  const std::string arch = any_arch(in);
  c.isa = arch.c_str();
  c.max_query = in.ConsumeIntegralInRange<uint32_t>(1, 60);
  c.max_key = in.ConsumeIntegralInRange<uint32_t>(1, 140);
  c.slices = in.ConsumeIntegralInRange<uint32_t>(1, 3);
  c.add_zero_attn = in.ConsumeBool();
  const Exact memory(HEED_PLAN_BYTES);
  const heed_plan* plan = nullptr;
  heed_error error;
  must(heed_plan_init(&c, memory.data(), memory.bytes(), &plan, &error) == HEED_OK, "the configuration makes a plan");
  const heed_status verified = heed_weights_verify(plan, blob.data(), blob.bytes(), &error);
  must_explain(verified, error);
  must(verified == (same_header && sealed ? HEED_OK : HEED_ERROR_WEIGHTS),
       "verify passes sealed weights and no others");
  must(heed_weights_verify(plan, blob.data(), blob.bytes() - 1, &error) == HEED_ERROR_WEIGHTS, "verify sees a cut");
  must(run(in, plan, c, blob.data()) == (same_header ? HEED_OK : HEED_ERROR_WEIGHTS), "forward looks at the header");
}

// All bytes are the stranger's.
void raw(FuzzedDataProvider& in) {
  const std::string bytes = in.ConsumeRandomLengthString();
  const Exact blob(bytes.size());
  std::memcpy(blob.data(), bytes.data(), bytes.size());
  heed_config c;
  heed_error error;
  const heed_status status = heed_weights_config(blob.data(), blob.bytes(), &c, &error);
  must_explain(status, error);
  if (status != HEED_OK) return must(status == HEED_ERROR_WEIGHTS, "what is no blob is refused as weights");
  uint32_t crc;
  std::memcpy(&crc, blob.data() + offsetof(heed::WeightsHeader, crc), sizeof crc);
  use(in, c, blob, true, crc == checksum(blob));
}

// A header as heed writes it, or one word beside it; any floats; a checksum that is right, or not.
void sealed(FuzzedDataProvider& in) {
  const uint32_t heads = in.ConsumeIntegralInRange<uint32_t>(1, 4);
  heed_config c = heed_config_default(heads * in.ConsumeIntegralInRange<uint32_t>(1, 20), heads);
  c.kdim = in.ConsumeBool() ? in.ConsumeIntegralInRange<uint32_t>(1, 300) : c.embed_dim;
  c.vdim = in.ConsumeBool() ? in.ConsumeIntegralInRange<uint32_t>(1, 40) : c.embed_dim;
  c.bias = in.ConsumeBool();
  c.add_bias_kv = in.ConsumeBool();
  c.max_query = 1;
  const Exact blob(heed_weights_bytes(&c));
  const heed::Geometry g = heed::geometry(c);
  heed::WeightsHeader h{};
  heed::write_header(g, heed::weights_layout(g).bytes, h);
  const uint32_t word = in.ConsumeIntegralInRange<uint32_t>(0, 15);
  const uint32_t flip =
      in.ConsumeBool() || word == offsetof(heed::WeightsHeader, crc) / 4 ? 0 : in.ConsumeIntegral<uint32_t>();
  uint32_t words[16];
  std::memcpy(words, &h, sizeof words);
  words[word] ^= flip;
  std::memcpy(blob.data(), words, sizeof words);
  Random random(in.ConsumeIntegral<uint32_t>());
  fill(blob.data() + sizeof h, (blob.bytes() - sizeof h) / 4, in.ConsumeEnum<Numbers>(), random);
  const uint32_t damage = in.ConsumeBool() ? 0 : in.ConsumeIntegral<uint32_t>(), crc = checksum(blob) ^ damage;
  std::memcpy(blob.data() + offsetof(heed::WeightsHeader, crc), &crc, sizeof crc);
  heed_config came;
  heed_error error;
  const heed_status status = heed_weights_config(blob.data(), blob.bytes(), &came, &error);
  must_explain(status, error);
  if (flip == 0)
    must(status == HEED_OK && came.embed_dim == c.embed_dim && came.num_heads == c.num_heads && came.kdim == c.kdim &&
             came.vdim == c.vdim && came.bias == c.bias && came.add_bias_kv == c.add_bias_kv,
         "a header tells its configuration");
  use(in, c, blob, flip == 0, damage == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  if (in.ConsumeBool()) raw(in);
  else sealed(in);
  return 0;
}
