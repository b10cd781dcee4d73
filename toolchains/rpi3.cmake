# Raspberry Pi 3 and Zero 2 W with a 64-bit system: Cortex-A53.
set(HEED_TUNE -mtune=cortex-a53)
include(${CMAKE_CURRENT_LIST_DIR}/aarch64-linux.cmake)
