# The linear layer's backward at few rows: a large W passes through the cache once.
#
# A task owns some rows of W.  It makes their columns of dx = dout W.T, as dot products along the
# rows as they lie, and their rows of dW = x.T dout; the update that a program has follow reads and
# writes them while they are in the second cache.  No task reads rows of another one, so the update
# need not wait until dx is whole.

cdef enum:
    OWNED_BYTES = 1 << 19  # of W's rows in one task: what of a second cache an update leaves them
    OWNED_ROWS = 128       # at most
    OWNED_COLUMNS = 2048   # bytes of each row of dout at a time: they stay in the first cache


cdef inline bint owns_rows(Call *c) noexcept nogil:
    """By sizes alone: dot products add in another order, and a layout must not change bits."""
    cdef Py_ssize_t N = c.size[0], C = c.size[1], D = c.size[2]
    return (
        0 < N <= SKINNY_ROWS and C >= SKINNY_WIDTH // c.itemsize and D >= 64
        and C * D >= SKINNY_BYTES // c.itemsize
    )


cdef inline Py_ssize_t owned_rows(Call *c) noexcept nogil:
    cdef Py_ssize_t rows = OWNED_BYTES // (c.size[1] * c.itemsize)
    return round_up(min(max(rows, 16), OWNED_ROWS), FN_TILE_ROWS)


cdef inline Py_ssize_t dout_row(Call *c) noexcept nogil:
    """Elements from one packed row of dout to the next: whole vectors and one more, so that rows do
    not fall on each other in the caches."""
    cdef Py_ssize_t lanes = FN_LANES_32 if c.itemsize == 4 else FN_LANES_64
    return round_up(c.size[1], lanes) + lanes


cdef void plan_owned(Call *c) noexcept nogil:
    """dout is packed; then db and the owned rows, in one phase if it may be."""
    cdef Py_ssize_t rows = owned_rows(c), tasks = blocks(c.size[2], rows)
    cdef Py_ssize_t columns = OWNED_COLUMNS // c.itemsize
    c.tasks[0], c.tasks[1], c.tasks[2] = c.size[0], 1 + tasks, 0
    c.phases = 2
    if updates_other(c):
        c.phases, c.tasks[2] = 3, tasks
    c.shared = c.size[0] * dout_row(c) * c.itemsize
    c.scratch = rows * c.size[0] + FN_TILE_ROWS * columns
    if c.stride[5] != 1:
        c.scratch = max(c.scratch, rows * (c.size[0] + columns + A_GAP))
    c.scratch *= c.itemsize


cdef inline bint updates_other(Call *c) noexcept nogil:
    """Whether what follows dW may write to rows of W that another task's dx reads."""
    return (
        c.finish[OF_DW] != NULL and c.array[3] != NULL and not (
            c.finish[OF_DW].array[0] == c.array[2]
            and c.stride[5] == 1 and c.stride[4] == c.size[1])
    )


