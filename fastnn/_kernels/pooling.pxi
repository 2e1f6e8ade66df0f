# Pooling over windows: max_pool2d, avg_pool2d and their backwards.
#
# A task is some planes, one channel of one image each.  Padding is left out of a maximum and
# counts as zeros in a mean, as PyTorch has it.  The backward of a maximum finds again which
# element was the largest, so that nothing needs to be kept.

cdef extern from "pooling_types.h" nogil:
    void fn_pool_larger_32(
        Py_ssize_t n, const float *x, Py_ssize_t step, int32_t tap, float *best,
        int32_t *which)
    void fn_pool_larger_64(
        Py_ssize_t n, const double *x, Py_ssize_t step, int64_t tap, double *best,
        int64_t *which)
    void fn_pool_max_32(
        Py_ssize_t n, Py_ssize_t rows, Py_ssize_t columns, const float *x, Py_ssize_t row,
        Py_ssize_t step, float *best, int32_t *which)
    void fn_pool_max_64(
        Py_ssize_t n, Py_ssize_t rows, Py_ssize_t columns, const double *x, Py_ssize_t row,
        Py_ssize_t step, double *best, int64_t *which)
    void fn_pool_max_pairs_32(
        Py_ssize_t pairs, Py_ssize_t W, const float *x, float *best)
    void fn_pool_max_pairs_64(
        Py_ssize_t pairs, Py_ssize_t W, const double *x, double *best)
    void fn_pool_give_pairs_32(
        Py_ssize_t pairs, Py_ssize_t W, const float *x, const float *dout, float *dx)
    void fn_pool_give_pairs_64(
        Py_ssize_t pairs, Py_ssize_t W, const double *x, const double *dout, double *dx)
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
    c.scratch = 2 * max(p.Q, p.W) * c.itemsize


cdef inline Inside inside(Pooling *p, Py_ssize_t tap) noexcept nogil:
    cdef Inside part
    cdef Py_ssize_t shift = tap - p.padding_w  # column of result q: q stride + shift
    part.first = blocks(-shift, p.stride_w) if shift < 0 else 0
    part.count = max(min(p.Q, blocks(p.W - shift, p.stride_w)) - part.first, 0)
    part.column = part.first * p.stride_w + shift
    return part


cdef void find_largest(
    Pooling *p, const floating *x, Py_ssize_t u, floating *best, void *which
) noexcept nogil:
    """The largest elements of row u of windows, and unless NULL, which of a window's they are."""
    cdef Py_ssize_t top = u * p.stride_h - p.padding_h, i, j, at
    cdef Py_ssize_t i0 = max(-top, 0), i1 = min(p.KH, p.H - top)
    cdef int32_t *which_32 = <int32_t *> which
    cdef int64_t *which_64 = <int64_t *> which
    cdef Inside part
    if p.padding_w == 0:
        x += (top + i0) * p.W
        if floating is float:
            fn_pool_max_32(p.Q, i1 - i0, p.KW, x, p.W, p.stride_w, best, which_32)
        else:
            fn_pool_max_64(p.Q, i1 - i0, p.KW, x, p.W, p.stride_w, best, which_64)
        return
    for j in range(p.Q):
        best[j] = -<floating> INFINITY
        # The window's first element, where nothing is larger than -inf.
        if which != NULL and floating is float:
            which_32[j] = <int32_t> max(p.padding_w - j * p.stride_w, 0)
        elif which != NULL:
            which_64[j] = max(p.padding_w - j * p.stride_w, 0)
    for i in range(i0, i1):
        for j in range(p.KW):
            part = inside(p, j)
            at = (i - i0) * p.W + j
            if floating is float:
                fn_pool_larger_32(
                    part.count, x + (top + i) * p.W + part.column, p.stride_w, <int32_t> at,
                    best + part.first, which_32 + part.first if which != NULL else NULL)
            else:
                fn_pool_larger_64(
                    part.count, x + (top + i) * p.W + part.column, p.stride_w, at,
                    best + part.first, which_64 + part.first if which != NULL else NULL)


cdef inline bint is_pairs(Pooling *p) noexcept nogil:
    """Windows of two rows and two columns that lie side by side, without padding."""
    return (
        p.KH == 2 and p.KW == 2 and p.stride_h == 2 and p.stride_w == 2
        and p.padding_h == 0 and p.padding_w == 0
    )


cdef void max_pairs(Pooling *p, Py_ssize_t planes, const floating *x, floating *out) noexcept nogil:
    cdef Py_ssize_t plane, pairs = p.P
    if p.H == 2 * p.P:  # the planes' pairs of rows follow each other
        planes, pairs = 1, planes * p.P
    for plane in range(planes):
        if floating is float:
            fn_pool_max_pairs_32(pairs, p.W, x, out)
        else:
            fn_pool_max_pairs_64(pairs, p.W, x, out)
        x, out = x + p.H * p.W, out + p.P * p.Q


