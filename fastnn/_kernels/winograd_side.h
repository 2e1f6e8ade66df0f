/* The ways there and back, for tiles of SIDE x SIDE results and filters of TAPS x TAPS.
 *
 * Included by winograd.h for each SIDE, with F(name) the name with that suffix.  What the functions
 * do is said there; they are compiled apart, for two of them in one would spill registers.
 */
#define TAPS (FN_SIDE + 1 - SIDE)

/* The columns of tiles in one row of the plane, from SIDE patches. */
FN_INLINE void F(fn_winograd_row)(const float *plane, const fn_patch *patches, fn_v32 *d) {
#if SIDE == 4
    fn_v32 here[4], right[4];
    FN_UNROLL for (int i = 0; i < 4; i++) {
        here[i] = fn_load_32(plane + patches[i].source);
        right[i] = fn_load_32(plane + patches[i].source + 4);
    }
    const fn_v32 even0 = fn_even_32(here[0], here[1]), even1 = fn_even_32(here[2], here[3]);
    const fn_v32 odd0 = fn_odd_32(here[0], here[1]), odd1 = fn_odd_32(here[2], here[3]);
    d[0] = fn_even_32(even0, even1);
    d[1] = fn_even_32(odd0, odd1);
    d[2] = fn_odd_32(even0, even1);
    d[3] = fn_odd_32(odd0, odd1);
    d[4] = fn_even_32(fn_even_32(right[0], right[1]), fn_even_32(right[2], right[3]));
    d[5] = fn_even_32(fn_odd_32(right[0], right[1]), fn_odd_32(right[2], right[3]));
#else
    FN_UNROLL for (int j = 0; j < FN_SIDE; j += 2) {
        const fn_v32 first = fn_load_32(plane + patches[0].source + j);
        const fn_v32 second = fn_load_32(plane + patches[1].source + j);
        d[j] = fn_even_32(first, second);
        d[j + 1] = fn_odd_32(first, second);
    }
#endif
}

FN_APART void F(fn_winograd_image)(
    const fn_patch *patches, const float *plane, ptrdiff_t pitch, float *out, ptrdiff_t next)
{
    fn_v32 d[FN_PLACES];
    FN_UNROLL for (int i = 0; i < FN_SIDE; i++) {
        F(fn_winograd_row)(plane + i * pitch, patches, d + FN_SIDE * i);
        fn_winograd_column(d + FN_SIDE * i, 1, d + FN_SIDE * i);
    }
    FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
        fn_winograd_column(d + j, FN_SIDE, d + j);
        FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
            fn_store_32(out + (FN_SIDE * i + j) * next, d[FN_SIDE * i + j]);
    }
}

