// threads.hpp - ways to run slices: in order, in shuffled order, on threads of their own.
#pragma once
#include <algorithm>
#include <thread>
#include <vector>

#include "support.hpp"

namespace heed_test {

inline void on_threads(void*, uint32_t count, heed_task task, void* argument) {
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < count; ++i) threads.emplace_back(task, argument, i);
  for (std::thread& t : threads) t.join();
}

inline void shuffled(void* random, uint32_t count, heed_task task, void* argument) {
  std::vector<uint32_t> order;
  for (uint32_t i = 0; i < count; ++i) order.push_back(i);
  for (uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[static_cast<Random*>(random)->below(i)]);
  for (uint32_t i : order) task(argument, i);
}

}  // namespace heed_test
