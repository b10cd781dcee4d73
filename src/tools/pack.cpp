// pack.cpp - heed pack and heed unpack: from a state_dict to what a device reads in place, and
// back, bit for bit.
#include <cstdio>
#include <filesystem>

#include "io/file.hpp"
#include "tools/failure.hpp"
#include "tools/options.hpp"
#include "tools/packed.hpp"

namespace heed::tool {
namespace {

void write_file(const std::string& path, const void* data, std::size_t size) {
  io::AtomicFile file;
  check(file.open(path));
  file.write(data, size);
  check(file.commit());
}

// The name of the header without ".h", which becomes part of every name in it.
std::string stem_of(const std::string& path) {
  const std::filesystem::path name = std::filesystem::path(path).filename();
  if (name.extension() != ".h" || !is_identifier(name.stem().string()))
    refuse(path, ": expected a name like my_module.h, of which my_module is a C identifier, found ",
           io::quote_name(name.string()));
  return name.stem().string();
}

}  // namespace

void pack(const PackOptions& o) {
  const std::string stem = o.header.empty() ? "" : stem_of(o.header);
  const Module module = load_module(o.weights, o.prefix);
  const Packed packed = pack_module(module, o.num_heads);
  if (!o.header.empty()) {
    const std::string text = c_header(packed, stem, o.target);
    write_file(o.header, text.data(), text.size());
  } else {
    write_file(o.output, packed.bytes.data(), packed.bytes.size());
  }
  if (module.prefix_found)
    std::fprintf(stderr, "heed: %s: took the module under %s\n", o.weights.c_str(),
                 io::quote_name(module.prefix).c_str());
}

void unpack(const UnpackOptions& o) {
  const Packed packed = load_packed(o.input);
  const std::vector<NamedTensor> tensors = unpack(packed, o.input);
  std::vector<io::TensorView> views;
  views.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors)
    views.push_back(io::view_f32(o.prefix + tensor.name, tensor.shape, tensor.values));
  check(io::write_safetensors(o.output, views, {}));
}

}  // namespace heed::tool
