# Products of many rows, whose A is packed once, before all tasks.
#
# A task may then be narrow: what it packs is its part of B, which no other task reads.  While one
# panel of B is multiplied its tiles ask for what is read next, each for a little: the next panel
# or, where a weight gradient goes straight into an update, the weights.

cdef extern from "gemm_types.h" nogil:
    const int FN_ASK_STEPS
    void fn_strip_tile_32(
        Py_ssize_t K, const float *a, const float *b, Py_ssize_t b_k, float *c, Py_ssize_t c_row,
        const float *bias, int add, float *packed, const char *ask, Py_ssize_t pair,
        Py_ssize_t step)
    void fn_strip_tile_64(
        Py_ssize_t K, const double *a, const double *b, Py_ssize_t b_k, double *c,
        Py_ssize_t c_row, const double *bias, int add, double *packed, const char *ask,
        Py_ssize_t pair, Py_ssize_t step)
    void fn_pack_panel_32(const float *b, Py_ssize_t b_k, Py_ssize_t K, float *packed)
    void fn_pack_panel_64(const double *b, Py_ssize_t b_k, Py_ssize_t K, double *packed)
    void fn_pack_strips_32(
        const float *a, Py_ssize_t a_row, Py_ssize_t rows, Py_ssize_t K, float *packed,
        Py_ssize_t strip)
    void fn_pack_strips_64(
        const double *a, Py_ssize_t a_row, Py_ssize_t rows, Py_ssize_t K, double *packed,
        Py_ssize_t strip)

cdef enum:
    STRIPS_BYTES = 4 << 20  # of A, at most
    LARGE_BYTES = 2 << 20   # of B or C, at least: what does not stay in a second cache
    PANEL_BYTES = 16384     # of a panel of B, at most: it fills half a first cache
    STRIPS_ROWS = 48        # packed by one task: whole strips, of any height


cdef inline bint has_strips(Product *p, int itemsize) noexcept nogil:
    """Packing A pays where some panels of a large B pass by it, or a large C is updated."""
    return (
        p.c_column == 1 and p.M >= 4 * FN_TILE_ROWS and p.K >= 64
        and p.N * itemsize >= 8 * FN_VECTOR_BYTES and p.M * p.K * itemsize <= STRIPS_BYTES
        and max(p.M, p.K) * p.N * itemsize >= LARGE_BYTES and not is_skinny(p, itemsize)
    )


