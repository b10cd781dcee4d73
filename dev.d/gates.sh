# shellcheck shell=bash disable=SC2154,SC2016
# gates.sh - ./dev gates [NAME...]: every promise of docs/trust.md is put to the test, one after the
# other; a line for each with its figure, which is also its row of the table in docs/trust.md. What a
# gate does is in gates_bits.sh and gates_code.sh; the rest are groups of ctest. Read by ../dev.

gates_dir=build/gates
ctest_gates=(symbols layers guard hidden heap oom numbers accuracy golden self_test verify packed stack signal bits)
own_gates=(exp2_every torch_error same_work subnormal_time same_bits asan msan tsan valgrind fuzz reproducible warnings clang_tidy cppcheck mutants)
x86_gates=(sealing same_bits_arm self_test_time coverage)  # with emulators of Debian on x86-64
if [[ $(uname -m) == x86_64 ]]; then own_gates+=("${x86_gates[@]}"); fi
gate_rows=()
gates_failed=0

# gate NAME: runs gate_NAME, or the group of ctest; the last line of its output is the figure.
gate() {
  local name=$1 start=$SECONDS log=$gates_dir/$1.log result=pass figure run=(ctest_gate "$1")
  if [[ $(type -t "gate_$name") == function ]]; then run=("gate_$name"); fi
  if ! "${run[@]}" >"$log" 2>&1 </dev/null; then
    result=FAIL gates_failed=$((gates_failed + 1))
    tail -n 30 "$log" >&2
  fi
  figure=$(sed -n '/[^ ]/h; ${g;p}' "$log" | cut -c 1-120)
  printf '%-15s %-5s %4d s  %s\n' "$name" "$result" $((SECONDS - start)) "$figure"
  gate_rows+=("| $name | $result | ${figure//|/\\|} |")
}

gates() {
  local all=("${ctest_gates[@]}" "${own_gates[@]}") name
  for name in "$@"; do
    if [[ " ${all[*]} " != *" $name "* ]]; then die "no gate $name; there are ${all[*]}"; fi
  done
  need_gates
  mkdir -p "$gates_dir"
  step "$gates_dir/configure.log" "gates: configure" -- cmake -S . -B "$gates_dir/native" -DCMAKE_BUILD_TYPE=Release \
    -DHEED_BUILD_TOOLS=OFF -DHEED_WITH_ONEDNN=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
  step "$gates_dir/build.log" "gates: build" -- cmake --build "$gates_dir/native" -j "$jobs" \
    --target heed_tests heed_io_tests heed_packed_tests
  for name in "${@:-${all[@]}}"; do gate "$name"; done
  write_gates_table
  printf '%d gates, %d failed\n' "${#gate_rows[@]}" "$gates_failed"
  ((gates_failed == 0))
}

need_gates() {
  need_build_tools
  need "${library_packages[@]}" "${test_packages[@]}" clang++-14:clang-14 libclang-rt-14-dev clang-tidy-14:clang-tidy-14 \
    valgrind:valgrind cppcheck:cppcheck
  if [[ $(uname -m) == x86_64 ]]; then need "${cross_packages[@]}" qemu-x86_64:qemu-user; fi
  want clang++-19:clang-19
}

# The compilers that this machine has of those that heed is held to.
gate_compilers() {
  local compiler
  for compiler in g++ clang++-14 clang++-19; do
    if has "$compiler:"; then printf '%s\n' "$compiler"; fi
  done
}

ctest_gate() {
  local log=$gates_dir/$1.ctest lines=1
  if [[ $1 == oom ]]; then lines=2; fi
  if ! ctest --test-dir "$gates_dir/native" -R "^$1\$" -V --no-tests=error >"$log" 2>&1; then
    cat "$log"
    sed -nE 's/^[0-9]*: .*(NOT ok.*|SIG[A-Z]* - .*)/\1/p; s/^[0-9]*: (assertions: .*)/\1/p' "$log" | head -n 1
    return 1
  fi
  sed -n 's/^[0-9]*: //p' "$log" | grep -vE '^(=*|Filters.*|Test command.*|Working.*|Environment.*| HEED.*|Test timeout.*)$' |
    grep -E 'hash|largest|worst|failed in turn|^ok' | tail -n "$lines" | paste -sd ';' | grep . || sed -n 's/^[0-9]*: \(All tests passed.*\)/\1/p' "$log"
}

# Between the markers of docs/trust.md: each gate's last run.
write_gates_table() {
  local name
  {
    sed '/<!-- gates -->/q' docs/trust.md
    printf '| gate | result | figure |\n|---|---|---|\n'
    for name in "${ctest_gates[@]}" "${own_gates[@]}"; do
      printf '%s\n' "${gate_rows[@]}" | grep "^| $name |" || grep "^| $name |" docs/trust.md || true
    done
    sed -n '/<!-- end of gates -->/,$p' docs/trust.md
  } >"$gates_dir/trust.md"
  cp "$gates_dir/trust.md" docs/trust.md
}
