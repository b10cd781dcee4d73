// c_header.cpp - packed weights as a C header: 32-bit words, because floats have no spelling for
// every bit pattern. No name from a file or the command line but `stem` gets into it.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

#include "io/fail.hpp"
#include "tools/packed.hpp"

namespace heed::tool {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Line by line, with @s and @S for the stem.
void add_lines(std::string& out, const char* lines, const std::string& stem) {
  const std::string capitals = upper(stem);
  for (; *lines; ++lines) {
    if (*lines != '@') out += *lines;
    else out += *++lines == 's' ? stem : capitals;
  }
}

void add_number(std::string& out, const std::string& stem, const char* name, uint64_t value) {
  out += io::text("#define ", upper(stem), "_", name, " ", value, "u\n");
}

void add_words(std::string& out, const Packed& packed) {
  constexpr std::size_t kInLine = 10;
  const std::size_t words = packed.bytes.size() / sizeof(uint32_t);
  const unsigned char* bytes = static_cast<const unsigned char*>(packed.bytes.data());
  out.reserve(out.size() + 11 * words + words / kInLine + 64);
  for (std::size_t i = 0; i < words; ++i) {
    uint32_t word;
    char text[16];
    std::memcpy(&word, bytes + i * sizeof word, sizeof word);
    std::snprintf(text, sizeof text, "0x%08x,", static_cast<unsigned>(word));
    out += text;
    if (i % kInLine == kInLine - 1 || i + 1 == words) out += '\n';
  }
}

constexpr const char* kUse =
    " * Packed weights for a little-endian machine, to lie in flash and be read there. Include it in one\n"
    " * file, for its array is static:\n"
    " *\n"
    " *   heed_config config = @s_config();    then set max_query and what else the program knows\n"
    " *   heed_plan_init(&config, ..., &plan, &error);\n"
    " *   heed_weights_verify(plan, @s_weights, sizeof @s_weights, &error);\n"
    " *   heed_forward(plan, @s_weights, ...);\n"
    " *\n"
    " * C++ sizes its arenas: constexpr auto config = @S_CONFIG.max_query(4);\n"
    " * @S_SECTION may be defined before, to place it: __attribute__((section(\".name\"))).\n"
    " */\n"
    "#ifndef HEED_PACKED_@S_H_\n"
    "#define HEED_PACKED_@S_H_\n\n"
    "#include \"heed/heed.h\"\n\n";

constexpr const char* kConfig =
    "#define @S_CONFIG heed::Config(@S_EMBED_DIM, @S_NUM_HEADS).bias(@S_BIAS) \\\n"
    "  .add_bias_kv(@S_ADD_BIAS_KV).kdim(@S_KDIM).vdim(@S_VDIM) /* heed/heed.hpp */\n\n"
    "static inline heed_config @s_config(void) {\n"
    "  heed_config config = heed_config_default(@S_EMBED_DIM, @S_NUM_HEADS);\n"
    "  config.bias = @S_BIAS;\n"
    "  config.add_bias_kv = @S_ADD_BIAS_KV;\n"
    "  config.kdim = @S_KDIM;\n"
    "  config.vdim = @S_VDIM;\n"
    "  return config;\n"
    "}\n\n"
    "#ifndef @S_SECTION\n"
    "#define @S_SECTION\n"
    "#endif\n"
    "#if defined(__cplusplus)\n"
    "alignas(64)\n"
    "#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n"
    "_Alignas(64)\n"
    "#else\n"
    "HEED_ALIGNED\n"
    "#endif\n"
    "static const uint32_t @s_weights[@S_BYTES / 4] @S_SECTION = {\n";

}  // namespace

bool is_identifier(const std::string& text) {
  const auto fits = [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); };
  return !text.empty() && std::all_of(text.begin(), text.end(), fits) &&
         !std::isdigit(static_cast<unsigned char>(text[0])) && text[0] != '_';
}

std::string c_header(const Packed& packed, const std::string& stem, const std::string& target) {
  const heed_config& c = packed.config;
  std::string out =
      io::text("/* ", stem, ".h - made by `heed pack` of heed " HEED_VERSION_STRING, " for ", target, ".\n");
  add_lines(out, kUse, stem);
  add_number(out, stem, "EMBED_DIM", c.embed_dim);
  add_number(out, stem, "NUM_HEADS", c.num_heads);
  add_number(out, stem, "KDIM", c.kdim);
  add_number(out, stem, "VDIM", c.vdim);
  add_number(out, stem, "BIAS", c.bias);
  add_number(out, stem, "ADD_BIAS_KV", c.add_bias_kv);
  add_number(out, stem, "BYTES", packed.bytes.size());
  add_lines(out, kConfig, stem);
  add_words(out, packed);
  return out + "};\n\n#endif\n";
}

}  // namespace heed::tool
