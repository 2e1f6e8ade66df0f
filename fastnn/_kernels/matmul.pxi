# Matrix multiply, and the linear layer's backward, which is two of them and a sum.

# --- matmul(a, b, bias, out) ----------------------------------------------------------


cdef void set_matmul(Call *c, Product *p) noexcept nogil:
    p.M, p.K, p.N = c.size[0], c.size[1], c.size[2]
    p.a, p.a_row, p.a_k = c.array[0], c.stride[0], c.stride[1]
    p.b, p.b_k, p.b_column = c.array[1], c.stride[2], c.stride[3]
    p.bias, p.c, p.c_row, p.c_column = c.array[2], c.array[3], p.N, 1
    p.finish, p.finish_task, p.passes_on = c.finish[OF_Y], c.finish_task[OF_Y], False
    p.strips = NULL


cdef void plan_product(Product *p, Call *c) noexcept nogil:
    """A phase that packs A, where that pays, and the product's own."""
    if is_deep(p, c.itemsize):
        plan_deep(p, c)
        return
    c.phases = 2
    c.tasks[0], c.tasks[1] = strip_tasks(p, c.itemsize), p.tasks
    c.shared, c.scratch = strip_bytes(p, c.itemsize), packing_bytes(p, c.itemsize)


cdef void product(
    Product *p, Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """One task of either phase."""
    if is_deep(p, c.itemsize):
        if phase == 0:
            multiply_part(p, task, <floating *> c.memory, scratch)
        else:
            add_parts(p, task, <const floating *> c.memory, scratch)
        return
    if strip_tasks(p, c.itemsize) > 0:
        p.strips = c.memory
    if phase == 0:
        pack_strips(p, task, <floating *> c.memory)
    else:
        multiply(p, task, scratch)


cdef void plan_matmul(Call *c) noexcept nogil:
    cdef Product p
    set_matmul(c, &p)
    arrange(&p, c)
    plan_product(&p, c)


cdef void matmul(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Product p
    set_matmul(c, &p)
    arrange(&p, c)
    product(&p, c, phase, task, scratch)


# --- linear(x, W, b, y) ---------------------------------------------------------------
#
# The same product, but that the doorway makes each row of x one run of memory: so a layer
# with few outputs can take dot products, whatever x was before.


cdef void plan_linear(Call *c) noexcept nogil:
    cdef Product p
    set_matmul(c, &p)
    divide(&p, c)
    if not takes_dots(&p, c.itemsize):
        plan_product(&p, c)
        return
    c.phases = 2
    c.tasks[0], c.tasks[1] = 0, p.tasks
    if p.b_k != 1:
        c.tasks[0] = p.N if p.tasks > 1 else 1
        c.shared = p.N * dot_row(&p, c.itemsize) * c.itemsize


cdef void linear(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Product p
    set_matmul(c, &p)
    divide(&p, c)
    if not takes_dots(&p, sizeof(floating)):
        product(&p, c, phase, task, scratch)
    elif phase == 0:
        pack_columns(
            &p, task, p.N if c.tasks[0] == 1 else task + 1, <floating *> c.memory)
    else:
        multiply_dots(&p, task, <const floating *> c.memory)
        if p.finish != NULL:
            finish_block(
                &p, &p, first_row(&p, task), first_row(&p, task + 1), 0, p.N, scratch)


# --- linear_backward(dout, x, W, dx, dW, db) ------------------------------------------


cdef void set_linear_backward(Call *c, Product *dx, Product *dW) noexcept nogil:
    """dx = dout W.T and dW = x.T dout; one that is not wanted has no tasks."""
    cdef Py_ssize_t N = c.size[0], C = c.size[1], D = c.size[2]
    dx.M, dx.N, dx.K = N, D, C
    dx.a, dx.a_row, dx.a_k = c.array[0], c.stride[0], c.stride[1]
    dx.b, dx.b_k, dx.b_column = c.array[2], c.stride[5], c.stride[4]
    dx.c, dx.c_row, dx.c_column, dx.bias = c.array[3], D, 1, NULL
    dx.finish, dx.finish_task, dx.passes_on = c.finish[OF_DX], c.finish_task[OF_DX], False
    arrange(dx, c)
    if c.array[3] == NULL:
        dx.tasks = 0
    dW.M, dW.N, dW.K = D, C, N
    dW.a, dW.a_row, dW.a_k = c.array[1], c.stride[3], c.stride[2]
    dW.b, dW.b_k, dW.b_column = c.array[0], c.stride[0], c.stride[1]
    dW.c, dW.c_row, dW.c_column, dW.bias = c.array[4], C, 1, NULL
    dW.finish, dW.finish_task = c.finish[OF_DW], c.finish_task[OF_DW]
    dW.passes_on = c.passes_on
    arrange(dW, c)
    if c.array[4] == NULL:
        dW.tasks = 0
    dx.strips = dW.strips = NULL
    if strip_tasks(dx, c.itemsize) > 0:
        dx.strips = c.memory
    if strip_tasks(dW, c.itemsize) > 0:
        dW.strips = <char *> c.memory + strip_bytes(dx, c.itemsize)


cdef void plan_linear_backward(Call *c) noexcept nogil:
    cdef Product dx, dW
    if owns_rows(c):
        plan_owned(c)
        return
    set_linear_backward(c, &dx, &dW)
    c.phases = 2
    c.tasks[0] = strip_tasks(&dx, c.itemsize) + strip_tasks(&dW, c.itemsize)
    c.tasks[1] = 1 + dx.tasks + dW.tasks
    if dx.tasks <= 1 and dW.tasks <= 1:
        c.tasks[1] = 1  # too little to share: one task does it all
    elif c.finish[OF_DW] != NULL and dx.tasks > 0:
        # What follows dW may write to W, which dx reads.
        c.phases = 3
        c.tasks[1], c.tasks[2] = 1 + dx.tasks, dW.tasks
    c.shared = strip_bytes(&dx, c.itemsize) + strip_bytes(&dW, c.itemsize)
    c.scratch = max(
        packing_bytes(&dx, c.itemsize),
        packing_bytes(&dW, c.itemsize) + block_bytes(&dW, c.itemsize))


cdef void linear_backward(
    Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    cdef Product dx, dW
    cdef Py_ssize_t part, end, packs_dx
    if owns_rows(c):
        run_owned(c, phase, task, scratch)
        return
    set_linear_backward(c, &dx, &dW)
    if phase == 0:
        packs_dx = strip_tasks(&dx, sizeof(floating))
        if task < packs_dx:
            pack_strips(&dx, task, <floating *> dx.strips)
        else:
            pack_strips(&dW, task - packs_dx, <floating *> dW.strips)
        return
    if phase == 2:
        task += 1 + dx.tasks
    end = 1 + dx.tasks + dW.tasks if c.phases == 2 and c.tasks[1] == 1 else task + 1
    for part in range(task, end):
        if part > dx.tasks:
            multiply(&dW, part - dx.tasks - 1, scratch)
        elif part > 0:
            multiply(&dx, part - 1, scratch)
        elif c.array[5] != NULL:
            sum_rows(
                <const floating *> c.array[0], c.size[0], c.size[1], c.stride[0],
                c.stride[1], <floating *> c.array[5])


cdef void sum_rows(
    const floating *x, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t row, Py_ssize_t column,
    floating *total
) noexcept nogil:
    cdef Py_ssize_t i, j
    for j in range(columns):
        total[j] = 0
    for i in range(rows):
        if column == 1:
            for j in range(columns):
                total[j] += x[i * row + j]
        else:
            for j in range(columns):
                total[j] += x[i * row + j * column]
