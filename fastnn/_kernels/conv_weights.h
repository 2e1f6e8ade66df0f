/* Tiles of a convolution's weight gradient: few results, a long sum over places.
 *
 * An image is laid out as conv.h says.  Included once for each element type by gemm_types.h.
 */

/* Taps by filters, filters in the lanes: c[i][o] (+)= sum over places j of
 * image[offset[i] + j] d[j][o], where d's rows are two vectors wide. */
FN_INLINE void F(fn_taps)(
    const int taps, const int vectors, ptrdiff_t places, const T *image,
    const ptrdiff_t *offset, const T *d, T *c, ptrdiff_t c_row, int add)
{
    V sum[FN_TILE_ROWS][2];
    FN_UNROLL for (int i = 0; i < taps; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    const T *tap[FN_TILE_ROWS];
    FN_UNROLL for (int i = 0; i < taps; i++)
        tap[i] = image + offset[i];
    for (ptrdiff_t p = 0; p < places; p++) {
        V filters[2];
        FN_UNROLL for (int j = 0; j < vectors; j++)
            filters[j] = F(fn_load)(d + j * L);
        FN_UNROLL for (int i = 0; i < taps; i++) {
            const V x = F(FN_SPLAT)(tap[i][p]);
            FN_UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = F(fn_fma)(x, filters[j], sum[i][j]);
        }
        d += 2 * L;
    }
    FN_UNROLL for (int i = 0; i < taps; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++) {
            T *place = c + i * c_row + j * L;
            F(fn_store)(place, add ? F(fn_load)(place) + sum[i][j] : sum[i][j]);
        }
}

static void F(fn_taps_tile)(
    int taps, int vectors, ptrdiff_t places, const T *image, const ptrdiff_t *offset,
    const T *d, T *c, ptrdiff_t c_row, int add)
{
#define TILE(TAPS) case TAPS: \
    if (vectors > 1) \
        F(fn_taps)(TAPS, 2, places, image, offset, d, c, c_row, add); \
    else \
        F(fn_taps)(TAPS, 1, places, image, offset, d, c, c_row, add); \
    break;
    switch (taps) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if FN_TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
#undef TILE
}

/* The same for all taps of square filters in one channel, one vector of filters: of the image only a
 * copy with its zeros is needed, of rows as far apart as `pitch`. */
FN_INLINE void F(fn_square)(
    const int side, ptrdiff_t P, ptrdiff_t Q, const T *image, ptrdiff_t pitch, const T *d, T *c,
    ptrdiff_t c_row, int add)
{
    V sum[FN_SQUARE][FN_SQUARE];
    FN_UNROLL for (int i = 0; i < side; i++)
        FN_UNROLL for (int j = 0; j < side; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    for (ptrdiff_t p = 0; p < P; p++, image += pitch)
        for (ptrdiff_t q = 0; q < Q; q++, d += L) {
            const V filters = F(fn_load)(d);
            FN_UNROLL for (int i = 0; i < side; i++)
                FN_UNROLL for (int j = 0; j < side; j++)
                    sum[i][j] = F(fn_fma_at)(image + i * pitch + q + j, filters, sum[i][j]);
        }
    FN_UNROLL for (int i = 0; i < side; i++)
        FN_UNROLL for (int j = 0; j < side; j++) {
            T *place = c + (i * side + j) * c_row;
            F(fn_store)(place, add ? F(fn_load)(place) + sum[i][j] : sum[i][j]);
        }
}

FN_APART void F(fn_square_tile)(
    int side, ptrdiff_t P, ptrdiff_t Q, const T *image, ptrdiff_t pitch, const T *d, T *c,
    ptrdiff_t c_row, int add)
{
    if (side == 3)
        F(fn_square)(3, P, Q, image, pitch, d, c, c_row, add);
#if FN_SQUARE == 5
    if (side == 5)
        F(fn_square)(5, P, Q, image, pitch, d, c, c_row, add);
#endif
}

/* Filters by taps, places in the lanes: vector c[i][j] (+)= sum over images and places p of
 * d[i][p] image[offset[j] + p], lane by lane; c's rows are c_row vectors long. */
FN_INLINE void F(fn_places)(
    const int rows, const int taps, ptrdiff_t images, ptrdiff_t places,
    const T *image, ptrdiff_t next_image, const ptrdiff_t *offset,
    const T *d, ptrdiff_t next_d, ptrdiff_t d_row, T *c, ptrdiff_t c_row, int add)
{
    V sum[FN_PLACES_ROWS][FN_PLACES_TAPS];
    const int part = (int)(places % L);
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < taps; j++)
            sum[i][j] = add ? F(fn_load)(c + (i * c_row + j) * L) : F(FN_SPLAT)((T)0);
    for (ptrdiff_t n = 0; n < images; n++) {
        ptrdiff_t p = 0;
        for (; p + L <= places; p += L) {
            V x[FN_PLACES_TAPS];
            FN_UNROLL for (int j = 0; j < taps; j++)
                x[j] = F(fn_load)(image + offset[j] + p);
            FN_UNROLL for (int i = 0; i < rows; i++) {
                const V slope = F(fn_load)(d + i * d_row + p);
                FN_UNROLL for (int j = 0; j < taps; j++)
                    sum[i][j] = F(fn_fma)(slope, x[j], sum[i][j]);
            }
        }
        if (part) {
            V x[FN_PLACES_TAPS];
            FN_UNROLL for (int j = 0; j < taps; j++)
                x[j] = F(fn_load_part)(image + offset[j] + p, part);
            FN_UNROLL for (int i = 0; i < rows; i++) {
                const V slope = F(fn_load_part)(d + i * d_row + p, part);
                FN_UNROLL for (int j = 0; j < taps; j++)
                    sum[i][j] = F(fn_fma)(slope, x[j], sum[i][j]);
            }
        }
        image += next_image;
        d += next_d;
    }
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < taps; j++)
            F(fn_store)(c + (i * c_row + j) * L, sum[i][j]);
}

