// info.cpp - heed info: which archs there are, and why some cannot run here.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "heed/heed.hpp"
#include "tools/failure.hpp"
#include "tools/options.hpp"

namespace heed::tool {
namespace {

// The arch that a plan gets when nobody names one; the sentence is why there is none.
std::string default_arch(std::string& sentence) {
  constexpr heed_config config = Config(8, 2).max_query(1);
  Arena<HEED_PLAN_BYTES> memory;
  const heed_plan* plan = nullptr;
  heed_error error;
  if (heed_plan_init(&config, memory.bytes, sizeof memory.bytes, &plan, &error) == HEED_OK) return heed_plan_isa(plan);
  sentence = error.message;
  return "";
}

std::string state(const heed_isa_info& arch) {
  if (!arch.usable) return io::text("needs ", arch.needs);
  return arch.by_name_only ? "only by name" : "usable";
}

}  // namespace

void info() {
  std::string sentence;
  const std::string chosen = default_arch(sentence);
  const char* environment = std::getenv("HEED_ISA");
  const bool set = environment && *environment;
#ifdef __clang__
  constexpr const char* kCompiler = "";  // __VERSION__ begins with its name
#else
  constexpr const char* kCompiler = "GCC ";
#endif
  std::printf("heed %s, compiled with %s%s\n", HEED_VERSION_STRING, kCompiler, __VERSION__);
  if (set) std::printf("HEED_ISA=%s\n", environment);
  std::printf("%-8s %5s  %-18s %s\n", "arch", "lanes", "xsimd", "on this CPU");
  heed_isa_info arch;
  for (uint32_t i = 0; heed_isa_get(i, &arch); ++i) {
    const bool is_default = chosen == arch.name;
    std::printf("%-8s %5u  %-18s %s%s\n", arch.name, arch.lanes, arch.simd, state(arch).c_str(),
                !is_default ? ""
                : set       ? ", the default now (by HEED_ISA)"
                            : ", the default now");
  }
  if (!sentence.empty()) refuse(set ? "HEED_ISA: " : "", sentence);
}

}  // namespace heed::tool
