# stack.awk - the deepest stack below the entry points of the library, from GCC's call graphs:
#   awk -f stack.awk $(find BUILD -name '*.ci')     (-fcallgraph-info=su)
# Prints one line per entry point: name, bytes. Ends with 1 where the graph does not say:
# recursion, a frame of unknown size, a call through a pointer that nobody here knows.
#
# Pointers are called in attention.cpp alone: kernels by what computes, steps by what deals them.
function text(line, key) {
  sub(".*" key ": \"", "", line)
  sub("\".*", "", line)
  return line
}
function fail(words) {
  print "NOT ok: " words > "/dev/stderr"
  failed = 1
}
# Functions of one object bear its name: "attention.cpp:_ZN4heed...".
function plain(name) {
  sub(/.*:/, "", name)
  return name
}
function is_step(name) { return plain(name) ~ /own_groups|own_heads|shared_keys_values|shared_queries|project_output/ }
function is_kernel(name) { return plain(name) ~ /(Project|Attend|Small)I.*3runE/ }
function deals(name) { return plain(name) ~ /parallel|_FUN|run_step|run_entry|3runERKNS_3JobE/ }

/^node:/ {
  name = text($0, "title")
  label = text($0, "label")
  if (match(label, /[0-9]+ bytes \([a-z,]+\)/)) {
    words = substr(label, RSTART, RLENGTH)
    split(words, part, " ")
    frame[name] = part[1] + 0
    known[name] = 1
    if (words ~ /dynamic/ && words !~ /bounded/) fail("the frame of " name " is of unknown size")
  }
}
/^edge:/ { calls[text($0, "sourcename")] = calls[text($0, "sourcename")] " " text($0, "targetname") }

function callees(name, list, target) {
  list = calls[name]
  if (list !~ /__indirect_call/) return list
  gsub(/__indirect_call/, "", list)
  for (target in known) {
    if (deals(name) ? is_step(target) || (plain(name) !~ /_FUN|run_step/ && (plain(target) ~ /_FUN/ || plain(target) ~ /SmallI.*3runE/)) : is_kernel(target))
      list = list " " target
  }
  if (!deals(name) && plain(name) !~ /project|attend|own_|shared_|run_small/) fail(name " calls through a pointer")
  return list
}
function depth(name, target, list, i, n, most, d) {
  if (name in done) return done[name]
  if (name in open) {
    fail("recursion through " name)
    return 0
  }
  open[name] = 1
  most = 0
  n = split(callees(name), list, " ")
  for (i = 1; i <= n; ++i) {
    d = depth(list[i])
    if (d > most) { most = d; next_of[name] = list[i] }
  }
  delete open[name]
  return done[name] = frame[name] + most
}
END {
  for (name in known)
    if (plain(name) ~ /^heed_(forward|scaled_dot_product_attention|plan_init|weights_pack|weights_verify)$/) {
      printf "%s %d", plain(name), depth(name)
      for (at = name; path && at != ""; at = next_of[at]) printf " %s:%d", plain(at), frame[at]
      print ""
      ++entries
    }
  if (entries < 3) fail("the call graphs lack the entry points")
  exit failed
}
