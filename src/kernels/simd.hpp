// simd.hpp - the only door to xsimd (8.1 to 14.3) and intrinsics. Kernels see simd_of<Arch> and nothing else.
// set(x) stands for x in all lanes; auto keeps it as cheap as the arch can have it.
//
// What goes around xsimd, and why:
//   fma         8.1 has none for AVX-512, and Arm's needs the fused form by name
//   transpose   8.1 has none
//   div         on 32-bit Arm it is an estimate
//   max, min    which operand a NaN gives changed between 8.1 and 14
//   shift_to_exponent  bitwise_cast changed its template argument in 10, and before
//               14.2 GCC 12 calls it on Arm through a table of function pointers
#pragma once
#if defined(__FAST_MATH__)
#error "heed: build without -ffast-math; masks need infinities and results fixed bits"
#endif
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include "core/choice.hpp"
#if !defined(HEED_NO_XSIMD)
#include <xsimd/xsimd.hpp>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)  // 2: with floating point
#include <arm_mve.h>
#endif

#define HEED_INLINE inline __attribute__((always_inline))
#define HEED_NOINLINE __attribute__((noinline))
#define HEED_LAMBDA __attribute__((always_inline))
#define HEED_UNROLL _Pragma("GCC unroll 32")
#if defined(__OPTIMIZE_SIZE__)
#define HEED_INLINE_IF_FAST HEED_NOINLINE
#define HEED_UNROLL_IF_FAST
#else
#define HEED_INLINE_IF_FAST HEED_INLINE
#define HEED_UNROLL_IF_FAST HEED_UNROLL
#endif

namespace heed {

struct scalar_isa {  // a register of one float, for CPUs without SIMD
  static constexpr const char* name() { return "scalar"; }
};

#if !defined(HEED_NO_XSIMD)
namespace detail {
// A register type's own operations, where xsimd will not do.
#if defined(__AVX512F__)
static HEED_INLINE __m512 fma_register(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
static HEED_INLINE void fma_into(__m512& acc, __m512 a, __m512 b) {
  asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
}
static HEED_INLINE __m512 max_register(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
static HEED_INLINE __m512 min_register(__m512 a, __m512 b) { return _mm512_min_ps(a, b); }
static HEED_INLINE __m512 div_register(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
// Lanes of `zero` where a byte is 0, of `other` elsewhere; as many bytes as lanes are read.
static HEED_INLINE __m512 choose_by_bytes(const uint8_t* bytes, __m512 zero, __m512 other) {
  const __m512i b = _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(bytes))));
  return _mm512_mask_blend_ps(_mm512_test_epi32_mask(b, b), zero, other);
}
static HEED_INLINE __m512 from_nearest(__m512 a) { return _mm512_reduce_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static HEED_INLINE __m512 scale(__m512 a, __m512 n) { return _mm512_scalef_ps(a, n); }
#endif
#if defined(__AVX2__)
static HEED_INLINE __m256 fma_register(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
static HEED_INLINE void fma_into(__m256& acc, __m256 a, __m256 b) {
  asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
}
static HEED_INLINE __m256 max_register(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
static HEED_INLINE __m256 min_register(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
static HEED_INLINE __m256 div_register(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
static HEED_INLINE __m256 choose_by_bytes(const uint8_t* bytes, __m256 zero, __m256 other) {
  const __m256i b = _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(static_cast<const void*>(bytes))));
  return _mm256_blendv_ps(other, zero, _mm256_castsi256_ps(_mm256_cmpeq_epi32(b, _mm256_setzero_si256())));
}
static HEED_INLINE __m256 shift_to_exponent(__m256 a) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
}
#endif
#if defined(__SSE4_1__)
static HEED_INLINE __m128 fma_register(__m128 a, __m128 b, __m128 c) {
  return _mm_add_ps(_mm_mul_ps(a, b), c);  // no FMA before AVX2: sse42 rounds twice
}
static HEED_INLINE __m128 max_register(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
static HEED_INLINE __m128 min_register(__m128 a, __m128 b) { return _mm_min_ps(a, b); }
static HEED_INLINE __m128 div_register(__m128 a, __m128 b) { return _mm_div_ps(a, b); }
static HEED_INLINE __m128 choose_by_bytes(const uint8_t* bytes, __m128 zero, __m128 other) {
  int four;
  __builtin_memcpy(&four, bytes, sizeof four);
  const __m128i b = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
  return _mm_blendv_ps(other, zero, _mm_castsi128_ps(_mm_cmpeq_epi32(b, _mm_setzero_si128())));
}
static HEED_INLINE __m128 shift_to_exponent(__m128 a) {
  return _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a), 23));
}
#endif
#if defined(__ARM_NEON)
static HEED_INLINE float32x4_t fma_register(float32x4_t a, float32x4_t b, float32x4_t c) {
  return vfmaq_f32(c, a, b);
}
static HEED_INLINE float32x4_t max_register(float32x4_t a, float32x4_t b) { return vmaxq_f32(a, b); }
static HEED_INLINE float32x4_t min_register(float32x4_t a, float32x4_t b) { return vminq_f32(a, b); }
static HEED_INLINE float32x4_t div_register(float32x4_t a, float32x4_t b) {
#if defined(__aarch64__)
  return vdivq_f32(a, b);
#else
  HEED_UNROLL for (int i = 0; i < 4; ++i) a[i] /= b[i];
  return a;
#endif
}
static HEED_INLINE float32x4_t choose_by_bytes(const uint8_t* bytes, float32x4_t zero, float32x4_t other) {
  uint32_t four;
  __builtin_memcpy(&four, bytes, sizeof four);
  const uint32x4_t b = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
  return vbslq_f32(vceqq_u32(b, vdupq_n_u32(0)), zero, other);
}
static HEED_INLINE float32x4_t shift_to_exponent(float32x4_t a) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23));
}
#endif
}  // namespace detail
#include "kernels/simd_transpose.inc"

