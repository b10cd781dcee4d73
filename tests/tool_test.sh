#!/bin/sh
# The heed command-line tool, from outside: sh tool_test.sh PATH_TO_heed PATH_TO_tests/data
# Every check prints a sentence; those that fail say "NOT" and what came instead.
heed=$1
data=$2
[ -x "$heed" ] && [ -f "$data/query.npy" ] || { echo "usage: $0 PATH_TO_heed PATH_TO_tests/data" >&2; exit 2; }
unset HEED_ISA NO_COLOR
weights=$data/encoder_layer.safetensors
query=$data/query.npy
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
out=$work/stdout err=$work/stderr files=$work/files
mkdir "$files"
failures=0

# check SENTENCE CONDITION...: the condition is a command.
check() {
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
  "$heed" "$@" >"$out" 2>"$err"
  code=$?
}
run_on() {  # ARCH ARGUMENTS...
  isa=$1
  shift
  HEED_ISA=$isa "$heed" "$@" >"$out" 2>"$err"
  code=$?
}
exits() { [ "$code" -eq "$1" ]; }
prints() { grep -qF -- "$1" "$out"; }
complains() { grep -qF -- "$1" "$err"; }
silent() { [ ! -s "$err" ]; }
one_sentence() { [ "$(wc -l <"$err")" -eq 1 ] && grep -q '^heed: .*\.$' "$err"; }
nothing_left() { [ -z "$(ls -A "$files")" ]; }
wrong_usage() { exits 2 && [ -s "$err" ] && nothing_left; }

# refused SENTENCE WORDS...: the last command failed with one sentence that holds all words.
refused() {
  sentence=$1
  shift
  check "$sentence: exit code 1" exits 1
  check "$sentence: one sentence on stderr" one_sentence
  for words in "$@"; do check "$sentence: it says '$words'" complains "$words"; done
  check "$sentence: no file is left" nothing_left
}

# run_layer ARGUMENTS...: the encoder layer on its query.
run_layer() {
  run run --weights "$weights" --num-heads 4 --query "$query" --batch-first "$@"
}

# ---- files made here: float32 as octal bytes, little-endian ---------------------------

zero='\000\000\000\000' half='\000\000\000\077' one='\000\000\200\077' two='\000\000\000\100'

# npy FILE DESCR SHAPE BYTES
npy() {
  { printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    printf "$4"; } >"$1"
}

# safetensors FILE HEADER BYTES: the header is padded to 512 bytes.
safetensors() {
  { printf '\000\002\000\000\000\000\000\000'
    printf '%-512s' "$2"
    printf "$3"; } >"$1"
}

tensor() { printf '"%s":{"dtype":"F32","shape":%s,"data_offsets":[%s]}' "$1" "$2" "$3"; }

# ---- the words of the command line ----------------------------------------------------

test_usage() {
  run
  check "no arguments print help and exit with 2" exits 2
  check "the help names every command" complains compare
  run --version
  check "--version exits with 0" exits 0
  check "--version says heed and a number" grep -q '^heed [0-9]*\.[0-9]*\.[0-9]*$' "$out"
  run --help
  check "--help exits with 0" exits 0
  for command in demo run plan bench info compare pack unpack; do
    check "--help names $command" prints "$command"
  done
  for command in demo run plan bench info compare pack unpack; do
    run "$command" --help
    check "$command --help exits with 0" exits 0
    check "$command --help prints its usage" prints "Usage: heed $command"
  done
  run nonsense
  check "an unknown command is wrong usage" wrong_usage
  check "an unknown command is named" complains nonsense
  run run
  check "run without its files is wrong usage" wrong_usage
  run compare "$query"
  check "compare with one file is wrong usage" wrong_usage
  run plan --embed-dim many --num-heads 2
  check "an embed-dim that is no number is wrong usage" wrong_usage
  run demo --color blue
  check "an unknown word for --color is wrong usage" wrong_usage
  run_layer --output "$files/o.npy" --causal sideways
  check "an unknown word for --causal is wrong usage" wrong_usage
  run_layer --output "$files/o.npy" --threads 0
  check "no thread at all is wrong usage" wrong_usage
  run_layer --output "$files/o.npy" --need-weights average
  check "--need-weights without a file for them is wrong usage" wrong_usage
  run_layer --output "$files/o" --output-weights "$files/../files/o"
  check "two outputs in one file are wrong usage" wrong_usage
  run_layer
  check "run without --output is wrong usage" wrong_usage
  run bench --embed-dim 8 --num-heads 2
  check "bench without queries is wrong usage" wrong_usage
  run bench --embed-dim 8 --num-heads 2 --query 0
  check "bench of no query is wrong usage" wrong_usage
  run bench --embed-dim 8 --num-heads 2 --query 4 --seconds -1
  check "bench of negative seconds is wrong usage" wrong_usage
}

