# Cortex-M55 with FPU and MVE (Alif Ensemble, Corstone-300).
# Debian's gcc-arm-none-eabi, picolibc-arm-none-eabi and libstdc++-arm-none-eabi-dev; qemu-system-arm
# plays Arm's MPS3 AN547 board.
set(HEED_CPU cortex-m55)
set(HEED_MACHINE mps3-an547)
set(HEED_FLASH 0x0,0x80000)
set(HEED_RAM 0x20000000,0x80000)
include(${CMAKE_CURRENT_LIST_DIR}/arm-none-eabi.cmake)
