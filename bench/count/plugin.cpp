// plugin.cpp - counts the instructions that qemu executes in functions of heed. Exact, and the same
// each time; not cycles.
//   qemu-aarch64 -plugin ./libcount.so,out=FILE -d plugin PROGRAM     (-d plugin: with symbols)
// Lines of FILE:  instructions fused_multiply_adds function
//                 loop times first_address last_address function    its hottest straight piece of code
// Functions stand without template arguments, parameters and what GCC adds to names of copies.
#include <cxxabi.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

// What is used of the interface for plugins, version 1, of qemu 4.2 to 8.
extern "C" {
using qemu_plugin_id_t = uint64_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void*), void*);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
char* qemu_plugin_insn_disas(const qemu_plugin_insn*);
const char* qemu_plugin_insn_symbol(const qemu_plugin_insn*);
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, int operation, void* number, uint64_t addend);
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int, char**);
}

namespace {

constexpr int kAdd = 0;

struct Instruction {
  uint64_t times = 0, bytes = 0;
  bool fused = false;
  std::string function;
};

// Never destroyed: exit() ends the program's statics before qemu ends the plugin.
std::map<uint64_t, Instruction>& instructions = *new std::map<uint64_t, Instruction>;
std::mutex& mutex = *new std::mutex;
std::string& out = *new std::string;

// "void heed::Project<heed::(anonymous namespace)::neon64>::chain<6, 2>(...) [clone .isra.0]" -> "Project::chain"
std::string plain(const std::string& name) {
  std::string text;
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool anonymous = name.compare(i, 21, "(anonymous namespace)") == 0;
    if (anonymous && depth == 0) {
      i += 22;  // with the :: behind it
      continue;
    }
    if (name[i] == '<' || name[i] == '(') {
      if (name[i] == '(' && depth == 0) break;  // parameters
      ++depth;
    } else if (name[i] == '>' || name[i] == ')') {
      --depth;
    } else if (depth == 0) {
      text += name[i];
    }
  }
  text.erase(0, text.rfind(' ') == std::string::npos ? 0 : text.rfind(' ') + 1);  // the type of the result
  return text.compare(0, 6, "heed::") == 0 ? text.substr(6) : text;
}

// The name of a function of heed, "" of another.
std::string function_of(const char* symbol) {
  if (!symbol || !std::strstr(symbol, "heed")) return "";
  std::string mangled(symbol, std::strcspn(symbol, "."));
  char* const name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, nullptr);
  const std::string text = name ? plain(name) : mangled;
  std::free(name);
  return text;
}

// What qemu 7's disassembler shows as .byte: MVE's vfma.f32 with a general register, and with a vector.
bool is_fused_mve(qemu_plugin_insn* instruction) {
  uint16_t half[2];
  if (qemu_plugin_insn_size(instruction) != sizeof half) return false;
  std::memcpy(half, qemu_plugin_insn_data(instruction), sizeof half);
  return ((half[0] & 0xfff1) == 0xee31 && (half[1] & 0x0ff0) == 0x0e40) ||
         ((half[0] & 0xfff1) == 0xef00 && (half[1] & 0x1ff1) == 0x0c50);
}

bool is_fused(qemu_plugin_insn* instruction) {
  char* const text = qemu_plugin_insn_disas(instruction);
  bool fused = text && std::strncmp(text, ".byte", 5) == 0 && is_fused_mve(instruction);
  for (const char* name : {"fmla", "fmls", "fmadd", "fmsub", "fnmadd", "fnmsub", "vfma", "vfms", "vfnma", "vfnms"})
    fused = fused || (text && std::strncmp(text, name, std::strlen(name)) == 0);
  std::free(text);
  return fused;
}

void translate(qemu_plugin_id_t, qemu_plugin_tb* block) {
  const std::lock_guard<std::mutex> guard(mutex);
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    qemu_plugin_insn* const instruction = qemu_plugin_tb_get_insn(block, i);
    const std::string function = function_of(qemu_plugin_insn_symbol(instruction));
    if (function.empty()) continue;
    const auto [at, is_new] = instructions.try_emplace(qemu_plugin_insn_vaddr(instruction));
    if (is_new) {
      at->second.bytes = qemu_plugin_insn_size(instruction);
      at->second.fused = is_fused(instruction);
      at->second.function = function;
    }
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, kAdd, &at->second.times, 1);
  }
}

struct Function {
  uint64_t times = 0, fused = 0;
  uint64_t loop_times = 0, loop_work = 0, first = 0, last = 0;
};

std::map<std::string, Function> functions() {
  std::map<std::string, Function> all;
  for (auto at = instructions.begin(); at != instructions.end();) {
    // Instructions that follow each other and were executed equally often.
    const Instruction& begin = at->second;
    Function& function = all[begin.function];
    uint64_t count = 0, fused = 0, first = at->first, last = at->first, next = at->first;
    for (; at != instructions.end() && at->first == next && at->second.times == begin.times &&
           at->second.function == begin.function;
         ++at) {
      ++count;
      fused += at->second.fused;
      last = at->first;
      next = at->first + at->second.bytes;
    }
    function.times += count * begin.times;
    function.fused += fused * begin.times;
    if (count * begin.times <= function.loop_work) continue;
    function.loop_work = count * begin.times;
    function.loop_times = begin.times;
    function.first = first;
    function.last = last;
  }
  return all;
}

void finish(qemu_plugin_id_t, void*) {
  std::FILE* const file = std::fopen(out.c_str(), "w");
  if (!file) return;
  for (const auto& [name, f] : functions()) {
    if (f.times == 0) continue;
    std::fprintf(file, "%" PRIu64 " %" PRIu64 " %s\n", f.times, f.fused, name.c_str());
    std::fprintf(file, "loop %" PRIu64 " 0x%" PRIx64 " 0x%" PRIx64 " %s\n", f.loop_times, f.first, f.last,
                 name.c_str());
  }
  std::fclose(file);
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv) {
  for (int i = 0; i < argc; ++i)
    if (std::strncmp(argv[i], "out=", 4) == 0) out = argv[i] + 4;
  if (out.empty()) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
  qemu_plugin_register_atexit_cb(id, finish, nullptr);
  return 0;
}
