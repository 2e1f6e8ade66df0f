# The product of two matrices: how it is divided, and its tiles.
#
# C is cut into tasks of whole tiles; a task walks k in blocks short enough for a strip of A
# to stay in the first cache and a panel of B in the second.  B is read where it lies if its
# columns lie side by side; it is packed if they do not, or if its rows lie so far apart, in
# powers of two, that they would fall on each other in the caches.

cdef extern from "gemm_types.h" nogil:
    const int FN_TILE_ROWS, FN_LANES_32, FN_LANES_64, FN_VECTOR_BYTES, FN_PARTIAL_IS_FAST
    const int FN_DOT_COLUMNS
    enum:
        FN_TILE_SIZE
    void fn_gemm_tile_32(
        int rows, int columns, Py_ssize_t K, const float *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const float *b, Py_ssize_t b_k, float *c, Py_ssize_t c_row, const float *bias, int add,
        float *packed)
    void fn_gemm_tile_64(
        int rows, int columns, Py_ssize_t K, const double *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const double *b, Py_ssize_t b_k, double *c, Py_ssize_t c_row, const double *bias,
        int add, double *packed)
    void fn_narrow_32(
        Py_ssize_t rows, int columns, Py_ssize_t K, const float *a, Py_ssize_t a_row,
        const float *b, Py_ssize_t b_row, float *c, Py_ssize_t c_row, const float *bias, int add)
    void fn_narrow_64(
        Py_ssize_t rows, int columns, Py_ssize_t K, const double *a, Py_ssize_t a_row,
        const double *b, Py_ssize_t b_row, double *c, Py_ssize_t c_row, const double *bias,
        int add)
    void fn_transpose_32(
        const float *source, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns,
        float *packed, Py_ssize_t packed_row)
    void fn_transpose_64(
        const double *source, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t columns,
        double *packed, Py_ssize_t packed_row)

cdef enum:
    K_BLOCK = 2048         # bytes of a row of A: a strip of 8 is half of a first-level cache
    COLUMN_BLOCK = 512     # bytes of a row of B in one task
    ROW_BLOCK = 128        # rows of A in one task, at most
    WORTH_SHARING = 2000000  # multiply-adds: some tens of microseconds on one core
    TASKS_A_THREAD = 4     # so that the last one to end is not waited for long

# C (M, N) = A (M, K) B (K, N) + bias (N,), all reached through strides.
cdef struct Product:
    Py_ssize_t M, N, K
    const void *a
    Py_ssize_t a_row, a_k
    const void *b
    Py_ssize_t b_k, b_column
    void *c
    Py_ssize_t c_row, c_column
    const void *bias
    Py_ssize_t row_block, column_block, tasks


cdef inline bint is_narrow(Product *p, int itemsize) noexcept nogil:
    """Fewer columns than a tile has: some of its lanes would be idle."""
    return p.N <= 16 and p.N < 2 * (FN_LANES_32 if itemsize == 4 else FN_LANES_64)


cdef void transpose(Product *p) noexcept nogil:
    """C.T = B.T A.T, the same product with the same bits."""
    p.M, p.N = p.N, p.M
    p.a, p.b = p.b, p.a
    p.a_row, p.b_column = p.b_column, p.a_row
    p.a_k, p.b_k = p.b_k, p.a_k
    p.c_row, p.c_column = p.c_column, p.c_row


cdef void arrange(Product *p, Call *c) noexcept nogil:
    """Turn a product with few columns over, so that rows of A fill the lanes; divide the work."""
    if is_narrow(p, c.itemsize) and p.M >= 32 and p.K >= 16 and p.bias == NULL:
        transpose(p)
    divide(p, c)


cdef inline Py_ssize_t blocks(Py_ssize_t n, Py_ssize_t block) noexcept nogil:
    return (n + block - 1) // block


cdef inline Py_ssize_t round_up(Py_ssize_t n, Py_ssize_t unit) noexcept nogil:
    return blocks(n, unit) * unit


cdef void divide(Product *p, Call *c) noexcept nogil:
    """Choose the blocks of C that are one task each: large ones, but enough for all threads."""
    cdef Py_ssize_t columns = COLUMN_BLOCK // c.itemsize, wanted = 1, row_blocks
    p.row_block, p.column_block = max(p.M, 1), columns
    if <double> p.M * p.N * max(p.K, 1) < WORTH_SHARING:
        p.tasks = p.M > 0 and p.N > 0
        return
    if c.threads > 1:
        wanted = TASKS_A_THREAD * c.threads
    while p.column_block > columns // 4 and (
        blocks(p.N, p.column_block) * blocks(p.M, 64) < wanted
    ):
        p.column_block //= 2
    row_blocks = max(blocks(wanted, blocks(p.N, p.column_block)), blocks(p.M, ROW_BLOCK))
    p.row_block = max(round_up(blocks(p.M, row_blocks), FN_TILE_ROWS), 4 * FN_TILE_ROWS)
    p.tasks = blocks(p.M, p.row_block) * blocks(p.N, p.column_block)


