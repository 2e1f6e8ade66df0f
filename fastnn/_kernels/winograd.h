/* Winograd's minimal filtering F(4x4, 3x3): 4 x 4 results of a 3 x 3 filter by 36 multiplications
 * instead of 144 (A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016).
 *
 *     results = A' [(G g G') * (B' d B)] A
 *
 * for a filter g and a 6 x 6 tile d of the image; tiles overlap by two rows and two columns.  Each
 * of the 36 places of a tile is a matrix product of its own, of filters by channels and channels
 * by tiles (winograd.pxi); here are the ways there and back.  Place (i, j) is number 6 i + j,
 * and `next` is how far the places lie apart.
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
 * with c = 1 / (2 a2 (a2 - b2)) and e = 1 / (2 b2 (b2 - a2)).
 *
 * A patch is as many tiles in a row as L columns hold, one fourth of a vector of tiles; vectors are
 * filled with four patches from anywhere.
 */
#ifndef FASTNN_WINOGRAD_H
#define FASTNN_WINOGRAD_H
#include "gemm_types.h"

enum {FN_TAPS = 9, FN_SIDE = 6, FN_PLACES = FN_SIDE * FN_SIDE, FN_RESULTS = 4, FN_PATCHES = 4};

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

/* The columns of four patches' tiles in one row of the plane. */
FN_INLINE void fn_winograd_row(const float *plane, const fn_patch *patches, fn_v32 *d) {
    fn_v32 here[4], right[4];
    FN_UNROLL for (int i = 0; i < FN_PATCHES; i++) {
        here[i] = fn_load_32(plane + patches[i].source);
        right[i] = fn_load_32(plane + patches[i].source + FN_RESULTS);
    }
    const fn_v32 even0 = fn_even_32(here[0], here[1]), even1 = fn_even_32(here[2], here[3]);
    const fn_v32 odd0 = fn_odd_32(here[0], here[1]), odd1 = fn_odd_32(here[2], here[3]);
    d[0] = fn_even_32(even0, even1);
    d[1] = fn_even_32(odd0, odd1);
    d[2] = fn_odd_32(even0, even1);
    d[3] = fn_odd_32(odd0, odd1);
    d[4] = fn_even_32(fn_even_32(right[0], right[1]), fn_even_32(right[2], right[3]));
    d[5] = fn_even_32(fn_odd_32(right[0], right[1]), fn_odd_32(right[2], right[3]));
}

/* B' d B of the tiles of four patches, from a plane with its zeros around. */
static void fn_winograd_image(
    const fn_patch *patches, const float *plane, ptrdiff_t pitch, float *out, ptrdiff_t next)
{
    fn_v32 d[FN_PLACES];
    FN_UNROLL for (int i = 0; i < FN_SIDE; i++) {
        fn_winograd_row(plane + i * pitch, patches, d + FN_SIDE * i);
        fn_winograd_column(d + FN_SIDE * i, 1, d + FN_SIDE * i);
    }
    FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
        fn_winograd_column(d + j, FN_SIDE, d + j);
        FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
            fn_store_32(out + (FN_SIDE * i + j) * next, d[FN_SIDE * i + j]);
    }
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

/* G times a column of three, `step` apart. */
FN_INLINE void fn_winograd_taps_to(const fn_v32 *g, const int step, fn_v32 *t, const int t_step) {
    const fn_v32 g0 = g[0], g1 = g[step], g2 = g[2 * step];
    const fn_v32 a_even = FN_SPLAT_32(FN_C) * fn_times(FN_A2, g2, g0), a_odd = FN_SPLAT_32(FN_C * FN_A) * g1;
    const fn_v32 b_even = FN_SPLAT_32(FN_E) * fn_times(FN_B2, g2, g0), b_odd = FN_SPLAT_32(FN_E * FN_B) * g1;
    t[0] = FN_SPLAT_32(1.0f / (FN_A2 * FN_B2)) * g0;
    t[t_step] = a_even + a_odd;
    t[2 * t_step] = a_even - a_odd;
    t[3 * t_step] = b_even + b_odd;
    t[4 * t_step] = b_even - b_odd;
    t[5 * t_step] = g2;
}

/* G g G' of up to L filters, for K channels: filter i, channel k has its taps from
 * w + i row + k column on, read backwards if `turned`.  Place by place the filters are laid out in
 * strips, `strip` elements apart, as a product's tiles read them: u[k][i]. */
