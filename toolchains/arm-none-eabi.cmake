# Bare Cortex-M by Debian's GCC and picolibc. cortex-m7.cmake and others set HEED_CPU and, of the
# machine that qemu plays, HEED_MACHINE, HEED_FLASH and HEED_RAM (address,size), and include this.
# Semihosting prints and hands main's result to qemu as its exit status; a crash hangs.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_C_FLAGS_INIT "-mcpu=${HEED_CPU} -mthumb -mfloat-abi=hard --specs=picolibc.specs")
set(CMAKE_CXX_FLAGS_INIT "${CMAKE_C_FLAGS_INIT} -fno-exceptions -fno-rtti -fno-threadsafe-statics")
string(REPLACE "," ",--defsym=__flash_size=" flash "--defsym=__flash=${HEED_FLASH}")
string(REPLACE "," ",--defsym=__ram_size=" ram "--defsym=__ram=${HEED_RAM}")
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "--oslib=semihost --crt0=hosted -Wl,--gc-sections,${flash},${ram},--defsym=__stack_size=0x2000")
set(CMAKE_FIND_ROOT_PATH /nonexistent)  # nothing of the host's
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
find_program(HEED_QEMU_ARM qemu-system-arm)
if(HEED_QEMU_ARM)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${HEED_QEMU_ARM} -M ${HEED_MACHINE} -nic none -nographic -monitor none
    -serial none -semihosting-config enable=on,target=native -kernel)
endif()
