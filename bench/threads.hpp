// threads.hpp - the benchmarks' threads: the one place that says whose they are.
#pragma once
#include "tools/thread_pool.hpp"

namespace heed::bench {

using ThreadPool = tool::ThreadPool;

}  // namespace heed::bench
