# Raspberry Pi 5: Cortex-A76.
set(HEED_TUNE -mtune=cortex-a76)
include(${CMAKE_CURRENT_LIST_DIR}/aarch64-linux.cmake)
