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
  bool usable, by_name_only;
};

constexpr uint32_t kArchs = 0
#define HEED_ARCH_ENTRY(name, runs, needs, by_name_only) +1
#include "../arch/list.inc"
#undef HEED_ARCH_ENTRY
    ;
static_assert(kArchs > 0, "build at least one arch: HEED_ARCHS");

struct Archs {
  Entry list[kArchs];
};

Archs archs() {
  [[maybe_unused]] const CpuFeatures cpu = detect_cpu();
  return {{
#define HEED_ARCH_ENTRY(name, runs, needs, by_name_only) {&table_##name, needs, runs, by_name_only},
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

  Names(const Archs& all, bool usable_only) {
    char *at = text, *last = text + sizeof text - 1;
    for (const Entry& e : all.list) {
      if (!kWithMessages || (usable_only && !e.usable)) continue;
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
  const Archs all = archs();
  if (!name) name = environment_name();
  for (const Entry& e : all.list) {
    if (name ? !same(name, e.table->name) : e.by_name_only || !e.usable) continue;
    if (e.usable) return e.table;
    const Names list(all, true);
    refuse<Sentence::isa_not_here>(error, HEED_ERROR_ISA, name, e.needs, &list.text[0]);
    return nullptr;
  }
  const Names list(all, false);
  if (name) refuse<Sentence::unknown_isa>(error, HEED_ERROR_ISA, name, &list.text[0]);
  // GCOVR_EXCL_START: any CPU runs scalar, which only HEED_ARCHS leaves out
  else refuse<Sentence::no_arch>(error, HEED_ERROR_ISA, &list.text[0]);
  // GCOVR_EXCL_STOP
  return nullptr;
}

}  // namespace heed

uint32_t heed_isa_count(void) { return heed::kArchs; }

bool heed_isa_get(uint32_t index, heed_isa_info* info) {
  if (!info || index >= heed::kArchs) return false;
  const heed::Archs all = heed::archs();
  const heed::Entry& e = all.list[index];
  *info = {e.table->name, e.table->simd, e.needs, e.table->lanes, e.usable, e.by_name_only};
  return true;
}
