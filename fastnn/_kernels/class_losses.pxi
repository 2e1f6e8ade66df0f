# Losses on class labels: cross_entropy(scores, y, weight, sample_weight, loss, dscores) and
# hinge_loss(scores, y, delta, ...), mean loss and gradient in one pass over the scores.
#
# Three phases: check the labels and weigh the rows (one task), the rows in chunks, each with
# a partial sum of the loss, and the sum of those (one task, in order).

cdef extern from "few_classes_types.h" nogil:
    const int FN_FEW_CLASSES_32, FN_FEW_CLASSES_64
    double fn_few_classes_32(
        Py_ssize_t rows, int classes, const float *scores, const long long *y,
        const double *weight, const double *sample_weight, double weights, float *gradient)
    double fn_few_classes_64(
        Py_ssize_t rows, int classes, const double *scores, const long long *y,
        const double *weight, const double *sample_weight, double weights, double *gradient)

cdef enum:
    CHECK = 0
    ROWS = 1
    TOTAL = 2


cdef void plan_class_loss(Call *c) noexcept nogil:
    cdef Py_ssize_t rows = rows_per_task(c.size[1])
    c.phases = 3
    c.tasks[CHECK] = 1
    c.tasks[ROWS] = blocks(c.size[0], rows)
    c.tasks[TOTAL] = 1
    c.scratch = max(rows * c.size[1], 1) * c.itemsize
    c.shared = (c.tasks[ROWS] + 1) * sizeof(double)


cdef inline bint check_range(
    Call *c, const long long *x, Py_ssize_t n, long long end
) noexcept nogil:
    """Labels or indices, the call's second array, lie from 0 to ``end - 1``."""
    cdef Py_ssize_t i
    cdef long long outside = 0
    for i in range(n):
        outside |= (x[i] < 0) | (x[i] >= end)
    if not outside:
        return True
    for i in range(n):
        if x[i] < 0 or x[i] >= end:
            c.status, c.bad_array, c.bad_index = LABEL_OUT_OF_RANGE, 1, i
            break
    return False


cdef inline bint check_weights(
    Call *c, int array, const double *weight, Py_ssize_t n
) noexcept nogil:
    """Weights are finite and not negative; NaN fails the comparison."""
    cdef Py_ssize_t i
    for i in range(n):
        if not (0 <= weight[i] < INFINITY):
            c.status, c.bad_array, c.bad_index = BAD_WEIGHT, array, i
            return False
    return True


cdef inline double row_weight(
    const long long *y, const double *weight, const double *sample_weight, Py_ssize_t i
) noexcept nogil:
    cdef double w = 1
    if weight != NULL:
        w = weight[y[i]]
    if sample_weight != NULL:
        w *= sample_weight[i]
    return w


cdef void check_labels(Call *c) noexcept nogil:
    """Labels in range, weights sound; leaves the sum of weights in the shared memory."""
    cdef Py_ssize_t i, N = c.size[0]
    cdef long long classes = c.size[1]
    cdef const long long *y = <const long long *> c.array[1]
    cdef const double *weight = <const double *> c.array[2]
    cdef const double *sample_weight = <const double *> c.array[3]
    cdef double total = N
    if not check_range(c, y, N, classes):
        return
    if weight != NULL and not check_weights(c, 2, weight, classes):
        return
    if sample_weight != NULL and not check_weights(c, 3, sample_weight, N):
        return
    if weight != NULL or sample_weight != NULL:
        total = 0
        for i in range(N):
            total += row_weight(y, weight, sample_weight, i)
        if not 0 < total < INFINITY:
            c.status = NO_WEIGHT
            return
    (<double *> c.memory)[0] = total


cdef void add_partial_sums(Call *c, floating *loss) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0
    cdef const double *partial = <const double *> c.memory + 1
    if loss != NULL:
        for i in range(c.tasks[ROWS]):
            total += partial[i]
        loss[0] = <floating> total


