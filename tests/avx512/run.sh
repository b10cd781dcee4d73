#!/bin/sh
# Runs a static x86-64 Linux program on an emulated CPU with AVX-512
# (F, CD, BW, DQ, VL), on any x86-64 Debian machine, without KVM and without root.
#
#   tests/avx512/run.sh PROGRAM [ARGS...] [-- FILES...]
#
# PROGRAM and FILES (also folders) are copied into /work of the emulated machine,
# under their last path component, and PROGRAM runs there; so ARGS must name the
# files without their folders.  Its stdout and stderr come out as usual.
#
# Exit status: PROGRAM's own (128+n when killed by signal n); 124 on time-out;
# 125 when the emulated machine failed; 2 on wrong usage; 77 when the emulator or
# another package cannot be had here.
#
# Environment:
#   HEED_CACHE    folder for the unpacked packages (default: build/avx512)
#   HEED_TIMEOUT  seconds of wall time (default: 600)
#   HEED_CPU      a Bochs CPU model (default: corei7_skylake_x)
#   HEED_RAM      guest's memory in MiB, at least 192 (default: 512)
#   HEED_KEEP     keep the run's folder (logs, console) and tell where it is
# All other HEED_* variables are passed on to PROGRAM.
#
# How it works: Bochs, a kernel and a few libraries are downloaded from the
# machine's own Debian mirror with `apt-get download` and unpacked into the cache;
# nothing is installed.  Bochs places the uncompressed kernel and an initramfs in
# the guest's RAM, boot.S enters the kernel, and init.c runs PROGRAM.

set -u
LC_ALL=C
export LC_ALL
umask 022

here=$(cd "$(dirname "$0")" && pwd)
cache=${HEED_CACHE:-$here/../../build/avx512}
limit=${HEED_TIMEOUT:-600}
cpu=${HEED_CPU:-corei7_skylake_x}
ram=${HEED_RAM:-512}
cc=${CC:-cc}

say() { echo "avx512: $*" >&2; }
skip() { say "$*"; say "skipped: no emulated AVX-512 machine here"; exit 77; }
usage() { say "$*"; say "usage: $0 PROGRAM [ARGS...] [-- FILES...]"; exit 2; }

# ---- arguments --------------------------------------------------------------

[ $# -ge 1 ] || usage "no program given"
prog=$1
[ -f "$prog" ] && [ -x "$prog" ] || usage "$prog: not an executable file"

case $(uname -sm) in
  "Linux x86_64") ;;
  *) skip "needs an x86-64 Linux host" ;;
esac
for tool in apt-get apt-cache dpkg-deb "$cc" ld nm objcopy readelf od flock; do
  command -v "$tool" >/dev/null 2>&1 || skip "$tool not found"
done
case $(readelf -hW "$prog" 2>/dev/null) in
  *X86-64*) ;;
  *) usage "$prog: not an x86-64 executable" ;;
esac
if readelf -lW "$prog" | grep -q INTERP; then
  usage "$prog: is dynamically linked; link it with -static"
fi

# ---- the emulator, the kernel: fetched and unpacked once ---------------------

mkdir -p "$cache" || skip "cannot write to $cache"
cache=$(cd "$cache" && pwd)
case $cache in
  *[!A-Za-z0-9._/+@%=,:~-]*) usage "the cache's path has a space or another special character: $cache" ;;
esac
root=$cache/root
libs=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$cache/lib
plugins=$root/usr/lib/x86_64-linux-gnu/bochs/plugins
bochs=$root/usr/bin/bochs-bin
share=$root/usr/share

