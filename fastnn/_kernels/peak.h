/* The most multiply-adds that this instruction set can do: independent sums in registers, enough of
 * them to hide the latency of each. */
#ifndef FASTNN_PEAK_H
#define FASTNN_PEAK_H
#include "simd.h"

#define FN_PEAK_SUMS 12
#define FN_PEAK_FLOPS_32 (2 * FN_LANES_32 * FN_PEAK_SUMS)
#define FN_PEAK_FLOPS_64 (2 * FN_LANES_64 * FN_PEAK_SUMS)

#define FN_PEAK(NAME, T, V, LANES, SPLAT, FMA) \
    static T NAME(ptrdiff_t rounds) { \
        V sum[FN_PEAK_SUMS], x = SPLAT((T)0.999), y = SPLAT((T)0.001); \
        T result = 0; \
        FN_UNROLL for (int i = 0; i < FN_PEAK_SUMS; i++) sum[i] = SPLAT((T)i); \
        for (ptrdiff_t k = 0; k < rounds; k++) \
            FN_UNROLL for (int i = 0; i < FN_PEAK_SUMS; i++) sum[i] = FMA(sum[i], x, y); \
        for (int i = 0; i < FN_PEAK_SUMS; i++) { \
            T lane[LANES]; \
            memcpy(lane, &sum[i], sizeof lane); \
            result += lane[0]; \
        } \
        return result; \
    }

FN_PEAK(fn_peak_32, float, fn_v32, FN_LANES_32, FN_SPLAT_32, fn_fma_32)
FN_PEAK(fn_peak_64, double, fn_v64, FN_LANES_64, FN_SPLAT_64, fn_fma_64)

#endif