cdef inline double cross_entropy_of_few(
    Py_ssize_t rows, Py_ssize_t C, const floating *scores, const long long *y,
    const double *weight, const double *sample_weight, double weights, floating *gradient
) noexcept nogil:
    if floating is float:
        return fn_few_classes_32(
            rows, <int> C, scores, y, weight, sample_weight, weights, gradient)
    else:
        return fn_few_classes_64(
            rows, <int> C, scores, y, weight, sample_weight, weights, gradient)


cdef void cross_entropy(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    if phase == CHECK:
        check_labels(c)
        return
    if phase == TOTAL:
        add_partial_sums(c, <floating *> c.array[4])
        return
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, rows = min(rows_per_task(C), c.size[0] - start)
    cdef const long long *y = <const long long *> c.array[1]
    cdef const double *weight = <const double *> c.array[2]
    cdef const double *sample_weight = <const double *> c.array[3]
    cdef floating *d = scratch
    if c.array[5] != NULL:
        d = <floating *> c.array[5] + start * C
    cdef double weights = (<double *> c.memory)[0], share = 1 / weights, sum_of_losses = 0
    cdef double sum_of_exp, of_label
    cdef floating normal
    cdef int few = FN_FEW_CLASSES_32 if floating is float else FN_FEW_CLASSES_64
    if C <= few:
        (<double *> c.memory)[1 + task] = cross_entropy_of_few(
            rows, C, <const floating *> c.array[0] + start * C, y + start, weight,
            sample_weight + start if sample_weight != NULL else NULL, weights,
            d if c.array[5] != NULL else NULL)
        return
    shift_rows(<const floating *> c.array[0] + start * C, d, rows, C)
    # The label's score goes into the loss before exp overwrites it.
    for i in range(rows):
        if weight != NULL or sample_weight != NULL:
            share = row_weight(y, weight, sample_weight, start + i) / weights
        sum_of_losses -= share * d[i * C + y[start + i]]
    for i in range(rows * C):
        d[i] = exp(d[i])
    for i in range(rows):
        if weight != NULL or sample_weight != NULL:
            share = row_weight(y, weight, sample_weight, start + i) / weights
        sum_of_exp = row_sum(d + i * C, C)
        sum_of_losses += share * log(sum_of_exp)
        normal = <floating> (share / sum_of_exp)
        for j in range(i * C, (i + 1) * C):
            d[j] *= normal
        d[i * C + y[start + i]] -= <floating> share
    (<double *> c.memory)[1 + task] = sum_of_losses


cdef inline int count_positive(const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is float:
        return fn_row_positive_32(x, n)
    else:
        return fn_row_positive_64(x, n)


cdef void hinge_loss(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    if phase == CHECK:
        check_labels(c)
        return
    if phase == TOTAL:
        add_partial_sums(c, <floating *> c.array[4])
        return
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, label, end = min(start + rows_per_task(C), c.size[0])
    cdef const long long *y = <const long long *> c.array[1]
    cdef const double *weight = <const double *> c.array[2]
    cdef const double *sample_weight = <const double *> c.array[3]
    cdef const floating *s
    cdef floating *d = scratch
    cdef floating margin, of_label, delta = <floating> c.scalar[0], part
    cdef double weights = (<double *> c.memory)[0], share = 1 / weights, sum_of_losses = 0
    for i in range(start, end):
        if weight != NULL or sample_weight != NULL:
            share = row_weight(y, weight, sample_weight, i) / weights
        s, label = <const floating *> c.array[0] + i * C, y[i]
        if c.array[5] != NULL:
            d = <floating *> c.array[5] + i * C
        of_label = s[label]
        for j in range(C):
            margin = s[j] - of_label + delta
            d[j] = 0 if margin <= 0 else margin
        d[label] = 0
        sum_of_losses += share * wide_sum(d, C)
        if c.array[5] != NULL:
            part = <floating> (-share * count_positive(d, C))
            for j in range(C):
                d[j] = <floating> share if d[j] > 0 else 0
            d[label] = part
    (<double *> c.memory)[1 + task] = sum_of_losses
