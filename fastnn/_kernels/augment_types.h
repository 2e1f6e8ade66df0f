/* augment.h for float and for double. */
#ifndef FASTNN_AUGMENT_TYPES_H
#define FASTNN_AUGMENT_TYPES_H
#include "simd.h"

#if defined(__GNUC__)
#define FN_RESTRICT __restrict__
#else
#define FN_RESTRICT
#endif
#define FN_TURNED 64 /* positions that are worked out together */

#define T float
#define F(name) name##_32
#include "augment.h"
#undef T
#undef F

#define T double
#define F(name) name##_64
#include "augment.h"
#undef T
#undef F
#endif
