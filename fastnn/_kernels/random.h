/* What is made of a generator's words: fractions, standard normal numbers, integers in a range.
 *
 * Nothing but additions, multiplications, divisions and square roots, each rounded once (there is no
 * fused multiply-add), and selections by bits: every instruction set computes the same bits, and
 * the compiler makes vector code of loops over it.  log, sin and cos are fdlibm's polynomials (Sun,
 * 1993): the error of log is below 1 unit in the last place, and those of the cosine and sine of a
 * turn are below 2.
 */
#ifndef FASTNN_RANDOM_H
#define FASTNN_RANDOM_H
#include <math.h>
#include "philox.h"

FN_INLINE double fn_from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

FN_INLINE uint64_t fn_bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A whole number below 2**52, by way of the mantissa of 2**52: AVX2 converts no 64-bit integers. */
FN_INLINE double fn_whole(uint64_t n) {
    return fn_from_bits(0x4330000000000000u | n) - 4503599627370496.0;
}

/* The 53 high bits of a number of 64, as a whole number. */
FN_INLINE double fn_high_53(uint32_t low, uint32_t high) {
    return fn_whole(high) * 2097152.0 + fn_whole(low >> 11);
}

/* log(u) for u in (0, 1], normal: u = 2**k m with m from sqrt(1/2) to sqrt(2), and
 * log(m) = 2 atanh(s) with s = (m - 1) / (m + 1). */
FN_INLINE double fn_log_unit(double u) {
    const uint64_t root = 0x3FE6A09E667F3BCDu; /* sqrt(1/2) */
    const uint64_t shifted = fn_bits_of(u) - root + 0x3FF0000000000000u;
    const double k = fn_whole(shifted >> 52) - 1023.0;
    const double f = fn_from_bits((shifted & 0x000FFFFFFFFFFFFFu) + root) - 1.0;
    const double s = f / (2.0 + f), z = s * s, w = z * z;
    const double odd = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 +
        w * 1.531383769920937332e-1));
    const double even = z * (6.666666666666735130e-1 + w * (2.857142874366239149e-1 +
        w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
    const double half = 0.5 * f * f;
    return k * 6.93147180369123816490e-1 -
        ((half - (s * (half + (even + odd)) + k * 1.90821492927058770002e-10)) - f);
}

/* cos and sin of 2 pi v for v in [0, 1): v = q / 4 + r, |r| <= 1/8, both exact. */
FN_INLINE void fn_cos_sin_turn(double v, double *cosine, double *sine) {
    const double magic = 6755399441055744.0; /* 1.5 * 2**52: leaves q in the low bits of the sum */
    const double shifted = 4.0 * v + magic;
    const uint64_t q = fn_bits_of(shifted);
    const double x = (v - 0.25 * (shifted - magic)) * 6.28318530717958647693, z = x * x;
    const double s = x + x * z * (-1.66666666666666324348e-1 + z * (8.33333333332248946124e-3 +
        z * (-1.98412698298579493134e-4 + z * (2.75573137070700676789e-6 +
        z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)))));
    const double c = 1.0 - (0.5 * z - z * z * (4.16666666666666019037e-2 +
        z * (-1.38888888888741095749e-3 + z * (2.48015872894767294178e-5 +
        z * (-2.75573143513906633035e-7 + z * (2.08757232129817482790e-9 +
        z * -1.13596475577881948265e-11))))));
    const uint64_t odd = 0 - (q & 1), cs = fn_bits_of(c), sn = fn_bits_of(s);
    *cosine = fn_from_bits(((sn & odd) | (cs & ~odd)) ^ (((q + 1) & 2) << 62));
    *sine = fn_from_bits(((cs & odd) | (sn & ~odd)) ^ ((q & 2) << 62));
}

/* Uniform numbers of all words of a call of fn_philox, a word or two each. */
static void fn_uniform_32(const uint32_t *words, float *out) {
    for (int i = 0; i < FN_PHILOX_WORDS; i++) {
        out[i] = (float)(int32_t)(words[i] >> 8) * 5.9604644775390625e-8f; /* 2**-24 */
    }
}

static void fn_uniform_64(const uint32_t *words, double *out) {
    for (int i = 0; i < FN_PHILOX_WORDS / 2; i++) {
        out[i] = fn_high_53(words[2 * i], words[2 * i + 1]) * 1.1102230246251565404e-16; /* 2**-53 */
    }
}

/* Standard normal numbers, two of two uniform ones (Box, Muller, 1958). */
FN_INLINE void fn_box_muller(int pairs, const double *u, const double *v, double *out) {
    double cosine[FN_PHILOX_WORDS / 2], sine[FN_PHILOX_WORDS / 2];
    for (int i = 0; i < pairs; i++) {
        const double radius = sqrt(-2.0 * fn_log_unit(u[i]));
        double c, s;
        fn_cos_sin_turn(v[i], &c, &s);
        cosine[i] = radius * c;
        sine[i] = radius * s;
    }
    for (int i = 0; i < pairs; i++) {
        out[2 * i] = cosine[i];
        out[2 * i + 1] = sine[i];
    }
}

static void fn_normal_32(const uint32_t *words, double *out) {
    double u[FN_PHILOX_WORDS / 2], v[FN_PHILOX_WORDS / 2];
    for (int i = 0; i < FN_PHILOX_WORDS / 2; i++) {
        u[i] = (fn_whole(words[2 * i]) + 1.0) * 2.3283064365386962891e-10; /* 2**-32 */
        v[i] = fn_whole(words[2 * i + 1]) * 2.3283064365386962891e-10;
    }
    fn_box_muller(FN_PHILOX_WORDS / 2, u, v, out);
}

static void fn_normal_64(const uint32_t *words, double *out) {
    double u[FN_PHILOX_WORDS / 4], v[FN_PHILOX_WORDS / 4];
    for (int i = 0; i < FN_PHILOX_WORDS / 4; i++) {
        const uint32_t *w = words + 4 * i;
        u[i] = (fn_high_53(w[0], w[1]) + 1.0) * 1.1102230246251565404e-16; /* 2**-53 */
        v[i] = fn_high_53(w[2], w[3]) * 1.1102230246251565404e-16;
    }
    fn_box_muller(FN_PHILOX_WORDS / 4, u, v, out);
}

/* The high 64 bits of a product of two numbers of 64 bits, without 128-bit integers. */
FN_INLINE uint64_t fn_multiply_high(uint64_t a, uint64_t b) {
    const uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    const uint64_t p = a1 * b0 + (a0 * b0 >> 32), q = a0 * b1 + (uint32_t)p;
    return a1 * b1 + (p >> 32) + (q >> 32);
}

/* floor(span X / 2**128) + low for the 128 bits X of each block; a span of 0 stands for 2**64. */
static void fn_integers(const uint32_t *words, uint64_t low, uint64_t span, int64_t *out) {
    for (int b = 0; b < FN_PHILOX_BLOCKS; b++) {
        const uint32_t *w = words + 4 * b;
        const uint64_t lower = w[0] | (uint64_t)w[1] << 32, upper = w[2] | (uint64_t)w[3] << 32;
        const uint64_t middle = span * upper, sum = middle + fn_multiply_high(span, lower);
        const uint64_t top = span ? fn_multiply_high(span, upper) + (sum < middle) : upper;
        const uint64_t value = low + top;
        memcpy(out + b, &value, sizeof value);
    }
}

#endif