static void fn_winograd_filters(
    int filters, ptrdiff_t K, const float *w, ptrdiff_t row, ptrdiff_t column, int turned,
    float *u, ptrdiff_t strip, ptrdiff_t next)
{
    enum {SQUARES = (FN_TAPS + FN_L - 1) / FN_L};
    for (ptrdiff_t k = 0; k < K; k++, w += column, u += FN_TILE_ROWS) {
        fn_v32 taps[SQUARES * FN_L], g[FN_TAPS], gg[3 * FN_SIDE], places[FN_PLACES];
        FN_UNROLL for (int square = 0; square < SQUARES; square++) {
            const int first = square * FN_L, count = FN_TAPS - first < FN_L ? FN_TAPS - first : FN_L;
            FN_UNROLL for (int i = 0; i < FN_L; i++)
                taps[first + i] = i < filters ? fn_load_part_32(w + i * row + first, count)
                                              : FN_SPLAT_32(0.0f);
            fn_swap_halves_32(taps + first, 1);
            fn_swap_halves_32(taps + first, 2);
            fn_swap_halves_32(taps + first, 4);
            fn_swap_halves_32(taps + first, 8);
        }
        FN_UNROLL for (int tap = 0; tap < FN_TAPS; tap++)
            g[tap] = turned ? taps[FN_TAPS - 1 - tap] : taps[tap];
        FN_UNROLL for (int j = 0; j < 3; j++)
            fn_winograd_taps_to(g + j, 3, gg + j, 3);
        FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
            fn_winograd_taps_to(gg + 3 * i, 1, places + FN_SIDE * i, 1);
        for (int first = 0; first < filters; first += FN_TILE_ROWS) {
            const int count = filters - first < FN_TILE_ROWS ? filters - first : FN_TILE_ROWS;
            float *target = u + first / FN_TILE_ROWS * strip;
            FN_UNROLL for (int place = 0; place < FN_PLACES; place++)
                fn_store_part_32(
                    target + place * next,
                    first ? fn_swap_high_32(places[place], places[place], FN_L / 2) : places[place],
                    count);
        }
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

/* A' times a column of six, `step` apart. */
FN_INLINE void fn_winograd_back(const fn_v32 *m, const int step, fn_v32 *y, const int y_step) {
    const fn_v32 a_even = m[step] + m[2 * step], a_odd = m[step] - m[2 * step];
    const fn_v32 b_even = m[3 * step] + m[4 * step], b_odd = m[3 * step] - m[4 * step];
    y[0] = m[0] + a_even + b_even;
    y[y_step] = fn_times(FN_A, a_odd, FN_SPLAT_32(FN_B) * b_odd);
    y[2 * y_step] = fn_times(FN_A2, a_even, FN_SPLAT_32(FN_B2) * b_even);
    y[3 * y_step] = fn_times(FN_A * FN_A2, a_odd, fn_times(FN_B * FN_B2, b_odd, m[5 * step]));
}

/* A' m A of one filter, plus a bias, for as many patches. */
static void fn_winograd_results(
    ptrdiff_t count, const fn_patch *patches, const float *m, ptrdiff_t next, float bias, float *out,
    ptrdiff_t Q)
{
    const fn_v32 shift = FN_SPLAT_32(bias);
    for (ptrdiff_t first = 0; first < count; first += FN_PATCHES, m += FN_L) {
        fn_v32 half[FN_RESULTS * FN_SIDE];
        FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
            fn_v32 column[FN_SIDE];
            FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                column[i] = fn_load_32(m + (FN_SIDE * i + j) * next);
            fn_winograd_back(column, 1, half + j, FN_SIDE);
        }
        FN_UNROLL for (int i = 0; i < FN_RESULTS; i++) {
            fn_v32 y[FN_RESULTS], row[FN_PATCHES];
            fn_winograd_back(half + FN_SIDE * i, 1, y, 1);
            FN_UNROLL for (int j = 0; j < FN_RESULTS; j++)
                y[j] = y[j] + shift;
            const fn_v32 even0 = fn_zip_low_32(y[0], y[2]), even1 = fn_zip_high_32(y[0], y[2]);
            const fn_v32 odd0 = fn_zip_low_32(y[1], y[3]), odd1 = fn_zip_high_32(y[1], y[3]);
            row[0] = fn_zip_low_32(even0, odd0);
            row[1] = fn_zip_high_32(even0, odd0);
            row[2] = fn_zip_low_32(even1, odd1);
            row[3] = fn_zip_high_32(even1, odd1);
            FN_UNROLL for (int each = 0; each < FN_PATCHES; each++)
                if (first + each < count && i < patches[first + each].rows) {
                    const fn_patch *patch = patches + first + each;
                    if (patch->columns == FN_L)
                        fn_store_32(out + patch->target + i * Q, row[each]);
                    else
                        fn_store_part_32(out + patch->target + i * Q, row[each], patch->columns);
                }
        }
    }
}

/* Asks for n elements of each of some rows, `row` apart. */
static void fn_winograd_ask(ptrdiff_t rows, ptrdiff_t row, ptrdiff_t n, const float *source) {
    for (ptrdiff_t i = 0; i < rows; i++, source += row)
        for (ptrdiff_t j = 0; j < n; j += 16)
            FN_PREFETCH(source + j);
}

/* A times a column of four, `step` apart. */
FN_INLINE void fn_winograd_slope(const fn_v32 *d, const int step, fn_v32 *t, const int t_step) {
    const fn_v32 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    const fn_v32 a_even = fn_times(FN_A2, d2, d0), a_odd = FN_SPLAT_32(FN_A) * fn_times(FN_A2, d3, d1);
    const fn_v32 b_even = fn_times(FN_B2, d2, d0), b_odd = FN_SPLAT_32(FN_B) * fn_times(FN_B2, d3, d1);
    t[0] = d0;
    t[t_step] = a_even + a_odd;
    t[2 * t_step] = a_even - a_odd;
    t[3 * t_step] = b_even + b_odd;
    t[4 * t_step] = b_even - b_odd;
    t[5 * t_step] = d3;
}

/* A d A' of a row of patches: P rows of Q slopes d, each one or two vectors of filters from two. */
static void fn_winograd_slopes(
    ptrdiff_t P, ptrdiff_t Q, int vectors, const float *slopes, float *out, ptrdiff_t next)
{
    const ptrdiff_t width = 2 * FN_L, columns = (Q + FN_L - 1) / FN_L * FN_L;
    for (ptrdiff_t q = 0; q < columns; q += FN_RESULTS, out += width)
        for (int part = 0; part < vectors; part++) {
            fn_v32 d[FN_RESULTS * FN_RESULTS], half[FN_RESULTS * FN_SIDE];
            FN_UNROLL for (int i = 0; i < FN_RESULTS; i++)
                FN_UNROLL for (int j = 0; j < FN_RESULTS; j++)
                    d[FN_RESULTS * i + j] = i < P && q + j < Q
                        ? fn_load_32(slopes + (i * Q + q + j) * width + part * FN_L)
                        : FN_SPLAT_32(0.0f);
            FN_UNROLL for (int i = 0; i < FN_RESULTS; i++)
                fn_winograd_slope(d + FN_RESULTS * i, 1, half + FN_SIDE * i, 1);
            FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
                fn_v32 column[FN_SIDE];
                fn_winograd_slope(half + j, FN_SIDE, column, 1);
                FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                    fn_store_32(out + (FN_SIDE * i + j) * next + part * FN_L, column[i]);
            }
        }
}

