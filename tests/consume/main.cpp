// The same in C++17, with memory sized by the compiler.
#include <heed/heed.hpp>

#include <cmath>
#include <cstdio>
#if CONSUME_THREADS
#include <heed/threads.hpp>
#endif
#if CONSUME_IO
#include <heed/io.hpp>
#endif

constexpr auto config = heed::Config(4, 2).bias(false).batch_first().max_query(3).slices(2);
static heed::Arena<heed::weights_bytes(config)> weights;
static heed::Arena<heed::workspace_bytes(config)> workspace;

int main() {
  float in_proj[48] = {}, out_proj[16] = {}, x[12], y[12];
  for (int i = 0; i < 4; ++i) in_proj[(8 + i) * 4 + i] = out_proj[i * 4 + i] = 1.0f;
  for (int i = 0; i < 12; ++i) x[i] = float(i);
  heed::StateDict s{};
  s.in_proj_weight = heed::tensor(in_proj, {12, 4});
  s.out_proj_weight = heed::tensor(out_proj, {4, 4});
  heed::MultiheadAttention attention;
  heed::Error error;
  heed::Call call;
  call.query = heed::tensor(x, {1, 3, 4});
  call.output = heed::tensor(y, {1, 3, 4});
#if CONSUME_THREADS
  heed::ThreadPool pool;
  if (!pool.init(2, error)) {
    std::printf("%s\n", error.message);
    return 1;
  }
  call.parallel_for = heed::ThreadPool::parallel_for;
  call.parallel_context = &pool;
#endif
  if (!attention.init(config, s, weights, error) || !attention.forward(call, workspace, error)) {
    std::printf("%s\n", error.message);
    return 1;
  }
  for (int i = 0; i < 12; ++i)
    if (!(std::fabs(y[i] - x[4 + i % 4]) < 1e-5f)) return 1;
#if CONSUME_IO
  heed::io::NpyArray array;
  if (heed::io::parse_npy("no npy", 6, "memory", array).status != heed::io::Status::bad_magic) return 1;
  std::printf("C++ and heed::io, arch %s: ok\n", attention.isa());
#else
  std::printf("C++, arch %s: ok\n", attention.isa());
#endif
}
