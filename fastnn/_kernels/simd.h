/* Vectors for every instruction set: one set of names, as wide as the build allows.
 *
 * The same sources are compiled once for each instruction set with that set's flags; this
 * header turns the flags into two vector types (float and double), their number of
 * lanes, loads and stores of whole and of partial vectors, and one fused multiply-add.
 * A fused multiply-add appears nowhere but here: the build says -ffp-contract=off.
 * A compiler without GNU vectors gets one-lane "vectors", which are plain scalars.
 */
#ifndef FASTNN_SIMD_H
#define FASTNN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define FN_INLINE static inline __attribute__((always_inline, unused))
/* By itself: what is inlined beside another body shares its registers with it. */
#define FN_APART static __attribute__((noinline, unused))
#define FN_UNROLL _Pragma("GCC unroll 16")
/* Into the second cache: rows that lie a power of two apart would push each other out of the first. */
#define FN_PREFETCH(address) __builtin_prefetch(address, 0, 2)
/* The same of what is to be written: no other core keeps it. */
#define FN_PREFETCH_TO_WRITE(address) __builtin_prefetch(address, 1, 2)
#define FN_PREFETCH_FIRST(address) __builtin_prefetch(address, 0, 3)
#else
#define FN_INLINE static inline
#define FN_APART static
#define FN_UNROLL
#define FN_PREFETCH(address) (void)(address)
#define FN_PREFETCH_TO_WRITE(address) (void)(address)
#define FN_PREFETCH_FIRST(address) (void)(address)
#endif

#if !defined(__GNUC__)
#define FN_VECTOR_BYTES 0
#elif defined(__AVX512F__)
#define FN_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define FN_VECTOR_BYTES 32
#else
#define FN_VECTOR_BYTES 16
#endif

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__) && FN_VECTOR_BYTES
#include <arm_neon.h>
#endif

#if FN_VECTOR_BYTES
typedef float fn_v32 __attribute__((vector_size(FN_VECTOR_BYTES)));
typedef double fn_v64 __attribute__((vector_size(FN_VECTOR_BYTES)));
typedef int32_t fn_i32 __attribute__((vector_size(FN_VECTOR_BYTES)));
typedef int64_t fn_i64 __attribute__((vector_size(FN_VECTOR_BYTES)));
/* The same in memory: aligned as one element is, and allowed to alias the array. */
typedef float fn_m32 __attribute__((vector_size(FN_VECTOR_BYTES), aligned(4), may_alias));
typedef double fn_m64 __attribute__((vector_size(FN_VECTOR_BYTES), aligned(8), may_alias));
#define FN_LANES_32 (FN_VECTOR_BYTES / 4)
#define FN_LANES_64 (FN_VECTOR_BYTES / 8)
#else
typedef float fn_v32, fn_m32;
typedef double fn_v64, fn_m64;
#define FN_LANES_32 1
#define FN_LANES_64 1
#endif

/* One value in every lane.  Not {0} + x, an addition that the compiler may not drop because of -0. */
#if defined(__AVX512F__)
#define FN_SPLAT_32(x) ((fn_v32)_mm512_set1_ps(x))
#define FN_SPLAT_64(x) ((fn_v64)_mm512_set1_pd(x))
#elif defined(__AVX2__)
#define FN_SPLAT_32(x) ((fn_v32)_mm256_set1_ps(x))
#define FN_SPLAT_64(x) ((fn_v64)_mm256_set1_pd(x))
#elif FN_VECTOR_BYTES
FN_INLINE fn_v32 FN_SPLAT_32(float x) { return (fn_v32){x, x, x, x}; }
FN_INLINE fn_v64 FN_SPLAT_64(double x) { return (fn_v64){x, x}; }
#else
#define FN_SPLAT_32(x) (x)
#define FN_SPLAT_64(x) (x)
#endif

FN_INLINE fn_v32 fn_load_32(const float *p) { return *(const fn_m32 *)p; }
FN_INLINE fn_v64 fn_load_64(const double *p) { return *(const fn_m64 *)p; }
FN_INLINE void fn_store_32(float *p, fn_v32 v) { *(fn_m32 *)p = v; }
FN_INLINE void fn_store_64(double *p, fn_v64 v) { *(fn_m64 *)p = v; }

