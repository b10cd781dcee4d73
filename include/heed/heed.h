/* heed.h - multi-head attention for edge devices: torch.nn.MultiheadAttention in C.
 *
 *   heed_config config = heed_config_default(8, 2);      embed_dim, num_heads
 *   config.batch_first = true;
 *   config.max_query = 4;
 *
 *   size, place, run; there is nothing to free:
 *   heed_plan_init(&config, plan_bytes, sizeof plan_bytes, &plan, &error);
 *   heed_weights_pack(plan, &state_dict, weights, heed_weights_bytes(&config), &error);
 *   heed_forward(plan, weights, &call, workspace, heed_workspace_bytes(&config), &error);
 *
 * The library owns nothing. It never allocates, locks, prints, throws, aborts or
 * starts a thread, and keeps no state: a plan and packed weights are read-only once
 * made and may be shared by any number of threads. A workspace belongs to one call
 * at a time. Everything here may be called from an interrupt or a signal handler.
 *
 * Formulas and argument names are those of PyTorch 2.13 (torch.nn.MultiheadAttention,
 * torch.nn.functional.scaled_dot_product_attention). All arithmetic is IEEE float32.
 */
#ifndef HEED_HEED_H_
#define HEED_HEED_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_VERSION_MAJOR 0
#define HEED_VERSION_MINOR 1
#define HEED_VERSION_PATCH 0
#define HEED_VERSION_STRING "0.1.0"

#define HEED_ALIGNMENT 64 /* bytes: plan, packed weights and workspace begin at a multiple of it */
#define HEED_PLAN_BYTES 512 /* room that any plan needs */
#define HEED_SELF_TEST_BYTES 16384 /* room that heed_self_test needs */
#define HEED_MESSAGE_BYTES 232
#define HEED_MAX_RANK 4

#if defined(__GNUC__)
#define HEED_ALIGNED __attribute__((aligned(HEED_ALIGNMENT)))
#define HEED_NODISCARD __attribute__((warn_unused_result))
#else
#define HEED_ALIGNED
#define HEED_NODISCARD
#endif

/* ---- errors -------------------------------------------------------------------- */

/* 1 to 16 are the checks of PyTorch's forward, in the order in which they fire. */
typedef enum heed_status {
  HEED_OK = 0,
  HEED_ERROR_QUERY_RANK = 1,             /* query is neither 2-D nor 3-D */
  HEED_ERROR_KEY_VALUE_RANK = 2,         /* key or value have another rank than query */
  HEED_ERROR_KEY_PADDING_MASK_RANK = 3,  /* not 2-D (batched) or 1-D (unbatched) */
  HEED_ERROR_ATTN_MASK_RANK = 4,         /* not 2-D, 3-D (or heed's 4-D) */
  HEED_ERROR_UNBATCHED_ATTN_MASK = 5,    /* unbatched, 3-D, but not (H, L, S) */
  HEED_ERROR_MASK_DTYPE = 6,             /* a mask is neither bool nor float32 */
  HEED_ERROR_CAUSAL = 7,                 /* not a value of heed_causal */
  HEED_ERROR_EMBED_DIM = 8,              /* query's last dimension is not embed_dim */
  HEED_ERROR_KEY_VALUE_SHAPE = 9,        /* key and value differ in batch or length */
  HEED_ERROR_KEY_VALUE_DIM = 10,         /* last dimension is not kdim or vdim */
  HEED_ERROR_ATTN_MASK_2D = 11,          /* 2-D attn_mask is not (L, S) */
  HEED_ERROR_ATTN_MASK_3D = 12,          /* 3-D attn_mask is not (N*H, L, S) */
  HEED_ERROR_BIAS_KV = 13,               /* bias_k without bias_v, or against add_bias_kv */
  HEED_ERROR_BATCH = 14,                 /* query and key differ in batch */
  HEED_ERROR_KEY_PADDING_MASK_SHAPE = 15,/* not (N, S), or (S) when unbatched */
  HEED_ERROR_DTYPE = 16,                 /* a tensor is not float32 */

  HEED_ERROR_NULL = 32,       /* a required pointer is NULL */
  HEED_ERROR_CONFIG = 33,     /* the configuration breaks a rule (heed/rules.hpp) */
  HEED_ERROR_MEMORY = 34,     /* caller's bytes are too few or not aligned to 64 */
  HEED_ERROR_ISA = 35,        /* the named arch is not in this build or not on this CPU */
  HEED_ERROR_PLAN = 36,       /* not a plan, or one of the other operation */
  HEED_ERROR_STATE_DICT = 37, /* a tensor of the state_dict is missing, surplus or misshapen */
  HEED_ERROR_WEIGHTS = 38,    /* packed weights that were not made for this plan */
  HEED_ERROR_LIMIT = 39,      /* a length exceeds what the plan was made for */
  HEED_ERROR_OUTPUT = 40,     /* the output tensor has the wrong rank or shape */
  HEED_ERROR_ATTN_WEIGHTS = 41, /* the attention weights tensor has the wrong rank or shape */
  HEED_ERROR_STRIDE = 42,     /* elements of a row do not lie side by side */
  HEED_ERROR_OPTION = 43,     /* an option is outside of its enumeration */
  HEED_ERROR_THREADS = 44,    /* heed::threads: the system gives no more threads */
  HEED_ERROR_FEATURE = 45,    /* this build was configured without it: HEED_WITH_...=OFF */
  HEED_ERROR_SELF_TEST = 46   /* an arch gives other answers than the known ones */
} heed_status;

