// differential: one problem of any shape, mask and stride, solved on two archs, with and without slices,
// beside unmapped pages or on the heap. Archs with FMA give the same bits; sse42 gives its own twice.
#include <exception>

#include "fuzz.hpp"
#include "random_problem.hpp"

namespace {

using namespace heed_test;
using heed_fuzz::must;

Options draw_options(FuzzedDataProvider& in, const std::string& arch) {
  Options o(arch);
  o.slices = in.ConsumeIntegralInRange<uint32_t>(1, 4);
  o.parallel_for = in.ConsumeBool() ? heed_fuzz::backwards : nullptr;
  o.place = in.PickValueInArray({Place::heap, Place::page_end, Place::page_begin});
  o.offset = in.ConsumeIntegralInRange<uint32_t>(0, 15);
  o.row_padding = in.ConsumeIntegralInRange<uint32_t>(0, 5);
  o.spare = in.ConsumeIntegralInRange<uint32_t>(0, 3);
  return o;
}

// Numbers that are not finite, where the drawn ones all are.
void make_hostile(FuzzedDataProvider& in, Problem& p, Random& random) {
  for (std::vector<float>* values : {&p.q, &p.k, &p.v}) {
    const uint32_t percent = in.PickValueInArray({0u, 0u, 1u, 20u});
    for (float& x : *values)
      if (random.chance(percent)) x = heed_fuzz::hostile_number(random);
  }
}

Problem draw_problem(FuzzedDataProvider& in) {
  const auto any = [&in](uint32_t least, uint32_t most) {
    return std::vector<uint32_t>{in.ConsumeIntegralInRange<uint32_t>(least, most)};
  };
  const std::vector<uint32_t> batch = any(1, 2), queries = any(1, 52), heads = any(1, 3), head_dims = any(1, 20);
  const Sizes sizes{batch, queries, in.ConsumeIntegralInRange<int>(0, 3) ? any(1, 40) : any(100, 270), heads,
                    head_dims};
  Random random(in.ConsumeIntegral<uint32_t>());
  Problem p = random_problem(random, sizes);
  make_hostile(in, p, random);
  return p;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> archs = fma_archs(), all = usable_archs();
  FuzzedDataProvider in(data, size);
  const Problem p = draw_problem(in);
  const std::string first = heed_fuzz::any_arch(in);
  const bool fuses = first != "sse42";
  const std::string second = fuses ? archs[in.ConsumeIntegralInRange<size_t>(0, archs.size() - 1)] : first;
  const Options a = draw_options(in, first), b = draw_options(in, second);
  try {
    if (!same_bits(solve(p, a), solve(p, b))) {
      std::fprintf(stderr, "%s and %s differ: %s\n", first.c_str(), second.c_str(), describe(p).c_str());
      std::abort();
    }
  } catch (const std::exception& refused) { must(false, refused.what()); }
  return 0;
}
