// onednn.hpp - attention as one would write it with oneDNN: primitives made once, weights in the
// order that oneDNN asks for, no copies between them. A rival; the arch `onednn` is a witness, which
// packs and copies on every call. In a build without oneDNN there is none.
#pragma once
#include <memory>

#include "problem.hpp"

namespace heed::bench {

class Rival {
 public:
  virtual ~Rival() = default;
  virtual void run() = 0;
  virtual double error() const = 0;
};

// Not for masks other than causality, weights and many lengths; and not without oneDNN.
bool has_onednn_rival(const Case& c);
std::unique_ptr<Rival> onednn_rival(const Problem& problem);

}  // namespace heed::bench
