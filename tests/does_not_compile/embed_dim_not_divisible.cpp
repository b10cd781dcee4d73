#include "heed/heed.hpp"

constexpr auto config = heed::Config(8, 3).max_query(4);
heed::Arena<heed::weights_bytes(config)> weights;
