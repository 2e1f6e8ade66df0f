# The tiles of a product of two matrices.
#
# A task of division.pxi walks k in blocks short enough for a strip of A to stay in the first cache
# and a panel of B in the second.  B is read where it lies if its columns lie side by side; it is
# packed if they do not, or if its rows lie so far apart, in powers of two, that they would fall on
# each other in the caches.

cdef extern from "simd.h" nogil:
    void FN_PREFETCH_TO_WRITE(const void *address)

cdef extern from "gemm_types.h" nogil:
    const int FN_TALLEST, FN_PARTIAL_IS_FAST, FN_DOT_COLUMNS, FN_AHEAD
    enum:
        FN_TILE_SIZE
    void fn_gemm_tile_32(
        int rows, int columns, Py_ssize_t K, const float *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const float *b, Py_ssize_t b_k, float *c, Py_ssize_t c_row, const float *bias, int add,
        float *packed, int ask)
    void fn_gemm_tile_64(
        int rows, int columns, Py_ssize_t K, const double *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const double *b, Py_ssize_t b_k, double *c, Py_ssize_t c_row, const double *bias,
        int add, double *packed, int ask)
    void fn_narrow_32(
        Py_ssize_t rows, int columns, Py_ssize_t K, const float *a, Py_ssize_t a_row,
        const float *b, Py_ssize_t b_row, float *c, Py_ssize_t c_row, const float *bias, int add)
    void fn_narrow_64(
        Py_ssize_t rows, int columns, Py_ssize_t K, const double *a, Py_ssize_t a_row,
        const double *b, Py_ssize_t b_row, double *c, Py_ssize_t c_row, const double *bias,
        int add)
    void fn_interleave_32(
        const float *a, Py_ssize_t a_k, Py_ssize_t rows, Py_ssize_t height, Py_ssize_t K,
        float *packed, Py_ssize_t strip)
    void fn_interleave_64(
        const double *a, Py_ssize_t a_k, Py_ssize_t rows, Py_ssize_t height, Py_ssize_t K,
        double *packed, Py_ssize_t strip)
    void fn_transpose_32(
        const float *source, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns,
        float *packed, Py_ssize_t packed_row)
    void fn_transpose_64(
        const double *source, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns,
        double *packed, Py_ssize_t packed_row)

cdef enum:
    K_BLOCK = 1024         # bytes of a row of A: as many rows of a panel of B fill a first cache
    A_GAP = 16             # elements between rows of A that are moved apart
    LINE = 64              # bytes that memory gives at once


cdef inline Py_ssize_t k_block(Py_ssize_t K, int itemsize) noexcept nogil:
    """K in equal parts of at most K_BLOCK."""
    return max(blocks(K, max(blocks(K * itemsize, K_BLOCK), 1)), 1)


cdef enum StripPacking:
    AS_IT_IS
    INTERLEAVED  # A is a transpose: the rows of a strip, element by element
    APART        # A's rows lie so that they would push each other, and B, out of the first cache


cdef inline StripPacking strip_packing(
    Product *p, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t depth, int itemsize
) noexcept nogil:
    """Packing pays where a strip is used for some panels of B."""
    if rows > ROW_BLOCK or rows < FN_TILE_ROWS or depth < 16:
        return AS_IT_IS
    if columns * itemsize < 4 * FN_VECTOR_BYTES:
        return AS_IT_IS
    if p.a_row == 1 and p.a_k != 1:
        return INTERLEAVED
    if p.a_k == 1 and p.a_row * itemsize % 4096 == 0:
        return APART
    return AS_IT_IS


