/* Tiles of a product whose A is packed once for all of them, in strips as high as a tile.
 *
 * Included by gemm_types.h for each element type.  A strip holds FN_TILE_ROWS rows, k by k, so a
 * tile knows its strides when it is compiled: it spares the instructions that reach for rows of
 * A, which a processor that decodes four at a time has no room for beside the multiply-adds.
 */

/* One k of a tile: two vectors of B's row, kept at `packed` if `keep`, by FN_TILE_ROWS elements. */
FN_INLINE void F(fn_strip_step)(
    const int keep, const T *a, const T *b, ptrdiff_t b_k, T *packed, V sum[FN_TILE_ROWS][2])
{
    V columns[2];
    FN_UNROLL for (int j = 0; j < 2; j++) {
        columns[j] = F(fn_load)(b + j * L);
        if (keep)
            F(fn_store)(packed + j * L, columns[j]);
    }
    FN_UNROLL for (int i = 0; i < FN_TILE_ROWS; i++) {
        /* To read an element twice takes more loads and fewer instructions: even at a quarter. */
        if (i % 4 == 3) {
            FN_UNROLL for (int j = 0; j < 2; j++)
                sum[i][j] = F(fn_fma_at)(a + i, columns[j], sum[i][j]);
        } else {
            const V x = F(FN_SPLAT)(a[i]);
            FN_UNROLL for (int j = 0; j < 2; j++)
                sum[i][j] = F(fn_fma)(x, columns[j], sum[i][j]);
        }
    }
}

/* C = A B (+ C) (+ bias) for a whole strip and two whole vectors.  On its way it asks the memory for
 * what is read next: each FN_ASK_STEPS of k for the lines at `ask` and `pair` bytes on. */
FN_INLINE void F(fn_strip)(
    const int keep, ptrdiff_t K, const T *a, const T *b, ptrdiff_t b_k, T *c, ptrdiff_t c_row,
    const T *bias, int add, T *packed, const char *ask, ptrdiff_t pair, ptrdiff_t step)
{
    V sum[FN_TILE_ROWS][2];
    FN_UNROLL for (int i = 0; i < FN_TILE_ROWS; i++)
        FN_UNROLL for (int j = 0; j < 2; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    for (; K >= FN_ASK_STEPS; K -= FN_ASK_STEPS) {
        FN_PREFETCH(ask);
        FN_PREFETCH(ask + pair);
        ask += step;
        if (K < 2 * FN_ASK_STEPS) /* near the end: C's own lines */
            FN_UNROLL for (int i = 0; i < FN_TILE_ROWS; i++) {
                FN_PREFETCH_FIRST(c + i * c_row);
                FN_PREFETCH_FIRST(c + i * c_row + L);
            }
        for (int k = 0; k < FN_ASK_STEPS; k += 4) {
            FN_UNROLL for (int s = 0; s < 4; s++)
                F(fn_strip_step)(keep, a + s * FN_TILE_ROWS, b + s * b_k, b_k, packed + s * 2 * L, sum);
            a += 4 * FN_TILE_ROWS;
            b += 4 * b_k;
            if (keep)
                packed += 4 * 2 * L;
        }
    }
    for (; K > 0; K--) {
        F(fn_strip_step)(keep, a, b, b_k, packed, sum);
        a += FN_TILE_ROWS;
        b += b_k;
        if (keep)
            packed += 2 * L;
    }
    FN_UNROLL for (int j = 0; j < 2; j++) {
        const V shift = bias ? F(fn_load)(bias + j * L) : F(FN_SPLAT)((T)0);
        FN_UNROLL for (int i = 0; i < FN_TILE_ROWS; i++) {
            T *place = c + i * c_row + j * L;
            V value = sum[i][j];
            if (add)
                value = F(fn_load)(place) + value;
            if (bias)
                value = value + shift;
            F(fn_store)(place, value);
        }
    }
}

/* The same; with `packed`, where B lies rows b_k apart, its panel is packed on the way. */
static void F(fn_strip_tile)(
    ptrdiff_t K, const T *a, const T *b, ptrdiff_t b_k, T *c, ptrdiff_t c_row, const T *bias, int add,
    T *packed, const char *ask, ptrdiff_t pair, ptrdiff_t step)
{
    if (packed)
        F(fn_strip)(1, K, a, b, b_k, c, c_row, bias, add, packed, ask, pair, step);
    else
        F(fn_strip)(0, K, a, b, 2 * L, c, c_row, bias, add, packed, ask, pair, step);
}

/* A panel of B, two vectors wide: its rows side by side. */
static void F(fn_pack_panel)(const T *b, ptrdiff_t b_k, ptrdiff_t K, T *packed) {
    for (ptrdiff_t k = 0; k < K; k++, b += b_k, packed += 2 * L) {
        const V low = F(fn_load)(b), high = F(fn_load)(b + L);
        F(fn_store)(packed, low);
        F(fn_store)(packed + L, high);
    }
}

/* Rows of A, `a_row` apart with k side by side, as strips `strip` elements apart. */
static void F(fn_pack_strips)(
    const T *a, ptrdiff_t a_row, ptrdiff_t rows, ptrdiff_t K, T *packed, ptrdiff_t strip)
{
    ptrdiff_t i = 0;
#if FN_VECTOR_BYTES == 64
    for (; i + L <= rows; i += L) { /* one strip of doubles, two of floats */
        T *target = packed + i / FN_TILE_ROWS * strip;
        ptrdiff_t k = 0;
        for (; k + L <= K; k += L) {
            V square[L];
            FN_UNROLL for (int j = 0; j < L; j++)
                square[j] = F(fn_load)(a + (i + j) * a_row + k);
            F(fn_swap_halves)(square, 1);
            F(fn_swap_halves)(square, 2);
            F(fn_swap_halves)(square, 4);
            F(fn_swap_halves)(square, 8);
            FN_UNROLL for (int j = 0; j < L; j++)
                FN_UNROLL for (int h = 0; h < L / FN_TILE_ROWS; h++)
                    memcpy(
                        target + h * strip + (k + j) * FN_TILE_ROWS,
                        (const T *)&square[j] + h * FN_TILE_ROWS, FN_TILE_ROWS * sizeof(T));
        }
        for (; k < K; k++)
            for (int j = 0; j < L; j++)
                target[j / FN_TILE_ROWS * strip + k * FN_TILE_ROWS + j % FN_TILE_ROWS] =
                    a[(i + j) * a_row + k];
    }
#endif
    for (; i < rows; i++)
        for (ptrdiff_t k = 0; k < K; k++)
            packed[i / FN_TILE_ROWS * strip + k * FN_TILE_ROWS + i % FN_TILE_ROWS] = a[i * a_row + k];
}
