# shellcheck shell=bash
# sizes.sh - ./dev sizes: what the core takes on a board, and what a build that leaves everything out
# still does. Read by ../dev.

sizes() {
  local dir=build/sizes/native
  need_build_tools
  # shellcheck disable=SC2154  # of ../dev
  need g++:g++ libxsimd-dev "${cross_packages[@]}"
  need arm-none-eabi-g++:gcc-arm-none-eabi picolibc-arm-none-eabi libstdc++-arm-none-eabi-dev
  need qemu-system-arm:qemu-system-arm
  mkdir -p "$dir"
  step "$dir/configure.log" "HEED_MINIMAL: configure" -- cmake -S . -B "$dir" -DHEED_MINIMAL=ON \
    -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF
  # shellcheck disable=SC2154  # of parts.sh
  step "$dir/build.log" "HEED_MINIMAL: build" -- cmake --build "$dir" -j "$jobs"
  step "$dir/test.log" "HEED_MINIMAL: test" -- ctest --test-dir "$dir" --output-on-failure --no-tests=error
  CMAKE_BUILD_PARALLEL_LEVEL=$jobs tests/footprint.sh build/sizes
}
