# shellcheck shell=bash disable=SC2154
# gates_bits.sh - gates that build the library in other ways, or run it under an emulator, and
# compare answers, instructions and times. Read by ../dev.

# Tests that take too long for ctest.
gate_exp2_every() { long_test exp2_every; }
gate_torch_error() { long_test torch_error; }

long_test() {
  local result=0 log=$gates_dir/$1.txt
  "$gates_dir/native/tests/heed_tests" "[.$1]" >"$log" || { cat "$log"; result=1; }
  grep -E '^(exp2 of every float of|largest error)' "$log" || return 1
  return $result
}

# call_objects COMPILER DIR: the helpers of the tests, to be linked with any build of the library.
call_objects() {
  local name
  mkdir -p "$2"
  for name in gates/one_call edge_cases problem random_problem runner support; do
    "$1" -std=c++17 -O1 -Wall -Wextra -Iinclude -Itests -c "tests/$name.cpp" -o "$2/$(basename "$name").o" || return 1
  done
}

native_call() {  # one_call of the library as it is built for release
  call_objects g++ "$gates_dir/call" && g++ "$gates_dir"/call/*.o "$gates_dir/native/libheed.a" -o "$gates_dir/one_call"
}

native_archs() {  # of ARCH..., those that this CPU can run
  local arch
  for arch in "$@"; do
    case $arch in
      avx512) cpu_has avx512f avx512cd avx512bw avx512dq avx512vl ;;
      avx2) cpu_has avx2 fma ;;
      sse42) cpu_has sse4_2 ;;
      neon64) [[ $(uname -m) == aarch64 ]] ;;
      scalar) ;;
    esac && printf '%s\n' "$arch"
  done
}

# counted FUNCTION ARCH WHAT: executed instructions, as valgrind counts them; it has no AVX-512.
counted() {
  local log=$gates_dir/callgrind.txt
  valgrind --tool=callgrind "--toggle-collect=$1" --callgrind-out-file=/dev/null "$gates_dir/one_call" "$2" "$3" \
    2>"$log" || { cat "$log"; return 1; }
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$log"
}

# Executed instructions of 20 data sets, zeros, subnormal and huge numbers among them.
gate_same_work() {
  local arch set count first all=
  native_call || return 1
  for arch in $(native_archs avx2 sse42 scalar); do
    first=
    for set in {0..19}; do
      if [[ $arch == scalar && $set == 19 ]]; then continue; fi  # its compiler makes a branch of 2^x == 0
      count=$(counted heed_forward "$arch" "$set") || { echo "$count"; return 1; }
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

# Times of the same call on subnormal and on usual numbers, in turn.
gate_subnormal_time() {
  local arch line all=
  g++ -std=c++17 -O2 -Wall -Wextra -Iinclude -Itests tests/gates/subnormal_time.cpp tests/{problem,random_problem,runner,support}.cpp \
    "$gates_dir/native/libheed.a" -o "$gates_dir/subnormal_time" || return 1
  for arch in $(native_archs avx512 avx2 sse42 neon64 scalar); do
    line=$("$gates_dir/subnormal_time" "$arch") || { echo "$line"; return 1; }
    echo "$line"
    all+="$arch ${line##* } "
  done
  echo "time of subnormal numbers / usual ones, at most 1.1: $all"
}

# hashes_are_recorded PROGRAM ARCH [EMULATOR...]: those of its mode.
hashes_are_recorded() {
  local program=$1 arch=$2 mode=fused want came
  if [[ $arch == sse42 ]]; then mode=twice; fi
  want=$(sed -n "s/^answers_$mode //p" tests/gates/hash.txt)
  want="answers $want edge $(sed -n "s/^edge_$mode //p" tests/gates/hash.txt)"
  came=$("${@:3}" "$program" "$arch" hash) || return 1
  if [[ $came != "$want" ]]; then echo "$program on $arch: $came, recorded is $want"; return 1; fi
}

# built_at DIR LEVEL CMAKE_OPTION...: the library, arch objects too.
built_at() {
  cmake -S . -B "$1" -DCMAKE_BUILD_TYPE=Gate -DCMAKE_CXX_FLAGS="$2" -DHEED_ARCH_OPTIMIZATION="$2" -DHEED_BUILD_TESTS=OFF \
    -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF -DHEED_BUILD_THREADS=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "${@:3}" &&
    cmake --build "$1" -j "$jobs" --target heed
}

# The library at every level by every compiler: one hash for all archs with FMA.
gate_same_bits() {
  local compiler level arch dir n=0 archs
  archs=$(native_archs avx512 avx2 sse42 neon64 scalar)
  call_objects g++ "$gates_dir/call" || return 1
  for compiler in $(gate_compilers); do
    for level in -O0 -O1 -O2 -O3 -Os; do
      dir=$gates_dir/bits/$compiler$level
      built_at "$dir" "$level" -DCMAKE_CXX_COMPILER="$compiler" && g++ "$gates_dir"/call/*.o "$dir/libheed.a" -o "$dir/one_call" || return 1
      for arch in $archs; do
        hashes_are_recorded "$dir/one_call" "$arch" || return 1
        n=$((n + 1))
      done
    done
  done
  echo "$n: $(gate_compilers | paste -sd ' '); -O0 to -O3, -Os; $(paste -sd ' ' <<<"$archs"): the recorded bits"
}

arm_archs='neon64 rpi4 aarch64-linux-gnu-g++ qemu-aarch64
neon32 rpi2-32 arm-linux-gnueabihf-g++ qemu-arm'

# arm_call ARCH BOARD COMPILER LEVEL: one_call for a board.
arm_call() {
  local dir=$gates_dir/bits/$1$4
  call_objects "$3" "$gates_dir/call_$1" && built_at "$dir" "$4" --toolchain "$PWD/toolchains/$2.cmake" &&
    "$3" -static "$gates_dir/call_$1"/*.o "$dir/libheed.a" -o "$dir/one_call"
}

gate_same_bits_arm() {
  local level arch board compiler qemu n=0 name
  while read -r arch board compiler qemu; do
    for level in -O0 -O2; do
      arm_call "$arch" "$board" "$compiler" "$level" || return 1
      for name in "$arch" scalar; do
        hashes_are_recorded "$gates_dir/bits/$arch$level/one_call" "$name" "$qemu" || return 1
        n=$((n + 1))
      done
    done
  done <<<"$arm_archs"
  echo "$n: GCC; -O0, -O2; neon64, neon32 and their scalar under qemu: the recorded bits"
}

# Instructions of a whole program that does the self-test: a million are 5 ms at 200 million a second, of which
# every board with these archs does more.
gate_self_test_time() {
  local arch board compiler qemu count all=
  g++ -std=c++17 -O1 -shared -fPIC -fvisibility=hidden bench/count/plugin.cpp -o "$gates_dir/libcount.so" || return 1
  while read -r arch board compiler qemu; do
    arm_call "$arch" "$board" "$compiler" -O2 || return 1
    "$qemu" -plugin "$gates_dir/libcount.so,out=$gates_dir/count.txt" -d plugin "$gates_dir/bits/$arch-O2/one_call" "$arch" self_test || return 1
    count=$(awk '$1 != "loop" { sum += $1 } END { print sum + 0 }' "$gates_dir/count.txt")
    if ((count < 10000 || count > 1000000)); then echo "$arch: $count instructions"; return 1; fi
    all+="$arch $count "
  done <<<"$arm_archs"
  echo "instructions of heed_self_test, at most 1000000: $all"
}

# linked_in_order DIR PROGRAM ARCH_OBJECT...: the tests with that library's objects, those of the archs first.
linked_in_order() {
  local dir=$1 program=$2 rest wrap=("-Wl,--wrap=malloc" "-Wl,--wrap=calloc" "-Wl,--wrap=realloc"
    "-Wl,--wrap=aligned_alloc" "-Wl,--wrap=posix_memalign" "-Wl,--wrap=free")
  mapfile -t rest < <(find "$dir/objects" -name '*.o' | grep -vE "$arch_objects" | sort)
  g++ "${wrap[@]}" "${@:3}" "${rest[@]}" "$gates_dir"/native/tests/CMakeFiles/heed_test{s,_main}.dir/*.o \
    "$gates_dir/native/src/threads/libheed_threads.a" -o "$program"
}

# All groups but those that only repeat the same kernels at many more sizes, many minutes under an emulator.
sealing_groups='[archs],[hash],[golden],[numbers],[exp2],[self_test],[choice],[errors],[layout],[verify],[stack],[heap]'
arch_objects='/(heed_)?(avx512|avx2|sse42|scalar)(\.cpp)?\.o$'

# The tests on a CPU without AVX, linked so that an inline function comes from whichever arch's object
# the linker sees first: the archs forwards, then backwards.
gate_sealing() {
  local compiler level dir order archs n=0
  for compiler in g++ clang++-14; do
    for level in -O0 -O2; do
      dir=$gates_dir/bits/$compiler$level
      built_at "$dir" "$level" -DCMAKE_CXX_COMPILER="$compiler" || return 1
      rm -rf "$dir/objects"
      mkdir -p "$dir/objects"
      (cd "$dir/objects" && ar x ../libheed.a) || return 1
      for order in "sort" "sort -r"; do
        mapfile -t archs < <(find "$dir/objects" -name '*.o' | grep -E "$arch_objects" | $order)
        if ((${#archs[@]} != 4)); then echo "archs: ${archs[*]}"; return 1; fi
        linked_in_order "$dir" "$dir/sealing" "${archs[@]}" || return 1
        if ! HEED_TEST_QUICK=1 HEED_EXPECTED_ARCH=sse42 \
          qemu-x86_64 -cpu Nehalem "$dir/sealing" "$sealing_groups" >"$dir/sealing.txt" 2>&1; then
          tail -n 20 "$dir/sealing.txt"
          echo "$compiler $level, ${archs[*]##*/}: $(tail -n 1 "$dir/sealing.txt")"
          return 1
        fi
        n=$((n + 1))
      done
    done
  done
  echo "$n runs on qemu's Nehalem, $(sed -n 's/^All tests passed (\(.*\))/\1/p' "$dir/sealing.txt") each"
}