/* The sums of the lanes of n vectors. */
static void F(fn_fold)(ptrdiff_t n, const T *vectors, T *sums) {
    for (ptrdiff_t i = 0; i < n; i += L) {
        const int count = n - i < L ? (int)(n - i) : L;
        V each[L];
        FN_UNROLL for (int j = 0; j < L; j++)
            each[j] = j < count ? F(fn_load)(vectors + (i + j) * L) : F(FN_SPLAT)((T)0);
        F(fn_store_part)(sums + i, F(fn_sums)(each, L), count);
    }
}

static void F(fn_places_tile)(
    int rows, int taps, ptrdiff_t images, ptrdiff_t places,
    const T *image, ptrdiff_t next_image, const ptrdiff_t *offset,
    const T *d, ptrdiff_t next_d, ptrdiff_t d_row, T *c, ptrdiff_t c_row, int add)
{
#define TILE(ROWS, TAPS) case (ROWS) * 8 + (TAPS): \
    F(fn_places)(ROWS, TAPS, images, places, image, next_image, offset, d, \
                 next_d, d_row, c, c_row, add); \
    break;
#if FN_PLACES_TAPS == 6
#define TILES(ROWS) \
    TILE(ROWS, 1) TILE(ROWS, 2) TILE(ROWS, 3) TILE(ROWS, 4) TILE(ROWS, 5) TILE(ROWS, 6)
#else
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2) TILE(ROWS, 3) TILE(ROWS, 4)
#endif
    switch (rows * 8 + taps) {
        TILES(1) TILES(2)
#if FN_PLACES_ROWS == 4
        TILES(3) TILES(4)
#endif
    }
#undef TILES
#undef TILE
}

/* All places of a filter, summed lane by lane for a while and then in double; all in double, where a
 * lane may have overflowed. */
static double F(fn_place_sum)(ptrdiff_t count, const T *all) {
    double total = 0;
    ptrdiff_t n = count;
    const T *d = all;
    while (n > 0) {
        const ptrdiff_t run = n < 64 * L ? n : 64 * L;
        V sum[4];
        FN_UNROLL for (int j = 0; j < 4; j++)
            sum[j] = F(FN_SPLAT)((T)0);
        ptrdiff_t p = 0;
        for (; p + 4 * L <= run; p += 4 * L)
            FN_UNROLL for (int j = 0; j < 4; j++)
                sum[j] += F(fn_load)(d + p + j * L);
        for (; p + L <= run; p += L)
            sum[0] += F(fn_load)(d + p);
        if (p < run)
            sum[1] += F(fn_load_part)(d + p, (int)(run - p));
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        T first[L];
        F(fn_store)(first, F(fn_sums)(sum, 1));
        total += (double)first[0];
        d += run;
        n -= run;
    }
    if (!(total - total == 0)) {
        total = 0;
        for (ptrdiff_t p = 0; p < count; p++)
            total += (double)all[p];
    }
    return total;
}
