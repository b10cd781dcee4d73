// heed::io and heed::threads where the heap gives out: each allocation fails in turn, the answer is
// a status, and nothing is leaked.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>

#include "catch.hpp"
#include "heed/io.hpp"
#include "heed/threads.hpp"

namespace {
std::atomic<bool> counting{false}, for_good{false};  // for_good: the heap stays empty
std::atomic<int64_t> asked{0}, fails_at{-1}, alive{0};
bool refuses() {
  if (!counting) return false;
  const int64_t n = asked++;
  return for_good ? n >= fails_at : n == fails_at;
}
}  // namespace

void* operator new(size_t n) {
  if (refuses()) throw std::bad_alloc();
  void* p = std::malloc(n ? n : 1);
  if (!p) throw std::bad_alloc();
  ++alive;
  return p;
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  try {
    return operator new(n);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new(size_t n, std::align_val_t a) {
  if (refuses()) throw std::bad_alloc();
  void* p = std::aligned_alloc(size_t(a), (n + size_t(a) - 1) / size_t(a) * size_t(a));
  if (!p) throw std::bad_alloc();
  ++alive;
  return p;
}
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  try {
    return operator new(n, a);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p) noexcept {
  if (p) --alive;
  std::free(p);
}
void operator delete(void* p, size_t) noexcept { operator delete(p); }
void operator delete(void* p, std::align_val_t) noexcept { operator delete(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { operator delete(p); }

namespace {

using namespace heed::io;

// f answers whether it went well, or was refused as it should be where the heap has given out.
enum class Went { well, out_of_memory, otherwise };
int64_t fail_each(const std::function<Went()>& f) {
  REQUIRE(f() == Went::well);  // once, for what the C++ library keeps
  int64_t n = 0;
  for (bool reached = true; reached; ++n) {
    const int64_t before = alive;
    fails_at = n;
    asked = 0;
    counting = true;
    const Went went = f();
    counting = false;
    const int64_t leaked = alive - before, made = asked;
    CAPTURE(n, made);
    REQUIRE(leaked == 0);
    REQUIRE(went != Went::otherwise);
    reached = made > n;  // what can do without may go well all the same
    if (!reached) REQUIRE(went == Went::well);
  }
  return n - 1;
}

Went of(const Error& e) {
  return !e ? Went::well : e.status == Status::out_of_memory ? Went::out_of_memory : Went::otherwise;
}

}  // namespace

TEST_CASE("each allocation of heed::io fails in turn: a status, and no leak", "[oom]") {
  for_good = GENERATE(false, true);
  const std::string folder = "oom_test", npy = folder + ".npy", safetensors = folder + ".safetensors";
  NpyArray array;
  array.shape = {3, 4};
  array.f32.assign(12, 0.5f);
  const std::vector<TensorView> views = {view_f32("weight_of_a_rather_long_name", array.shape, array.f32)};
  const Metadata metadata = {{"a key that is long enough for the heap", "a value that is long enough for the heap"}};
  int64_t points = 0;
  points += fail_each([&] { return of(write_npy(npy, array)); });
  points += fail_each([&] { return of(write_safetensors(safetensors, views, metadata)); });
  points += fail_each([&] {
    NpyArray in;
    return of(load_npy(npy, in));
  });
  points += fail_each([&] {
    SafetensorsFile file;
    const Error e = load_safetensors(safetensors, file);
    if (e) return of(e);
    std::vector<float> values;
    Shape shape;
    return of(file.read_f32("weight_of_a_rather_long_name", values, shape));
  });
  std::printf("%lld allocations of heed::io failed in turn\n", static_cast<long long>(points));
  CHECK(points >= 40);
  for_good = false;
  std::remove(npy.c_str());
  std::remove(safetensors.c_str());
}

TEST_CASE("each allocation of heed::threads fails in turn: a status, and no leak", "[oom]") {
  const int64_t points = fail_each([] {
    heed::ThreadPool pool;
    heed_error e;
    if (pool.init(4, e)) return Went::well;
    return e.status == HEED_ERROR_THREADS && pool.size() == 1 ? Went::out_of_memory : Went::otherwise;
  });
  std::printf("%lld allocations of heed::threads failed in turn\n", static_cast<long long>(points));
  CHECK(points >= 4);
}
