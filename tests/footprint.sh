#!/usr/bin/env bash
# How much flash, stack and RAM the core takes: builds it for boards, measures, writes the tables
# of docs/footprint.md and README.md, and ends with 1 where a limit is broken.
#   footprint.sh [BUILD_FOLDER]
#
# Flash is what a linker keeps of the library (and of libgcc) when a program uses every function of
# heed.h: code, constants and initialized data, without the C library's memcpy and memset. Stack is
# the worst case of GCC's call graphs, function pointers included.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-build/sizes}
features=(MASKS CAUSAL WEIGHTS_OUTPUT BIAS_KV SDPA SLICES TILES PACK MESSAGES)
failures=0
mkdir -p "$out"

fail() {
  echo "NOT ok: $*"
  failures=$((failures + 1))
}

at_most() {  # LIMIT VALUE WHAT...
  if (($2 > $1)); then fail "${*:3}: $2 bytes, at most $1"; else echo "ok: ${*:3}: $2 bytes, at most $1"; fi
}

# library NAME BOARD BUILD_TYPE OPTION...: builds it with call graphs; board x86: for this machine.
library() {
  local dir=$out/$1 log=$out/$1.log toolchain=(--toolchain "$PWD/toolchains/$2.cmake")
  if [[ $2 == x86 ]]; then toolchain=(-DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ -DHEED_BUILD_THREADS=OFF); fi
  if ! CXXFLAGS=-fcallgraph-info=su cmake -S . -B "$dir" -G Ninja "${toolchain[@]}" -DCMAKE_BUILD_TYPE="$3" \
    -DHEED_BUILD_TESTS=OFF -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF "${@:4}" >"$log" 2>&1 ||
    ! cmake --build "$dir" -j "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" --target heed >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "NOT ok: $1 was not built" >&2
    exit 1
  fi
}

compiler() { sed -n 's/^set(CMAKE_C_COMPILER "\(.*\)")$/\1/p' "$out/$1"/CMakeFiles/*/CMakeCCompiler.cmake; }  # NAME
cached() { sed -n "s/^$2:[A-Z]*=//p" "$out/$1/CMakeCache.txt"; }  # NAME VARIABLE

# flash NAME [FUNCTION...]: of a program that uses these functions, or all.
flash() {
  local name=$1 dir=$out/$1 flags link=() functions=("${@:2}") symbol
  ((${#functions[@]})) || mapfile -t functions < <("$(cached "$name" CMAKE_NM)" -g --defined-only "$dir/libheed.a" | awk '$3 ~ /^heed_/ { print $3 }')
  for symbol in "${functions[@]}"; do link+=("-Wl,-u,$symbol"); done
  read -ra flags <<<"$(cached "$name" CMAKE_CXX_FLAGS | sed 's/--specs=[^ ]*//')"
  "$(compiler "$name")" "${flags[@]}" -nostdlib -static -Wl,--gc-sections -Wl,-e,heed_forward \
    -Wl,--unresolved-symbols=ignore-all "${link[@]}" "$dir/libheed.a" -lgcc -o "$dir/all.elf" >>"$out/$name.log" 2>&1
  "$(cached "$name" CMAKE_NM | sed 's/nm$/size/')" -A "$dir/all.elf" | awk '/^\.(text|rodata|data|eh_frame|ARM\.ex|got|init_array)/ { n += $2 } END { print n }'
}

stack() {  # NAME FUNCTION
  find "$out/$1" -name '*.ci' ! -path '*CompilerId*' -exec awk -f tests/stack.awk {} + | awk -v f="$2" '$1 == f { print $2 }'
}

# table FILE: what comes in stands between FILE's two comments.
table() {
  local text
  text=$(cat)
  if awk -v text="$text" '
    /^<!-- footprint -->$/ { print; print ""; print text; print ""; skip = 1 }
    /^<!-- end of footprint -->$/ { skip = 0; ++ends }
    !skip { print }
    END { exit ends != 1 }' "$1" >"$out/table"; then cp "$out/table" "$1"; else fail "$1 has no place for the table"; fi
}

deepest() {  # NAME: of both operations
  local forward sdpa
  forward=$(stack "$1" heed_forward) sdpa=$(stack "$1" heed_scaled_dot_product_attention)
  echo $((forward > sdpa ? forward : sdpa))
}

