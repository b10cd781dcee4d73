// pthreadpool.cpp - heed on the threads of pthreadpool, which XNNPACK and PyTorch use too.
#include <pthreadpool.h>

#include "vision_layer.h"

namespace {

struct Task {
  heed_task task;
  void* argument;
};

// A heed_parallel_for; context is a pthreadpool_t. Without flags: denormal numbers stay.
void parallel_for(void* context, uint32_t count, heed_task task, void* argument) {
  Task t{task, argument};
  const pthreadpool_task_1d_t one = [](void* a, size_t i) {
    const Task& whole = *static_cast<Task*>(a);
    whole.task(whole.argument, static_cast<uint32_t>(i));
  };
  pthreadpool_parallelize_1d(static_cast<pthreadpool_t>(context), one, &t, count, 0);
}

}  // namespace

int main() {
  const pthreadpool_t pool = pthreadpool_create(vision_layer::kThreads);
  if (!pool) return 1;
  const int result = vision_layer::compare(parallel_for, pool);
  pthreadpool_destroy(pool);
  return result;
}
