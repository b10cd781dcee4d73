# shellcheck shell=bash disable=SC2154
# gates_code.sh - gates of sanitizers, fuzzers, compilers' warnings and linters, and of the build
# itself. Read by ../dev.

# Nothing may be kept from a sanitizer.
no_suppressions() {
  ! git grep -nE 'no_sanitize|no-sanitize=|sanitize-(ignore|black)list|suppressions=|NVALGRIND|lsan_(disable|ignore)' \
    -- . ':!dev.d/gates_code.sh' ':!docs' ':!CMakePresets.json'
}

# sanitized PRESET [CTEST_OPTION...]: its tests, each of which fails with the first report.
sanitized() {
  local preset=$1 log=$gates_dir/$1.ctest passed
  no_suppressions && cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs" || return 1
  ctest --preset "$preset" -j "$jobs" "${@:2}" >"$log" 2>&1 || { cat "$log"; return 1; }
  passed=$(grep -c '^ *[0-9]*/[0-9]* Test .* Passed ' "$log")
  if ((passed == 0)) || grep -qE '(Address|Leak|Memory|Thread)Sanitizer|runtime error:|== Invalid read' "$log"; then return 1; fi
  echo "groups of tests: $passed, 0 reports, 0 suppressions"
}

gate_asan() { sanitized asan; }
gate_msan() { sanitized msan -V && sed -n 's/^1: \([0-9]* calls\)$/\1 of fresh memory, 0 reports, 0 suppressions/p' "$gates_dir/msan.ctest" | grep .; }
gate_tsan() { sanitized tsan; }
gate_valgrind() { sanitized valgrind; }

# Every target for HEED_FUZZ_SECONDS, as many at a time as there are jobs.
gate_fuzz() {
  local target seconds=${HEED_FUZZ_SECONDS:-60} executions all=0 failed=0
  fuzz_build "${fuzz_targets[@]/#/fuzz_}" || return 1
  export -f fuzz_run fuzz_number fuzz_findings
  printf '%s\n' "${fuzz_targets[@]}" | xargs -P "$jobs" -I TARGET bash -c "fuzz_run TARGET $seconds" || failed=1
  for target in "${fuzz_targets[@]}"; do
    executions=$(fuzz_number "build/fuzz/$target.log" stat::number_of_executed_units:)
    if ((${executions:-0} < 1000)); then echo "$target: ${executions:-no} executions"; failed=1; fi
    all=$((all + ${executions:-0}))
  done
  if ((failed)); then return 1; fi
  echo "${#fuzz_targets[@]} targets, $seconds s each: $all executions, 0 findings"
}

# From two paths, without a network where the system lets us do without.
gate_reproducible() {
  local name dir offline=() sums
  if unshare -rn true 2>/dev/null; then offline=(unshare -rn); fi
  if git grep -nE 'FetchContent|ExternalProject|file *\( *DOWNLOAD' -- '*CMakeLists.txt' '*.cmake'; then return 1; fi
  for name in one another/path; do
    dir=$PWD/$gates_dir/paths/$name
    rm -rf "$dir"
    mkdir -p "$dir"
    git ls-files -z | xargs -0 cp --parents -t "$dir" || return 1
    "${offline[@]}" cmake -S "$dir" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release -DHEED_BUILD_TESTS=OFF -DHEED_BUILD_TOOLS=OFF \
      -DHEED_BUILD_IO=OFF -DCMAKE_CXX_FLAGS="-g -ffile-prefix-map=$dir=." &&
      "${offline[@]}" cmake --build "$dir/build" -j "$jobs" --target heed || return 1
  done
  sums=$(cd "$gates_dir/paths" && sha256sum one/build/libheed.a another/path/build/libheed.a | cut -d ' ' -f 1 | sort -u)
  [[ $(wc -l <<<"$sums") == 1 ]] || { echo "two paths, two libraries"; return 1; }
  echo "libheed.a of two paths is the same${offline[*]:+, built without a network}: ${sums:0:16}"
}

# Every warning is an error, for each compiler and every file that it compiles; alignment as GCC checks it
# even where the CPU would not mind.
gate_warnings() {
  local compiler file given common n=0
  common=(-std=c++17 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Wdouble-promotion -Werror -Iinclude -Isrc -Iarch
    -DHEED_HAS_SCALAR=1 -DHEED_READ_ENVIRONMENT=1)
  while read -r file; do common+=("-D$file=1"); done < <(feature_names)
  for compiler in $(gate_compilers); do
    given=("${common[@]}" -Wcast-align)
    if [[ $compiler == g++ ]]; then given=("${common[@]}" -Wcast-align=strict); fi
    for file in src/*.cpp src/core/*.cpp src/io/*.cpp src/threads/*.cpp src/tools/*.cpp arch/scalar.cpp; do
      "$compiler" "${given[@]}" -DHEED_NO_XSIMD "$file" || return 1
      n=$((n + 1))
    done
    if [[ $(uname -m) == x86_64 ]]; then
      "$compiler" "${given[@]}" -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma arch/avx512.cpp &&
        "$compiler" "${given[@]}" -mavx2 -mfma arch/avx2.cpp && "$compiler" "${given[@]}" -msse4.2 arch/sse42.cpp || return 1
      n=$((n + 3))
    fi
  done
  echo "$n compilations by $(gate_compilers | paste -sd ' '), 0 warnings"
}

feature_names() { sed -n 's/.*\(HEED_WITH_[A-Z_]*\);.*/\1/p' src/core/features.hpp; }

gate_clang_tidy() {
  tidy || return 1
  echo "$(tidied | wc -l) files, 0 findings"
}

# Suppressed: a base that is copied whole (uninitDerivedMemberVar), bytes whose alignment was checked
# (invalidPointerCast), and what cppcheck 2.10 cannot parse (internalAstError).
gate_cppcheck() {
  local defines=() name
  while read -r name; do defines+=("-D$name=1"); done < <(feature_names)
  cppcheck --quiet --std=c++17 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=uninitDerivedMemberVar --suppress=invalidPointerCast --suppress=internalAstError "${defines[@]}" -DHEED_HAS_SCALAR=1 -DHEED_READ_ENVIRONMENT=1 -DHEED_NO_XSIMD \
    -D__BYTE_ORDER__=1 -D__ORDER_LITTLE_ENDIAN__=1 -Iinclude -Isrc src/*.cpp src/core src/io src/threads || return 1
  echo "$(git ls-files 'src/*.cpp' 'src/core' 'src/io' 'src/threads' | wc -l) files, 0 findings"
}

