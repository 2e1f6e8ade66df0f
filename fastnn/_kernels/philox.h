/* Random bits from a counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, 2011).
 *
 * Ten rounds of multiplications turn a counter of 128 bits and a key of 64 into 128 bits.  There is
 * no state to hand on: any block of numbers can be made by any thread, at any time, again.
 */
#ifndef FASTNN_PHILOX_H
#define FASTNN_PHILOX_H
#include "simd.h"

#define FN_PHILOX_BLOCKS 16 /* made together, so that the compiler makes vector code of them */
#define FN_PHILOX_WORDS (4 * FN_PHILOX_BLOCKS)

/* words[4 b + w] = word w of the block with counter (block + b, step) and the key `seed`. */
static void fn_philox(uint64_t block, uint64_t step, uint64_t seed, uint32_t *words) {
    uint64_t c0[FN_PHILOX_BLOCKS], c1[FN_PHILOX_BLOCKS];
    uint64_t c2[FN_PHILOX_BLOCKS], c3[FN_PHILOX_BLOCKS];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int b = 0; b < FN_PHILOX_BLOCKS; b++) {
        c0[b] = (uint32_t)(block + (uint64_t)b);
        c1[b] = (block + (uint64_t)b) >> 32;
        c2[b] = (uint32_t)step;
        c3[b] = step >> 32;
    }
    for (int round = 0; round < 10; round++) {
        for (int b = 0; b < FN_PHILOX_BLOCKS; b++) {
            const uint64_t first = 0xD2511F53u * c0[b], second = 0xCD9E8D57u * c2[b];
            c0[b] = (second >> 32) ^ c1[b] ^ k0;
            c1[b] = (uint32_t)second;
            c2[b] = (first >> 32) ^ c3[b] ^ k1;
            c3[b] = (uint32_t)first;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int b = 0; b < FN_PHILOX_BLOCKS; b++) {
        words[4 * b] = (uint32_t)c0[b];
        words[4 * b + 1] = (uint32_t)c1[b];
        words[4 * b + 2] = (uint32_t)c2[b];
        words[4 * b + 3] = (uint32_t)c3[b];
    }
}

#endif
