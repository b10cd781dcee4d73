# shellcheck shell=bash disable=SC2154
# boards.sh - the boards that have a preset: cross-built, and tested as their core under qemu, as
# `cmake --workflow --preset NAME` does it. Read by ../dev.

bare_boards=(cortex-m4 cortex-m7 cortex-m33 cortex-m55 raspi3b-bare)
boards=(rpi2-32 rpi3 rpi4 rpi5 "${bare_boards[@]}")

is_board() { [[ " ${boards[*]} " == *" $1 "* ]]; }

need_board() {
  need_build_tools
  case $1 in
    rpi2-32) need "${library_packages[@]}" catch2 arm-linux-gnueabihf-g++:g++-arm-linux-gnueabihf ;;
    rpi*) need "${library_packages[@]}" catch2 aarch64-linux-gnu-g++:g++-aarch64-linux-gnu ;;
    raspi3b-bare) need libxsimd-dev aarch64-linux-gnu-g++:g++-aarch64-linux-gnu qemu-system-aarch64:qemu-system-arm ;;
    *) need arm-none-eabi-g++:gcc-arm-none-eabi picolibc-arm-none-eabi libstdc++-arm-none-eabi-dev \
      qemu-system-arm:qemu-system-arm ;;
  esac
  case $1 in rpi*) need_qemu_user ;; esac
}

need_qemu_user() {
  if [[ $(uname -m) == x86_64 ]] && { ! has qemu-aarch64-static: || ! has qemu-arm-static:; }; then
    need qemu-aarch64:qemu-user qemu-arm:qemu-user
  fi
}

# board NAME: configure, build and test it, and a line of the table.
board() {
  local dir=build/$1 start=$SECONDS result=pass p=0 f=0 s=0
  mkdir -p "$dir"
  rm -f "$dir/junit.xml"
  step "$dir/workflow.log" "$1: configure, build, test" -- \
    env CMAKE_BUILD_PARALLEL_LEVEL="$jobs" CTEST_PARALLEL_LEVEL="$jobs" cmake --workflow --preset "$1" || result=FAIL
  count_tests "$dir/junit.xml"
  if [[ ! -f $dir/junit.xml ]]; then result="no build"; fi
  add_row "$1, qemu $(core_of "$1")" "$result" "$p" "$f" "$s" $((SECONDS - start))
}

# The core that the tests run on: of the test preset, or of the machine that qemu plays.
core_of() {
  local core
  core=$(sed -n "s/.*\"configurePreset\": \"$1\".*\"QEMU_CPU\": \"\([^\"]*\)\".*/\1/p" CMakePresets.json)
  case $1 in raspi3b-bare) core=raspi3b ;; esac
  printf '%s' "${core:-$1}"
}

some_boards() {  # NAME...
  local name
  for name in "$@"; do need_board "$name"; done
  for name in "$@"; do board "$name"; done
}

all_boards() {
  need_package rpi4
  need_count
  some_boards "${boards[@]}"
  package rpi4
  counts_part
  close_parts
}

boards_word() {
  case "${1-} ${2-}" in
    " ") all_boards ;;
    "count " | "count --record") if (($# <= 2)); then count_word "${@:2}"; else usage; fi ;;
    "package "?*)
      if [[ $# == 2 && " ${package_boards[*]} " == *" $2 "* ]]; then package_word "$2"; else usage; fi
      ;;
    *)
      if [[ $# == 1 ]] && is_board "$1"; then
        some_boards "$1"
        close_parts
      else
        usage
      fi
      ;;
  esac
}
