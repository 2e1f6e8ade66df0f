# Mini-batches: rows of an array by index, turned into floats on the way.

ctypedef fused source_t:
    unsigned char
    float
    double


cdef inline Py_ssize_t gathered_rows(Py_ssize_t inner) noexcept nogil:
    return max(CHUNK // max(inner, 1), 1)


cdef void plan_gather_rows(Call *c) noexcept nogil:
    c.phases = 2
    c.tasks[0] = 1
    c.tasks[1] = blocks(c.size[2], gathered_rows(c.size[1]))


cdef inline void gather_from(
    const source_t *source, const long long *index, Py_ssize_t n, Py_ssize_t inner,
    floating scale, floating shift, floating *out
) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef const source_t *row
    for i in range(n):
        row = source + index[i] * inner
        if scale == 1 and shift == 0:
            for j in range(inner):
                out[i * inner + j] = <floating> row[j]
        else:
            for j in range(inner):
                out[i * inner + j] = (<floating> row[j]) * scale + shift


cdef void gather_rows(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(source (R, inner), indices (n,), out (n, inner)); scale, shift."""
    cdef const long long *index = <const long long *> c.array[1]
    if phase == 0:
        check_range(c, index, c.size[2], c.size[0])
        return
    cdef Py_ssize_t inner = c.size[1], start = task * gathered_rows(inner)
    cdef Py_ssize_t n = min(gathered_rows(inner), c.size[2] - start)
    cdef floating scale = <floating> c.scalar[0], shift = <floating> c.scalar[1]
    cdef floating *out = <floating *> c.array[2] + start * inner
    index += start
    if c.source_type == 0:
        gather_from(<const unsigned char *> c.array[0], index, n, inner, scale, shift, out)
    elif c.source_type == 1:
        gather_from(<const float *> c.array[0], index, n, inner, scale, shift, out)
    else:
        gather_from(<const double *> c.array[0], index, n, inner, scale, shift, out)


cdef void plan_gather_labels(Call *c) noexcept nogil:
    c.phases = 1
    c.tasks[0] = 1


cdef void gather_labels(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(y (R,), indices (n,), out (n,))."""
    cdef const long long *y = <const long long *> c.array[0]
    cdef const long long *index = <const long long *> c.array[1]
    cdef long long *out = <long long *> c.array[2]
    cdef Py_ssize_t i
    if check_range(c, index, c.size[1], c.size[0]):
        for i in range(c.size[1]):
            out[i] = y[index[i]]
