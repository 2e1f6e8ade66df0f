/* Winograd's minimal filtering (A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural
 * Networks, CVPR 2016), by 36 multiplications: F(4x4, 3x3), 4 x 4 results of a 3 x 3 filter instead of
 * by 144, and F(2x2, 5x5), 2 x 2 results of a 5 x 5 filter instead of by 100.
 *
 *     results = A' [(G g G') * (B' d B)] A
 *
 * for a filter g and a 6 x 6 tile d of the image; tiles overlap by what a filter is wider than one
 * pixel.  Each of the 36 places of a tile is a matrix product of its own, of filters by channels and
 * channels by tiles (winograd.pxi); here are the ways there and back.  Place (i, j) is number 6 i + j,
 * and `next` is how far the places lie apart; `side` is that of a tile's results, 4 or 2.
 *
 * Polynomials are evaluated at 0, +-a, +-b and infinity; a = 3/4 and b = 3/2 make rounding errors
 * of half the size that the usual 1 and 2 make, about two of those of a sum of products.
 *
 *         a2 b2    0    -(a2+b2)    0      1  0         1 / a2 b2  0     0         1  1  1  1  1  0
 *           0   -a b2     -b2       a      1  0             c      ca   ca2        0  a -a  b -b  0
 *    B' =   0    a b2     -b2      -a      1  0     G =     c     -ca   ca2   A' = 0  a2 a2 b2 b2 0
 *           0   -b a2     -a2       b      1  0             e      eb   eb2        0  a3-a3 b3-b3 1
 *           0    b a2     -a2      -b      1  0             e     -eb   eb2
 *           0   a2 b2      0    -(a2+b2)   0  1             0      0     1
 *
 * with c = 1 / (2 a2 (a2 - b2)) and e = 1 / (2 b2 (b2 - a2)).  So for 3 x 3; with 5 x 5, G goes on
 * to the fourth power and A' ends with the first.
 *
 * A patch is as many tiles in a row as L columns hold; vectors of tiles are filled with `side`
 * patches from anywhere.
 */
#ifndef FASTNN_WINOGRAD_H
#define FASTNN_WINOGRAD_H
#include "gemm_types.h"

enum {FN_SIDE = 6, FN_PLACES = FN_SIDE * FN_SIDE};

typedef struct {
    ptrdiff_t source;  /* its first element in the padded plane */
    ptrdiff_t target;  /* its first result in the results of a filter */
    int rows, columns; /* of results that are there */
} fn_patch;

#if FN_VECTOR_BYTES
#define FN_L FN_LANES_32
#define FN_A2 0.5625f /* a a */
#define FN_B2 2.25f   /* b b */
#define FN_A 0.75f
#define FN_B 1.5f
#define FN_C (-1.0f / 1.8984375f)
#define FN_E (1.0f / 7.59375f)
#define FN_ZERO (1.0f / (FN_A2 * FN_B2))

FN_INLINE fn_v32 fn_times(float x, fn_v32 v, fn_v32 sum) { return fn_fma_32(FN_SPLAT_32(x), v, sum); }

/* B' times a column of six, `step` apart. */
FN_INLINE void fn_winograd_column(const fn_v32 *d, const int step, fn_v32 *t) {
    const fn_v32 d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    const fn_v32 a_even = fn_times(-FN_B2, d2, d4), a_odd = fn_times(-FN_B2, d1, d3);
    const fn_v32 b_even = fn_times(-FN_A2, d2, d4), b_odd = fn_times(-FN_A2, d1, d3);
    t[0] = fn_times(FN_A2 * FN_B2, d[0], fn_times(-(FN_A2 + FN_B2), d2, d4));
    t[step] = fn_times(FN_A, a_odd, a_even);
    t[2 * step] = fn_times(-FN_A, a_odd, a_even);
    t[3 * step] = fn_times(FN_B, b_odd, b_even);
    t[4 * step] = fn_times(-FN_B, b_odd, b_even);
    t[5 * step] = fn_times(FN_A2 * FN_B2, d1, fn_times(-(FN_A2 + FN_B2), d3, d[5 * step]));
}

/* n elements of an image's row; zeros fill the last vector.  The same row of the next channel, which
 * lies `next` behind it, is asked for: images are too short for the hardware to see a stream. */
