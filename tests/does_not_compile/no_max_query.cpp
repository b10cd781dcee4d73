#include "heed/heed.hpp"

constexpr auto config = heed::Config(8, 2);
heed::Arena<heed::workspace_bytes(config)> workspace;
