// dispatch.hpp - from the name of an arch to its kernel table.
#pragma once
#include "core/table.hpp"

namespace heed {
// name NULL: $HEED_ISA if set, else the best that this CPU runs. NULL on an error.
const KernelTable* find_table(const char* name, heed_error* error);
}  // namespace heed