cdef inline Py_ssize_t k_block(Py_ssize_t K, int itemsize) noexcept nogil:
    """K in equal parts of at most K_BLOCK."""
    return max(blocks(K, max(blocks(K * itemsize, K_BLOCK), 1)), 1)


cdef Py_ssize_t packing_bytes(Product *p, int itemsize) noexcept nogil:
    """Room for one block of B, its columns rounded up to whole panels."""
    return k_block(p.K, itemsize) * round_up(COLUMN_BLOCK, 2 * FN_VECTOR_BYTES)


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
    if p.b_k * itemsize % 1024 == 0 and p.K >= 64 and rows >= 2 * FN_TILE_ROWS:
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


cdef void multiply(Product *p, Py_ssize_t task, floating *scratch) noexcept nogil:
    """One task: a block of rows and columns of C."""
    cdef Py_ssize_t row_blocks = blocks(p.M, p.row_block)
    cdef Py_ssize_t i0 = task % row_blocks * p.row_block
    cdef Py_ssize_t i1 = min(i0 + p.row_block, p.M)
    cdef Py_ssize_t widest = COLUMN_BLOCK // <Py_ssize_t> sizeof(floating)
    # A product that is not divided has one task, of any number of column blocks.
    cdef Py_ssize_t j0 = task // row_blocks * p.column_block
    cdef Py_ssize_t end = p.N if p.tasks == 1 else min(j0 + p.column_block, p.N)
    cdef Py_ssize_t k0, depth, block = k_block(p.K, sizeof(floating))
    while j0 < end:
        k0 = 0
        while k0 == 0 or k0 < p.K:
            depth = min(block, p.K - k0)
            multiply_block(p, i0, i1, j0, min(j0 + widest, end), k0, depth, scratch)
            k0 += max(depth, 1)
        j0 += widest


cdef void multiply_block(
    Product *p, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1,
    Py_ssize_t k0, Py_ssize_t depth, floating *scratch
) noexcept nogil:
    """Add to rows i0:i1 and columns j0:j1 of C what A's columns k0.. and B's rows k0.. give."""
    cdef int width = 2 * (FN_LANES_32 if floating is float else FN_LANES_64)
    # Strips of equal height: 5 and 5 rows keep more sums going than 8 and 2.
    cdef int rows = <int> blocks(i1 - i0, blocks(i1 - i0, FN_TILE_ROWS))
    cdef Py_ssize_t strip, panel, i, j, b_k
    cdef const floating *a
    cdef const floating *b
    cdef const floating *bias = NULL
    cdef floating *c
    cdef floating *kept
    cdef floating tile[FN_TILE_SIZE]
    cdef int m, n
    cdef Packing how = packing(p, i1 - i0, j1 - j0, sizeof(floating))
    if how == PACKED:
        pack(p, k0, depth, j0, j1 - j0, scratch)
    if p.bias != NULL and k0 + depth == p.K:
        bias = <const floating *> p.bias + j0
    for strip in range(blocks(i1 - i0, rows)):
        i = i0 + strip * rows
        m = <int> min(<Py_ssize_t> rows, i1 - i)
        a = <const floating *> p.a + i * p.a_row + k0 * p.a_k
        for panel in range(blocks(j1 - j0, width)):
            j = panel * width
            n = <int> min(<Py_ssize_t> width, j1 - j0 - j)
            c = <floating *> p.c + i * p.c_row + (j0 + j) * p.c_column
            kept = NULL
            if how == IN_PLACE:
                b, b_k = <const floating *> p.b + k0 * p.b_k + j0 + j, p.b_k
            elif how == KEPT and strip == 0:
                b, b_k = <const floating *> p.b + k0 * p.b_k + j0 + j, p.b_k
                kept = scratch + j * depth
            else:
                b, b_k = scratch + j * depth, width
            if p.c_column == 1:
                gemm_tile(
                    m, n, depth, a, p.a_row, p.a_k, b, b_k, c, p.c_row,
                    bias + j if bias != NULL else NULL, k0 > 0, kept)
            else:
                gemm_tile(
                    m, n, depth, a, p.a_row, p.a_k, b, b_k, tile, width, <floating *> NULL,
                    False, kept)
                spread(tile, width, m, n, c, p.c_row, p.c_column, k0 > 0)


cdef inline void gemm_tile(
    int rows, int columns, Py_ssize_t K, const floating *a, Py_ssize_t a_row, Py_ssize_t a_k,
    const floating *b, Py_ssize_t b_k, floating *c, Py_ssize_t c_row, const floating *bias,
    bint add, floating *kept
) noexcept nogil:
    if floating is float:
        fn_gemm_tile_32(
            rows, columns, K, a, a_row, a_k, b, b_k, c, c_row, bias, add, kept)
    else:
        fn_gemm_tile_64(
            rows, columns, K, a, a_row, a_k, b, b_k, c, c_row, bias, add, kept)


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
