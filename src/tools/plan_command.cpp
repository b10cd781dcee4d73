// plan_command.cpp - heed plan: how many bytes a configuration takes, and where each lies.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "heed/heed.hpp"
#include "tools/explain.hpp"
#include "tools/failure.hpp"
#include "tools/memory.hpp"
#include "tools/options.hpp"

namespace heed::tool {
namespace {

struct Region {
  std::string name;
  uint64_t offset, bytes;
};
using Map = std::vector<Region>;

// Regions in order, each from its own offset to the next one's; empty ones are left out.
Map between(const std::vector<std::pair<const char*, uint64_t>>& begins, uint64_t end) {
  Map map;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    const uint64_t next = i + 1 < begins.size() ? begins[i + 1].second : end;
    if (next > begins[i].second) map.push_back({begins[i].first, begins[i].second, next - begins[i].second});
  }
  return map;
}

struct Report {
  Geometry geometry;
  WorkspaceLayout workspace;
  std::string isa;
  uint64_t weights_bytes = 0, workspace_bytes = 0;
  Reasons reasons;
  Map weights, shared, slice;  // offsets of `slice` count from the beginning of a slice
};

Map weights_map(const WeightsLayout& w) {
  // clang-format off
  return between({{"header", 0}, {"q", w.q}, {"k", w.k}, {"v", w.v}, {"q_bias", w.q_bias},
                  {"k_bias", w.k_bias}, {"v_bias", w.v_bias}, {"bias_k", w.bias_k},
                  {"bias_v", w.bias_v}, {"out", w.out}, {"out_bias", w.out_bias}}, w.bytes);
  // clang-format on
}

Report report(const heed_config& c, bool explained) {
  const AlignedBytes memory(HEED_PLAN_BYTES, "plan");
  const heed_plan* plan = nullptr;
  heed_error error;
  if (heed_plan_init(&c, memory.data(), memory.size(), &plan, &error) != HEED_OK) refuse(error.message);
  Report r;
  r.geometry = geometry(c);
  r.isa = heed_plan_isa(plan);
  if (explained) r.reasons = explain(*plan, slices_for(c, kMaxSlices));
  r.weights_bytes = heed_weights_bytes(&c);
  r.workspace_bytes = heed_workspace_bytes(&c);
  r.weights = weights_map(weights_layout(r.geometry));
  const WorkspaceLayout w = r.workspace = workspace_layout(r.geometry);
  r.shared = between({{"visible", w.visible}, {"key_bias", w.key_bias}, {"heads", w.heads}}, w.slices);
  // clang-format off
  r.slice = between({{"k", w.k}, {"v", w.v}, {"q", w.q}, {"qt", w.qt}, {"ot", w.ot},
                     {"scores", w.scores}, {"finite", w.finite}}, w.slice_bytes);
  // clang-format on
  return r;
}

using Json = nlohmann::ordered_json;

Json as_json(const Map& map) {
  Json list = Json::array();
  for (const Region& region : map)
    list.push_back({{"name", region.name}, {"offset", region.offset}, {"bytes", region.bytes}});
  return list;
}

void print_json(const Report& r) {
  const Geometry& g = r.geometry;
  Json json;
  json["version"] = HEED_VERSION_STRING;
  json["arch"] = r.isa;
  json["config"] = {{"embed_dim", g.embed_dim},
                    {"num_heads", g.num_heads},
                    {"head_dim", g.head_dim},
                    {"kdim", g.kdim},
                    {"vdim", g.vdim},
                    {"bias", g.bias},
                    {"add_bias_kv", g.add_bias_kv},
                    {"add_zero_attn", g.add_zero_attn},
                    {"batch_first", g.batch_first},
                    {"max_batch", g.max_batch},
                    {"max_query", g.max_query},
                    {"max_key", g.max_key},
                    {"slices", g.slices}};
  json["bytes"] = {{"plan", HEED_PLAN_BYTES}, {"weights", r.weights_bytes}, {"workspace", r.workspace_bytes}};
  json["weights"] = as_json(r.weights);
  json["workspace"] = {{"shared", as_json(r.shared)},
                       {"slices",
                        {{"count", g.slices},
                         {"offset", r.workspace.slices},
                         {"bytes", r.workspace.slice_bytes},
                         {"regions", as_json(r.slice)}}}};
  for (const Reason& reason : r.reasons) json["explain"].push_back({{"about", reason.about}, {"why", reason.text}});
  std::printf("%s\n", json.dump(2).c_str());
}

void print_map(const char* title, const Map& map) {
  std::printf("\n%-18s %14s %14s\n", title, "offset", "bytes");
  for (const Region& r : map)
    std::printf("  %-16s %14llu %14llu\n", r.name.c_str(), static_cast<unsigned long long>(r.offset),
                static_cast<unsigned long long>(r.bytes));
}

// Words up to column 100.
void print_reason(const Reason& reason) {
  constexpr std::size_t kIndent = 16, kColumns = 100;
  std::string line = reason.about;
  line.resize(kIndent, ' ');
  std::istringstream words(reason.text);
  for (std::string word; words >> word; line += ' ' + word) {
    if (line.size() + word.size() < kColumns - 2) continue;
    std::printf("  %s\n", line.c_str());
    line.assign(kIndent, ' ');
  }
  std::printf("  %s\n", line.c_str());
}

void print_text(const Report& r) {
  const Geometry& g = r.geometry;
  std::printf("embed_dim %u, num_heads %u, head_dim %u, kdim %u, vdim %u", g.embed_dim, g.num_heads, g.head_dim, g.kdim,
              g.vdim);
  std::printf("%s%s%s%s\n", g.bias ? ", bias" : ", no bias", g.add_bias_kv ? ", add_bias_kv" : "",
              g.add_zero_attn ? ", add_zero_attn" : "", g.batch_first ? ", batch_first" : "");
  std::printf("max_batch %u, max_query %u, max_key %u, slices %u\n", g.max_batch, g.max_query, g.max_key, g.slices);
  std::printf("arch %s\n\n%-18s %14s %14s\n", r.isa.c_str(), "memory", "", "bytes");
  const std::pair<const char*, uint64_t> sizes[] = {
      {"plan", HEED_PLAN_BYTES}, {"weights", r.weights_bytes}, {"workspace", r.workspace_bytes}};
  for (const auto& size : sizes)
    std::printf("  %-16s %14s %14llu\n", size.first, "", static_cast<unsigned long long>(size.second));
  print_map("weights", r.weights);
  Map workspace = r.shared;
  workspace.push_back({g.slices == 1 ? "1 slice" : std::to_string(g.slices) + " slices", r.workspace.slices,
                       g.slices * r.workspace.slice_bytes});
  print_map("workspace", workspace);
  print_map("slice", r.slice);
  if (!r.reasons.empty()) std::printf("\nwhat a call of the largest size does, for each of its batch entries\n");
  for (const Reason& reason : r.reasons) print_reason(reason);
}

}  // namespace

void plan(const PlanOptions& o) {
  heed_config config = o.config;
  config.bias = !o.no_bias;
  config.isa = o.isa ? o.isa->c_str() : nullptr;
  const Report r = report(config, o.explain);
  o.json ? print_json(r) : print_text(r);
}

}  // namespace heed::tool
