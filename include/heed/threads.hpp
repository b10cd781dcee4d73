// threads.hpp - heed::threads, a pool of threads that works on calls. Hosted systems only.
//
//   heed::ThreadPool pool;
//   if (!pool.init(4, error)) ...                          error.message
//   call.parallel_for = heed::ThreadPool::parallel_for;    of a plan with 4 slices, for example;
//   call.parallel_context = &pool;                         heed::slices_for says how many pay
//
// The heap is used by init alone. Workers inherit the floating-point environment of the thread
// that calls init.
#pragma once
#include "heed/cost.hpp"
#include "heed/heed.hpp"

namespace heed {

class ThreadPool {
 public:
  ThreadPool() = default;  // of one thread: whoever calls does all
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { close(); }  // while no call uses the pool

  // `threads` work on a call, the calling one among them: threads - 1 are started, or none if
  // false is returned. A worker without work looks for more for `spin_microseconds`, because a
  // call's next step comes soon, and then sleeps; to wake it takes 5 to 50 us. 0 saves energy.
  [[nodiscard]] bool init(uint32_t threads, Error& error, uint32_t spin_microseconds = 50) noexcept;
  void close() noexcept;
  uint32_t size() const noexcept;

  // A heed_parallel_for; `pool` is a ThreadPool. One caller at a time has the workers: calls of
  // other threads meanwhile, and calls from inside of a task, do their tasks themselves, in
  // order. Nobody waits for another's call. A task must not throw.
  static void parallel_for(void* pool, uint32_t count, heed_task task, void* argument) noexcept;

 private:
  struct State;
  State* state_ = nullptr;
};

}  // namespace heed