cdef Py_ssize_t packing_bytes(Product *p, int itemsize) noexcept nogil:
    """Room for one block of B, its columns rounded up to whole panels, and one of A's strips."""
    cdef Py_ssize_t depth = k_block(p.K, itemsize), rows = min(p.M, <Py_ssize_t> ROW_BLOCK)
    if is_skinny(p, itemsize):
        return skinny_bytes(p, itemsize)
    if has_strips(p, itemsize):
        return strip_depth(p.K, itemsize) * panel_bytes(itemsize)
    cdef Py_ssize_t b = depth * round_up(COLUMN_BLOCK, panel_bytes(itemsize))
    if strip_packing(p, rows, p.N, depth, itemsize) == AS_IT_IS:
        return b
    return round_up(b + round_up(rows, FN_TILE_ROWS) * (depth + A_GAP) * itemsize, LINE)


cdef enum Packing:
    IN_PLACE  # B is read where it lies
    PACKED    # B is packed before the first tile
    KEPT      # the first strip of tiles packs B on its way


cdef inline Packing packing(
    Product *p, Py_ssize_t rows, Py_ssize_t columns, int itemsize
) noexcept nogil:
    cdef int lanes = FN_LANES_32 if itemsize == 4 else FN_LANES_64
    if p.b_column != 1 and p.N > 1:
        return PACKED
    if not FN_PARTIAL_IS_FAST and columns % lanes != 0:
        return PACKED
    # Rows a power of two apart, which push each other out, sooner.
    if p.K >= 64 and p.b_k * itemsize > 2 * FN_VECTOR_BYTES and (
        rows >= (2 if p.b_k * itemsize % 1024 == 0 else 4) * FN_TILE_ROWS
    ):
        return KEPT
    return IN_PLACE


cdef void pack(
    Product *p, Py_ssize_t k0, Py_ssize_t depth, Py_ssize_t j0, Py_ssize_t columns,
    floating *packed
) noexcept nogil:
    """Rows k0.. of B's columns j0.. as panels of one tile's width, padded with zeros."""
    cdef int lanes = FN_LANES_32 if floating is float else FN_LANES_64
    cdef Py_ssize_t width = 2 * lanes
    cdef Py_ssize_t k, j, panel, n
    cdef const floating *source
    cdef floating *target
    for panel in range(blocks(columns, width)):
        n = min(width, columns - panel * width)
        source = <const floating *> p.b + k0 * p.b_k + (j0 + panel * width) * p.b_column
        target = packed + panel * width * depth
        if p.b_k == 1:
            if floating is float:
                fn_transpose_32(source, p.b_column, n, depth, target, width)
            else:
                fn_transpose_64(source, p.b_column, n, depth, target, width)
        else:
            for k in range(depth):
                for j in range(n):
                    target[k * width + j] = source[k * p.b_k + j * p.b_column]
        for k in range(depth):
            for j in range(n, width):
                target[k * width + j] = 0


cdef inline Py_ssize_t block_bytes(Product *p, int itemsize) noexcept nogil:
    """Room for the block of C that a task makes, if it is not kept."""
    if not p.passes_on or p.tasks == 0:
        return 0
    return most_rows(p) * (p.N if p.tasks == 1 else p.column_block) * itemsize


cdef void multiply(Product *p, Py_ssize_t task, floating *scratch) noexcept nogil:
    """One task: a block of rows and columns of C."""
    cdef Py_ssize_t i0 = first_row(p, task % p.row_blocks)
    cdef Py_ssize_t i1 = first_row(p, task % p.row_blocks + 1)
    cdef Py_ssize_t widest = COLUMN_BLOCK // <Py_ssize_t> sizeof(floating)
    # A product that is not divided has one task, of any number of column blocks.
    cdef Py_ssize_t j0 = task // p.row_blocks * p.column_block
    cdef Py_ssize_t end = p.N if p.tasks == 1 else min(j0 + p.column_block, p.N)
    cdef Py_ssize_t k0, depth, block = k_block(p.K, sizeof(floating)), first = j0
    cdef Product where = p[0]
    if p.strips != NULL:
        block = strip_depth(p.K, sizeof(floating))
    if p.passes_on:
        if p.c_column == 1:
            where.c_row = end - j0
        where.c = scratch + packing_bytes(p, sizeof(floating)) // <Py_ssize_t> sizeof(floating) - (
            i0 * where.c_row + j0 * where.c_column)
    if is_skinny(p, sizeof(floating)):
        multiply_skinny(&where, j0, end, scratch)
        j0 = end
    while j0 < end:
        k0 = 0
        while k0 == 0 or k0 < p.K:
            depth = min(block, p.K - k0)
            if p.strips != NULL:
                multiply_strips(
                    p, &where, i0, i1, j0, min(j0 + widest, end), k0, depth, scratch)
            else:
                multiply_block(
                    p, &where, i0, i1, j0, min(j0 + widest, end), k0, depth, scratch)
            k0 += max(depth, 1)
        j0 += widest
    if p.finish != NULL:
        finish_block(p, &where, i0, i1, first, end, scratch)


