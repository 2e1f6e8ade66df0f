# conv2d_backward(dout, x, W, stride, padding, dilation, groups, dx, dW, db)
#
# Three phases: the filters are turned round for dx, or transformed (winograd.pxi); dx and the
# partial sums of dW and db; what these add up to.
# In a program dout may be made by the call before, for the images of a task (fusion.pxi).
#
# The gradient by the input is itself a convolution of dout, by filters whose channels are the
# others' numbers and whose taps run backwards.  With a stride it is one convolution for
# each remainder of a row and of a column by the stride: the places of x with this remainder
# meet the same taps.

# What the places of one remainder along one axis see of dout.
cdef struct Axis:
    Py_ssize_t first, places    # of the input: first, first + stride ...
    Py_ssize_t tap, period      # taps tap, tap + period ... reach them
    Py_ssize_t taps, dilation   # as a convolution of dout
    Py_ssize_t before           # zeros before dout


cdef Axis axis_of(
    Py_ssize_t size, Py_ssize_t taps, Py_ssize_t stride, Py_ssize_t padding,
    Py_ssize_t dilation, Py_ssize_t remainder
) noexcept nogil:
    """Input i meets tap t at output (i + padding - t dilation) / stride, where that is whole."""
    cdef Axis a
    cdef Py_ssize_t divisor = dilation, rest = stride, q
    while rest:
        divisor, rest = rest, divisor % rest
    a.period, a.dilation = stride // divisor, dilation // divisor
    a.tap = 0
    while a.tap < min(a.period, taps) and a.tap * dilation % stride != remainder:
        a.tap += 1
    a.taps = blocks(taps - a.tap, a.period) if a.tap < min(a.period, taps) else 0
    q = max(blocks(padding - remainder, stride), 0)
    a.first = q * stride + remainder - padding
    a.places = blocks(size - a.first, stride) if a.first < size else 0
    a.before = (a.tap * dilation - remainder) // stride + (a.taps - 1) * a.dilation - q
    return a


cdef Conv input_conv(Geometry *g, Axis *h, Axis *w) noexcept nogil:
    """The convolution of one image of dout that gives dx for one remainder."""
    cdef Conv v
    v.C, v.H, v.W, v.F = g.F // g.groups, g.P, g.Q, g.C // g.groups
    v.KH, v.KW, v.dilation_h, v.dilation_w = h.taps, w.taps, h.dilation, w.dilation
    v.stride_h = v.stride_w = 1
    v.top, v.left, v.P, v.Q = h.before, w.before, h.places, w.places
    return v


cdef inline Axis rows_axis(Geometry *g, Py_ssize_t remainder) noexcept nogil:
    return axis_of(g.H, g.KH, g.stride_h, g.padding_h, g.dilation_h, remainder)


cdef inline Axis columns_axis(Geometry *g, Py_ssize_t remainder) noexcept nogil:
    return axis_of(g.W, g.KW, g.stride_w, g.padding_w, g.dilation_w, remainder)


cdef inline Conv whole_input_conv(Geometry *g) noexcept nogil:
    """Without a stride there is one convolution; with one, a filter without taps stands for it."""
    cdef Axis h = rows_axis(g, 0), w = columns_axis(g, 0)
    cdef Conv v = input_conv(g, &h, &w)
    if g.stride_h * g.stride_w > 1:
        v.KH = v.KW = 0
    return v


