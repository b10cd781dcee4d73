// message.hpp - refusals: a status and a sentence, what was expected and what came. No stdio.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/features.hpp"
#include "heed/heed.h"

namespace heed {

struct Shape {
  uint32_t rank;
  uint32_t size[HEED_MAX_RANK];
};

enum class Kind : uint32_t { text = 1, number, signed_number, shape, tensor };

// What a word is goes into a constant of the call, not into memory beside it: there are many
// calls and one function. Integers fit a pointer: those of 64 bits count bytes.
template <class T>
constexpr Kind kind_of() {
  using Pointee = std::remove_const_t<std::remove_pointer_t<T>>;
  if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? Kind::signed_number : Kind::number;
  else if constexpr (std::is_same_v<Pointee, heed_tensor>) return Kind::tensor;
  else if constexpr (std::is_same_v<Pointee, Shape>) return Kind::shape;
  static_assert(std::is_integral_v<T> || std::is_same_v<Pointee, heed_tensor> || std::is_same_v<Pointee, Shape> ||
                std::is_same_v<Pointee, char>);
  return Kind::text;
}
template <class... T>
constexpr uint32_t kinds_of() {
  uint32_t kinds = 0, shift = 8;
  ((kinds |= uint32_t(kind_of<T>()) << shift, shift += 3), ...);
  return kinds;
}

// Fills a `%` of the format with each word. A NULL error swallows everything; text that does
// not fit is cut. Kinds: 3 bits per word above the 8 of the status.
heed_status refuse_words(heed_error* error, uint32_t status_and_kinds, const char* format, const uintptr_t* words);

// With an empty message.
heed_status set_status(heed_error* error, heed_status status);
inline heed_status succeed(heed_error* error) { return set_status(error, HEED_OK); }

template <class... T>
inline heed_status refuse(heed_error* error, heed_status status, const char* format, T... words) {
  static_assert(sizeof...(T) <= 8, "kinds fit 32 bits");
  if constexpr (kWithMessages) {
    constexpr uint32_t kinds = kinds_of<T...>();
    const uintptr_t list[] = {uintptr_t(words)..., 0};
    return refuse_words(error, uint32_t(status) | kinds, format, list);
  } else {
    return set_status(error, status);
  }
}

// The refusals that several functions need: one word and the sentence around it.
heed_status refuse_with(heed_error* error, heed_status status, const char* format, const char* word);
heed_status check_room(const char* who_needs, uint64_t bytes, size_t came, heed_error* error);

inline heed_status refuse_null(heed_error* error, const char* name) {
  if constexpr (!kWithMessages) return set_status(error, HEED_ERROR_NULL);
  return refuse_with(error, HEED_ERROR_NULL, "% must not be NULL", name);
}
inline heed_status refuse_alignment(heed_error* error, const char* name) {
  if constexpr (!kWithMessages) return set_status(error, HEED_ERROR_MEMORY);
  return refuse_with(error, HEED_ERROR_MEMORY, "% must be aligned to 64 bytes", name);
}
inline heed_status refuse_feature(heed_error* error, const char* option) {
  if constexpr (!kWithMessages) return set_status(error, HEED_ERROR_FEATURE);
  return refuse_with(error, HEED_ERROR_FEATURE, "this build of heed leaves that out: it was configured with %=OFF", option);
}

}  // namespace heed
