# shellcheck shell=bash
# parts.sh - one part of a test run: a build folder that is configured, built and tested, a line of
# the closing table. Read by ../dev.

jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
rows=()
passed=0
failed=0

# step LOG WORDS... -- COMMAND...: runs it with its output in LOG; on failure shows the end of that.
step() {
  local log=$1 words=()
  shift
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  shift
  say "${words[@]}"
  if "$@" >"$log" 2>&1 </dev/null; then return 0; fi
  tail -n "${HEED_LOG_LINES:-150}" "$log" >&2
  say "${words[@]}" "failed; all of it is in $log"
  return 1
}

# part NAME TITLE CMAKE_OPTION...: in build/test/NAME.
part() {
  local title=$2 dir=build/test/$1 start=$SECONDS result=pass p=0 f=0 s=0
  shift 2
  mkdir -p "$dir"
  rm -f "$dir/junit.xml"
  if ! step "$dir/configure.log" "$title: configure" -- \
    cmake -S . -B "$dir" -DCMAKE_BUILD_TYPE=Release -DHEED_BUILD_TESTS=ON "$@"; then
    result="no build" f=1
  elif ! step "$dir/build.log" "$title: build" -- cmake --build "$dir" -j "$jobs"; then
    result="no build" f=1
  else
    step "$dir/test.log" "$title: test" -- ctest --test-dir "$dir" -j "$jobs" --output-on-failure \
      --no-tests=error --timeout 600 --output-junit "$PWD/$dir/junit.xml" || result=FAIL
    count_tests "$dir/junit.xml"
  fi
  add_row "$title" "$result" "$p" "$f" "$s" $((SECONDS - start))
}

# Sets part's p, f and s. A test that could not be started is a failure.
count_tests() {
  local tests disabled
  if [[ -f $1 ]]; then
    tests=$(junit_number "$1" tests) f=$(junit_number "$1" failures)
    disabled=$(junit_number "$1" disabled) s=$(junit_number "$1" skipped)
    s=$((s + disabled)) p=$((tests - f - s))
  fi
  if [[ $result == FAIL ]] && ((f == 0)); then f=1; fi
}

junit_number() { sed -n "s/.*\b$2=\"\([0-9]*\)\".*/\1/p; T; q" "$1"; }

add_row() {  # TITLE RESULT PASSED FAILED SKIPPED SECONDS
  rows+=("$(printf '%-34s %-8s %6d %6d %7d   %2d:%02d' "$1" "$2" "$3" "$4" "$5" $(($6 / 60)) $(($6 % 60)))")
  passed=$((passed + $3)) failed=$((failed + $4))
  say "$1: $3 passed, $4 failed, $5 skipped, $6 s"
}

# The table; the status of the whole.
close_parts() {
  printf '\n%-34s %-8s %6s %6s %7s   %5s\n' part result passed failed skipped time
  printf '%s\n' "${rows[@]}"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0 && passed > 0))
}

native_part() {  # NAME TITLE CMAKE_OPTION...
  local onednn=OFF
  if has libdnnl-dev && has ocl-icd-opencl-dev; then onednn=ON; fi
  part "$1" "$2" -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ -DHEED_WITH_ONEDNN=$onednn "${@:3}"
}

cross_parts() {  # SUFFIX CMAKE_OPTION...
  local suffix=$1 options=(-DHEED_BUILD_TOOLS=OFF -DHEED_WITH_ONEDNN=OFF "${@:2}")
  if [[ $(uname -m) != x86_64 ]]; then
    say "no cross builds from $(uname -m)"
    return 0
  fi
  QEMU_CPU=cortex-a72 part "neon64$suffix" "neon64, qemu cortex-a72" \
    --toolchain toolchains/rpi4.cmake "${options[@]}"
  QEMU_CPU=cortex-a7 part "neon32$suffix" "neon32, qemu cortex-a7" \
    --toolchain toolchains/rpi2-32.cmake "${options[@]}"
}
