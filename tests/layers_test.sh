#!/bin/sh
# Who may include whom, and how long a file may be: sh layers_test.sh ROOT_OF_HEED
# The rules: include/heed knows nothing of src; core knows include; kernels know core; arch
# knows kernels; src/*.cpp know core and include, and meet arch in core and arch/list.inc only;
# io knows include and itself, threads core too, and tools also what a plan is; xsimd and intrinsics stand behind kernels/simd.hpp.
root=${1:?usage: $0 ROOT_OF_HEED}
cd "$root" || exit 2
failures=0
checked=0

# allow FOLDER DEPTH PATTERN: every #include "..." of FOLDER's files matches PATTERN.
allow() {
  [ -d "$1" ] || return 0
  for file in $(find "$1" -maxdepth "$2" -name '*.[hc]' -o -maxdepth "$2" -name '*.[hc]pp' -o -maxdepth "$2" -name '*.inc'); do
    checked=$((checked + 1))
    wrong=$(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file" | grep -vxE "$3")
    [ -z "$wrong" ] && continue
    echo "NOT ok: $file must not include" $wrong
    failures=$((failures + 1))
  done
}

# only WHAT PATTERN WHERE: of src, arch and include, only files that match WHERE have
# includes that match PATTERN.
only() {
  for file in $(grep -rlE --include='*.[hc]' --include='*.[hc]pp' --include='*.inc' "^ *# *include *[<\"]($2)[>\"]" include src arch); do
    echo "$file" | grep -qxE "$3" && continue
    echo "NOT ok: $file includes $1, which stands in $3 alone"
    failures=$((failures + 1))
  done
}

public='heed/[a-z0-9_]+\.hp?p?'
allow include/heed 1 "$public"
allow src/core 1 "core/[a-z0-9_]+\.(hpp|inc)|$public"
allow src/kernels 1 "kernels/[a-z0-9_]+\.(hpp|inc)|core/[a-z0-9_]+\.hpp|$public"
allow src 1 "core/[a-z0-9_]+\.(hpp|inc)|$public|[a-z0-9_]+\.hpp|\.\./arch/list\.inc"
allow src/io 1 "(io/)?[a-z0-9_]+\.hpp|heed/io\.hpp"
allow src/threads 1 "core/[a-z0-9_]+\.hpp|$public"
allow src/tools 1 "plan\.hpp|core/[a-z0-9_]+\.hpp|tools/[a-z0-9_]+\.hpp|io/[a-z0-9_]+\.hpp|$public"
allow arch 1 "arch\.hpp|kernels/[a-z0-9_]+\.hpp|core/[a-z0-9_]+\.hpp|$public"
allow examples 3 "[a-z0-9_]+\.h|$public"
[ "$checked" -gt 30 ] || { echo "NOT ok: only $checked files were found in $root"; failures=$((failures + 1)); }

only xsimd 'xsimd/.*' src/kernels/simd.hpp
only 'instruction set headers' '[a-z0-9]*intrin\.h|arm_(neon|acle|sve|mve)\.h' src/kernels/simd.hpp
only 'what allocates or prints' 'new|memory|string|vector|map|functional|iostream|sstream|cstdlib|cstdio|stdio\.h|malloc\.h' \
  'src/(io|threads|tools)/.*|arch/onednn\.cpp|include/heed/io\.hpp'

for file in $(find include src arch examples bench -name '*.[hc]' -o -name '*.[hc]pp' -o -name '*.inc'); do
  lines=$(wc -l <"$file")
  [ "$lines" -le 400 ] && continue
  echo "NOT ok: $file has $lines lines, at most 400"
  failures=$((failures + 1))
done

[ "$failures" -eq 0 ] && echo "ok: $checked files include only whom they may"
exit $((failures != 0))
