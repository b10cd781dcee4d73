# Cortex-M4 with single-precision FPU (STM32F4, nRF52).
# Debian's gcc-arm-none-eabi, picolibc-arm-none-eabi and libstdc++-arm-none-eabi-dev; qemu-system-arm
# plays Arm's MPS2 AN386 board.
set(HEED_CPU cortex-m4)
set(HEED_MACHINE mps2-an386)
set(HEED_FLASH 0x0,0x400000)
set(HEED_RAM 0x20000000,0x400000)
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
