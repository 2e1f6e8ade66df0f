# Activations and their backwards: elementwise ones in chunks of the flat array, softmax and
# log-softmax in chunks of rows.  Every element is read before its place is written, so an
# output may be the input itself.

cdef extern from "vecmath.h" nogil:
    float fn_exp_32(float)
    double fn_exp_64(double)
    float fn_tanh_32(float)
    double fn_tanh_64(double)
    float fn_sigmoid_32(float)
    double fn_sigmoid_64(double)
    float fn_softplus_tail_32(float)
    double fn_softplus_tail_64(double)

cdef extern from "rows.h" nogil:
    float fn_row_max_32(const float *, Py_ssize_t)
    double fn_row_max_64(const double *, Py_ssize_t)
    float fn_row_sum_32(const float *, Py_ssize_t)
    double fn_row_sum_64(const double *, Py_ssize_t)
    float fn_row_dot_32(const float *, const float *, Py_ssize_t)
    double fn_row_dot_64(const double *, const double *, Py_ssize_t)
    int fn_row_positive_32(const float *, Py_ssize_t)
    int fn_row_positive_64(const double *, Py_ssize_t)
    double fn_wide_sum_32(const float *, Py_ssize_t)
    double fn_wide_sum_64(const double *, Py_ssize_t)
    double fn_wide_squares_32(const float *, Py_ssize_t)
    double fn_wide_squares_64(const double *, Py_ssize_t)

cdef enum:
    CHUNK = 32768       # elements of one task where memory is the limit
    MATH_CHUNK = 8192   # and where arithmetic is


cdef inline floating exp(floating x) noexcept nogil:
    if floating is float:
        return fn_exp_32(x)
    else:
        return fn_exp_64(x)


cdef inline floating row_max(const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is float:
        return fn_row_max_32(x, n)
    else:
        return fn_row_max_64(x, n)


cdef inline floating row_sum(const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is float:
        return fn_row_sum_32(x, n)
    else:
        return fn_row_sum_64(x, n)


cdef inline double wide_sum(const floating *x, Py_ssize_t n) noexcept nogil:
    if floating is float:
        return fn_wide_sum_32(x, n)
    else:
        return fn_wide_sum_64(x, n)


cdef inline void plan_chunks(Call *c, Py_ssize_t n, Py_ssize_t chunk) noexcept nogil:
    c.phases = 1
    c.tasks[0] = blocks(n, chunk)


cdef void plan_elementwise(Call *c) noexcept nogil:
    plan_chunks(c, c.size[0], CHUNK)


cdef void plan_math(Call *c) noexcept nogil:
    plan_chunks(c, c.size[0], MATH_CHUNK)


# --- elementwise: (x, out) and (dout, x or y, out) ------------------------------------


cdef void relu(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef const floating *x = <const floating *> c.array[0]
    cdef floating *out = <floating *> c.array[1]
    for i in range(start, end):
        out[i] = 0 if x[i] <= 0 else x[i]


cdef void relu_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *x = <const floating *> c.array[1]
    cdef floating *out = <floating *> c.array[2]
    for i in range(start, end):
        out[i] = dout[i] if x[i] > 0 else 0


cdef void sigmoid(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t i, start = task * MATH_CHUNK, end = min(start + MATH_CHUNK, c.size[0])
    cdef const floating *x = <const floating *> c.array[0]
    cdef floating *out = <floating *> c.array[1]
    for i in range(start, end):
        if floating is float:
            out[i] = fn_sigmoid_32(x[i])
        else:
            out[i] = fn_sigmoid_64(x[i])


cdef void sigmoid_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *y = <const floating *> c.array[1]
    cdef floating *out = <floating *> c.array[2]
    for i in range(start, end):
        out[i] = dout[i] * (y[i] * (1 - y[i]))


cdef void tanh(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t i, start = task * MATH_CHUNK, end = min(start + MATH_CHUNK, c.size[0])
    cdef const floating *x = <const floating *> c.array[0]
    cdef floating *out = <floating *> c.array[1]
    for i in range(start, end):
        if floating is float:
            out[i] = fn_tanh_32(x[i])
        else:
            out[i] = fn_tanh_64(x[i])


cdef void tanh_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *y = <const floating *> c.array[1]
    cdef floating *out = <floating *> c.array[2]
    for i in range(start, end):
        out[i] = dout[i] * (1 - y[i] * y[i])


# --- by rows: x (N, C) ----------------------------------------------------------------


cdef inline Py_ssize_t rows_per_task(Py_ssize_t columns) noexcept nogil:
    return max(MATH_CHUNK // max(columns, 1), 1)


cdef void plan_rows(Call *c) noexcept nogil:
    plan_chunks(c, c.size[0], rows_per_task(c.size[1]))


cdef inline void shift_rows(
    const floating *x, floating *out, Py_ssize_t rows, Py_ssize_t columns
) noexcept nogil:
    """Subtract each row's maximum, so that the largest exponent is 0."""
    cdef Py_ssize_t i, j
    cdef floating largest
    for i in range(rows):
        largest = row_max(x + i * columns, columns)
        for j in range(i * columns, (i + 1) * columns):
            out[j] = x[j] - largest


cdef void softmax(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, rows = min(rows_per_task(C), c.size[0] - start)
    cdef floating *out = <floating *> c.array[1] + start * C
    cdef floating share
    shift_rows(<const floating *> c.array[0] + start * C, out, rows, C)
    for i in range(rows * C):
        out[i] = exp(out[i])
    for i in range(rows):
        share = 1 / row_sum(out + i * C, C)
        for j in range(i * C, (i + 1) * C):
            out[j] *= share


cdef void softmax_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, rows = min(rows_per_task(C), c.size[0] - start)
    cdef const floating *dout = <const floating *> c.array[0] + start * C
    cdef const floating *y = <const floating *> c.array[1] + start * C
    cdef floating *out = <floating *> c.array[2] + start * C
    cdef floating mean
    for i in range(rows):
        if floating is float:
            mean = fn_row_dot_32(dout + i * C, y + i * C, C)
        else:
            mean = fn_row_dot_64(dout + i * C, y + i * C, C)
        for j in range(i * C, (i + 1) * C):
            out[j] = y[j] * (dout[j] - mean)


cdef void plan_log_softmax(Call *c) noexcept nogil:
    plan_rows(c)
    c.scratch = max(rows_per_task(c.size[1]) * c.size[1], 1) * c.itemsize


cdef void log_softmax(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, rows = min(rows_per_task(C), c.size[0] - start)
    cdef floating *out = <floating *> c.array[1] + start * C
    cdef floating log_sum
    shift_rows(<const floating *> c.array[0] + start * C, out, rows, C)
    for i in range(rows * C):
        scratch[i] = exp(out[i])
    for i in range(rows):
        log_sum = <floating> log(<double> row_sum(scratch + i * C, C))
        for j in range(i * C, (i + 1) * C):
            out[j] -= log_sum


cdef void log_softmax_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t C = c.size[1], start = task * rows_per_task(C)
    cdef Py_ssize_t i, j, rows = min(rows_per_task(C), c.size[0] - start)
    cdef const floating *dout = <const floating *> c.array[0] + start * C
    cdef const floating *y = <const floating *> c.array[1] + start * C
    cdef floating *out = <floating *> c.array[2] + start * C
    cdef floating total
    for i in range(rows):
        total = row_sum(dout + i * C, C)
        for j in range(i * C, (i + 1) * C):
            out[j] = dout[j] - exp(y[j]) * total
