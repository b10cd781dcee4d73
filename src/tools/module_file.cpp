// module_file.cpp - finds a module by the names of its tensors, and checks every shape here,
// where the file and the tensor can be named. Three ways of naming are in use:
//
//   in_proj_weight                                   PyTorch, kdim == vdim == embed_dim
//   q_proj_weight, k_proj_weight, v_proj_weight      PyTorch, otherwise
//   q_proj.weight, k_proj.weight, v_proj.weight      Hugging Face
#include "tools/module_file.hpp"

#include <algorithm>
#include <set>

#include "heed/io.hpp"
#include "heed/rules.hpp"
#include "tools/failure.hpp"

namespace heed::tool {
namespace {

constexpr const char* kFused = "in_proj_weight";
constexpr const char* kFirstWeights[] = {kFused, "q_proj_weight", "q_proj.weight"};

bool ends_with(const std::string& name, const std::string& tail) {
  return name.size() >= tail.size() && name.compare(name.size() - tail.size(), tail.size(), tail) == 0;
}

// The prefixes of all modules of a file: "" or something with a dot at its end.
std::set<std::string> prefixes(const io::SafetensorsFile& file) {
  std::set<std::string> found;
  for (const io::TensorInfo& tensor : file.tensors())
    for (const std::string tail : kFirstWeights)
      if (ends_with(tensor.name, tail)) {
        const std::string prefix = tensor.name.substr(0, tensor.name.size() - tail.size());
        if (prefix.empty() || prefix.back() == '.') found.insert(prefix);
      }
  return found;
}

std::string list(const std::set<std::string>& prefixes) {
  constexpr std::size_t kMost = 8;
  std::string out;
  std::size_t n = 0;
  for (const std::string& prefix : prefixes) {
    if (n++ == kMost) return io::text(out, " and ", prefixes.size() - kMost, " more");
    out += (out.empty() ? "" : ", ") + io::quote_name(prefix);
  }
  return out;
}

std::string choose_prefix(const io::SafetensorsFile& file, const std::optional<std::string>& wanted) {
  const std::set<std::string> found = prefixes(file);
  if (found.empty())
    refuse(file.file_name(), ": expected a tensor in_proj_weight, q_proj_weight or q_proj.weight, found none among ",
           file.tensors().size());
  if (wanted) {
    if (found.count(*wanted)) return *wanted;
    refuse(file.file_name(), ": expected a module under --prefix ", io::quote_name(*wanted), ", found only ",
           list(found));
  }
  if (found.count("")) return "";
  if (found.size() > 1)
    refuse(file.file_name(), ": expected one module or a --prefix, found ", found.size(), " modules, ", list(found));
  return *found.begin();
}

class Reader {
 public:
  Reader(const io::SafetensorsFile& file, Module& module) : file_(file), module_(module) {}

  bool has(const std::string& name) const { return find(name) != nullptr; }

  // The shape of a matrix that must be there.
  io::Shape matrix(const std::string& name) const {
    const io::TensorInfo* tensor = find(name);
    if (!tensor) refuse(file_.file_name(), ": expected a tensor ", quoted(name), ", found none of this name");
    if (tensor->shape.size() != 2) wrong(*tensor, "2 dimensions");
    for (const uint64_t size : tensor->shape)
      if (size == 0 || size > 3 * uint64_t(kMaxEmbedDim)) wrong(*tensor, io::text("sizes from 1 to ", kMaxEmbedDim));
    return tensor->shape;
  }

  // A view of a tensor, which must have this shape and must be there.
  heed_tensor read(const std::string& name, const io::Shape& shape) {
    const io::TensorInfo* tensor = find(name);
    if (!tensor) refuse(file_.file_name(), ": expected a tensor ", quoted(name), ", found none of this name");
    if (tensor->shape != shape) wrong(*tensor, io::text("the shape ", io::shape_text(shape)));
    io::Shape same;
    std::vector<float> values;
    check(file_.read_f32(tensor->name, values, same));
    return keep(std::move(values), shape);
  }

  // The same for a bias, which is zeros if it is not there (Whisper has no key bias).
  heed_tensor read_bias(const std::string& name, uint64_t size) {
    if (has(name)) return read(name, {size});
    return keep(std::vector<float>(static_cast<std::size_t>(size)), {size});
  }

