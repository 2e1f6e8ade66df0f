/* Convolution: tiles that read an image where it lies.
 *
 * An image is laid out (patches.pxi) so that what one tap of a filter meets at neighbouring places
 * lies side by side: tap k at place j is image[offset[k] + j].  Behind the last place there is
 * room for two vectors.  Included once for each element type by gemm_types.h.
 */

/* `rows` filters at one or two vectors of places, the last of them `part` wide:
 * c[i][j] = sum_k a[i][k] image[offset[k] + j] (+ c[i][j]) (+ bias[i]). */
FN_INLINE void F(fn_conv)(
    const int rows, const int vectors, int part, ptrdiff_t K, const T *a, ptrdiff_t a_row,
    ptrdiff_t a_k, const T *image, const ptrdiff_t *offset, T *c, ptrdiff_t c_row,
    const T *bias, int add)
{
    V sum[FN_TILE_ROWS][2];
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);
    for (ptrdiff_t k = 0; k < K; k++) {
        V places[2];
        FN_UNROLL for (int j = 0; j < vectors; j++)
            places[j] = F(fn_load)(image + offset[k] + j * L);
        FN_UNROLL for (int i = 0; i < rows; i++) {
            const V x = F(FN_SPLAT)(a[i * a_row]);
            FN_UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = F(fn_fma)(x, places[j], sum[i][j]);
        }
        a += a_k;
    }
    FN_UNROLL for (int j = 0; j < vectors; j++) {
        const int partial = j == vectors - 1 && part < L;
        FN_UNROLL for (int i = 0; i < rows; i++) {
            T *place = c + i * c_row + j * L;
            V value = sum[i][j];
            if (add)
                value = (partial ? F(fn_load_part)(place, part) : F(fn_load)(place)) + value;
            if (bias)
                value = value + F(FN_SPLAT)(bias[i]);
            if (partial)
                F(fn_store_part)(place, value, part);
            else
                F(fn_store)(place, value);
        }
    }
}

/* The same with `rows` up to FN_TILE_ROWS and `places` up to 2 L, known only now. */
static void F(fn_conv_tile)(
    int rows, int places, ptrdiff_t K, const T *a, ptrdiff_t a_row, ptrdiff_t a_k,
    const T *image, const ptrdiff_t *offset, T *c, ptrdiff_t c_row, const T *bias, int add)
{
    const int two = places > L, part = places - two * L;
#define TILE(ROWS) case ROWS: \
    if (two) \
        F(fn_conv)(ROWS, 2, part, K, a, a_row, a_k, image, offset, c, c_row, bias, add); \
    else \
        F(fn_conv)(ROWS, 1, part, K, a, a_row, a_k, image, offset, c, c_row, bias, add); \
    break;
    switch (rows) {
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#if FN_TILE_ROWS == 8
        TILE(7) TILE(8)
#endif
    }
#undef TILE
}

/* A panel: two vectors of places for each tap, side by side. */
static void F(fn_conv_panel)(
    ptrdiff_t K, const T *image, const ptrdiff_t *offset, T *panel)
{
    for (ptrdiff_t k = 0; k < K; k++) {
        F(fn_store)(panel + 2 * L * k, F(fn_load)(image + offset[k]));
        F(fn_store)(panel + 2 * L * k + L, F(fn_load)(image + offset[k] + L));
    }
}

/* One row of an image with what is around it: target[q] = source[q] for first <= q < end and 0
 * elsewhere below n, where the source's elements lie `step` apart.  Zeros are written in whole
 * vectors: those behind the row are overwritten by the next one. */
static void F(fn_conv_row)(
    ptrdiff_t n, ptrdiff_t first, ptrdiff_t end, const T *source, ptrdiff_t step, T *target)
{
    ptrdiff_t q = first;
    if (first > 0 || end < n)
        for (ptrdiff_t zeros = 0; zeros < n; zeros += L)
            F(fn_store)(target + zeros, F(FN_SPLAT)((T)0));
    if (step == 1) {
        for (; q + L <= end; q += L)
            F(fn_store)(target + q, F(fn_load)(source + q));
        if (q < end && FN_PARTIAL_IS_FAST) {
            const int part = (int)(end - q);
            F(fn_store_part)(target + q, F(fn_load_part)(source + q, part), part);
            return;
        }
    }
    for (; q < end; q++)
        target[q] = source[q * step];
}