cat >"$out/ram.cpp" <<'CPP'
#include <cstdio>
#include "heed/heed.hpp"
int main() {
  const struct { const char* name; uint32_t embed_dim, num_heads, length; } shapes[] = {
      {"lecture", 8, 2, 4}, {"kwt1", 64, 1, 99}, {"kwt3", 192, 3, 99}, {"minilm", 384, 12, 128}};
  for (const auto& s : shapes) {
    const heed_config c = heed::Config(s.embed_dim, s.num_heads).max_query(s.length);
    std::printf("| %s | %u | %u | %u | %d | %zu | %zu |\n", s.name, s.embed_dim, s.num_heads, s.length, HEED_PLAN_BYTES,
                heed::workspace_bytes(c), heed::weights_bytes(c));
  }
}
CPP
c++ -std=c++17 -Iinclude "$out/ram.cpp" -o "$out/ram"

# ---- boards -----------------------------------------------------------------------------------

boards="| core, built for size | arch | flash, everything | without the self test | without sentences too | HEED_MINIMAL | stack |
|---|---|---|---|---|---|---|"
declare -A lean
for row in cortex-m4:scalar cortex-m7:scalar cortex-m33:scalar cortex-m55:scalar rpi4:neon64 rpi2-32:neon32; do
  board=${row%:*} arch=${row#*:}
  library "$board" "$board" MinSizeRel -DHEED_ARCHS="$arch"
  library "$board-lean" "$board" MinSizeRel -DHEED_ARCHS="$arch" -DHEED_WITH_SELF_TEST=OFF
  library "$board-quiet" "$board" MinSizeRel -DHEED_ARCHS="$arch" -DHEED_WITH_SELF_TEST=OFF -DHEED_WITH_MESSAGES=OFF
  library "$board-minimal" "$board" MinSizeRel -DHEED_ARCHS="$arch" -DHEED_MINIMAL=ON
  all=$(flash "$board") lean[$board]=$(flash "$board-lean") quiet=$(flash "$board-quiet")
  minimal=$(flash "$board-minimal" heed_plan_init heed_forward) deep=$(deepest "$board")
  boards+=$'\n'"| $board | $arch | $all | ${lean[$board]} | $quiet | $minimal | $deep |"
  at_most 2048 "$deep" "stack on $board"
  case $board in
    cortex-m4) at_most 6144 "$minimal" "minimal flash on $board" ;;
    cortex-m7) at_most 16384 "$all" "flash on $board" ;;
    rpi4) at_most 32768 "$all" "flash on $board" ;;
  esac
done

# A group's maxima, sums and corrections lie on the stack: 9 registers, of 64 bytes each with AVX-512.
stacks="| core, built for speed | arch | stack |
|---|---|---|"
fast=(rpi4:neon64:2048 rpi2-32:neon32:2048)
if [[ $(uname -m) == x86_64 ]]; then fast+=(x86:sse42:2048 x86:avx2:2048 x86:avx512:2560); fi
for row in "${fast[@]}"; do
  IFS=: read -r board arch limit <<<"$row"
  library "$board-$arch-fast" "$board" Release -DHEED_ARCHS="$arch"
  deep=$(deepest "$board-$arch-fast")
  at_most "$limit" "$deep" "stack on $board with $arch, Release"
  stacks+=$'\n'"| $board | $arch | $deep |"
done

# ---- features ---------------------------------------------------------------------------------

saved="| option | takes on cortex-m4 | what |
|---|---|---|"
declare -A what=([MASKS]="attn_mask and key_padding_mask" [CAUSAL]="heed_causal" [WEIGHTS_OUTPUT]="need_weights"
  [BIAS_KV]="add_bias_kv and add_zero_attn" [SDPA]="scaled_dot_product_attention" [SLICES]="more than one thread per call"
  [TILES]="16 sums at a time in arch scalar, not one" [PACK]="heed_weights_pack: weights come packed" [MESSAGES]="the sentences beside the status")
for feature in "${features[@]}"; do
  library "cortex-m4-no-$feature" cortex-m4 MinSizeRel -DHEED_ARCHS=scalar -DHEED_WITH_SELF_TEST=OFF "-DHEED_WITH_$feature=OFF"
  takes=$((lean[cortex-m4] - $(flash "cortex-m4-no-$feature")))
  ((takes > 0)) || fail "HEED_WITH_$feature=OFF saves nothing"
  saved+=$'\n'"| \`HEED_WITH_$feature\` | $takes | ${what[$feature]} |"
done
saved+=$'\n'"| \`HEED_WITH_SELF_TEST\` | $(($(flash cortex-m4) - lean[cortex-m4])) | heed_self_test and heed_plan_verify |"

ram="| model | embed_dim | num_heads | L = S | plan | workspace | packed weights (may lie in flash) |
|---|---|---|---|---|---|---|
$("$out/ram")"
table docs/footprint.md <<<"$boards"$'\n\n'"$stacks"$'\n\n'"$saved"$'\n\n'"$ram"
table README.md <<<"$boards"
printf '\n%s\n\n%s\n\n%s\n\n%s\n' "$boards" "$stacks" "$saved" "$ram"
((failures == 0))
