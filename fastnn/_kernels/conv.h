/* Convolution: a tile of results, and the packing of panels straight from an image.
 *
 * An image is padded and its columns are split by the stride (patches.pxi), so that what one tap
 * of a filter meets at neighbouring places lies side by side: tap k at a place is the element
 * image[place + offset[k]].  Included once for each element type by gemm_types.h.
 */

/* `rows` filters at one or two runs of up to L places: c_j[i] = sum_k a[i][k] b_j[offset[k]]
 * (+ c_j[i]) (+ bias[i]).  Whole vectors are read, the first `part_j` lanes are written. */
FN_INLINE void F(fn_conv)(
    const int rows, const int vectors, ptrdiff_t K, const T *a, ptrdiff_t a_row,
    const T *b0, const T *b1, const ptrdiff_t *offset,
    T *c0, T *c1, ptrdiff_t c_row, int part0, int part1, const T *bias, int add)
{
    V sum[FN_TILE_ROWS][2];
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);

    for (ptrdiff_t k = 0; k < K; k++) {
        const V first = F(fn_load)(b0 + offset[k]);
        const V second = vectors > 1 ? F(fn_load)(b1 + offset[k]) : first;
        FN_UNROLL for (int i = 0; i < rows; i++) {
            const V x = F(FN_SPLAT)(a[i * a_row + k]);
            sum[i][0] = F(fn_fma)(x, first, sum[i][0]);
            if (vectors > 1)
                sum[i][1] = F(fn_fma)(x, second, sum[i][1]);
        }
    }

    FN_UNROLL for (int j = 0; j < vectors; j++) {
        const int part = j ? part1 : part0;
        FN_UNROLL for (int i = 0; i < rows; i++) {
            T *place = (j ? c1 : c0) + i * c_row;
            V value = sum[i][j];
            if (add)
                value = (part < L ? F(fn_load_part)(place, part) : F(fn_load)(place)) + value;
            if (bias)
                value = value + F(FN_SPLAT)(bias[i]);
            if (part < L)
                F(fn_store_part)(place, value, part);
            else
                F(fn_store)(place, value);
        }
    }
}

/* The same with `rows` up to FN_TILE_ROWS, and one run where b1 is NULL, known only now. */
static void F(fn_conv_tile)(
    int rows, ptrdiff_t K, const T *a, ptrdiff_t a_row, const T *b0, const T *b1,
    const ptrdiff_t *offset, T *c0, T *c1, ptrdiff_t c_row, int part0, int part1,
    const T *bias, int add)
{
#define TILE(ROWS) case ROWS: \
    if (b1) \
        F(fn_conv)(ROWS, 2, K, a, a_row, b0, b1, offset, c0, c1, c_row, part0, part1, bias, add); \
    else \
        F(fn_conv)(ROWS, 1, K, a, a_row, b0, b1, offset, c0, c1, c_row, part0, part1, bias, add); \
    break;
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if FN_TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
#undef TILE
}

/* A panel: row k holds the runs of tap k side by side, 2 L elements.  Whole vectors are copied in
 * ascending order, so what one copies too much the next one overwrites: the image and the
 * panel have room for a vector behind their ends. */
static void F(fn_conv_pack)(
    ptrdiff_t K, const T *image, const ptrdiff_t *offset, int runs, const fn_run *run, T *packed)
{
    for (ptrdiff_t k = 0; k < K; k++) {
        const T *tap = image + offset[k];
        for (int r = 0; r < runs; r++) {
            const T *source = tap + run[r].place;
            T *target = packed + run[r].at;
            F(fn_store)(target, F(fn_load)(source));
            if (run[r].count > L)
                F(fn_store)(target + L, F(fn_load)(source + L));
        }
        packed += 2 * L;
    }
}
