# Pooling over windows: max_pool2d, avg_pool2d and their backwards.
#
# A task is some planes, one channel of one image each.  Padding is left out of a maximum and
# counts as zeros in a mean, as PyTorch has it.  The backward of a maximum finds again which
# element was the largest, so that nothing needs to be kept.

cdef extern from "pooling_types.h" nogil:
    void fn_pool_larger_at_32(
        Py_ssize_t n, const float *x, Py_ssize_t step, int tap, float *best, int *which)
    void fn_pool_larger_at_64(
        Py_ssize_t n, const double *x, Py_ssize_t step, int tap, double *best, int *which)
    void fn_pool_larger_32(Py_ssize_t n, const float *x, Py_ssize_t step, float *best)
    void fn_pool_larger_64(Py_ssize_t n, const double *x, Py_ssize_t step, double *best)
    void fn_pool_add_32(Py_ssize_t n, const float *x, Py_ssize_t step, float *sum)
    void fn_pool_add_64(Py_ssize_t n, const double *x, Py_ssize_t step, double *sum)
    void fn_pool_spread_32(Py_ssize_t n, float *x, Py_ssize_t step, const float *shares)
    void fn_pool_spread_64(Py_ssize_t n, double *x, Py_ssize_t step, const double *shares)

cdef struct Pooling:
    Py_ssize_t planes, H, W, P, Q
    Py_ssize_t KH, KW, stride_h, stride_w, padding_h, padding_w


# The part of a row of results for which one tap lies inside the image.
cdef struct Inside:
    Py_ssize_t first, count     # results first, first + 1 ...
    Py_ssize_t column           # of the image, for the first of them


cdef inline void read_scalars(Call *c, int first, Pooling *p) noexcept nogil:
    p.KH, p.KW = <Py_ssize_t> c.scalar[first], <Py_ssize_t> c.scalar[first + 1]
    p.stride_h, p.stride_w = <Py_ssize_t> c.scalar[first + 2], <Py_ssize_t> c.scalar[first + 3]
    p.padding_h, p.padding_w = <Py_ssize_t> c.scalar[first + 4], <Py_ssize_t> c.scalar[first + 5]


cdef Pooling forward_pooling(Call *c) noexcept nogil:
    """(x (N, C, H, W), out (N, C, P, Q))"""
    cdef Pooling p
    p.planes, p.H, p.W, p.P, p.Q = c.size[0] * c.size[1], c.size[2], c.size[3], c.size[4], c.size[5]
    read_scalars(c, 0, &p)
    return p


cdef Pooling backward_pooling(Call *c, int first) noexcept nogil:
    """(dout (N, C, P, Q), ... (N, C, H, W))"""
    cdef Pooling p
    p.planes, p.P, p.Q, p.H, p.W = c.size[0] * c.size[1], c.size[2], c.size[3], c.size[4], c.size[5]
    read_scalars(c, first, &p)
    return p


