# local_response_norm(x, size, alpha, beta, k, out) and its backward: y = x d**-beta, where
# d = k + alpha / size * the sum of squares of `size` neighbouring channels.
#
# A task is a block of places of one image, all its channels.

cdef enum:
    NORM_PLACES = 512

cdef struct Norm:
    Py_ssize_t N, C, inner, before, after, place_blocks


cdef Norm read_norm(Call *c, int first_size) noexcept nogil:
    """The window of channel c runs from c - size // 2 to c + (size - 1) // 2."""
    cdef Norm v
    cdef Py_ssize_t size = <Py_ssize_t> min(c.scalar[0], 2e9)
    v.N, v.C, v.inner = c.size[0], c.size[1], c.size[2]
    v.before, v.after = size // 2, (size - 1) // 2
    v.place_blocks = blocks(v.inner, NORM_PLACES)
    return v


cdef void plan_norm(Call *c) noexcept nogil:
    """The backward keeps two values of each element of a block."""
    cdef Norm v = read_norm(c, 0)
    c.phases = 1
    c.tasks[0] = v.N * v.place_blocks if v.C > 0 else 0
    c.scratch = (2 * v.C + 1) * NORM_PLACES * c.itemsize


cdef void denominators(
    Call *c, Norm *v, const floating *x, Py_ssize_t channel, Py_ssize_t n, floating *d
) noexcept nogil:
    """d of n places of one channel, for x at the first place of channel 0."""
    cdef Py_ssize_t j, i
    cdef const floating *row
    cdef floating share = <floating> (c.scalar[1] / c.scalar[0]), k = <floating> c.scalar[3]
    for i in range(n):
        d[i] = 0
    for j in range(max(channel - v.before, 0), min(channel + v.after + 1, v.C)):
        row = x + j * v.inner
        for i in range(n):
            d[i] += row[i] * row[i]
    for i in range(n):
        d[i] = k + share * d[i]


cdef inline floating power(floating x, floating exponent) noexcept nogil:
    if floating is float:
        return powf(x, exponent)
    else:
        return pow(x, exponent)


cdef void inverse_powers(
    const floating *d, floating beta, Py_ssize_t n, floating *out
) noexcept nogil:
    """out = d**-beta; the usual 3/4 by square roots, which come in vectors."""
    cdef Py_ssize_t i
    cdef floating root
    if beta == 0.75:
        for i in range(n):
            root = square_root(d[i])
            out[i] = 1 / (root * square_root(root))
    else:
        for i in range(n):
            out[i] = power(d[i], -beta)


cdef void local_response_norm(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(x, out); size, alpha, beta, k."""
    cdef Norm v = read_norm(c, 0)
    cdef Py_ssize_t start = task % v.place_blocks * NORM_PLACES, channel, i
    cdef Py_ssize_t n = min(<Py_ssize_t> NORM_PLACES, v.inner - start)
    cdef Py_ssize_t first = task // v.place_blocks * v.C * v.inner + start
    cdef const floating *x = <const floating *> c.array[0] + first
    cdef floating *out = <floating *> c.array[1] + first
    for channel in range(v.C):
        denominators(c, &v, x, channel, n, scratch)
        inverse_powers(scratch, <floating> c.scalar[2], n, scratch)
        for i in range(n):
            out[channel * v.inner + i] = x[channel * v.inner + i] * scratch[i]


cdef void local_response_norm_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(dout, x, out): dx = dout d**-beta - 2 alpha beta / size x sum(dout x d**(-beta - 1)), the
    sum over the channels whose windows hold this one."""
    cdef Norm v = read_norm(c, 0)
    cdef Py_ssize_t start = task % v.place_blocks * NORM_PLACES, channel, i, j
    cdef Py_ssize_t n = min(<Py_ssize_t> NORM_PLACES, v.inner - start)
    cdef Py_ssize_t first = task // v.place_blocks * v.C * v.inner + start
    cdef const floating *dout = <const floating *> c.array[0] + first
    cdef const floating *x = <const floating *> c.array[1] + first
    cdef floating *out = <floating *> c.array[2] + first
    cdef floating *powers = scratch
    cdef floating *terms = scratch + v.C * NORM_PLACES
    cdef floating *d = terms + v.C * NORM_PLACES
    cdef floating share = <floating> (2 * c.scalar[1] * c.scalar[2] / c.scalar[0])
    for channel in range(v.C):
        denominators(c, &v, x, channel, n, d)
        inverse_powers(d, <floating> c.scalar[2], n, powers + channel * NORM_PLACES)
        for i in range(n):
            j = channel * v.inner + i
            terms[channel * NORM_PLACES + i] = (
                dout[j] * x[j] * powers[channel * NORM_PLACES + i] / d[i])
    for channel in range(v.C):
        for i in range(n):
            d[i] = 0
        for j in range(max(channel - v.after, 0), min(channel + v.before + 1, v.C)):
            for i in range(n):
                d[i] += terms[j * NORM_PLACES + i]
        for i in range(n):
            j = channel * v.inner + i
            out[j] = dout[j] * powers[channel * NORM_PLACES + i] - share * x[j] * d[i]
