# shellcheck shell=bash disable=SC2154
# coverage.sh - ./dev coverage: how much of the core and of heed::io the tests execute, by lines and
# by branches, over all archs of this machine, a size build, and Arm under qemu. Read by ../dev.
#
# Unoptimized, arch objects too: what a compiler has moved belongs to no line. So the tests that measure
# the stack stay out. A line that cannot be reached bears GCOVR_EXCL_LINE and the reason. Not counted:
# helium, which runs only where there is no system to write counts to, and the reference path onednn.

coverage_dir=build/coverage
coverage_lines=100 coverage_branches=98  # percent, at least
coverage_cpus=(Conroe Nehalem SandyBridge Haswell "Haswell,-xsave" "Haswell,-fma" "Haswell,-avx2" max)
coverage_files=(--filter 'src/[^/]+$' --filter 'src/(core|kernels|io)/' --filter 'include/heed/' --filter 'arch/'
  --exclude-throw-branches --exclude-unreachable-branches)

coverage() {
  need_build_tools
  need "${library_packages[@]}" "${test_packages[@]}" gcovr:gcovr gcov:gcc python3:python3
  need_board rpi4
  need_board rpi2-32
  mkdir -p "$coverage_dir"
  coverage_native && coverage_size && coverage_arm neon64 rpi4 aarch64-linux-gnu cortex-a72 &&
    coverage_arm neon32 rpi2-32 arm-linux-gnueabihf cortex-a7 && coverage_report
}

gate_coverage() { coverage; }

# coverage_build NAME FLAGS CMAKE_OPTION...: its test programs, with all counts at 0.
coverage_build() {
  local dir=$coverage_dir/$1 flags="-O0 --coverage -fprofile-update=atomic $2"
  shift 2
  CXXFLAGS=$flags step "$dir.configure.log" "coverage, ${dir##*/}: configure" -- cmake -S . -B "$dir" \
    -DCMAKE_BUILD_TYPE=Coverage -DHEED_ARCH_OPTIMIZATION=-O0 -DHEED_BUILD_TOOLS=OFF -DHEED_WITH_ONEDNN=OFF "$@" &&
    step "$dir.build.log" "coverage, ${dir##*/}: build" -- cmake --build "$dir" -j "$jobs" --target heed_tests &&
    find "$dir" -name '*.gcda' -delete
}

# coverage_run NAME COMMAND...: in the folder of NAME's test programs.
coverage_run() {
  local dir=$coverage_dir/$1
  shift
  step "$dir.test.log" "coverage, ${dir##*/}: ${*: -1}" -- env -C "$dir/tests" HEED_TEST_QUICK=1 "$@"
}

# Without functions: gcovr does not merge builds where one stands on another line, as those for a CPU do.
coverage_count() {  # NAME GCOV
  gcovr --root . --gcov-executable "$2" "${coverage_files[@]}" --json "$coverage_dir/$1.json" "$coverage_dir/$1" &&
    python3 -c 'import json, sys; c = json.load(open(sys.argv[1])); [f.update(functions=[]) for f in c["files"]]; json.dump(c, open(sys.argv[1], "w"))' "$coverage_dir/$1.json"
}

coverage_native() {
  local cpu
  coverage_build native "" &&
    step "$coverage_dir/native.build.log" "coverage, native: build the rest" -- \
      cmake --build "$coverage_dir/native" -j "$jobs" --target heed_io_tests heed_packed_tests &&
    coverage_run native ./heed_tests "~[.]~[stack]~[hash]~[signal]~[guard]" && coverage_run native ./heed_io_tests &&
    coverage_run native ./heed_packed_tests || return 1
  if [[ $(uname -m) == x86_64 ]]; then
    for cpu in "${coverage_cpus[@]}"; do
      coverage_run native qemu-x86_64 -cpu "$cpu" ./heed_tests "[archs]~[hash]" || return 1
    done
  fi
  coverage_count native gcov
}

# As -Os has it, but for the optimization.
coverage_size() {
  coverage_build size -D__OPTIMIZE_SIZE__ -DHEED_BUILD_IO=OFF &&
    coverage_run size ./heed_tests "[golden],[choice],[hidden],[numbers],[errors]" && coverage_count size gcov
}

coverage_arm() {  # NAME BOARD COMPILER_PREFIX CPU
  local qemu="qemu-${3%%-*}"
  coverage_build "$1" "" -DHEED_BUILD_IO=OFF --toolchain "toolchains/$2.cmake" &&
    coverage_run "$1" "$qemu" -cpu "$4" ./heed_tests "[golden],[choice],[errors],[layout],[numbers],[archs]~[hash]" &&
    coverage_count "$1" "$3-gcov"
}

coverage_report() {
  local name all=() summary
  for name in native size neon64 neon32; do all+=(--add-tracefile "$coverage_dir/$name.json"); done
  gcovr --root . "${all[@]}" --html-details "$coverage_dir/index.html" --txt "$coverage_dir/files.txt" --print-summary >"$coverage_dir/lines.txt"
  echo "Not executed:"
  sed -n '/^TOTAL/q; / 100% *$/d; /%/p' "$coverage_dir/files.txt"
  summary=$(sed -n 's/^\(lines\|branches\): \([0-9.]*%\) (\(.*\) out of \(.*\))/\1 \2 (\3 of \4)/p' "$coverage_dir/lines.txt" | paste -sd ,)
  echo "${summary/,/, }; by file: $coverage_dir/index.html"
  gcovr --root . "${all[@]}" --fail-under-line "$coverage_lines" --fail-under-branch "$coverage_branches" >/dev/null
}
