// heed::threads: every task once, the same bits on pools of any size, many callers at once, and
// quiet ends. The same file runs under ThreadSanitizer, with the whole library (CMakeLists.txt).
#include "catch.hpp"
#include "heed/threads.hpp"
#include "random_problem.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#if defined(__GLIBC__)
#include <pthread.h>
#endif

using namespace heed_test;
using heed::ThreadPool;

namespace {

// 50: workers find the next step while they spin. 0: they sleep, and must be woken.
constexpr uint32_t kSpins[] = {50, 0};

void start(ThreadPool& pool, uint32_t threads, uint32_t spin = 50) {
  heed_error error;
  const bool started = pool.init(threads, error, spin);
  CAPTURE(error.message);
  REQUIRE(started);
  REQUIRE(pool.size() == threads);
}

void count_visit(void* visits, uint32_t i) { ++static_cast<std::atomic<uint32_t>*>(visits)[i]; }

// Tasks that return only when all of them have begun.
struct Meeting {
  std::atomic<uint32_t> expected, arrived{0};
  explicit Meeting(uint32_t n) : expected(n) {}
  static void join(void* meeting, uint32_t) {
    Meeting& m = *static_cast<Meeting*>(meeting);
    ++m.arrived;
    while (m.arrived < m.expected) std::this_thread::yield();
  }
};

Problem layer(Random& random, bool need_weights = false) {
  Problem p;
  p.H = 4;
  p.E = p.kdim = p.vdim = 4 * 8;
  p.N = 2;
  p.L = p.S = 70;
  p.need_weights = need_weights;
  fill_random(p, random);
  return p;
}

Options on(ThreadPool& pool, const std::string& arch = "scalar", uint32_t slices = 0) {
  Options o(arch);
  o.slices = slices ? slices : pool.size();
  o.parallel_for = ThreadPool::parallel_for;
  o.context = &pool;
  return o;
}

}  // namespace

TEST_CASE("a pool does every task exactly once", "[threads]") {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    for (uint32_t spin : kSpins) {
      ThreadPool pool;
      start(pool, threads, spin);
      for (uint32_t count = 0; count < 40; ++count) {
        std::atomic<uint32_t> visits[40] = {};
        ThreadPool::parallel_for(&pool, count, count_visit, visits);
        CAPTURE(threads, spin, count);
        for (uint32_t i = 0; i < 40; ++i) CHECK(visits[i] == (i < count ? 1 : 0));
      }
    }
  }
}

TEST_CASE("all threads of a pool work at the same time, the calling one too", "[threads]") {
  for (uint32_t threads : {2u, 3u, 8u}) {
    for (uint32_t spin : kSpins) {
      ThreadPool pool;
      start(pool, threads, spin);
      for (int i = 0; i < (quick() ? 3 : 20); ++i) {
        Meeting meeting(threads);
        ThreadPool::parallel_for(&pool, threads, Meeting::join, &meeting);
        CHECK(meeting.arrived == threads);
      }
    }
  }
}

TEST_CASE("answers have the same bits on pools of 1, 2, 3 and 8 threads", "[threads]") {
  Random random(81);
  for (bool need_weights : {false, true}) {
    const Problem p = layer(random, need_weights);
    for (const std::string& arch : usable_archs()) {
      if (is_reference_path(arch)) continue;
      const Answer want = solve(p, Options(arch));
      for (uint32_t threads : {1u, 2u, 3u, 8u}) {
        ThreadPool pool;
        start(pool, threads);
        for (uint32_t slices : {1u, 2u, 5u, 8u}) {
          CAPTURE(arch, threads, slices);
          CHECK(same_bits(want, solve(p, on(pool, arch, slices))));
        }
      }
    }
  }
}

TEST_CASE("eight callers share one plan, its packed weights and one pool", "[threads]") {
  Random random(82);
  const Problem p = layer(random);
  const Answer want = solve(p, Options("scalar"));
  const uint32_t calls = quick() ? 3 : 20;
  ThreadPool pool;
  start(pool, 3);
  Runner shared(p, on(pool));
  REQUIRE(shared.prepare() == HEED_OK);
  std::vector<std::unique_ptr<Runner>> callers;
  for (int i = 0; i < 8; ++i) callers.emplace_back(new Runner(p, on(pool)));
  std::atomic<uint32_t> right{0};
  std::vector<std::thread> threads;
  for (const std::unique_ptr<Runner>& r : callers)
    threads.emplace_back([&shared, &right, &r, calls] {
      for (uint32_t i = 0; i < calls; ++i)
        right += heed_forward(shared.plan, shared.packed->data(), &r->call, r->workspace->data(),
                              r->workspace->bytes(), &r->error) == HEED_OK;
    });
  for (std::thread& t : threads) t.join();
  CHECK(right == 8 * calls);
  for (const std::unique_ptr<Runner>& r : callers) CHECK(same_bits(want.output, r->output()));
}

