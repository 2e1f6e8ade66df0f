/* The pooling headers for float and for double. */
#ifndef FASTNN_POOLING_TYPES_H
#define FASTNN_POOLING_TYPES_H
#include <math.h>
#include "simd.h"

/* Whether `value` replaces `best`: not if it is no larger, nor if the best is NaN already.  So the
 * first of equals stays, and so does the first NaN. */
#define FN_REPLACES(value, best) (!((value) <= (best)) & ((best) == (best)))

#define T float
#define V fn_v32
#define I fn_i32
#define N int32_t
#define L FN_LANES_32
#define F(name) name##_32
#include "pooling.h"
#include "pooling_pairs.h"
#undef T
#undef V
#undef I
#undef N
#undef L
#undef F

#define T double
#define V fn_v64
#define I fn_i64
#define N int64_t
#define L FN_LANES_64
#define F(name) name##_64
#include "pooling.h"
#include "pooling_pairs.h"
#undef T
#undef V
#undef I
#undef N
#undef L
#undef F
#undef FN_REPLACES
#endif
