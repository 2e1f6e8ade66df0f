/* The heart of matrix multiply: one tile of C held in registers, and the packing of B.
 *
 * Included once for each element type by gemm_types.h, which defines T (element),
 * V (vector), L (lanes) and F(name) (name with the type's suffix).
 *
 * A tile is ROWS x (vectors * L) elements of C.  For each k it loads one or two vectors of
 * a row of B, broadcasts one element of each of its rows of A, and multiplies and adds.
 * A is reached through two strides, so neither its layout nor its transpose matters;
 * B's columns must lie side by side, as they do in a packed panel.
 */

#ifndef FN_ON_THE_WAY
#define FN_ON_THE_WAY
enum {FN_NOTHING, FN_KEEP, FN_ASK}; /* what a tile does with B besides multiplying */
#endif

/* One tile, C = A B (+ C) (+ bias), for `rows` rows and `vectors` vectors of columns, of which
 * the last holds `part` columns when `partial`.  The multiply-adds hide the time that it takes to
 * fetch B: with FN_KEEP its columns are packed on the way, for the tiles below; with FN_ASK the
 * columns beside them, which the next tile reads, are asked for.
 * Whether and how many are constants once inlined. */
FN_INLINE void F(fn_tile)(
    const int rows, const int vectors, const int partial, const int how, int part,
    ptrdiff_t K, const T *a, ptrdiff_t a_row, ptrdiff_t a_k, const T *b, ptrdiff_t b_k,
    T *c, ptrdiff_t c_row, const T *bias, int add, T *packed)
{
    V sum[FN_TALLEST][2];
    const int keep = how == FN_KEEP;
    FN_UNROLL for (int i = 0; i < rows; i++)
        FN_UNROLL for (int j = 0; j < vectors; j++)
            sum[i][j] = F(FN_SPLAT)((T)0);

    for (ptrdiff_t k = 0; k < K; k++) {
        V columns[2];
        FN_UNROLL for (int j = 0; j < vectors; j++) {
            columns[j] = ((FN_PARTIAL_IS_FAST || keep) && partial && j == vectors - 1)
                ? F(fn_load_part)(b + j * L, part) : F(fn_load)(b + j * L);
            if (keep) {
                F(fn_store)(packed + j * L, columns[j]);
                FN_PREFETCH(b + FN_AHEAD * b_k + j * L);
            }
            if (how == FN_ASK) /* for its end: where a vector lies on two lines, the first is here */
                FN_PREFETCH(b + (vectors + j + 1) * L - 1);
        }
        FN_UNROLL for (int i = 0; i < rows; i++) {
            const V x = F(FN_SPLAT)(a[i * a_row]);
            FN_UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = F(fn_fma)(x, columns[j], sum[i][j]);
        }
        a += a_k;
        b += b_k;
        if (keep)
            packed += 2 * L;
    }

    FN_UNROLL for (int j = 0; j < vectors; j++) {
        const int tail = partial && j == vectors - 1;
        const V shift = !bias ? F(FN_SPLAT)((T)0)
            : tail ? F(fn_load_part)(bias + j * L, part) : F(fn_load)(bias + j * L);
        FN_UNROLL for (int i = 0; i < rows; i++) {
            T *place = c + i * c_row + j * L;
            V value = sum[i][j];
            if (add)
                value = (tail ? F(fn_load_part)(place, part) : F(fn_load)(place)) + value;
            if (bias)
                value = value + shift;
            if (tail)
                F(fn_store_part)(place, value, part);
            else
                F(fn_store)(place, value);
        }
    }
}

/* The tile with `rows` up to FN_TALLEST and `columns` up to 2 L, each known only now.  With
 * `packed`, which takes FN_TILE_ROWS rows, B is packed on the way; with `ask`, what lies to the
 * right of B is asked for. */
