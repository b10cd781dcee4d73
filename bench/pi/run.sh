#!/bin/sh
# run.sh - measures heed on this board:   ./run.sh [OPTION OF GOOGLE BENCHMARK...]
# Prints what the machine is and how hot, before and after, and writes bench.json and card.txt here.
# RUN in the environment is a command to start programs by, an emulator for example.
cd "$(dirname "$0")" || exit 2
repetitions=${HEED_REPETITIONS:-5}

# read_first FILE...: the first line of the first file that can be read.
read_first() {
  for file in "$@"; do
    if [ -r "$file" ]; then
      tr -d '\000' <"$file" 2>/dev/null | head -n 1
      return
    fi
  done
  echo unknown
}

model() { read_first /proc/device-tree/model /sys/devices/virtual/dmi/id/product_name; }
governor() { read_first /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor; }
kilohertz() { read_first /sys/devices/system/cpu/cpu0/cpufreq/"$1"; }

temperature() {  # in degrees
  read_first /sys/class/thermal/thermal_zone0/temp | awk '/^-?[0-9]+$/ { printf "%.1f\n", $1 / 1000; next } { print }'
}

# 0 is well; 1, 2, 4, 8: too little voltage, capped, throttled, too hot now; the same << 16: since boot.
throttled() {
  flags=$(vcgencmd get_throttled 2>/dev/null | sed -n 's/^throttled=//p')
  if [ -z "$flags" ]; then flags=$(read_first /sys/devices/platform/soc/soc:firmware/get_throttled); fi
  echo "$flags"
}

card() {  # before or after
  echo "model        $(model)"
  echo "system       $(uname -srm)"
  echo "cores        $(getconf _NPROCESSORS_ONLN 2>/dev/null || echo unknown)"
  echo "memory       $(awk '/^MemTotal/ { print int($2 / 1024) " MiB" }' /proc/meminfo)"
  echo "governor     $(governor)"
  echo "kHz now      $(kilohertz scaling_cur_freq), at most $(kilohertz cpuinfo_max_freq)"
  echo "degrees      $(temperature)"
  echo "throttled    $(throttled)"
}

case $(governor) in
  performance | unknown) ;;
  *)
    echo "The governor is $(governor). For steadier numbers:" >&2
    echo "  echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor" >&2
    ;;
esac
{ echo "before" && card && echo && $RUN ./heed info && echo; } | tee card.txt
before=$(throttled)

$RUN ./heed_bench --benchmark_out=bench.json --benchmark_out_format=json --benchmark_repetitions="$repetitions" \
  --benchmark_context=model="$(model | tr ',=' '  ')" --benchmark_context=degrees_before="$(temperature)" \
  --benchmark_context=throttled_before="$before" "$@"
status=$?

{ echo && echo "after" && card; } | tee -a card.txt
if [ "$(throttled)" != "$before" ]; then
  echo "The board was throttled meanwhile: cool it, give it a better power supply, and measure again." | tee -a card.txt >&2
  [ "$status" -ne 0 ] || status=3
fi
[ "$status" -ne 0 ] || echo "Wrote $(pwd)/bench.json and card.txt"
exit "$status"
