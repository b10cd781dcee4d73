# shellcheck shell=bash
# bench.sh - the words of ./dev bench: measure, compare, against peers, pictures, tables. Read by ../dev.
#
# All of it lies in build/bench: results.json and .md, previous.json (the results before those),
# latency.json, peers.json and .md. The pictures of docs/pictures and the tables of README.md and
# docs/performance.md are made from these.

bench_dir=build/bench
bench_repetitions=9
latency_cases=(seed kwt1 kwt3 minilm vit_tiny vit_base)

bench() {
  case "${1-}" in
    --compare)
      (($# >= 3)) || usage
      bench_report compare "${@:2}"
      ;;
    peers) bench_peers "${@:2}" ;;
    plot)
      (($# == 1)) || usage
      bench_plot
      ;;
    tables)
      (($# == 1)) || usage
      bench_tables
      ;;
    *) bench_run "$@" ;;
  esac
}

bench_build() {  # TARGET...
  local onednn=OFF target targets=()
  need_native
  need libbenchmark-dev
  if has libdnnl-dev && has ocl-icd-opencl-dev; then onednn=ON; fi
  for target in "$@"; do targets+=(--target "$target"); done
  mkdir -p "$bench_dir"
  step "$bench_dir/configure.log" "bench: configure" -- cmake -S . -B "$bench_dir" -DCMAKE_BUILD_TYPE=Release \
    -DHEED_BUILD_BENCH=ON -DHEED_BUILD_TESTS=OFF -DHEED_BUILD_TOOLS=ON -DHEED_WITH_ONEDNN=$onednn &&
    step "$bench_dir/build.log" "bench: build" -- cmake --build "$bench_dir" -j "$jobs" "${targets[@]}"
}

bench_report() {
  bench_build heed_bench_report && "$bench_dir/bench/heed_bench_report" "$@"
}

# Options of the caller come last, so that they win. Repetitions of all cases take turns in random
# order: what disturbs the machine for a while then disturbs one repetition of many cases, not many
# of one.
bench_run() {
  local results=$bench_dir/results.json new=$bench_dir/new.json status=0
  bench_build heed_bench heed_bench_report heed_tool
  rm -f "$new"
  "$bench_dir/bench/heed_bench" --benchmark_out="$new" --benchmark_out_format=json \
    --benchmark_repetitions=$bench_repetitions --benchmark_enable_random_interleaving=true \
    --benchmark_min_time=0.05 --benchmark_display_aggregates_only=true \
    --benchmark_context=commit="$(git describe --always --dirty 2>/dev/null || echo unknown)" "$@" || status=$?
  # Nothing was measured: only names were listed, or the results went elsewhere.
  if [[ ! -s $new ]] || ! grep -q '"run_type": "iteration"' "$new"; then return $status; fi
  "$bench_dir/bench/heed_bench_report" table "$new" >"$bench_dir/results.md" || return
  if [[ -f $results ]]; then mv "$results" "$bench_dir/previous.json"; fi
  mv "$new" "$results"
  if (($# == 0)); then bench_latency; fi
  say "$results, and as Markdown $bench_dir/results.md"
  return $status
}

# Every call's time, of a few shapes, as a list.
bench_latency() {
  local name words separator='[' out=$bench_dir/latency.json
  for name in "${latency_cases[@]}"; do
    say "latency: $name"
    read -ra words < <("$bench_dir/bench/heed_bench_report" arguments "$name")
    printf '%s{"name": "%s", "run": ' "$separator" "$name"
    on_last_core "$bench_dir/src/tools/heed" bench "${words[@]}" --seconds 4 --json || return
    printf '}'
    separator=,
  done >"$out"
  echo ']' >>"$out"
}

# COMMAND...: bound to the last core that this shell may use, where that can be asked for.
on_last_core() {
  local core
  if has taskset: && core=$(taskset -cp $$ 2>/dev/null) && core=${core##*[ ,-]} &&
    taskset -c "$core" true 2>/dev/null; then
    taskset -c "$core" "$@"
  else
    "$@"
  fi
}

# PyTorch and what draws, in a folder of their own.
bench_venv() {
  local dir=build/venv
  need python3:python3
  if [[ ! -x $dir/bin/pip ]]; then
    need python3-venv
    mkdir -p build
    step build/venv.log "PyTorch: a virtual environment" -- python3 -m venv "$dir"
  fi
  if "$dir/bin/python" -c "from importlib.metadata import version
assert version('torch').split('+')[0] == '2.13.0' and version('numpy') and version('matplotlib')" 2>/dev/null; then
    return 0
  fi
  step build/venv.log "PyTorch: pip install" -- "$dir/bin/pip" install torch==2.13.0 numpy matplotlib
}

# With an environment that holds nothing: some machines export variables that slow PyTorch's BLAS.
bench_python() {
  env -i PATH="$PATH" HOME="$PWD/build" LC_ALL=C.UTF-8 OMP_NUM_THREADS=1 build/venv/bin/python "$@"
}

bench_peers() {  # CASE...
  bench_build heed_peer
  bench_venv
  bench_python bench/peers/peers.py "$bench_dir/bench/heed_peer" "$bench_dir/peers.json" "$bench_dir/peers.md" "$@"
  say "$bench_dir/peers.json, and as Markdown $bench_dir/peers.md"
}

bench_plot() {
  local file
  for file in results latency; do
    [[ -f $bench_dir/$file.json ]] || die "$bench_dir/$file.json is missing: first ./dev bench"
  done
  bench_venv
  bench_python bench/plot.py "$bench_dir/results.json" "$bench_dir/latency.json" docs/pictures
}

bench_tables() {
  local document
  [[ -f $bench_dir/results.json ]] || die "$bench_dir/results.json is missing: first ./dev bench"
  [[ -f $bench_dir/peers.json ]] || die "$bench_dir/peers.json is missing: first ./dev bench peers"
  bench_build heed_bench_report
  for document in README.md docs/performance.md; do
    "$bench_dir/bench/heed_bench_report" insert "$document" "$bench_dir/results.json" --peers "$bench_dir/peers.json"
  done
}
