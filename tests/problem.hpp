// problem.hpp - one call of either operation as plain data, and a Runner that lays it out in
// memory as the C API wants it and makes the call.
#pragma once
#include <array>
#include <map>
#include <memory>

#include "support.hpp"

namespace heed_test {

struct Mask {
  bool is_float = false;
  std::vector<uint32_t> shape;  // as the API takes it; empty: no mask
  std::vector<float> values;    // bool: 0 or 1 .. 255
  explicit operator bool() const { return !shape.empty(); }
};

// Tensors lie as (N, L, features) and (N, H, L, features), whatever batch_first says.
struct Problem {
  bool sdpa = false;
  uint32_t N = 1, L = 1, S = 1, H = 1, Hkv = 1, D = 1, Dv = 1;  // Hkv, Dv: sdpa only
  uint32_t E = 1, kdim = 1, vdim = 1;                           // mha only
  bool bias = true, add_bias_kv = false, add_zero_attn = false, batch_first = true, unbatched = false;
  bool need_weights = false, average = true;
  bool key_is_query = false, value_is_key = false;              // left absent
  heed_causal causal = HEED_CAUSAL_NONE;
  int64_t causal_offset = 0;
  heed_fully_masked fully_masked = HEED_FULLY_MASKED_ZERO;
  bool has_scale = false;
  float scale = 0.0f;
  std::vector<float> q, k, v;
  std::map<std::string, std::vector<float>> weights;            // by state_dict name
  Mask padding, mask;

  uint32_t slots() const { return sdpa ? 0 : uint32_t(add_bias_kv) + uint32_t(add_zero_attn); }
  uint32_t columns() const { return S + slots(); }              // of the attention weights
  uint32_t weight_heads() const { return !sdpa && average ? 1 : H; }
  int64_t offset() const;                                       // query i sees keys 0 .. i + offset
};

// A module with random weights (all flags as set in p) and random q, k, v.
void fill_random(Problem& p, Random& random);
void fill_weights(Problem& p, Random& random);

// Parts of a problem; weights and options stay.
Problem batch_part(const Problem& p, uint32_t first, uint32_t last);
Problem query_part(const Problem& p, uint32_t first, uint32_t last);  // causal keeps its meaning
Problem key_part(const Problem& p, uint32_t keys);                    // the first `keys`

struct Options {
  std::string isa;
  uint32_t slices = 1;
  heed_parallel_for parallel_for = nullptr;
  void* context = nullptr;
  Place place = Place::heap;
  uint32_t offset = 0;       // floats that data pointers are moved from a multiple of 64 bytes
  uint32_t row_padding = 0;  // floats behind each row
  uint32_t spare = 0;        // limits of the plan beyond what the call needs
  Options(const std::string& name = "") : isa(name) {}
};

class Runner {
 public:
  Runner(const Problem& p, const Options& o);
  Runner(Runner&&) = delete;
  heed_status go();       // plan, pack, run: nothing but calls of heed
  heed_status prepare();  // plan and pack
  heed_status run();
  std::vector<float> output() const { return read(output_at_); }
  std::vector<float> weights() const { return read(weights_at_); }
  bool intact() const;    // no buffer's surroundings were written

  heed_config config{};
  heed_sdpa_config sdpa_config{};
  heed_state_dict state_dict{};
  heed_call call{};
  heed_sdpa_call sdpa_call{};
  heed_error error{};
  const heed_plan* plan = nullptr;
  std::unique_ptr<Memory> plan_memory, packed, workspace;
  Memory& output_memory() { return memory_[output_at_.memory]; }
  Memory& weights_memory() { return memory_[weights_at_.memory]; }

 private:
  using Shape = std::array<uint32_t, 4>;
  struct Where {
    size_t memory = 0;
    heed_tensor tensor{};
    Shape shape{};
    std::array<ptrdiff_t, 4> stride{};
  };
  Where place(const Shape& shape, const std::vector<int>& axes, const std::vector<float>* values,
              bool boolean = false);
  heed_tensor place_mask(const Mask& mask);
  heed_tensor place_weight(const Problem& p, const char* name, uint32_t rows, uint32_t columns);
  void place_mha(const Problem& p);
  void place_sdpa(const Problem& p);
  std::vector<float> read(const Where& w) const;

  bool sdpa_;
  Options o_;
  std::vector<Memory> memory_;
  Where output_at_, weights_at_;
};

struct Answer {
  std::vector<float> output, weights;
};
Answer solve(const Problem& p, const Options& o);  // a failed call throws its message
bool same_bits(const Answer& a, const Answer& b);

}  // namespace heed_test
