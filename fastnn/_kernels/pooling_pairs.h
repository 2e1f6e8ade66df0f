/* Largest elements of 2x2 windows side by side: pairs of rows of x, W wide, one after the other.
 *
 * Included by pooling_types.h after pooling.h, with the same definitions.  Images are small, with
 * rows of 7 or 8 windows, so a vector of windows is two halves, each from L columns of a pair of
 * rows or from as many as remain: of one pair, or the last of one and the first of the next.
 */

#if FN_PARTIAL_IS_FAST
/* Some pairs of columns of a pair of rows, in two halves: `a` columns from x on, and `b` columns from
 * x + apart on, whose windows follow those of the first half.  `whole` says that all are L. */
typedef struct {
    ptrdiff_t W, apart;
    int a, b;
} F(fn_halves);

/* The larger of each pair of columns in one row, and where that is the right one. */
FN_INLINE V F(fn_larger_column)(F(fn_halves) h, const int whole, const T *row, I *right) {
    const V low = whole ? F(fn_load)(row) : F(fn_load_part)(row, h.a);
    const V high = whole ? F(fn_load)(row + h.apart) : F(fn_load_part)(row + h.apart, h.b);
    const V even = F(fn_even)(low, high), odd = F(fn_odd)(low, high);
    *right = F(fn_replaces)(odd, even);
    return F(fn_choose)(*right, odd, even);
}

/* One row of dx: what is given to the larger of each pair of columns. */
FN_INLINE void F(fn_give_column)(F(fn_halves) h, const int whole, T *row, I given, I right) {
    const V even = (V)(given & ~right), odd = (V)(given & right);
    if (whole) {
        F(fn_store)(row, F(fn_zip_low)(even, odd));
        F(fn_store)(row + h.apart, F(fn_zip_high)(even, odd));
    } else {
        F(fn_store_part)(row, F(fn_zip_low)(even, odd), h.a);
        F(fn_store_part)(row + h.apart, F(fn_zip_high)(even, odd), h.b);
    }
}

FN_INLINE void F(fn_max_halves)(F(fn_halves) h, const int whole, const T *x, T *best) {
    I right;
    const V top = F(fn_larger_column)(h, whole, x, &right);
    const V bottom = F(fn_larger_column)(h, whole, x + h.W, &right);
    const V largest = F(fn_choose)(F(fn_replaces)(bottom, top), bottom, top);
    if (whole) {
        F(fn_store)(best, largest);
    } else {
        F(fn_store_part)(best, largest, h.a / 2);
        F(fn_store_part)(best + h.a / 2, F(fn_swap_high)(largest, largest, L / 2), h.b / 2);
    }
}

FN_INLINE void F(fn_give_halves)(
    F(fn_halves) h, const int whole, const T *x, const T *dout, T *dx)
{
    I right_top, right_bottom;
    const V top = F(fn_larger_column)(h, whole, x, &right_top);
    const V bottom = F(fn_larger_column)(h, whole, x + h.W, &right_bottom);
    const I below = F(fn_replaces)(bottom, top);
    const V given = whole ? F(fn_load)(dout)
                          : F(fn_swap_low)(F(fn_load_part)(dout, h.a / 2),
                                           F(fn_load_part)(dout + h.a / 2, h.b / 2), L / 2);
    const I sum = (I)(given + F(FN_SPLAT)(0));  /* 0 + -0 is 0, as where windows overlap */
    F(fn_give_column)(h, whole, dx, sum & ~below, right_top);
    F(fn_give_column)(h, whole, dx + h.W, sum & below, right_bottom);
}

/* Largest elements to `best`, or without it, gradients to dx. */
FN_INLINE void F(fn_halves_step)(
    F(fn_halves) h, const int whole, ptrdiff_t at, ptrdiff_t window, const T *x, T *best,
    const T *dout, T *dx)
{
    if (best)
        F(fn_max_halves)(h, whole, x + at, best + window);
    else
        F(fn_give_halves)(h, whole, x + at, dout + window, dx + at);
}

FN_INLINE void F(fn_each_pair)(
    ptrdiff_t pairs, ptrdiff_t W, const T *x, T *best, const T *dout, T *dx)
{
    const ptrdiff_t Q = W / 2;
    ptrdiff_t u = 0;
    if (W <= L) {
        const F(fn_halves) two = {W, 2 * W, (int)W, (int)W}, one = {W, 0, (int)W, 0};
        for (; u + 2 <= pairs; u += 2)
            F(fn_halves_step)(two, 0, 2 * u * W, u * Q, x, best, dout, dx);
        if (u < pairs)
            F(fn_halves_step)(one, 0, 2 * u * W, u * Q, x, best, dout, dx);
        return;
    }
    const F(fn_halves) wide = {W, L, L, L};
    const int left = (int)(W % (2 * L)), first = left < L ? left : L;
    const F(fn_halves) rest = {W, L, first, left - first};
    for (; u < pairs; u++) {
        ptrdiff_t w = 0;
        for (; w + 2 * L <= W; w += 2 * L)
            F(fn_halves_step)(wide, 1, 2 * u * W + w, u * Q + w / 2, x, best, dout, dx);
        if (left)
            F(fn_halves_step)(rest, 0, 2 * u * W + w, u * Q + w / 2, x, best, dout, dx);
    }
}

static void F(fn_pool_max_pairs)(ptrdiff_t pairs, ptrdiff_t W, const T *x, T *best) {
    F(fn_each_pair)(pairs, W, x, best, NULL, NULL);
}

/* dx = dout where x is the first of the largest of its window, 0 elsewhere and in the column of an
 * odd W that no window covers. */
static void F(fn_pool_give_pairs)(
    ptrdiff_t pairs, ptrdiff_t W, const T *x, const T *dout, T *dx)
{
    F(fn_each_pair)(pairs, W, x, NULL, dout, dx);
}
#else
static void F(fn_pool_max_pairs)(ptrdiff_t pairs, ptrdiff_t W, const T *x, T *best) {
    for (ptrdiff_t u = 0; u < pairs; u++, x += 2 * W, best += W / 2)
        for (ptrdiff_t q = 0; q < W / 2; q++) {
            const T a = x[2 * q], b = x[2 * q + 1], c = x[W + 2 * q], d = x[W + 2 * q + 1];
            const T top = FN_REPLACES(b, a) ? b : a, bottom = FN_REPLACES(d, c) ? d : c;
            best[q] = FN_REPLACES(bottom, top) ? bottom : top;
        }
}

static void F(fn_pool_give_pairs)(
    ptrdiff_t pairs, ptrdiff_t W, const T *x, const T *dout, T *dx)
{
    for (ptrdiff_t u = 0; u < pairs; u++, x += 2 * W, dx += 2 * W, dout += W / 2) {
        for (ptrdiff_t q = 0; q < W / 2; q++) {
            const T a = x[2 * q], b = x[2 * q + 1], c = x[W + 2 * q], d = x[W + 2 * q + 1];
            const int right_top = FN_REPLACES(b, a), right_bottom = FN_REPLACES(d, c);
            const T top = right_top ? b : a, bottom = right_bottom ? d : c;
            const int below = FN_REPLACES(bottom, top);
            const T given = dout[q] + 0;
            dx[2 * q] = !below & !right_top ? given : 0;
            dx[2 * q + 1] = !below & right_top ? given : 0;
            dx[W + 2 * q] = below & !right_bottom ? given : 0;
            dx[W + 2 * q + 1] = below & right_bottom ? given : 0;
        }
        if (W % 2)
            dx[W - 1] = dx[2 * W - 1] = 0;
    }
}
#endif
