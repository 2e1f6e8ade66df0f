/* gemm.h, strips.h, narrow.h, conv.h and conv_weights.h for float and for double. */
#ifndef FASTNN_GEMM_TYPES_H
#define FASTNN_GEMM_TYPES_H
#include "simd.h"

/* Rows of a tile: 16 sums, 2 columns and a broadcast fill 32 registers with AVX-512 to a good
 * half, 12 sums fill the 16 registers of the other sets. */
#if FN_VECTOR_BYTES == 64
#define FN_TILE_ROWS 8
#else
#define FN_TILE_ROWS 6
#endif

/* A product with no more rows than this reads B once: a weight gradient of 10 classes, turned over. */
#if FN_VECTOR_BYTES == 64
#define FN_TALLEST 10
#else
#define FN_TALLEST FN_TILE_ROWS
#endif

#define FN_TILE_SIZE (FN_TALLEST * 2 * FN_LANES_32) /* elements, of the type with most */

/* The sums of a product with few columns take the same registers. */
#if FN_VECTOR_BYTES == 64
#define FN_DOT_ROWS 2
#define FN_DOT_COLUMNS 16
#else
#define FN_DOT_ROWS 1
#define FN_DOT_COLUMNS 12
#endif

/* And those of a weight gradient that keeps places in its lanes: filters by taps. */
#if FN_VECTOR_BYTES == 64
#define FN_PLACES_ROWS 4
#define FN_PLACES_TAPS 6
#else
#define FN_PLACES_ROWS 2
#define FN_PLACES_TAPS 4
#endif

/* The side of the largest filters for whose taps there are registers, one vector of sums each. */
#if FN_VECTOR_BYTES == 64
#define FN_SQUARE 5
#else
#define FN_SQUARE 3
#endif

#define FN_CLAMP(n, most) ((int)((n) < 0 ? 0 : (n) > (most) ? (most) : (n)))

/* How many rows of B ahead a tile that packs them asks for. */
#define FN_AHEAD 16

/* After how many k a tile of strips.h asks the memory for something. */
#define FN_ASK_STEPS 8

#define T float
#define V fn_v32
#define L FN_LANES_32
#define F(name) name##_32
#include "gemm.h"
#include "strips.h"
#include "narrow.h"
#include "conv.h"
#include "conv_weights.h"
#undef T
#undef V
#undef L
#undef F

#define T double
#define V fn_v64
#define L FN_LANES_64
#define F(name) name##_64
#include "gemm.h"
#include "strips.h"
#include "narrow.h"
#include "conv.h"
#include "conv_weights.h"
#undef T
#undef V
#undef L
#undef F
#endif
