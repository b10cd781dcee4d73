// thread_pool.hpp - a heed_parallel_for over std::thread. One call at a time.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "heed/heed.h"
#include "tools/failure.hpp"

namespace heed::tool {

class ThreadPool {
 public:
  // The calling thread is one of them.
  explicit ThreadPool(uint32_t threads) {
    try {
      while (workers_.size() + 1 < threads) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      stop();
      refuse("cannot start ", threads, " threads: ", error.what());
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { stop(); }

  // heed_parallel_for, with the pool as its context.
  static void run(void* pool, uint32_t count, heed_task task, void* argument) {
    static_cast<ThreadPool*>(pool)->run_all(count, task, argument);
  }

 private:
  void run_all(uint32_t count, heed_task task, void* argument) {
    std::unique_lock<std::mutex> lock(mutex_);
    task_ = task;
    argument_ = argument;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    ++round_;
    lock.unlock();
    begin_.notify_all();
    take();
    lock.lock();
    end_.wait(lock, [this] { return busy_ == 0; });
  }

  // Tasks until none is left. 64 bits: `next_` overshoots by the number of threads.
  void take() {
    for (uint64_t i; (i = next_++) < count_;) task_(argument_, static_cast<uint32_t>(i));
  }

  void work() {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      begin_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      lock.unlock();
      take();
      lock.lock();
      if (--busy_ == 0) end_.notify_one();
    }
  }

  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    begin_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::mutex mutex_;
  std::condition_variable begin_, end_;
  heed_task task_ = nullptr;
  void* argument_ = nullptr;
  uint64_t count_ = 0, round_ = 0;
  std::atomic<uint64_t> next_{0};
  std::size_t busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace heed::tool
