// message.hpp - refusals: a status and a sentence, what was expected and what came. No stdio.
//
// All sentences stand in sentences.inc. A call names one and hands over its words; message.cpp
// holds them packed, for they are a fifth of what the core takes in flash.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/features.hpp"
#include "heed/rules.hpp"

namespace heed {

struct Shape {
  uint32_t rank;
  uint32_t size[HEED_MAX_RANK];
  HEED_APART void add(uint32_t n) { size[rank++] = n; }
  // Without the first axes.
  Shape last(uint32_t n) const {
    Shape s;
    s.rank = n;
    for (uint32_t i = 0; i < n; ++i) s.size[i] = size[rank - n + i];
    return s;
  }
};

// The rules of a configuration come first, by their own numbers.
enum class Sentence : uint32_t {
  last_rule = uint32_t(Rule::count) - 1,
#define HEED_SENTENCE(name, with, text) name,
#include "core/sentences.inc"
#undef HEED_SENTENCE
  count
};

constexpr const char* text_if(bool with, const char* text) { return with ? text : ""; }

constexpr const char* text_of(Sentence s) {
  constexpr const char* kOwn[] = {
#define HEED_SENTENCE(name, with, text) text_if(with, text),
#include "core/sentences.inc"
#undef HEED_SENTENCE
  };
  const uint32_t i = uint32_t(s), rules = uint32_t(Rule::count);
  return i < rules ? rule_text(Rule(i)) : kOwn[i - rules];
}

// The letter behind a sentence's % for a word of this type. Integers fit a pointer: those of 64
// bits count bytes.
template <class T>
constexpr char letter_of() {
  using Pointee = std::remove_const_t<std::remove_pointer_t<T>>;
  if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? 'd' : 'u';
  else if constexpr (std::is_same_v<T, Sentence>) return 'n';           // a name, also of sentences.inc
  else if constexpr (std::is_same_v<Pointee, heed_tensor>) return 't';  // its shape
  else if constexpr (std::is_same_v<Pointee, Shape>) return 'S';
  else if constexpr (std::is_same_v<Pointee, char>) return 's';
}
template <class... T>
constexpr bool takes(const char* sentence) {
  const char letters[] = {letter_of<T>()..., 0};
  const char* next = letters;
  for (const char* s = sentence; *s; ++s)
    if (*s == '%' && *next++ != s[1]) return false;
  return *sentence == 0 || *next == 0;
}

// Fills a % of the sentence with each word, all of the size of a pointer. A NULL error swallows
// everything; text that does not fit is cut. The sentence stands above the 8 bits of the status.
heed_status refuse_words(heed_error* error, uint32_t status_and_sentence, ...);
// With an empty message.
heed_status set_status(heed_error* error, heed_status status);
inline heed_status succeed(heed_error* error) { return set_status(error, HEED_OK); }

// A sentence with one name, which not all of the callers know before.
inline heed_status refuse_with(heed_error* error, heed_status status, Sentence sentence, Sentence name) {
  if constexpr (!kWithMessages) return set_status(error, status);
  return refuse_words(error, uint32_t(status) | uint32_t(sentence) << 8, uintptr_t(name));
}

// The sentence of a broken rule: of a configuration, or of one that packed weights claim.
inline heed_status refuse_rule(heed_error* error, heed_status status, Rule rule) {
  if constexpr (!kWithMessages) return set_status(error, status);
  return refuse_words(error, uint32_t(status) | uint32_t(rule) << 8);
}

template <Sentence sentence, class... T>
inline heed_status refuse(heed_error* error, heed_status status, T... words) {
  static_assert(takes<T...>(text_of(sentence)), "one word of the right type for each %");
  if constexpr (!kWithMessages) return set_status(error, status);
  return refuse_words(error, uint32_t(status) | uint32_t(sentence) << 8, uintptr_t(words)...);
}

// The refusals that several functions need.
HEED_APART inline heed_status refuse_null(heed_error* error, Sentence name) {
  return refuse<Sentence::null>(error, HEED_ERROR_NULL, name);
}
inline heed_status refuse_feature(heed_error* error, const char* option) {
  return refuse<Sentence::feature>(error, HEED_ERROR_FEATURE, option);
}
heed_status check_alignment(Sentence name, const void* memory, heed_error* error);
heed_status check_room(Sentence needs, size_t bytes, size_t came, heed_error* error);

}  // namespace heed
