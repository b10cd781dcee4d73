// heed does not allocate: the heap is counted while it plans, packs and runs. The linker sends
// malloc and its kin of this program and of heed's library here (--wrap, see CMakeLists.txt).
#include <atomic>
#include <cstdlib>
#include <new>

#include "catch.hpp"
#include "heed/threads.hpp"
#include "random_problem.hpp"
#include "threads.hpp"

namespace {
std::atomic<uint64_t> calls{0};
}

extern "C" {
void* __real_malloc(size_t);
void* __real_calloc(size_t, size_t);
void* __real_realloc(void*, size_t);
void* __real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void**, size_t, size_t);
void __real_free(void*);

void* __wrap_malloc(size_t n) { return ++calls, __real_malloc(n); }
void* __wrap_calloc(size_t n, size_t m) { return ++calls, __real_calloc(n, m); }
void* __wrap_realloc(void* p, size_t n) { return ++calls, __real_realloc(p, n); }
void* __wrap_aligned_alloc(size_t a, size_t n) { return ++calls, __real_aligned_alloc(a, n); }
int __wrap_posix_memalign(void** p, size_t a, size_t n) { return ++calls, __real_posix_memalign(p, a, n); }
void __wrap_free(void* p) { ++calls, __real_free(p); }
}

// The other forms of new and delete end in these (a sanitizer has its own nothrow form).
void* operator new(size_t n) {
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t n, const std::nothrow_t&) noexcept { return std::malloc(n ? n : 1); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

using namespace heed_test;

TEST_CASE("the counter sees every kind of allocation", "[heap]") {
  const uint64_t before = calls;
  uint64_t expected = 0;
  void* volatile p = std::malloc(3);
  CHECK(calls - before >= ++expected);
  p = std::realloc(p, 100);
  CHECK(calls - before >= ++expected);
  std::free(p);
  CHECK(calls - before >= ++expected);
  p = std::calloc(3, 5);
  std::free(p);
  CHECK(calls - before >= (expected += 2));
  int* volatile q = new int(5);
  delete q;
  CHECK(calls - before >= (expected += 2));
}

TEST_CASE("planning, packing and running never touch the heap", "[heap]") {
  Random random(71);
  const Sizes sizes{{1, 2}, {1, 3, 17, 50}, {1, 9, 130}, {1, 2, 3}, {3, 8, 16}};
  for (int i = 0; i < 60; ++i) {
    const Problem p = random_problem(random, sizes);
    for (const std::string& arch : usable_archs()) {
      if (is_reference_path(arch)) continue;
      Random order(1);
      Options o(arch);
      o.slices = 1 + uint32_t(i) % 3;
      Runner r(p, o);
      const uint64_t before = calls;
      const heed_status s = r.go();
      const uint64_t during = calls - before;
      CAPTURE(arch, describe(p));
      CHECK(s == HEED_OK);
      CHECK(during == 0);
    }
  }
}

TEST_CASE("calls on a pool never touch the heap once it is made", "[heap]") {
  Random random(73);
  Problem p;
  p.L = p.S = 70;
  p.E = p.kdim = p.vdim = 16;
  p.H = 2;
  fill_random(p, random);
  heed::ThreadPool pool;
  heed_error error;
  REQUIRE(pool.init(3, error));
  Options o;
  o.slices = 3;
  o.parallel_for = heed::ThreadPool::parallel_for;
  o.context = &pool;
  Runner r(p, o);
  REQUIRE(r.prepare() == HEED_OK);
  const uint64_t before = calls;
  uint32_t right = 0;
  for (int i = 0; i < 100; ++i) right += r.run() == HEED_OK;
  const uint64_t during = calls - before;
  CHECK(right == 100);
  CHECK(during == 0);
}

TEST_CASE("refusing a call never touches the heap", "[heap]") {
  Random random(72);
  Problem p;
  fill_random(p, random);
  Runner r(p, {});
  REQUIRE(r.prepare() == HEED_OK);
  r.call.query.rank = 1;
  const uint64_t before = calls;
  const heed_status s = r.run();
  const uint64_t during = calls - before;
  CHECK(s == HEED_ERROR_QUERY_RANK);
  CHECK(during == 0);
}
