// subject.hpp - a case, ready to run on one arch: plan, packed weights, workspace, output.
#pragma once
#include <cstdlib>
#include <memory>
#include <vector>

#include "heed/heed.hpp"
#include "heed/threads.hpp"
#include "problem.hpp"

namespace heed::bench {

class Subject {
 public:
  // Throws std::runtime_error with heed's sentence.
  Subject(const Problem& problem, const char* isa, uint32_t threads);

  void run();
  double error() const { return problem_.error(output_.data(), weights_.empty() ? nullptr : weights_.data()); }
  const Floats& output() const { return output_; }
  const char* isa() const { return heed_plan_isa(plan_); }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  struct Bytes {
    std::unique_ptr<void, Free> data;
    size_t size = 0;
    void make(size_t bytes);
  };
  void check(heed_status status) const;
  void make_module(const char* isa, uint32_t threads);
  void make_sdpa(const char* isa, uint32_t threads);
  void add_masks(heed_call& call) const;
  heed_call batch_call();
  heed_call entry_call(uint32_t entry);

  const Problem& problem_;
  Floats output_, weights_;
  Bytes plan_memory_, packed_, workspace_;
  const heed_plan* plan_ = nullptr;
  ThreadPool pool_;
  std::vector<heed_call> calls_;
  heed_sdpa_call sdpa_call_ = heed_sdpa_call_default();
  mutable heed_error error_{};
};

}  // namespace heed::bench
