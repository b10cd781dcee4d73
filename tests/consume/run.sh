#!/bin/sh
# Installs a build of heed to a temporary folder, moves it, and links and runs a C and a C++
# program against it in each of the ways in which a project may use heed:
#   sh run.sh CMAKE BUILD SOURCE CC CXX [EMULATOR...]
# Flags of the compilers come in CFLAGS, CXXFLAGS and LDFLAGS, of configuring in CONFIGURE.
cmake=$1 build=$2 source=$3 cc=$4 cxx=$5
[ -d "$build" ] && [ -d "$source" ] && [ -n "$cxx" ] || { echo "usage: $0 CMAKE BUILD SOURCE CC CXX [EMULATOR...]"; exit 2; }
shift 5
emulator=$*
here=$(dirname "$0")
case $here in /*) ;; *) here=$PWD/$here ;; esac
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
failures=0

# try SENTENCE COMMAND...
try() {
  sentence=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    echo "ok: $sentence"
  else
    echo "NOT ok: $sentence"
    sed 's/^/    /' "$work/log"
    failures=$((failures + 1))
    return 1
  fi
}

# project NAME SENTENCE CMAKE_ARGUMENTS...: configure, build, run both programs.
project() {
  name=$1 way=$2
  shift 2
  try "$way: configures" "$cmake" -S "$here" -B "$work/$name" -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_BUILD_TYPE=Release $CONFIGURE "$@" &&
    try "$way: builds" "$cmake" --build "$work/$name" &&
    try "$way: the C program runs" $emulator "$work/$name/c_program" &&
    try "$way: the C++ program runs" $emulator "$work/$name/cpp_program"
}

try "the build installs" "$cmake" --install "$build" --prefix "$work/first" || exit 1
mv "$work/first" "$work/moved"
linker=C
grep -q '^HEED_WITH_ONEDNN:BOOL=ON' "$build/CMakeCache.txt" && linker=CXX

project found "find_package(heed)" -DCMAKE_PREFIX_PATH="$work/moved" -Dheed_ROOT="$work/moved" -DCONSUME_C_LINKER=$linker

refuse() { ! "$@"; }
try "find_package(heed 1.0) does not take 0.x" refuse "$cmake" -S "$here/other_version" -B "$work/other" $CONFIGURE \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -Dheed_ROOT="$work/moved"

project folder "add_subdirectory(heed)" -DHEED_SOURCE_DIR="$source" -DHEED_ARCHS=scalar -DCONSUME_C_LINKER=C

if command -v pkg-config >/dev/null; then
  pc=$(find "$work/moved" -name heed.pc)
  flags() { PKG_CONFIG_LIBDIR=$(dirname "$pc") PKG_CONFIG_PATH= pkg-config "$1" heed; }
  try "pkg-config knows heed" flags --exists &&
    try "pkg-config: the C program builds" "$cc" $CFLAGS -std=c11 -Wall -Wextra -Wpedantic -Werror "$here/main.c" \
      $(flags --cflags) $LDFLAGS $(flags --libs) -o "$work/c_program" &&
    try "pkg-config: the C program runs" $emulator "$work/c_program" &&
    try "pkg-config: the C++ program builds" "$cxx" $CXXFLAGS -std=c++17 -Wall -Wextra -Wpedantic -Werror "$here/main.cpp" \
      $(flags --cflags) $LDFLAGS $(flags --libs) -o "$work/cpp_program" &&
    try "pkg-config: the C++ program runs" $emulator "$work/cpp_program"
fi
exit $((failures != 0))