/* a * b + c, rounded once where the instruction set can. */
#if defined(__AVX512F__)
FN_INLINE fn_v32 fn_fma_32(fn_v32 a, fn_v32 b, fn_v32 c) { return _mm512_fmadd_ps(a, b, c); }
FN_INLINE fn_v64 fn_fma_64(fn_v64 a, fn_v64 b, fn_v64 c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__AVX2__)
FN_INLINE fn_v32 fn_fma_32(fn_v32 a, fn_v32 b, fn_v32 c) { return _mm256_fmadd_ps(a, b, c); }
FN_INLINE fn_v64 fn_fma_64(fn_v64 a, fn_v64 b, fn_v64 c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__aarch64__) && FN_VECTOR_BYTES
FN_INLINE fn_v32 fn_fma_32(fn_v32 a, fn_v32 b, fn_v32 c) {
    return (fn_v32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
FN_INLINE fn_v64 fn_fma_64(fn_v64 a, fn_v64 b, fn_v64 c) {
    return (fn_v64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
FN_INLINE fn_v32 fn_fma_32(fn_v32 a, fn_v32 b, fn_v32 c) { return a * b + c; }
FN_INLINE fn_v64 fn_fma_64(fn_v64 a, fn_v64 b, fn_v64 c) { return a * b + c; }
#endif

/* *a * b + c: with AVX-512 the multiply-add itself reads the element and spreads it. */
#if defined(__AVX512F__) && defined(__GNUC__)
FN_INLINE fn_v32 fn_fma_at_32(const float *a, fn_v32 b, fn_v32 c) {
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(*a));
    return c;
}
FN_INLINE fn_v64 fn_fma_at_64(const double *a, fn_v64 b, fn_v64 c) {
    __asm__("vfmadd231pd %2%{1to8%}, %1, %0" : "+v"(c) : "v"(b), "m"(*a));
    return c;
}
#else
FN_INLINE fn_v32 fn_fma_at_32(const float *a, fn_v32 b, fn_v32 c) {
    return fn_fma_32(FN_SPLAT_32(*a), b, c);
}
FN_INLINE fn_v64 fn_fma_at_64(const double *a, fn_v64 b, fn_v64 c) {
    return fn_fma_64(FN_SPLAT_64(*a), b, c);
}
#endif

/* The first n lanes of a vector, 0 <= n <= lanes; the others load as zero and are not stored.
 * FN_PARTIAL_IS_FAST says that a partial load costs about as much as a whole one, and that there is
 * one of the lanes from `first` to before `end`, and one of those whose bit is set. */
#if defined(__AVX512F__)
#define FN_PARTIAL_IS_FAST 1
#define FN_MASK(n) ((uint32_t)((1ull << (n)) - 1))
FN_INLINE fn_v32 fn_load_part_32(const float *p, int n) {
    return _mm512_maskz_loadu_ps((__mmask16)FN_MASK(n), p);
}
FN_INLINE fn_v64 fn_load_part_64(const double *p, int n) {
    return _mm512_maskz_loadu_pd((__mmask8)FN_MASK(n), p);
}
FN_INLINE fn_v32 fn_load_between_32(const float *p, int first, int end) {
    return _mm512_maskz_loadu_ps((__mmask16)(FN_MASK(end) & ~FN_MASK(first)), p);
}
FN_INLINE fn_v64 fn_load_between_64(const double *p, int first, int end) {
    return _mm512_maskz_loadu_pd((__mmask8)(FN_MASK(end) & ~FN_MASK(first)), p);
}
FN_INLINE fn_v32 fn_load_where_32(const float *p, int bits) {
    return _mm512_maskz_loadu_ps((__mmask16)bits, p);
}
FN_INLINE fn_v64 fn_load_where_64(const double *p, int bits) {
    return _mm512_maskz_loadu_pd((__mmask8)bits, p);
}
FN_INLINE void fn_store_part_32(float *p, fn_v32 v, int n) {
    _mm512_mask_storeu_ps(p, (__mmask16)FN_MASK(n), v);
}
FN_INLINE void fn_store_part_64(double *p, fn_v64 v, int n) {
    _mm512_mask_storeu_pd(p, (__mmask8)FN_MASK(n), v);
}
#elif defined(__AVX2__)
#define FN_PARTIAL_IS_FAST 1
FN_INLINE __m256i fn_mask_32(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FN_INLINE __m256i fn_mask_64(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
FN_INLINE fn_v32 fn_load_part_32(const float *p, int n) {
    return _mm256_maskload_ps(p, fn_mask_32(n));
}
FN_INLINE fn_v64 fn_load_part_64(const double *p, int n) {
    return _mm256_maskload_pd(p, fn_mask_64(n));
}
FN_INLINE fn_v32 fn_load_between_32(const float *p, int first, int end) {
    return _mm256_maskload_ps(p, _mm256_andnot_si256(fn_mask_32(first), fn_mask_32(end)));
}
FN_INLINE fn_v64 fn_load_between_64(const double *p, int first, int end) {
    return _mm256_maskload_pd(p, _mm256_andnot_si256(fn_mask_64(first), fn_mask_64(end)));
}
FN_INLINE fn_v32 fn_load_where_32(const float *p, int bits) {
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_maskload_ps(
        p, _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits), lane), lane));
}
FN_INLINE fn_v64 fn_load_where_64(const double *p, int bits) {
    const __m256i lane = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_maskload_pd(
        p, _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits), lane), lane));
}
FN_INLINE void fn_store_part_32(float *p, fn_v32 v, int n) {
    _mm256_maskstore_ps(p, fn_mask_32(n), v);
}
FN_INLINE void fn_store_part_64(double *p, fn_v64 v, int n) {
    _mm256_maskstore_pd(p, fn_mask_64(n), v);
}
#else
#define FN_PARTIAL_IS_FAST 0
FN_INLINE fn_v32 fn_load_part_32(const float *p, int n) {
    fn_v32 v = FN_SPLAT_32(0.0f);
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
}
FN_INLINE fn_v64 fn_load_part_64(const double *p, int n) {
    fn_v64 v = FN_SPLAT_64(0.0);
    memcpy(&v, p, (size_t)n * sizeof(double));
    return v;
}
FN_INLINE void fn_store_part_32(float *p, fn_v32 v, int n) {
    memcpy(p, &v, (size_t)n * sizeof(float));
}
FN_INLINE void fn_store_part_64(double *p, fn_v64 v, int n) {
    memcpy(p, &v, (size_t)n * sizeof(double));
}
#endif

