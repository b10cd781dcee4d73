// self_test.cpp - known-answer test of an arch: a tiny problem made of integers goes through each
// kernel, and the CRC-32C of the answer's bits is compared with the recorded one.
//
// The recorded numbers belong to the order of every sum (docs/design.md): a change of bits changes
// them, too. All operands are read from one pool of numbers, in rows that overlap.
#include "self_test.hpp"

#include <string.h>

#include "core/crc32c.hpp"
#include "core/message.hpp"
#include "dispatch.hpp"

namespace heed {
namespace {

constexpr uint32_t kFeatures = 19, kDepth = 21, kProjectRows = 5;  // two panels, odd tails
constexpr uint32_t kQueries = 13, kKeys = kKeyBlock + 9, kHeadDim = 7, kValueDim = 5;
constexpr uint32_t kPool = 2 * kPanel * kDepth;

struct Memory {
  float pool[kPool];                              // [-2, 2)
  float scores[kPanel * kKeyBlock];               // also q, k and v of a small module
  float qt[kPanel * kPanel], ot[kPanel * kPanel];
  float out[kFeatures * kProjectRows];
  float weights[2 * kKeys];
  uint8_t visible[kKeys + 7];
};
static_assert(sizeof(Memory) <= HEED_SELF_TEST_BYTES, "HEED_SELF_TEST_BYTES is the public promise");
static_assert(kQueries * kValueDim <= kFeatures * kProjectRows, "both fit out");

struct Known {
  uint32_t fused, twice;  // CRC-32C where multiply-adds round once, and where they round twice
  float sum;              // of the answer, for engines with an order of their own
};
constexpr Known kProject = {0x0c69703d, 0x6dbf2b90, 23.3086f};
constexpr Known kAttend = {0x8b66aa0a, 0xf4e187f6, 10.17543f};
constexpr Known kAttendFew = {0xa6d294a8, 0x23b9d507, 1.803247f};
constexpr Known kMasks = {0xd33f8ec1, 0xcd71e3a8, 6.995261f};
constexpr Known kCausal = {0x11931ea9, 0xe826cc0d, 8.867566f};
constexpr Known kWeights = {0x09fea70e, 0x0806c060, 3.973069f};
constexpr Known kSmall = {0x36bbf4fc, 0x90e88ce5, -13.2056f};

// Multiples of 2^-14, so that every machine has the same.
void fill(Memory& m) {
  memset(&m, 0, sizeof m);
  uint32_t state = 12345;
  for (float& x : m.pool) {
    state = state * 1664525u + 1013904223u;
    x = float(int32_t(state >> 16) - 32768) * 0x1p-14f;
  }
}

// Archs of a bare board all round once; none of them is another engine, or has a kernel for
// small modules where code size counts.
constexpr bool kHosted = HEED_READ_ENVIRONMENT;

bool differs_by_much(const float* answer, uint32_t count, float want) {
  float sum = 0.0f;
  for (uint32_t i = 0; i < count; ++i) sum += answer[i] * float(1 + i % 3);
  const float difference = sum - want;
  return !(difference <= 1e-4f && difference >= -1e-4f);
}

HEED_APART bool differs(const KernelTable& kernels, const float* answer, uint32_t count, Known known) {
  if (kHosted && kernels.rounding == Rounding::own) return differs_by_much(answer, count, known.sum);
  const uint32_t want = kHosted && kernels.rounding == Rounding::twice ? known.twice : known.fused;
  return crc32c(answer, count * sizeof(float)) != want;
}

bool wrong_project(const KernelTable& kernels, Memory& m) {
  ProjectArgs p{};
  p.panels = m.pool;
  p.a = m.pool + 1;
  p.a_stride = 3;
  p.bias = m.pool + 2 * kPanel;
  p.c = m.out;
  p.c_stride = kFeatures;
  p.rows = kProjectRows;
  p.depth = kDepth;
  p.last = kFeatures;
  kernels.project(p);
  return differs(kernels, m.out, kProjectRows * kFeatures, kProject);
}

// Attention of the same queries, keys and values in all its tests; what differs is set in between.
struct Attention {
  const KernelTable& kernels;
  uint32_t wrong = 0;
  AttendArgs a{};