/* Why a call was refused: one sentence, what was expected and what came.
 * Every function takes a pointer to one, which may be NULL; on success status is
 * HEED_OK and message is empty. A library built with HEED_WITH_MESSAGES=OFF leaves it empty. */
typedef struct heed_error {
  heed_status status;
  char message[HEED_MESSAGE_BYTES];
} heed_error;

/* The status as text, for example "HEED_ERROR_LIMIT". Never NULL. */
const char *heed_status_name(heed_status status);

/* ---- tensors ------------------------------------------------------------------- */

/* The last two enumerators of each option make every int a value that C++ may read, so that a
 * wrong one can be refused. */
typedef enum heed_dtype {
  HEED_FLOAT32 = 0,
  HEED_BOOL = 1,
  HEED_DTYPE_ANY_INT = 0x7fffffff,
  HEED_DTYPE_ANY_NEGATIVE_INT = -0x7fffffff - 1
} heed_dtype;

/* A view of the caller's memory. Element (i, j, ...) lies at
 * data + i * stride[0] + j * stride[1] + ...; strides count elements and may be 0
 * (a broadcast) in tensors that are only read. The last stride of a float tensor
 * that is not a mask must be 1. data needs no alignment but that of its type.
 * data == NULL: the tensor is absent. A bool is one byte, 0 or not 0. */
typedef struct heed_tensor {
  void *data;
  heed_dtype dtype;
  uint32_t rank;
  uint32_t shape[HEED_MAX_RANK];
  ptrdiff_t stride[HEED_MAX_RANK];
} heed_tensor;

/* A contiguous (C order) view; only the first `rank` of the sizes count. */
static inline heed_tensor heed_contiguous(const void *data, heed_dtype dtype, uint32_t rank,
                                          uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3) {
  heed_tensor t;
  uint32_t size[HEED_MAX_RANK];
  ptrdiff_t step = 1;
  uint32_t i;
  size[0] = d0; size[1] = d1; size[2] = d2; size[3] = d3;
  t.data = (void *)(uintptr_t)data;
  t.dtype = dtype;
  t.rank = rank;
  for (i = 0; i < HEED_MAX_RANK; ++i) { t.shape[i] = 0; t.stride[i] = 0; }
  for (i = rank < HEED_MAX_RANK ? rank : HEED_MAX_RANK; i-- > 0;) {
    t.shape[i] = size[i];
    t.stride[i] = step;
    step *= (ptrdiff_t)(size[i] ? size[i] : 1);
  }
  return t;
}

/* ---- configuration ------------------------------------------------------------- */

/* torch.nn.MultiheadAttention's arguments, then the limits that a plan is made for. */
typedef struct heed_config {
  uint32_t embed_dim;  /* E, a multiple of num_heads */
  uint32_t num_heads;  /* H; head_dim D = E / H, 1 to 512 */
  float dropout;       /* accepted, without effect: heed only infers */
  bool bias;           /* biases of the four projections */
  bool add_bias_kv;    /* learned bias_k, bias_v appended as one more key and value */
  bool add_zero_attn;  /* one more key and value of zeros */
  bool batch_first;    /* (N, L, E) instead of (L, N, E) */
  uint32_t kdim;       /* features of key, 0 = embed_dim */
  uint32_t vdim;       /* features of value, 0 = embed_dim */
  uint32_t max_batch;  /* N at most, 0 = 1; costs no memory */
  uint32_t max_query;  /* L at most */
  uint32_t max_key;    /* S at most, 0 = max_query */
  uint32_t slices;     /* how many threads may work on one call, 0 = 1 */
  const char *isa;     /* NULL = $HEED_ISA, else the best of this CPU; or "scalar", "avx2", ... */
} heed_config;