# apt with the machine's own package lists or, when these are missing or too old,
# with lists of our own; neither needs root.
apt_options="-qq -o APT::Sandbox::User=$(id -un)"
own_lists() {
  say "fetching package lists"
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
  [ -f /var/lib/dpkg/status ] || : >"$cache/apt/status"
  apt_options="$apt_options -o Dir::State=$cache/apt -o Dir::State::Lists=$cache/apt/lists
    -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache=$cache/apt"
  apt-get $apt_options update >&2
}
kernel_package() {
  for meta in linux-image-cloud-amd64 linux-image-amd64 linux-image-virtual; do
    p=$(apt-cache $apt_options depends "$meta" 2>/dev/null |
      sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
    [ -n "$p" ] && echo "$p" && return 0
  done
  return 1
}
unpack() { # PACKAGE...
  rm -rf "$cache/debs" && mkdir -p "$cache/debs" "$root" || return 1
  (cd "$cache/debs" && apt-get $apt_options download "$@" >&2) || return 1
  for deb in "$cache"/debs/*.deb; do
    dpkg-deb -x "$deb" "$root" || return 1
  done
  rm -rf "$cache/debs"
}
fetch() {
  kernel=$(kernel_package) &&
    unpack bochs bochs-term bochsbios vgabios libltdl7 libsamplerate0 libreadline8 \
      libncurses6 libtinfo6 cpio lz4 liblz4-1 "$kernel" && echo "$kernel" >"$cache/kernel.name"
}

# Debian's Bochs is linked with GTK and Pango (for a debugger's window, never
# opened here), some hundred packages.  Where they are missing, empty libraries
# with the same symbols do.
stubs() {
  mkdir -p "$cache/lib"
  missing=$(LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu \
    ldd "$bochs" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p')
  {
    echo '.section .note.GNU-stack,"",@progbits'
    echo .text
    nm -D --undefined-only "$bochs" |
      sed -n 's/.* U \(\(g\|gtk\|gdk\|pango\|cairo\)_[A-Za-z0-9_]*\)$/.globl \1\n.type \1, @function\n\1:/p'
    echo 'xor %eax, %eax'
    echo ret
  } >"$cache/stubs.S"
  for so in $missing; do
    case $so in
      libg* | libpango* | libcairo* | libatk* | libharfbuzz*)
        "$cc" -shared -nostdlib "-Wl,-soname,$so" -o "$cache/lib/$so" "$cache/stubs.S" || return 1 ;;
      *) say "Bochs needs $so"; return 1 ;;
    esac
  done
}

# vmlinuz -> a flat image of the kernel as it is in the RAM; its address and entry.
flatten() {
  vmlinuz=$(ls "$root"/boot/vmlinuz-* | head -n 1) || return 1
  word() { od -An -v -tu4 -j "$1" -N 4 "$vmlinuz" | tr -d ' '; }
  sects=$(od -An -v -tu1 -j 497 -N 1 "$vmlinuz" | tr -d ' ')
  from=$(((sects + 1) * 512 + $(word 584)))
  size=$(word 588)
  packed=$cache/vmlinux.packed
  magic=$(od -An -v -tx1 -j "$from" -N 4 "$vmlinuz" | tr -d ' ')
  case $magic in
    1f8b*) unpacker="gzip -dc" ;;
    02214c18) unpacker="$root/usr/bin/lz4 -dc" size=$((size - 4)) ;;
    28b52ffd) unpacker="zstd -dc" size=$((size - 4)) ;;
    fd377a58) unpacker="xz -dc" size=$((size - 4)) ;;
    *) say "the kernel's compression ($magic) is unknown"; return 1 ;;
  esac
  command -v ${unpacker%% *} >/dev/null || { say "${unpacker%% *} not found"; return 1; }
  tail -c "+$((from + 1))" "$vmlinuz" | head -c "$size" >"$packed"
  LD_LIBRARY_PATH=$libs $unpacker <"$packed" >"$cache/vmlinux" || return 1
  entry=$(readelf -nW "$cache/vmlinux" |
    sed -n 's/.*(0x00000012).*data: \(..\) \(..\) \(..\) \(..\).*/0x\4\3\2\1/p')
  [ -n "$entry" ] || { say "this kernel has no PVH entry"; return 1; }
  at=$(readelf -lW "$cache/vmlinux" | awk '$1 == "LOAD" { print $4; exit }')
  objcopy -O binary "$cache/vmlinux" "$cache/kernel.bin" || return 1
  rm -rf "$packed" "$cache/vmlinux" "$root/boot" "$root/lib/modules" "$root/usr/lib/modules"
  echo "kernel_at=$((at)) kernel_entry=$((entry))" >"$cache/kernel.addresses"
}

exec 9>"$cache/lock"
flock 9
if [ ! -f "$cache/ready" ]; then
  say "preparing the emulator in $cache (once)"
  rm -rf "$root" "$cache/lib"
  fetch || { own_lists && fetch; } || skip "cannot download Bochs or another package with apt"
  stubs || skip "Bochs cannot run here"
  flatten || skip "no usable kernel"
  LD_LIBRARY_PATH=$libs LTDL_LIBRARY_PATH=$plugins "$bochs" --help cpu </dev/null >"$cache/cpus" 2>&1
  : >"$cache/ready"
fi
grep -qx "$cpu" "$cache/cpus" || skip "this Bochs has no CPU model $cpu (see $cache/cpus)"
stale() { [ ! -e "$2" ] || [ "$1" -nt "$2" ]; }
if stale "$here/init.c" "$cache/init"; then
  "$cc" -static -O2 -o "$cache/init.new" "$here/init.c" && mv "$cache/init.new" "$cache/init" ||
    skip "cannot compile init.c"
fi
if stale "$here/shim.c" "$cache/lib/shim.so"; then
  mkdir -p "$cache/lib"
  "$cc" -shared -fPIC -O2 -o "$cache/lib/shim.new" "$here/shim.c" &&
    mv "$cache/lib/shim.new" "$cache/lib/shim.so" || skip "cannot compile shim.c"
fi
flock -u 9
exec 9>&-
. "$cache/kernel.addresses"

# ---- this run's initramfs, floppy and configuration --------------------------

run=$(mktemp -d "$cache/run.XXXXXX") || exit 125
pid=
cleanup() {
  if [ -n "$pid" ]; then
    kill -9 "$pid" 2>/dev/null # Bochs ignores SIGTERM
    wait "$pid" 2>/dev/null
    pid=
  fi
  if [ -n "${HEED_KEEP:-}" ]; then say "see $run"; else rm -rf "$run"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fs=$run/fs
mkdir -p "$fs/work" "$fs/run" "$fs/dev" "$fs/proc" "$fs/tmp" || exit 125
cp "$cache/init" "$fs/init" || exit 125
name=$(basename "$prog")
cp "$prog" "$fs/work/$name" || exit 125
printf '%s\0' "./$name" >"$fs/run/args"
shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  printf '%s\0' "$1" >>"$fs/run/args"
  shift
done
[ $# -eq 0 ] || shift
for file in "$@"; do
  cp -RL "$file" "$fs/work/" || usage "$file: cannot copy"
done
env -0 | grep -z '^HEED_' |
  grep -zv -e '^HEED_CACHE=' -e '^HEED_TIMEOUT=' -e '^HEED_CPU=' -e '^HEED_RAM=' -e '^HEED_KEEP=' >"$fs/run/env"
(cd "$fs" && find . | sort | LD_LIBRARY_PATH=$libs "$root/bin/cpio" -o -H newc --quiet -R 0:0) >"$run/initrd" ||
  exit 125
rm -rf "$fs"

initrd_at=134217728 # 128 MiB, above the kernel
initrd_size=$(stat -c %s "$run/initrd")
kernel_end=$((kernel_at + $(stat -c %s "$cache/kernel.bin")))
[ "$kernel_end" -le "$initrd_at" ] || { say "the kernel is too large"; exit 125; }
[ $((initrd_at + initrd_size * 2 + 33554432)) -le $((ram * 1048576)) ] ||
  usage "HEED_RAM=$ram is too little for these files"

# Without XSAVES/XSAVEC: Bochs 2.7 tells a wrong size for their format and the
# kernel would give up AVX altogether.
cmdline="console=ttyS0,115200 quiet oops=panic panic=0 nosmp acpi=off noapic nolapic nokaslr \
mitigations=off tsc=reliable random.trust_cpu=on init_on_alloc=0 lsm= cryptomgr.notests \
clearcpuid=xsaves,xsavec,aperfmperf i8042.noaux i8042.nokbd initcall_blacklist=trace_eval_init"
"$cc" -c -o "$run/boot.o" "-DCMDLINE=\"$cmdline\"" \
  "-Wa,--defsym,ENTRY=$kernel_entry,--defsym,INITRD=$initrd_at,--defsym,INITRD_SIZE=$initrd_size" \
  "-Wa,--defsym,RAM_SIZE=$((ram * 1048576))" "$here/boot.S" &&
  ld -Ttext 0x7c00 -e 0x7c00 --oformat binary -o "$run/floppy" "$run/boot.o" || exit 125

sed -e "s|@RAM@|$ram|g" -e "s|@SHARE@|$share|g" -e "s|@CPU@|$cpu|" \
  -e "s|@KERNEL@|$cache/kernel.bin|" -e "s|@KERNEL_AT@|$(printf 0x%x "$kernel_at")|" \
  -e "s|@INITRD@|$run/initrd|" -e "s|@INITRD_AT@|$(printf 0x%x "$initrd_at")|" \
  -e "s|@RUN@|$run|g" "$here/bochsrc.in" >"$run/bochsrc"
echo c >"$run/continue" # Debian's Bochs is built with its debugger, which waits
debugger=
grep -aq '<bochs:' "$bochs" && debugger="-rc $run/continue"

# ---- the run -----------------------------------------------------------------

: >"$run/out"
: >"$run/err"
TERM=vt100 BXSHARE=$share/bochs LD_LIBRARY_PATH=$libs LTDL_LIBRARY_PATH=$plugins \
  LD_PRELOAD=$cache/lib/shim.so \
  "$bochs" -q -f "$run/bochsrc" $debugger </dev/null >"$run/screen" 2>&1 &
pid=$!

out_seen=0
err_seen=0
show() {
  n=$(stat -c %s "$run/out")
  if [ "$n" -gt "$out_seen" ]; then
    tail -c "+$((out_seen + 1))" "$run/out" | head -c $((n - out_seen))
    out_seen=$n
  fi
  n=$(stat -c %s "$run/err")
  if [ "$n" -gt "$err_seen" ]; then
    tail -c "+$((err_seen + 1))" "$run/err" | head -c $((n - err_seen)) >&2
    err_seen=$n
  fi
}
broken() {
  show
  say "$1; the machine's last words:"
  tail -n 30 "$run/console" >&2 2>/dev/null
  [ -s "$run/console" ] || tail -n 10 "$run/log" >&2 2>/dev/null
  exit 125
}

end=$(($(date +%s) + limit))
while :; do
  alive=1
  kill -0 "$pid" 2>/dev/null || alive=0
  now=$(date +%s)
  status=$(sed -n 's/^EXIT=\([0-9][0-9]*\)$/\1/p' "$run/status" 2>/dev/null)
  if [ -n "$status" ]; then
    show
    exit "$status"
  fi
  [ "$alive" = 1 ] || broken "the emulator ended"
  grep -q 'Kernel panic' "$run/console" 2>/dev/null && broken "the kernel panicked"
  show
  if [ "$now" -ge "$end" ]; then
    say "time-out after $limit s"
    exit 124
  fi
  sleep 0.2
done