static void fn_winograd_pad(ptrdiff_t n, const float *source, float *target, ptrdiff_t next) {
    ptrdiff_t i = 0;
    for (ptrdiff_t line = 0; line < n; line += 16)
        FN_PREFETCH(source + next + line);
    for (; i + FN_L <= n; i += FN_L)
        fn_store_32(target + i, fn_load_32(source + i));
    if (i < n)
        fn_store_32(target + i, fn_load_part_32(source + i, (int)(n - i)));
}

/* The terms of a polynomial with every second of n coefficients, `step` apart, at the root of x2. */
FN_INLINE fn_v32 fn_winograd_terms(const int n, const fn_v32 *d, const int step, float x2) {
    return n > 4 ? fn_times(x2, fn_times(x2, d[4 * step], d[2 * step]), d[0])
        : n > 2 ? fn_times(x2, d[2 * step], d[0]) : d[0];
}

/* A polynomial of n coefficients, `step` apart, at the six points: times `zero` at 0, times c at +-a
 * and times e at +-b.  That is A or, with those of above, G. */
FN_INLINE void fn_winograd_points(
    const int n, float zero, float c, float e, const fn_v32 *d, const int step, fn_v32 *t,
    const int t_step)
{
    const fn_v32 a_even = FN_SPLAT_32(c) * fn_winograd_terms(n, d, step, FN_A2);
    const fn_v32 b_even = FN_SPLAT_32(e) * fn_winograd_terms(n, d, step, FN_B2);
    const fn_v32 a_odd = FN_SPLAT_32(c * FN_A) * fn_winograd_terms(n - 1, d + step, step, FN_A2);
    const fn_v32 b_odd = FN_SPLAT_32(e * FN_B) * fn_winograd_terms(n - 1, d + step, step, FN_B2);
    t[0] = FN_SPLAT_32(zero) * d[0];
    t[t_step] = a_even + a_odd;
    t[2 * t_step] = a_even - a_odd;
    t[3 * t_step] = b_even + b_odd;
    t[4 * t_step] = b_even - b_odd;
    t[5 * t_step] = d[(n - 1) * step];
}

/* The transpose, A' or G', times a column of six: n sums. */
FN_INLINE void fn_winograd_sums(
    const int n, float zero, float c, float e, const fn_v32 *m, fn_v32 *y, const int y_step)
{
    const fn_v32 a[2] = {FN_SPLAT_32(c) * (m[1] + m[2]), FN_SPLAT_32(c * FN_A) * (m[1] - m[2])};
    const fn_v32 b[2] = {FN_SPLAT_32(e) * (m[3] + m[4]), FN_SPLAT_32(e * FN_B) * (m[3] - m[4])};
    FN_UNROLL for (int i = 0; i < n; i++) {
        const float a_power = i < 2 ? 1 : i < 4 ? FN_A2 : FN_A2 * FN_A2;
        const float b_power = i < 2 ? 1 : i < 4 ? FN_B2 : FN_B2 * FN_B2;
        const fn_v32 rest = i < n - 1 ? FN_SPLAT_32(b_power) * b[i % 2]
                                      : fn_times(b_power, b[i % 2], m[5]);
        const fn_v32 sum = fn_times(a_power, a[i % 2], rest);
        y[i * y_step] = i ? sum : fn_times(zero, m[0], sum);
    }
}

/* One tile of a product, a strip of filters by one or two vectors of tiles from a panel. */
static void fn_winograd_tile(
    int rows, int vectors, ptrdiff_t K, const float *a, const float *b, float *c, ptrdiff_t c_row,
    int add)
{
#define TILE(ROWS) case ROWS: \
    if (vectors > 1) \
        fn_tile_32(ROWS, 2, 0, FN_NOTHING, FN_L, K, a, 1, FN_TILE_ROWS, b, 2 * FN_L, c, c_row, 0, add, 0); \
    else \
        fn_tile_32(ROWS, 1, 0, FN_NOTHING, FN_L, K, a, 1, FN_TILE_ROWS, b, 2 * FN_L, c, c_row, 0, add, 0); \
    break;
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if FN_TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
#undef TILE
}

