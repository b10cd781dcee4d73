// explain.cpp - heed plan --explain. The numbers are those of the plan and its kernel table, the
// decisions those of core/choice.hpp, which calls ask too.
#include "tools/explain.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <map>
#include <utility>

#include "core/choice.hpp"
#include "heed/cost.hpp"
#include "tools/failure.hpp"

namespace heed::tool {
namespace {

using io::text;

std::string counted(uint64_t n, const std::string& noun) { return text(n, " ", noun, n == 1 ? "" : "s"); }

std::string percent(double part, double whole) { return text(std::lround(100 * part / whole), "%"); }

// 1234567 as 1.23 million, and so on.
std::string rounded(double n) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e9, " billion"}, {1e6, " million"}, {1e3, " thousand"}};
  const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [n](const auto& u) { return n >= u.first; });
  const bool small = unit == std::end(kUnits);
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.3g", small ? n : n / unit->first);
  return text(digits, small ? "" : unit->second);
}

// Positions that queries before `row` see, if the last query sees all.
double causal_end(const Geometry& g, uint32_t row) {
  const int64_t keys = int64_t(g.max_key) - (int64_t(g.max_query) - row);
  return double(g.extra_slots()) + double(std::max<int64_t>(keys, 0));
}

// How attention deals the rows of its query blocks.
struct Groups {
  std::map<uint32_t, uint32_t, std::greater<uint32_t>> of;  // registers -> groups; 0: odd queries
  uint64_t lanes = 0, rows = 0;                             // of groups
  double causal_keys = 0;                                   // positions that the queries go over

  void add(const heed_plan& p, uint32_t first, uint32_t last) {
    const Geometry& g = p.geometry;
    for (uint32_t row = first; row < last;) {
      const uint32_t begin = row, block = query_block(p.kernels->tiles, p.kernels->lanes, last - begin);
      while (row < begin + block) {
        const QueryGroup q = next_queries(p.kernels->tiles, p.kernels->lanes, begin + block - row);
        of[q.registers] += q.registers == 0 ? q.rows : 1;
        row += q.rows;
        causal_keys += double(q.rows) * causal_end(g, row);
        if (q.registers == 0) continue;
        lanes += uint64_t(q.registers) * p.kernels->lanes;
        rows += q.rows;
      }
    }
  }
};

uint32_t part(uint32_t units, uint32_t i, uint32_t slices) { return uint32_t(uint64_t(units) * i / slices); }

// All queries of a head, as slices share them.
Groups query_groups(const heed_plan& p) {
  const Geometry& g = p.geometry;
  Groups groups;
  const uint32_t slices = split_heads(g, false) ? 1 : g.slices, blocks = (g.max_query - 1) / kPanel + 1;
  for (uint32_t i = 0; i < slices; ++i)
    groups.add(p, part(blocks, i, slices) * kPanel, std::min(part(blocks, i + 1, slices) * kPanel, g.max_query));
  return groups;
}

std::string registers_of(const heed_plan& p, uint32_t n) {
  return text(counted(n, "register"), " of ", p.kernels->lanes);
}

Reason work(const heed_plan& p) {
  const Cost c = cost(p.geometry);
  return {"work", text(rounded(2 * c.total()), " floating-point operations: projections ",
                       percent(c.in_projections + c.out_projection, c.total()), ", scores and values ",
                       percent(c.scores + c.values, c.total()))};
}

std::string shared_tokens(const Geometry& g) {
  const uint32_t groups = std::min(g.slices, g.groups()), turns = (g.groups() - 1) / groups + 1;
  return text("all slices share the keys and then the queries of up to ",
              counted(std::min(groups * g.group, g.num_heads), "head"), " at a time, in ", counted(2 * turns, "step"));
}

std::string heads_in_groups(const Geometry& g) {
  if (g.group == 1) return counted(g.num_heads, "head");
  return text(counted(g.num_heads, "head"), " in ", counted(g.groups(), "group"));
}

