/* Random bits from a counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, 2011).
 *
 * Ten rounds of multiplications turn a counter of 128 bits and a key of 64 into 128 bits.  There is
 * no state to hand on: any block of numbers can be made by any thread, at any time, again.
 */
#ifndef FASTNN_PHILOX_H
#define FASTNN_PHILOX_H
#include "simd.h"

#define FN_PHILOX_BLOCKS 16 /* made together, so that no round waits for the one before */
#define FN_PHILOX_WORDS (4 * FN_PHILOX_BLOCKS)

/* Vectors of 64-bit lanes, and the products of their lower halves. */
#if FN_VECTOR_BYTES
typedef uint64_t fn_u64 __attribute__((vector_size(FN_VECTOR_BYTES)));
#else
typedef uint64_t fn_u64;
#endif
#if defined(__AVX512F__)
FN_INLINE fn_u64 fn_multiply_lower(fn_u64 a, fn_u64 b) {
    return (fn_u64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}
#elif defined(__AVX2__)
FN_INLINE fn_u64 fn_multiply_lower(fn_u64 a, fn_u64 b) {
    return (fn_u64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#elif defined(__SSE2__) && FN_VECTOR_BYTES
#include <emmintrin.h>
FN_INLINE fn_u64 fn_multiply_lower(fn_u64 a, fn_u64 b) {
    return (fn_u64)_mm_mul_epu32((__m128i)a, (__m128i)b);
}
#else
FN_INLINE fn_u64 fn_multiply_lower(fn_u64 a, fn_u64 b) {
    return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
}
#endif

#define FN_PHILOX_LANES ((int)(sizeof(fn_u64) / 8))
#define FN_PHILOX_VECTORS (FN_PHILOX_LANES == 8 ? 2 : 4) /* at once: as the registers hold */
#define FN_PHILOX_TOGETHER (FN_PHILOX_LANES * FN_PHILOX_VECTORS)

/* words[4 b + w] = word w of the block with counter (block + b, step) and the key `seed`.
 *
 * Only the lower halves of the lanes count: what the upper ones hold is dropped at the end. */
static void fn_philox(uint64_t block, uint64_t step, uint64_t seed, uint32_t *words) {
    const fn_u64 zero = {0};
    const fn_u64 first_factor = zero + 0xD2511F53u, second_factor = zero + 0xCD9E8D57u;
    for (int start = 0; start < FN_PHILOX_BLOCKS; start += FN_PHILOX_TOGETHER) {
        uint64_t word[4][FN_PHILOX_TOGETHER];
        fn_u64 c0[FN_PHILOX_VECTORS], c1[FN_PHILOX_VECTORS];
        fn_u64 c2[FN_PHILOX_VECTORS], c3[FN_PHILOX_VECTORS];
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int b = 0; b < FN_PHILOX_TOGETHER; b++) {
            word[0][b] = block + (uint64_t)(start + b);
        }
        memcpy(c0, word[0], sizeof c0);
        for (int v = 0; v < FN_PHILOX_VECTORS; v++) {
            c1[v] = c0[v] >> 32;
            c2[v] = zero + step;
            c3[v] = zero + (step >> 32);
        }
        for (int round = 0; round < 10; round++) {
            for (int v = 0; v < FN_PHILOX_VECTORS; v++) {
                const fn_u64 first = fn_multiply_lower(c0[v], first_factor);
                const fn_u64 second = fn_multiply_lower(c2[v], second_factor);
                c0[v] = (second >> 32) ^ c1[v] ^ (zero + k0);
                c1[v] = second;
                c2[v] = (first >> 32) ^ c3[v] ^ (zero + k1);
                c3[v] = first;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        memcpy(word[0], c0, sizeof c0);
        memcpy(word[1], c1, sizeof c1);
        memcpy(word[2], c2, sizeof c2);
        memcpy(word[3], c3, sizeof c3);
        for (int b = 0; b < FN_PHILOX_TOGETHER; b++) {
            for (int w = 0; w < 4; w++) {
                words[4 * (start + b) + w] = (uint32_t)word[w][b];
            }
        }
    }
}

#endif
