# clang in GCC's place for the boards with Linux: -DHEED_CLANG=14 beside --preset rpi4, say. Debian's
# clang-14; headers, libraries and binutils stay those of HEED_TRIPLE's GCC. Included by the others.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES HEED_CLANG)
set(CMAKE_C_COMPILER clang-${HEED_CLANG})
set(CMAKE_CXX_COMPILER clang++-${HEED_CLANG})
set(CMAKE_C_COMPILER_TARGET ${HEED_TRIPLE})
set(CMAKE_CXX_COMPILER_TARGET ${HEED_TRIPLE})
foreach(tool AR NM RANLIB OBJCOPY OBJDUMP STRIP)
  string(TOLOWER ${tool} name)
  find_program(CMAKE_${tool} ${HEED_TRIPLE}-${name})
endforeach()
find_program(CMAKE_LINKER ${HEED_TRIPLE}-ld)
