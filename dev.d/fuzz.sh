# shellcheck shell=bash
# fuzz.sh - ./dev fuzz: libFuzzer on one target and one core. What it learns stays in
# build/fuzz/corpus, findings in build/fuzz/findings. Read by ../dev.

fuzz_targets=(blob calls differential npy rules safetensors)

# fuzz_number LOG PATTERN: the last number that stands behind it.
fuzz_number() { sed -nE "s/.*$2 *([0-9]+).*/\1/p" "$1" | tail -n 1; }

fuzz_findings() { find "$1" -type f -name "$2-*" | sort; }

# fuzz_build PROGRAM...: of clang's sanitizers, into build/fuzz.
fuzz_build() {
  mkdir -p build/fuzz
  step build/fuzz/configure.log "fuzz: configure" -- cmake --preset fuzz || return 1
  # shellcheck disable=SC2154  # of parts.sh
  step build/fuzz/build.log "fuzz: build" -- cmake --build build/fuzz -j "$jobs" --target "$@"
}

# fuzz_run TARGET SECONDS: a line of figures; 0 if nothing was found.
fuzz_run() {
  local target=$1 seconds=$2 dir=build/fuzz status=0 log=build/fuzz/$1.log found
  mkdir -p "$dir/findings" "$dir/corpus/$target"
  "$dir/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=60 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$dir/findings/$target-" "$dir/corpus/$target" "fuzz/corpus/$target" \
    >"$log" 2>&1 </dev/null || status=$?
  found=$(fuzz_findings "$dir/findings" "$target")
  printf '%s: %s executions, cov %s, ft %s, %s findings\n' "$target" "$(fuzz_number "$log" stat::number_of_executed_units:)" \
    "$(fuzz_number "$log" 'cov:')" "$(fuzz_number "$log" 'ft:')" "$(grep -c . <<<"$found" || true)"
  if ((status != 0)); then
    tail -n 40 "$log" >&2
    echo "fuzz: $target stopped; all of it is in $log" >&2
  fi
  [[ -z $found ]] || printf 'finding: %s\n' "$found"
  ((status == 0))
}

# fuzz TARGET MINUTES: on one core.
fuzz() {
  local target=$1 minutes=$2 core
  [[ " ${fuzz_targets[*]} " == *" $target "* && $minutes =~ ^[1-9][0-9]{0,4}$ ]] || usage
  need_build_tools
  # shellcheck disable=SC2154  # of ../dev
  need clang++-14:clang-14 libclang-rt-14-dev "${library_packages[@]}"
  fuzz_build "fuzz_$target" || exit 1
  core=${HEED_FUZZ_CORE:-$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')}
  say "fuzz: $target, $minutes min on core $core"
  taskset -cp "$core" $$ >/dev/null
  fuzz_run "$target" $((60 * minutes))
}
