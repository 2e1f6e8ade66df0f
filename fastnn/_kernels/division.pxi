# The product of two matrices: how it is divided into tasks, blocks of whole tiles of C.

cdef extern from "gemm_types.h" nogil:
    const int FN_TILE_ROWS, FN_LANES_32, FN_LANES_64, FN_VECTOR_BYTES

cdef enum:
    COLUMN_BLOCK = 1024    # bytes of a row of B in one task
    ROW_BLOCK = 144        # rows of A in one task, at most: whole tiles of any height
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
    const void *strips        # A packed, or NULL
    Call *finish              # an elementwise call that follows each block of C, or NULL
    task_t finish_task
    bint passes_on            # a block of C lies in the scratch until the call has read it
    Py_ssize_t row_blocks, column_block, tasks


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


cdef inline Py_ssize_t first_row(Product *p, Py_ssize_t block) noexcept nogil:
    """Where a block of rows begins: each has as many tiles as another, or one more."""
    return min(blocks(p.M, FN_TILE_ROWS) * block // p.row_blocks * FN_TILE_ROWS, p.M)


cdef inline Py_ssize_t most_rows(Product *p) noexcept nogil:
    """Of a block."""
    return min(blocks(blocks(p.M, FN_TILE_ROWS), p.row_blocks) * FN_TILE_ROWS, p.M)


cdef inline Py_ssize_t panel_bytes(int itemsize) noexcept nogil:
    """Of one k of a panel of B, as wide as a tile."""
    return 2 * max(FN_VECTOR_BYTES, itemsize)


cdef void divide(Product *p, Call *c) noexcept nogil:
    """Choose the blocks of C that are one task each: large ones, but enough for all threads.

    Each thread has columns of its own, if there are enough: the next product with the same
    matrix then finds them in the same core's cache.
    """
    cdef Py_ssize_t columns = COLUMN_BLOCK // c.itemsize, wanted = 1
    if is_skinny(p, c.itemsize):
        divide_skinny(p, c)
        return
    if has_strips(p, c.itemsize):
        divide_strips(p, c)
        return
    if p.a_row != 1:
        columns //= 2
    p.row_blocks, p.column_block = 1, columns
    if <double> p.M * p.N * max(p.K, 1) < WORTH_SHARING:
        p.tasks = p.M > 0 and p.N > 0
        return
    if c.threads > 1:
        wanted = TASKS_A_THREAD * c.threads
    while p.column_block > columns // 4 and (
        blocks(p.N, p.column_block) < c.threads
        or blocks(p.N, p.column_block) * blocks(p.M, 64) < wanted
    ):
        p.column_block //= 2
    divide_rows(p, wanted)


cdef inline void divide_rows(Product *p, Py_ssize_t wanted) noexcept nogil:
    """Blocks of a few tiles or more, as many as the tasks wanted need beside those of columns."""
    cdef Py_ssize_t column_blocks = blocks(p.N, p.column_block)
    p.row_blocks = max(blocks(wanted, column_blocks), blocks(p.M, ROW_BLOCK))
    p.row_blocks = min(p.row_blocks, blocks(blocks(p.M, FN_TILE_ROWS), 4))
    p.tasks = p.row_blocks * column_blocks
