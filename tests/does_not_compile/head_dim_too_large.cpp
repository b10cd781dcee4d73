#include "heed/heed.hpp"

constexpr heed_sdpa_config config{1, 1, 513, 0, 1, 4, 4, 1, nullptr};
heed::Arena<heed::workspace_bytes(config)> workspace;