FN_APART void F(fn_winograd_filters)(
    int filters, ptrdiff_t K, const float *w, ptrdiff_t row, ptrdiff_t column, int turned,
    float *u, ptrdiff_t strip, ptrdiff_t next)
{
    enum {SQUARES = (TAPS * TAPS + FN_L - 1) / FN_L};
    for (ptrdiff_t k = 0; k < K; k++, w += column, u += FN_TILE_ROWS) {
        fn_v32 taps[SQUARES * FN_L], g[TAPS * TAPS], gg[TAPS * FN_SIDE], places[FN_PLACES];
        FN_UNROLL for (int square = 0; square < SQUARES; square++) {
            const int first = square * FN_L, left = TAPS * TAPS - first;
            const int count = left < FN_L ? left : FN_L;
            FN_UNROLL for (int i = 0; i < FN_L; i++)
                taps[first + i] = i < filters ? fn_load_part_32(w + i * row + first, count)
                                              : FN_SPLAT_32(0.0f);
            fn_swap_halves_32(taps + first, 1);
            fn_swap_halves_32(taps + first, 2);
            fn_swap_halves_32(taps + first, 4);
            fn_swap_halves_32(taps + first, 8);
        }
        FN_UNROLL for (int i = 0; i < TAPS; i++)
            FN_UNROLL for (int j = 0; j < TAPS; j++)
                g[TAPS * i + j] = taps[turned ? TAPS * TAPS - 1 - (TAPS * i + j) : TAPS * i + j];
        FN_UNROLL for (int j = 0; j < TAPS; j++)
            fn_winograd_points(TAPS, FN_ZERO, FN_C, FN_E, g + j, TAPS, gg + j, TAPS);
        FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
            fn_winograd_points(TAPS, FN_ZERO, FN_C, FN_E, gg + TAPS * i, 1, places + FN_SIDE * i, 1);
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

/* The results of SIDE patches in one row, from those of their tiles' columns. */
FN_INLINE void F(fn_winograd_apart)(const fn_v32 *y, fn_v32 *row) {
#if SIDE == 4
    const fn_v32 even0 = fn_zip_low_32(y[0], y[2]), even1 = fn_zip_high_32(y[0], y[2]);
    const fn_v32 odd0 = fn_zip_low_32(y[1], y[3]), odd1 = fn_zip_high_32(y[1], y[3]);
    row[0] = fn_zip_low_32(even0, odd0);
    row[1] = fn_zip_high_32(even0, odd0);
    row[2] = fn_zip_low_32(even1, odd1);
    row[3] = fn_zip_high_32(even1, odd1);
#else
    row[0] = fn_zip_low_32(y[0], y[1]);
    row[1] = fn_zip_high_32(y[0], y[1]);
#endif
}

FN_APART void F(fn_winograd_results)(
    ptrdiff_t count, const fn_patch *patches, const float *m, ptrdiff_t next, float bias, float *out,
    ptrdiff_t Q)
{
    const fn_v32 shift = FN_SPLAT_32(bias);
    for (ptrdiff_t first = 0; first < count; first += SIDE, m += FN_L) {
        fn_v32 half[SIDE * FN_SIDE];
        FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
            fn_v32 column[FN_SIDE];
            FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                column[i] = fn_load_32(m + (FN_SIDE * i + j) * next);
            fn_winograd_sums(SIDE, 1, 1, 1, column, half + j, FN_SIDE);
        }
        FN_UNROLL for (int i = 0; i < SIDE; i++) {
            fn_v32 y[SIDE], row[SIDE];
            fn_winograd_sums(SIDE, 1, 1, 1, half + FN_SIDE * i, y, 1);
            FN_UNROLL for (int j = 0; j < SIDE; j++)
                y[j] = y[j] + shift;
            F(fn_winograd_apart)(y, row);
            FN_UNROLL for (int each = 0; each < SIDE; each++)
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

FN_APART void F(fn_winograd_slopes)(
    ptrdiff_t P, ptrdiff_t Q, int vectors, const float *slopes, float *out, ptrdiff_t next)
{
    const ptrdiff_t width = 2 * FN_L, columns = (Q + FN_L - 1) / FN_L * FN_L;
    for (ptrdiff_t q = 0; q < columns; q += SIDE, out += width)
        for (int part = 0; part < vectors; part++) {
            fn_v32 d[SIDE * SIDE], half[SIDE * FN_SIDE];
            FN_UNROLL for (int i = 0; i < SIDE; i++)
                FN_UNROLL for (int j = 0; j < SIDE; j++)
                    d[SIDE * i + j] = i < P && q + j < Q
                        ? fn_load_32(slopes + (i * Q + q + j) * width + part * FN_L)
                        : FN_SPLAT_32(0.0f);
            FN_UNROLL for (int i = 0; i < SIDE; i++)
                fn_winograd_points(SIDE, 1, 1, 1, d + SIDE * i, 1, half + FN_SIDE * i, 1);
            FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
                fn_v32 column[FN_SIDE];
                fn_winograd_points(SIDE, 1, 1, 1, half + j, FN_SIDE, column, 1);
                FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                    fn_store_32(out + (FN_SIDE * i + j) * next + part * FN_L, column[i]);
            }
        }
}

FN_APART void F(fn_winograd_taps)(
    ptrdiff_t channels, ptrdiff_t row, const float *u, ptrdiff_t next, float *taps)
{
    for (ptrdiff_t c = 0; c < channels; c++, u += row, taps += TAPS * TAPS * row)
        for (ptrdiff_t o = 0; o < row; o += FN_L) {
            fn_v32 half[TAPS * FN_SIDE];
            FN_UNROLL for (int j = 0; j < FN_SIDE; j++) {
                fn_v32 column[FN_SIDE];
                FN_UNROLL for (int i = 0; i < FN_SIDE; i++)
                    column[i] = fn_load_32(u + (FN_SIDE * i + j) * next + o);
                fn_winograd_sums(TAPS, FN_ZERO, FN_C, FN_E, column, half + j, FN_SIDE);
            }
            FN_UNROLL for (int i = 0; i < TAPS; i++) {
                fn_v32 g[TAPS];
                fn_winograd_sums(TAPS, FN_ZERO, FN_C, FN_E, half + FN_SIDE * i, g, 1);
                FN_UNROLL for (int j = 0; j < TAPS; j++)
                    fn_store_32(taps + (TAPS * i + j) * row + o, g[j]);
            }
        }
}
#undef TAPS