# ---- demo -----------------------------------------------------------------------------

# PyTorch breaks lines after 80 columns: 7 numbers with a sign, then the eighth.
expected_demo() {
  cat <<'ROWS'
tensor([[[0.6814, 0.3330, 0.3603, 0.6477, 0.9110, 0.6359, 0.2634, 0.2650],
         [0.0273, 0.6080, 0.2194, 0.0542, 0.9384, 0.1753, 0.4431, 0.6432],
         [0.5159, 0.1636, 0.0958, 0.8985, 0.5814, 0.9148, 0.3324, 0.6473],
         [0.3857, 0.4778, 0.1955, 0.6691, 0.6581, 0.4897, 0.3875, 0.1918]]])
tensor([[[ 0.0371, -0.0003,  0.0308, -0.0156,  0.0638, -0.0011, -0.0370,
           0.0329],
         [ 0.0410, -0.0081,  0.0399, -0.0159,  0.0690, -0.0020, -0.0392,
           0.0409],
         [ 0.0385, -0.0004,  0.0322, -0.0143,  0.0650,  0.0003, -0.0388,
           0.0346],
         [ 0.0398, -0.0007,  0.0333, -0.0137,  0.0671,  0.0011, -0.0399,
           0.0359]]])
tensor([[[0.2563, 0.2470, 0.2437, 0.2530],
         [0.2554, 0.2512, 0.2436, 0.2498],
         [0.2536, 0.2448, 0.2509, 0.2507],
         [0.2554, 0.2424, 0.2496, 0.2525]]])
Input X:
Attention Output:
Attention Weights:
Input shape: (1, 4, 8)
Output shape: (1, 4, 8)
Weights shape: (1, 4, 4)
query 3 0.2554  0.2424  0.2496  0.2525 
ROWS
}

is_lecture() {
  expected_demo | while IFS= read -r row; do grep -qxF -- "$row" "$out" || exit 1; done
}
has_colours() { grep -q "$(printf '\033')\[48;5;" "$out"; }
no_colours() { ! has_colours; }

test_demo() {
  run demo
  check "demo exits with 0" exits 0
  check "demo prints every number of the lecture" is_lecture
  check "demo says nothing on stderr" silent
  check "demo ends with the arch and its nanoseconds" \
    sh -c "tail -n 1 '$out' | grep -Eq '^[a-z0-9]+: [0-9]+ ns per forward \(median of [0-9]+\)\$'"
  check "demo into a file has no colours" no_colours
  run demo --color always
  check "demo --color always has colours" has_colours
  run demo --color never
  check "demo --color never has none" no_colours
}

# ---- archs ----------------------------------------------------------------------------

