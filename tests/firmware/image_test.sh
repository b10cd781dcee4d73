#!/bin/sh
# What must not be in a firmware image that prints nothing but by semihosting:
#   sh image_test.sh NM IMAGE
# A heap, stdio, an unwinder, exceptions, guarded statics, run-time type information, and a
# fused multiply-add by software: the FPU has it.
nm=${1:?usage: $0 NM IMAGE}
image=${2:?usage: $0 NM IMAGE}
symbols=$("$nm" "$image" | awk '{ print $NF }')
echo "$symbols" | grep -qx heed_forward || { echo "NOT ok: $image has no heed_forward"; exit 1; }
found=$(echo "$symbols" | grep -xE '_*sbrk.*|_*malloc(_r)?|_*free(_r)?|_*calloc(_r)?|_*realloc(_r)?|_Zn[wa].*|_Zd[la].*|.*printf.*|puts|fputs|fwrite|_*write|std(in|out|err)|_Unwind_.*|__gxx_personality.*|__cxa_(throw|guard|allocate|begin|pure).*|_ZTI.*|_ZTS.*|fmaf?|abort')
[ -z "$found" ] || { echo "NOT ok: $image has" $found; exit 1; }
echo "ok: $(echo "$symbols" | wc -l) symbols, none of a heap, stdio, unwinder or software fma"
