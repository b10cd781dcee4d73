#include "tools/heatmap.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tools/failure.hpp"
#include "tools/png_file.hpp"

namespace heed::tool {
namespace {

constexpr Rgb kNan = {128, 128, 128};
constexpr Rgb kSeparatorColour = {255, 255, 255};

// Between the control points of viridis, in steps of 1/8.
constexpr Rgb kControl[] = {{68, 1, 84},    {71, 44, 122}, {59, 81, 139},  {44, 113, 142}, {33, 144, 141},
                            {39, 173, 129}, {92, 200, 99}, {170, 220, 50}, {253, 231, 37}};

uint8_t between(uint8_t a, uint8_t b, float t) {
  return static_cast<uint8_t>(std::lround(float(a) + t * (float(b) - float(a))));
}

std::array<Rgb, 256> make_colour_map() {
  constexpr std::size_t kSteps = std::size(kControl) - 1;
  std::array<Rgb, 256> map{};
  for (std::size_t i = 0; i < map.size(); ++i) {
    const float at = float(i) / 255.0f * float(kSteps);
    const std::size_t step = std::min(static_cast<std::size_t>(at), kSteps - 1);
    const Rgb a = kControl[step], b = kControl[step + 1];
    const float t = at - float(step);
    map[i] = {between(a.red, b.red, t), between(a.green, b.green, t), between(a.blue, b.blue, t)};
  }
  return map;
}

Rgb colour(float value, const Range& r) { return std::isnan(value) ? kNan : colour_map()[r.index(value)]; }

// The nearest of the 6 x 6 x 6 colours of a terminal.
int terminal_colour(Rgb c) {
  const auto level = [](uint8_t v) { return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40; };
  return 16 + 36 * level(c.red) + 6 * level(c.green) + level(c.blue);
}

bool is_bright(Rgb c) { return 299 * c.red + 587 * c.green + 114 * c.blue > 110000; }

std::string printed(const char* format, double value) {
  char out[48];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

// One line of pixels: `y` counts from the top of the picture.
class Painter {
 public:
  Painter(const Panels& p, const float* weights, const Range& r) : p_(p), weights_(weights), range_(r) {}

  void operator()(uint32_t y, Rgb* line) const {
    std::fill_n(line, p_.width(), kSeparatorColour);
    const uint64_t pitch = p_.panel_height() + Panels::kSeparator;
    const uint64_t batch = y / pitch, inside = y % pitch;
    if (inside < Panels::kSeparator) return;
    const uint64_t query = (inside - Panels::kSeparator) / p_.cell_height;
    for (uint64_t head = 0; head < p_.heads; ++head) {
      const float* row = weights_ + ((batch * p_.heads + head) * p_.queries + query) * p_.keys;
      Rgb* pixel = line + Panels::kSeparator + head * (p_.panel_width() + Panels::kSeparator);
      for (uint32_t key = 0; key < p_.keys; ++key, pixel += p_.cell_width)
        std::fill_n(pixel, p_.cell_width, colour(row[key], range_));
    }
  }

 private:
  const Panels& p_;
  const float* weights_;
  const Range& range_;
};

}  // namespace

const std::array<Rgb, 256>& colour_map() {
  static const std::array<Rgb, 256> map = make_colour_map();
  return map;
}

std::size_t Range::index(float value) const {
  if (!(most > least)) return 0;
  const float t = (std::clamp(value, least, most) - least) / (most - least);
  return static_cast<std::size_t>(std::lround(t * 255.0f));
}

Range range(const float* values, std::size_t count) {
  Range r;
  bool first = true;
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) continue;
    r.least = first ? values[i] : std::min(r.least, values[i]);
    r.most = first ? values[i] : std::max(r.most, values[i]);
    first = false;
  }
  return r;
}

std::string terminal_heatmap(const float* weights, uint32_t rows, uint32_t columns, bool colours) {
  const Range r = range(weights, std::size_t(rows) * columns);
  std::string out = "       ";
  for (uint32_t j = 0; j < columns; ++j) out += io::text("  key ", j, " ");
  out += "\n";
  for (uint32_t i = 0; i < rows; ++i) {
    out += io::text("query ", i);
    for (uint32_t j = 0; j < columns; ++j) {
      const float value = weights[std::size_t(i) * columns + j];
      const Rgb c = colour(value, r);
      const std::string number = printed(" %.4f ", double(value));
      out += colours
                 ? io::text("\033[48;5;", terminal_colour(c), ";38;5;", is_bright(c) ? 16 : 231, "m", number, "\033[0m")
                 : number;
    }
    out += "\n";
  }
  return out;
}

Panels panels(uint32_t batch, uint32_t heads, uint32_t queries, uint32_t keys, const std::string& path) {
  constexpr uint32_t kWanted = 200, kMostWhenSquare = 1200;
  Panels p;
  p.batch = batch;
  p.heads = heads;
  p.queries = queries;
  p.keys = keys;
  if (batch == 0 || queries == 0 || keys == 0)
    refuse(path, ": expected weights to draw, found the shape ", io::shape_text({batch, heads, queries, keys}));
  p.cell_width = std::max(1u, (kWanted + keys - 1) / keys);
  p.cell_height = std::max(1u, (kWanted + queries - 1) / queries);
  const uint32_t cell = std::max(p.cell_width, p.cell_height);
  if (uint64_t(cell) * std::max(queries, keys) <= kMostWhenSquare) p.cell_width = p.cell_height = cell;
  if (p.width() > Panels::kMaxSide || p.height() > Panels::kMaxSide)
    refuse(path, ": expected a picture of at most ", Panels::kMaxSide, " pixels a side, found ", p.width(), " x ",
           p.height(), " for the weights ", io::shape_text({batch, heads, queries, keys}));
  return p;
}

void write_heatmap(const std::string& path, const Panels& p, const float* weights) {
  const Range r = range(weights, std::size_t(p.batch) * p.heads * p.queries * p.keys);
  const std::string about =
      io::text("Attention weights. Down: ", p.batch, " batch entries of ", p.queries, " queries. Across: ", p.heads,
               " heads of ", p.keys, " keys. Dark is ", printed("%.6g", double(r.least)), ", bright is ",
               printed("%.6g", double(r.most)), ", grey is NaN.");
  write_png(path, static_cast<uint32_t>(p.width()), static_cast<uint32_t>(p.height()), about, Painter(p, weights, r));
}

}  // namespace heed::tool
