# shellcheck shell=bash disable=SC2154
# count.sh - executed instructions per kernel and target, under qemu with our plugin, held against
# bench/count/budgets.txt; and what llvm-mca makes of the inner loops. Read by ../dev.

budgets=bench/count/budgets.txt
counted_linux=("neon64 rpi4 aarch64-linux-gnu-g++ qemu-aarch64 cortex-a72"
  "neon32 rpi2-32 arm-linux-gnueabihf-g++ qemu-arm cortex-a7")
counted_bare=("cortex-m4 cortex-m4 mps2-an386 all" "cortex-m7 cortex-m7 mps2-an500 all"
  "cortex-m33 cortex-m33 mps2-an505 all" "cortex-m55 cortex-m55 mps3-an547 all"
  "cortex-m55-scalar cortex-m55 mps3-an547 scalar")  # target, preset, machine, archs: the best one is counted
counted_cases=(kwt1 minilm decode)

need_count() {
  local target
  need_build_tools
  for target in rpi4 rpi2-32 cortex-m4; do need_board "$target"; done
  need g++:g++ qemu-aarch64:qemu-user qemu-arm:qemu-user
}

# Which compilers made the counted programs: other ones, other numbers.
compilers() {
  local name
  for name in aarch64-linux-gnu-g++ arm-linux-gnueabihf-g++ arm-none-eabi-g++; do
    printf '# %s %s\n' "$name" "$("$name" -dumpfullversion)"
  done
}

# build_counted: the plugin, and per target a program of it, in build/count.
build_counted() {
  local entry target board compiler dir archs
  g++ -std=c++17 -O1 -Wall -Wextra -shared -fPIC -fvisibility=hidden bench/count/plugin.cpp -o build/count/libcount.so || return 1
  for entry in "${counted_linux[@]}"; do
    read -r target board compiler _ <<<"$entry"
    dir=build/count/$target
    cmake -S . -B "$dir" --toolchain "$PWD/toolchains/$board.cmake" -DCMAKE_BUILD_TYPE=Release -DHEED_BUILD_TESTS=OFF \
      -DHEED_BUILD_TOOLS=OFF -DHEED_BUILD_IO=OFF -DHEED_WITH_ONEDNN=OFF &&
      cmake --build "$dir" -j "$jobs" --target heed &&
      "$compiler" -std=c++17 -O2 -static -Iinclude bench/count/count.cpp "$dir/libheed.a" -o "$dir/heed_count" || return 1
  done
  for entry in "${counted_bare[@]}"; do
    read -r target board _ archs <<<"$entry"
    cmake --preset "$board" -B "build/count/$target" -DHEED_ARCHS="$archs" &&
      cmake --build "build/count/$target" -j "$jobs" --target firmware_keyword_spotting || return 1
  done
}

# Everything once; the plugin writes build/count/TARGET.CASE.txt.
run_counted() {
  local entry target qemu cpu name machine
  for entry in "${counted_linux[@]}"; do
    read -r target _ _ qemu cpu <<<"$entry"
    for name in "${counted_cases[@]}"; do
      "$qemu" -cpu "$cpu" -plugin "build/count/libcount.so,out=$PWD/build/count/$target.$name.txt" -d plugin \
        "build/count/$target/heed_count" "$name" "$target" || return 1
    done
  done
  for entry in "${counted_bare[@]}"; do
    read -r target _ machine _ <<<"$entry"
    timeout 60 qemu-system-arm -plugin "build/count/libcount.so,out=$PWD/build/count/$target.kwt1.txt" -d plugin \
      -M "$machine" -nic none -nographic -monitor none -serial none -semihosting-config enable=on,target=native \
      -kernel "build/count/$target/examples/firmware/firmware_keyword_spotting" || return 1
  done
}

