#include "machine.hpp"

#include <dlfcn.h>
#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>

#include "heed/heed.h"

namespace heed::bench {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "unknown" : line;
}

std::string cpu() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, name, family, model;
  const auto take = [&line](const char* key, std::string& value) {
    if (value.empty() && line.rfind(key, 0) == 0 && line.find(": ") != std::string::npos)
      value = line.substr(line.find(": ") + 2);
  };
  while (std::getline(file, line)) {
    take("model name\t", name);
    take("cpu family\t", family);
    take("model\t", model);
  }
  if (name.empty()) name = "unknown";
  return family.empty() ? name : name + ", family " + family + ", model " + model;
}

std::string compiler() {
#ifdef __clang__
  return __VERSION__;  // begins with its name
#else
  return std::string("GCC ") + __VERSION__;
#endif
}

}  // namespace

std::vector<int> usable_cores() {
  static const std::vector<int> cores = [] {  // before anything was pinned
    std::vector<int> found;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return found;
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) found.push_back(i);
    return found;
  }();
  return cores;
}

bool pin(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int core : cores) {
    if (core < 0 || core >= CPU_SETSIZE) return false;
    CPU_SET(core, &set);
  }
  return !cores.empty() && sched_setaffinity(0, sizeof set, &set) == 0;
}

std::vector<int> cores_from(int core, size_t count) {
  std::vector<int> cores = usable_cores();
  if (cores.empty()) return cores;
  const auto at = std::find(cores.begin(), cores.end(), core);
  if (core >= 0 && at == cores.end()) return {core};
  if (at != cores.end()) std::rotate(cores.begin(), at + 1, cores.end());
  std::reverse(cores.begin(), cores.end());
  cores.resize(std::min(count, cores.size()));
  return cores;
}

std::vector<std::pair<std::string, std::string>> machine_card() {
  utsname system{};
  uname(&system);
  return {{"cpu", cpu()},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"compiler", compiler()},
          {"heed", HEED_VERSION_STRING},
          {"governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")}};
}

void one_openmp_thread() {
  using SetThreads = void (*)(int);
  if (void* const found = dlsym(RTLD_DEFAULT, "omp_set_num_threads")) reinterpret_cast<SetThreads>(found)(1);
}

}  // namespace heed::bench
