# Products of few rows with a large matrix, as of a layer at a small batch: done when B is read.
#
# A tile as elsewhere walks down hundreds of B's rows, which lie pages apart: no prefetcher of the
# processor follows it, and the product runs at a third of the memory's speed.  Here a block of B is
# a few rows and many columns.  Its tiles read as many streams from left to right, and the first
# strip asks for the rows below.  C's tiles come and go more often; they are small.

cdef enum:
    SKINNY_ROWS = 32        # of A, at most: with more, B is used often enough
    SKINNY_BYTES = 2 << 20  # of B, at least: a smaller one stays in the second cache
    SKINNY_WIDTH = 2048     # bytes of a row of B, at least: shorter ones are no streams
    SKINNY_COLUMNS = 4096   # bytes of a row of B that a walk over k takes: a page


cdef inline bint is_skinny(Product *p, int itemsize) noexcept nogil:
    """By sizes alone: the blocks of k are others, and a layout must not change bits."""
    return (
        p.M <= SKINNY_ROWS and p.N >= SKINNY_WIDTH // itemsize and p.K >= 64
        and p.c_column == 1 and p.N * p.K >= SKINNY_BYTES // itemsize
    )


cdef inline bint is_packed(Product *p) noexcept nogil:
    return p.b_column != 1


cdef void divide_skinny(Product *p, Call *c) noexcept nogil:
    """Blocks of columns, as wide as the threads allow."""
    cdef Py_ssize_t wanted = 2 * c.threads if c.threads > 1 else 1
    p.row_blocks, p.column_block = 1, SKINNY_COLUMNS // c.itemsize
    while p.column_block > COLUMN_BLOCK // c.itemsize and blocks(p.N, p.column_block) < wanted:
        p.column_block //= 2
    p.tasks = blocks(p.N, p.column_block)


cdef inline Py_ssize_t skinny_bytes(Product *p, int itemsize) noexcept nogil:
    """Room for one panel; where B's columns do not lie side by side, for a block as elsewhere."""
    if is_packed(p):
        return K_BLOCK // itemsize * round_up(COLUMN_BLOCK, panel_bytes(itemsize))
    return FN_AHEAD * panel_bytes(itemsize)


cdef void multiply_skinny(
    Product *p, Py_ssize_t j0, Py_ssize_t j1, floating *scratch
) noexcept nogil:
    """Columns j0:j1 of C, all its rows."""
    cdef Py_ssize_t widest = SKINNY_COLUMNS // <Py_ssize_t> sizeof(floating)
    cdef Py_ssize_t deepest = FN_AHEAD, k0, k, end, depth
    if is_packed(p):
        widest = COLUMN_BLOCK // <Py_ssize_t> sizeof(floating)
        deepest = K_BLOCK // <Py_ssize_t> sizeof(floating)
    while j0 < j1:
        end = min(j0 + widest, j1)
        k0 = 0
        while k0 < p.K:
            depth = min(deepest, p.K - k0)
            if is_packed(p):
                pack(p, k0, depth, j0, end - j0, scratch)
            for k in range(blocks(depth, FN_AHEAD)):
                multiply_rows(p, j0, end, k0 + k * FN_AHEAD, k * FN_AHEAD, depth, scratch)
            k0 += depth
        j0 = end


cdef void multiply_rows(
    Product *p, Py_ssize_t j0, Py_ssize_t j1, Py_ssize_t k0, Py_ssize_t first, Py_ssize_t packed,
    floating *scratch
) noexcept nogil:
    """Add to columns j0:j1 of C what FN_AHEAD rows of B, or those that are left, give.

    If B is packed they are the rows ``first``.. of ``packed`` ones in the scratch.
    """
    cdef int lanes = FN_LANES_32 if floating is float else FN_LANES_64
    cdef Py_ssize_t width = 2 * lanes, depth = min(<Py_ssize_t> FN_AHEAD, p.K - k0)
    cdef int rows = <int> p.M if p.M <= FN_TALLEST else FN_TILE_ROWS
    cdef Py_ssize_t panel, strip, i, j, b_k
    cdef const floating *a = <const floating *> p.a + k0 * p.a_k
    cdef const floating *b
    cdef const floating *bias = NULL
    cdef floating *kept
    cdef int m, n
    for panel in range(blocks(j1 - j0, width)):
        j = j0 + panel * width
        n = <int> min(width, j1 - j)
        kept = NULL
        if is_packed(p):
            b, b_k = scratch + panel * width * packed + first * width, width
        elif not FN_PARTIAL_IS_FAST and n % lanes != 0:
            pack(p, k0, depth, j, n, scratch)
            b, b_k = scratch, width
        else:
            b, b_k = <const floating *> p.b + k0 * p.b_k + j, p.b_k
            if rows == FN_TILE_ROWS:
                kept = scratch
        if p.bias != NULL and k0 + depth == p.K:
            bias = <const floating *> p.bias + j
        for strip in range(blocks(p.M, rows)):
            i = strip * rows
            m = <int> min(<Py_ssize_t> rows, p.M - i)
            gemm_tile(
                m, n, depth, a + i * p.a_row, p.a_row, p.a_k, b, b_k,
                <floating *> p.c + i * p.c_row + j, p.c_row, bias, k0 > 0, kept, False)
            if kept != NULL:  # the first strip packed the panel for the others
                b, b_k, kept = scratch, width, NULL
