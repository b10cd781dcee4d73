// Where a call may be made: on a stack of 16 KiB, and in a signal handler that interrupts another.
#include "catch.hpp"
#include "random_problem.hpp"

#if defined(__linux__) && defined(__GLIBC__)
#include <csignal>
#include <cstdio>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

using namespace heed_test;

namespace {

constexpr size_t kStack = 16384;

Problem busy(uint64_t seed) {
  Problem p;
  p.E = p.kdim = p.vdim = 64, p.H = 4, p.N = 2, p.L = 61, p.S = 141;
  p.need_weights = p.add_bias_kv = true;
  p.causal = HEED_CAUSAL_BOTTOM_RIGHT;
  Random random(seed);
  fill_random(p, random);
  p.mask = random_mask(random, {p.L, p.S}, true, 30, true);
  return p;
}

ucontext_t outside, inside;
Runner* on_stack;
heed_status went;
void run_on_stack() { went = on_stack->go(); }

// All of plan, pack and run; how much of the stack was used. Below it nothing is mapped.
size_t stack_used(Runner& r) {
  const size_t page = size_t(sysconf(_SC_PAGESIZE));
  void* map = mmap(nullptr, page + kStack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(map != MAP_FAILED);
  unsigned char* const stack = static_cast<unsigned char*>(map) + page;
  REQUIRE(mprotect(stack, kStack, PROT_READ | PROT_WRITE) == 0);
  std::memset(stack, 0xa5, kStack);
  on_stack = &r;
  REQUIRE(getcontext(&inside) == 0);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = kStack;
  inside.uc_link = &outside;
  makecontext(&inside, run_on_stack, 0);
  REQUIRE(swapcontext(&outside, &inside) == 0);
  size_t untouched = 0;
  while (untouched < kStack && stack[untouched] == 0xa5) ++untouched;
  munmap(map, page + kStack);
  return kStack - untouched;
}

Runner* in_handler;
std::vector<unsigned char> right;
volatile sig_atomic_t interrupted, wrong, running;
unsigned char* handler_output;

void handler(int) {
  if (!running) return;
  const bool ok = in_handler->run() == HEED_OK && std::memcmp(handler_output, right.data(), right.size()) == 0;
  if (!ok) wrong = wrong + 1;
  interrupted = interrupted + 1;
}

}  // namespace

TEST_CASE("planning, packing and running take a stack of 16 KiB at most", "[stack]") {
  const Problem p = busy(1);
  size_t most = 0;
  for (const std::string& arch : usable_archs()) {
    if (is_reference_path(arch)) continue;
    Runner r(p, arch);
    const size_t used = stack_used(r);
    CAPTURE(arch, used);
    CHECK(went == HEED_OK);
    CHECK(used < kStack);
    CHECK(same_bits(Answer{r.output(), r.weights()}, solve(p, arch)));
    if (used > most) most = used;
  }
  std::printf("largest stack %zu bytes, of plan, pack and run\n", most);
}

TEST_CASE("a call in a signal handler that interrupts another gives the same bits", "[signal]") {
  const Problem p = busy(2), q = busy(3);
  for (const std::string& arch : usable_archs()) {
    if (is_reference_path(arch)) continue;
    CAPTURE(arch);
    const Answer want = solve(p, arch);
    Runner outer(p, arch), inner(q, arch);
    REQUIRE(outer.prepare() == HEED_OK);
    REQUIRE(inner.go() == HEED_OK);
    handler_output = static_cast<unsigned char*>(inner.call.output.data);
    right.assign(handler_output, handler_output + inner.output().size() * sizeof(float));
    in_handler = &inner;
    interrupted = wrong = 0;
    struct sigaction action = {}, before;
    action.sa_handler = handler;
    REQUIRE(sigaction(SIGALRM, &action, &before) == 0);
    const itimerval never = {};
    const int goal = quick() ? 10 : 100;
    uint32_t different = 0;
    for (uint32_t i = 0; i < 5000 && interrupted < goal; ++i) {
      const itimerval once = {{0, 0}, {0, suseconds_t(20 + i * 37 % 500)}};
      running = 1;
      setitimer(ITIMER_REAL, &once, nullptr);
      const heed_status status = outer.run();
      running = 0;
      different += status != HEED_OK || !same_bits(Answer{outer.output(), outer.weights()}, want);
    }
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
    CHECK(interrupted >= goal);
    CHECK(wrong == 0);
    CHECK(different == 0);
  }
}
#endif
