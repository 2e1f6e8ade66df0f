# Products with a long inner dimension and few results: k is divided, not C.
#
# Each task then has columns of A and rows of B of its own, which the other products of a layer give
# to the same thread, and reads them once.  The parts of k are cut by sizes alone; their sums
# are added in order.

cdef enum:
    DEEPEST = 8           # times as long as C is wide and high, at least
    DEEP_K = 2048         # at least
    DEEP_PART = 512       # of k, at least
    MOST_PARTS = 8
    DEEP_BYTES = 1 << 20  # of C, at most: each part has sums of its own


cdef inline bint is_deep(Product *p, int itemsize) noexcept nogil:
    return (
        p.K >= DEEP_K and p.K >= DEEPEST * max(p.M, p.N) and p.M >= 4 * FN_TILE_ROWS
        and p.M * p.N * itemsize <= DEEP_BYTES
        and p.N * itemsize >= 4 * FN_VECTOR_BYTES and p.c_column == 1
        and <double> p.M * p.N * p.K >= WORTH_SHARING and not is_skinny(p, itemsize)
    )


cdef inline Py_ssize_t deep_part(Product *p) noexcept nogil:
    """Of k, in one part."""
    return blocks(p.K, min(p.K // DEEP_PART, <Py_ssize_t> MOST_PARTS))


cdef inline Py_ssize_t deep_strips(Product *p, int itemsize) noexcept nogil:
    """Elements of a block of A, packed, before which lies a panel of B."""
    return round_up(p.M, FN_TILE_ROWS) * strip_depth(deep_part(p), itemsize)


cdef void plan_deep(Product *p, Call *c) noexcept nogil:
    """A phase that multiplies, and one that adds up."""
    cdef Py_ssize_t parts = blocks(p.K, deep_part(p))
    c.phases = 2
    c.tasks[0], c.tasks[1] = parts, blocks(p.M, FN_TILE_ROWS)
    c.shared = parts * p.M * p.N * c.itemsize
    c.scratch = c.itemsize * deep_strips(p, c.itemsize) + (
        strip_depth(deep_part(p), c.itemsize) * panel_bytes(c.itemsize))


cdef void multiply_part(
    Product *p, Py_ssize_t part, floating *sums, floating *scratch
) noexcept nogil:
    """All of C, summed over one part of k."""
    cdef Py_ssize_t k0 = 0, start = part * deep_part(p), strip
    cdef Py_ssize_t block = strip_depth(deep_part(p), sizeof(floating))
    cdef floating *strips = scratch + block * (
        panel_bytes(sizeof(floating)) // <Py_ssize_t> sizeof(floating))
    cdef Product own = p[0]
    cdef Product packed
    own.K = min(deep_part(p), p.K - start)
    own.a = <const floating *> p.a + start * p.a_k
    own.b = <const floating *> p.b + start * p.b_k
    own.c, own.c_row, own.bias = sums + part * p.M * p.N, p.N, NULL
    while k0 < own.K:
        packed = own
        packed.K = min(block, own.K - k0)
        packed.a = <const floating *> own.a + k0 * p.a_k
        for strip in range(blocks(p.M, STRIPS_ROWS)):
            pack_strips(&packed, strip, strips)
        own.strips = strips - k0 * round_up(p.M, FN_TILE_ROWS)
        multiply_strips(&own, &own, 0, p.M, 0, p.N, k0, packed.K, scratch)
        k0 += packed.K


cdef void add_parts(
    Product *p, Py_ssize_t task, const floating *sums, floating *scratch
) noexcept nogil:
    """Some rows of C."""
    cdef Py_ssize_t i0 = task * FN_TILE_ROWS, i1 = min(i0 + FN_TILE_ROWS, p.M), i, j, part
    cdef const floating *bias = <const floating *> p.bias
    cdef const floating *sum
    cdef floating *c
    for i in range(i0, i1):
        c = <floating *> p.c + i * p.c_row
        memcpy(c, sums + i * p.N, p.N * sizeof(floating))
        for part in range(1, blocks(p.K, deep_part(p))):
            sum = sums + (part * p.M + i) * p.N
            for j in range(p.N):
                c[j] += sum[j]
        for j in range(p.N if bias != NULL else 0):
            c[j] += bias[j]
    if p.finish != NULL:
        finish_block(p, p, i0, i1, 0, p.N, scratch)
