/* Pooling: one row of results from the rows that its windows cover.
 *
 * A row of results is walked tap by tap, so that a loop runs over neighbouring places.  Its
 * step through the image, the stride, is a constant for the usual strides: then the compiler
 * makes vector code of it.  Included once for each element type by pooling_types.h.
 */

/* best[q] = the larger of best[q] and x[q step], and which[q] = tap where that is x.  The first of
 * equals stays, and so does the first NaN. */
FN_INLINE void F(fn_larger_at)(
    ptrdiff_t n, const T *x, const ptrdiff_t step, int32_t tap, T *best, int32_t *which)
{
    for (ptrdiff_t q = 0; q < n; q++) {
        const T value = x[q * step], old = best[q];
        const int take = !(value <= old) & (old == old);
        best[q] = take ? value : old;
        which[q] = take ? tap : which[q];
    }
}

FN_INLINE void F(fn_larger)(ptrdiff_t n, const T *x, const ptrdiff_t step, T *best) {
    for (ptrdiff_t q = 0; q < n; q++) {
        const T value = x[q * step], old = best[q];
        best[q] = !(value <= old) & (old == old) ? value : old;
    }
}

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

static void F(fn_pool_larger_at)(
    ptrdiff_t n, const T *x, ptrdiff_t step, int32_t tap, T *best, int32_t *which)
{
#define CALL(step) F(fn_larger_at)(n, x, step, tap, best, which)
    FN_BY_STRIDE(CALL)
#undef CALL
}

static void F(fn_pool_larger)(ptrdiff_t n, const T *x, ptrdiff_t step, T *best) {
#define CALL(step) F(fn_larger)(n, x, step, best)
    FN_BY_STRIDE(CALL)
#undef CALL
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
