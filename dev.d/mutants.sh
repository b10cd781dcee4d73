# shellcheck shell=bash disable=SC2154
# mutants.sh - ./dev mutants: all mutants of tests/gates/mutants.py; and the gate, which tries a part of
# them, another one each day. Read by ../dev.

mutants_dir=build/mutants
mutant_parts=8

mutants() {
  need_mutants
  python3 tests/gates/mutants.py "$mutants_dir" --jobs "$jobs"
}

gate_mutants() {  # of the day
  need_mutants
  python3 tests/gates/mutants.py "$mutants_dir" --jobs "$jobs" \
    --part "$(($(date +%s) / 86400 % mutant_parts))/$mutant_parts"
}

need_mutants() {
  need_build_tools
  need "${library_packages[@]}" "${test_packages[@]}" python3:python3
  mkdir -p "$mutants_dir"
}