cdef void give_pairs(
    Pooling *p, Py_ssize_t planes, const floating *dout, const floating *x, floating *dx
) noexcept nogil:
    cdef Py_ssize_t plane, j, pairs = p.P
    if p.H == 2 * p.P:
        planes, pairs = 1, planes * p.P
    for plane in range(planes):
        if floating is float:
            fn_pool_give_pairs_32(pairs, p.W, x, dout, dx)
        else:
            fn_pool_give_pairs_64(pairs, p.W, x, dout, dx)
        if p.H > 2 * p.P:  # the last row, in no window
            for j in range(2 * p.P * p.W, p.H * p.W):
                dx[j] = 0
        dout, x, dx = dout + p.P * p.Q, x + p.H * p.W, dx + p.H * p.W


cdef void give_any(
    Pooling *p, const floating *dout, const floating *x, floating *dx, floating *scratch
) noexcept nogil:
    """One plane."""
    cdef Py_ssize_t u, j
    cdef floating *first_row
    cdef int32_t *which_32 = <int32_t *> (scratch + p.Q)
    cdef int64_t *which_64 = <int64_t *> (scratch + p.Q)
    for j in range(p.H * p.W):
        dx[j] = 0
    for u in range(p.P):
        find_largest(p, x, u, scratch, <void *> which_32)
        first_row = dx + max(u * p.stride_h - p.padding_h, 0) * p.W - p.padding_w
        for j in range(p.Q):
            if floating is float:
                first_row[which_32[j] + j * p.stride_w] += dout[j]
            else:
                first_row[which_64[j] + j * p.stride_w] += dout[j]
        dout += p.Q


cdef void max_pool2d(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Pooling p = forward_pooling(c)
    cdef Py_ssize_t plane, u, first = task * planes_a_task(&p)
    cdef Py_ssize_t planes = min(planes_a_task(&p), p.planes - first)
    cdef const floating *x = <const floating *> c.array[0] + first * p.H * p.W
    cdef floating *out = <floating *> c.array[1] + first * p.P * p.Q
    if is_pairs(&p):
        max_pairs(&p, planes, x, out)
        return
    for plane in range(planes):
        for u in range(p.P):
            find_largest(&p, x + plane * p.H * p.W, u, out + (plane * p.P + u) * p.Q, NULL)


cdef void max_pool2d_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(dout, x, out); the gradient goes to the first of the largest elements."""
    cdef Pooling p = backward_pooling(c, 0)
    cdef Py_ssize_t plane, first = task * planes_a_task(&p)
    cdef Py_ssize_t planes = min(planes_a_task(&p), p.planes - first)
    cdef const floating *dout = <const floating *> c.array[0] + first * p.P * p.Q
    cdef const floating *x = <const floating *> c.array[1] + first * p.H * p.W
    cdef floating *dx = <floating *> c.array[2] + first * p.H * p.W
    if is_pairs(&p):
        give_pairs(&p, planes, dout, x, dx)
    else:
        for plane in range(planes):
            give_any(&p, dout, x, dx, scratch)
            dout, x, dx = dout + p.P * p.Q, x + p.H * p.W, dx + p.H * p.W
    if c.finish[OF_DX] != NULL:
        finish_elements(
            c.finish[OF_DX], c.finish_task[OF_DX], first * p.H * p.W, planes * p.H * p.W,
            scratch)


cdef void give_images(
    Call *c, task_t task, Py_ssize_t first, Py_ssize_t images, floating *dx, floating *scratch
) noexcept nogil:
    """A max_pool2d_backward and what follows it for some images, from the first of them on, at
    dx instead of where it says."""
    cdef Pooling p = backward_pooling(c, 0)
    cdef Py_ssize_t planes = c.size[1], start = first * planes * p.H * p.W, each
    cdef Call part = c[0], finish
    part.size[0] = images
    part.array[0] = <floating *> c.array[0] + first * planes * p.P * p.Q
    part.array[1] = <floating *> c.array[1] + start
    part.array[2] = dx
    if c.finish[OF_DX] != NULL:
        finish = c.finish[OF_DX][0]
        for each in range(FINISH_ARRAYS):
            if finish.array[each] == c.array[2]:
                finish.array[each] = dx
            elif finish.array[each] != NULL:
                finish.array[each] = <floating *> finish.array[each] + start
        part.finish[OF_DX] = &finish
    for each in range(blocks(images * planes, planes_a_task(&p))):
        task(&part, 0, each, scratch)


cdef Py_ssize_t giving_bytes(Call *c) noexcept nogil:
    """Scratch of give_images."""
    cdef Call part = c[0]
    plan_pooling(&part)
    return part.scratch


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
