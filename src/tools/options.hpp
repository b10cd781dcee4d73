// options.hpp - what the command line said. Filled in by command_line.cpp, the only file that
// knows CLI11; a command is a plain function of its options.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "heed/heed.h"

namespace heed::tool {

enum class Color { automatic, always, never };

struct DemoOptions {
  Color color = Color::automatic;
};

enum class NeedWeights { none, average, per_head };

struct RunOptions {
  std::string weights;
  std::optional<std::string> prefix;
  std::uint32_t num_heads = 0;
  std::string query, key, value, key_padding_mask, attn_mask;  // empty: not given
  bool batch_first = false;
  bool add_zero_attn = false;
  heed_causal causal = HEED_CAUSAL_NONE;
  NeedWeights need_weights = NeedWeights::none;
  heed_fully_masked fully_masked = HEED_FULLY_MASKED_ZERO;
  std::optional<std::string> isa;
  std::uint32_t threads = 1;
  std::string output, output_weights, heatmap;
};

struct PlanOptions {
  heed_config config = heed_config_default(0, 0);
  std::optional<std::string> isa;
  bool no_bias = false;
  bool explain = false;
  bool json = false;
};

struct BenchOptions {
  std::uint32_t embed_dim = 0, num_heads = 0, batch = 1, query = 0, key = 0, threads = 1;  // key 0: query
  bool causal = false;
  NeedWeights need_weights = NeedWeights::none;
  std::optional<std::string> isa;
  double seconds = 1.0;
  bool json = false;
};

struct CompareOptions {
  std::string a, b;
  std::optional<double> tolerance;
};

struct PackOptions {
  std::string weights;
  std::optional<std::string> prefix;
  std::uint32_t num_heads = 0;
  std::string target = "any";
  std::string header, output;  // one of them
};

struct UnpackOptions {
  std::string input, output, prefix;
};

// Each throws Failure for bad input.
void demo(const DemoOptions& options);
void run(const RunOptions& options);
void plan(const PlanOptions& options);
void bench(const BenchOptions& options);
void info();
void compare(const CompareOptions& options);
void pack(const PackOptions& options);
void unpack(const UnpackOptions& options);

// Parses and runs; the exit code is 0, or 2 for wrong usage.
int command_line(int argc, char** argv);

}  // namespace heed::tool