cdef inline Py_ssize_t planes_a_task(Pooling *p) noexcept nogil:
    return max(CHUNK // (p.H * p.W + p.P * p.Q), 1)


cdef void plan_pooling(Call *c) noexcept nogil:
    """Forward or backward: what is a row of the image in one is a row of results in the other."""
    cdef Pooling p = forward_pooling(c)
    c.phases = 1
    c.tasks[0] = blocks(p.planes, planes_a_task(&p))
    c.scratch = max(p.Q, p.W) * (c.itemsize + sizeof(int))


cdef inline Inside inside(Pooling *p, Py_ssize_t tap) noexcept nogil:
    cdef Inside part
    cdef Py_ssize_t shift = tap - p.padding_w  # column of result q: q stride + shift
    part.first = blocks(-shift, p.stride_w) if shift < 0 else 0
    part.count = max(min(p.Q, blocks(p.W - shift, p.stride_w)) - part.first, 0)
    part.column = part.first * p.stride_w + shift
    return part


cdef void max_pool2d(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Pooling p = forward_pooling(c)
    cdef Py_ssize_t plane, u, i, j, row, first = task * planes_a_task(&p)
    cdef const floating *x
    cdef floating *best
    cdef Inside part
    for plane in range(first, min(first + planes_a_task(&p), p.planes)):
        x = <const floating *> c.array[0] + plane * p.H * p.W
        for u in range(p.P):
            best = <floating *> c.array[1] + (plane * p.P + u) * p.Q
            for j in range(p.Q):
                best[j] = -<floating> INFINITY
            for i in range(p.KH):
                row = u * p.stride_h + i - p.padding_h
                if row < 0 or row >= p.H:
                    continue
                for j in range(p.KW):
                    part = inside(&p, j)
                    if floating is float:
                        fn_pool_larger_32(
                            part.count, x + row * p.W + part.column, p.stride_w, best + part.first)
                    else:
                        fn_pool_larger_64(
                            part.count, x + row * p.W + part.column, p.stride_w, best + part.first)


cdef void max_pool2d_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(dout, x, out); the gradient goes to the first of the largest elements."""
    cdef Pooling p = backward_pooling(c, 0)
    cdef Py_ssize_t plane, u, i, j, row, first = task * planes_a_task(&p)
    cdef const floating *dout
    cdef const floating *x
    cdef floating *dx
    cdef floating *best = scratch
    cdef int *which = <int *> (best + p.Q)
    cdef Inside part
    for plane in range(first, min(first + planes_a_task(&p), p.planes)):
        x = <const floating *> c.array[1] + plane * p.H * p.W
        dx = <floating *> c.array[2] + plane * p.H * p.W
        for j in range(p.H * p.W):
            dx[j] = 0
        for u in range(p.P):
            dout = <const floating *> c.array[0] + (plane * p.P + u) * p.Q
            row = max(p.padding_h - u * p.stride_h, 0)
            for j in range(p.Q):
                best[j] = -<floating> INFINITY
                # The window's first element, where nothing is larger than -inf.
                which[j] = <int> (row * p.W + max(p.padding_w - j * p.stride_w, 0))
            for i in range(p.KH):
                row = u * p.stride_h + i - p.padding_h
                if row < 0 or row >= p.H:
                    continue
                for j in range(p.KW):
                    part = inside(&p, j)
                    if floating is float:
                        fn_pool_larger_at_32(
                            part.count, x + row * p.W + part.column, p.stride_w,
                            <int> (i * p.W + j), best + part.first, which + part.first)
                    else:
                        fn_pool_larger_at_64(
                            part.count, x + row * p.W + part.column, p.stride_w,
                            <int> (i * p.W + j), best + part.first, which + part.first)
            row = (u * p.stride_h - p.padding_h) * p.W - p.padding_w
            for j in range(p.Q):
                dx[row + which[j] + j * p.stride_w] += dout[j]


cdef void avg_pool2d(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Pooling p = forward_pooling(c)
    cdef Py_ssize_t plane, u, i, j, row, first = task * planes_a_task(&p)
    cdef floating size = <floating> (p.KH * p.KW)
    cdef const floating *x
    cdef floating *sums
    cdef Inside part
    for plane in range(first, min(first + planes_a_task(&p), p.planes)):
        x = <const floating *> c.array[0] + plane * p.H * p.W
        for u in range(p.P):
            sums = <floating *> c.array[1] + (plane * p.P + u) * p.Q
            for j in range(p.Q):
                sums[j] = 0
            for i in range(p.KH):
                row = u * p.stride_h + i - p.padding_h
                if row < 0 or row >= p.H:
                    continue
                for j in range(p.KW):
                    part = inside(&p, j)
                    if floating is float:
                        fn_pool_add_32(
                            part.count, x + row * p.W + part.column, p.stride_w, sums + part.first)
                    else:
                        fn_pool_add_64(
                            part.count, x + row * p.W + part.column, p.stride_w, sums + part.first)
            for j in range(p.Q):
                sums[j] /= size


cdef void avg_pool2d_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(dout, out); height and width come before the scalars of the window."""
    cdef Pooling p = backward_pooling(c, 2)
    cdef Py_ssize_t plane, u, i, j, row, first = task * planes_a_task(&p)
    cdef floating size = <floating> (p.KH * p.KW)
    cdef const floating *dout
    cdef floating *dx
    cdef floating *shares = scratch
    cdef Inside part
    for plane in range(first, min(first + planes_a_task(&p), p.planes)):
        dx = <floating *> c.array[1] + plane * p.H * p.W
        for j in range(p.H * p.W):
            dx[j] = 0
        for u in range(p.P):
            dout = <const floating *> c.array[0] + (plane * p.P + u) * p.Q
            for j in range(p.Q):
                shares[j] = dout[j] / size
            for i in range(p.KH):
                row = u * p.stride_h + i - p.padding_h
                if row < 0 or row >= p.H:
                    continue
                for j in range(p.KW):
                    part = inside(&p, j)
                    if floating is float:
                        fn_pool_spread_32(
                            part.count, dx + row * p.W + part.column, p.stride_w,
                            shares + part.first)
                    else:
                        fn_pool_spread_64(
                            part.count, dx + row * p.W + part.column, p.stride_w,
                            shares + part.first)
