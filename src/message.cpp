// message.cpp - builds the sentences of refusals.
#include "core/message.hpp"

namespace heed {
namespace {

struct Writer {
  char *at, *last;  // *last stays 0
  void put(char c) {
    if (at < last) *at++ = c;
  }
  void text(const char* s) {
    while (*s) put(*s++);
  }
  void number(uintptr_t n) {
    char digits[20];
    uint32_t count = 0;
    do digits[count++] = char('0' + n % 10);
    while (n /= 10);
    while (count) put(digits[--count]);
  }
  void shape(uint32_t rank, const uint32_t* size) {  // as Python writes it: (1, 4, 8)
    put('(');
    for (uint32_t i = 0; i < rank && i < HEED_MAX_RANK; ++i) {
      if (i) text(", ");
      number(size[i]);
    }
    put(')');
  }
  void word(Kind kind, uintptr_t w) {
    if (kind == Kind::text) return text(reinterpret_cast<const char*>(w));
    if (kind == Kind::shape) {
      const Shape* s = reinterpret_cast<const Shape*>(w);
      return shape(s->rank, s->size);
    }
    if (kind == Kind::tensor) {
      const heed_tensor* t = reinterpret_cast<const heed_tensor*>(w);
      return shape(t->rank, t->shape);
    }
    if (kind == Kind::signed_number && intptr_t(w) < 0) {
      put('-');
      w = 0 - w;
    }
    number(w);
  }
};

}  // namespace

heed_status refuse_words(heed_error* error, uint32_t status_and_kinds, const char* format, const uintptr_t* words) {
  const heed_status status = heed_status(status_and_kinds & 255);
  if (!error) return status;
  error->status = status;
  Writer out{error->message, error->message + HEED_MESSAGE_BYTES - 1};
  for (uint32_t kinds = status_and_kinds >> 8; *format; ++format) {
    if (*format != '%') {
      out.put(*format);
      continue;
    }
    out.word(Kind(kinds & 7), *words++);
    kinds >>= 3;
  }
  *out.at = 0;
  return status;
}

heed_status set_status(heed_error* error, heed_status status) {
  if (error) {
    error->status = status;
    error->message[0] = 0;
  }
  return status;
}

heed_status refuse_with(heed_error* error, heed_status status, const char* format, const char* word) {
  return refuse(error, status, format, word);
}

heed_status check_room(const char* who_needs, uint64_t bytes, size_t came, heed_error* error) {
  if (came >= bytes) return HEED_OK;
  return refuse(error, HEED_ERROR_MEMORY, "% % bytes, but % came", who_needs, bytes, came);
}

}  // namespace heed
