// machine.hpp - the cores a program may use, and what the machine is.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace heed::bench {

// Cores that this process was started on, in order; empty where one cannot ask.
std::vector<int> usable_cores();

// Binds this thread, and those it will start, to the cores. False where that is not permitted.
bool pin(const std::vector<int>& cores);

// `count` of the usable cores: `core` (-1: the last) and those before it, around the end.
std::vector<int> cores_from(int core, size_t count);

// CPU, compiler, governor, ...: name and text.
std::vector<std::pair<std::string, std::string>> machine_card();

// One thread, please, of the OpenMP that a library such as oneDNN brings.
void one_openmp_thread();

}  // namespace heed::bench
