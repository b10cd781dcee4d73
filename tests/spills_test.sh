#!/bin/sh
# Tiles stay in registers: sh spills_test.sh OBJDUMP ARCH_OBJECT...
# Looks at the loops of projections, scores and values: those innermost loops in which 4 or more
# vectors are multiplied and added, and nothing else is done to vectors but to load and store
# them. None of their instructions may refer to the stack.
objdump=${1:?usage: $0 OBJDUMP ARCH_OBJECT...}
shift
[ $# -gt 0 ] || { echo "NOT ok: no arch object to look at"; exit 1; }
failures=0

look_at() {
  # Sealed, an object has forgotten MVE: without a hint its instructions are a coprocessor's.
  case $(basename "$1") in *helium*) set -- "$1" -m armv8.1-m.main ;; esac
  "$objdump" -d --no-show-raw-insn "$@" | awk -v object="$(basename "$1" .o)" '
    BEGIN {
      multiply_add = "^(vfn?m(add|sub)[0-9]+ps|fml[as]|vfm[as]\\.f32)$"
      other_work = "^(v?(add|sub|mul|div|max|min|cmp[a-z]*|blendv?|blendm|unpck[lh]|shuf[a-z0-9]*|perm[a-z0-9]*|round|rndscale)p[sd]" \
        "|f(add|sub|mul|div|max|min|cm[a-z]+)|bsl|bi[tf]|(zip|trn|uzp)[12]|ext" \
        "|v(add|sub|mul|max|min|cvt|cmp|psel|c(eq|g[et]|l[et])|bsl|bi[tf]|trn|zip|uzp|swp|ext)(\\..*)?)$"
      branch = "^(j[a-z]+|b|b\\.[a-z]+|b(eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)|cbn?z|tbn?z|le)(\\.[nw])?$"
      leaves = "^(jmp|b|ret|retq|bx|udf|ud2)(\\.[nw])?$"
    }
    function number(hex,   i, n) {
      for (i = 1; i <= length(hex); ++i) n = 16 * n + index("0123456789abcdef", substr(hex, i, 1)) - 1
      return n
    }
    # The loop that the branch back from instruction `last` to `head` closes: all from which `last`
    # is reached without passing `head`. If the first instruction is one, it is no loop.
    function mark(head, last,   stack, depth, i, k) {
      stack[depth = 1] = last
      while (depth > 0) {
        i = stack[depth--]
        if ((head, i) in body) continue
        body[head, i] = 1
        if (i == 1) { not_a_loop[head] = 1; return }
        if (i == head) continue
        if (!leaving[i - 1]) stack[++depth] = i - 1
        for (k = 1; k <= comes[i]; ++k) stack[++depth] = from[i, k]
      }
    }
    function close_function(   i, j, h, work, other, bad) {
      for (i = 1; i <= n; ++i) {
        if (!(i in target) || !(target[i] in index_of)) continue
        j = index_of[target[i]]
        from[j, ++comes[j]] = i
      }
      for (i = 1; i <= n; ++i) {
        if (!(i in target) || !(target[i] in index_of)) continue
        j = index_of[target[i]]
        if (j <= i) { heads[j] = 1; mark(j, i) }
      }
      for (h in heads) {
        if (h in not_a_loop) continue
        work = other = 0; bad = ""
        for (i = 1; i <= n; ++i) {
          if (!((h + 0, i) in body)) continue
          if (i != h && (i in heads) && !(i in not_a_loop)) other = 1
          if (op[i] ~ multiply_add) ++work
          else if (op[i] ~ other_work) other = 1
          if (text[i] ~ /\(%[re]sp[,)]|[ \t,[]sp([],]|$)/ || frame != "" && text[i] ~ frame) bad = bad "\n      " text[i]
        }
        if (work < 4 || other) continue
        ++loops
        if (work > most) most = work
        if (bad != "") { ++spilling; print "    in " name " a loop of " work " multiply-adds:" bad }
      }
      n = 0; frame = ""
      split("", target); split("", index_of); split("", from); split("", comes); split("", heads)
      split("", body); split("", not_a_loop); split("", leaving)
    }
    /^[0-9a-f]+ <.*>:$/ { close_function(); name = $2; next }
    /^ *[0-9a-f]+:/ {
      address = $1; sub(/:$/, "", address)
      ++n
      text[n] = $0; sub(/^ *[0-9a-f]+:[ \t]*/, "", text[n]); sub(/ *\/\/.*/, "", text[n])
      op[n] = $2
      index_of[number(address)] = n
      leaving[n] = $2 ~ leaves || text[n] ~ /[{ ,]pc}/
      # A general register, unless the function makes it the frame pointer.
      if (text[n] ~ /^mov +%rsp,%rbp|^lea .*\(%rsp\),%rbp/) frame = "\\(%rbp[,)]"
      if (text[n] ~ /^(mov|add)[ \t]+x29, sp/) frame = "\\[x29[],]"
      if (text[n] ~ /^mov[ \t]+sp, (r7|fp)/) frame = "\\[(r7|fp)[],]"
      if ($2 ~ branch && match(text[n], /[0-9a-f]+ <[^>]*>$/)) {
        to = substr(text[n], RSTART); sub(/ .*/, "", to)
        target[n] = number(to)
      }
    }
    END {
      close_function()
      printf "%s: %d loops of up to %d multiply-adds, %d with references to the stack\n", object, loops, most, spilling
      exit loops == 0 || spilling != 0
    }'
}

for object in "$@"; do
  look_at "$object" || { echo "NOT ok: $object"; failures=$((failures + 1)); }
done
exit $((failures != 0))