# target case function instructions fused: all of a call, then its functions of 1% and more. What
# packs the weights runs once, and does not count.
counted_table() {
  local file name
  for file in build/count/*.*.txt; do
    name=$(basename "$file" .txt)
    awk -v target="${name%%.*}" -v name="${name#*.}" '
      $1 == "loop" || $3 ~ /^(crc32c|pack_|heed_weights_|StateDict|header_of|check_tensor|checksum|tensor$)/ { next }
      { times[$3] = $1; fused[$3] = $2; all += $1; all_fused += $2 }
      END {
        print target, name, "all", all, all_fused
        for (f in times) if (times[f] >= all / 100) print target, name, f, times[f], fused[f]
      }' "$file"
  done | sort -k1,1 -k2,2 -k4,4nr
}

# Fails where a kernel needs more than its budget and 1%, or has none.
check_budgets() {
  awk '
    /^#/ { next }
    NR == FNR { budget[$1 " " $2 " " $3] = $4; next }
    !(($1 " " $2 " " $3) in budget) { print "no budget for " $3 " of " $1 ", " $2 ": " $4 " instructions"; bad = 1; next }
    $4 > 1.01 * budget[$1 " " $2 " " $3] {
      print $3 " of " $1 ", " $2 " grew: " $4 " instructions, its budget is " budget[$1 " " $2 " " $3]; bad = 1
    }
    END { exit bad }' "$budgets" build/count/table.txt
}

show_counted() {
  printf '\n%-17s %-7s %-28s %13s %13s %s\n' target case function instructions "fused m-adds" ratio
  awk '{ printf "%-17s %-7s %-28s %13d %13d %s\n", $1, $2, $3, $4, $5, $5 ? sprintf("%5.2f", $4 / $5) : "" }' build/count/table.txt
}

# The hottest straight piece of each large kernel, as llvm-mca models it: no cache, no front end.
model_loops() {
  local first last cpu function dir=build/count/neon64 count fused cycles line mca cpus
  if has llvm-mca-19:; then
    mca=llvm-mca-19 cpus="cortex-a72 neoverse-n1"
  elif has llvm-mca-14:; then
    mca=llvm-mca-14 cpus="cortex-a72"  # it takes neoverse-n1 for a cortex-a57
  else
    say "no llvm-mca: inner loops not modelled"
    return 0
  fi
  printf '\n%-28s %6s %6s %6s   %s\n' "inner loop, neon64, minilm" insns fmla ratio "modelled by $mca, L1-resident"
  while read -r _ _ first last function; do
    aarch64-linux-gnu-objdump -d --no-show-raw-insn --start-address="$first" --stop-address=$((last + 4)) "$dir/heed_count" |
      sed -n 's/^ *[0-9a-f]*:\t//p' | sed -E 's/ *<.*//; s/ *\/\/.*//' >"$dir/loop.txt"
    # A loop, if it ends with a branch to where it begins; an inner one, if it calls nothing.
    if grep -q '^bl' "$dir/loop.txt" || ! sed -n '$p' "$dir/loop.txt" | grep -qE "^(b\..*|cbn?z|tbn?z)\b.*\b${first#0x}\$"; then continue; fi
    { echo ".Lloop:" && sed "s/\b${first#0x}\$/.Lloop/" "$dir/loop.txt"; } >"$dir/loop.s"
    count=$(wc -l <"$dir/loop.txt") fused=$(grep -c '^fml[as]' "$dir/loop.txt" || true)
    if ((fused == 0)); then continue; fi
    line=
    for cpu in $cpus; do
      cycles=$("$mca" -mtriple=aarch64-linux-gnu -mcpu="$cpu" -iterations=200 "$dir/loop.s" 2>"$dir/mca.log" |
        awk '/^Total Cycles/ { print $3 / 200 }')
      if [[ -z $cycles ]]; then line+="$cpu: not modelled  "; continue; fi
      line+=$(awk -v c="$cycles" -v n="$fused" -v cpu="$cpu" 'BEGIN { printf "%s: %.1f cycles, %.1f flop/cycle  ", cpu, c, 8 * n / c }')
    done
    printf '%-28s %6d %6d %6.2f   %s\n' "$function" "$count" "$fused" "$(awk -v a="$count" -v b="$fused" 'BEGIN { print a / b }')" "$line"
  done < <(awk '$1 == "loop"' build/count/neon64.minilm.txt | sort -k2,2nr | grep -E 'Project|Attend')
}

record_budgets() {
  {
    echo "# Executed instructions of one call under qemu: target, case, function, instructions, fused multiply-adds."
    echo "# Written by ./dev boards count --record; ./dev boards count fails where one grows by more than 1%."
    compilers
    cat build/count/table.txt
  } >"$budgets"
  say "$budgets is written anew"
}

# measure_counts: builds and runs; build/count/table.txt.
measure_counts() {
  mkdir -p build/count
  rm -f build/count/*.txt
  step build/count/build.log "counts: build" -- build_counted &&
    step build/count/run.log "counts: run under qemu" -- run_counted || return 1
  counted_table >build/count/table.txt
}

# 0: within the budgets. 77: these are not the compilers that the table was made with.
compare_counts() {
  if ! grep '^# [a-z0-9-]*g++ ' "$budgets" | diff - <(compilers) >build/count/compilers.diff; then
    say "counts: not compared, $budgets was made with other compilers"
    return 77
  fi
  check_budgets >&2
}

# counts_part: a line of the table.
counts_part() {
  local start=$SECONDS result=pass p=0 f=0 s=0 status=0
  if ! measure_counts; then
    result="no build" f=1
  else
    compare_counts || status=$?
    case $status in 0) p=1 ;; 77) s=1 ;; *) result=FAIL f=1 ;; esac
  fi
  add_row "instruction counts" "$result" "$p" "$f" "$s" $((SECONDS - start))
}

count_word() {
  local status=0
  need_count
  want llvm-mca-19:llvm-19
  measure_counts || exit 1
  show_counted
  model_loops
  if [[ ${1-} == --record ]]; then
    record_budgets
    return 0
  fi
  compare_counts || status=$?
  return $((status == 77 ? 0 : status))
}