/* Two steps of a transpose: of the pair (a, b), the vector that keeps a's lanes j without bit s and
 * takes b's lane j - s elsewhere, and its counterpart.  A constant s makes one permutation. */
#if FN_VECTOR_BYTES
#define FN_LOW_LANE(L, s, j) (((j) & (s)) ? (L) + (j) - (s) : (j))
#define FN_HIGH_LANE(L, s, j) (((j) & (s)) ? (L) + (j) : ((j) + (s)) % (L))
#define FN_EACH_2(M, L, s) M(L, s, 0), M(L, s, 1)
#define FN_EACH_4(M, L, s) FN_EACH_2(M, L, s), M(L, s, 2), M(L, s, 3)
#define FN_EACH_8(M, L, s) FN_EACH_4(M, L, s), M(L, s, 4), M(L, s, 5), M(L, s, 6), M(L, s, 7)
#define FN_EACH_16(M, L, s) \
    FN_EACH_8(M, L, s), M(L, s, 8), M(L, s, 9), M(L, s, 10), M(L, s, 11), M(L, s, 12), \
    M(L, s, 13), M(L, s, 14), M(L, s, 15)
#if FN_VECTOR_BYTES == 64
#define FN_EACH_LANE_32 FN_EACH_16
#define FN_EACH_LANE_64 FN_EACH_8
#elif FN_VECTOR_BYTES == 32
#define FN_EACH_LANE_32 FN_EACH_8
#define FN_EACH_LANE_64 FN_EACH_4
#else
#define FN_EACH_LANE_32 FN_EACH_4
#define FN_EACH_LANE_64 FN_EACH_2
#endif
#if defined(__clang__)
#define FN_SHUFFLE(I, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FN_SHUFFLE(I, a, b, ...) __builtin_shuffle(a, b, (I){__VA_ARGS__})
#endif
#define FN_SWAP(NAME, V, I, LANES, EACH, LANE) \
    FN_INLINE V NAME(V a, V b, const int s) { \
        switch (s) { \
            case 1: return FN_SHUFFLE(I, a, b, EACH(LANE, LANES, 1)); \
            case 2: return FN_SHUFFLE(I, a, b, EACH(LANE, LANES, 2)); \
            case 4: return FN_SHUFFLE(I, a, b, EACH(LANE, LANES, 4)); \
            default: return FN_SHUFFLE(I, a, b, EACH(LANE, LANES, 8)); \
        } \
    }
