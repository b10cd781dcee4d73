// dispatch.cpp - which arch runs. The list is arch/list.inc; nothing is remembered, so there
// is no state to race for: detection is a few CPUID words, and it happens once per plan.
#include "dispatch.hpp"

#include "core/cpu.hpp"
#include "core/message.hpp"

#if HEED_READ_ENVIRONMENT
#include <stdlib.h>
#endif

namespace heed {

#define HEED_ARCH_ENTRY(name, runs, needs, by_name_only) extern const KernelTable table_##name;
#include "../arch/list.inc"
#undef HEED_ARCH_ENTRY

namespace {

struct Entry {
  const KernelTable* table;
  const char* needs;
  bool by_name_only;
};

constexpr Entry kArchs[] = {
#define HEED_ARCH_ENTRY(name, runs, needs, by_name_only) {&table_##name, needs, by_name_only},
#include "../arch/list.inc"
#undef HEED_ARCH_ENTRY
};
constexpr uint32_t kCount = sizeof kArchs / sizeof kArchs[0];  // build at least one arch: HEED_ARCHS

struct Usable {
  bool arch[kCount];
  bool operator()(const Entry& e) const { return arch[&e - kArchs]; }
};

Usable usable_archs() {
  [[maybe_unused]] const CpuFeatures cpu = detect_cpu();
  return {{
#define HEED_ARCH_ENTRY(name, runs, needs, by_name_only) runs,
#include "../arch/list.inc"
#undef HEED_ARCH_ENTRY
  }};
}

bool same(const char* a, const char* b) {
  for (; *a && *a == *b; ++a, ++b) {}
  return *a == *b;
}

// "avx2, sse42, scalar"; what does not fit is cut.
struct Names {
  char text[96];

  Names(const Usable& usable, bool usable_only) {
    char *at = text, *last = text + sizeof text - 1;
    for (const Entry& e : kArchs) {
      if (!kWithMessages || (usable_only && !usable(e))) continue;
      for (const char* s = at == text ? "" : ", "; *s && at < last; ++s) *at++ = *s;
      for (const char* s = e.table->name; *s && at < last; ++s) *at++ = *s;
    }
    *at = 0;
  }
};

const char* environment_name() {
#if HEED_READ_ENVIRONMENT
  const char* name = getenv("HEED_ISA");
  return name && *name ? name : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace

const KernelTable* find_table(const char* name, heed_error* error) {
  const Usable usable = usable_archs();
  if (!name) name = environment_name();
  for (const Entry& e : kArchs) {
    if (name ? !same(name, e.table->name) : e.by_name_only || !usable(e)) continue;
    if (usable(e)) return e.table;
    const Names list(usable, true);
    refuse<Sentence::isa_not_here>(error, HEED_ERROR_ISA, name, e.needs, &list.text[0]);
    return nullptr;
  }
  const Names list(usable, false);
  if (name) refuse<Sentence::unknown_isa>(error, HEED_ERROR_ISA, name, &list.text[0]);
  // GCOVR_EXCL_START: any CPU runs scalar, which only HEED_ARCHS leaves out
  else refuse<Sentence::no_arch>(error, HEED_ERROR_ISA, &list.text[0]);
  // GCOVR_EXCL_STOP
  return nullptr;
}

}  // namespace heed

uint32_t heed_isa_count(void) { return heed::kCount; }

bool heed_isa_get(uint32_t index, heed_isa_info* info) {
  if (!info || index >= heed::kCount) return false;
  const heed::Entry& e = heed::kArchs[index];
  *info = {e.table->name, e.table->simd, e.needs, e.table->lanes, heed::usable_archs()(e), e.by_name_only};
  return true;
}
