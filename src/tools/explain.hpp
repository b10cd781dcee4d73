// explain.hpp - which kernels a plan's calls will run, and why.
#pragma once
#include <string>
#include <vector>

#include "plan.hpp"

namespace heed::tool {

struct Reason {
  const char* about;
  std::string text;
};
using Reasons = std::vector<Reason>;

// Of a call of the plan's largest size; `worth` is the number of slices that pay.
Reasons explain(const heed_plan& plan, uint32_t worth);

}  // namespace heed::tool
