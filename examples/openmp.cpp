// openmp.cpp - heed on OpenMP's threads: the hook is one loop. Compile with -fopenmp.
#include <omp.h>

#include "vision_layer.h"

// A heed_parallel_for. OpenMP keeps its threads from one loop to the next.
static void parallel_for(void*, uint32_t count, heed_task task, void* argument) {
#pragma omp parallel for schedule(static, 1)
  for (uint32_t i = 0; i < count; ++i) task(argument, i);
}

int main() {
  omp_set_num_threads(vision_layer::kThreads);
  return vision_layer::compare(parallel_for, nullptr);
}