/* Asks for n elements of each of some rows, `row` apart. */
static void fn_winograd_ask(ptrdiff_t rows, ptrdiff_t row, ptrdiff_t n, const float *source) {
    for (ptrdiff_t i = 0; i < rows; i++, source += row)
        for (ptrdiff_t j = 0; j < n; j += 16)
            FN_PREFETCH(source + j);
}

/* Whether n values are all finite. */
static int fn_winograd_finite(ptrdiff_t n, const float *values) {
    fn_v32 sum = FN_SPLAT_32(0.0f);
    ptrdiff_t i = 0;
    for (; i + FN_L <= n; i += FN_L) {
        const fn_v32 value = fn_load_32(values + i);
        sum += value - value;
    }
    float total = 0;
    for (; i < n; i++)
        total += values[i] - values[i];
    for (int lane = 0; lane < FN_L; lane++)
        total += sum[lane];
    return total == 0;
}

#define SIDE 4
#define F(name) name##_4
#include "winograd_side.h"
#undef SIDE
#undef F
#define SIDE 2
#define F(name) name##_2
#include "winograd_side.h"
#undef SIDE
#undef F
#define FN_OF_SIDE(side, name, ...) ((side) == 4 ? name##_4(__VA_ARGS__) : name##_2(__VA_ARGS__))
#undef FN_L
#undef FN_A2
#undef FN_B2
#undef FN_A
#undef FN_B
#undef FN_C
#undef FN_E
#undef FN_ZERO
#else
/* Without vectors nothing is filtered so, and none of these is ever called. */
#define FN_OF_SIDE(side, name, ...) (void)(side)
static void fn_winograd_pad(ptrdiff_t n, const float *source, float *target, ptrdiff_t next) {}
static void fn_winograd_tile(
    int rows, int vectors, ptrdiff_t K, const float *a, const float *b, float *c, ptrdiff_t c_row,
    int add) {}
static void fn_winograd_ask(ptrdiff_t rows, ptrdiff_t row, ptrdiff_t n, const float *source) {}
static int fn_winograd_finite(ptrdiff_t n, const float *values) { return 1; }
#endif

/* B' d B of the tiles of `side` patches, from a plane with its zeros around. */
static void fn_winograd_image(
    int side, const fn_patch *patches, const float *plane, ptrdiff_t pitch, float *out, ptrdiff_t next)
{
    FN_OF_SIDE(side, fn_winograd_image, patches, plane, pitch, out, next);
}

/* G g G' of up to L filters, for K channels: filter i, channel k has its taps from
 * w + i row + k column on, read backwards if `turned`.  Place by place the filters are laid out in
 * strips, `strip` elements apart, as a product's tiles read them: u[k][i]. */
static void fn_winograd_filters(
    int side, int filters, ptrdiff_t K, const float *w, ptrdiff_t row, ptrdiff_t column, int turned,
    float *u, ptrdiff_t strip, ptrdiff_t next)
{
    FN_OF_SIDE(side, fn_winograd_filters, filters, K, w, row, column, turned, u, strip, next);
}

/* A' m A of one filter, plus a bias, for some patches. */
static void fn_winograd_results(
    int side, ptrdiff_t count, const fn_patch *patches, const float *m, ptrdiff_t next, float bias,
    float *out, ptrdiff_t Q)
{
    FN_OF_SIDE(side, fn_winograd_results, count, patches, m, next, bias, out, Q);
}

/* A d A' of a row of patches: P rows of Q slopes d, each one or two vectors of filters from two. */
static void fn_winograd_slopes(
    int side, ptrdiff_t P, ptrdiff_t Q, int vectors, const float *slopes, float *out, ptrdiff_t next)
{
    FN_OF_SIDE(side, fn_winograd_slopes, P, Q, vectors, slopes, out, next);
}

/* G' u G for some channels and whole vectors of filters, rows of them `row` wide: the taps of a
 * channel are rows, one below the other. */
static void fn_winograd_taps(
    int side, ptrdiff_t channels, ptrdiff_t row, const float *u, ptrdiff_t next, float *taps)
{
    FN_OF_SIDE(side, fn_winograd_taps, channels, row, u, next, taps);
}
#undef FN_OF_SIDE
#endif
