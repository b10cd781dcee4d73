// Every way to call heed_forward and heed_scaled_dot_product_attention wrongly: the status
// (1 to 16 in PyTorch's order), a sentence with what was expected and what came, nothing written.
#include <cstdlib>
#include <functional>
#include <type_traits>

#include "refusal.hpp"

using namespace heed_test;

namespace {

// Else reading a negative one, to refuse it, would be undefined.
static_assert(std::is_signed_v<std::underlying_type_t<heed_dtype>> &&
                  std::is_signed_v<std::underlying_type_t<heed_causal>> &&
                  std::is_signed_v<std::underlying_type_t<heed_fully_masked>>,
              "an option may be any int");

Problem mha() {
  Problem p;
  p.N = 2, p.L = 3, p.S = 4, p.H = 2, p.E = 6, p.kdim = 5, p.vdim = 7;
  p.need_weights = true;
  p.padding = {false, {2, 4}, std::vector<float>(8, 0.0f)};
  p.mask = {false, {3, 4}, std::vector<float>(12, 0.0f)};
  Random random(51);
  fill_random(p, random);
  return p;
}

Problem unbatched() {
  Problem p = mha();
  p.N = 1;
  p.unbatched = true;
  p.padding = {false, {4}, std::vector<float>(4, 0.0f)};
  p.mask = {false, {2, 3, 4}, std::vector<float>(24, 0.0f)};
  Random random(52);
  fill_random(p, random);
  return p;
}

Problem sdpa() {
  Problem p;
  p.sdpa = true;
  p.N = 2, p.L = 3, p.S = 4, p.H = 4, p.Hkv = 2, p.D = 5, p.Dv = 6;
  p.need_weights = true;
  p.mask = {false, {3, 4}, std::vector<float>(12, 1.0f)};
  Random random(53);
  fill_random(p, random);
  return p;
}

template <class Enum>
void set_raw(Enum& e, int value) { std::memcpy(&e, &value, sizeof e); }

struct Wrong {
  heed_status status;
  std::vector<std::string> words;
  std::function<void(heed_call&)> make;
};

// Batched calls, in the order in which the checks must fire.
std::vector<Wrong> wrong_calls() {
  return {
      {HEED_ERROR_QUERY_RANK, {"query", "2-D", "3-D", "1-D", "came"}, [](heed_call& c) { c.query.rank = 1; }},
      {HEED_ERROR_QUERY_RANK, {"query", "2-D", "3-D", "4-D", "came"}, [](heed_call& c) { c.query.rank = 4; }},
      {HEED_ERROR_KEY_VALUE_RANK, {"3-D", "key and value", "3-D", "2-D", "came"}, [](heed_call& c) { c.key.rank = 2; }},
      {HEED_ERROR_KEY_VALUE_RANK, {"key and value", "3-D", "4-D", "came"}, [](heed_call& c) { c.value.rank = 4; }},
      {HEED_ERROR_KEY_PADDING_MASK_RANK,
       {"key_padding_mask", "2-D", "1-D", "came"},
       [](heed_call& c) { c.key_padding_mask.rank = 1; }},
      {HEED_ERROR_ATTN_MASK_RANK,
       {"attn_mask", "2-D to 4-D", "1-D", "came"},
       [](heed_call& c) { c.attn_mask.rank = 1; }},
      {HEED_ERROR_MASK_DTYPE,
       {"bool and float", "key_padding_mask", "7", "came"},
       [](heed_call& c) { set_raw(c.key_padding_mask.dtype, 7); }},
      {HEED_ERROR_MASK_DTYPE,
       {"bool and float", "attn_mask", "7", "came"},
       [](heed_call& c) { set_raw(c.attn_mask.dtype, 7); }},
      {HEED_ERROR_CAUSAL, {"causal", "0 to 3", "9", "came"}, [](heed_call& c) { set_raw(c.causal, 9); }},
      {HEED_ERROR_CAUSAL, {"causal", "0 to 3", "-1", "came"}, [](heed_call& c) { set_raw(c.causal, -1); }},
      {HEED_ERROR_OPTION, {"fully_masked", "0 or 1", "2", "came"}, [](heed_call& c) { set_raw(c.fully_masked, 2); }},
      {HEED_ERROR_EMBED_DIM, {"query", "embed_dim = 6", "5", "came"}, [](heed_call& c) { c.query.shape[2] = 5; }},
      {HEED_ERROR_KEY_VALUE_SHAPE,
       {"key and value", "(2, 4, 5)", "(2, 3, 7)", "came"},
       [](heed_call& c) { c.value.shape[1] = 3; }},
      {HEED_ERROR_KEY_VALUE_SHAPE,
       {"key and value", "(2, 4, 5)", "(3, 4, 7)", "came"},
       [](heed_call& c) { c.value.shape[0] = 3; }},
      {HEED_ERROR_KEY_VALUE_DIM, {"kdim = 5", "vdim = 7", "6", "7", "came"}, [](heed_call& c) { c.key.shape[2] = 6; }},
      {HEED_ERROR_KEY_VALUE_DIM,
       {"kdim = 5", "vdim = 7", "5", "8", "came"},
       [](heed_call& c) { c.value.shape[2] = 8; }},
      {HEED_ERROR_LIMIT,
       {"max_batch = 2", "3", "came"},
       [](heed_call& c) { c.query.shape[0] = c.key.shape[0] = c.value.shape[0] = 3; }},
      {HEED_ERROR_LIMIT, {"max_query = 3", "4", "came"}, [](heed_call& c) { c.query.shape[1] = 4; }},
      {HEED_ERROR_LIMIT, {"max_key = 4", "5", "came"}, [](heed_call& c) { c.key.shape[1] = c.value.shape[1] = 5; }},
      {HEED_ERROR_ATTN_MASK_2D,
       {"attn_mask", "(3, 4)", "(1, 4)", "came"},
       [](heed_call& c) { c.attn_mask.shape[0] = 1; }},
      {HEED_ERROR_ATTN_MASK_2D,
       {"attn_mask", "(3, 4)", "(3, 5)", "came"},
       [](heed_call& c) { c.attn_mask.shape[1] = 5; }},
      {HEED_ERROR_ATTN_MASK_3D,
       {"attn_mask", "N*H", "(4, 3, 4)", "(2, 3, 4)", "came"},
       [](heed_call& c) { c.attn_mask = heed_contiguous(c.attn_mask.data, HEED_BOOL, 3, 2, 3, 4, 0); }},
      {HEED_ERROR_ATTN_MASK_3D,
       {"attn_mask", "(2, 2, 3, 4)", "(2, 1, 3, 4)", "came"},
       [](heed_call& c) { c.attn_mask = heed_contiguous(c.attn_mask.data, HEED_BOOL, 4, 2, 1, 3, 4); }},
      {HEED_ERROR_BATCH,
       {"query and key", "batch", "2", "1", "came"},
       [](heed_call& c) { c.key.shape[0] = c.value.shape[0] = 1; }},
      {HEED_ERROR_KEY_PADDING_MASK_SHAPE,
       {"key_padding_mask", "(2, 4)", "(2, 5)", "came"},
       [](heed_call& c) { c.key_padding_mask.shape[1] = 5; }},
      {HEED_ERROR_KEY_PADDING_MASK_SHAPE,
       {"key_padding_mask", "(2, 4)", "(4, 4)", "came"},
       [](heed_call& c) { c.key_padding_mask.shape[0] = 4; }},
      {HEED_ERROR_DTYPE, {"query", "float32", "bool", "came"}, [](heed_call& c) { c.query.dtype = HEED_BOOL; }},
      {HEED_ERROR_STRIDE, {"query", "side by side", "1", "2", "came"}, [](heed_call& c) { c.query.stride[2] = 2; }},
      {HEED_ERROR_DTYPE, {"key", "float32", "bool", "came"}, [](heed_call& c) { c.key.dtype = HEED_BOOL; }},
      {HEED_ERROR_STRIDE,
       {"key", "side by side", "must be 1, but -1 came"},
       [](heed_call& c) { c.key.stride[2] = -1; }},
      {HEED_ERROR_DTYPE, {"value", "float32", "bool", "came"}, [](heed_call& c) { c.value.dtype = HEED_BOOL; }},
      {HEED_ERROR_STRIDE,
       {"value", "side by side", "must be 1, but 0 came"},
       [](heed_call& c) { c.value.stride[2] = 0; }},
      {HEED_ERROR_OUTPUT, {"output", "(2, 3, 6)", "(2, 3)", "came"}, [](heed_call& c) { c.output.rank = 2; }},
      {HEED_ERROR_OUTPUT, {"output", "(2, 3, 6)", "(2, 4, 6)", "came"}, [](heed_call& c) { c.output.shape[1] = 4; }},
      {HEED_ERROR_DTYPE, {"output", "float32", "bool"}, [](heed_call& c) { c.output.dtype = HEED_BOOL; }},
      {HEED_ERROR_STRIDE, {"output", "side by side", "2", "came"}, [](heed_call& c) { c.output.stride[2] = 2; }},
      {HEED_ERROR_ATTN_WEIGHTS,
       {"attn_weights", "(2, 3, 4)", "(2, 3, 5)", "came"},
       [](heed_call& c) { c.attn_weights.shape[2] = 5; }},
      {HEED_ERROR_ATTN_WEIGHTS,
       {"attn_weights", "(2, 2, 3, 4)", "(2, 3, 4)", "came"},
       [](heed_call& c) { c.average_attn_weights = false; }},
      {HEED_ERROR_ATTN_WEIGHTS,
       {"attn_weights", "(2, 3, 4)", "()", "came"},
       [](heed_call& c) { c.attn_weights = heed_call_default().attn_weights; }},
      {HEED_ERROR_STRIDE,
       {"attn_weights", "side by side", "4", "came"},
       [](heed_call& c) { c.attn_weights.stride[2] = 4; }},
      {HEED_ERROR_NULL, {"query", "NULL"}, [](heed_call& c) { c.query.data = nullptr; }},
      {HEED_ERROR_NULL, {"key", "NULL"}, [](heed_call& c) { c.key.data = nullptr; }},
      {HEED_ERROR_NULL, {"value", "NULL"}, [](heed_call& c) { c.value.data = nullptr; }},
      {HEED_ERROR_NULL, {"output", "NULL"}, [](heed_call& c) { c.output.data = nullptr; }},
  };
}

// Two tensors of one name, or two words of one tensor, undo each other's error.
bool independent(const Wrong& a, const Wrong& b) { return a.words[0] != b.words[0] && a.status != b.status; }

}  // namespace