/* scaled_dot_product_attention on tensors that are already projected. */
typedef struct heed_sdpa_config {
  uint32_t num_heads;    /* of query */
  uint32_t num_kv_heads; /* of key and value; divides num_heads (enable_gqa); 0 = num_heads */
  uint32_t head_dim;     /* of query and key, 1 to 512 */
  uint32_t value_dim;    /* of value and output, 1 to 512; 0 = head_dim */
  uint32_t max_batch;    /* as above */
  uint32_t max_query;
  uint32_t max_key;
  uint32_t slices;
  const char *isa;
} heed_sdpa_config;

/* PyTorch's defaults: bias, everything else off, one slice. Set max_query yourself. */
static inline heed_config heed_config_default(uint32_t embed_dim, uint32_t num_heads) {
  heed_config c;
  c.embed_dim = embed_dim;
  c.num_heads = num_heads;
  c.dropout = 0.0f;
  c.bias = true;
  c.add_bias_kv = c.add_zero_attn = c.batch_first = false;
  c.kdim = c.vdim = 0;
  c.max_batch = c.slices = 1;
  c.max_query = c.max_key = 0;
  c.isa = NULL;
  return c;
}

/* ---- size, place --------------------------------------------------------------- */

typedef struct heed_plan heed_plan;

/* Bytes that packed weights and a workspace take; 0 if the configuration is unsound.
 * The same on every arch and machine, so that the desk computes what a device needs.
 * In C++ heed::weights_bytes and heed::workspace_bytes are the constexpr twins. */
HEED_NODISCARD size_t heed_weights_bytes(const heed_config *config);
HEED_NODISCARD size_t heed_workspace_bytes(const heed_config *config);
HEED_NODISCARD size_t heed_sdpa_workspace_bytes(const heed_sdpa_config *config);

/* Check a configuration, choose the arch, and lay a plan into `bytes` >= HEED_PLAN_BYTES
 * at `memory` (aligned to 64). *plan points into memory; the plan holds no pointer into
 * itself and may be moved as bytes. */
HEED_NODISCARD heed_status heed_plan_init(const heed_config *config, void *memory, size_t bytes,
                                          const heed_plan **plan, heed_error *error);
HEED_NODISCARD heed_status heed_sdpa_plan_init(const heed_sdpa_config *config, void *memory,
                                               size_t bytes, const heed_plan **plan,
                                               heed_error *error);

/* The arch that a plan runs on, for example "avx2". */
const char *heed_plan_isa(const heed_plan *plan);

/* Is this plan as heed_plan_init or heed_sdpa_plan_init left it? Reads all of it (CRC-32C): for
 * a look now and then, as heed_weights_verify is for packed weights. */
HEED_NODISCARD heed_status heed_plan_verify(const heed_plan* plan, heed_error* error);

/* ---- arch ---------------------------------------------------------------------- */

/* One line for each arch of this build, best first. */
typedef struct heed_isa_info {
  const char *name;   /* "avx512", "avx2", "sse42", "neon64", "neon32", "helium", "scalar", "onednn" */
  const char *simd;   /* xsimd's name of it, or "mve" or "scalar" */
  const char *needs;  /* what the CPU must have, as text */
  uint32_t lanes;     /* floats in one register */
  bool usable;        /* this CPU and its operating system can run it */
  bool by_name_only;  /* never chosen unless named */
} heed_isa_info;

uint32_t heed_isa_count(void);
/* false (and *info untouched) when index >= heed_isa_count(). */
bool heed_isa_get(uint32_t index, heed_isa_info *info);

/* Known-answer test of an arch (NULL: the one that plans choose), for a look at power-up or now
 * and then: each of its kernels computes a tiny problem, and the answer's bits are compared with
 * recorded ones. Also fails where the caller's floating-point environment is not IEEE's default.
 * `memory`: HEED_SELF_TEST_BYTES, aligned to 64, for example a workspace between two calls. */
HEED_NODISCARD heed_status heed_self_test(const char* isa, void* memory, size_t bytes, heed_error* error);