FN_SWAP(fn_swap_low_32, fn_v32, fn_i32, FN_LANES_32, FN_EACH_LANE_32, FN_LOW_LANE)
FN_SWAP(fn_swap_high_32, fn_v32, fn_i32, FN_LANES_32, FN_EACH_LANE_32, FN_HIGH_LANE)
FN_SWAP(fn_swap_low_64, fn_v64, fn_i64, FN_LANES_64, FN_EACH_LANE_64, FN_LOW_LANE)
FN_SWAP(fn_swap_high_64, fn_v64, fn_i64, FN_LANES_64, FN_EACH_LANE_64, FN_HIGH_LANE)
/* Lanes 0, 2, 4 ... of a, then of b. */
#define FN_EVEN_LANE(L, s, j) (2 * (j))
FN_INLINE fn_v32 fn_even_32(fn_v32 a, fn_v32 b) {
    return FN_SHUFFLE(fn_i32, a, b, FN_EACH_LANE_32(FN_EVEN_LANE, FN_LANES_32, 0));
}
FN_INLINE fn_v64 fn_even_64(fn_v64 a, fn_v64 b) {
    return FN_SHUFFLE(fn_i64, a, b, FN_EACH_LANE_64(FN_EVEN_LANE, FN_LANES_64, 0));
}
/* Lanes 1, 3, 5 ... of a, then of b. */
#define FN_ODD_LANE(L, s, j) (2 * (j) + 1)
FN_INLINE fn_v32 fn_odd_32(fn_v32 a, fn_v32 b) {
    return FN_SHUFFLE(fn_i32, a, b, FN_EACH_LANE_32(FN_ODD_LANE, FN_LANES_32, 0));
}
FN_INLINE fn_v64 fn_odd_64(fn_v64 a, fn_v64 b) {
    return FN_SHUFFLE(fn_i64, a, b, FN_EACH_LANE_64(FN_ODD_LANE, FN_LANES_64, 0));
}
/* a[s / 2], b[s / 2], a[s / 2 + 1] ...: from s = 0 the low halves, from s = lanes the high ones. */
#define FN_ZIP_LANE(L, s, j) (((j) + (s)) / 2 + ((j) % 2 ? (L) : 0))
FN_INLINE fn_v32 fn_zip_low_32(fn_v32 a, fn_v32 b) {
    return FN_SHUFFLE(fn_i32, a, b, FN_EACH_LANE_32(FN_ZIP_LANE, FN_LANES_32, 0));
}
FN_INLINE fn_v32 fn_zip_high_32(fn_v32 a, fn_v32 b) {
    return FN_SHUFFLE(fn_i32, a, b, FN_EACH_LANE_32(FN_ZIP_LANE, FN_LANES_32, FN_LANES_32));
}
FN_INLINE fn_v64 fn_zip_low_64(fn_v64 a, fn_v64 b) {
    return FN_SHUFFLE(fn_i64, a, b, FN_EACH_LANE_64(FN_ZIP_LANE, FN_LANES_64, 0));
}
FN_INLINE fn_v64 fn_zip_high_64(fn_v64 a, fn_v64 b) {
    return FN_SHUFFLE(fn_i64, a, b, FN_EACH_LANE_64(FN_ZIP_LANE, FN_LANES_64, FN_LANES_64));
}
#endif

#endif