TEST_CASE("a wrong call of heed_forward is refused with its status and a sentence", "[errors]") {
  for (const Wrong& w : wrong_calls()) {
    Runner r(mha(), {});
    REQUIRE(r.prepare() == HEED_OK);
    w.make(r.call);
    check_refused(r, w.status, w.words);
  }
}

TEST_CASE("of two errors the first in PyTorch's order is told", "[errors]") {
  const std::vector<Wrong> list = wrong_calls();
  size_t pairs = 0;
  for (size_t i = 0; i < list.size(); ++i)
    for (size_t j = i + 1; j < list.size(); ++j) {
      if (!independent(list[i], list[j]) || list[i].status >= HEED_ERROR_NULL || list[j].status >= HEED_ERROR_NULL) continue;
      Runner r(mha(), {});
      REQUIRE(r.prepare() == HEED_OK);
      list[j].make(r.call);
      list[i].make(r.call);
      CAPTURE(heed_status_name(list[i].status), heed_status_name(list[j].status));
      const heed_status came = r.run();
      CHECK(came == list[i].status);
      ++pairs;
    }
  CHECK(pairs > 150);
}

TEST_CASE("wrong unbatched calls are refused", "[errors]") {
  const std::vector<Wrong> list = {
      {HEED_ERROR_KEY_VALUE_RANK, {"2-D query", "3-D", "came"}, [](heed_call& c) { c.key.rank = 3; }},
      {HEED_ERROR_KEY_PADDING_MASK_RANK, {"key_padding_mask", "1-D", "2-D", "came"}, [](heed_call& c) { c.key_padding_mask.rank = 2; }},
      {HEED_ERROR_ATTN_MASK_RANK, {"attn_mask", "2-D to 3-D", "4-D", "came"}, [](heed_call& c) { c.attn_mask.rank = 4; }},
      {HEED_ERROR_UNBATCHED_ATTN_MASK, {"attn_mask", "(2, 3, 4)", "(1, 3, 4)", "came"}, [](heed_call& c) { c.attn_mask.shape[0] = 1; }},
      {HEED_ERROR_KEY_PADDING_MASK_SHAPE, {"key_padding_mask", "(4)", "(3)", "came"}, [](heed_call& c) { c.key_padding_mask.shape[0] = 3; }},
      {HEED_ERROR_ATTN_WEIGHTS, {"attn_weights", "(3, 4)", "(1, 3, 4)", "came"},
       [](heed_call& c) { c.attn_weights = heed_contiguous(c.attn_weights.data, HEED_FLOAT32, 3, 1, 3, 4, 0); }},
  };
  for (const Wrong& w : list) {
    Runner r(unbatched(), {});
    REQUIRE(r.prepare() == HEED_OK);
    w.make(r.call);
    check_refused(r, w.status, w.words);
  }
}