cdef void turn_filters(
    Geometry *g, int threads, const floating *W, floating *turned, Py_ssize_t task
) noexcept nogil:
    """One strip of a group's channels, for each remainder, packed as a convolution's filters:
    its taps are those of W backwards, filter by filter."""
    cdef Py_ssize_t filters = g.F // g.groups, C = g.C // g.groups, size = g.KH * g.KW
    cdef Py_ssize_t rh, rw, o, c, i, j, c0, channels, strip, group
    cdef Axis h, w
    cdef Conv v
    cdef Division d
    cdef const floating *source
    cdef floating *target
    for rh in range(g.stride_h):
        h = rows_axis(g, rh)
        for rw in range(g.stride_w):
            w = columns_axis(g, rw)
            v = input_conv(g, &h, &w)
            divide_conv(&v, &d, g.N, g.groups, threads, sizeof(floating))
            strip, group = task % d.strips, task // d.strips
            c0 = strip * d.strip
            channels = min(d.strip, C - c0)
            for o in range(filters):
                if o % d.channels == 0:
                    target = turned + group * packed_filters(&v, &d) + packed_at(
                        &v, &d, o, strip)
                for i in range(h.taps):
                    for j in range(w.taps):
                        source = W + ((group * filters + o) * C + c0) * size
                        source += (h.tap + (h.taps - 1 - i) * h.period) * g.KW
                        source += w.tap + (w.taps - 1 - j) * w.period
                        for c in range(channels):
                            target[c] = source[c * size]
                        target += d.strip
            turned += g.groups * packed_filters(&v, &d)


# How dx is divided: without a stride as any convolution, else by images and groups alone.
cdef struct InputDivision:
    Py_ssize_t strips, tasks, scratch
    Py_ssize_t filters  # elements of all that are turned or transformed


cdef InputDivision divide_input(Geometry *g, int threads, int itemsize) noexcept nogil:
    cdef InputDivision whole
    cdef Division d
    cdef Conv v
    cdef Axis h, w
    cdef Py_ssize_t rh, rw
    cdef Tiling t
    whole.scratch = whole.filters = 0
    v = whole_input_conv(g)
    if by_winograd(&v, g.N, itemsize):
        divide_tiles(&v, &t, g.N, g.groups, threads)
        whole.strips, whole.tasks = g.groups * filter_tasks(&t), g.groups * t.blocks
        whole.scratch = tiling_space(&t, FN_PLACES * t.next_sums, NULL).bytes
        whole.filters = g.groups * transformed_filters(&t)
        return whole
    for rh in range(g.stride_h):
        h = rows_axis(g, rh)
        for rw in range(g.stride_w):
            w = columns_axis(g, rw)
            v = input_conv(g, &h, &w)
            divide_conv(&v, &d, g.N, g.groups, threads, itemsize)
            whole.scratch = max(whole.scratch, workspace(&v, &d, itemsize, NULL).bytes)
            whole.filters += g.groups * packed_filters(&v, &d)
    whole.strips = g.groups * d.strips  # the same for all
    whole.tasks = d.tasks if g.stride_h * g.stride_w == 1 else g.N * g.groups
    return whole


cdef void input_gradient(
    Geometry *g, int threads, const floating *dout, const floating *turned, floating *dx,
    Py_ssize_t task, Call *finish, task_t finish_task, floating *scratch
) noexcept nogil:
    cdef Py_ssize_t rh, rw, u0, part, images = g.N * g.groups
    cdef bint whole = g.stride_h * g.stride_w == 1
    cdef Division d
    cdef Target t
    cdef Conv v
    cdef Axis h, w
    cdef Workspace memory
    t.plane, t.row, t.column = g.H * g.W, g.stride_h * g.W, g.stride_w
    for rh in range(g.stride_h):
        h = rows_axis(g, rh)
        for rw in range(g.stride_w):
            w = columns_axis(g, rw)
            v = input_conv(g, &h, &w)
            divide_conv(&v, &d, g.N, g.groups, threads, sizeof(floating))
            if whole:
                convolve(
                    &v, &d, &t, g.N, g.groups, task, dout, turned, True, <floating *> NULL, dx,
                    finish, finish_task, scratch)
                return
            memory = workspace(&v, &d, sizeof(floating), scratch)
            for part in range(d.row_blocks if v.Q > 0 else 0):
                u0 = part * d.rows
                convolve_block(
                    &v, &d, &t, &memory, dout + task * v.C * v.H * v.W,
                    turned + task % g.groups * packed_filters(&v, &d), True,
                    <floating *> NULL,
                    dx + task * v.F * t.plane + h.first * g.W + w.first,
                    u0, min(d.rows, v.P - u0))
            turned += g.groups * packed_filters(&v, &d)
    if finish != NULL:
        finish_elements(finish, finish_task, task * v.F * t.plane, v.F * t.plane, scratch)


