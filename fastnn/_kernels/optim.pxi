# The update rules: every parameter and its optimizer state in one pass over memory, in place.
# Scalars are rounded to the parameters' type before they are used, as the twins do.  Denormal
# running means and their terms count as zero.

cdef extern from "denormals.h" nogil:
    unsigned int fn_flush_denormals()
    void fn_set_float_state(unsigned int)


cdef inline floating decayed(floating g, floating w, floating decay) noexcept nogil:
    """The gradient with weight decay; an infinite weight is left alone where there is none."""
    return g + decay * w if decay != 0 else g


cdef void sgd_update(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(w, g, velocity); lr, momentum, nesterov, weight_decay."""
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *w = <floating *> c.array[0]
    cdef const floating *g = <const floating *> c.array[1]
    cdef floating *v = <floating *> c.array[2]
    cdef floating lr = <floating> c.scalar[0], momentum = <floating> c.scalar[1]
    cdef floating decay = <floating> c.scalar[3], d
    cdef bint nesterov = c.scalar[2] != 0
    cdef unsigned int state
    if momentum == 0:
        for i in range(start, end):
            w[i] -= lr * decayed(g[i], w[i], decay)
        return
    state = fn_flush_denormals()
    if nesterov:
        for i in range(start, end):
            d = decayed(g[i], w[i], decay)
            v[i] = v[i] * momentum + d
            w[i] -= lr * (d + momentum * v[i])
    else:
        for i in range(start, end):
            v[i] = v[i] * momentum + decayed(g[i], w[i], decay)
            w[i] -= lr * v[i]
    fn_set_float_state(state)


cdef void adam_update(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(w, g, m, v); step, lr, beta1, beta2, eps, weight_decay, decoupled."""
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *w = <floating *> c.array[0]
    cdef const floating *g = <const floating *> c.array[1]
    cdef floating *m = <floating *> c.array[2]
    cdef floating *v = <floating *> c.array[3]
    cdef double step = c.scalar[0], lr = c.scalar[1], beta1 = c.scalar[2], beta2 = c.scalar[3]
    cdef bint decoupled = c.scalar[6] != 0
    cdef floating b1 = <floating> beta1, b2 = <floating> beta2
    cdef floating c1 = <floating> (1 - beta1), c2 = <floating> (1 - beta2)
    cdef floating rate = <floating> (lr / (1 - pow(beta1, step)))
    cdef floating debias = <floating> (1 / sqrt(1 - pow(beta2, step)))
    cdef floating eps = <floating> c.scalar[4]
    cdef floating decay = 0 if decoupled else <floating> c.scalar[5]
    cdef floating keep = <floating> (1 - lr * c.scalar[5]) if decoupled else 1
    cdef floating d
    cdef unsigned int state = fn_flush_denormals()
    for i in range(start, end):
        d = decayed(g[i], w[i], decay)
        m[i] = b1 * m[i] + c1 * d
        v[i] = b2 * v[i] + c2 * (d * d)
        w[i] = w[i] * keep - rate * m[i] / (square_root(v[i]) * debias + eps)
    fn_set_float_state(state)


cdef inline floating square_root(floating x) noexcept nogil:
    if floating is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef void rmsprop_update(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(w, g, v, velocity); lr, alpha, eps, weight_decay, momentum."""
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *w = <floating *> c.array[0]
    cdef const floating *g = <const floating *> c.array[1]
    cdef floating *v = <floating *> c.array[2]
    cdef floating *velocity = <floating *> c.array[3]
    cdef floating lr = <floating> c.scalar[0], alpha = <floating> c.scalar[1]
    cdef floating rest = <floating> (1 - c.scalar[1]), eps = <floating> c.scalar[2]
    cdef floating decay = <floating> c.scalar[3], momentum = <floating> c.scalar[4], d
    cdef unsigned int state = fn_flush_denormals()
    if momentum == 0:
        for i in range(start, end):
            d = decayed(g[i], w[i], decay)
            v[i] = alpha * v[i] + rest * (d * d)
            w[i] -= lr * (d / (square_root(v[i]) + eps))
    else:
        for i in range(start, end):
            d = decayed(g[i], w[i], decay)
            v[i] = alpha * v[i] + rest * (d * d)
            velocity[i] = velocity[i] * momentum + d / (square_root(v[i]) + eps)
            w[i] -= lr * velocity[i]
    fn_set_float_state(state)


cdef void adagrad_update(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """(w, g, s); lr, eps, weight_decay."""
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *w = <floating *> c.array[0]
    cdef const floating *g = <const floating *> c.array[1]
    cdef floating *s = <floating *> c.array[2]
    cdef floating lr = <floating> c.scalar[0], eps = <floating> c.scalar[1]
    cdef floating decay = <floating> c.scalar[2], d
    cdef unsigned int state = fn_flush_denormals()
    for i in range(start, end):
        d = decayed(g[i], w[i], decay)
        s[i] += d * d
        w[i] -= lr * d / (square_root(s[i]) + eps)
    fn_set_float_state(state)


# --- gradient clipping ----------------------------------------------------------------


cdef void plan_sum_of_squares(Call *c) noexcept nogil:
    c.phases = 2
    c.tasks[0] = blocks(c.size[0], CHUNK)
    c.tasks[1] = 1
    c.shared = (c.tasks[0] + 1) * sizeof(double)


cdef void sum_of_squares(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef double *partial = <double *> c.memory
    cdef const floating *x = <const floating *> c.array[0] + task * CHUNK
    cdef Py_ssize_t i, n = min(<Py_ssize_t> CHUNK, c.size[0] - task * CHUNK)
    cdef double total = 0
    if phase == 0:
        if floating is float:
            partial[task] = fn_wide_squares_32(x, n)
        else:
            partial[task] = fn_wide_squares_64(x, n)
    else:
        for i in range(c.tasks[0]):
            total += partial[i]
        (<double *> c.array[1])[0] = total


cdef void scale(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *x = <floating *> c.array[0]
    cdef floating factor = <floating> c.scalar[0]
    for i in range(start, end):
        x[i] *= factor


cdef void clip_value(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Py_ssize_t i, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef floating *x = <floating *> c.array[0]
    cdef floating limit = <floating> c.scalar[0], value
    for i in range(start, end):
        value = x[i]
        value = limit if value > limit else value
        x[i] = -limit if value < -limit else value
