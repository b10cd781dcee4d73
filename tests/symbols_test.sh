#!/bin/sh
# What the static library asks of its linker, and what sealed arch objects show:
#   sh symbols_test.sh NM LIBRARY [SEALED_OBJECT...]
# A library that never allocates, throws, aborts, prints or locks has no such symbols.
nm=${1:?usage: $0 NM LIBRARY [SEALED_OBJECT...]}
library=${2:?usage: $0 NM LIBRARY [SEALED_OBJECT...]}
shift 2
failures=0
fail() {
  echo "NOT ok: $*"
  failures=$((failures + 1))
}

# mem*: the compiler itself makes calls to these. __aeabi_*, __udivdi3 and so on: arithmetic
# that the CPU lacks (libgcc). __cpu_*: the compiler's CPU detection.
allowed='memcpy|memset|memmove|fmaf|fmaf32|sqrtf|getenv|getauxval|__cpu_model|__cpu_indicator_init'
allowed="$allowed|_GLOBAL_OFFSET_TABLE_|__aeabi_(mem(cpy|set|move|clr)[48]?|u?ldivmod|u?idiv(mod)?|[uil]*[fd]?2[fdlu]?[lz]*|[fd][a-z0-9]*|l[a-z0-9]*)"
allowed="$allowed|__u?divdi3|__u?moddi3|__u?divsi3|__popcountdi2|__clzdi2"

defined=$("$nm" -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u)
undefined=$("$nm" -u "$library" | awk 'NF == 2 { print $2 }' | sort -u)
[ -n "$defined" ] && [ -n "$undefined" ] || fail "$nm shows no symbols of $library"
for symbol in $undefined; do
  echo "$defined" | grep -qxF "$symbol" && continue
  echo "$symbol" | grep -qxE "$allowed" || fail "the library needs $symbol"
done
for symbol in $defined; do  # the C functions, and C++ in namespace heed
  echo "$symbol" | grep -qE '^(heed_|_ZZ?NK?4heed)' || fail "the library defines $symbol, which is not heed's"
done
# No state: nothing that can be written but the kernel tables and their list, whose pointers the loader fills.
for symbol in $("$nm" "$library" | awk 'NF == 3 && $2 ~ /^[bBdDcCgGsS]$/ { print $3 }'); do
  case $symbol in _ZN4heed*table_*E | _ZN4heed12_GLOBAL__N_1*6kArchsE) ;; *) fail "the library keeps state in $symbol" ;; esac
done
for symbol in heed_plan_init heed_forward heed_weights_pack heed_scaled_dot_product_attention; do
  echo "$defined" | grep -qxF "$symbol" || fail "the library lacks $symbol"
done

# An inline function compiled with and without an instruction set is one to the linker; a
# sealed object has none to offer: one strong global, its table, and nothing weak.
for object in "$@"; do
  arch=$(basename "$object" .o | sed 's/^heed_//')
  table=_ZN4heed$(printf %s "table_$arch" | wc -c | tr -d ' ')table_${arch}E
  globals=$("$nm" -g --defined-only "$object" | awk 'NF == 3 { print $3 }')
  [ "$globals" = "$table" ] || fail "$object shows" $globals "instead of $table alone"
  weak=$("$nm" "$object" | awk '$(NF - 1) ~ /^[WwVvu]$/ { print $NF }')
  [ -z "$weak" ] || fail "$object has weak symbols:" $weak
done

# No instruction of AVX or later outside of arch objects: x86's begin with a v there, and few others do.
case $("${OBJDUMP:-objdump}" -f "$library" 2>/dev/null) in
  *x86-64*)
    above=$("${OBJDUMP:-objdump}" -d --no-show-raw-insn "$library" |
      awk '/file format/ { arch = $1 ~ /(^|\()heed_[a-z0-9]+\.o/; next }  # llvm: libheed.a(heed_avx2.o):
        !arch && /^ *[0-9a-f]+:/ && $2 ~ /^(v|k(mov|or|and|xor|not|shift|test|unpck))/ && $2 !~ /^(verr|verw|vm)/ { print $2 }' | sort | uniq -c)
    [ -z "$above" ] || fail "outside of arch objects the library has" $above
    ;;
esac

[ "$failures" -eq 0 ] && echo "ok: nothing but $(echo "$undefined" | grep -xE "$allowed" | tr '\n' ' ')is needed; $# sealed objects"
exit $((failures != 0))
