#!/usr/bin/env bash
# The README's programs are the examples, and its table of sizes is what the tool says:
#   readme_test.sh [PATH_TO_heed]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readme=$root/README.md
heed=${1-}
failures=0

fail() {
  echo "NOT ok: $*"
  failures=$((failures + 1))
}

# The block after the comment that names FILE.
block() {
  awk -v name="<!-- $1 -->" '
    $0 == name { wanted = 1; next }
    wanted && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }' "$readme"
}

for file in examples/first_program.c examples/first_program.cpp; do
  if diff <(block "$file") "$root/$file"; then echo "ok: the README shows $file"; else fail "the README shows another $file"; fi
done
blocks=$(grep -c -E '^```(c|cpp)$' "$readme")
[[ $blocks == 2 ]] || fail "the README has $blocks programs, not the 2 that are tested"

# | model | embed_dim | num_heads | length | plan | weights | workspace |
rows=0
while IFS='|' read -r _ model embed_dim num_heads length plan weights workspace _; do
  rows=$((rows + 1))
  [[ -n $heed ]] || continue
  said=$("$heed" plan --embed-dim "$((embed_dim))" --num-heads "$((num_heads))" --max-query "$((length))" |
    awk '$1 == "plan" || $1 == "weights" && !w++ || $1 == "workspace" && !s++ { print $2 }' | paste -sd ' ')
  if [[ $said == "$((plan)) $((weights)) $((workspace))" ]]; then
    echo "ok: sizes of$model"
  else
    fail "the README says$plan$weights$workspace for$model, heed plan says $said"
  fi
done < <(grep -E '^\| [a-z_0-9]+ (\| [0-9]+ ){6}\|$' "$readme")
((rows == 6)) || fail "the README has $rows rows of sizes, not 6"

((failures == 0))