test_archs() {
  run info
  check "info exits with 0" exits 0
  check "info names the default" prints "the default now"
  check "info lists scalar" grep -q '^scalar  *1 ' "$out"
  archs=$(sed -n '/^arch /,$p' "$out" | sed 1d | cut -d' ' -f1)
  for arch in $archs; do
    if "$heed" info | grep "^$arch " | grep -q ' needs '; then
      run_on "$arch" demo
      refused "HEED_ISA=$arch, which this CPU lacks" "$arch" "needs"
    else
      run_on "$arch" demo
      check "HEED_ISA=$arch: demo exits with 0" exits 0
      check "HEED_ISA=$arch: every number of the lecture" is_lecture
      check "HEED_ISA=$arch: it says that $arch ran" sh -c "tail -n 1 '$out' | grep -q '^$arch: '"
      run_layer --key-padding-mask "$data/key_padding_mask.npy" --isa "$arch" --output "$files/o.npy"
      run compare "$files/o.npy" "$data/expected_output.npy" --tolerance 1e-5
      check "run --isa $arch is PyTorch's answer" exits 0
      rm -f "$files"/*
    fi
  done
  run_on scalar info
  check "info shows HEED_ISA" prints "HEED_ISA=scalar"
  run_on nonsense demo
  refused "HEED_ISA=nonsense" nonsense scalar
  run_on nonsense info
  check "info with HEED_ISA=nonsense lists the archs all the same" prints scalar
  refused "info with HEED_ISA=nonsense" nonsense
  run_layer --isa nonsense --output "$files/o.npy"
  refused "run --isa nonsense" nonsense scalar
}

# ---- run ------------------------------------------------------------------------------

is_png() { [ "$(dd if="$1" bs=1 skip=1 count=3 2>/dev/null)" = PNG ]; }

test_run() {
  mask="--key-padding-mask $data/key_padding_mask.npy"
  run_layer $mask --output "$files/o.npy" --output-weights "$files/w.npy" --heatmap "$files/w.png"
  check "run on PyTorch's files exits with 0" exits 0
  check "run says where it found the module" complains 'self_attn.'
  check "run prints nothing on stdout" [ ! -s "$out" ]
  check "the heat map is a PNG" is_png "$files/w.png"
  check "run leaves three files" [ "$(ls -A "$files" | wc -l)" -eq 3 ]
  run compare "$files/o.npy" "$data/expected_output.npy" --tolerance 1e-5
  check "the output is PyTorch's" exits 0
  run compare "$files/w.npy" "$data/expected_weights.npy" --tolerance 1e-6
  check "the weights are PyTorch's" exits 0

  run_layer $mask --prefix self_attn. --threads 3 --output "$files/o3.npy" --need-weights per-head \
    --output-weights "$files/w3.npy" --heatmap "$files/w3.png"
  check "run with 3 threads exits with 0" exits 0
  check "run with a --prefix says nothing" silent
  check "3 threads give the same bits" cmp "$files/o.npy" "$files/o3.npy"
  check "per-head weights are more than averaged ones" \
    [ "$(wc -c <"$files/w3.npy")" -gt "$(wc -c <"$files/w.npy")" ]
  run_layer $mask --key "$query" --value "$query" --output "$files/o4.npy"
  check "key and value default to the query" cmp "$files/o.npy" "$files/o4.npy"
  run_layer --causal bottom-right --add-zero-attn --fully-masked nan --output "$files/o5.npy"
  check "causal, add-zero-attn and fully-masked are taken" exits 0
  rm -f "$files"/*
}

# One module of E = 2 under the three ways of naming.
test_names() {
  q="$one$two$half$one" k="$two$half$one$one" v="$half$two$one$half" w="$one$half$two$two"
  npy "$work/x.npy" '<f4' '(1, 3, 2)' "$one$half$two$zero$half$two"
  safetensors "$work/fused" "{$(tensor in_proj_weight '[6,2]' 0,48),$(tensor out_proj.weight '[2,2]' 48,64),$(tensor \
    in_proj_bias '[6]' 64,88),$(tensor out_proj.bias '[2]' 88,96)}" "$q$k$v$w$half$one$zero$zero$two$one$one$two"
  safetensors "$work/separate" "{$(tensor v_proj_weight '[2,2]' 0,16),$(tensor k_proj_weight '[2,2]' 16,32),$(tensor \
    q_proj_weight '[2,2]' 32,48),$(tensor out_proj.weight '[2,2]' 48,64),$(tensor in_proj_bias '[6]' 64,88),$(tensor \
    out_proj.bias '[2]' 88,96)}" "$v$k$q$w$half$one$zero$zero$two$one$one$two"
  safetensors "$work/whisper" "{$(tensor a.q_proj.weight '[2,2]' 0,16),$(tensor a.k_proj.weight '[2,2]' 16,32),$(tensor \
    a.v_proj.weight '[2,2]' 32,48),$(tensor a.out_proj.weight '[2,2]' 48,64),$(tensor a.q_proj.bias '[2]' 64,72),$(tensor \
    a.v_proj.bias '[2]' 72,80),$(tensor a.out_proj.bias '[2]' 80,88)}" "$q$k$v$w$half$one$two$one$one$two"
  for name in fused separate whisper; do
    run run --weights "$work/$name" --num-heads 1 --query "$work/x.npy" --batch-first --output "$files/$name"
    check "run takes the names of the $name file" exits 0
  done
  check "q_proj_weight gives the same bits as in_proj_weight" cmp "$files/fused" "$files/separate"
  check "q_proj.weight without a key bias gives the same bits" cmp "$files/fused" "$files/whisper"
  npy "$work/x2.npy" '<f4' '(3, 2)' "$one$half$two$zero$half$two"
  run run --weights "$work/fused" --num-heads 1 --query "$work/x2.npy" --output "$files/unbatched"
  check "run takes an unbatched query" exits 0
  check "an unbatched query gives the same bits" \
    [ "$(tail -c 24 "$files/fused" | od)" = "$(tail -c 24 "$files/unbatched" | od)" ]
  rm -f "$files"/*

  two_modules="$(tensor b.in_proj_weight '[3,1]' 0,12),$(tensor a.in_proj_weight '[3,1]' 12,24)"
  safetensors "$work/two" "{$two_modules}" "$one$one$one$one$one$one"
  run run --weights "$work/two" --num-heads 1 --query "$work/x.npy" --output "$files/o"
  refused "a file of two modules" "$work/two" '"a."' '"b."' --prefix
  run run --weights "$work/two" --prefix a. --num-heads 1 --query "$work/x.npy" --output "$files/o"
  refused "a module without out_proj.weight" '"a.out_proj.weight"'
  safetensors "$work/lone" "{$(tensor in_proj_weight '[3,1]' 0,12),$(tensor out_proj.weight '[1,1]' 12,16),$(tensor \
    bias_k '[1,1,1]' 16,20)}" "$one$one$one$one$one"
  run run --weights "$work/lone" --num-heads 1 --query "$work/x.npy" --output "$files/o"
  refused "bias_k without bias_v" "$work/lone" '"bias_v"'
  safetensors "$work/shape" "{$(tensor in_proj_weight '[5,2]' 0,40)}" "$q$q$one$one"
  run run --weights "$work/shape" --num-heads 1 --query "$work/x.npy" --output "$files/o"
  refused "a misshapen tensor" "$work/shape" '"in_proj_weight"' '[6, 2]' '[5, 2]'
}

test_bad_inputs() {
  run run --weights "$work/absent" --num-heads 4 --query "$query" --output "$files/o"
  refused "a missing weights file" "$work/absent"
  dd if="$weights" of="$work/cut" bs=1000 count=20 2>/dev/null
  run run --weights "$work/cut" --num-heads 4 --query "$query" --output "$files/o"
  refused "a truncated weights file" "$work/cut"
  dd if="$query" of="$work/cut.npy" bs=1000 count=2 2>/dev/null
  run run --weights "$weights" --num-heads 4 --query "$work/cut.npy" --output "$files/o"
  refused "a truncated query file" "$work/cut.npy"
  run run --weights "$query" --num-heads 4 --query "$query" --output "$files/o"
  refused "an npy file as weights" "$query"
  run run --weights "$weights" --num-heads 5 --query "$query" --output "$files/o"
  refused "a wrong number of heads" "$weights" "embed_dim 48" "--num-heads 5"
  run run --weights "$weights" --num-heads 0 --query "$query" --output "$files/o"
  refused "no head at all" "$weights" "--num-heads 0"
  run_layer --prefix linear1. --output "$files/o"
  refused "a prefix that holds no module" "$weights" '"linear1."' '"self_attn."'
  npy "$work/narrow.npy" '<f4' '(1, 3, 2)' "$one$half$two$zero$half$two"
  run run --weights "$weights" --num-heads 4 --query "$work/narrow.npy" --output "$files/o"
  refused "a query of another embed_dim" "$work/narrow.npy" 48 '[1, 3, 2]'
  run_layer --key "$work/narrow.npy" --output "$files/o"
  refused "a key of another kdim" "$work/narrow.npy" 48
  npy "$work/flat.npy" '<f4' '(2,)' "$one$half"
  run_layer --value "$work/flat.npy" --output "$files/o"
  refused "a value of another rank" "$work/flat.npy" '[2]'
  run run --weights "$weights" --num-heads 4 --query "$data/key_padding_mask.npy" --output "$files/o"
  refused "a query of bools" "$data/key_padding_mask.npy" BOOL
}

test_bad_masks() {
  npy "$work/mask.npy" '|b1' '(2, 7)' '\000\000\000\000\000\000\000\000\000\000\000\000\000\000'
  run_layer --key-padding-mask "$work/mask.npy" --output "$files/o" --output-weights "$files/w"
  refused "a key padding mask of a wrong shape" "$work/mask.npy" 11 7
  run_layer --key-padding-mask "$query" --output "$files/o"
  refused "a key padding mask of a wrong rank" "$query"
  run_layer --attn-mask "$work/mask.npy" --output "$files/o"
  refused "an attention mask of a wrong shape" "$work/mask.npy" 11 7
  run_layer --attn-mask "$query" --output "$files/o"
  refused "an attention mask of a wrong 3-D shape" "$query" 48
  npy "$work/int.npy" '<i4' '(2, 2)' "$zero$zero$zero$zero"
  run_layer --attn-mask "$work/int.npy" --output "$files/o"
  refused "an attention mask of integers" "$work/int.npy"
}

# All outputs or none.
test_outputs() {
  run_layer --output "$work/no/such/o.npy"
  refused "an output in no folder" "$work/no/such/o.npy"
  run_layer --output "$files/o.npy" --output-weights "$work/no/such/w.npy"
  refused "weights in no folder" "$work/no/such/w.npy"
  run_layer --output "$files/o.npy" --output-weights "$files/w.npy" --heatmap "$work/no/such/w.png"
  refused "a heat map in no folder" "$work/no/such/w.png"
  run_layer --output "$files/o.npy" --heatmap "$work"
  refused "a heat map over a folder" "$work"
  npy "$work/empty.npy" '<f4' '(0, 2, 48)' ''
  run run --weights "$weights" --num-heads 4 --query "$work/empty.npy" --output "$files/o.npy" --heatmap "$files/w.png"
  refused "a heat map of nothing" "$files/w.png" '[2, 1, 0, 0]'
  run run --weights "$weights" --num-heads 4 --query "$work/empty.npy" --output "$files/o.npy"
  check "no query gives an empty output" exits 0
  run compare "$files/o.npy" "$work/empty.npy"
  check "the empty output has the shape of its query" exits 0
  rm -f "$files"/*
  if [ -w /dev/full ]; then
    "$heed" demo >/dev/full 2>"$err"
    code=$?
    refused "a full standard output" "standard output"
  fi
}

# ---- plan, compare --------------------------------------------------------------------

test_plan() {
  size="--embed-dim 256 --num-heads 8 --max-query 128 --max-batch 2 --slices 2 --add-bias-kv"
  run plan $size
  check "plan exits with 0" exits 0
  check "plan knows head_dim" prints "head_dim 32"
  for region in plan weights workspace header q k v bias_k out heads scores; do
    check "plan shows the bytes of $region" grep -Eq "^  $region( +[0-9]+)+\$" "$out"
  done
  bytes=$(sed -n 's/^  workspace *\([0-9]*\)$/\1/p' "$out")
  run plan $size --json
  check "plan --json exits with 0" exits 0
  check "plan --json is an object" sh -c "head -n 1 '$out' | grep -qx '{' && tail -n 1 '$out' | grep -qx '}'"
  check "plan --json agrees about the workspace" prints "\"workspace\": $bytes"
  check "plan --json has the arch" prints '"arch": "'
  run plan $size --explain
  check "plan --explain exits with 0" exits 0
  for about in work slices workspace projections queries attention causal; do
    check "plan --explain tells about $about" grep -Eq "^  $about +[A-Za-z0-9]" "$out"
  done
  check "plan --explain keeps to 100 columns" sh -c "! grep -q '.\{101\}' '$out'"
  run plan $size --explain --json
  check "plan --explain --json has the reasons" prints '"about": "queries"'
  run plan --embed-dim 256 --num-heads 8 --max-query 1 --max-key 500 --isa scalar --explain
  check "plan --explain knows groups of one lane" prints "1 group of 1 register of 1"
  run plan --embed-dim 256 --num-heads 7
  refused "plan with heads that do not divide" "embed_dim must be divisible by num_heads"
  run plan --embed-dim 0 --num-heads 1 --json
  refused "plan without features" "must be greater than 0"
  check "an unsound plan prints nothing on stdout" [ ! -s "$out" ]
  run plan --embed-dim 8 --num-heads 2 --isa nonsense
  refused "plan --isa nonsense" nonsense scalar
}

# Times are looked at, never judged: they are there and in order.
in_order() {
  sed -n 's/^ *"\(p50\|p99\|p99.9\|max\)": \([0-9.e+]*\),*$/\2/p' "$out" |
    awk '$1 + 0 <= 0 || $1 + 0 < last { exit 1 } { last = $1 + 0 } END { exit NR != 4 }'
}

test_bench() {
  size="--embed-dim 64 --num-heads 4 --seconds 0.01"
  run bench $size --query 9
  check "bench exits with 0" exits 0
  check "bench says the shape" prints "embed_dim 64, num_heads 4, batch 1, query 9, key 9, threads 1, arch "
  for name in p50 p99 p99.9 max; do
    check "bench says $name" grep -Eq "^$name +[0-9.]+ (ns|us|ms)\$" "$out"
  done
  run bench $size --query 5 --key 7 --batch 2 --causal --threads 2 --need-weights per-head --isa scalar --json
  check "bench --json exits with 0" exits 0
  check "bench --json has times in order" in_order
  for words in '"arch": "scalar"' '"batch": 2' '"query": 5' '"key": 7' '"causal": true' '"threads": 2' '"per-head"'; do
    check "bench --json says $words" prints "$words"
  done
  run bench $size --query 5 --need-weights average --json
  check "bench with averaged weights exits with 0" exits 0
  run bench --embed-dim 64 --num-heads 5 --query 9 --json
  refused "bench with heads that do not divide" "embed_dim must be divisible by num_heads"
  check "an unsound bench prints nothing on stdout" [ ! -s "$out" ]
  run bench $size --query 9 --isa nonsense
  refused "bench --isa nonsense" nonsense scalar
  run bench --embed-dim 64 --num-heads 4 --query 16777200 --batch 65536
  refused "bench of more than there is memory for" memory
}

test_compare() {
  npy "$work/a.npy" '<f4' '(2, 2)' "$one$half$two$zero"
  npy "$work/b.npy" '<f4' '(2, 2)' "$one$half$one$zero"
  run compare "$work/a.npy" "$work/a.npy" --tolerance 0
  check "compare finds no difference to itself" exits 0
  check "compare prints it" prints "max abs difference 0, shape [2, 2]"
  run compare "$work/a.npy" "$work/b.npy"
  check "compare without a tolerance exits with 0" exits 0
  check "compare says how much and where" prints "max abs difference 1 at [1, 0] (2 and 1)"
  run compare "$work/a.npy" "$work/b.npy" --tolerance 0.5
  refused "compare above the tolerance" "$work/a.npy" "$work/b.npy" 0.5
  check "compare above the tolerance prints the difference too" prints "max abs difference 1"
  npy "$work/nan.npy" '<f4' '(2, 2)' "$one\\000\\000\\300\\177$two$zero"
  run compare "$work/a.npy" "$work/nan.npy" --tolerance 1000
  refused "a NaN is far from any number" "inf"
  run compare "$work/nan.npy" "$work/nan.npy" --tolerance 0
  check "a NaN equals a NaN" exits 0
  run compare "$work/a.npy" "$query"
  refused "compare of two shapes" "$query" '[2, 2]' '[2, 11, 48]'
  run compare "$work/a.npy" "$work/absent.npy"
  refused "compare with a missing file" "$work/absent.npy"
}

# ---- pack, unpack ---------------------------------------------------------------------

# flip FILE BIT TO: a copy with one bit flipped.
flip() {
  byte=$(od -An -tu1 -j $(($2 / 8)) -N 1 "$1" | tr -d ' ')
  flipped=$(printf '%03o' $(((byte / (1 << $2 % 8) % 2) ? byte - (1 << $2 % 8) : byte + (1 << $2 % 8))))
  { head -c $(($2 / 8)) "$1" && printf "\\$flipped" && tail -c +$(($2 / 8 + 2)) "$1"; } >"$3"
}

test_pack() {
  run pack "$weights" --prefix self_attn. --num-heads 4 --target cortex-m7 --output "$work/m7.heed"
  check "pack exits with 0" exits 0
  check "pack says nothing when it was told the prefix" silent
  run pack "$weights" --num-heads 4 --output "$work/any.heed"
  check "the packed bytes are the same for every target" cmp "$work/m7.heed" "$work/any.heed"
  run unpack "$work/m7.heed" --prefix self_attn. --output "$work/back.safetensors"
  check "unpack exits with 0" exits 0
  run pack "$work/back.safetensors" --num-heads 4 --output "$work/again.heed"
  check "what was unpacked packs to the same bytes" cmp "$work/m7.heed" "$work/again.heed"
  for file in "$weights" "$work/back.safetensors"; do
    run run --weights "$file" --num-heads 4 --batch-first --query "$query" --output "$work/${file##*/}.npy"
  done
  check "what was unpacked gives the same answer" cmp "$work/back.safetensors.npy" "$work/${weights##*/}.npy"
  run pack "$weights" --num-heads 4 --target cortex-m4 --header "$work/my_module.h"
  check "pack --header exits with 0" exits 0
  for text in MY_MODULE_EMBED_DIM\ 48u MY_MODULE_NUM_HEADS\ 4u my_module_weights cortex-m4 0x64656568; do
    check "the header has $text" grep -qF "$text" "$work/my_module.h"
  done
  run pack "$data/lecture.safetensors" --num-heads 2 --header "$work/lecture_packed.h"
  check "the example for firmware is what pack writes" cmp "$work/lecture_packed.h" "$data/../../examples/firmware/lecture_packed.h"
}