TEST_CASE("a task that uses its own pool does the inner tasks itself", "[threads]") {
  struct Outer {
    ThreadPool pool;
    std::atomic<uint32_t> inner{0}, elsewhere{0};
  } outer;
  struct Inner {
    Outer& outer;
    std::thread::id caller;
  };
  start(outer.pool, 3);
  const heed_task task = [](void* argument, uint32_t) {
    Inner inner{*static_cast<Outer*>(argument), std::this_thread::get_id()};
    const heed_task count = [](void* a, uint32_t) {
      Inner& in = *static_cast<Inner*>(a);
      ++in.outer.inner;
      if (std::this_thread::get_id() != in.caller) ++in.outer.elsewhere;
    };
    ThreadPool::parallel_for(&inner.outer.pool, 4, count, &inner);
  };
  ThreadPool::parallel_for(&outer.pool, 6, task, &outer);
  CHECK(outer.inner == 24);
  CHECK(outer.elsewhere == 0);
}

TEST_CASE("pools end while their workers spin and while they sleep", "[threads]") {
  for (uint32_t spin : kSpins) {
    for (int i = 0; i < 30; ++i) {
      ThreadPool pool;
      start(pool, 3, spin);
      std::atomic<uint32_t> visits[3] = {};
      if (i % 3 != 0) ThreadPool::parallel_for(&pool, 3, count_visit, visits);
      if (i % 5 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      CHECK(visits[0] + visits[1] + visits[2] == (i % 3 ? 3 : 0));
    }
  }
}

TEST_CASE("a thousand short calls", "[threads]") {
  Random random(83);
  Problem p;  // the lecture's
  p.E = p.kdim = p.vdim = 8;
  p.H = 2;
  p.L = p.S = 4;
  fill_random(p, random);
  const Answer want = solve(p, Options("scalar"));
  for (uint32_t spin : kSpins) {
    ThreadPool pool;
    start(pool, 2, spin);
    Runner r(p, on(pool));
    REQUIRE(r.prepare() == HEED_OK);
    uint32_t right = 0;
    for (int i = 0; i < 1000; ++i) {
      if (i % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      right += r.run() == HEED_OK && same_bits(want.output, r.output());
    }
    CHECK(right == 1000);
  }
}

TEST_CASE("a pool that cannot be says so and is a pool of one", "[threads]") {
  ThreadPool pool;
  heed_error error;
  for (uint32_t threads : {0u, 1025u}) {
    CHECK_FALSE(pool.init(threads, error));
    CHECK(error.status == HEED_ERROR_CONFIG);
    CHECK(std::string(error.message) ==
          "a pool has 1 to 1024 threads, but " + std::to_string(threads) + " came");
  }
  start(pool, 3);  // what was there before goes
#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__) && !defined(HEED_TEST_TSAN)
  pthread_attr_t usual, huge;
  REQUIRE(pthread_getattr_default_np(&usual) == 0);
  REQUIRE(pthread_getattr_default_np(&huge) == 0);
  REQUIRE(pthread_attr_setstacksize(&huge, SIZE_MAX / 2 & ~size_t(0xffff)) == 0);
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  const bool started = pool.init(8, error);
  REQUIRE(pthread_setattr_default_np(&usual) == 0);
  CHECK_FALSE(started);
  CHECK(error.status == HEED_ERROR_THREADS);
  CHECK(std::string(error.message).find("8 threads needs 7 new ones, but the system gave ") != std::string::npos);
  CHECK(pool.size() == 1);
  std::atomic<uint32_t> visits[5] = {};
  ThreadPool::parallel_for(&pool, 5, count_visit, visits);
  for (const auto& v : visits) CHECK(v == 1);
#endif
}

TEST_CASE("small work gets one slice, large work no more than threads, heads and blocks", "[threads]") {
  using heed::Config;
  using heed::slices_for;
  static_assert(slices_for(Config(8, 2).max_query(4), 8) == 1, "seed");
  static_assert(slices_for(Config(384, 12).max_query(128), 4) == 4, "minilm");
  static_assert(slices_for(Config(384, 12).max_query(128), 0) == 1, "no threads are one");
  static_assert(slices_for(Config(64, 1).max_query(99), 8) == 2, "kwt1: 2.9 million multiply-adds");
  static_assert(slices_for(Config(1024, 2).max_query(33).max_key(4096), 64) == 3, "3 blocks of 16 queries");
  static_assert(slices_for(Config(7, 2).max_query(4), 8) == 1, "an unsound one is the plan's business");
  heed_sdpa_config sdpa{};
  sdpa.num_heads = sdpa.num_kv_heads = 4096;
  sdpa.head_dim = sdpa.value_dim = 512;
  sdpa.max_query = sdpa.max_key = 16777200;
  CHECK(slices_for(sdpa, 5000) == 1024);
  for (uint32_t length = 1; length < 200; ++length) {
    heed_config c = Config(64, 4).max_query(length);
    c.slices = slices_for(c, 8);
    const double each = heed::cost(heed::geometry(c)).total() / c.slices;
    CHECK((c.slices == 1 || each >= heed::kSliceMultiplyAdds));
  }
}
