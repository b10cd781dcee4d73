# Raspberry Pi 4 with a 64-bit system: Cortex-A72.
set(HEED_TUNE -mtune=cortex-a72)
include(${CMAKE_CURRENT_LIST_DIR}/aarch64-linux.cmake)