/* ---- weights ------------------------------------------------------------------- */

/* The tensors of the module's state_dict, float32, absent ones with data == NULL.
 * Give either in_proj_weight or all of q_, k_, v_proj_weight; either in_proj_bias or
 * any of q_, k_, v_proj_bias (an absent one is zeros: Whisper has no key bias). */
typedef struct heed_state_dict {
  heed_tensor in_proj_weight;  /* (3E, E): q rows, k rows, v rows */
  heed_tensor q_proj_weight;   /* (E, E) */
  heed_tensor k_proj_weight;   /* (E, kdim) */
  heed_tensor v_proj_weight;   /* (E, vdim) */
  heed_tensor in_proj_bias;    /* (3E) */
  heed_tensor q_proj_bias;     /* (E) */
  heed_tensor k_proj_bias;     /* (E) */
  heed_tensor v_proj_bias;     /* (E) */
  heed_tensor bias_k;          /* (1, 1, E) */
  heed_tensor bias_v;          /* (1, 1, E) */
  heed_tensor out_proj_weight; /* (E, E) */
  heed_tensor out_proj_bias;   /* (E) */
} heed_state_dict;

/* Pack a state_dict once into the order in which kernels read it: `weights`, aligned to
 * 64, of heed_weights_bytes(). The packed bytes are the same on every arch. */
HEED_NODISCARD heed_status heed_weights_pack(const heed_plan *plan,
                                             const heed_state_dict *state_dict, void *weights,
                                             size_t bytes, heed_error *error);

/* Are these the bytes that heed_weights_pack wrote for this configuration, undamaged? Reads
 * all of them (CRC-32C): for a blob from a file or flash, and for a look now and then. */
HEED_NODISCARD heed_status heed_weights_verify(const heed_plan *plan, const void *weights,
                                               size_t bytes, heed_error *error);

/* For which configuration were these bytes packed? Looks at their header and number alone, so
 * heed_weights_verify comes next. *config is that of heed_config_default with embed_dim,
 * num_heads, bias, add_bias_kv, kdim and vdim set; the limits are the caller's. */
HEED_NODISCARD heed_status heed_weights_config(const void *weights, size_t bytes,
                                               heed_config *config, heed_error *error);

/* ---- run ----------------------------------------------------------------------- */

/* Which keys a query may see, by formula. Query i of L sees keys 0 .. i + offset of S.
 * Extra slots (add_bias_kv, add_zero_attn) stay visible to every query. */
typedef enum heed_causal {
  HEED_CAUSAL_NONE = 0,
  HEED_CAUSAL_TOP_LEFT = 1,     /* offset 0: PyTorch's is_causal */
  HEED_CAUSAL_BOTTOM_RIGHT = 2, /* offset S - L: the last query sees all keys */
  HEED_CAUSAL_OFFSET = 3,       /* offset causal_offset, may be negative */
  HEED_CAUSAL_ANY_INT = 0x7fffffff,
  HEED_CAUSAL_ANY_NEGATIVE_INT = -0x7fffffff - 1
} heed_causal;

/* What a query that sees no key gives. */
typedef enum heed_fully_masked {
  HEED_FULLY_MASKED_ZERO = 0, /* attention 0 (so output == out_proj.bias), weights 0 */
  HEED_FULLY_MASKED_NAN = 1,  /* NaN, as PyTorch with need_weights=True */
  HEED_FULLY_MASKED_ANY_INT = 0x7fffffff,
  HEED_FULLY_MASKED_ANY_NEGATIVE_INT = -0x7fffffff - 1
} heed_fully_masked;

/* Threads are the caller's. Call task(argument, i) exactly once for every i in
 * [0, count), in any order, on any threads, and return when all have returned.
 * The answer has the same bits however this is done. */
typedef void (*heed_task)(void *argument, uint32_t index);
typedef void (*heed_parallel_for)(void *context, uint32_t count, heed_task task, void *argument);

/* One call of nn.MultiheadAttention. Shapes as PyTorch's: L queries, S keys, batch N,
 * S' = S + add_bias_kv + add_zero_attn.
 * Keys that no query may see (key_padding_mask, causal, a column of attn_mask that is
 * masked for all) are never read: they may be NaN or not exist. A mask of -inf hides its
 * key whatever the key holds. NaN or inf in a value reaches the queries that see it, but
 * may miss those whose weight for it rounds to 0. output may be exactly the query tensor
 * (same data, shape and strides); otherwise it and attn_weights overlap nothing else of
 * the call. */
