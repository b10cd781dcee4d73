#!/bin/sh
# Not a measurement: do the programs run, is every answer right, and does a comparison say what it
# should? sh smoke_test.sh PATH_TO_heed_bench PATH_TO_heed_bench_report PATH_TO_heed_peer
bench=$1 report=$2 peer=$3
[ -x "$bench" ] && [ -x "$report" ] && [ -x "$peer" ] || { echo "usage: $0 heed_bench heed_bench_report heed_peer" >&2; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
out=$work/stdout err=$work/stderr
failures=0

check() {  # SENTENCE CONDITION...
  sentence=$1
  shift
  if "$@" >/dev/null 2>&1; then
    echo "ok: $sentence"
  else
    echo "NOT ok: $sentence"
    echo "  exit code $code, stdout:" && sed 's/^/    /' "$out" && echo "  stderr:" && sed 's/^/    /' "$err"
    failures=$((failures + 1))
  fi
}

run() {
  "$@" >"$out" 2>"$err"
  code=$?
}
exits() { [ "$code" -eq "$1" ]; }
prints() { grep -qF -- "$1" "$out"; }
complains() { grep -qF -- "$1" "$err" && [ "$(wc -l <"$err")" -eq 1 ]; }
refused() {  # SENTENCE WORDS
  check "$1: exit code 1" exits 1
  check "$1: it says '$2'" complains "$2"
}

test_bench() {
  run "$bench" --benchmark_min_time=0.001 --benchmark_repetitions=2 --benchmark_enable_random_interleaving=true \
    "--benchmark_filter=(seed|seed_weights|kwt1|sdpa_128|sdpa_128_d30|minilm_(head_)?weights|minilm_causal|minilm_key_padding|minilm_(bool|float)_mask|minilm_ragged)/|peak|read/16/" \
    --benchmark_out="$work/real.json" --benchmark_out_format=json --benchmark_context=commit=abc
  check "heed_bench exits with 0: every answer is right" exits 0
  for words in mha/scalar/kwt1/threads:1 sdpa/ '"err":' '"GFLOP/s":' '"cpu":' '"compiler":' '"governor":' '"commit": "abc"'; do
    check "the JSON holds $words" grep -qF -- "$words" "$work/real.json"
  done
  run "$report" table "$work/real.json"
  check "the table exits with 0" exits 0
  for words in '| seed | ' '| sdpa_128 | ' '| sdpa_128_d30 | ' 'commit abc'; do check "the table holds '$words'" prints "$words"; done
  run "$bench" --core nowhere
  check "a core that is no number is wrong usage" exits 2
  run "$bench" --nonsense
  check "an unknown option is wrong usage" exits 2
  run "$bench" --benchmark_filter=nonsense
  check "a filter that finds nothing is an error" exits 1
}

# results FILE SEED REPETITIONS NOISE FACTOR: 30 cases whose share of the peak scatters around 0.9; the
# first case's times FACTOR.
results() {
  awk -v seed="$2" -v repetitions="$3" -v noise="$4" -v factor="$5" '
    function normal() { return sqrt(-2 * log(1 - rand())) * cos(6.283185307 * rand()) }
    BEGIN {
      srand(seed)
      printf "{\"context\": {\"cpu\": \"none\", \"archs\": \"avx2\"}, \"benchmarks\": ["
      for (c = 0; c < 30; ++c)
        for (r = 0; r < repetitions; ++r) {
          share = 0.9 * exp(noise * normal()) * (c == 0 ? factor : 1)
          printf "%s{\"run_name\": \"mha/avx2/case%d/threads:1/manual_time\", \"run_type\": \"iteration\", ", c + r ? ",\n" : "", c
          printf "\"real_time\": %.9g, \"time_unit\": \"us\", \"peak\": %.9g}", 90 / share, share
        }
      printf "]}\n"
    }' >"$1"
}

test_compare() {
  results "$work/a.json" 1 9 0.01 1
  run "$report" compare "$work/a.json" "$work/a.json"
  check "a comparison with itself exits with 0" exits 0
  check "nothing differs from itself" prints "0 faster, 0 slower, 30 the same"
  results "$work/slow.json" 2 9 0.01 0.93
  run "$report" compare "$work/a.json" "$work/slow.json"
  check "7% slower in noise of 1% is found" prints "0 faster, 1 slower, 29 the same"
  check "it is the right case" grep -q '^mha/avx2/case0/.*slower$' "$out"
  run "$report" compare "$work/slow.json" "$work/a.json"
  check "the other way round it is faster" prints "1 faster, 0 slower, 29 the same"
  results "$work/few.json" 3 2 0.01 0.5
  run "$report" compare "$work/a.json" "$work/few.json"
  check "two repetitions prove nothing" prints "0 faster, 0 slower, 30 the same"
  check "and that is said" prints "too few repetitions to say"
  alarms=0
  for seed in $(seq 1 40); do
    results "$work/x.json" $((100 + seed)) 9 0.03 1
    results "$work/y.json" $((200 + seed)) 9 0.03 1
    run "$report" compare "$work/x.json" "$work/y.json" --floor 0
    prints "0 faster, 0 slower" || alarms=$((alarms + 1))
  done
  check "where nothing changed, at most 2 of 40 comparisons say otherwise ($alarms do)" [ "$alarms" -le 2 ]
  # The yardstick says that the machine itself changed: then the same step proves nothing.
  for file in a slow; do
    time=$([ $file = a ] && echo 100 || echo 110)
    sed "s|\]}\$|, {\"run_name\": \"read/256/manual_time\", \"run_type\": \"iteration\", \"real_time\": $time, \"time_unit\": \"us\"}]}|" \
      "$work/$file.json" >"$work/$file-moved.json"
  done
  run "$report" compare "$work/a-moved.json" "$work/slow-moved.json"
  check "a machine that slowed down alike is not blamed on heed" prints "0 faster, 0 slower, 30 the same"
}

test_bad_files() {
  run "$report" compare "$work/absent.json" "$work/a.json"
  refused "a missing file" "$work/absent.json: cannot be opened"
  echo nonsense >"$work/bad.json"
  run "$report" compare "$work/a.json" "$work/bad.json"
  refused "a file that is not JSON" "$work/bad.json: not JSON"
  echo '{"x": 1}' >"$work/bad.json"
  run "$report" table "$work/bad.json"
  refused "JSON of something else" "$work/bad.json: not a result of heed_bench"
  sed 's/case/other/' "$work/a.json" >"$work/other.json"
  run "$report" compare "$work/a.json" "$work/other.json"
  refused "results without a common case" "no case was measured in both"
  run "$report" compare "$work/a.json"
  check "compare with one file is wrong usage" exits 2
}

test_insert() {
  printf 'before\n<!-- bench modules -->\nold\n<!-- end -->\nafter\n' >"$work/doc.md"
  run "$report" insert "$work/doc.md" "$work/real.json"
  check "insert exits with 0" exits 0
  check "insert leaves what is around" sh -c "head -n 1 '$work/doc.md' | grep -qx before && tail -n 1 '$work/doc.md' | grep -qx after"
  check "insert writes the table" grep -q '^| kwt1 | ' "$work/doc.md"
  check "insert replaces what was there" sh -c "! grep -q old '$work/doc.md'"
  cp "$work/doc.md" "$work/first.md"
  run "$report" insert "$work/doc.md" "$work/real.json"
  check "inserting again changes nothing" cmp "$work/doc.md" "$work/first.md"
  printf '<!-- bench nonsense -->\n<!-- end -->\n' >"$work/doc.md"
  run "$report" insert "$work/doc.md" "$work/real.json"
  refused "an unknown table" 'there is no table "nonsense"'
  printf '<!-- bench modules -->\nkept\n' >"$work/doc.md"
  run "$report" insert "$work/doc.md" "$work/real.json"
  refused "a marker without an end" "no <!-- end -->"
  check "a refused document is as it was" grep -qx kept "$work/doc.md"
}

test_peer() {
  run "$peer" list
  check "heed_peer lists the cases" prints '"name": "minilm"'
  mkdir "$work/tensors"
  printf 'case kwt1\nrun 2\noutput\n' | "$peer" serve "$work/tensors" >"$out" 2>"$err"
  code=$?
  check "heed_peer serves" exits 0
  check "heed_peer answers every line" sh -c "[ \$(wc -l <'$out') -eq 3 ]"
  check "heed_peer writes the output" sh -c "[ \$(wc -c <'$work/tensors/output.f32') -eq $((99 * 64 * 4)) ]"
  echo 'case nonsense' | "$peer" serve "$work/tensors" >"$out" 2>"$err"
  code=$?
  refused "an unknown case" "there is no case nonsense"
}

test_bench
test_compare
test_bad_files
test_insert
test_peer
echo "$failures checks failed"
[ "$failures" -eq 0 ]
