// message.hpp - builds the sentence of an error without stdio: what was expected, what came.
#pragma once
#include "heed/heed.h"

namespace heed {

// Appends to error->message; a NULL error swallows everything. Text that does not fit is cut.
class Message {
 public:
  Message(heed_error* error, heed_status status) : error_(error), status_(status) {
    if (!error_) return;
    error_->status = status;
    error_->message[0] = 0;
  }
  Message& operator<<(const char* text) {
    for (; *text; ++text) put(*text);
    return *this;
  }
  Message& operator<<(uint64_t number) {
    char digits[20];
    int n = 0;
    do digits[n++] = char('0' + number % 10);
    while (number /= 10);
    while (n) put(digits[--n]);
    return *this;
  }
  Message& operator<<(int64_t number) {
    if (number < 0) put('-');
    return *this << (number < 0 ? uint64_t(0) - uint64_t(number) : uint64_t(number));
  }
  Message& operator<<(uint32_t number) { return *this << uint64_t(number); }
  Message& operator<<(int number) { return *this << int64_t(number); }
  // A shape, as Python writes it: (1, 4, 8).
  Message& operator<<(const heed_tensor& t) {
    put('(');
    for (uint32_t i = 0; i < t.rank && i < HEED_MAX_RANK; ++i) *this << (i ? ", " : "") << t.shape[i];
    put(')');
    return *this;
  }
  operator heed_status() const { return status_; }

 private:
  void put(char c) {
    if (!error_ || at_ + 1 >= HEED_MESSAGE_BYTES) return;
    error_->message[at_] = c;
    error_->message[++at_] = 0;
  }
  heed_error* error_;
  heed_status status_;
  uint32_t at_ = 0;
};

inline heed_status succeed(heed_error* error) { return Message(error, HEED_OK); }

}  // namespace heed