template <class Arch>
struct Simd {
  using Batch = xsimd::batch<float, typename Arch::isa>;
  using V = Batch;
  static constexpr int W = int(Batch::size);
#if defined(__SSE4_1__) && !defined(__FMA__)
  static constexpr bool kFused = false;  // fma rounds twice
#else
  static constexpr bool kFused = true;
#endif

  static HEED_INLINE V load(const float* p) { return V::load_unaligned(p); }
  static HEED_INLINE void store(float* p, V v) { v.store_unaligned(p); }
  static HEED_INLINE V set(float x) { return V(x); }
  static HEED_INLINE V add(V a, V b) { return a + b; }
  static HEED_INLINE V sub(V a, V b) { return a - b; }
  static HEED_INLINE V mul(V a, V b) { return a * b; }
  static HEED_INLINE V div(V a, V b) { return V(detail::div_register(a.data, b.data)); }
  static HEED_INLINE V fma(V a, V b, V c) { return V(detail::fma_register(a.data, b.data, c.data)); }
  // acc = fma(a, b, acc) for the sums of a tile, which stay in the registers where they are: by an
  // intrinsic, GCC moves them to and fro where a loop is unrolled, and spills some.
  static HEED_INLINE void fma_into(V& acc, V a, V b) {
#if defined(__FMA__)
    detail::fma_into(acc.data, a.data, b.data);
#else
    acc = fma(a, b, acc);
#endif
  }
  // What was loaded stays in its register: GCC would load it again for every row of a tile.
  static HEED_INLINE void keep(V& v) {
#if defined(__FMA__)
    asm("" : "+v"(v.data));
#else
    (void)v;
#endif
  }
  // b where either is NaN on x86, NaN on Arm: use max(constant, x) and min(constant, x) to keep a NaN.
  static HEED_INLINE V max(V a, V b) { return V(detail::max_register(a.data, b.data)); }
  static HEED_INLINE V min(V a, V b) { return V(detail::min_register(a.data, b.data)); }
  static HEED_INLINE V if_less(V a, V b, V yes, V no) { return xsimd::select(a < b, yes, no); }
  static HEED_INLINE V if_equal(V a, V b, V yes, V no) { return xsimd::select(a == b, yes, no); }
  static HEED_INLINE V choose_by_bytes(const uint8_t* bytes, V zero, V other) {
    return V(detail::choose_by_bytes(bytes, zero.data, other.data));
  }
  // Either a less the integer nearest to it (0 for infinities), and a * 2^n for an integer n; or where
  // an arch has no such instructions, a whose low 9 bits become sign and exponent.
  static constexpr bool kScales = W == 16;
#if defined(__AVX512F__)
  static HEED_INLINE V from_nearest(V a) { return V(detail::from_nearest(a.data)); }
  static HEED_INLINE V scale(V a, V n) { return V(detail::scale(a.data, n.data)); }
#endif
  static HEED_INLINE V shift_to_exponent(V a) { return V(detail::shift_to_exponent(a.data)); }
  static HEED_INLINE void transpose(V (&r)[W]) { detail::transpose_registers(r); }
  // Four lanes each: four i from p + i * stride; one four; r[i] lane j <-> r[j] lane i of every four.
  static HEED_INLINE V load_fours(const float* p, ptrdiff_t stride) {
    return V(detail::load_fours(V(0.0f).data, p, stride));
  }
  static HEED_INLINE void store_four(float* p, V v, int i) { detail::store_four(p, v.data, i); }
  static HEED_INLINE void transpose_fours(V (&r)[4]) { detail::transpose_fours(r[0].data, r); }

