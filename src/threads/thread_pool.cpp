// thread_pool.cpp - threads that take the tasks of one parallel_for at a time.
//
// A round begins when `left` is set to the number of tasks. Whoever lowers it, with a
// compare-and-swap, owns one task, and until that task is done the round cannot end: so what the
// round is about is read after the swap, and a worker that slept through any number of rounds
// does no harm. Nobody waits for a worker that has taken nothing.
#include "heed/threads.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace heed {
namespace {

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
  __asm__ volatile("yield");
#endif
}

// Whether ready() came true within `time`. Yields now and then: where threads outnumber cores,
// what is waited for may need this one.
template <class Ready>
bool spin_until(std::chrono::microseconds time, Ready ready) {
  if (time.count() == 0) return ready();
  const auto end = std::chrono::steady_clock::now() + time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace

// Going to sleep and looking who sleeps are two writes and two reads that must not pass each
// other: those are sequentially consistent.
struct ThreadPool::State {
  std::atomic<bool> taken{false};  // by a parallel_for, which alone starts rounds
  heed_task task = nullptr;
  void* argument = nullptr;
  uint32_t count = 0;
  alignas(64) std::atomic<uint32_t> left{0};        // tasks that nobody has taken
  alignas(64) std::atomic<uint32_t> unfinished{0};  // tasks that have not returned
  alignas(64) std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> caller_sleeps{false}, closing{false};
  std::chrono::microseconds spin{0};
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> workers;

  bool do_one() {
    uint32_t n = left.load(std::memory_order_relaxed);
    while (n != 0) {
      if (!left.compare_exchange_weak(n, n - 1, std::memory_order_acquire, std::memory_order_relaxed)) continue;
      task(argument, count - n);
      if (unfinished.fetch_sub(1) == 1 && caller_sleeps) {
        const std::lock_guard<std::mutex> lock(mutex);
        done.notify_one();
      }
      return true;
    }
    return false;
  }

  void run(uint32_t n, heed_task t, void* a) {
    task = t;
    argument = a;
    count = n;
    unfinished.store(n, std::memory_order_relaxed);
    left.store(n);
    if (sleepers.load() != 0) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (n > workers.size()) wake.notify_all();
      else for (uint32_t i = 1; i < n; ++i) wake.notify_one();
    }
    while (do_one()) {}
    const auto all_done = [this] { return unfinished.load() == 0; };
    if (spin_until(spin, all_done)) return;
    std::unique_lock<std::mutex> lock(mutex);
    caller_sleeps = true;
    done.wait(lock, all_done);
    caller_sleeps = false;
  }

  void work() {
    while (!closing) {
      while (do_one()) {}
      if (spin_until(spin, [this] { return left.load(std::memory_order_relaxed) != 0 || closing; })) continue;
      std::unique_lock<std::mutex> lock(mutex);
      ++sleepers;
      if (left == 0 && !closing) wake.wait(lock);  // if for nothing: calls are being made, spin again
      --sleepers;
    }
  }

  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      closing = true;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }
};

bool ThreadPool::init(uint32_t threads, Error& error, uint32_t spin_microseconds) noexcept {
  close();
  if (threads == 0 || threads > kMaxSlices) {
    error.status = HEED_ERROR_CONFIG;
    std::snprintf(error.message, sizeof error.message, "a pool has 1 to %u threads, but %u came", kMaxSlices, threads);
    return false;
  }
  if (threads > 1) {
    State* s = new (std::nothrow) State;
    try {
      if (!s) throw std::bad_alloc();
      s->spin = std::chrono::microseconds(spin_microseconds);
      s->workers.reserve(threads - 1);
      while (s->workers.size() + 1 < threads) s->workers.emplace_back([s] { s->work(); });
    } catch (const std::exception&) {  // bad_alloc or system_error
      const unsigned started = s ? unsigned(s->workers.size()) : 0;
      if (s) s->stop();
      delete s;
      error.status = HEED_ERROR_THREADS;
      std::snprintf(error.message, sizeof error.message,
                    "a pool of %u threads needs %u new ones, but the system gave %u", threads, threads - 1, started);
      return false;
    }
    state_ = s;
  }
  error.status = HEED_OK;
  error.message[0] = 0;
  return true;
}

void ThreadPool::close() noexcept {
  if (!state_) return;
  state_->stop();
  delete state_;
  state_ = nullptr;
}

uint32_t ThreadPool::size() const noexcept { return state_ ? uint32_t(state_->workers.size()) + 1 : 1; }

void ThreadPool::parallel_for(void* pool, uint32_t count, heed_task task, void* argument) noexcept {
  State* s = static_cast<ThreadPool*>(pool)->state_;
  if (count < 2 || !s || s->taken.exchange(true, std::memory_order_acquire)) {
    for (uint32_t i = 0; i < count; ++i) task(argument, i);
    return;
  }
  s->run(count, task, argument);
  s->taken.store(false, std::memory_order_release);
}

}  // namespace heed
