# Raspberry Pi 2 and later with a 32-bit system: Cortex-A7; all of them have FMA (VFPv4).
set(HEED_TUNE "-mtune=cortex-a7 -mfpu=vfpv4")
include(${CMAKE_CURRENT_LIST_DIR}/armhf-linux.cmake)