  // Where one lane of a register can be a factor, W scalars are best loaded at once.
#if defined(__aarch64__)
  static constexpr bool kLanes = !kForSize;  // four times the code
  template <int L>
  static HEED_INLINE V fma_lane(V a, V b, V c) { return V(vfmaq_laneq_f32(c.data, a.data, b.data, L)); }
#else
  static constexpr bool kLanes = false;
#endif
};

#else
template <class Arch>
struct Simd;
#endif

// W = 1: every operation of the wide archs, one lane of it, with the same rounding.
template <class Arch>
struct ScalarSimd {
  using V = float;
  static constexpr int W = 1;
  static constexpr bool kFused = true;
  static constexpr bool kLanes = false;
  static constexpr bool kScales = false;
  static HEED_INLINE V load(const float* p) { return *p; }
  static HEED_INLINE void store(float* p, V v) { *p = v; }
  static HEED_INLINE V set(float x) { return x; }
  static HEED_INLINE V add(V a, V b) { return a + b; }
  static HEED_INLINE V sub(V a, V b) { return a - b; }
  static HEED_INLINE V mul(V a, V b) { return a * b; }
  static HEED_INLINE V div(V a, V b) { return a / b; }
  static HEED_INLINE V fma(V a, V b, V c) { return __builtin_fmaf(a, b, c); }
  static HEED_INLINE void fma_into(V& acc, V a, V b) { acc = fma(a, b, acc); }
  static HEED_INLINE V max(V a, V b) { return a > b ? a : b; }
  static HEED_INLINE V min(V a, V b) { return a < b ? a : b; }
  static HEED_INLINE V if_less(V a, V b, V yes, V no) { return a < b ? yes : no; }
  static HEED_INLINE V if_equal(V a, V b, V yes, V no) { return a == b ? yes : no; }
  static HEED_INLINE V choose_by_bytes(const uint8_t* byte, V zero, V other) { return *byte ? other : zero; }
  static HEED_INLINE V shift_to_exponent(V a) {
    uint32_t bits;
    __builtin_memcpy(&bits, &a, sizeof bits);
    bits <<= 23;
    __builtin_memcpy(&a, &bits, sizeof a);
    return a;
  }
  static HEED_INLINE void transpose(V (&)[1]) {}
};

namespace detail {
template <class Arch, class Isa>
struct PickSimd { using type = Simd<Arch>; };
template <class Arch>
struct PickSimd<Arch, scalar_isa> { using type = ScalarSimd<Arch>; };
}  // namespace detail
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#include "kernels/simd_mve.inc"
#endif
template <class Arch>
using simd_of = typename detail::PickSimd<Arch, typename Arch::isa>::type;

// Where a loop has many pointers, GCC counts some from others and keeps in memory where they begin, unless it
// cannot see what becomes of them.
template <class T>
static HEED_INLINE void hide(T& x) {
  asm("" : "+r"(x));
}

// Accumulators as the loops after the sum read them: the same registers, but in a small build a
// copy in memory, so that those loops need not be unrolled.
template <class V, int M, int N>
struct Sums {
  V of[M][N];
  HEED_INLINE explicit Sums(const V (&acc)[M][N]) {
    HEED_UNROLL for (int i = 0; i < M; ++i)
      HEED_UNROLL for (int j = 0; j < N; ++j) of[i][j] = acc[i][j];
  }
};

// The next smaller size of a tile that is compiled.
template <int W>
constexpr int smaller_tile(int size) {
  return few_tile_sizes(W) ? 1 : size - 1;
}

// f(0), f(1) ... f(N - 1), each argument a constant of the compiler; f should be HEED_LAMBDA.
template <class F, int... I>
static HEED_INLINE void for_constants(std::integer_sequence<int, I...>, F f) {
  (f(std::integral_constant<int, I>()), ...);
}
template <int N, class F>
static HEED_INLINE void for_constants(F f) {
  for_constants(std::make_integer_sequence<int, N>(), f);
}

// One step of a tile: acc[i][j] += lane L of x[i] * row j at b, loaded in pairs, which some
// CPUs can do in one instruction.
template <int L, class S, int M, int N>
static HEED_INLINE void fma_lane_step(const typename S::V (&x)[M], const float* b, size_t b_stride,
                                      typename S::V (&acc)[M][N]) {
  for_constants<(N + 1) / 2>([&](auto pair) HEED_LAMBDA {
    constexpr int j = 2 * pair, kLoads = j + 1 < N ? 2 : 1;
    typename S::V w[kLoads];
    HEED_UNROLL for (int u = 0; u < kLoads; ++u) w[u] = S::load(b + size_t(j + u) * b_stride);
    HEED_UNROLL for (int u = 0; u < kLoads; ++u)
      HEED_UNROLL for (int i = 0; i < M; ++i) acc[i][j + u] = S::template fma_lane<L>(w[u], x[i], acc[i][j + u]);
  });
}

}  // namespace heed
