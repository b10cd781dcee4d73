# 64-bit Arm Linux by Debian's cross GCC: static programs, run by qemu-user when the host is not
# an Arm itself. Which CPU qemu plays says $QEMU_CPU (cortex-a53, cortex-a72, ...), not this file:
# one build, many CPUs. rpi3.cmake and others set HEED_TUNE before they include it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_C_FLAGS_INIT "${HEED_TUNE}")
set(CMAKE_CXX_FLAGS_INIT "${HEED_TUNE}")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL CMAKE_SYSTEM_PROCESSOR)
  find_program(HEED_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
  if(HEED_QEMU)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${HEED_QEMU})
  endif()
endif()