TEST_CASE("a wrong call of scaled_dot_product_attention is refused with its status and a sentence", "[errors]") {
  struct WrongSdpa {
    heed_status status;
    std::vector<std::string> words;
    std::function<void(heed_sdpa_call&)> make;
  };
  const std::vector<WrongSdpa> list = {
      {HEED_ERROR_QUERY_RANK, {"query", "2-D", "came"}, [](heed_sdpa_call& c) { c.query.rank = 2; }},
      {HEED_ERROR_KEY_VALUE_RANK, {"key and value", "4", "3", "came"}, [](heed_sdpa_call& c) { c.key.rank = 3; }},
      {HEED_ERROR_ATTN_MASK_RANK, {"attn_mask", "1-D to 4-D", "5-D", "came"}, [](heed_sdpa_call& c) { c.attn_mask.rank = 5; }},
      {HEED_ERROR_MASK_DTYPE, {"bool and float32", "attn_mask", "7", "came"}, [](heed_sdpa_call& c) { set_raw(c.attn_mask.dtype, 7); }},
      {HEED_ERROR_CAUSAL, {"causal", "4", "came"}, [](heed_sdpa_call& c) { set_raw(c.causal, 4); }},
      {HEED_ERROR_OPTION, {"fully_masked", "5", "came"}, [](heed_sdpa_call& c) { set_raw(c.fully_masked, 5); }},
      {HEED_ERROR_EMBED_DIM, {"num_heads = 4", "head_dim = 5", "(2, 4, 3, 4)", "came"}, [](heed_sdpa_call& c) { c.query.shape[3] = 4; }},
      {HEED_ERROR_EMBED_DIM, {"num_heads = 4", "head_dim = 5", "(2, 2, 3, 5)", "came"}, [](heed_sdpa_call& c) { c.query.shape[1] = 2; }},
      {HEED_ERROR_KEY_VALUE_SHAPE, {"key and value", "(2, 2, 4, 5)", "(2, 2, 3, 6)", "came"}, [](heed_sdpa_call& c) { c.value.shape[2] = 3; }},
      {HEED_ERROR_KEY_VALUE_DIM, {"num_kv_heads = 2", "(2, 4, 4, 5)", "came"}, [](heed_sdpa_call& c) { c.key.shape[1] = 4; }},
      {HEED_ERROR_KEY_VALUE_DIM, {"head_dim = 5", "(2, 2, 4, 6)", "came"}, [](heed_sdpa_call& c) { c.key.shape[3] = 6; }},
      {HEED_ERROR_KEY_VALUE_DIM, {"value_dim = 6", "(2, 2, 4, 5)", "came"}, [](heed_sdpa_call& c) { c.value.shape[3] = 5; }},
      {HEED_ERROR_ATTN_MASK_3D, {"attn_mask", "(2, 4, 3, 4)", "(2, 4)", "came"}, [](heed_sdpa_call& c) { c.attn_mask.shape[0] = 2; }},
      {HEED_ERROR_BATCH, {"query and key", "2", "1", "came"}, [](heed_sdpa_call& c) { c.key.shape[0] = c.value.shape[0] = 1; }},
      {HEED_ERROR_DTYPE, {"value", "float32", "bool"}, [](heed_sdpa_call& c) { c.value.dtype = HEED_BOOL; }},
      {HEED_ERROR_LIMIT, {"max_query = 3", "4", "came"}, [](heed_sdpa_call& c) { c.query.shape[2] = 4; }},
      {HEED_ERROR_LIMIT, {"max_key = 4", "5", "came"}, [](heed_sdpa_call& c) { c.key.shape[2] = c.value.shape[2] = 5; }},
      {HEED_ERROR_OUTPUT, {"output", "(2, 4, 3, 6)", "(2, 4, 3, 5)", "came"}, [](heed_sdpa_call& c) { c.output.shape[3] = 5; }},
      {HEED_ERROR_ATTN_WEIGHTS, {"attn_weights", "(2, 4, 3, 4)", "(2, 1, 3, 4)", "came"}, [](heed_sdpa_call& c) { c.attn_weights.shape[1] = 1; }},
      {HEED_ERROR_STRIDE, {"key", "side by side", "3", "came"}, [](heed_sdpa_call& c) { c.key.stride[3] = 3; }},
      {HEED_ERROR_STRIDE, {"output", "side by side", "3", "came"}, [](heed_sdpa_call& c) { c.output.stride[3] = 3; }},
      {HEED_ERROR_NULL, {"key", "NULL"}, [](heed_sdpa_call& c) { c.key.data = nullptr; }},
      {HEED_ERROR_NULL, {"output", "NULL"}, [](heed_sdpa_call& c) { c.output.data = nullptr; }},
  };
  for (const WrongSdpa& w : list) {
    Runner r(sdpa(), {});
    REQUIRE(r.prepare() == HEED_OK);
    w.make(r.sdpa_call);
    check_refused(r, w.status, w.words);
  }
}