 private:
  const io::TensorInfo* find(const std::string& name) const { return file_.find(module_.prefix + name); }
  std::string quoted(const std::string& name) const { return io::quote_name(module_.prefix + name); }

  [[noreturn]] void wrong(const io::TensorInfo& tensor, const std::string& expected) const {
    refuse(file_.file_name(), ": tensor ", io::quote_name(tensor.name), ": expected ", expected, ", found the shape ",
           io::shape_text(tensor.shape));
  }

  heed_tensor keep(std::vector<float> values, const io::Shape& shape) {
    module_.values.push_back(std::move(values));
    uint32_t d[3] = {};
    std::transform(shape.begin(), shape.end(), d, [](uint64_t size) { return static_cast<uint32_t>(size); });
    return heed_contiguous(module_.values.back().data(), HEED_FLOAT32, static_cast<uint32_t>(shape.size()), d[0], d[1],
                           d[2], 0);
  }

  const io::SafetensorsFile& file_;
  Module& module_;
};

void read_weights(Reader& r, Module& m) {
  std::string name;
  for (const std::string candidate : kFirstWeights) {
    if (!r.has(candidate)) continue;
    if (!name.empty())
      refuse(m.path, ": expected one kind of projection, found ", io::quote_name(m.prefix + name), " and ",
             io::quote_name(m.prefix + candidate));
    name = candidate;
  }
  heed_state_dict& s = m.state_dict;
  if (name == kFused) {
    const uint64_t e = r.matrix(name)[1];
    m.embed_dim = m.kdim = m.vdim = static_cast<uint32_t>(e);
    s.in_proj_weight = r.read(name, {3 * e, e});
  } else {
    const uint64_t e = r.matrix(name)[0];
    const auto read = [&](char which, heed_tensor& tensor) {
      name[0] = which;
      const uint64_t features = which == 'q' ? e : r.matrix(name)[1];
      tensor = r.read(name, {e, features});
      return static_cast<uint32_t>(features);
    };
    m.embed_dim = read('q', s.q_proj_weight);
    m.kdim = read('k', s.k_proj_weight);
    m.vdim = read('v', s.v_proj_weight);
  }
  s.out_proj_weight = r.read("out_proj.weight", {m.embed_dim, m.embed_dim});
}

// Biases are all or nothing for a plan; a file may have any of them.
void read_biases(Reader& r, Module& m) {
  const bool fused = r.has("in_proj_bias");
  const bool separate = r.has("q_proj.bias") || r.has("k_proj.bias") || r.has("v_proj.bias");
  if (fused && separate)
    refuse(m.path, ": expected one kind of bias, found ", io::quote_name(m.prefix + "in_proj_bias"),
           " and one of q_proj.bias, k_proj.bias and v_proj.bias");
  m.bias = fused || separate || r.has("out_proj.bias");
  if (!m.bias) return;
  heed_state_dict& s = m.state_dict;
  if (fused) {
    s.in_proj_bias = r.read("in_proj_bias", {3 * uint64_t(m.embed_dim)});
  } else {
    s.q_proj_bias = r.read_bias("q_proj.bias", m.embed_dim);
    s.k_proj_bias = r.read_bias("k_proj.bias", m.embed_dim);
    s.v_proj_bias = r.read_bias("v_proj.bias", m.embed_dim);
  }
  s.out_proj_bias = r.read_bias("out_proj.bias", m.embed_dim);
}

void read_bias_kv(Reader& r, Module& m) {
  m.add_bias_kv = r.has("bias_k") || r.has("bias_v");
  if (!m.add_bias_kv) return;
  m.state_dict.bias_k = r.read("bias_k", {1, 1, m.embed_dim});
  m.state_dict.bias_v = r.read("bias_v", {1, 1, m.embed_dim});
}

}  // namespace

Module load_module(const std::string& path, const std::optional<std::string>& prefix) {
  io::SafetensorsFile file;
  check(io::load_safetensors(path, file));
  Module module;
  module.path = path;
  module.prefix = choose_prefix(file, prefix);
  module.prefix_found = !prefix && !module.prefix.empty();
  Reader reader(file, module);
  read_weights(reader, module);
  read_biases(reader, module);
  read_bias_kv(reader, module);
  return module;
}

}  // namespace heed::tool
