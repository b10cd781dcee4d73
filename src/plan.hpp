// plan.hpp - a checked configuration: what an operation computes with, and where.
#pragma once
#include "core/crc32c.hpp"
#include "core/table.hpp"
#include "heed/layout.hpp"

namespace heed {

// The first 64 bytes of packed weights: what they were packed for. Little-endian, so that a
// blob packed at the desk is read in place on the device.
struct WeightsHeader {
  uint32_t magic, version;
  uint32_t panel, crc;  // crc: CRC-32C of all bytes, this field taken as 0
  uint32_t embed_dim, num_heads, kdim, vdim;
  uint32_t bias, add_bias_kv;
  uint64_t bytes;
  uint32_t spare[4];
};
static_assert(sizeof(WeightsHeader) == kWeightsHeaderBytes, "the layout's first region");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed weights are little-endian");

}  // namespace heed

struct heed_plan {
  uint32_t magic;
  uint32_t crc;  // CRC-32C of all that follows
  const heed::KernelTable* kernels;
  float scale;  // 1 / sqrt(head_dim)
  bool small;   // kernels->small does it where nothing is masked
  heed::Geometry geometry;
  heed::WeightsLayout weights;  // of nothing but the header for SDPA
  heed::WorkspaceLayout workspace;
  heed::WeightsHeader header;  // that the weights must begin with
};
static_assert(sizeof(heed_plan) <= HEED_PLAN_BYTES, "HEED_PLAN_BYTES is the public promise");

namespace heed {

inline constexpr uint32_t kPlanMagic = 0x6e6c7068;  // "hpln"

inline bool is_plan(const heed_plan* plan) { return plan && plan->magic == kPlanMagic; }

inline uint32_t checksum(const heed_plan* plan) {
  constexpr size_t kBegin = offsetof(heed_plan, crc) + sizeof plan->crc;
  return crc32c(reinterpret_cast<const unsigned char*>(plan) + kBegin, sizeof *plan - kBegin);
}

inline constexpr uint32_t kWeightsMagic = 0x64656568;  // "heed"
inline constexpr uint32_t kWeightsVersion = 1;

// Of packed weights, but for their checksum; `h` is zeros.
inline void write_header(const Geometry& g, size_t bytes, WeightsHeader& h) {
  h.magic = kWeightsMagic;
  h.version = kWeightsVersion;
  h.panel = kPanel;
  h.embed_dim = g.embed_dim;
  h.num_heads = g.num_heads;
  h.kdim = g.kdim;
  h.vdim = g.vdim;
  h.bias = g.bias;
  h.add_bias_kv = g.add_bias_kv;
  h.bytes = bytes;
}

// Do these packed weights begin with the header that the plan would give them?
// O(1): the checksum is not looked at.
bool weights_match(const heed_plan& plan, const void* weights);

}  // namespace heed