cdef void run_owned(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t rows = owned_rows(c), d0 = (task - 1 if phase == 1 else task) * rows
    cdef Py_ssize_t d1 = min(d0 + rows, c.size[2])
    if phase == 0:
        pack_dout(c, task, <floating *> c.memory)
    elif phase == 1 and task == 0:
        if c.array[5] != NULL:
            sum_rows(
                <const floating *> c.memory, c.size[0], c.size[1], dout_row(c), 1,
                <floating *> c.array[5])
    else:
        if phase == 1 and c.array[3] != NULL:
            owned_dx(c, d0, d1, scratch)
        if (phase == 2 or c.phases == 2) and c.array[4] != NULL:
            owned_dW(c, d0, d1, scratch)


cdef void pack_dout(Call *c, Py_ssize_t n, floating *packed) noexcept nogil:
    cdef const floating *source = <const floating *> c.array[0] + n * c.stride[0]
    cdef Py_ssize_t j, row = dout_row(c)
    packed += n * row
    for j in range(c.size[1]):
        packed[j] = source[j * c.stride[1]]
    for j in range(c.size[1], row):
        packed[j] = 0


cdef void owned_dx(Call *c, Py_ssize_t d0, Py_ssize_t d1, floating *scratch) noexcept nogil:
    """Columns d0:d1 of dx, and the call that follows them."""
    cdef Py_ssize_t N = c.size[0], C = c.size[1], D = c.size[2], row = dout_row(c)
    cdef Py_ssize_t block = OWNED_COLUMNS // <Py_ssize_t> sizeof(floating), c0 = 0, depth, n, d
    cdef Py_ssize_t group = blocks(N, blocks(N, FN_DOT_COLUMNS)), w_row = c.stride[4]
    cdef const floating *W = <const floating *> c.array[2] + d0 * c.stride[4]
    cdef const floating *w
    cdef const floating *dout = <const floating *> c.memory
    cdef floating *dx = <floating *> c.array[3]
    cdef Product p
    while c0 < C:
        depth = min(block, C - c0)
        w = W + c0 * c.stride[5]
        if c.stride[5] != 1:
            w_row = block + A_GAP
            pack_owned(w, c.stride[4], c.stride[5], d1 - d0, depth, scratch + N * (d1 - d0), w_row)
            w = scratch + N * (d1 - d0)
        for n in range(blocks(N, group)):
            narrow(
                d1 - d0, <int> min(group, N - n * group), depth, w, w_row,
                dout + n * group * row + c0, row, scratch + n * group, N, c0 > 0)
        c0 += depth
    for n in range(N):
        for d in range(d1 - d0):
            dx[n * D + d0 + d] = scratch[d * N + n]
    if c.finish[OF_DX] != NULL:
        p.c_row, p.c_column, p.passes_on = D, 1, False
        p.finish, p.finish_task = c.finish[OF_DX], c.finish_task[OF_DX]
        finish_block(&p, &p, 0, N, d0, d1, scratch)


cdef inline void narrow(
    Py_ssize_t rows, int columns, Py_ssize_t K, const floating *a, Py_ssize_t a_row,
    const floating *b, Py_ssize_t b_row, floating *c, Py_ssize_t c_row, bint add
) noexcept nogil:
    if floating is float:
        fn_narrow_32(rows, columns, K, a, a_row, b, b_row, c, c_row, NULL, add)
    else:
        fn_narrow_64(rows, columns, K, a, a_row, b, b_row, c, c_row, NULL, add)


cdef void pack_owned(
    const floating *w, Py_ssize_t w_row, Py_ssize_t w_column, Py_ssize_t rows, Py_ssize_t columns,
    floating *packed, Py_ssize_t packed_row
) noexcept nogil:
    """Columns of W's rows side by side, where they are not."""
    cdef Py_ssize_t i, j
    if w_row == 1:
        if floating is float:
            fn_transpose_32(w, w_column, columns, rows, packed, packed_row)
        else:
            fn_transpose_64(w, w_column, columns, rows, packed, packed_row)
        return
    for i in range(rows):
        for j in range(columns):
            packed[i * packed_row + j] = w[i * w_row + j * w_column]


cdef void owned_dW(Call *c, Py_ssize_t d0, Py_ssize_t d1, floating *scratch) noexcept nogil:
    """Rows d0:d1 of dW, some rows and columns at a time, each followed by its update."""
    cdef int lanes = FN_LANES_32 if floating is float else FN_LANES_64
    cdef Py_ssize_t N = c.size[0], C = c.size[1], row = dout_row(c), width = 2 * lanes
    cdef Py_ssize_t block = OWNED_COLUMNS // <Py_ssize_t> sizeof(floating), rows = d1 - d0
    cdef Py_ssize_t c0 = 0, end, strip, panel, i, j, n
    cdef int m
    cdef const floating *x = <const floating *> c.array[1] + d0 * c.stride[3]
    cdef const floating *dout = <const floating *> c.memory
    cdef floating *made
    cdef Product p, where
    p.c, p.c_row, p.c_column, p.passes_on = c.array[4], C, 1, c.passes_on
    p.finish, p.finish_task = c.finish[OF_DW], c.finish_task[OF_DW]
    where = p
    # x.T, element by element as a strip needs them.
    for n in range(N):
        for i in range(rows):
            scratch[n * rows + i] = x[n * c.stride[2] + i * c.stride[3]]
    while c0 < C:
        end = min(c0 + block, C)
        for strip in range(blocks(rows, FN_TILE_ROWS)):
            i = strip * FN_TILE_ROWS
            m = <int> min(<Py_ssize_t> FN_TILE_ROWS, rows - i)
            made = <floating *> p.c + (d0 + i) * C + c0
            if p.passes_on:
                made, where.c_row = scratch + N * rows, end - c0
                where.c = made - ((d0 + i) * where.c_row + c0)
            for panel in range(blocks(end - c0, width)):
                j = panel * width
                gemm_tile(
                    m, <int> min(width, end - c0 - j), N, scratch + i, 1, rows, dout + c0 + j, row,
                    made + j, where.c_row, <floating *> NULL, False, <floating *> NULL, False)
            if p.finish != NULL:
                finish_block(&p, &where, d0 + i, d0 + i + m, c0, end, scratch)
        c0 = end
