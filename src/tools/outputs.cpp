#include "tools/outputs.hpp"

#include <cstdio>
#include <vector>

#include "tools/failure.hpp"
#include "tools/png_file.hpp"

namespace heed::tool {
namespace {

// Removes what was written unless all of it was.
class Written {
 public:
  Written() = default;
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() {
    for (const std::string& path : paths_) std::remove(path.c_str());
  }
  void add(const std::string& path) { paths_.push_back(path); }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

}  // namespace

void write_outputs(const Outputs& o) {
  Written written;
  check(io::write_npy(o.output_path, o.output));
  written.add(o.output_path);
  if (!o.weights_path.empty()) {
    check(io::write_npy(o.weights_path, o.weights));
    written.add(o.weights_path);
  }
  if (!o.heatmap_path.empty()) write_heatmap(o.heatmap_path, o.panels, o.weights.f32.data());
  written.keep();
}

}  // namespace heed::tool
