# 32-bit Arm Linux, ARMv7-A with hardware floating point and nothing else: NEON is an arch of
# heed's, chosen at run time. Otherwise like aarch64-linux.cmake. GCC's notes on the passing of
# vectors (-Wpsabi) are about GCC before 7.1.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)
set(CMAKE_C_FLAGS_INIT "-march=armv7-a+fp -mfloat-abi=hard ${HEED_TUNE}")
set(CMAKE_CXX_FLAGS_INIT "-march=armv7-a+fp -mfloat-abi=hard -Wno-psabi ${HEED_TUNE}")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_FIND_ROOT_PATH /usr/arm-linux-gnueabihf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "^arm")
  find_program(HEED_QEMU NAMES qemu-arm qemu-arm-static)
  if(HEED_QEMU)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${HEED_QEMU})
  endif()
endif()