TEST_CASE("attention weights that were asked for but have no data are refused", "[errors]") {
  for (const uint32_t S : {4u, 0u}) {  // 0: the zero slot still makes a column
    Problem p = mha();
    p.S = S;
    p.padding = p.mask = Mask();
    p.add_zero_attn = true;
    Random random(54);
    fill_random(p, random);
    Runner r(p, {});
    REQUIRE(r.prepare() == HEED_OK);
    r.call.attn_weights.data = nullptr;
    CAPTURE(S);
    check_refused(r, HEED_ERROR_NULL, {"attn_weights", "NULL"});
  }
}

TEST_CASE("the two elements of a row must lie side by side; one element may lie anywhere", "[errors]") {
  for (const uint32_t kdim : {2u, 1u}) {
    Problem p = mha();
    p.kdim = kdim;
    Random random(55);
    fill_random(p, random);
    Runner r(p, {});
    REQUIRE(r.prepare() == HEED_OK);
    r.call.key.stride[2] = 3;
    CAPTURE(kdim);
    if (kdim == 1) CHECK(r.run() == HEED_OK);
    else check_refused(r, HEED_ERROR_STRIDE, {"key", "side by side", "3", "came"});
  }
}

TEST_CASE("the longest sentences fit", "[errors]") {
  Runner r(sdpa(), {});
  REQUIRE(r.prepare() == HEED_OK);
  for (uint32_t i = 0; i < 4; ++i) r.sdpa_call.key.shape[i] = r.sdpa_call.value.shape[i] = UINT32_MAX;
  check_refused(r, HEED_ERROR_KEY_VALUE_DIM, {"(4294967295, 4294967295", "(4294967295, 4294967295", "came"});
  Runner m(mha(), {});
  REQUIRE(m.prepare() == HEED_OK);
  m.call.attn_weights.rank = UINT32_MAX;
  for (uint32_t i = 0; i < 4; ++i) m.call.attn_weights.shape[i] = UINT32_MAX;
  check_refused(m, HEED_ERROR_ATTN_WEIGHTS, {"(4294967295, 4294967295, 4294967295, 4294967295)", "came"});
}

TEST_CASE("every status has its name", "[errors]") {
  std::vector<std::string> names;
  for (int s = 0; s < 64; ++s) {
    const std::string name = heed_status_name(heed_status(s));
    const bool known = s == 0 || (s >= 1 && s <= 16) || (s >= 32 && s <= 46);
    CHECK((name.find("HEED_") == 0) == known);
    if (known) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
}