cdef void finish_block(
    Product *p, Product *where, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1,
    floating *scratch
) noexcept nogil:
    """Make the elementwise call on rows i0:i1 and columns j0:j1 of C, still in the cache.

    Its other arrays lie as p says, C, if it is not kept, as ``where`` says.
    """
    cdef Py_ssize_t start = i0 * p.c_row + j0 * p.c_column
    cdef Py_ssize_t n = i1 - i0, runs = j1 - j0, step = p.c_column, passed_step = where.c_column
    cdef floating *passed_on = NULL
    if p.passes_on:
        passed_on = <floating *> where.c + i0 * where.c_row + j0 * where.c_column
    if p.c_column == 1:  # or the product is turned over: its columns are rows in memory
        n, runs, step, passed_step = runs, n, p.c_row, where.c_row
    finish_runs(
        p.finish, p.finish_task, start, n, runs, step, passed_on, passed_step, scratch)


cdef void multiply_block(
    Product *p, Product *where, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1,
    Py_ssize_t k0, Py_ssize_t depth, floating *scratch
) noexcept nogil:
    """Add to rows i0:i1 and columns j0:j1 of C what A's columns k0.. and B's rows k0.. give.

    C lies as ``where`` says.
    """
    cdef int width = 2 * (FN_LANES_32 if floating is float else FN_LANES_64)
    # Strips of equal height: 6 and 6 rows keep more sums going than 8 and 4.
    cdef int rows = <int> (i1 - i0) if i1 - i0 <= FN_TALLEST else (
        <int> blocks(i1 - i0, blocks(i1 - i0, FN_TILE_ROWS)))
    cdef bint ask, asks_for_weights = p.passes_on and p.c_column == 1 and p.tasks > 1
    cdef Py_ssize_t strip, panel, i, j, b_k
    cdef const floating *a
    cdef const floating *first_a = <const floating *> p.a + i0 * p.a_row + k0 * p.a_k
    cdef Py_ssize_t a_strip, a_row = p.a_row, a_k = p.a_k
    cdef const floating *b
    cdef const floating *bias = NULL
    cdef floating *c
    cdef floating *kept
    cdef floating *strips = scratch + k_block(p.K, sizeof(floating)) * round_up(
        COLUMN_BLOCK, panel_bytes(sizeof(floating))) // <Py_ssize_t> sizeof(floating)
    cdef floating tile[FN_TILE_SIZE]
    cdef int m, n
    cdef Packing how = packing(p, i1 - i0, j1 - j0, sizeof(floating))
    if how == KEPT:
        rows = FN_TILE_ROWS  # the strip that packs takes all the rows of a tile
    cdef StripPacking how_a = strip_packing(p, i1 - i0, j1 - j0, depth, sizeof(floating))
    a_strip = rows * p.a_row
    if how == PACKED:
        pack(p, k0, depth, j0, j1 - j0, scratch)
    if how_a == INTERLEAVED:
        a_strip = rows * depth + A_GAP
        if floating is float:
            fn_interleave_32(first_a, p.a_k, i1 - i0, rows, depth, strips, a_strip)
        else:
            fn_interleave_64(first_a, p.a_k, i1 - i0, rows, depth, strips, a_strip)
        first_a, a_row, a_k = strips, 1, rows
    elif how_a == APART:
        for i in range(i1 - i0):
            memcpy(strips + i * (depth + A_GAP), first_a + i * p.a_row, depth * sizeof(floating))
        first_a, a_strip, a_row = strips, rows * (depth + A_GAP), depth + A_GAP
    if p.bias != NULL and k0 + depth == p.K:
        bias = <const floating *> p.bias + j0
    # A panel of B stays in the first cache while the strips of A pass by it.
    for panel in range(blocks(j1 - j0, width)):
        j = panel * width
        n = <int> min(<Py_ssize_t> width, j1 - j0 - j)
        for strip in range(blocks(i1 - i0, rows)):
            i = i0 + strip * rows
            m = <int> min(<Py_ssize_t> rows, i1 - i)
            a = first_a + strip * a_strip
            c = <floating *> where.c + i * where.c_row + (j0 + j) * where.c_column
            kept = NULL
            if asks_for_weights and k0 + depth == p.K:
                ask_for_weights(p, i, j0 + j, m, n, sizeof(floating))
            # Of a panel that few strips use, the first brings in the next one.
            ask = how == IN_PLACE and strip == 0 and j0 + j + 2 * width <= p.N and (
                i1 - i0 <= 4 * FN_TILE_ROWS and p.b_k * <Py_ssize_t> sizeof(floating) >= 1024)
            if how == IN_PLACE:
                b, b_k = <const floating *> p.b + k0 * p.b_k + j0 + j, p.b_k
            elif how == KEPT and strip == 0:
                b, b_k = <const floating *> p.b + k0 * p.b_k + j0 + j, p.b_k
                kept = scratch
            else:
                b, b_k = scratch + (0 if how == KEPT else j * depth), width
            if where.c_column == 1:
                gemm_tile(
                    m, n, depth, a, a_row, a_k, b, b_k, c, where.c_row,
                    bias + j if bias != NULL else NULL, k0 > 0, kept, ask)
            else:
                gemm_tile(
                    m, n, depth, a, a_row, a_k, b, b_k, tile, width, <floating *> NULL,
                    False, kept, ask)
                spread(tile, width, m, n, c, where.c_row, where.c_column, k0 > 0)


