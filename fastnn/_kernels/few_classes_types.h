/* few_classes.h for float and for double, where there are vectors. */
#ifndef FASTNN_FEW_CLASSES_TYPES_H
#define FASTNN_FEW_CLASSES_TYPES_H
#include <math.h>
#include "simd.h"
#include "vecmath.h"

#define FN_FEW_ROWS 64     /* padded rows of scores that lie in the first cache */
#define FN_FEW_TOGETHER 16 /* rows of which one logarithm is taken */

#if FN_VECTOR_BYTES
#define FN_FEW_CLASSES_32 (2 * FN_LANES_32) /* at most */
#define FN_FEW_CLASSES_64 (2 * FN_LANES_64)

#define FN_OTHER_LANE(L, s, j) ((j) ^ (s))
#define FN_LANE(L, s, j) (j)
#define FN_OTHER_LANES(NAME, V, I, LANES, EACH) \
    FN_INLINE V NAME(V v, const int s) { \
        switch (s) { \
            case 1: return FN_SHUFFLE(I, v, v, EACH(FN_OTHER_LANE, LANES, 1)); \
            case 2: return FN_SHUFFLE(I, v, v, EACH(FN_OTHER_LANE, LANES, 2)); \
            case 4: return FN_SHUFFLE(I, v, v, EACH(FN_OTHER_LANE, LANES, 4)); \
            default: return FN_SHUFFLE(I, v, v, EACH(FN_OTHER_LANE, LANES, 8)); \
        } \
    }
FN_OTHER_LANES(fn_other_lanes_32, fn_v32, fn_i32, FN_LANES_32, FN_EACH_LANE_32)
FN_OTHER_LANES(fn_other_lanes_64, fn_v64, fn_i64, FN_LANES_64, FN_EACH_LANE_64)

#define T float
#define V fn_v32
#define I fn_i32
#define N int32_t
#define L FN_LANES_32
#define F(name) name##_32
#define FN_LANE_NUMBERS FN_EACH_LANE_32(FN_LANE, L, 0)
#include "few_classes.h"
#undef T
#undef V
#undef I
#undef N
#undef L
#undef F
#undef FN_LANE_NUMBERS

#define T double
#define V fn_v64
#define I fn_i64
#define N int64_t
#define L FN_LANES_64
#define F(name) name##_64
#define FN_LANE_NUMBERS FN_EACH_LANE_64(FN_LANE, L, 0)
#include "few_classes.h"
#undef T
#undef V
#undef I
#undef N
#undef L
#undef F
#undef FN_LANE_NUMBERS

#else
#define FN_FEW_CLASSES_32 0
#define FN_FEW_CLASSES_64 0
#define fn_few_classes_32(rows, classes, scores, y, weight, sample, weights, gradient) 0.0
#define fn_few_classes_64(rows, classes, scores, y, weight, sample, weights, gradient) 0.0
#endif
#endif
