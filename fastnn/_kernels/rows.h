/* Reductions over one row, the same bits on every thread count: lanes of partial results
 * in a fixed order, which the compiler keeps in one vector. */
#ifndef FASTNN_ROWS_H
#define FASTNN_ROWS_H
#include <math.h>
#include "simd.h"

#define FN_ROW_LANES 16

/* Folds n lanes pairwise: 16 -> 8 -> 4 -> 2 -> 1. */
#define FN_FOLD(lane, COMBINE) \
    FN_UNROLL for (int half = FN_ROW_LANES / 2; half; half /= 2) \
        FN_UNROLL for (int j = 0; j < half; j++) lane[j] = COMBINE(lane[j], lane[j + half]);

#define FN_LARGER(a, b) ((b) > (a) ? (b) : (a))
#define FN_PLUS(a, b) ((a) + (b))

#define FN_ROW_REDUCTION(NAME, T, W, ARGUMENTS, START, TERM, COMBINE) \
    FN_INLINE W NAME(ARGUMENTS, ptrdiff_t n) { \
        ptrdiff_t i = 0; \
        W total = (W)(START); \
        if (n >= FN_ROW_LANES) { \
            W lane[FN_ROW_LANES]; \
            FN_UNROLL for (int j = 0; j < FN_ROW_LANES; j++) lane[j] = (W)(START); \
            for (; i + FN_ROW_LANES <= n; i += FN_ROW_LANES) \
                for (int j = 0; j < FN_ROW_LANES; j++) \
                    lane[j] = COMBINE(lane[j], (W)TERM(i + j)); \
            FN_FOLD(lane, COMBINE) \
            total = lane[0]; \
        } \
        for (; i < n; i++) \
            total = COMBINE(total, (W)TERM(i)); \
        return total; \
    }

#define FN_ONE(T) const T *x
#define FN_TWO(T) const T *x, const T *y
#define FN_ITSELF(i) (x[i])
#define FN_PRODUCT(i) (x[i] * y[i])
#define FN_POSITIVE(i) (x[i] > 0)
#define FN_WIDE_SQUARE(i) ((double)x[i] * (double)x[i])

/* The largest element that is not NaN. */
FN_ROW_REDUCTION(fn_row_max_32, float, float, FN_ONE(float), -INFINITY, FN_ITSELF, FN_LARGER)
FN_ROW_REDUCTION(fn_row_max_64, double, double, FN_ONE(double), -INFINITY, FN_ITSELF, FN_LARGER)
FN_ROW_REDUCTION(fn_row_sum_32, float, float, FN_ONE(float), 0, FN_ITSELF, FN_PLUS)
FN_ROW_REDUCTION(fn_row_sum_64, double, double, FN_ONE(double), 0, FN_ITSELF, FN_PLUS)
FN_ROW_REDUCTION(fn_row_dot_32, float, float, FN_TWO(float), 0, FN_PRODUCT, FN_PLUS)
FN_ROW_REDUCTION(fn_row_dot_64, double, double, FN_TWO(double), 0, FN_PRODUCT, FN_PLUS)
FN_ROW_REDUCTION(fn_row_positive_32, float, int, FN_ONE(float), 0, FN_POSITIVE, FN_PLUS)
FN_ROW_REDUCTION(fn_row_positive_64, double, int, FN_ONE(double), 0, FN_POSITIVE, FN_PLUS)
/* Summed in double whatever the elements are. */
FN_ROW_REDUCTION(fn_wide_sum_32, float, double, FN_ONE(float), 0, FN_ITSELF, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_sum_64, double, double, FN_ONE(double), 0, FN_ITSELF, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_squares_32, float, double, FN_ONE(float), 0, FN_WIDE_SQUARE, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_squares_64, double, double, FN_ONE(double), 0, FN_WIDE_SQUARE, FN_PLUS)
/* Of squared deviations, and of x times y's deviations, from a mean. */
#define FN_ONE_MEAN(T) const T *x, double mean
#define FN_TWO_MEAN(T) const T *x, const T *y, double mean
#define FN_DEVIATION(i) (((double)x[i] - mean) * ((double)x[i] - mean))
#define FN_DEVIATED(i) ((double)x[i] * ((double)y[i] - mean))
FN_ROW_REDUCTION(fn_wide_spread_32, float, double, FN_ONE_MEAN(float), 0, FN_DEVIATION, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_spread_64, double, double, FN_ONE_MEAN(double), 0, FN_DEVIATION, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_product_32, float, double, FN_TWO_MEAN(float), 0, FN_DEVIATED, FN_PLUS)
FN_ROW_REDUCTION(fn_wide_product_64, double, double, FN_TWO_MEAN(double), 0, FN_DEVIATED, FN_PLUS)

#endif