Reason slices(const Geometry& g, uint32_t worth) {
  std::string how = "one thread does all";
  if (g.slices > 1 && !split_heads(g, false)) {
    how = text(heads_in_groups(g), " among ", g.slices, " would leave slices idle, so ", shared_tokens(g));
  } else if (g.slices > 1) {
    const uint32_t least = g.groups() / g.slices, most = (g.groups() - 1) / g.slices + 1;
    how = text("each slice has ", counted(least, g.group == 1 ? "head" : "group"), least == most ? "" : text(" or ", most),
               " of its own, in one step; with averaged weights, which are summed over heads in order, ",
               shared_tokens(g));
  }
  return {"slices", text(how, g.slices > 1 ? "; one step more for the output projection" : "", "; ",
                         counted(worth, "slice"), worth == 1 ? " pays" : " at most pay", " at this size")};
}

Reason projections(const heed_plan& p) {
  const Tiles& t = p.kernels->tiles;
  uint32_t last = 0;
  for (uint32_t left = p.geometry.max_key; left != 0; left -= last) last = row_block(left);
  return {"projections", text("tiles of ", counted(t.project_rows, "row"), " x ", registers_of(p, t.project_registers),
                              " features; rows go in blocks of ", kRowBlock, ", which stay in cache, and ",
                              counted(p.geometry.max_key, "key"), " end with one of ", last,
                              p.geometry.group == 1 ? "" : text("; ", p.geometry.group, " heads at a time fill whole panels of weights, or tiles of four"))};
}

Reason queries(const heed_plan& p, const Groups& groups) {
  std::string list;
  for (const auto& [registers, count] : groups.of) {
    list += list.empty() ? "" : ", ";
    if (registers != 0) list += text(counted(count, "group"), " of ", registers_of(p, registers));
    else list += text(count, count == 1 ? " odd query" : " odd queries");
  }
  if (groups.lanes != 0)
    list += text("; lanes are queries, ", groups.lanes - groups.rows, " of ", groups.lanes, " empty");
  if (groups.of.count(0) != 0)
    list += text("; up to ", few_alone(p.kernels->tiles),
                 " cost less by themselves, where lanes are keys, then features");
  return {"queries", list};
}

Reason attention(const heed_plan& p) {
  const Geometry& g = p.geometry;
  const Tiles& t = p.kernels->tiles;
  const uint64_t blocks = (g.max_slots() - 1) / kKeyBlock + 1;
  const uint64_t kept = p.workspace.finite - p.workspace.scores;
  const double all = double(g.num_heads) * g.max_query * double(g.max_slots()) * sizeof(float);
  return {"attention",
          text("tiles of ", counted(t.attend_rows, "key"), " (features of v) x ", registers_of(p, t.attend_registers),
               " queries; ", counted(blocks, "block"), " of up to ", kKeyBlock, " keys",
               blocks == 1 ? ", so the softmax needs no correction" : ", between which the softmax is corrected",
               "; the scores of one block are kept, ", kept, " bytes a slice",
               all > double(kept) ? text(", not all ", rounded(all)) : "")};
}

Reason causal(const heed_plan& p, const Groups& groups) {
  const double all = double(p.geometry.max_query) * double(p.geometry.max_slots());
  return {"causal", text("a causal call skips ", percent(all - groups.causal_keys, all),
                         " of scores and values, if its last query sees all keys: a group ends at the last "
                         "that one of it sees")};
}

Reason memory(const heed_plan& p) {
  const WorkspaceLayout& w = p.workspace;
  return {"workspace", text(w.slices, " bytes shared, ", w.q, " of each slice for keys and values of ",
                            p.geometry.group == 1 ? "one head" : text(p.geometry.group, " heads"), ", ",
                            w.slice_bytes - w.q, " for a block of queries; nothing grows with L * S")};
}

}  // namespace

Reasons explain(const heed_plan& p, uint32_t worth) {
  Reasons reasons{work(p), slices(p.geometry, worth), memory(p)};
  if (p.kernels->tiles.project_rows == 0) {
    reasons.push_back({"kernels", text("those of ", p.kernels->simd, ", which decides by itself")});
    return reasons;
  }
  if (p.small)
    reasons.push_back({"small", text("at most ", kSmallEmbedDim, " features and ", kSmallLength,
                                     " tokens: where nothing is masked, one kernel does a whole batch entry")});
  const Groups groups = query_groups(p);
  for (const Reason& reason : {projections(p), queries(p, groups), attention(p), causal(p, groups)})
    reasons.push_back(reason);
  return reasons;
}

}  // namespace heed::tool
