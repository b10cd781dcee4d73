// message.cpp - the sentences of refusals: packed by the compiler, written out when one is needed.
//
// A byte is the place of a word, a character, or a digram: two others, each of which may be one
// again. Which pairs are worth it says digrams.inc.
#include "core/message.hpp"

#include <stdarg.h>

#include <utility>

namespace heed {
namespace {

// 0 ends a sentence; then come the letters behind a %, the characters from space to z, and digrams.
constexpr char kLetters[] = {'n', 's', 'S', 't', 'u', 'd'};
constexpr uint32_t kCharacters = sizeof kLetters + 1, kFirst = kCharacters + 'z' - ' ' + 1;
constexpr uint32_t kSentences = uint32_t(Sentence::count);
constexpr unsigned char kDigrams[][2] = {
#include "core/digrams.inc"
};
constexpr uint32_t kDigramCount = sizeof kDigrams / sizeof kDigrams[0];
static_assert(kDigramCount <= 256 - kFirst, "a byte each");

constexpr unsigned char word_of(char letter) {
  uint32_t i = 0;
  while (kLetters[i] != letter) ++i;  // what is not there does not compile
  return static_cast<unsigned char>(i + 1);
}
constexpr unsigned char kName = word_of('n'), kText = word_of('s'), kShape = word_of('S'), kTensor = word_of('t'),
                        kSigned = word_of('d');  // the rest: numbers

constexpr bool is_spelled(const char* text) {
  for (; *text; ++text)
    if (*text < ' ' || *text > 'z') return false;
  return true;
}

struct Packed {
  uint32_t size = 0;
  unsigned char bytes[HEED_MESSAGE_BYTES] = {};
};

// Digram by digram, in the order in which they were found.
constexpr Packed pack(const char* text) {
  Packed p;
  for (; *text; ++text)
    p.bytes[p.size++] = *text == '%' ? word_of(*++text) : static_cast<unsigned char>(*text - ' ' + int(kCharacters));
  for (uint32_t d = 0; d < kDigramCount; ++d) {
    uint32_t to = 0;
    for (uint32_t from = 0; from < p.size; ++from, ++to) {
      const bool pair = from + 1 < p.size && p.bytes[from] == kDigrams[d][0] && p.bytes[from + 1] == kDigrams[d][1];
      p.bytes[to] = pair ? static_cast<unsigned char>(kFirst + d) : p.bytes[from];
      from += pair;
    }
    p.size = to;
  }
  return p;
}

// One constant each, for compilers limit what they do for one.
template <uint32_t I>
constexpr Packed kPacked = pack(text_of(Sentence(I)));

template <uint32_t... I>
constexpr uint32_t packed_bytes(std::integer_sequence<uint32_t, I...>) {
  return (kPacked<I>.size + ...) + kSentences;
}
using All = std::make_integer_sequence<uint32_t, kSentences>;

template <uint32_t... I>
constexpr bool are_spelled(std::integer_sequence<uint32_t, I...>) {
  return (is_spelled(text_of(Sentence(I))) && ...);
}
static_assert(are_spelled(All()), "no byte for other characters");

struct Book {  // all sentences, each ended by 0
  unsigned char bytes[packed_bytes(All())] = {};
};

template <uint32_t... I>
constexpr Book book(std::integer_sequence<uint32_t, I...>) {
  Book b;
  uint32_t at = 0;
  for (const Packed* p : {&kPacked<I>...}) {
    for (uint32_t i = 0; i < p->size; ++i) b.bytes[at++] = p->bytes[i];
    ++at;
  }
  return b;
}
constexpr Book kBook = book(All());

// How many bytes wait while a digram is taken apart, beside those that did before.
constexpr uint32_t deepest() {
  uint32_t depth[kFirst + kDigramCount] = {}, most = 0;
  for (uint32_t d = 0; d < kDigramCount; ++d) {
    const uint32_t first = depth[kDigrams[d][0]] + 1, second = depth[kDigrams[d][1]];
    depth[kFirst + d] = first > second ? first : second;
    if (depth[kFirst + d] > most) most = depth[kFirst + d];
  }
  return most;
}
template <uint32_t... I>
constexpr uint32_t longest(std::integer_sequence<uint32_t, I...>) {
  uint32_t most = 0;
  for (const Packed* p : {&kPacked<I>...}) most = p->size > most ? p->size : most;
  return most;
}
constexpr uint32_t kMostWaits = 2 * longest(All()) + deepest();  // a sentence and a name in it

struct Writer {
  char *at, *last;  // *last stays 0
  uint32_t waits = 0;  // in reverse, digrams not yet taken apart
  unsigned char waiting[kMostWaits];

