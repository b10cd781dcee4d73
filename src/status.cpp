// status.cpp - names of the status codes.
#include <stdint.h>

#include "heed/heed.h"

const char* heed_status_name(heed_status status) {
  // One text, each name behind the other: an array of pointers would be a quarter more.
  static const char kNames[] =
#define NAME(status) #status "\0"
      NAME(HEED_OK) NAME(HEED_ERROR_QUERY_RANK) NAME(HEED_ERROR_KEY_VALUE_RANK) NAME(HEED_ERROR_KEY_PADDING_MASK_RANK)
          NAME(HEED_ERROR_ATTN_MASK_RANK) NAME(HEED_ERROR_UNBATCHED_ATTN_MASK) NAME(HEED_ERROR_MASK_DTYPE)
              NAME(HEED_ERROR_CAUSAL) NAME(HEED_ERROR_EMBED_DIM) NAME(HEED_ERROR_KEY_VALUE_SHAPE)
                  NAME(HEED_ERROR_KEY_VALUE_DIM) NAME(HEED_ERROR_ATTN_MASK_2D) NAME(HEED_ERROR_ATTN_MASK_3D)
                      NAME(HEED_ERROR_BIAS_KV) NAME(HEED_ERROR_BATCH) NAME(HEED_ERROR_KEY_PADDING_MASK_SHAPE)
                          NAME(HEED_ERROR_DTYPE) NAME(HEED_ERROR_NULL) NAME(HEED_ERROR_CONFIG) NAME(HEED_ERROR_MEMORY)
                              NAME(HEED_ERROR_ISA) NAME(HEED_ERROR_PLAN) NAME(HEED_ERROR_STATE_DICT)
                                  NAME(HEED_ERROR_WEIGHTS) NAME(HEED_ERROR_LIMIT) NAME(HEED_ERROR_OUTPUT)
                                      NAME(HEED_ERROR_ATTN_WEIGHTS) NAME(HEED_ERROR_STRIDE) NAME(HEED_ERROR_OPTION)
                                          NAME(HEED_ERROR_THREADS) NAME(HEED_ERROR_FEATURE) NAME(HEED_ERROR_SELF_TEST)
#undef NAME
                                              "unknown status";
  static_assert(HEED_ERROR_DTYPE == 16 && HEED_ERROR_NULL == 32 && HEED_ERROR_SELF_TEST == 46,
                "in order, with one gap");
  const uint32_t code = uint32_t(status), gap = HEED_ERROR_NULL - HEED_ERROR_DTYPE - 1,
                 last = HEED_ERROR_SELF_TEST - gap;
  uint32_t skip = code <= HEED_ERROR_DTYPE ? code : code >= HEED_ERROR_NULL ? code - gap : last + 1;
  const char* name = kNames;
  if (skip > last) skip = last + 1;
  for (; skip; --skip)
    while (*name++) {}
  return name;
}
