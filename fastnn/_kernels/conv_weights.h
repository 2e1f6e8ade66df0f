/* Tiles of a convolution's weight gradient: few results, a long sum over places.
 *
 * An image is padded and split as conv.h says.  Included once for each element type by gemm_types.h.
 */

/* Taps by filters, filters in the lanes: c[i][o] (+)= sum over P rows of Q places of
 * image[place + offset[i]] d[place][o], where a row of d is one or two vectors of `panel`. */
FN_INLINE void F(fn_taps)(
    const int taps, const int vectors, ptrdiff_t P, ptrdiff_t Q, const T *image, ptrdiff_t step,
    const ptrdiff_t *offset, const T *d, T *c, ptrdiff_t c_row, int add)
{
    V sum[FN_TILE_ROWS][2];
    FN_UNROLL for (int i = 0; i < taps; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    for (ptrdiff_t p = 0; p < P; p++) {
        const T *tap[FN_TILE_ROWS];
        FN_UNROLL for (int i = 0; i < taps; i++)
            tap[i] = image + p * step + offset[i];
        for (ptrdiff_t q = 0; q < Q; q++) {
            V filters[2];
            FN_UNROLL for (int j = 0; j < vectors; j++)
                filters[j] = F(fn_load)(d + j * L);
            FN_UNROLL for (int i = 0; i < taps; i++) {
                const V x = F(FN_SPLAT)(tap[i][q]);
                FN_UNROLL for (int j = 0; j < vectors; j++)
                    sum[i][j] = F(fn_fma)(x, filters[j], sum[i][j]);
            }
            d += 2 * L;
        }
    }
    FN_UNROLL for (int i = 0; i < taps; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++) {
            T *place = c + i * c_row + j * L;
            F(fn_store)(place, add ? F(fn_load)(place) + sum[i][j] : sum[i][j]);
        }
}

static void F(fn_taps_tile)(
    int taps, int vectors, ptrdiff_t P, ptrdiff_t Q, const T *image, ptrdiff_t step,
    const ptrdiff_t *offset, const T *d, T *c, ptrdiff_t c_row, int add)
{
#define TILE(TAPS) case TAPS: \
    if (vectors > 1) \
        F(fn_taps)(TAPS, 2, P, Q, image, step, offset, d, c, c_row, add); \
    else \
        F(fn_taps)(TAPS, 1, P, Q, image, step, offset, d, c, c_row, add); \
    break;
    switch (taps) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if FN_TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
#undef TILE
}

/* Filters by taps, places in the lanes: c[i][j] (+)= sum over `images` of P rows of Q places of
 * d[i][place] image[place + offset[j]]. */
FN_INLINE void F(fn_places)(
    const int rows, const int taps, ptrdiff_t images, ptrdiff_t P, ptrdiff_t Q,
    const T *image, ptrdiff_t next_image, ptrdiff_t step, const ptrdiff_t *offset,
    const T *d, ptrdiff_t next_d, ptrdiff_t d_row, T *c, ptrdiff_t c_row, int add)
{
    V sum[FN_PLACES_ROWS][FN_PLACES_TAPS];
    const int part = (int)(Q % L);
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < taps; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    for (ptrdiff_t n = 0; n < images; n++)
        for (ptrdiff_t p = 0; p < P; p++) {
            const T *x = image + n * next_image + p * step;
            const T *g = d + n * next_d + p * Q;
            ptrdiff_t q = 0;
            for (; q + L <= Q; q += L) {
                V y[FN_PLACES_TAPS];
                FN_UNROLL for (int j = 0; j < taps; j++)
                    y[j] = F(fn_load)(x + offset[j] + q);
                FN_UNROLL for (int i = 0; i < rows; i++) {
                    const V of_row = F(fn_load)(g + i * d_row + q);
                    FN_UNROLL for (int j = 0; j < taps; j++)
                        sum[i][j] = F(fn_fma)(of_row, y[j], sum[i][j]);
                }
            }
            if (part) {
                V y[FN_PLACES_TAPS];
                FN_UNROLL for (int j = 0; j < taps; j++)
                    y[j] = F(fn_load_part)(x + offset[j] + q, part);
                FN_UNROLL for (int i = 0; i < rows; i++) {
                    const V of_row = F(fn_load_part)(g + i * d_row + q, part);
                    FN_UNROLL for (int j = 0; j < taps; j++)
                        sum[i][j] = F(fn_fma)(of_row, y[j], sum[i][j]);
                }
            }
        }
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < taps; j += L) {
            const int columns = taps - j < L ? taps - j : L;
            T *place = c + i * c_row + j;
            const V value = F(fn_sums)(&sum[i][j], columns);
            F(fn_store_part)(place, add ? F(fn_load_part)(place, columns) + value : value, columns);
        }
}

static void F(fn_places_tile)(
    int rows, int taps, ptrdiff_t images, ptrdiff_t P, ptrdiff_t Q,
    const T *image, ptrdiff_t next_image, ptrdiff_t step, const ptrdiff_t *offset,
    const T *d, ptrdiff_t next_d, ptrdiff_t d_row, T *c, ptrdiff_t c_row, int add)
{
#define TILE(ROWS, TAPS) case (ROWS) * 8 + (TAPS): \
    F(fn_places)(ROWS, TAPS, images, P, Q, image, next_image, step, offset, \
                 d, next_d, d_row, c, c_row, add); \
    break;
    switch (rows * 8 + taps) {
        TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(1, 4)
        TILE(2, 1) TILE(2, 2) TILE(2, 3) TILE(2, 4)
#if FN_PLACES_ROWS == 4
        TILE(3, 1) TILE(3, 2) TILE(3, 3) TILE(3, 4)
        TILE(4, 1) TILE(4, 2) TILE(4, 3) TILE(4, 4)
#endif
    }
#undef TILE
}
