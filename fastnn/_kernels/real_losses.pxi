# Losses on real targets, (pred, target, ..., sample_weight, loss, gradient) for pred (N, ...):
# the mean over all elements, with rows of the first axis weighted where that is asked.
#
# A loss is two functions of one element: its value, and its slope by the prediction.
# The phases are those of the class losses.

cdef enum LossKind:
    MSE
    L1
    HUBER
    BINARY_CROSS_ENTROPY


cdef inline floating loss_value(
    LossKind kind, floating x, floating t, floating delta
) noexcept nogil:
    cdef floating d = x - t, size = fabs(d) if floating is double else fabsf(d)
    if kind == MSE:
        return d * d
    if kind == L1:
        return size
    if kind == HUBER:
        return d * d / 2 if size <= delta else delta * (size - delta / 2)
    # log(1 + exp(x)) - t x, without overflow
    if floating is float:
        return (0 if x <= 0 else x) - x * t + fn_softplus_tail_32(x)
    else:
        return (0 if x <= 0 else x) - x * t + fn_softplus_tail_64(x)


cdef inline floating loss_slope(
    LossKind kind, floating x, floating t, floating delta
) noexcept nogil:
    cdef floating d = x - t
    if kind == MSE:
        return 2 * d
    if kind == L1:
        # d - d is 0, and NaN where d is: NumPy's sign
        return 1 if d > 0 else (-1 if d < 0 else d - d)
    if kind == HUBER:
        return delta if d > delta else (-delta if d < -delta else d)
    if floating is float:
        return fn_sigmoid_32(x) - t
    else:
        return fn_sigmoid_64(x) - t


cdef inline Py_ssize_t length_of_rows(Call *c) noexcept nogil:
    """Where rows have weights, they matter; else every element is a row of its own."""
    return c.size[1] if c.array[2] != NULL else 1


cdef inline Py_ssize_t real_rows_per_task(Py_ssize_t inner) noexcept nogil:
    return max(MATH_CHUNK // max(inner, 1), 1)


cdef void plan_real_loss(Call *c) noexcept nogil:
    cdef Py_ssize_t inner = length_of_rows(c), rows = real_rows_per_task(inner)
    c.phases = 3
    c.tasks[CHECK] = 1
    c.tasks[ROWS] = blocks(c.size[0] * c.size[1] // inner, rows)
    c.tasks[TOTAL] = 1
    c.scratch = rows * inner * c.itemsize
    c.shared = (c.tasks[ROWS] + 1) * sizeof(double)


cdef void check_targets(Call *c, LossKind kind, const floating *target) noexcept nogil:
    """Targets are probabilities if they must be; leaves the weight of all elements."""
    cdef Py_ssize_t i
    cdef const double *sample_weight = <const double *> c.array[2]
    cdef double total = c.size[0]
    if kind == BINARY_CROSS_ENTROPY:
        for i in range(c.size[0] * c.size[1]):
            if not (0 <= target[i] <= 1):
                c.status, c.bad_array, c.bad_index = TARGET_OUT_OF_RANGE, 1, i
                return
    if sample_weight != NULL:
        if not check_weights(c, 2, sample_weight, c.size[0]):
            return
        total = wide_sum(sample_weight, c.size[0])
        if not 0 < total * c.size[1] < INFINITY:
            c.status = NO_WEIGHT
            return
    (<double *> c.memory)[0] = total * c.size[1]


cdef inline void real_loss(
    LossKind kind, floating delta, Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    if phase == CHECK:
        check_targets(c, kind, <const floating *> c.array[1])
        return
    if phase == TOTAL:
        add_partial_sums(c, <floating *> c.array[3])
        return
    cdef Py_ssize_t inner = length_of_rows(c), start = task * real_rows_per_task(inner)
    cdef Py_ssize_t i, j, all_rows = c.size[0] * c.size[1] // inner
    cdef Py_ssize_t rows = min(real_rows_per_task(inner), all_rows - start)
    cdef const floating *x = <const floating *> c.array[0] + start * inner
    cdef const floating *t = <const floating *> c.array[1] + start * inner
    cdef const double *sample_weight = <const double *> c.array[2]
    cdef floating *d = <floating *> c.array[4]
    cdef double weights = (<double *> c.memory)[0], sum_of_losses = 0
    cdef floating share = <floating> (1 / weights)
    for i in range(rows * inner):
        scratch[i] = loss_value(kind, x[i], t[i], delta)
    if sample_weight == NULL:
        sum_of_losses = wide_sum(scratch, rows * inner) / weights
    else:
        for i in range(rows):
            sum_of_losses += (
                sample_weight[start + i] / weights * wide_sum(scratch + i * inner, inner)
            )
    if d != NULL:
        d += start * inner
        if sample_weight == NULL:
            for i in range(rows * inner):
                d[i] = share * loss_slope(kind, x[i], t[i], delta)
        else:
            for i in range(rows):
                share = <floating> (sample_weight[start + i] / weights)
                for j in range(i * inner, (i + 1) * inner):
                    d[j] = share * loss_slope(kind, x[j], t[j], delta)
    (<double *> c.memory)[1 + task] = sum_of_losses


cdef void mse_loss(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    real_loss(MSE, <floating> 0, c, phase, task, scratch)


cdef void l1_loss(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    real_loss(L1, <floating> 0, c, phase, task, scratch)


cdef void huber_loss(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    real_loss(HUBER, <floating> c.scalar[0], c, phase, task, scratch)


cdef void binary_cross_entropy(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    real_loss(BINARY_CROSS_ENTROPY, <floating> 0, c, phase, task, scratch)
