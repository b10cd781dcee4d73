# shellcheck shell=bash disable=SC2154
# package.sh - the benchmark for a Raspberry Pi as one tar.gz: ./dev boards package rpi4. Static
# programs, so libraries of the board's are unpacked from Debian's packages or built from its
# source, in build/boards; nothing is installed. Read by ../dev.

# shellcheck disable=SC2034  # boards.sh reads it
package_boards=(rpi2-32 rpi3 rpi4 rpi5)
debian_suite=bookworm

debian_arch() { if [[ $1 == rpi2-32 ]]; then echo armhf; else echo arm64; fi; }

# from_debian DIR ARCH ARGUMENT...: apt-get with the lists of one suite, in DIR.
from_debian() {
  local dir=$PWD/$1 arch=$2 uri
  shift 2
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  for uri in $(debian_mirrors); do
    local key="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    printf 'deb %s %s %s main\ndeb-src %s %s %s main\n' "$key" "$uri" "$debian_suite" "$key" "$uri" "$debian_suite" \
      >"$dir/sources.list"
    if private_apt "$dir" -o APT::Architectures::="$arch" update && (cd "$dir" && private_apt "$dir" \
      -o APT::Architectures::="$arch" "$@"); then
      rm -rf "$dir/lists" "$dir/cache"
      return 0
    fi
  done
  return 1
}

# Google Benchmark as a static library; Debian has it as a shared one only.
need_static_benchmark() {  # BOARD ARCH
  local dir=build/boards/benchmark stage=$PWD/build/boards/$2
  if [[ ! -f $dir/source/CMakeLists.txt ]]; then
    rm -rf "$dir"
    mkdir -p "$dir/source"
    step "$dir.log" "$1: fetch Google Benchmark's source" -- from_debian "$dir" "$(dpkg --print-architecture)" \
      source --download-only benchmark || return 77
    tar -xzf "$dir"/benchmark_*.orig.tar.gz -C "$dir/source" --strip-components=1
  fi
  if [[ -f $stage/lib/libbenchmark.a ]]; then return 0; fi
  step "$dir.$2.log" "$1: build Google Benchmark" -- build_benchmark "$1" "$dir/source" "$dir/$2" "$stage"
}

build_benchmark() {  # BOARD SOURCE BUILD STAGE
  cmake -S "$2" -B "$3" --toolchain "$PWD/toolchains/$1.cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$4" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBENCHMARK_ENABLE_TESTING=OFF -DBENCHMARK_ENABLE_GTEST_TESTS=OFF \
    -DBENCHMARK_ENABLE_WERROR=OFF -DBENCHMARK_INSTALL_DOCS=OFF -DBUILD_SHARED_LIBS=OFF &&
    cmake --build "$3" -j "$jobs" --target install
}

need_static_png() {  # BOARD ARCH
  local dir=build/boards/png-$2 deb
  if [[ -n $(find "$dir/usr" -name libpng16.a 2>/dev/null) ]]; then return 0; fi
  rm -rf "$dir"
  mkdir -p "$dir"
  step "$dir.log" "$1: fetch libpng and zlib" -- from_debian "$dir" "$2" download "libpng-dev:$2" "zlib1g-dev:$2" || return 77
  for deb in "$dir"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
}

build_package() {  # BOARD ARCH DIR
  local png=$PWD/build/boards/png-$2/usr lib
  lib=$(dirname "$(find "$png" -name libpng16.a)")
  cmake -S . -B "$3" --toolchain "$PWD/toolchains/$1.cmake" -DCMAKE_BUILD_TYPE=Release -DHEED_BUILD_TESTS=OFF \
    -DHEED_BUILD_TOOLS=ON -DHEED_BUILD_BENCH=ON -DHEED_WITH_ONEDNN=OFF -Dbenchmark_DIR="$PWD/build/boards/$2/lib/cmake/benchmark" \
    -DPNG_LIBRARY="$lib/libpng16.a" -DPNG_PNG_INCLUDE_DIR="$png/include/libpng16" \
    -DZLIB_LIBRARY="$lib/libz.a" -DZLIB_INCLUDE_DIR="$png/include" &&
    cmake --build "$3" -j "$jobs" --target heed_bench heed_tool
}

# make_package BOARD: build/boards/heed-BOARD.tar.gz. 77: this machine's mirror does not give what it takes.
make_package() {
  local arch dir=build/boards/package-$1 strip=aarch64-linux-gnu-strip name=heed-$1 version
  arch=$(debian_arch "$1")
  if [[ $arch == armhf ]]; then strip=arm-linux-gnueabihf-strip; fi
  need_static_benchmark "$1" "$arch" && need_static_png "$1" "$arch" &&
    step "$dir.log" "$1: build heed_bench and heed" -- build_package "$1" "$arch" "$dir" || return
  rm -rf "build/boards/$name"
  mkdir -p "build/boards/$name"
  "$strip" -o "build/boards/$name/heed_bench" "$dir/bench/heed_bench"
  "$strip" -o "build/boards/$name/heed" "$dir/src/tools/heed"
  cp bench/pi/run.sh "build/boards/$name"
  version=$(sed -n 's/.*HEED_VERSION_STRING "\(.*\)".*/\1/p' include/heed/heed.h)
  sed "s/@version@/$version/; s/@board@/$1/" bench/pi/README >"build/boards/$name/README"
  tar -czf "build/boards/$name.tar.gz" --owner=0 --group=0 --numeric-owner -C build/boards "$name"
}

need_package() {
  need_board "$1"
  need "${tool_packages[@]}"
}

# package BOARD: makes it, and runs it where none of this repository's files are. A line of the table.
package() {
  local start=$SECONDS result=pass p=0 f=0 s=0 made=0 qemu="qemu-aarch64"
  if [[ $1 == rpi2-32 ]]; then qemu="qemu-arm"; fi
  make_package "$1" || made=$?
  if ((made == 77)); then
    result=skipped s=1
  elif ((made != 0)); then
    result="no build" f=1
  elif [[ $(uname -m) != x86_64 ]]; then
    result=skipped s=1  # made, but not run
  elif step "build/boards/smoke-$1.log" "$1: run the package under qemu" -- env QEMU_CPU="$(core_of "$1")" \
    cmake -DPACKAGE="$PWD/build/boards/heed-$1.tar.gz" -DQEMU="$qemu" -P tests/package_test.cmake; then
    p=1
  else
    result=FAIL f=1
  fi
  add_row "package $1" "$result" "$p" "$f" "$s" $((SECONDS - start))
}

package_word() {
  need_package "$1"
  package "$1"
  close_parts || return
  say "build/boards/heed-$1.tar.gz: copy it to the board, unpack it, ./run.sh"
}
