// tables.cpp - Markdown from results. A figure is the median of its repetitions.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "cases.hpp"
#include "report.hpp"
#include "results.hpp"
#include "statistics.hpp"

namespace heed::bench {
namespace {

using Cells = std::vector<std::string>;

struct Sources {
  const Results& results;
  nlohmann::json peers;  // null: not given
};

std::string format(const char* pattern, double value) {
  char text[64];
  return std::string(text, size_t(std::snprintf(text, sizeof text, pattern, value)));
}

// Three digits that count.
std::string time_text(double seconds) {
  const auto digits = [](double v) { return format(v < 10 ? "%.2f" : v < 100 ? "%.1f" : "%.0f", v); };
  if (seconds < 1e-6) return format("%.0f ns", seconds * 1e9);
  if (seconds < 1e-3) return digits(seconds * 1e6) + " us";
  return seconds < 1.0 ? digits(seconds * 1e3) + " ms" : digits(seconds) + " s";
}

std::string percent(double share) { return format(share < 0.1 ? "%.1f%%" : "%.0f%%", 100.0 * share); }

std::string row(const Cells& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell + " |";
  return line + "\n";
}

std::string head(const Cells& cells) {
  std::string rule = "|";
  for (size_t i = 0; i < cells.size(); ++i) rule += i == 0 ? "---|" : "--:|";
  return row(cells) + rule + "\n";
}

std::string full_name(const Case& c, const std::string& arch, uint32_t threads) {
  return std::string(c.sdpa ? "sdpa/" : "mha/") + arch + "/" + c.name + "/threads:" + std::to_string(threads);
}

// nullptr: not measured.
const Series* find(const Results& r, const Case& c, const std::string& arch, uint32_t threads = 1) {
  const auto at = r.series.find(full_name(c, arch, threads));
  return at == r.series.end() || at->second.seconds.empty() ? nullptr : &at->second;
}

const Case& case_named(const std::string& name) {
  for (const Case& c : kCases)
    if (name == c.name) return c;
  throw std::runtime_error("there is no case " + name);
}

// The archs that were measured, best first.
Cells archs(const Results& r) {
  Cells found;
  std::istringstream names(r.context.value("archs", ""));
  for (std::string arch; names >> arch;) {
    const auto measured = [&arch](const std::string& name) { return name.find("/" + arch + "/") != std::string::npos; };
    if (std::any_of(r.names.begin(), r.names.end(), measured)) found.push_back(arch);
  }
  return found;
}

// heed's own archs that have a peak to be measured by.
Cells fast_archs(const Results& r) {
  Cells found;
  for (const std::string& arch : archs(r))
    if (r.series.count("peak/" + arch)) found.push_back(arch);
  return found;
}

std::string best_arch(const Results& r) {
  const Cells found = fast_archs(r);
  if (found.empty()) throw std::runtime_error(r.path + ": no arch with a measured peak");
  return found[0];
}

std::string cell(const Series* s) {
  if (!s) return "";
  const Values peak = s->counter("peak");
  return time_text(median(s->seconds)) + (peak.empty() ? "" : ", " + percent(median(peak)));
}

// Every arch's time and share of peak.
std::string shapes_table(const Results& r, const std::function<bool(const Case&)>& wanted) {
  const Cells all = archs(r);
  Cells names{"shape"};
  names.insert(names.end(), all.begin(), all.end());
  std::string out;
  for (const Case& c : kCases) {
    if (!wanted(c)) continue;
    Cells cells{c.name};
    for (const std::string& arch : all) cells.push_back(cell(find(r, c, arch)));
    const bool empty = std::all_of(cells.begin() + 1, cells.end(), [](const std::string& s) { return s.empty(); });
    if (!empty) out += row(cells);
  }
  return head(names) + out;
}

bool head_dim_case(const Case& c) { return c.sdpa && std::string(c.name).rfind("sdpa_128_d", 0) == 0; }

std::string variants_table(const Results& r) {
  const Cells all = fast_archs(r);
  Cells names{"case"};
  for (const std::string& arch : all) names.insert(names.end(), {arch, "against plain"});
  std::string out = head(names);
  for (const Case& c : kCases) {
    if (c.sdpa || c.extra == Extra::none) continue;
    const std::string name = c.name;
    const char* const plain = c.many_lengths() ? "minilm_padded_apart" : name.rfind("seed", 0) == 0 ? "seed" : "minilm";
    Cells cells{name};
    for (const std::string& arch : all) {
      const Series *s = find(r, c, arch), *base = find(r, case_named(plain), arch);
      cells.push_back(cell(s));
      cells.push_back(s && base ? format("%.2f x ", median(s->seconds) / median(base->seconds)) + plain : "");
    }
    out += row(cells);
  }
  return out;
}

std::string threads_table(const Results& r) {
  const std::string arch = best_arch(r);
  std::vector<uint32_t> counts;
  for (uint32_t n = 2; n <= 64; n *= 2)
    if (std::any_of(std::begin(kCases), std::end(kCases), [&](const Case& c) { return find(r, c, arch, n); }))
      counts.push_back(n);
  if (counts.empty()) return "Not measured: the results are of one core.\n";
  Cells names{"shape, " + arch, "1 thread"};
  for (uint32_t n : counts) names.insert(names.end(), {std::to_string(n) + " threads", "speed-up"});
  std::string out = head(names);
  for (const Case& c : kCases) {
    const Series* one = find(r, c, arch);
    if (!one || !find(r, c, arch, counts[0])) continue;
    Cells cells{c.name, cell(one)};
    for (uint32_t n : counts) {
      const Series* many = find(r, c, arch, n);
      cells.push_back(cell(many));
      cells.push_back(many ? format("%.2f x", median(one->seconds) / median(many->seconds)) : "");
    }
    out += row(cells);
  }
  return out;
}

std::string limits_table(const Results& r) {
  std::string out = head({"limit", "measured"});
  for (const std::string& arch : fast_archs(r))
    out += row({"fused multiply-adds, " + arch,
                format("%.0f GFLOP/s", median(r.series.at("peak/" + arch).counter("GFLOP/s")))});
  for (int kib : {16, 256, 4096, 131072}) {
    const auto at = r.series.find("read/" + std::to_string(kib));
    if (at == r.series.end() || at->second.seconds.empty()) continue;
    out += row({"reading " + std::to_string(kib) + " KiB again and again",
                format("%.0f GB/s", median(at->second.counter("GB/s")))});
  }
  return out;
}

std::string card(const Results& r) {
  const auto text = [&r](const char* key) { return r.context.value(key, "unknown"); };
  return text("cpu") + "; " + text("system") + "; " + text("compiler") + "; heed " + text("heed") + ", commit " +
         text("commit") + "; core " + text("core") + ", governor " + text("governor") + "; " +
         text("date").substr(0, 10) + ".\n";
}

std::string peers_table(const Sources& from) {
  if (from.peers.is_null()) throw std::runtime_error("a table of peers needs --peers");
  std::string out = from.peers.at("card").get<std::string>() + "\n\n" +
                    head({"shape", "heed", "PyTorch", "PyTorch's time / heed's"});
  for (const auto& p : from.peers.at("cases"))
    out += row({p.at("name"), time_text(p.at("heed_seconds")), time_text(p.at("torch_seconds")),
                format("%.2f", p.at("ratio"))});
  return out;
}

// For the README: the modules on the best arch, and what oneDNN and PyTorch need.
std::string summary_table(const Sources& from) {
  const Results& r = from.results;
  const std::string arch = best_arch(r);
  std::string out = head({"shape", "embed_dim, num_heads, L = S", arch, "share of peak", "oneDNN's time / heed's",
                          "PyTorch's time / heed's"});
  for (const Case& c : kCases) {
    const Series *s = find(r, c, arch), *rival = find(r, c, "onednn_primitives");
    if (!s || c.extra != Extra::none || c.sdpa) continue;
    std::string ratio;
    if (!from.peers.is_null())
      for (const auto& p : from.peers.at("cases"))
        if (p.at("name") == c.name) ratio = format("%.2f", p.at("ratio"));
    out += row({c.name,
                std::to_string(c.embed_dim()) + ", " + std::to_string(c.num_heads) + ", " + std::to_string(c.length) +
                    (c.batch > 1 ? ", batch " + std::to_string(c.batch) : ""),
                time_text(median(s->seconds)), percent(median(s->counter("peak"))),
                rival ? format("%.2f", median(rival->seconds) / median(s->seconds)) : "", ratio});
  }
  return card(r) + "\n" + out;
}

std::string table(const std::string& name, const Sources& from) {
  const Results& r = from.results;
  if (name == "card") return card(r);
  if (name == "limits") return limits_table(r);
  if (name == "modules") return shapes_table(r, [](const Case& c) { return !c.sdpa && c.extra == Extra::none; });
  if (name == "sdpa") return shapes_table(r, [](const Case& c) { return c.sdpa && !head_dim_case(c); });
  if (name == "head_dims") return shapes_table(r, head_dim_case);
  if (name == "variants") return variants_table(r);
  if (name == "threads") return threads_table(r);
  if (name == "peers") return peers_table(from);
  if (name == "summary") return summary_table(from);
  throw std::runtime_error("there is no table \"" + name + "\"");
}

}  // namespace

std::string markdown(const std::string& path) {
  const Results r = read_results(path);
  const Sources from{r, nullptr};
  std::string out = card(r);
  const std::pair<const char*, const char*> parts[] = {
      {"limits", "Limits"},       {"modules", "nn.MultiheadAttention"}, {"sdpa", "scaled_dot_product_attention"},
      {"head_dims", "Any head_dim"}, {"variants", "Masks and weights"}};
  for (const auto& [name, title] : parts) out += "\n## " + std::string(title) + "\n\n" + table(name, from);
  if (!fast_archs(r).empty()) out += "\n## Threads\n\n" + table("threads", from);
  for (const std::string& name : r.names)
    if (const Series& s = r.series.at(name); !s.error.empty()) out += "\nNot measured: " + name + ": " + s.error + "\n";
  return out;
}

std::string arguments(const std::string& name) {
  const Case& c = case_named(name);
  if (c.sdpa || c.many_lengths()) throw std::runtime_error("heed bench has no words for " + name);
  return "--embed-dim " + std::to_string(c.embed_dim()) + " --num-heads " + std::to_string(c.num_heads) + " --query " +
         std::to_string(c.length) + " --batch " + std::to_string(c.batch) + "\n";
}

int insert_tables(const std::string& document, const std::string& results, const std::string& peers) {
  const Results r = read_results(results);
  const Sources from{r, peers.empty() ? nlohmann::json() : read_json(peers)};
  std::ifstream file(document);
  if (!file) throw std::runtime_error(document + ": cannot be opened");
  const std::string begin = "<!-- bench ", end = "<!-- end -->";
  std::ostringstream out;
  int tables = 0;
  for (std::string text; std::getline(file, text);) {
    out << text << "\n";
    if (text.rfind(begin, 0) != 0) continue;
    const std::string name = text.substr(begin.size(), text.find(" -->") - begin.size());
    out << "\n" << table(name, from) << "\n";
    while (std::getline(file, text) && text != end) {}
    if (text != end) throw std::runtime_error(document + ": no " + end + " after " + begin + name);
    out << end << "\n";
    ++tables;
  }
  if (tables == 0) throw std::runtime_error(document + ": no marker " + begin + "NAME -->");
  file.close();
  std::ofstream written(document);
  written << out.str();
  if (!written.flush()) throw std::runtime_error(document + ": cannot be written");
  return tables;
}

}  // namespace heed::bench