  Attention(const KernelTable& k, Memory& m) : kernels(k) {
    a.q = m.pool + 3;
    a.k = m.pool + 200;
    a.v = m.pool + 401;
    a.q_stride = 4;
    a.k_stride = a.v_stride = 1;
    a.out = m.out;
    a.out_stride = kValueDim;
    a.rows = kQueries;
    a.head_dim = kHeadDim;
    a.value_dim = kValueDim;
    a.positions = kKeys;
    a.scale = 0.375f;
    a.qt = m.qt;
    a.ot = m.ot;
    a.scores = m.scores;
  }
  // The answer, or the weights if they are asked for.
  HEED_APART void test(WrongKernel bit, Known known) {
    kernels.attend(a);
    const bool is_wrong = a.weights ? differs(kernels, a.weights, a.rows * kKeys, known)
                                    : differs(kernels, a.out, a.rows * kValueDim, known);
    if (is_wrong) wrong |= bit;
  }
};

// Every third key is not there; a float mask hides some of the others from some queries.
void set_masks(AttendArgs& a, Memory& m) {
  memset(m.visible, 1, kKeys);
  for (uint32_t i = 1; i < kKeys; i += 3) m.visible[i] = 0;
  memcpy(m.weights, m.pool + 64, kKeys * sizeof(float));
  for (uint32_t i = 2; i < kKeys; i += 5) m.weights[i] = -__builtin_inff();
  a.visible = m.visible;
  a.position_bias = m.pool;
  a.mask.data = m.weights;
  a.mask.is_float = true;
  a.mask.row_stride = 7;
  a.mask.key_stride = 1;
}

uint32_t wrong_attention(const KernelTable& kernels, Memory& m) {
  Attention t(kernels, m);
  AttendArgs& a = t.a;
  t.test(kWrongAttend, kAttend);
  if (kWithMasks) {
    set_masks(a, m);
    t.test(kWrongMasks, kMasks);
    a.visible = nullptr;
    a.position_bias = nullptr;
    a.mask.data = nullptr;
  }
  if (kWithCausal) {
    a.causal = true;
    a.limit = kKeys - kQueries + 2;
    t.test(kWrongCausal, kCausal);
    a.causal = false;
  }
  a.rows = 2;
  t.test(kWrongAttendFew, kAttendFew);
  if (kWithWeightsOutput) {
    a.weights = m.weights;
    a.weights_stride = a.weight_columns = kKeys;
    a.weights_scale = 1.0f;
    t.test(kWrongWeights, kWeights);
  }
  return t.wrong;
}

bool wrong_small(const KernelTable& kernels, Memory& m) {
  if (kForSize || !kernels.small) return false;
  constexpr uint32_t kEmbedDim = kSmallLanes, kRows = 3, kSmallKeys = 5, kStride = kEmbedDim + 4;
  SmallArgs s{};
  s.query = m.pool + 5;
  s.key = s.value = m.pool + 50;
  s.query_stride = s.key_stride = s.value_stride = 2;
  s.out = m.out;
  s.out_stride = kEmbedDim;
  s.q_panels = m.pool;
  s.k_panels = m.pool + 8 * kPanel;
  s.v_panels = m.pool + 16 * kPanel;
  s.out_panels = m.pool + 24 * kPanel;
  s.rows = kRows;
  s.keys = kSmallKeys;
  s.num_heads = 2;
  s.head_dim = kEmbedDim / 2;
  s.embed_dim = s.kdim = s.vdim = kEmbedDim;
  s.scale = 0.375f;
  s.stride = kStride;
  s.q = m.scores;
  s.k = s.q + kSmallTile * kStride;
  s.v = s.k + 2 * kSmallTile * kStride;
  s.scores = s.v + 2 * kSmallTile * kStride;
  s.qt = m.qt;
  s.ot = m.ot;
  kernels.small(s);
  return differs(kernels, m.out, kRows * kEmbedDim, kSmall);
}

}  // namespace

uint32_t self_test(const KernelTable& kernels, void* memory) {
  Memory& m = *static_cast<Memory*>(memory);
  fill(m);
  uint32_t wrong = wrong_attention(kernels, m);
  if (wrong_project(kernels, m)) wrong |= kWrongProject;
  if (wrong_small(kernels, m)) wrong |= kWrongSmall;
  return wrong;
}

}  // namespace heed

heed_status heed_self_test(const char* isa, void* memory, size_t bytes, heed_error* error) {
  using namespace heed;
  if constexpr (!kWithSelfTest) {
    return refuse_feature(error, "HEED_WITH_SELF_TEST");
  } else {
    if (!memory) return refuse_null(error, Sentence::name_memory);
    heed_status status = check_alignment(Sentence::self_tests_memory, memory, error);
    if (status == HEED_OK) status = check_room(Sentence::self_test_room, HEED_SELF_TEST_BYTES, bytes, error);
    if (status != HEED_OK) return status;
    const KernelTable* kernels = find_table(isa, error);
    if (!kernels) return HEED_ERROR_ISA;
    const uint32_t wrong = self_test(*kernels, memory);
    if (wrong == 0) return succeed(error);
    return refuse<Sentence::wrong_answer>(error, HEED_ERROR_SELF_TEST, kernels->name,
                                          Sentence(uint32_t(Sentence::test_project) + uint32_t(__builtin_ctz(wrong))));
  }
}
