// The control: the same lines with a sound configuration compile.
#include "heed/heed.hpp"

constexpr auto config = heed::Config(8, 2).max_query(4);
heed::Arena<heed::weights_bytes(config)> weights;
heed::Arena<heed::workspace_bytes(config)> workspace;
