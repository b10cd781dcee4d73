# Cortex-M7 with double-precision FPU (STM32F7 and H7, i.MX RT).
# Debian's gcc-arm-none-eabi, picolibc-arm-none-eabi and libstdc++-arm-none-eabi-dev; qemu-system-arm
# plays Arm's MPS2 AN500 board.
set(HEED_CPU cortex-m7)
set(HEED_MACHINE mps2-an500)
set(HEED_FLASH 0x0,0x400000)
set(HEED_RAM 0x20000000,0x400000)
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
