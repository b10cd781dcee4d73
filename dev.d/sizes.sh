# shellcheck shell=bash
# sizes.sh - ./dev sizes: what the core takes on a board, what a build that leaves everything out still
# does, and the code of size builds under the desk's tests, of fewer sizes, whose guard pages no board has.
# Read by ../dev.

sizes() {
  need_native
  # shellcheck disable=SC2154  # of ../dev
  need "${cross_packages[@]}"
  need arm-none-eabi-g++:gcc-arm-none-eabi picolibc-arm-none-eabi libstdc++-arm-none-eabi-dev
  size_tests minimal "HEED_MINIMAL" . -DHEED_MINIMAL=ON
  size_tests small "native, built for size" "bits|choice|golden|guard|hidden|errors|reference|self_test" -DCMAKE_BUILD_TYPE=MinSizeRel
  # shellcheck disable=SC2154  # of parts.sh
  CMAKE_BUILD_PARALLEL_LEVEL=$jobs tests/footprint.sh build/sizes
}

size_tests() {  # NAME TITLE TESTS CMAKE_OPTION...
  local dir=build/sizes/$1
  mkdir -p "$dir"
  step "$dir/configure.log" "$2: configure" -- cmake -S . -B "$dir" -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF "${@:4}"
  step "$dir/build.log" "$2: build" -- cmake --build "$dir" -j "$jobs"
  step "$dir/test.log" "$2: test" -- env HEED_TEST_QUICK=1 ctest --test-dir "$dir" -R "$3" --output-on-failure --no-tests=error
}
