// own_threads.cpp - heed on the program's own threads: the hook is one function, the answer has
// the same bits with any number of threads.
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "heed/heed.hpp"

namespace {

// Threads that wait between calls. heed asks for `slices` tasks at a time, a few times per call.
class Pool {
 public:
  explicit Pool(unsigned threads) {
    for (unsigned i = 1; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // A heed_parallel_for; context is the Pool.
  static void run(void* context, uint32_t count, heed_task task, void* argument) {
    Pool& pool = *static_cast<Pool*>(context);
    std::unique_lock<std::mutex> lock(pool.mutex_);
    pool.task_ = task;
    pool.argument_ = argument;
    pool.next_ = 0;
    pool.count_ = pool.left_ = count;
    pool.wake_.notify_all();
    pool.take_tasks(lock);  // the caller works too
    pool.done_.wait(lock, [&] { return pool.left_ == 0; });
  }

 private:
  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!closing_) {
      take_tasks(lock);
      wake_.wait(lock, [this] { return closing_ || next_ < count_; });
    }
  }
  void take_tasks(std::unique_lock<std::mutex>& lock) {
    while (next_ < count_) {
      const uint32_t index = next_++;
      const heed_task task = task_;
      void* const argument = argument_;
      lock.unlock();
      task(argument, index);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  heed_task task_ = nullptr;
  void* argument_ = nullptr;
  uint32_t next_ = 0, count_ = 0, left_ = 0;
  bool closing_ = false;
};

constexpr uint32_t kTokens = 197, kFeatures = 192, kThreads = 2;  // a small vision transformer
constexpr auto config = heed::Config(kFeatures, 4).bias(false).max_query(kTokens).slices(kThreads);
heed::Arena<heed::weights_bytes(config)> weights;
heed::Arena<heed::workspace_bytes(config)> workspace;
float x[kTokens * kFeatures], alone[kTokens * kFeatures], together[kTokens * kFeatures];
float in_proj_weight[3 * kFeatures * kFeatures], out_proj_weight[kFeatures * kFeatures];

template <size_t N>
void fill(float (&values)[N], uint32_t seed) {  // any numbers will do
  for (float& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = float(seed >> 8) / float(1 << 24) - 0.5f;
  }
}

}  // namespace

int main() {
  fill(x, 1);
  fill(in_proj_weight, 2);
  fill(out_proj_weight, 3);
  heed::StateDict state_dict{};
  state_dict.in_proj_weight = heed::tensor(in_proj_weight, {3 * kFeatures, kFeatures});
  state_dict.out_proj_weight = heed::tensor(out_proj_weight, {kFeatures, kFeatures});

  heed::Call call;
  call.query = heed::tensor(x, {kTokens, kFeatures});
  call.output = heed::tensor(alone, {kTokens, kFeatures});

  heed::MultiheadAttention mha;
  heed::Error error;
  bool fine = mha.init(config, state_dict, weights, error) && mha.forward(call, workspace, error);

  Pool pool(kThreads);
  call.parallel_for = Pool::run;
  call.parallel_context = &pool;
  call.output = heed::tensor(together, {kTokens, kFeatures});
  fine = fine && mha.forward(call, workspace, error);
  if (!fine) {
    std::fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): bits are compared, not numbers
  const bool same = std::memcmp(alone, together, sizeof alone) == 0;
  std::printf("%u threads: %s\n", kThreads, same ? "the same bits" : "other bits");
  return same ? 0 : 1;
}