cdef inline Py_ssize_t strip_depth(Py_ssize_t K, int itemsize) noexcept nogil:
    """K in equal parts of at most K_BLOCK and PANEL_BYTES."""
    cdef Py_ssize_t most = min(K_BLOCK // itemsize, PANEL_BYTES // panel_bytes(itemsize))
    return max(blocks(K, max(blocks(K, most), 1)), 1)


cdef inline Py_ssize_t strip_tasks(Product *p, int itemsize) noexcept nogil:
    """Tasks that pack A."""
    return blocks(p.M, STRIPS_ROWS) if p.tasks > 0 and has_strips(p, itemsize) else 0


cdef inline Py_ssize_t strip_bytes(Product *p, int itemsize) noexcept nogil:
    """Room for all of A."""
    if strip_tasks(p, itemsize) == 0:
        return 0
    return round_up(round_up(p.M, FN_TILE_ROWS) * p.K * itemsize, LINE)


cdef void divide_strips(Product *p, Call *c) noexcept nogil:
    """Blocks of columns, narrow before they are low: a row block less reads B once less."""
    cdef Py_ssize_t wanted = TASKS_A_THREAD * c.threads if c.threads > 1 else 1
    cdef Py_ssize_t width = panel_bytes(c.itemsize) // c.itemsize
    p.column_block = COLUMN_BLOCK // c.itemsize
    while p.column_block > width and (
        blocks(p.N, p.column_block) * blocks(p.M, ROW_BLOCK) < wanted
    ):
        p.column_block //= 2
    divide_rows(p, wanted)


cdef void pack_strips(Product *p, Py_ssize_t task, floating *strips) noexcept nogil:
    """Some rows of A: for each block of k the strips of all rows, each k by k."""
    cdef Py_ssize_t i0 = task * STRIPS_ROWS, rows = min(<Py_ssize_t> STRIPS_ROWS, p.M - i0)
    cdef Py_ssize_t all_rows = round_up(p.M, FN_TILE_ROWS)
    cdef Py_ssize_t block = strip_depth(p.K, sizeof(floating)), k0 = 0, depth, i, k
    cdef const floating *a
    cdef floating *packed
    while k0 < p.K:
        depth = min(block, p.K - k0)
        a = <const floating *> p.a + i0 * p.a_row + k0 * p.a_k
        packed = strips + k0 * all_rows + i0 * depth
        if p.a_k == 1:
            if floating is float:
                fn_pack_strips_32(a, p.a_row, rows, depth, packed, FN_TILE_ROWS * depth)
            else:
                fn_pack_strips_64(a, p.a_row, rows, depth, packed, FN_TILE_ROWS * depth)
        elif p.a_row == 1:
            if floating is float:
                fn_interleave_32(
                    a, p.a_k, rows, FN_TILE_ROWS, depth, packed, FN_TILE_ROWS * depth)
            else:
                fn_interleave_64(
                    a, p.a_k, rows, FN_TILE_ROWS, depth, packed, FN_TILE_ROWS * depth)
        else:
            for i in range(rows):
                for k in range(depth):
                    packed[
                        i // FN_TILE_ROWS * FN_TILE_ROWS * depth + k * FN_TILE_ROWS
                        + i % FN_TILE_ROWS
                    ] = a[i * p.a_row + k * p.a_k]
        k0 += depth


# What the tiles of a panel ask for: pairs of lines, strip s those from `first` + s `strip` on.
cdef struct Ask:
    const char *first
    Py_ssize_t pair, step, strip
    Py_ssize_t strips  # that have something to ask for


cdef void ask_for_panel(
    Product *p, Py_ssize_t k0, Py_ssize_t j, Py_ssize_t depth, int itemsize, Ask *ask
) noexcept nogil:
    """B's next panel: its rows, as many for each strip as a tile asks for; of a transpose two
    rows, which are the panel's columns."""
    ask.first = <const char *> p.b + (k0 * p.b_k + j * p.b_column) * itemsize
    if p.b_k == 1:
        ask.pair, ask.step, ask.strip = p.b_column * itemsize, LINE, 2 * p.b_column * itemsize
        ask.strips = panel_bytes(itemsize) // (2 * itemsize)
    else:
        ask.pair, ask.step = LINE, p.b_k * itemsize
        ask.strip = depth // FN_ASK_STEPS * ask.step
        ask.strips = FN_ASK_STEPS


cdef void ask_for_updated(
    Product *p, Py_ssize_t i, Py_ssize_t j, int itemsize, Ask *ask
) noexcept nogil:
    """Those that the tiles of a panel are to update."""
    ask.first = <const char *> p.finish.array[0] + (i * p.c_row + j) * itemsize
    ask.pair, ask.step = LINE, p.c_row * itemsize
    ask.strip, ask.strips = FN_TILE_ROWS * ask.step, p.M


cdef void multiply_strips(
    Product *p, Product *where, Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t j0, Py_ssize_t j1,
    Py_ssize_t k0, Py_ssize_t depth, floating *scratch
) noexcept nogil:
    """As multiply_block, for an A that is packed; C lies as ``where`` says."""
    cdef int width = 2 * (FN_LANES_32 if floating is float else FN_LANES_64), m, n
    cdef const floating *strips = <const floating *> p.strips + (
        k0 * round_up(p.M, FN_TILE_ROWS) + i0 * depth)
    cdef const floating *a
    cdef const floating *b
    cdef const floating *bias
    cdef const char *asked
    cdef floating *c
    cdef floating *kept
    cdef Py_ssize_t i, j = j0, b_k, strip
    cdef Packing how = packing(p, i1 - i0, j1 - j0, sizeof(floating))
    cdef Ask ask
    while j < j1:
        n = <int> min(<Py_ssize_t> width, j1 - j)
        bias = NULL
        if p.bias != NULL and k0 + depth == p.K:
            bias = <const floating *> p.bias + j
        ask.strips = 0
        if p.passes_on and k0 + depth == p.K:
            ask_for_updated(p, i0, j, sizeof(floating), &ask)
        elif j + width < j1:
            ask_for_panel(p, k0, j + width, depth, sizeof(floating), &ask)
        elif k0 + depth < p.K:
            ask_for_panel(p, k0 + depth, j0, depth, sizeof(floating), &ask)
        elif j1 < p.N:  # of the next task, which the same thread is likely to have
            ask_for_panel(p, 0, j1, depth, sizeof(floating), &ask)
        b, b_k, kept = <const floating *> p.b + k0 * p.b_k + j, p.b_k, NULL
        if how == PACKED:
            pack(p, k0, depth, j, n, scratch)
            b, b_k = scratch, width
        elif how == KEPT and n == width and depth < p.K:
            # It was asked for: a loop that does nothing else has more of it under way.
            pack_panel(b, b_k, depth, scratch)
            b, b_k = scratch, width
        elif how == KEPT:
            kept = scratch
        for strip in range(blocks(i1 - i0, FN_TILE_ROWS)):
            i = i0 + strip * FN_TILE_ROWS
            m = <int> min(<Py_ssize_t> FN_TILE_ROWS, i1 - i)
            a = strips + strip * FN_TILE_ROWS * depth
            c = <floating *> where.c + i * where.c_row + j
            if m == FN_TILE_ROWS and n == width and (kept != NULL or b_k == width):
                asked = <const char *> a if strip >= ask.strips else ask.first + strip * ask.strip
                strip_tile(
                    depth, a, b, b_k, c, where.c_row, bias, k0 > 0, kept, asked,
                    ask.pair if strip < ask.strips else 0, ask.step if strip < ask.strips else 0)
            else:
                gemm_tile(
                    m, n, depth, a, 1, FN_TILE_ROWS, b, b_k, c, where.c_row, bias, k0 > 0, kept,
                    False)
            if kept != NULL:  # the first strip packed the panel for the others
                b, b_k, kept = scratch, width, NULL
        j += width


cdef inline void pack_panel(
    const floating *b, Py_ssize_t b_k, Py_ssize_t K, floating *packed
) noexcept nogil:
    if floating is float:
        fn_pack_panel_32(b, b_k, K, packed)
    else:
        fn_pack_panel_64(b, b_k, K, packed)


cdef inline void strip_tile(
    Py_ssize_t K, const floating *a, const floating *b, Py_ssize_t b_k, floating *c,
    Py_ssize_t c_row, const floating *bias, bint add, floating *kept, const char *ask,
    Py_ssize_t pair, Py_ssize_t step
) noexcept nogil:
    if floating is float:
        fn_strip_tile_32(K, a, b, b_k, c, c_row, bias, add, kept, ask, pair, step)
    else:
        fn_strip_tile_64(K, a, b, b_k, c, c_row, bias, add, kept, ask, pair, step)
