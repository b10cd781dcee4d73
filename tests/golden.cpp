#include "golden.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace heed_test {
namespace {

using nlohmann::json;

// A reader of its own, so that heed's answers are not judged through heed's reader.
class File {
 public:
  explicit File(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    uint64_t size = 0;
    for (int i = 8; i-- > 0;) size = size << 8 | uint8_t(bytes_.at(size_t(i)));
    header_ = json::parse(bytes_.substr(8, size_t(size)));
    data_ = size_t(size) + 8;
  }
  json cases() const { return json::parse(header_.at("__metadata__").at("cases").get<std::string>()); }
  bool has(const std::string& name) const { return header_.contains(name); }
  std::vector<uint32_t> shape(const std::string& name) const { return header_.at(name).at("shape"); }
  bool is_float(const std::string& name) const { return header_.at(name).at("dtype") != "BOOL"; }
  const json& header() const { return header_; }

  // F64, F32 and BOOL as doubles.
  std::vector<double> read(const std::string& name) const {
    const json& t = header_.at(name);
    const size_t begin = t.at("data_offsets").at(0), end = t.at("data_offsets").at(1);
    const std::string type = t.at("dtype");
    std::vector<double> out;
    const size_t unit = type == "F64" ? 8 : type == "F32" ? 4 : 1;
    for (size_t at = begin; at < end; at += unit) {
      uint64_t bits = 0;
      for (size_t i = unit; i-- > 0;) bits = bits << 8 | uint8_t(bytes_.at(data_ + at + i));
      double x = double(bits);
      if (unit == 4) x = double(float_of_bits(uint32_t(bits)));
      if (unit == 8) std::memcpy(&x, &bits, sizeof x);
      out.push_back(x);
    }
    return out;
  }
  std::vector<float> floats(const std::string& name) const {
    const std::vector<double> v = read(name);
    return std::vector<float>(v.begin(), v.end());
  }

 private:
  std::string bytes_;
  json header_;
  size_t data_ = 0;
};

// (L, N, features) -> (N, L, features)
template <class T>
std::vector<T> batch_to_front(const std::vector<T>& v, size_t N, size_t L) {
  std::vector<T> out(v.size());
  if (v.empty()) return out;
  const size_t features = v.size() / (N * L);
  for (size_t n = 0; n < N; ++n)
    for (size_t l = 0; l < L; ++l)
      for (size_t f = 0; f < features; ++f) out[(n * L + l) * features + f] = v[(l * N + n) * features + f];
  return out;
}

Mask read_mask(const File& file, const std::string& name) {
  Mask m;
  if (!file.has(name)) return m;
  m.is_float = file.is_float(name);
  m.shape = file.shape(name);
  m.values = file.floats(name);
  return m;
}

heed_causal causal_of(const std::string& name) {
  if (name == "none") return HEED_CAUSAL_NONE;
  if (name == "top_left") return HEED_CAUSAL_TOP_LEFT;
  if (name == "bottom_right") return HEED_CAUSAL_BOTTOM_RIGHT;
  if (name == "offset") return HEED_CAUSAL_OFFSET;
  throw std::runtime_error("unknown causal " + name);
}

void read_sizes(const json& c, Problem& p) {
  p.sdpa = c.at("op") == "sdpa";
  p.N = c.at("batch");
  p.L = c.at("query_len");
  p.S = c.at("key_len");
  p.H = c.at("num_heads");
  p.Hkv = c.at("num_kv_heads");
  p.D = c.at("head_dim");
  p.Dv = c.at("v_head_dim");
  p.E = c.at("embed_dim");
  p.kdim = c.at("kdim").is_null() ? p.E : c.at("kdim").get<uint32_t>();
  p.vdim = c.at("vdim").is_null() ? p.E : c.at("vdim").get<uint32_t>();
}

void read_options(const json& c, Problem& p) {
  p.bias = c.at("bias");
  p.add_bias_kv = c.at("add_bias_kv");
  p.add_zero_attn = c.at("add_zero_attn");
  p.batch_first = c.at("batch_first");
  p.unbatched = c.at("unbatched");
  p.need_weights = c.at("need_weights");
  p.average = c.at("average_attn_weights");
  p.causal = causal_of(c.at("causal"));
  p.causal_offset = c.at("causal_offset");
  p.fully_masked = c.at("fully_masked") == "nan" ? HEED_FULLY_MASKED_NAN : HEED_FULLY_MASKED_ZERO;
  p.has_scale = !c.at("scale").is_null();
  if (p.has_scale) p.scale = c.at("scale");
}

void read_tensors(const File& file, const std::string& id, const json& c, GoldenCase& g) {
  Problem& p = g.problem;
  const bool swapped = !p.sdpa && !p.batch_first && !p.unbatched;
  p.key_is_query = !file.has(id + "/key");
  p.value_is_key = !file.has(id + "/value");
  p.q = file.floats(id + "/query");
  p.k = p.key_is_query ? p.q : file.floats(id + "/key");
  p.v = p.value_is_key ? p.k : file.floats(id + "/value");
  g.output = file.read(id + "/output");
  if (swapped) {
    p.q = batch_to_front(p.q, p.N, p.L);
    p.k = batch_to_front(p.k, p.N, p.S);
    p.v = batch_to_front(p.v, p.N, p.S);
    g.output = batch_to_front(g.output, p.N, p.L);
  }
  if (p.need_weights) g.weights = file.read(id + "/weights");
  p.mask = read_mask(file, id + "/attn_mask");
  p.padding = read_mask(file, id + "/key_padding_mask");
  if (p.sdpa) return;
  const std::string prefix = c.at("weights").get<std::string>() + "/";
  for (const auto& entry : file.header().items())
    if (entry.key().compare(0, prefix.size(), prefix) == 0)
      p.weights[entry.key().substr(prefix.size())] = file.floats(entry.key());
}

std::vector<GoldenCase> read_all() {
  const File file(HEED_TEST_DATA "/golden/golden.safetensors");
  std::vector<GoldenCase> cases;
  for (const json& c : file.cases()) {
    GoldenCase g;
    g.id = c.at("id");
    g.group = c.at("group");
    g.note = c.at("note");
    g.by_hand = c.at("by_hand");
    if (!c.at("torch_error_output").is_null()) g.torch_output = c.at("torch_error_output");
    if (!c.at("torch_error_weights").is_null()) g.torch_weights = c.at("torch_error_weights");
    read_sizes(c, g.problem);
    read_options(c, g.problem);
    read_tensors(file, g.id, c, g);
    cases.push_back(g);
  }
  return cases;
}

}  // namespace

const std::vector<GoldenCase>& golden_cases() {
  static const std::vector<GoldenCase> cases = read_all();
  return cases;
}

}  // namespace heed_test
