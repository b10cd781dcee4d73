// thread_pool.cpp - heed on heed's own pool, the library heed::threads.
#include "heed/threads.hpp"

#include "vision_layer.h"

int main() {
  heed::ThreadPool pool;
  heed::Error error;
  if (!pool.init(vision_layer::kThreads, error)) {
    std::fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  return vision_layer::compare(heed::ThreadPool::parallel_for, &pool);
}