typedef struct heed_call {
  heed_tensor query; /* batch_first (N, L, E), else (L, N, E), unbatched (L, E) */
  heed_tensor key;   /* (N, S, kdim), (S, N, kdim), (S, kdim); absent: query */
  heed_tensor value; /* (N, S, vdim), (S, N, vdim), (S, vdim); absent: key */
  heed_tensor key_padding_mask; /* (N, S), unbatched (S). bool: true = ignore. float: added */
  heed_tensor attn_mask; /* (L, S), (N*H, L, S), unbatched (H, L, S), or (N, H, L, S).
                            bool: true = not allowed. float: added to the scaled scores */
  heed_causal causal;
  int64_t causal_offset;
  bool need_weights;
  bool average_attn_weights;
  heed_fully_masked fully_masked;
  heed_tensor output;       /* the shape of query */
  heed_tensor attn_weights; /* averaged: (N, L, S'), per head: (N, H, L, S'); unbatched: no N */
  heed_parallel_for parallel_for; /* NULL: this thread does all slices */
  void *parallel_context;
} heed_call;

/* A call with everything absent, off or NULL, and average_attn_weights true as in PyTorch. */
static inline heed_call heed_call_default(void) {
  heed_call c;
  const heed_tensor absent = heed_contiguous(NULL, HEED_FLOAT32, 0, 0, 0, 0, 0);
  c.query = c.key = c.value = c.key_padding_mask = c.attn_mask = absent;
  c.output = c.attn_weights = absent;
  c.causal = HEED_CAUSAL_NONE;
  c.causal_offset = 0;
  c.need_weights = false;
  c.average_attn_weights = true;
  c.fully_masked = HEED_FULLY_MASKED_ZERO;
  c.parallel_for = NULL;
  c.parallel_context = NULL;
  return c;
}

/* output = out_proj(softmax(q k^T / sqrt(D) + masks) v), q = query W_q^T + b_q and so on.
 * weights: from heed_weights_pack; workspace: aligned to 64, heed_workspace_bytes().
 * On an error nothing is written. Numbers below 2^-126, read or computed, count as 0 (PyTorch computes with
 * them); the thread's floating-point control is afterwards what it was. */
HEED_NODISCARD heed_status heed_forward(const heed_plan *plan, const void *weights,
                                        const heed_call *call, void *workspace, size_t bytes,
                                        heed_error *error);

/* One call of scaled_dot_product_attention. attn_mask has SDPA's meaning: bool true = takes
 * part; every dimension of it is that of (N, H, L, S) or 1, leading ones may be left out. */
typedef struct heed_sdpa_call {
  heed_tensor query;     /* (N, H, L, D), unbatched (H, L, D) */
  heed_tensor key;       /* (N, Hkv, S, D); query head h reads key head h / (H / Hkv) */
  heed_tensor value;     /* (N, Hkv, S, Dv) */
  heed_tensor attn_mask;
  heed_causal causal;
  int64_t causal_offset;
  bool has_scale;        /* false: scale = 1 / sqrt(head_dim) */
  float scale;
  bool need_weights;     /* per head (N, H, L, S) into attn_weights */
  heed_fully_masked fully_masked;
  heed_tensor output;    /* (N, H, L, Dv) */
  heed_tensor attn_weights;
  heed_parallel_for parallel_for;
  void *parallel_context;
} heed_sdpa_call;

static inline heed_sdpa_call heed_sdpa_call_default(void) {
  heed_sdpa_call c;
  const heed_tensor absent = heed_contiguous(NULL, HEED_FLOAT32, 0, 0, 0, 0, 0);
  c.query = c.key = c.value = c.attn_mask = c.output = c.attn_weights = absent;
  c.causal = HEED_CAUSAL_NONE;
  c.causal_offset = 0;
  c.has_scale = false;
  c.scale = 0.0f;
  c.need_weights = false;
  c.fully_masked = HEED_FULLY_MASKED_ZERO;
  c.parallel_for = NULL;
  c.parallel_context = NULL;
  return c;
}

HEED_NODISCARD heed_status heed_scaled_dot_product_attention(const heed_plan *plan,
                                                             const heed_sdpa_call *call,
                                                             void *workspace, size_t bytes,
                                                             heed_error *error);

#ifdef __cplusplus
}
#endif
#endif /* HEED_HEED_H_ */
