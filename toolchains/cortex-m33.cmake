# Cortex-M33 with single-precision FPU (nRF53, STM32U5, RP2350).
# Debian's gcc-arm-none-eabi, picolibc-arm-none-eabi and libstdc++-arm-none-eabi-dev; qemu-system-arm
# plays Arm's MPS2 AN505 board.
set(HEED_CPU cortex-m33)
set(HEED_MACHINE mps2-an505)
set(HEED_FLASH 0x10000000,0x400000)
set(HEED_RAM 0x38000000,0x400000)
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
