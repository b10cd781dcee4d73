// problem.hpp - the numbers of a case: inputs, and for a few queries the answer in double precision.
#pragma once
#include <cstddef>
#include <new>
#include <vector>

#include "cases.hpp"

namespace heed::bench {

// Tensors begin at a cache line, as PyTorch's do.
template <class T>
struct CacheAligned {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};
  CacheAligned() = default;
  template <class U>
  CacheAligned(const CacheAligned<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, size_t) { ::operator delete (p, kLine); }
  friend bool operator==(CacheAligned, CacheAligned) { return true; }
  friend bool operator!=(CacheAligned, CacheAligned) { return false; }
};

using Floats = std::vector<float, CacheAligned<float>>;
using Doubles = std::vector<double>;

// Shared by all archs, and read-only once made.
class Problem {
 public:
  explicit Problem(const Case& c);

  const Case& shape() const { return case_; }
  size_t output_floats() const;
  size_t weights_floats() const;  // 0: not wanted

  // The largest difference from the right answer.
  double error(const float* output, const float* weights) const;

  // The module's state_dict, and x (batch, length, embed_dim).
  Floats in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias, x;
  // SDPA: (batch, num_heads, length, head_dim).
  Floats q, k, v;
  Floats float_mask;                             // (length, length)
  std::vector<unsigned char> bool_mask, padding; // (length, length), (batch, length): 1 hides

 private:
  struct Row {
    size_t output_at, weights_at;  // where it lies in the answer
    Doubles output, weights;
  };
  void fill_module();
  void fill_sdpa();
  void fill_masks();
  double mask_term(uint32_t entry, uint32_t query, uint32_t key) const;
  Row module_row(uint32_t entry, uint32_t query) const;
  Row sdpa_row(uint32_t entry, uint32_t head, uint32_t query) const;
  Doubles softmax(uint32_t entry, uint32_t query, Doubles scores) const;

  const Case& case_;
  std::vector<Row> rows_;
};

}  // namespace heed::bench
