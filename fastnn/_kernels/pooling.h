/* Pooling: one row of results from the rows that its windows cover.
 *
 * Included once for each element type by pooling_types.h, which defines T, V (vector), I (vector of
 * integers as wide), N (such an integer), L and F.
 */

/* best[q] = the largest of best[q] and x[q step], and which[q] = tap where that is x; without
 * `which`, only the first. */
static void F(fn_pool_larger)(
    ptrdiff_t n, const T *x, ptrdiff_t step, N tap, T *best, N *which)
{
    for (ptrdiff_t q = 0; q < n; q++) {
        const T value = x[q * step];
        if (FN_REPLACES(value, best[q])) {
            best[q] = value;
            if (which)
                which[q] = tap;
        }
    }
}

#if FN_PARTIAL_IS_FAST
/* FN_REPLACES, lane by lane. */
FN_INLINE I F(fn_replaces)(V value, V best) {
    return ~(I)(value <= best) & (I)(best == best);
}

FN_INLINE V F(fn_choose)(I take, V yes, V no) {
    return (V)((take & (I)yes) | (~take & (I)no));
}

/* x[0], x[step] ... in the first n lanes. */
FN_INLINE V F(fn_pool_load)(const T *x, const ptrdiff_t step, int n) {
    if (step == 1)
        return n == L ? F(fn_load)(x) : F(fn_load_part)(x, n);
    if (step == 2) {
        const int span = 2 * n - 1;
        const V low = span >= L ? F(fn_load)(x) : F(fn_load_part)(x, span);
        return F(fn_even)(low, span > L ? F(fn_load_part)(x + L, span - L) : low);
    }
    T lanes[L];
    for (int j = 0; j < n; j++)
        lanes[j] = x[j * step];
    return F(fn_load_part)(lanes, n);
}

/* The largest of `rows` by `columns` elements from x on and, one step further each, for the other
 * lanes of n; and which it is, as i row + j. */
FN_INLINE V F(fn_largest)(
    int n, ptrdiff_t rows, ptrdiff_t columns, const T *x, ptrdiff_t row, const ptrdiff_t step, I *which)
{
    V largest = F(FN_SPLAT)(-(T)INFINITY);
    *which = (I){0};
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) {
            const V value = F(fn_pool_load)(x + i * row + j, step, n);
            const I take = F(fn_replaces)(value, largest);
            largest = F(fn_choose)(take, value, largest);
            *which = (take & ((I){0} + (N)(i * row + j))) | (~take & *which);
        }
    return largest;
}

FN_INLINE void F(fn_max)(
    ptrdiff_t n, ptrdiff_t rows, ptrdiff_t columns, const T *x, ptrdiff_t row,
    const ptrdiff_t step, T *best, N *which)
{
    for (ptrdiff_t q = 0; q < n; q += L) {
        const int part = n - q < L ? (int)(n - q) : L;
        I at;
        F(fn_store_part)(
            best + q, F(fn_largest)(part, rows, columns, x + q * step, row, step, &at), part);
        if (which)
            F(fn_store_part)((T *)which + q, (V)at, part);
    }
}

/* The largest of `rows` by `columns` elements from x[q step] on, for each of n windows, and with
 * `which` where it is; all taps in registers. */
static void F(fn_pool_max)(
    ptrdiff_t n, ptrdiff_t rows, ptrdiff_t columns, const T *x, ptrdiff_t row, ptrdiff_t step,
    T *best, N *which)
{
    if (which)
        switch (step) {
            case 1: F(fn_max)(n, rows, columns, x, row, 1, best, which); break;
            case 2: F(fn_max)(n, rows, columns, x, row, 2, best, which); break;
            default: F(fn_max)(n, rows, columns, x, row, step, best, which);
        }
    else
        switch (step) {
            case 1: F(fn_max)(n, rows, columns, x, row, 1, best, NULL); break;
            case 2: F(fn_max)(n, rows, columns, x, row, 2, best, NULL); break;
            default: F(fn_max)(n, rows, columns, x, row, step, best, NULL);
        }
}
#else
static void F(fn_pool_max)(
    ptrdiff_t n, ptrdiff_t rows, ptrdiff_t columns, const T *x, ptrdiff_t row, ptrdiff_t step,
    T *best, N *which)
{
    for (ptrdiff_t q = 0; q < n; q++) {
        best[q] = -(T)INFINITY;
        if (which)
            which[q] = 0;
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            F(fn_pool_larger)(n, x + i * row + j, step, (N)(i * row + j), best, which);
}
#endif

FN_INLINE void F(fn_added)(ptrdiff_t n, const T *x, const ptrdiff_t step, T *sum) {
    for (ptrdiff_t q = 0; q < n; q++)
        sum[q] += x[q * step];
}

FN_INLINE void F(fn_spread)(ptrdiff_t n, T *x, const ptrdiff_t step, const T *shares) {
    for (ptrdiff_t q = 0; q < n; q++)
        x[q * step] += shares[q];
}

#define FN_BY_STRIDE(CALL) \
    switch (step) { \
        case 1: CALL(1); break; \
        case 2: CALL(2); break; \
        case 3: CALL(3); break; \
        default: CALL(step); \
    }

static void F(fn_pool_add)(ptrdiff_t n, const T *x, ptrdiff_t step, T *sum) {
#define CALL(step) F(fn_added)(n, x, step, sum)
    FN_BY_STRIDE(CALL)
#undef CALL
}

static void F(fn_pool_spread)(ptrdiff_t n, T *x, ptrdiff_t step, const T *shares) {
#define CALL(step) F(fn_spread)(n, x, step, shares)
    FN_BY_STRIDE(CALL)
#undef CALL
}
#undef FN_BY_STRIDE
