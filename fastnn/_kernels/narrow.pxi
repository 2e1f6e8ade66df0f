# Products with few columns, as dot products of rows of A with columns of B.
#
# Both must have k side by side.  The rows of a linear layer's x have; B's columns are packed into
# rows, once for all tasks, unless B is a transpose that has them already.

cdef enum:
    DOT_BLOCK = 4096  # bytes of each row: a dozen of them stay in the first two caches


cdef inline bint takes_dots(Product *p, int itemsize) noexcept nogil:
    """By sizes alone: dot products add in another order, and a layout must not change bits."""
    return (
        is_narrow(p, itemsize) and p.N <= FN_DOT_COLUMNS and p.M >= 8
        and p.K >= 256 // itemsize
    )


cdef inline Py_ssize_t dot_row(Product *p, int itemsize) noexcept nogil:
    """Elements from one packed column to the next: whole vectors and one more, so that columns
    do not fall on each other in the caches."""
    cdef Py_ssize_t lanes = FN_LANES_32 if itemsize == 4 else FN_LANES_64
    return round_up(p.K, lanes) + lanes


cdef void pack_columns(
    Product *p, Py_ssize_t first, Py_ssize_t end, floating *packed
) noexcept nogil:
    cdef Py_ssize_t j, k, row = dot_row(p, sizeof(floating))
    cdef const floating *b = <const floating *> p.b
    for j in range(first, end):
        for k in range(p.K):
            packed[j * row + k] = b[k * p.b_k + j * p.b_column]


cdef void multiply_dots(
    Product *p, Py_ssize_t task, const floating *packed
) noexcept nogil:
    """One task: a block of rows of C, all its columns."""
    cdef Py_ssize_t i0 = first_row(p, task), rows = first_row(p, task + 1) - i0
    cdef Py_ssize_t b_row = dot_row(p, sizeof(floating)) if p.b_k != 1 else p.b_column
    cdef Py_ssize_t k0 = 0, depth, block = DOT_BLOCK // <Py_ssize_t> sizeof(floating)
    cdef const floating *b = packed if p.b_k != 1 else <const floating *> p.b
    cdef const floating *a = <const floating *> p.a + i0 * p.a_row
    cdef const floating *bias = NULL
    cdef floating *c = <floating *> p.c + i0 * p.c_row
    while k0 < p.K:
        depth = min(block, p.K - k0)
        if k0 + depth == p.K:
            bias = <const floating *> p.bias
        if floating is float:
            fn_narrow_32(
                rows, <int> p.N, depth, a + k0, p.a_row, b + k0, b_row, c, p.c_row, bias,
                k0 > 0)
        else:
            fn_narrow_64(
                rows, <int> p.N, depth, a + k0, p.a_row, b + k0, b_row, c, p.c_row, bias,
                k0 > 0)
        k0 += depth