cdef inline void ask_for_weights(
    Product *p, Py_ssize_t i0, Py_ssize_t j0, int rows, int columns, int itemsize
) noexcept nogil:
    """Bring in what the tile's gradients are to update, while they are computed: where tasks
    share it, some of it is in another core's cache."""
    cdef const char *row
    cdef Py_ssize_t i, line
    for i in range(i0, i0 + rows):
        row = <const char *> p.finish.array[0] + (i * p.c_row + j0) * itemsize
        for line in range(blocks(columns * itemsize, LINE)):
            FN_PREFETCH_TO_WRITE(row + line * LINE)


cdef inline void gemm_tile(
    int rows, int columns, Py_ssize_t K, const floating *a, Py_ssize_t a_row, Py_ssize_t a_k,
    const floating *b, Py_ssize_t b_k, floating *c, Py_ssize_t c_row, const floating *bias,
    bint add, floating *kept, bint ask
) noexcept nogil:
    if floating is float:
        fn_gemm_tile_32(
            rows, columns, K, a, a_row, a_k, b, b_k, c, c_row, bias, add, kept, ask)
    else:
        fn_gemm_tile_64(
            rows, columns, K, a, a_row, a_k, b, b_k, c, c_row, bias, add, kept, ask)


cdef inline void spread(
    const floating *tile, Py_ssize_t width, int rows, int columns, floating *c,
    Py_ssize_t c_row, Py_ssize_t c_column, bint add
) noexcept nogil:
    """Bring a tile to where C's elements lie."""
    cdef int i, j
    for j in range(columns):
        for i in range(rows):
            if add:
                c[i * c_row + j * c_column] += tile[i * width + j]
            else:
                c[i * c_row + j * c_column] = tile[i * width + j]