test_pack_usage() {
  run pack "$weights" --num-heads 4
  check "pack without --header or --output is wrong usage" wrong_usage
  run pack "$weights" --num-heads 4 --header "$files/a.h" --output "$files/a.heed"
  check "pack with both is wrong usage" wrong_usage
  run pack "$weights" --num-heads 4 --target toaster --output "$files/o"
  check "an unknown target is wrong usage" wrong_usage
  check "an unknown target is named, and known ones are" sh -c "grep -q toaster '$err' && grep -q cortex-m55 '$err'"
  for name in 'my module.h' '7up.h' 'module.hpp' '.h' '*/.h'; do
    run pack "$weights" --num-heads 4 --header "$files/$name"
    refused "a header of the name $name" 'C identifier'
  done
  run pack "$weights" --num-heads 5 --output "$files/o"
  refused "pack with heads that do not divide" "$weights" "embed_dim 48" "num_heads 5"
  run pack "$weights" --num-heads 4 --output "$work/no/such/o"
  refused "packed weights in no folder" "$work/no/such/o"
  run pack "$work/m7.heed" --num-heads 4 --output "$files/o"
  refused "packed weights that are packed again" "$work/m7.heed"
}

test_bad_packed() {
  run unpack "$work/absent" --output "$files/o"
  refused "packed weights that are not there" "$work/absent"
  run unpack "$weights" --output "$files/o"
  refused "a state_dict in place of packed weights" "$weights" "no packed weights"
  run unpack "$work" --output "$files/o"
  refused "a folder in place of packed weights" "$work"
  bytes=$(wc -c <"$work/m7.heed")
  for size in 0 1 63 64 65 4096 $((bytes - 1)); do
    head -c "$size" "$work/m7.heed" >"$work/cut.heed"
    run unpack "$work/cut.heed" --output "$files/o"
    refused "packed weights cut to $size bytes" "$work/cut.heed" "$size came"
  done
  { cat "$work/m7.heed" && echo; } >"$work/long.heed"
  run unpack "$work/long.heed" --output "$files/o"
  refused "packed weights with a byte too many" "$((bytes + 1)) came"
  for bit in 0 33 64 99 130 200 320 511 512 9999 $((bytes * 8 - 1)); do
    flip "$work/m7.heed" "$bit" "$work/flipped.heed"
    run unpack "$work/flipped.heed" --output "$files/o"
    refused "packed weights with bit $bit flipped" "$work/flipped.heed"
  done
}

test_usage
test_demo
test_archs
test_run
test_names
test_bad_inputs
test_bad_masks
test_outputs
test_plan
test_bench
test_compare
test_pack
test_pack_usage
test_bad_packed
echo "$failures checks failed"
[ "$failures" -eq 0 ]
