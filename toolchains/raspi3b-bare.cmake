# Raspberry Pi 3 without an operating system: Debian's g++-aarch64-linux-gnu with no library at
# all, the start-up and linker script of examples/firmware/raspi3b; qemu-system-arm's raspi3b.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_ASM_COMPILER ${CMAKE_C_COMPILER})
# -U: xsimd and others would ask Linux.
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-a53 -ffreestanding -fno-pic -fno-stack-protector \
-fno-unwind-tables -fno-asynchronous-unwind-tables -U__linux__ -U__linux -Ulinux")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -fno-exceptions -fno-rtti -fno-threadsafe-statics")
set(HEED_BOARD ${CMAKE_CURRENT_LIST_DIR}/../examples/firmware/raspi3b)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-nostdlib -static -no-pie -Wl,--gc-sections,--no-warn-rwx-segments,--build-id=none -T ${HEED_BOARD}/raspi3b.ld")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
find_program(HEED_QEMU_AARCH64 qemu-system-aarch64)
if(HEED_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${HEED_QEMU_AARCH64} -M raspi3b -display none -monitor none -serial none
    -semihosting-config enable=on,target=native -kernel)
endif()
