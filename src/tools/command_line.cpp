// command_line.cpp - the words that one can say to heed. The only door to CLI11.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/options.hpp"

namespace heed::tool {
namespace {

constexpr int kWrongUsage = 2;

// One of a few words that stands for a value of an enumeration.
template <class Enum>
void add_choice(CLI::App& app, const std::string& name, Enum& value,
                const std::vector<std::pair<std::string, Enum>>& choices, const std::string& help) {
  std::string words;
  for (const auto& choice : choices) words += (words.empty() ? "" : "|") + choice.first;
  const auto choose = [&value, choices, words, name](const std::string& word) {
    for (const auto& choice : choices) {
      if (choice.first != word) continue;
      value = choice.second;
      return;
    }
    throw CLI::ValidationError(name, "expected " + words + ", found " + word);
  };
  app.add_option_function<std::string>(name, choose, help)->type_name(words);
}

CLI::App* add_demo(CLI::App& app, DemoOptions& o) {
  CLI::App* demo = app.add_subcommand("demo", "The lecture's example from seed 0, without PyTorch");
  add_choice<Color>(*demo, "--color", o.color,
                    {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
                    "Colours: auto is a terminal without NO_COLOR");
  return demo;
}

void add_run_inputs(CLI::App& run, RunOptions& o) {
  run.add_option("--weights", o.weights, "Weights of the module, a state_dict")
      ->required()
      ->type_name("FILE.safetensors");
  run.add_option("--prefix", o.prefix, "What stands before in_proj_weight, such as self_attn. (default: found)")
      ->type_name("TEXT");
  run.add_option("--num-heads", o.num_heads, "Heads; the file does not say")->required()->type_name("H");
  run.add_option("--query", o.query, "(L, N, E), or unbatched (L, E)")->required()->type_name("Q.npy");
  run.add_option("--key", o.key, "(S, N, kdim); default: the query")->type_name("K.npy");
  run.add_option("--value", o.value, "(S, N, vdim); default: the key")->type_name("V.npy");
  run.add_flag("--batch-first", o.batch_first, "N comes first: (N, L, E)");
  run.add_option("--key-padding-mask", o.key_padding_mask, "(N, S), bool: true = ignore; or float, added")
      ->type_name("M.npy");
  run.add_option("--attn-mask", o.attn_mask, "(L, S) or (N*H, L, S), bool: true = not allowed; or float")
      ->type_name("M.npy");
  add_choice<heed_causal>(run, "--causal", o.causal,
                          {{"top-left", HEED_CAUSAL_TOP_LEFT}, {"bottom-right", HEED_CAUSAL_BOTTOM_RIGHT}},
                          "Query i sees keys up to i, or up to i + S - L");
  run.add_flag("--add-zero-attn", o.add_zero_attn, "One more key and value of zeros");
}

void add_run_outputs(CLI::App& run, RunOptions& o) {
  add_choice<NeedWeights>(run, "--need-weights", o.need_weights,
                          {{"average", NeedWeights::average}, {"per-head", NeedWeights::per_head}},
                          "Which weights to write (default: average)");
  add_choice<heed_fully_masked>(run, "--fully-masked", o.fully_masked,
                                {{"zero", HEED_FULLY_MASKED_ZERO}, {"nan", HEED_FULLY_MASKED_NAN}},
                                "What a query that sees no key gives (default: zero)");
  run.add_option("--isa", o.isa, "Arch to run on, see heed info")->type_name("NAME");
  run.add_option("--threads", o.threads, "Threads (default: 1); the answer has the same bits")
      ->check(CLI::Range(1u, 1024u).description(""))
      ->type_name("N");
  run.add_option("--output", o.output, "The attention output")->required()->type_name("OUT.npy");
  run.add_option("--output-weights", o.output_weights, "The attention weights")->type_name("W.npy");
  run.add_option("--heatmap", o.heatmap, "The attention weights as a picture")->type_name("FILE.png");
}

// Combinations that cannot be.
void check_run(RunOptions& o) {
  const bool weights = !o.output_weights.empty() || !o.heatmap.empty();
  if (o.need_weights != NeedWeights::none && !weights)
    throw CLI::ValidationError("--need-weights", "needs --output-weights or --heatmap to write to");
  if (o.need_weights == NeedWeights::none && weights) o.need_weights = NeedWeights::average;
  std::set<std::filesystem::path> paths;
  for (const std::string* name : {&o.output, &o.output_weights, &o.heatmap})
    if (!name->empty() && !paths.insert(std::filesystem::absolute(*name).lexically_normal()).second)
      throw CLI::ValidationError(*name, "cannot hold two outputs");
}

CLI::App* add_run(CLI::App& app, RunOptions& o) {
  CLI::App* run = app.add_subcommand("run", "Multi-head attention on files");
  add_run_inputs(*run, o);
  add_run_outputs(*run, o);
  return run;
}

CLI::App* add_plan(CLI::App& app, PlanOptions& o) {
  CLI::App* plan = app.add_subcommand("plan", "Sizes, memory map and arch of a configuration");
  o.config.max_query = 1;
  plan->add_option("--embed-dim", o.config.embed_dim, "E, features of query and output")->required()->type_name("E");
  plan->add_option("--num-heads", o.config.num_heads, "H, a divisor of E")->required()->type_name("H");
  plan->add_option("--max-query", o.config.max_query, "Queries of a call at most (default: 1)")->type_name("L");
  plan->add_option("--max-key", o.config.max_key, "Keys of a call at most (default: L)")->type_name("S");
  plan->add_option("--max-batch", o.config.max_batch, "Batch at most (default: 1); costs no memory")->type_name("N");
  plan->add_option("--kdim", o.config.kdim, "Features of key (default: E)")->type_name("K");
  plan->add_option("--vdim", o.config.vdim, "Features of value (default: E)")->type_name("V");
  plan->add_flag("--no-bias", o.no_bias, "Projections without biases");
  plan->add_flag("--add-bias-kv", o.config.add_bias_kv, "One more key and value, learned");
  plan->add_flag("--add-zero-attn", o.config.add_zero_attn, "One more key and value of zeros");
  plan->add_flag("--batch-first", o.config.batch_first, "N comes first");
  plan->add_option("--slices", o.config.slices, "Threads of a call at most (default: 1)")->type_name("N");
  plan->add_option("--isa", o.isa, "Arch to run on, see heed info")->type_name("NAME");
  plan->add_flag("--explain", o.explain, "Which kernels will run, and why");
  plan->add_flag("--json", o.json, "As JSON");
  return plan;
}

CLI::App* add_bench(CLI::App& app, BenchOptions& o) {
  CLI::App* bench = app.add_subcommand("bench", "How long a call takes, on random numbers");
  const auto positive = CLI::Range(1u, 4294967295u).description("");
  bench->add_option("--embed-dim", o.embed_dim, "E, features of query and output")->required()->type_name("E");
  bench->add_option("--num-heads", o.num_heads, "H, a divisor of E")->required()->type_name("H");
  bench->add_option("--query", o.query, "L, queries")->required()->check(positive)->type_name("L");
  bench->add_option("--key", o.key, "S, keys (default: L)")->check(positive)->type_name("S");
  bench->add_option("--batch", o.batch, "N (default: 1)")->check(positive)->type_name("N");
  bench->add_flag("--causal", o.causal, "Query i sees keys up to i + S - L");
  add_choice<NeedWeights>(*bench, "--need-weights", o.need_weights,
                          {{"average", NeedWeights::average}, {"per-head", NeedWeights::per_head}},
                          "Compute attention weights, too");
  bench->add_option("--threads", o.threads, "Threads (default: 1)")
      ->check(CLI::Range(1u, 1024u).description(""))
      ->type_name("N");
  bench->add_option("--isa", o.isa, "Arch to run on, see heed info")->type_name("NAME");
  bench->add_option("--seconds", o.seconds, "How long to measure (default: 1)")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("T");
  bench->add_flag("--json", o.json, "As JSON");
  return bench;
}

CLI::App* add_compare(CLI::App& app, CompareOptions& o) {
  CLI::App* compare = app.add_subcommand("compare", "The largest difference between two npy files");
  compare->add_option("A", o.a, "One file")->required()->type_name("A.npy");
  compare->add_option("B", o.b, "The other")->required()->type_name("B.npy");
  compare->add_option("--tolerance", o.tolerance, "Exit with 1 if the difference is greater")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
      ->type_name("T");
  return compare;
}

// The packed bytes are the same for every target; what is checked is the name.
constexpr const char* kTargets[] = {"any",          "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55",
                                    "raspi3b-bare", "rpi2-32",   "rpi3",      "rpi4",       "rpi5"};

CLI::App* add_pack(CLI::App& app, PackOptions& o) {
  CLI::App* pack =
      app.add_subcommand("pack", "Weights for a device, which reads them in place: from flash, without a copy");
  pack->add_option("FILE", o.weights, "Weights of the module, a state_dict")->required()->type_name("FILE.safetensors");
  pack->add_option("--num-heads", o.num_heads, "Heads; the file does not say")->required()->type_name("H");
  pack->add_option("--prefix", o.prefix, "What stands before in_proj_weight, such as self_attn. (default: found)")
      ->type_name("TEXT");
  std::vector<std::pair<std::string, std::string>> targets;
  for (const char* name : kTargets) targets.push_back({name, name});
  add_choice<std::string>(
      *pack, "--target", o.target, targets,
      "The board (default: any). Its name goes into the header; the packed bytes are the same on all");
  pack->add_option("--header", o.header, "As a C header, to be compiled in")->type_name("NAME.h");
  pack->add_option("--output", o.output, "As a file, see docs/blob.md")->type_name("NAME.heed");
  return pack;
}

void check_pack(const PackOptions& o) {
  if (o.header.empty() == o.output.empty()) throw CLI::ValidationError("pack", "needs either --header or --output");
}

CLI::App* add_unpack(CLI::App& app, UnpackOptions& o) {
  CLI::App* unpack = app.add_subcommand("unpack", "The state_dict that heed pack took, bit for bit");
  unpack->add_option("FILE", o.input, "What heed pack --output wrote")->required()->type_name("FILE.heed");
  unpack->add_option("--output", o.output, "The state_dict, under PyTorch's names")
      ->required()
      ->type_name("OUT.safetensors");
  unpack->add_option("--prefix", o.prefix, "What to put before each name, such as self_attn.")->type_name("TEXT");
  return unpack;
}

struct Options {
  DemoOptions demo;
  RunOptions run;
  PlanOptions plan;
  BenchOptions bench;
  CompareOptions compare;
  PackOptions pack;
  UnpackOptions unpack;
};

void parse_and_run(CLI::App& app, Options& o, int argc, char** argv) {
  const CLI::App* on_demo = add_demo(app, o.demo);
  const CLI::App* on_run = add_run(app, o.run);
  const CLI::App* on_plan = add_plan(app, o.plan);
  const CLI::App* on_bench = add_bench(app, o.bench);
  const CLI::App* on_info = app.add_subcommand("info", "The archs in this build and on this CPU");
  const CLI::App* on_compare = add_compare(app, o.compare);
  const CLI::App* on_pack = add_pack(app, o.pack);
  const CLI::App* on_unpack = add_unpack(app, o.unpack);
  if (argc < 2) throw CLI::CallForHelp();
  app.parse(argc, argv);
  if (app.get_subcommands().empty()) throw CLI::RequiredError("A command");
  if (on_run->parsed()) check_run(o.run);
  if (on_pack->parsed()) check_pack(o.pack);

  if (on_demo->parsed()) demo(o.demo);
  if (on_run->parsed()) run(o.run);
  if (on_plan->parsed()) plan(o.plan);
  if (on_bench->parsed()) bench(o.bench);
  if (on_info->parsed()) info();
  if (on_compare->parsed()) compare(o.compare);
  if (on_pack->parsed()) pack(o.pack);
  if (on_unpack->parsed()) unpack(o.unpack);
}

}  // namespace

int command_line(int argc, char** argv) {
  CLI::App app("heed - multi-head attention for edge devices", "heed");
  app.set_version_flag("--version", "heed " HEED_VERSION_STRING);
  app.require_subcommand(0, 1);
  app.footer("Exit codes: 0, 1 bad input, 2 wrong usage. heed COMMAND --help says more.");
  Options options;
  try {
    parse_and_run(app, options, argc, argv);
    return 0;
  } catch (const CLI::CallForHelp& help) {
    if (argc >= 2) return app.exit(help);
    std::cerr << app.help();
    return kWrongUsage;
  } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? 0 : kWrongUsage; }
}

}  // namespace heed::tool
