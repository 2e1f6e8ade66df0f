/* pooling.h for float and for double. */
#ifndef FASTNN_POOLING_TYPES_H
#define FASTNN_POOLING_TYPES_H
#include <math.h>
#include "simd.h"

#define T float
#define V fn_v32
#define I fn_i32
#define N int32_t
#define L FN_LANES_32
#define F(name) name##_32
#include "pooling.h"
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
#undef T
#undef V
#undef I
#undef N
#undef L
#undef F
#endif
