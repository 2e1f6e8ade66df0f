/* exp, tanh, the logistic function and log(1 + exp(-|x|)) without a branch.
 *
 * One element in, one out, and nothing but arithmetic and selections, so that the compiler
 * turns a loop over them into vector code of any width.  Errors stay below 3 units in the
 * last place; NaN stays NaN, overflow gives infinity, results may be subnormal.
 *
 * exp(x) = 2**n exp(r) with n = round(x / ln 2), |r| <= ln(2) / 2, after Cody and Waite (1980);
 * exp(r) - 1 is a polynomial interpolated at Chebyshev nodes.  n comes from adding
 * 1.5 * 2**(mantissa bits), which leaves it in the low bits of the sum.
 */
#ifndef FASTNN_VECMATH_H
#define FASTNN_VECMATH_H
#include <math.h>
#include "simd.h"

#if defined(__FMA__) || defined(__aarch64__)
#define FN_FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define FN_FMA(a, b, c) __builtin_fma(a, b, c)
#else
#define FN_FMAF(a, b, c) ((a) * (b) + (c))
#define FN_FMA(a, b, c) ((a) * (b) + (c))
#endif

FN_INLINE float fn_power_of_two_32(int32_t n) {
    const int32_t bits = (n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

FN_INLINE double fn_power_of_two_64(int64_t n) {
    const int64_t bits = (n + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(r) - 1 and n, for x = n ln 2 + r. */
FN_INLINE float fn_reduced_expm1_32(float x, int32_t *n) {
    const float magic = 12582912.0f;
    const float shifted = FN_FMAF(x, 1.44269504f, magic);
    const float k = shifted - magic;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    *n = bits - 0x4B400000;
    const float r = FN_FMAF(k, -1.42860682031e-6f, FN_FMAF(k, -0.693145751953125f, x));
    float p = 1.9891009596308316e-4f;
    p = FN_FMAF(p, r, 1.3933666900006932e-3f);
    p = FN_FMAF(p, r, 8.3333109085654533e-3f);
    p = FN_FMAF(p, r, 4.1666464772966814e-2f);
    p = FN_FMAF(p, r, 1.6666666681640166e-1f);
    p = FN_FMAF(p, r, 5.000000013481058e-1f);
    return FN_FMAF(p * r, r, r);
}

FN_INLINE double fn_reduced_expm1_64(double x, int64_t *n) {
    const double magic = 6755399441055744.0;
    const double shifted = FN_FMA(x, 1.4426950408889634074, magic);
    const double k = shifted - magic;
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    *n = bits - 0x4338000000000000LL;
    const double r = FN_FMA(
        k, -1.9082149292705878161e-10, FN_FMA(k, -0.6931471803691238164901733, x));
    double p = 2.0914701283103284e-9;
    p = FN_FMA(p, r, 2.5105237050760299e-8);
    p = FN_FMA(p, r, 2.7557273608709007e-7);
    p = FN_FMA(p, r, 2.7557255352032672e-6);
    p = FN_FMA(p, r, 2.4801587325574868e-5);
    p = FN_FMA(p, r, 1.9841269874858612e-4);
    p = FN_FMA(p, r, 1.3888888888883741e-3);
    p = FN_FMA(p, r, 8.3333333333261243e-3);
    p = FN_FMA(p, r, 4.166666666666667e-2);
    p = FN_FMA(p, r, 1.6666666666666671e-1);
    p = FN_FMA(p, r, 0.5);
    return FN_FMA(p * r, r, r);
}

/* The power of two is applied in two halves, so that neither overflows on the way to an
 * infinite or a subnormal result. */
FN_INLINE float fn_exp_32(float x) {
    int32_t n;
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    const float p = 1.0f + fn_reduced_expm1_32(x, &n);
    return p * fn_power_of_two_32(n >> 1) * fn_power_of_two_32(n - (n >> 1));
}

FN_INLINE double fn_exp_64(double x) {
    int64_t n;
    x = x < -746.0 ? -746.0 : x;
    x = x > 710.0 ? 710.0 : x;
    const double p = 1.0 + fn_reduced_expm1_64(x, &n);
    /* n / 2 without a 64-bit arithmetic shift, which AVX2 lacks */
    const int64_t half = (int64_t)((uint64_t)(n + 2048) >> 1) - 1024;
    return p * fn_power_of_two_64(half) * fn_power_of_two_64(n - half);
}

/* tanh(x) = sign(x) (1 - e) / (1 + e) with e = exp(-2|x|); 1 - e from expm1, exact near 0. */
FN_INLINE float fn_tanh_32(float x) {
    int32_t n;
    float y = -2.0f * fabsf(x);
    y = y < -40.0f ? -40.0f : y;
    const float p = fn_reduced_expm1_32(y, &n);
    const float power = fn_power_of_two_32(n);
    const float expm1 = FN_FMAF(power, p, power - 1.0f);
    return copysignf(-expm1 / (expm1 + 2.0f), x);
}

FN_INLINE double fn_tanh_64(double x) {
    int64_t n;
    double y = -2.0 * fabs(x);
    y = y < -80.0 ? -80.0 : y;
    const double p = fn_reduced_expm1_64(y, &n);
    const double power = fn_power_of_two_64(n);
    const double expm1 = FN_FMA(power, p, power - 1.0);
    return copysign(-expm1 / (expm1 + 2.0), x);
}

/* 1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow. */
FN_INLINE float fn_sigmoid_32(float x) {
    const float e = fn_exp_32(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

FN_INLINE double fn_sigmoid_64(double x) {
    const double e = fn_exp_64(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

/* log(1 + exp(-|x|)) = 2 atanh(s) with s = e / (2 + e) <= 1/3, so no precision is lost in 1 + e. */
FN_INLINE float fn_softplus_tail_32(float x) {
    const float e = fn_exp_32(-fabsf(x));
    const float s = e / (2.0f + e), t = s * s;
    float p = 1.1612164612011674e-1f;
    p = FN_FMAF(p, t, 1.0853287900440186e-1f);
    p = FN_FMAF(p, t, 1.4296178997151419e-1f);
    p = FN_FMAF(p, t, 1.9999853165964859e-1f);
    p = FN_FMAF(p, t, 3.3333333660263706e-1f);
    return 2.0f * FN_FMAF(p * t, s, s);
}

FN_INLINE double fn_softplus_tail_64(double x) {
    const double e = fn_exp_64(-fabs(x));
    const double s = e / (2.0 + e), t = s * s;
    double p = 8.0820228059717661e-2;
    p = FN_FMA(p, t, 4.4003692430723369e-2);
    p = FN_FMA(p, t, 6.0005364047953563e-2);
    p = FN_FMA(p, t, 6.6570721048274681e-2);
    p = FN_FMA(p, t, 7.6927850324793116e-2);
    p = FN_FMA(p, t, 9.0908947180664291e-2);
    p = FN_FMA(p, t, 1.1111111358713931e-1);
    p = FN_FMA(p, t, 1.4285714283554379e-1);
    p = FN_FMA(p, t, 2.0000000000007291e-1);
    p = FN_FMA(p, t, 3.3333333333333329e-1);
    return 2.0 * FN_FMA(p * t, s, s);
}

#endif
