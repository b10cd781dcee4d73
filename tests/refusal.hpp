// refusal.hpp - what every refused call has in common.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "catch.hpp"
#include "problem.hpp"

namespace heed_test {

// The status, the words in the sentence in that order, and that the sentence fits.
inline void check_error(const heed_error& e, heed_status came, heed_status want, const std::vector<std::string>& words) {
  CAPTURE(e.message, heed_status_name(came), heed_status_name(want));
  CHECK(came == want);
  CHECK(e.status == want);
  const std::string message(e.message, strnlen(e.message, HEED_MESSAGE_BYTES));
  CHECK(message.size() > 8);
  CHECK(message.size() < HEED_MESSAGE_BYTES - 1);  // so it was not cut
  size_t at = 0;
  for (const std::string& word : words) {
    CAPTURE(word);
    const size_t found = message.find(word, at);
    CHECK(found != std::string::npos);
    if (found != std::string::npos) at = found + word.size();
  }
}

// A call that is refused writes nothing, says why, and says the same without an error to fill.
inline void check_refused(Runner& r, heed_status want, const std::vector<std::string>& words) {
  r.workspace.reset(new Memory(r.workspace->bytes(), Place::heap));
  check_error(r.error, r.run(), want, words);
  CHECK(r.output_memory().untouched());
  CHECK(r.weights_memory().untouched());
  CHECK(r.workspace->untouched());
  CHECK(r.intact());
  const heed_status silent =
      r.packed ? heed_forward(r.plan, r.packed->data(), &r.call, r.workspace->data(), r.workspace->bytes(), nullptr)
               : heed_scaled_dot_product_attention(r.plan, &r.sdpa_call, r.workspace->data(), r.workspace->bytes(), nullptr);
  CHECK(silent == want);
}

}  // namespace heed_test
