// heed_peer - heed at the other end of a pipe, for peers.py, which times it in turn with PyTorch.
//
//   heed_peer list          the cases, as JSON
//   heed_peer serve FOLDER  then, line by line on stdin, each answered by a line:
//     case NAME             makes it ready; its tensors lie in FOLDER/<tensor>.f32 (.u8)
//     run N                 N calls; the answer is their CPU seconds
//     output                writes FOLDER/output.f32
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

#include "peak.hpp"
#include "subject.hpp"

namespace heed::bench {
namespace {

const char* extra_name(Extra extra) {
  constexpr const char* kNames[] = {"none",    "causal",       "bool_mask", "float_mask", "key_padding",
                                    "weights", "head_weights", "padded",    "apart",      "ragged"};
  return kNames[int(extra)];
}

void list() {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Case& c : kCases)
    all.push_back({{"name", c.name}, {"sdpa", c.sdpa}, {"batch", c.batch}, {"num_heads", c.num_heads},
                   {"head_dim", c.head_dim}, {"length", c.length}, {"extra", extra_name(c.extra)},
                   {"flops", c.flops()}});
  std::cout << all.dump(1) << "\n";
}

template <class Vector>
void save(const std::string& path, const Vector& values) {
  if (values.empty()) return;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), std::streamsize(values.size() * sizeof values[0]));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

class Server {
 public:
  explicit Server(std::string folder) : folder_(std::move(folder)) {}

  std::string answer(const std::string& line) {
    if (line.rfind("case ", 0) == 0) return open(line.substr(5));
    if (!subject_) throw std::runtime_error("no case yet");
    if (line.rfind("run ", 0) == 0) return run(std::stol(line.substr(4)));
    if (line != "output") throw std::runtime_error("unknown words: " + line);
    save(folder_ + "/output.f32", subject_->output());
    return "ok";
  }

 private:
  std::string open(const std::string& name) {
    const auto at = std::find_if(std::begin(kCases), std::end(kCases), [&](const Case& c) { return name == c.name; });
    if (at == std::end(kCases)) throw std::runtime_error("there is no case " + name);
    subject_.reset();
    problem_ = std::make_unique<Problem>(*at);
    subject_ = std::make_unique<Subject>(*problem_, nullptr, 1);
    subject_->run();
    if (!(subject_->error() < 1e-4)) throw std::runtime_error("the answer is wrong");
    const Problem& p = *problem_;
    const std::pair<const char*, const Floats*> tensors[] = {
        {"in_proj_weight", &p.in_proj_weight}, {"in_proj_bias", &p.in_proj_bias},
        {"out_proj_weight", &p.out_proj_weight}, {"out_proj_bias", &p.out_proj_bias},
        {"x", &p.x}, {"q", &p.q}, {"k", &p.k}, {"v", &p.v}, {"float_mask", &p.float_mask}};
    for (const auto& [tensor, values] : tensors) save(folder_ + "/" + tensor + ".f32", *values);
    save(folder_ + "/bool_mask.u8", p.bool_mask);
    save(folder_ + "/padding.u8", p.padding);
    return subject_->isa();
  }

  std::string run(long calls) {
    const double start = thread_seconds();
    for (long i = 0; i < calls; ++i) subject_->run();
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", thread_seconds() - start);
    return text;
  }

  std::string folder_;
  std::unique_ptr<Problem> problem_;
  std::unique_ptr<Subject> subject_;
};

}  // namespace
}  // namespace heed::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    heed::bench::list();
    return 0;
  }
  if (argc != 3 || std::strcmp(argv[1], "serve") != 0) {
    std::fprintf(stderr, "heed_peer: list, or serve FOLDER.\n");
    return 2;
  }
  try {
    heed::bench::Server server(argv[2]);
    for (std::string line; std::getline(std::cin, line);) std::cout << server.answer(line) << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "heed_peer: %s.\n", error.what());
    return 1;
  }
}