/* G' times a column of six. */
FN_INLINE void fn_winograd_taps_from(const fn_v32 *u, fn_v32 *g, const int step) {
    const fn_v32 a_even = FN_SPLAT_32(FN_C) * (u[1] + u[2]), a_odd = FN_SPLAT_32(FN_C * FN_A) * (u[1] - u[2]);
    const fn_v32 b_even = FN_SPLAT_32(FN_E) * (u[3] + u[4]), b_odd = FN_SPLAT_32(FN_E * FN_B) * (u[3] - u[4]);
    g[0] = fn_times(1.0f / (FN_A2 * FN_B2), u[0], a_even + b_even);
    g[step] = a_odd + b_odd;
    g[2 * step] = fn_times(FN_A2, a_even, fn_times(FN_B2, b_even, u[5]));
}

/* G' u G for some channels and whole vectors of filters, rows of them `row` wide: the nine taps of
 * a channel are rows, one below the other. */
static void fn_winograd_taps(
    ptrdiff_t channels, ptrdiff_t row, const float *u, ptrdiff_t next, float *taps)
{
    for (ptrdiff_t c = 0; c < channels; c++, u += row, taps += FN_TAPS * row)
        for (ptrdiff_t o = 0; o < row; o += FN_L) {
            fn_v32 half[3 * FN_SIDE];
            FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
                fn_v32 column[FN_SIDE];
                FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                    column[i] = fn_load_32(u + (FN_SIDE * i + j) * next + o);
                fn_winograd_taps_from(column, half + j, FN_SIDE);
            }
            FN_UNROLL for (int i = 0; i < 3; i++) {
                fn_v32 g[3];
                fn_winograd_taps_from(half + FN_SIDE * i, g, 1);
                FN_UNROLL for (int j = 0; j < 3; j++)
                    fn_store_32(taps + (3 * i + j) * row + o, g[j]);
            }
        }
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
#undef FN_L
#undef FN_A2
#undef FN_B2
#undef FN_A
#undef FN_B
#undef FN_C
#undef FN_E
#else
/* Without vectors nothing is filtered so, and none of these is ever called. */
static void fn_winograd_image(
    const fn_patch *patches, const float *plane, ptrdiff_t pitch, float *out, ptrdiff_t next) {}
static void fn_winograd_pad(ptrdiff_t n, const float *source, float *target, ptrdiff_t next) {}
static void fn_winograd_filters(
    int filters, ptrdiff_t K, const float *w, ptrdiff_t row, ptrdiff_t column, int turned,
    float *u, ptrdiff_t strip, ptrdiff_t next) {}
static void fn_winograd_tile(
    int rows, int vectors, ptrdiff_t K, const float *a, const float *b, float *c, ptrdiff_t c_row,
    int add) {}
static void fn_winograd_results(
    ptrdiff_t count, const fn_patch *patches, const float *m, ptrdiff_t next, float bias, float *out,
    ptrdiff_t Q) {}
static void fn_winograd_slopes(
    ptrdiff_t P, ptrdiff_t Q, int vectors, const float *slopes, float *out, ptrdiff_t next) {}
static void fn_winograd_taps(
    ptrdiff_t channels, ptrdiff_t row, const float *u, ptrdiff_t next, float *taps) {}
static int fn_winograd_finite(ptrdiff_t n, const float *values) { return 1; }
#endif
#endif
