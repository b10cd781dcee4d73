// one_call - what gates ask of a build of the library, on one arch:
//   one_call ARCH SET         one forward on the numbers of data set SET, for callgrind to count
//   one_call ARCH self_test   one heed_self_test, the same
//   one_call ARCH hash        hashes of answers to random calls and to the table of edge_cases.hpp
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "edge_cases.hpp"
#include "random_problem.hpp"

using namespace heed_test;

namespace {

Fnv1a answers_hash(const std::string& arch) {
  Fnv1a hash;
  const Sizes sizes{{1, 2}, {1, 7, 33, 50}, {1, 16, 129, 260}, {1, 2, 3}, {3, 8, 16, 17}};
  Random random(8);
  for (int i = 0; i < 60; ++i) {
    const Answer a = solve(random_problem(random, sizes), arch);
    hash.add(a.output);
    hash.add(a.weights);
  }
  return hash;
}

// 17, 18, 19: zeros, subnormal and huge numbers.
int one_forward(const std::string& arch, int set) {
  Problem p;
  p.E = p.kdim = p.vdim = 48, p.H = 3, p.L = 19, p.S = 141;
  Random shape(7);
  p.mask = random_mask(shape, {p.L, p.S}, true, 30, true);
  Random random{uint64_t(set)};
  fill_random(p, random);
  const float scale = set == 17 ? 0.0f : set == 18 ? 1e-39f : set == 19 ? 1e15f : 1.0f;
  for (float& x : p.q) x *= scale;
  for (float& x : p.v) x *= scale;
  Runner r(p, arch);
  return r.go() == HEED_OK ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string arch = argv[1], what = argv[2];
  if (what == "self_test") {
    alignas(HEED_ALIGNMENT) static unsigned char room[HEED_SELF_TEST_BYTES];
    return heed_self_test(arch.c_str(), room, sizeof room, nullptr) == HEED_OK ? 0 : 1;
  }
  if (what != "hash") return one_forward(arch, std::atoi(argv[2]));
  std::printf("answers %016llx edge %016llx\n", static_cast<unsigned long long>(answers_hash(arch).value()),
              static_cast<unsigned long long>(edge_hash(arch).value()));
}
