# 32-bit Arm Linux, ARMv7-A with hardware floating point and nothing else: NEON is an arch of
# heed's, chosen at run time. Otherwise like aarch64-linux.cmake. GCC's notes on the passing of
# vectors (-Wpsabi) are about GCC before 7.1. Not -march=armv7-a+fp: clang 14 then ignores every
# -mfpu, that of arch neon32 too.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(HEED_TRIPLE arm-linux-gnueabihf)
if(HEED_CLANG)
  include(${CMAKE_CURRENT_LIST_DIR}/clang.cmake)
else()
  set(CMAKE_C_COMPILER ${HEED_TRIPLE}-gcc)
  set(CMAKE_CXX_COMPILER ${HEED_TRIPLE}-g++)
endif()
set(CMAKE_C_FLAGS_INIT "-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard ${HEED_TUNE}")
set(CMAKE_CXX_FLAGS_INIT "-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -Wno-psabi ${HEED_TUNE}")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH /usr/${HEED_TRIPLE})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "^arm")
  find_program(HEED_QEMU NAMES qemu-arm qemu-arm-static)
  if(HEED_QEMU)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${HEED_QEMU})
  endif()
endif()