/* Rows of Q elements side by side, from rows that lie `step` apart.  Whole vectors are copied in
 * ascending order: what one writes too much, the next one overwrites. */
static void F(fn_conv_shift)(ptrdiff_t rows, ptrdiff_t Q, const T *source, ptrdiff_t step, T *target) {
    if (Q <= L)
        for (ptrdiff_t i = 0; i < rows; i++)
            F(fn_store)(target + i * Q, F(fn_load)(source + i * step));
    else
        for (ptrdiff_t i = 0; i < rows; i++)
            for (ptrdiff_t q = 0; q < Q; q += L)
                F(fn_store)(target + i * Q + q, F(fn_load)(source + i * step + q));
}

/* Rows of an image as one column of taps meets them, without a stride: Q elements of each, those
 * from column `shift` on, with zeros beside the W that there are, and rows of zeros before and
 * after.  Whole vectors are written in ascending order, as above. */
static void F(fn_conv_rows)(
    ptrdiff_t before, ptrdiff_t rows, ptrdiff_t after, ptrdiff_t Q, ptrdiff_t W, ptrdiff_t shift,
    const T *source, T *target)
{
#if FN_PARTIAL_IS_FAST
    const ptrdiff_t begin = shift < 0 ? -shift : 0, end = W - shift < Q ? W - shift : Q;
    for (ptrdiff_t i = 0; i < before * Q; i += L)
        F(fn_store)(target + i, F(FN_SPLAT)((T)0));
    target += before * Q;
    source += shift;
    if (Q <= L) {
        const int first = FN_CLAMP(begin, L), last = FN_CLAMP(end, L);
        for (ptrdiff_t i = 0; i < rows; i++, source += W, target += Q)
            F(fn_store)(target, F(fn_load_between)(source, first, last));
    } else
        for (ptrdiff_t i = 0; i < rows; i++, source += W, target += Q)
            for (ptrdiff_t q = 0; q < Q; q += L)
                F(fn_store)(target + q, F(fn_load_between)(
                    source + q, FN_CLAMP(begin - q, L), FN_CLAMP(end - q, L)));
    for (ptrdiff_t i = 0; i < after * Q; i += L)
        F(fn_store)(target + i, F(FN_SPLAT)((T)0));
#else
    (void)before, (void)rows, (void)after, (void)Q, (void)W, (void)shift, (void)source, (void)target;
#endif
}

/* Where rows of results are as long as the image's, these follow each other in both, and vectors are
 * written where they belong.  Which of their elements lie in the image is the same for all channels:
 * as bits, first a row of them and then a vector, for which 64 have to be enough. */
static void F(fn_conv_inside)(
    ptrdiff_t before, ptrdiff_t rows, ptrdiff_t after, ptrdiff_t Q, ptrdiff_t shift, uint16_t *inside)
{
    const ptrdiff_t first = before * Q, end = first + rows * Q, n = end + after * Q;
    const int left = FN_CLAMP(-shift, Q), right = FN_CLAMP(Q - shift, Q);
    uint64_t row = left < right ? (1ull << right) - (1ull << left) : 0;
    for (ptrdiff_t width = Q; width < Q + L; width *= 2)
        row |= row << width;
    for (ptrdiff_t i = 0, column = 0; i < n; i += L) {
        const uint64_t begun = (1ull << FN_CLAMP(first - i, L)) - 1;
        const uint64_t ended = (1ull << FN_CLAMP(end - i, L)) - 1;
        *inside++ = (uint16_t)(row >> column & ended & ~begun);
        for (column += L; column >= Q;)
            column -= Q;
    }
}

/* n elements of a channel where that says they are inside, zeros elsewhere, in whole vectors. */
FN_APART void F(fn_conv_run)(ptrdiff_t n, const uint16_t *inside, const T *source, T *target) {
#if FN_PARTIAL_IS_FAST
    for (ptrdiff_t i = 0; i < n; i += L)
        F(fn_store)(target + i, F(fn_load_where)(source + i, *inside++));
#else
    (void)n, (void)inside, (void)source, (void)target;
#endif
}