  void put(char c) {
    if (at < last) *at++ = c;
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
      if (i) put(','), put(' ');
      number(size[i]);
    }
    put(')');
  }
  void word(unsigned char kind, uintptr_t w) {
    if (kind == kName) {
      wait(uint32_t(w));
    } else if (kind == kText) {
      for (const char* s = reinterpret_cast<const char*>(w); *s;) put(*s++);
    } else if (kind == kShape) {
      const Shape* s = reinterpret_cast<const Shape*>(w);
      shape(s->rank, s->size);
    } else if (kind == kTensor) {
      const heed_tensor* t = reinterpret_cast<const heed_tensor*>(w);
      shape(t->rank, t->shape);
    } else {
      if (kind == kSigned && intptr_t(w) < 0) {
        put('-');
        w = 0 - w;
      }
      number(w);
    }
  }
  // What stands before all else that waits.
  void wait(uint32_t sentence) {
    const unsigned char* first = kBook.bytes;
    for (; sentence; --sentence)
      while (*first++) {}
    const unsigned char* end = first;
    while (*end) ++end;
    while (end != first) waiting[waits++] = *--end;
  }
  // Writes up to the next word and gives its kind; 0: that was all.
  unsigned char next_word() {
    while (waits) {
      const unsigned char c = waiting[--waits];
      if (c >= kFirst) {
        waiting[waits++] = kDigrams[c - kFirst][1];
        waiting[waits++] = kDigrams[c - kFirst][0];
      } else if (c < kCharacters) {
        return c;
      } else {
        put(char(c - kCharacters + ' '));
      }
    }
    *at = 0;
    return 0;
  }
};

}  // namespace

heed_status refuse_words(heed_error* error, uint32_t status_and_sentence, ...) {
  const heed_status status = heed_status(status_and_sentence & 255);
  if (!error) return status;
  error->status = status;
  Writer out;
  out.at = error->message;
  out.last = error->message + HEED_MESSAGE_BYTES - 1;
  out.wait(status_and_sentence >> 8);
  if (status == HEED_ERROR_WEIGHTS && status_and_sentence >> 8 <= uint32_t(Sentence::last_rule))
    out.wait(uint32_t(Sentence::damaged_rule));
  va_list words;
  va_start(words, status_and_sentence);
  while (const unsigned char kind = out.next_word())
    out.word(kind, va_arg(words, uintptr_t));  // NOLINT(clang-analyzer-valist.Uninitialized): started above
  va_end(words);
  return status;
}

heed_status set_status(heed_error* error, heed_status status) {
  if (error) {
    error->status = status;
    error->message[0] = 0;
  }
  return status;
}

heed_status check_alignment(Sentence name, const void* memory, heed_error* error) {
  if (reinterpret_cast<uintptr_t>(memory) % HEED_ALIGNMENT == 0) return HEED_OK;
  return refuse<Sentence::alignment>(error, HEED_ERROR_MEMORY, name);
}

heed_status check_room(Sentence needs, size_t bytes, size_t came, heed_error* error) {
  if (came >= bytes) return HEED_OK;
  if constexpr (!kWithMessages) return set_status(error, HEED_ERROR_MEMORY);
  return refuse_words(error, uint32_t(HEED_ERROR_MEMORY) | uint32_t(needs) << 8, uintptr_t(bytes), uintptr_t(came));
}

}  // namespace heed