# --- the call -------------------------------------------------------------------------


cdef void plan_conv2d_backward(Call *c) noexcept nogil:
    cdef Geometry g = read_geometry(c, True)
    cdef InputDivision dx
    cdef WeightDivision dW
    cdef WeightTiling tiled
    c.phases = 3
    c.tasks[0] = c.tasks[1] = c.tasks[2] = 0
    if c.array[3] != NULL:
        dx = divide_input(&g, c.threads, c.itemsize)
        c.tasks[0], c.tasks[1], c.scratch = dx.strips, dx.tasks, dx.scratch
        c.shared = round_up(dx.filters * c.itemsize, 64)
    if c.array[4] == NULL and c.array[5] == NULL:
        return
    if weights_by_winograd(&g, c.itemsize):
        tiled = divide_weight_tiles(&g, c.threads)
        c.tasks[1] += tiled.tasks
        c.tasks[2] = tiled.sum_tasks
        c.scratch = max(c.scratch, tiled.scratch)
        c.shared += tiled.shared
        return
    dW = divide_weights(&g, c)
    c.tasks[1] += dW.tasks
    c.tasks[2] = dW.sum_tasks
    c.scratch = max(c.scratch, dW.scratch)
    c.shared += dW.shared


cdef void conv2d_backward(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Geometry g = read_geometry(c, True)
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *x = <const floating *> c.array[1]
    cdef floating *dx = <floating *> c.array[3]
    cdef floating *dW = <floating *> c.array[4]
    cdef floating *db = <floating *> c.array[5]
    cdef char *shared = <char *> c.memory
    cdef WeightDivision d
    cdef WeightTiling tiled
    cdef Py_ssize_t others = 0
    cdef bint by_tiles = weights_by_winograd(&g, sizeof(floating))
    if phase > 0:
        if dx != NULL:
            shared += round_up(
                divide_input(&g, c.threads, sizeof(floating)).filters * sizeof(floating), 64)
        if dW != NULL or db != NULL:
            if by_tiles:
                tiled = divide_weight_tiles(&g, c.threads)
                others = tiled.tasks
            else:
                d = divide_weights(&g, c)
                others = d.tasks
    if phase == 0 or phase == 1 and task >= others:
        input_task(&g, c, phase, task - others, scratch)
        return
    if by_tiles:
        if floating is float:
            if phase == 1:
                weight_tiles(
                    &g, &tiled, task, dout, x, dW != NULL, db != NULL, shared, scratch)
            else:
                add_weight_tiles(&g, &tiled, task, dout, x, shared, dW, db, scratch)
    elif phase == 1:
        weight_gradient(&g, &d, c, task, shared, scratch)
    else:
        add_weights(&g, &d, task, shared, dW, db)


cdef void input_task(
    Geometry *g, Call *c, int phase, Py_ssize_t task, floating *scratch
) noexcept nogil:
    """Of dx: some filters turned round or transformed, or a part of dx."""
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *W = <const floating *> c.array[2]
    cdef floating *dx = <floating *> c.array[3]
    cdef Conv v
    cdef Filters filters
    if floating is float:
        v = whole_input_conv(g)
        if by_winograd(&v, g.N, sizeof(floating)):
            filters = turned_filters_of(&v, W)
            convolve_tiles(
                &v, c, phase, task, g.N, g.groups, dout, &filters, NULL, dx, OF_DX, scratch)
            return
    if phase == 0:
        turn_filters(g, c.threads, W, <floating *> c.memory, task)
    else:
        input_gradient(
            g, c.threads, dout, <const floating *> c.memory, dx, task, c.finish[OF_DX],
            c.finish_task[OF_DX], scratch)
