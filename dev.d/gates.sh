# shellcheck shell=bash disable=SC2154
# gates.sh - ./dev gates: every promise of docs/trust.md is put to the test, one after the other; a
# line for each with its figure, and the table of docs/trust.md. Read by ../dev.

gates_dir=build/gates
gate_rows=()
gates_failed=0

# gate TITLE FUNCTION...: the function's last line is the figure.
gate() {
  local title=$1 start=$SECONDS log=$gates_dir/${1// /_}.log result=pass figure
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    result=FAIL gates_failed=$((gates_failed + 1))
    tail -n 30 "$log" >&2
  fi
  figure=$(sed -n '/[^ ]/h; ${g;p}' "$log" | cut -c 1-100)
  printf '%-26s %-5s %4d s  %s\n' "$title" "$result" $((SECONDS - start)) "$figure"
  gate_rows+=("| $title | $result | $figure |")
}

gates() {
  need_build_tools
  need "${library_packages[@]}" "${test_packages[@]}" clang++-14:clang-14 valgrind:valgrind cppcheck:cppcheck
  mkdir -p "$gates_dir"
  step "$gates_dir/configure.log" "gates: configure" -- cmake -S . -B "$gates_dir/native" -DCMAKE_BUILD_TYPE=Release \
    -DHEED_BUILD_TOOLS=OFF -DHEED_WITH_ONEDNN=OFF
  step "$gates_dir/build.log" "gates: build" -- cmake --build "$gates_dir/native" -j "$jobs" --target heed_tests heed_io_tests
  local group
  for group in symbols layers guard hidden heap oom numbers accuracy self_test stack signal bits; do
    gate "$group" ctest_gate "$group"
  done
  gate exp2_every every_exp2
  gate "same work for any data" same_work
  gate "same bits at any -O" same_bits_at_any_level
  gate reproducible reproducible
  gate warnings no_warnings
  gate cppcheck no_findings
  gate coverage coverage
  gate mutants mutants_of_the_day
  write_gates_table
  printf '%d gates, %d failed\n' "${#gate_rows[@]}" "$gates_failed"
  ((gates_failed == 0))
}

ctest_gate() {
  local log=$gates_dir/$1.ctest
  ctest --test-dir "$gates_dir/native" -R "^$1\$" -V --no-tests=error >"$log" 2>&1 || { cat "$log"; return 1; }
  sed -n 's/^[0-9]*: //p' "$log" | grep -vE '^(=*|Filters.*|Test command.*|Working.*|Environment.*| HEED.*|Test timeout.*)$' |
    grep -E 'hash|largest|worst|failed in turn|^ok' | tail -n 1 | grep . || sed -n 's/^[0-9]*: \(All tests passed.*\)/\1/p' "$log"
}

every_exp2() {
  "$gates_dir/native/tests/heed_tests" "[.exp2_every]" >"$gates_dir/exp2.txt" || { cat "$gates_dir/exp2.txt"; return 1; }
  grep '^exp2 of every' "$gates_dir/exp2.txt"
}

# The helpers of the tests as objects, to be linked with any build of the library.
call_objects() {
  local name
  for name in gates/one_call problem random_problem runner support; do
    g++ -std=c++17 -O1 -Wall -Wextra -Iinclude -Itests -c "tests/$name.cpp" -o "$gates_dir/$(basename "$name").o" || return 1
  done
}

link_call() {  # LIBRARY PROGRAM
  g++ "$gates_dir"/{one_call,problem,random_problem,runner,support}.o "$1" -o "$2"
}

# Executed instructions of 20 data sets, zeros, subnormal and huge numbers among them.
same_work() {
  local arch set count first all=
  call_objects && link_call "$gates_dir/native/libheed.a" "$gates_dir/one_call" || return 1
  for arch in avx2 sse42 scalar; do
    if ! grep -qw "${arch/sse42/sse4_2}" /proc/cpuinfo && [[ $arch != scalar ]]; then continue; fi
    first=
    for set in {0..19}; do
      if [[ $arch == scalar && $set == 19 ]]; then continue; fi  # its compiler makes a branch of 2^x == 0
      valgrind --tool=callgrind --toggle-collect=heed_forward --callgrind-out-file=/dev/null \
        "$gates_dir/one_call" "$arch" "$set" 2>"$gates_dir/callgrind.txt" || { cat "$gates_dir/callgrind.txt"; return 1; }
      count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$gates_dir/callgrind.txt")
      first=${first:-$count}
      if [[ -z $count || $count == 0 || $count != "$first" ]]; then
        echo "$arch: set $set takes $count instructions, set 0 $first"
        return 1
      fi
    done
    all+="$arch $first "
  done
  echo "instructions of 20 data sets (scalar: 19), +-0: $all"
}

# The library at every level, arch objects too, by two compilers: one hash for all archs with FMA.
same_bits_at_any_level() {
  local compiler level arch dir hash want want_sse n=0
  want=$(sed -n 's/^fused //p' tests/gates/hash.txt) want_sse=$(sed -n 's/^twice //p' tests/gates/hash.txt)
  call_objects || return 1
  for compiler in g++ clang++-14; do
    for level in -O0 -O1 -O2 -O3 -Os; do
      dir=$gates_dir/bits/$compiler$level
      cmake -S . -B "$dir" -DCMAKE_BUILD_TYPE=Gate -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$level" \
        -DHEED_ARCH_OPTIMIZATION="$level" -DHEED_BUILD_TESTS=OFF -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF \
        -DHEED_BUILD_THREADS=OFF &&
        cmake --build "$dir" -j "$jobs" --target heed && link_call "$dir/libheed.a" "$dir/one_call" || return 1
      for arch in avx512 avx2 scalar sse42; do
        if [[ $arch == avx* ]] && ! grep -qw "${arch/avx512/avx512vl}" /proc/cpuinfo; then continue; fi
        hash=$("$dir/one_call" "$arch" hash) || return 1
        if [[ $arch == sse42 ]]; then
          [[ $hash == "$want_sse" ]] || { echo "$compiler $level $arch: $hash, not the recorded $want_sse"; return 1; }
        else
          [[ $hash == "$want" ]] || { echo "$compiler $level $arch: $hash, not the recorded $want"; return 1; }
        fi
        n=$((n + 1))
      done
    done
  done
  echo "$n builds and archs: $want, sse42 $want_sse"
}

# From two paths, without a network where the system lets us do without.
reproducible() {
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

no_warnings() {
  local compiler file flags n=0
  flags=(-std=c++17 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Wdouble-promotion -Wcast-align -Werror -Iinclude -Isrc -Iarch)
  while read -r file; do flags+=("-D$file=1"); done < <(sed -n 's/.*\(HEED_WITH_[A-Z_]*\);.*/\1/p' src/core/features.hpp)
  for compiler in g++ clang++-14; do
    for file in src/*.cpp src/core/*.cpp src/io/*.cpp src/threads/*.cpp arch/scalar.cpp; do
      "$compiler" "${flags[@]}" -DHEED_HAS_SCALAR=1 -DHEED_READ_ENVIRONMENT=1 -DHEED_NO_XSIMD "$file" || return 1
      n=$((n + 1))
    done
    if [[ $(uname -m) == x86_64 ]]; then
      "$compiler" "${flags[@]}" -mavx2 -mfma arch/avx2.cpp && "$compiler" "${flags[@]}" -msse4.2 arch/sse42.cpp || return 1
      n=$((n + 2))
    fi
  done
  echo "$n compilations, 0 warnings"
}

# Suppressed: a base that is copied whole (uninitDerivedMemberVar), bytes whose alignment was checked
# (invalidPointerCast), and what cppcheck 2.10 cannot parse (internalAstError).
no_findings() {
  local defines=() name
  while read -r name; do defines+=("-D$name=1"); done < <(sed -n 's/.*\(HEED_WITH_[A-Z_]*\);.*/\1/p' src/core/features.hpp)
  cppcheck --quiet --std=c++17 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=uninitDerivedMemberVar --suppress=invalidPointerCast --suppress=internalAstError "${defines[@]}" -DHEED_HAS_SCALAR=1 -DHEED_READ_ENVIRONMENT=1 -DHEED_NO_XSIMD \
    -D__BYTE_ORDER__=1 -D__ORDER_LITTLE_ENDIAN__=1 -Iinclude -Isrc src/*.cpp src/core src/io src/threads || return 1
  echo "$(git ls-files 'src/*.cpp' 'src/core' 'src/io' 'src/threads' | wc -l) files, 0 findings"
}

# Between the markers of docs/trust.md.
write_gates_table() {
  {
    sed '/<!-- gates -->/q' docs/trust.md
    printf '| gate | result | figure |\n|---|---|---|\n'
    printf '%s\n' "${gate_rows[@]}"
    sed -n '/<!-- end of gates -->/,$p' docs/trust.md
  } >"$gates_dir/trust.md"
  cp "$gates_dir/trust.md" docs/trust.md
}