static void F(fn_gemm_tile)(
    int rows, int columns, ptrdiff_t K, const T *a, ptrdiff_t a_row, ptrdiff_t a_k,
    const T *b, ptrdiff_t b_k, T *c, ptrdiff_t c_row, const T *bias, int add, T *packed, int ask)
{
    const int two = columns > L, part = columns - two * L;
#define TILE(ROWS, VECTORS, PARTIAL, HOW) \
    F(fn_tile)(ROWS, VECTORS, PARTIAL, HOW, part, K, a, a_row, a_k, b, b_k, c, c_row, bias, add, packed)
#define ANY(ROWS, HOW) \
    if (two && part == L) TILE(ROWS, 2, 0, HOW); \
    else if (two) TILE(ROWS, 2, 1, HOW); \
    else if (part == L) TILE(ROWS, 1, 0, HOW); \
    else TILE(ROWS, 1, 1, HOW);
#define CASE(ROWS) \
    case ROWS: \
        if (ask && two && part == L) TILE(ROWS, 2, 0, FN_ASK); \
        else ANY(ROWS, FN_NOTHING) \
        break;
    if (packed) {
        ANY(FN_TILE_ROWS, FN_KEEP)
        return;
    }
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if FN_TILE_ROWS == 8
        CASE(7) CASE(8)
#endif
#if FN_TALLEST == 10
        CASE(9) CASE(10)
#endif
    }
#undef CASE
#undef ANY
#undef TILE
}

/* A transpose (K, rows) of A as strips of `height` rows, `strip` elements apart, each k by k. */
static void F(fn_interleave)(
    const T *a, ptrdiff_t a_k, ptrdiff_t rows, ptrdiff_t height, ptrdiff_t K, T *packed,
    ptrdiff_t strip)
{
    for (ptrdiff_t k = 0; k < K; k++, a += a_k, packed += height) {
        const T *source = a;
        T *target = packed;
        ptrdiff_t left = rows;
        if (height == FN_TILE_ROWS)
            for (; left >= FN_TILE_ROWS; left -= FN_TILE_ROWS) {
                __builtin_memcpy(target, source, FN_TILE_ROWS * sizeof(T));
                source += FN_TILE_ROWS;
                target += strip;
            }
        for (; left > 0; left -= height) {
            for (ptrdiff_t j = 0; j < (left < height ? left : height); j++)
                target[j] = source[j];
            source += height;
            target += strip;
        }
    }
}

#if FN_VECTOR_BYTES
/* One step of a transpose: vectors s apart swap the halves that lie off the diagonal. */
FN_INLINE void F(fn_swap_halves)(V *square, const int s) {
    FN_UNROLL for (int i = 0; i < L; i++) {
        if (s >= L || (i & s)) continue;
        const V low = square[i], high = square[i + s];
        square[i] = F(fn_swap_low)(low, high, s);
        square[i + s] = F(fn_swap_high)(low, high, s);
    }
}
#endif

/* packed[k][j] = source[j][k] for j < rows and k < columns, in squares of L x L that are
 * transposed in registers. */
static void F(fn_transpose)(
    const T *source, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t columns,
    T *packed, ptrdiff_t packed_row)
{
    ptrdiff_t j = 0;
#if FN_VECTOR_BYTES
    for (; j + L <= rows; j += L) {
        ptrdiff_t k = 0;
        for (; k + L <= columns; k += L) {
            V square[L];
            FN_UNROLL for (int i = 0; i < L; i++)
                square[i] = F(fn_load)(source + (j + i) * row + k);
            F(fn_swap_halves)(square, 1);
            F(fn_swap_halves)(square, 2);
            F(fn_swap_halves)(square, 4);
            F(fn_swap_halves)(square, 8);
            FN_UNROLL for (int i = 0; i < L; i++)
                F(fn_store)(packed + (k + i) * packed_row + j, square[i]);
        }
        for (; k < columns; k++)
            for (int i = 0; i < L; i++)
                packed[k * packed_row + j + i] = source[(j + i) * row + k];
    }
#endif
    for (; j < rows; j++)
        for (ptrdiff_t k = 0; k < columns; k++)
            packed[k * packed_row + j] = source[j * row + k];
}
