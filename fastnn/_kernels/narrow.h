/* Products with few columns: rows of A times columns of B, k in the lanes of the vectors.
 *
 * A tile as gemm.h has it would leave lanes empty where C has 10 columns, and would load nearly as often
 * as it multiplies.  Here every lane works, and an element of A is loaded once for all columns.
 * Included once for each element type by gemm_types.h.
 */

#if FN_VECTOR_BYTES
/* Adds n vectors up in pairs: of each pair, lanes without bit s take the first's sums. */
FN_INLINE void F(fn_pair_up)(V *sum, const int n, const int s) {
    if (s >= L)
        return;
    FN_UNROLL for (int j = 0; j < (n + 1) / 2; j++) {
        const V first = sum[2 * j], second = sum[2 * j + 1 < n ? 2 * j + 1 : 2 * j];
        sum[j] = F(fn_swap_low)(first, second, s) + F(fn_swap_high)(first, second, s);
    }
}
#endif

/* One vector with the sum of all lanes of sum[j] in lane j, for n <= L vectors. */
FN_INLINE V F(fn_sums)(V *sum, const int n) {
#if FN_VECTOR_BYTES
    F(fn_pair_up)(sum, n, 1);
    F(fn_pair_up)(sum, (n + 1) / 2, 2);
    F(fn_pair_up)(sum, (n + 3) / 4, 4);
    F(fn_pair_up)(sum, (n + 7) / 8, 8);
#endif
    return sum[0];
}

/* c[i][j] = sum_k a[i][k] b[j][k] (+ c[i][j]) (+ bias[j]): both with k side by side. */
FN_INLINE void F(fn_dots)(
    const int rows, const int columns, ptrdiff_t K, const T *a, ptrdiff_t a_row,
    const T *b, ptrdiff_t b_row, T *c, ptrdiff_t c_row, const T *bias, int add)
{
    V sum[FN_DOT_ROWS][FN_DOT_COLUMNS];
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < columns; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    ptrdiff_t k = 0;
    for (; k + L <= K; k += L) {
        V x[FN_DOT_ROWS];
        FN_UNROLL for (int i = 0; i < rows; i++) {
            x[i] = F(fn_load)(a + i * a_row + k);
            FN_PREFETCH(a + (rows + i) * a_row + k); /* the rows that come next */
        }
        FN_UNROLL for (int j = 0; j < columns; j++) {
            const V y = F(fn_load)(b + j * b_row + k);
            FN_UNROLL for (int i = 0; i < rows; i++)
                sum[i][j] = F(fn_fma)(x[i], y, sum[i][j]);
        }
    }
    if (k < K) {
        const int part = (int)(K - k);
        FN_UNROLL for (int j = 0; j < columns; j++) {
            const V y = F(fn_load_part)(b + j * b_row + k, part);
            FN_UNROLL for (int i = 0; i < rows; i++)
                sum[i][j] = F(fn_fma)(F(fn_load_part)(a + i * a_row + k, part), y, sum[i][j]);
        }
    }
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < columns; j += L) {
            const int part = columns - j < L ? columns - j : L;
            T *place = c + i * c_row + j;
            V value = F(fn_sums)(&sum[i][j], part);
            if (add)
                value = F(fn_load_part)(place, part) + value;
            if (bias)
                value = value + F(fn_load_part)(bias + j, part);
            F(fn_store_part)(place, value, part);
        }
}

/* The same for any number of rows, and of columns up to FN_DOT_COLUMNS. */
static void F(fn_narrow)(
    ptrdiff_t rows, int columns, ptrdiff_t K, const T *a, ptrdiff_t a_row,
    const T *b, ptrdiff_t b_row, T *c, ptrdiff_t c_row, const T *bias, int add)
{
#define DOTS(COLUMNS, ROWS) case COLUMNS: \
    for (; i + ROWS <= rows; i += ROWS) \
        F(fn_dots)(ROWS, COLUMNS, K, a + i * a_row, a_row, b, b_row, \
                   c + i * c_row, c_row, bias, add); \
    for (; i < rows; i++) \
        F(fn_dots)(1, COLUMNS, K, a + i * a_row, a_row, b, b_row, \
                   c + i * c_row, c_row, bias, add); \
    break;
    ptrdiff_t i = 0;
    switch (columns) {
        DOTS(1, FN_DOT_ROWS) DOTS(2, FN_DOT_ROWS) DOTS(3, FN_DOT_ROWS) DOTS(4, FN_DOT_ROWS)
        DOTS(5, FN_DOT_ROWS) DOTS(6, FN_DOT_ROWS) DOTS(7, FN_DOT_ROWS) DOTS(8, FN_DOT_ROWS)
        DOTS(9, FN_DOT_ROWS) DOTS(10, FN_DOT_ROWS) DOTS(11, FN_DOT_ROWS) DOTS(12, FN_DOT_ROWS)
#if FN_DOT_COLUMNS == 16
        DOTS(13, 1) DOTS(14, 1) DOTS(15, 1) DOTS(16, 1)
#endif
    }
#undef DOTS
}
