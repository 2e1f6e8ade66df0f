/* pooling.h for float and for double. */
#ifndef FASTNN_POOLING_TYPES_H
#define FASTNN_POOLING_TYPES_H
#include "simd.h"

#define T float
#define F(name) name##_32
#include "pooling.h"
#undef T
#undef F

#define T double
#define F(name) name##_64
#include "pooling.h"
#undef T
#undef F
#endif
