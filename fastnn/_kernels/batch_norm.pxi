# Batch normalisation of x (N, C, ...): each channel over the batch and its places.
#
# The sums run over chunks of images, whose sizes alone decide; within one, in float64 and in two
# passes, the mean first, so that nothing cancels; chunks are put together in order (Chan,
# Golub, LeVeque, 1983).  Phases: chunks, channels (one task), elements.

cdef extern from "rows.h" nogil:
    double fn_wide_spread_32(const float *, double, Py_ssize_t)
    double fn_wide_spread_64(const double *, double, Py_ssize_t)
    double fn_wide_product_32(const float *, const float *, double, Py_ssize_t)
    double fn_wide_product_64(const double *, const double *, double, Py_ssize_t)

cdef enum:
    SUMS = 0
    CHANNELS = 1
    ELEMENTS = 2
    SUMMED = 4096    # elements of a channel in one chunk

cdef struct Batch:
    Py_ssize_t N, C, inner
    Py_ssize_t images           # of a chunk
    Py_ssize_t chunks
    Py_ssize_t channels         # that one task sums
    Py_ssize_t channel_blocks


cdef Batch read_batch(Call *c) noexcept nogil:
    cdef Batch b
    b.N, b.C, b.inner = c.size[0], c.size[1], c.size[2]
    b.images = min(max(SUMMED // max(b.inner, 1), 1), max(b.N, 1))
    b.chunks = blocks(b.N, b.images)
    b.channels = min(max(CHUNK // max(b.images * b.inner, 1), 1), b.C)
    b.channel_blocks = blocks(b.C, b.channels)
    return b


cdef void plan_batch(Call *c, Batch *b, int sums) noexcept nogil:
    """Shared: two sums of each chunk and channel, then four coefficients of each channel."""
    c.phases = 3
    c.tasks[SUMS] = b.chunks * b.channel_blocks if sums else 0
    c.tasks[CHANNELS] = 1
    c.tasks[ELEMENTS] = blocks(b.N, images_a_task(b))
    c.shared = (2 * b.chunks + 4) * b.C * sizeof(double)


cdef inline Py_ssize_t images_a_task(Batch *b) noexcept nogil:
    return max(CHUNK // max(b.C * b.inner, 1), 1)


cdef inline double spread_of(const floating *x, double mean, Py_ssize_t n) noexcept nogil:
    if floating is float:
        return fn_wide_spread_32(x, mean, n)
    else:
        return fn_wide_spread_64(x, mean, n)


cdef inline double product_of(
    const floating *g, const floating *x, double mean, Py_ssize_t n
) noexcept nogil:
    if floating is float:
        return fn_wide_product_32(g, x, mean, n)
    else:
        return fn_wide_product_64(g, x, mean, n)


cdef void sum_moments(Batch *b, const floating *x, Py_ssize_t task, double *sums) noexcept nogil:
    """The mean and the sum of squared deviations of each channel of one chunk."""
    cdef Py_ssize_t chunk = task // b.channel_blocks, n0 = chunk * b.images, n, i
    cdef Py_ssize_t end = min(n0 + b.images, b.N)
    cdef Py_ssize_t c0 = task % b.channel_blocks * b.channels, c1 = min(c0 + b.channels, b.C)
    cdef double *mean = sums + 2 * chunk * b.C
    cdef double *spread = mean + b.C
    cdef double count = <double> (end - n0) * b.inner
    for i in range(c0, c1):
        mean[i] = spread[i] = 0
    for n in range(n0, end):
        if b.inner == 1:
            for i in range(c0, c1):
                mean[i] += x[n * b.C + i]
        else:
            for i in range(c0, c1):
                mean[i] += wide_sum(x + (n * b.C + i) * b.inner, b.inner)
    for i in range(c0, c1):
        mean[i] /= count
    for n in range(n0, end):
        if b.inner == 1:
            for i in range(c0, c1):
                spread[i] += (x[n * b.C + i] - mean[i]) * (x[n * b.C + i] - mean[i])
        else:
            for i in range(c0, c1):
                spread[i] += spread_of(x + (n * b.C + i) * b.inner, mean[i], b.inner)


cdef void join_chunks(Batch *b, double *sums) noexcept nogil:
    """Put all chunks' means and sums of squared deviations into the first chunk's."""
    cdef Py_ssize_t chunk, i
    cdef double before, count, total, difference
    cdef double *mean
    for chunk in range(1, b.chunks):
        mean = sums + 2 * chunk * b.C
        before = <double> chunk * b.images * b.inner
        count = <double> (min((chunk + 1) * b.images, b.N) - chunk * b.images) * b.inner
        total = before + count
        for i in range(b.C):
            difference = mean[i] - sums[i]
            sums[i] += difference * (count / total)
            sums[b.C + i] += mean[b.C + i] + difference * difference * (before * count / total)


cdef inline void rescale(
    Batch *b, const floating *x, const double *mean, const double *factor, const double *shift,
    Py_ssize_t task, floating *out
) noexcept nogil:
    """(x - mean) factor + shift, by channel, for some images."""
    cdef Py_ssize_t first = task * images_a_task(b), n, i, j
    cdef floating m, f, s
    for n in range(first, min(first + images_a_task(b), b.N)):
        for i in range(b.C):
            m, f, s = <floating> mean[i], <floating> factor[i], <floating> shift[i]
            for j in range((n * b.C + i) * b.inner, (n * b.C + i + 1) * b.inner):
                out[j] = (x[j] - m) * f + s


# --- training: batch_norm(x, gamma, beta, running_mean, running_var, momentum, eps, out, mean, rstd)


cdef void plan_batch_norm(Call *c) noexcept nogil:
    cdef Batch b = read_batch(c)
    plan_batch(c, &b, True)
    if c.array[5] == NULL:
        c.tasks[ELEMENTS] = 0


cdef void batch_norm(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Batch b = read_batch(c)
    cdef double *sums = <double *> c.memory
    cdef double *mean = sums + 2 * b.chunks * b.C
    cdef const floating *x = <const floating *> c.array[0]
    if b.N * b.inner < 2:
        c.status, c.bad_array = ONE_VALUE, 0
    elif phase == SUMS:
        sum_moments(&b, x, task, sums)
    elif phase == CHANNELS:
        join_chunks(&b, sums)
        set_channels(
            c, &b, sums, mean, <const floating *> c.array[1], <const floating *> c.array[2],
            <floating *> c.array[3], <floating *> c.array[4], <floating *> c.array[6],
            <floating *> c.array[7])
    else:
        rescale(&b, x, mean, mean + b.C, mean + 2 * b.C, task, <floating *> c.array[5])


cdef void set_channels(
    Call *c, Batch *b, const double *sums, double *mean, const floating *gamma,
    const floating *beta, floating *running_mean, floating *running_var, floating *mean_out,
    floating *rstd_out
) noexcept nogil:
    """Coefficients of each channel, and the running statistics, whose variance is unbiased."""
    cdef Py_ssize_t i
    cdef double momentum = c.scalar[0], eps = c.scalar[1], rstd
    cdef double count = <double> b.N * b.inner
    cdef double *factor = mean + b.C
    cdef double *shift = factor + b.C
    for i in range(b.C):
        rstd = 1 / sqrt(sums[b.C + i] / count + eps)
        mean[i] = sums[i]
        factor[i] = rstd * gamma[i] if gamma != NULL else rstd
        shift[i] = beta[i] if beta != NULL else 0
        if mean_out != NULL:
            mean_out[i] = <floating> mean[i]
        if rstd_out != NULL:
            rstd_out[i] = <floating> rstd
        if running_mean != NULL:
            running_mean[i] = <floating> ((1 - momentum) * running_mean[i] + momentum * mean[i])
        if running_var != NULL:
            running_var[i] = <floating> (
                (1 - momentum) * running_var[i] + momentum * (sums[b.C + i] / (count - 1)))


# --- evaluation: batch_norm_eval(x, running_mean, running_var, gamma, beta, eps, out) ---


cdef void plan_batch_norm_eval(Call *c) noexcept nogil:
    cdef Batch b = read_batch(c)
    plan_batch(c, &b, False)


cdef void batch_norm_eval(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Batch b = read_batch(c)
    cdef double *mean = <double *> c.memory
    cdef double *factor = mean + b.C
    cdef double *shift = factor + b.C
    cdef const floating *running_mean = <const floating *> c.array[1]
    cdef const floating *running_var = <const floating *> c.array[2]
    cdef const floating *gamma = <const floating *> c.array[3]
    cdef const floating *beta = <const floating *> c.array[4]
    cdef Py_ssize_t i
    if phase == CHANNELS:
        for i in range(b.C):
            mean[i], factor[i] = running_mean[i], 1 / sqrt(running_var[i] + c.scalar[0])
            factor[i] *= gamma[i] if gamma != NULL else 1
            shift[i] = beta[i] if beta != NULL else 0
    else:
        rescale(&b, <const floating *> c.array[0], mean, factor, shift, task, <floating *> c.array[5])


# --- batch_norm_backward(dout, x, mean, rstd, gamma, training, dx, dgamma, dbeta) -----


cdef void plan_batch_norm_backward(Call *c) noexcept nogil:
    cdef Batch b = read_batch(c)
    plan_batch(c, &b, True)
    if c.array[5] == NULL:
        c.tasks[ELEMENTS] = 0


cdef void sum_slopes(
    Batch *b, const floating *dout, const floating *x, const floating *mean, Py_ssize_t task,
    double *sums
) noexcept nogil:
    """The sums of dout and of dout (x - mean) of each channel of one chunk."""
    cdef Py_ssize_t chunk = task // b.channel_blocks, n0 = chunk * b.images, n, i, at
    cdef Py_ssize_t c0 = task % b.channel_blocks * b.channels, c1 = min(c0 + b.channels, b.C)
    cdef double *total = sums + 2 * chunk * b.C
    cdef double *product = total + b.C
    for i in range(c0, c1):
        total[i] = product[i] = 0
    for n in range(n0, min(n0 + b.images, b.N)):
        for i in range(c0, c1):
            at = (n * b.C + i) * b.inner
            if b.inner == 1:
                total[i] += dout[at]
                product[i] += <double> dout[at] * (<double> x[at] - mean[i])
            else:
                total[i] += wide_sum(dout + at, b.inner)
                product[i] += product_of(dout + at, x + at, mean[i], b.inner)


cdef void batch_norm_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Batch b = read_batch(c)
    cdef double *sums = <double *> c.memory
    cdef double *factor = sums + 2 * b.chunks * b.C
    cdef double *share = factor + b.C     # of the mean of dout
    cdef double *slope = share + b.C      # by which x - mean is taken off
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *x = <const floating *> c.array[1]
    cdef const floating *mean = <const floating *> c.array[2]
    cdef const floating *rstd = <const floating *> c.array[3]
    cdef const floating *gamma = <const floating *> c.array[4]
    cdef floating *dx = <floating *> c.array[5]
    cdef floating *dgamma = <floating *> c.array[6]
    cdef floating *dbeta = <floating *> c.array[7]
    cdef Py_ssize_t chunk, i, n, j
    cdef double total, product, count = <double> b.N * b.inner
    cdef bint training = c.scalar[0] != 0
    cdef floating f, s, k, m
    if phase == SUMS:
        sum_slopes(&b, dout, x, mean, task, sums)
    elif phase == CHANNELS:
        for i in range(b.C):
            total = product = 0
            for chunk in range(b.chunks):
                total += sums[2 * chunk * b.C + i]
                product += sums[(2 * chunk + 1) * b.C + i]
            factor[i] = rstd[i] * (<double> gamma[i] if gamma != NULL else 1)
            share[i] = total / count if training else 0
            slope[i] = factor[i] * rstd[i] * rstd[i] * product / count if training else 0
            if dgamma != NULL:
                dgamma[i] = <floating> (product * rstd[i])
            if dbeta != NULL:
                dbeta[i] = <floating> total
    else:
        for n in range(task * images_a_task(&b), min((task + 1) * images_a_task(&b), b.N)):
            for i in range(b.C):
                f, s, k, m = <floating> factor[i], <floating> share[i], <floating> slope[i], mean[i]
                for j in range((n * b.C + i) * b.inner, (n * b.C + i + 1) * b.inner):
                    dx[j] = (dout[j] - s) * f - (x[j] - m) * k
