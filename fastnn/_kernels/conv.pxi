# 2-D convolution: filters (O, K) times the patches of an image, without a matrix of patches.
# Filters of 3x3 and 5x5 taps mostly take another way, that of winograd.pxi.
#
# The results of one image are cut into blocks of whole rows.  A task walks the channels in blocks:
# it copies what these channels' taps meet (patches.pxi) and adds their part to all results
# of its block, for a panel of places after the other, which stays in the first cache while
# all filters pass over it.

cdef extern from "gemm_types.h" nogil:
    void fn_conv_tile_32(
        int rows, int places, Py_ssize_t K, const float *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const float *image, const Py_ssize_t *offset, float *c, Py_ssize_t c_row,
        const float *bias, int add)
    void fn_conv_tile_64(
        int rows, int places, Py_ssize_t K, const double *a, Py_ssize_t a_row, Py_ssize_t a_k,
        const double *image, const Py_ssize_t *offset, double *c, Py_ssize_t c_row,
        const double *bias, int add)
    void fn_conv_panel_32(
        Py_ssize_t K, const float *image, const Py_ssize_t *offset, float *panel)
    void fn_conv_panel_64(
        Py_ssize_t K, const double *image, const Py_ssize_t *offset, double *panel)

cdef enum:
    PANEL_STRIPS = 12       # of filters, from which on a panel of places is worth its copy
    DEPTH_BYTES = 768       # of a filter's taps in one block of channels
    IMAGE_BYTES = 262144    # of a block's image: half of a second-level cache, or less
    COPY_COST = 8           # of a vector of the image, in vectors of multiply-adds
    TASK_WORK = 1200000     # multiply-adds of a task, at least, where a batch has enough of them

# How a convolution is divided: sizes alone decide on ``channels``, and so on the order of every
# sum; the number of threads only on who does what.
cdef struct Division:
    Py_ssize_t channels     # in one block
    Py_ssize_t strip        # filters of one tile
    Py_ssize_t strips
    Py_ssize_t rows         # rows of results in one block
    Py_ssize_t images       # images in one task
    Py_ssize_t row_blocks, image_blocks, parts, tasks

# Where results go: filter o, row u and column v at out + o plane + u row + v column.
cdef struct Target:
    Py_ssize_t plane, row, column

# Filters are (O, K), or packed as tiles read them: by blocks of channels, strips of filters, k,
# filter.

cdef inline Py_ssize_t lanes_of(int itemsize) noexcept nogil:
    return FN_LANES_32 if itemsize == 4 else FN_LANES_64


cdef inline Py_ssize_t taps_of(Conv *v) noexcept nogil:
    return v.KH * v.KW


cdef Py_ssize_t best_rows(Conv *v, Division *d, int itemsize) noexcept nogil:
    """Rows of a block: few blocks, whose images stay in the second cache and whose places fill
    their vectors."""
    cdef Py_ssize_t lanes = lanes_of(itemsize), count = 1, n, vectors, best = 0, tried = 0
    cdef double cost, least = 0
    while tried < 4:
        n = max(blocks(v.P, count), 1)
        count += 1
        if n > 1 and image_size(v, d.channels, n, itemsize) * itemsize > IMAGE_BYTES:
            continue
        vectors = v.P // n * blocks(n * v.Q, lanes) + blocks(v.P % n * v.Q, lanes)
        cost = <double> vectors * v.F * taps_of(v) + <double> COPY_COST * blocks(v.P, n) * (
            part_rows(v, n) * v.stride_h * v.KW * blocks(v.Q, lanes))
        if best == 0 or cost < least:
            best, least = n, cost
        tried += 1
        if n == 1:
            break
    return best


cdef void divide_conv(
    Conv *v, Division *d, Py_ssize_t images, Py_ssize_t groups, int threads, int itemsize
) noexcept nogil:
    cdef double work = <double> v.F * v.C * taps_of(v) * v.P * v.Q
    cdef bint shared = work * images * groups >= WORTH_SHARING
    d.channels = max(DEPTH_BYTES // (max(taps_of(v), 1) * itemsize), 1)
    d.channels = blocks(v.C, blocks(v.C, d.channels))
    d.strips = blocks(v.F, FN_TILE_ROWS)
    d.strip = blocks(v.F, d.strips)
    d.rows, d.images = best_rows(v, d, itemsize), 1
    if shared and work < TASK_WORK:
        d.images = <Py_ssize_t> (TASK_WORK / max(work, 1) + 0.5)
        d.images = max(min(d.images, images * groups // (2 * TASKS_A_THREAD * threads)), 1)
    if shared and threads > 1:
        while d.rows > 1 and images * groups * blocks(v.P, d.rows) < TASKS_A_THREAD * threads:
            d.rows = blocks(d.rows, 2)
    d.row_blocks, d.image_blocks = blocks(v.P, d.rows), blocks(images, d.images)
    d.parts = d.image_blocks * groups * d.row_blocks
    d.tasks = d.parts if shared else min(d.parts, 1)


# The scratch of a task: the image and how it is laid out, a tile.
cdef struct Workspace:
    Layout layout
    Py_ssize_t *step        # of the taps in a panel
    void *image
    void *panel
    void *tile
    Py_ssize_t bytes


cdef Workspace workspace(Conv *v, Division *d, int itemsize, void *memory) noexcept nogil:
    cdef Workspace w
    cdef Py_ssize_t start = <Py_ssize_t> memory, at
    w.layout = empty_layout(memory, v, d.channels)
    at = layout_bytes(v, d.channels, d.rows, itemsize)
    w.step = <Py_ssize_t *> (start + at)
    at = round_up(at + d.channels * taps_of(v) * sizeof(Py_ssize_t), 64)
    w.panel = <void *> (start + at)
    at = round_up(at + d.channels * taps_of(v) * 2 * lanes_of(itemsize) * itemsize, 64)
    w.image = <void *> (start + at)
    at = round_up(at + image_size(v, d.channels, d.rows, itemsize) * itemsize, 64)
    w.tile = <void *> (start + at)
    w.bytes = at + FN_TILE_SIZE * sizeof(double)
    return w


cdef inline Py_ssize_t packed_filters(Conv *v, Division *d) noexcept nogil:
    """Elements of one group's filters, packed."""
    return v.C * taps_of(v) * d.strips * d.strip


cdef inline Py_ssize_t packed_at(
    Conv *v, Division *d, Py_ssize_t channel, Py_ssize_t strip
) noexcept nogil:
    """Where the taps of a strip begin, from a channel on, which begins a block."""
    cdef Py_ssize_t depth = min(d.channels, v.C - channel) * taps_of(v)
    return (channel * taps_of(v) * d.strips + depth * strip) * d.strip


cdef void scatter(
    Conv *v, Target *t, const floating *tile, Py_ssize_t width, int rows, Py_ssize_t first,
    int n, floating *out, bint add
) noexcept nogil:
    """Bring the results first:first + n of a tile to where they belong."""
    cdef Py_ssize_t j
    cdef floating *place
    cdef int i, column
    for column in range(n):
        j = first + column
        place = out + j // v.Q * t.row + j % v.Q * t.column
        for i in range(rows):
            if add:
                place[i * t.plane] += tile[i * width + column]
            else:
                place[i * t.plane] = tile[i * width + column]


cdef inline void conv_tile(
    int rows, int places, Py_ssize_t K, const floating *a, Py_ssize_t a_row, Py_ssize_t a_k,
    const floating *image, const Py_ssize_t *offset, floating *c, Py_ssize_t c_row,
    const floating *bias, bint add
) noexcept nogil:
    if floating is float:
        fn_conv_tile_32(rows, places, K, a, a_row, a_k, image, offset, c, c_row, bias, add)
    else:
        fn_conv_tile_64(rows, places, K, a, a_row, a_k, image, offset, c, c_row, bias, add)


cdef void convolve_block(
    Conv *v, Division *d, Target *t, Workspace *w, const floating *source,
    const floating *filters, bint packed, const floating *bias, floating *out, Py_ssize_t u0,
    Py_ssize_t n
) noexcept nogil:
    """Rows u0:u0 + n of the results of one image."""
    cdef Py_ssize_t channel = 0, channels, k
    for k in range(d.channels * taps_of(v) if d.strips >= PANEL_STRIPS else 0):
        w.step[k] = 2 * lanes_of(sizeof(floating)) * k
    lay_out(v, d.channels, u0, n, sizeof(floating), &w.layout)
    while channel == 0 or channel < v.C:
        channels = min(d.channels, v.C - channel)
        copy_image(
            v, source + channel * v.H * v.W, channels, u0, n, <floating *> w.image,
            &w.layout)
        convolve_channels(
            v, d, t, w, filters, packed, bias if channel == 0 else NULL, out + u0 * t.row,
            n * v.Q, channel, channels * taps_of(v))
        channel += channels


cdef void convolve_channels(
    Conv *v, Division *d, Target *t, Workspace *w, const floating *filters, bint packed,
    const floating *bias, floating *out, Py_ssize_t places, Py_ssize_t channel, Py_ssize_t K
) noexcept nogil:
    """All filters over one block of channels: K taps, from ``channel`` on."""
    cdef Py_ssize_t width = 2 * lanes_of(sizeof(floating)), o, j, panel, strip
    cdef Py_ssize_t a_row = 1 if packed else v.C * taps_of(v), a_k = d.strip if packed else 1
    cdef const floating *image
    cdef const Py_ssize_t *offset
    cdef const floating *a
    cdef const floating *shift = NULL
    cdef floating *tile = <floating *> w.tile
    cdef int rows, count
    for panel in range(blocks(places, width)):
        j = panel * width
        count = <int> min(width, places - j)
        image, offset = <const floating *> w.image + j, w.layout.offset
        if d.strips >= PANEL_STRIPS:
            if floating is float:
                fn_conv_panel_32(K, image, offset, <floating *> w.panel)
            else:
                fn_conv_panel_64(K, image, offset, <floating *> w.panel)
            image, offset = <const floating *> w.panel, w.step
        for strip in range(d.strips):
            o = strip * d.strip
            rows = <int> min(d.strip, v.F - o)
            if packed:
                a = filters + packed_at(v, d, channel, strip)
            else:
                a = filters + o * a_row + channel * taps_of(v)
            if bias != NULL:
                shift = bias + o
            if t.column == 1 and t.row == v.Q:
                conv_tile(
                    rows, count, K, a, a_row, a_k, image, offset, out + o * t.plane + j,
                    t.plane, shift, channel > 0)
            else:
                conv_tile(
                    rows, count, K, a, a_row, a_k, image, offset, tile, width, shift, False)
                scatter(v, t, tile, width, rows, j, count, out + o * t.plane, channel > 0)


cdef void convolve(
    Conv *v, Division *d, Target *t, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t task,
    const floating *x, const floating *filters, bint packed, const floating *bias,
    floating *out, Call *finish, task_t finish_task, floating *scratch
) noexcept nogil:
    """One task: some images of one group, one block of rows; or all of it where it is little."""
    cdef Workspace w = workspace(v, d, sizeof(floating), scratch)
    cdef Py_ssize_t part, first, n, group, u0, rows, image, size = v.F * v.C * taps_of(v)
    if packed:
        size = packed_filters(v, d)
    for part in range(task, task + 1 if d.tasks > 1 else d.parts):
        u0 = part % d.row_blocks * d.rows
        rows = min(d.rows, v.P - u0)
        group = part // d.row_blocks % groups
        first = part // d.row_blocks // groups * d.images
        for n in range(first, min(first + d.images, images)):
            image = n * groups + group
            convolve_block(
                v, d, t, &w, x + image * v.C * v.H * v.W, filters + group * size, packed,
                bias + group * v.F if bias != NULL else NULL, out + image * v.F * t.plane, u0,
                rows)
            if finish != NULL:
                finish_rows(
                    v, image * v.F * t.plane + u0 * v.Q, t.plane, rows, finish, finish_task,
                    scratch)


cdef void finish_rows(
    Conv *v, Py_ssize_t start, Py_ssize_t plane, Py_ssize_t rows, Call *finish,
    task_t finish_task, floating *scratch
) noexcept nogil:
    """The elementwise call on some rows of all filters' results, the first of them at start."""
    finish_runs(
        finish, finish_task, start, rows * v.Q, v.F, plane, <floating *> NULL, 0, scratch)


# --- conv2d(x, W, b, stride, padding, dilation, groups, out) --------------------------

# The sizes of a call, forward or backward.
cdef struct Geometry:
    Py_ssize_t N, C, H, W, F, KH, KW, P, Q, groups
    Py_ssize_t stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w


cdef Geometry read_geometry(Call *c, bint backward) noexcept nogil:
    """The letters stand in another order where dout (N, O, P, Q) comes first."""
    cdef Geometry g
    cdef Py_ssize_t *s = c.size
    g.N = s[0]
    if backward:
        g.F, g.P, g.Q, g.C, g.H, g.W, g.KH, g.KW = s[1], s[2], s[3], s[4], s[5], s[6], s[8], s[9]
    else:
        g.C, g.H, g.W, g.F, g.KH, g.KW, g.P, g.Q = s[1], s[2], s[3], s[4], s[6], s[7], s[8], s[9]
    g.stride_h, g.stride_w = <Py_ssize_t> c.scalar[0], <Py_ssize_t> c.scalar[1]
    g.padding_h, g.padding_w = <Py_ssize_t> c.scalar[2], <Py_ssize_t> c.scalar[3]
    g.dilation_h, g.dilation_w = <Py_ssize_t> c.scalar[4], <Py_ssize_t> c.scalar[5]
    g.groups = <Py_ssize_t> c.scalar[6]
    return g


cdef Conv forward_conv(Geometry *g) noexcept nogil:
    """The convolution of one image by one group's filters."""
    cdef Conv v
    v.C, v.H, v.W, v.F = g.C // g.groups, g.H, g.W, g.F // g.groups
    v.KH, v.KW, v.P, v.Q = g.KH, g.KW, g.P, g.Q
    v.stride_h, v.stride_w = g.stride_h, g.stride_w
    v.dilation_h, v.dilation_w = g.dilation_h, g.dilation_w
    v.top, v.left = g.padding_h, g.padding_w
    return v


cdef void plan_conv2d(Call *c) noexcept nogil:
    cdef Geometry g = read_geometry(c, False)
    cdef Conv v = forward_conv(&g)
    cdef Division d
    cdef Tiling t
    if by_winograd(&v, g.N, c.itemsize):
        divide_tiles(&v, &t, g.N, g.groups, c.threads)
        c.phases = 2
        c.tasks[0], c.tasks[1] = g.groups * filter_tasks(&t), g.groups * t.blocks
        c.scratch = tiling_space(&t, FN_PLACES * t.next_sums, NULL).bytes
        c.shared = g.groups * transformed_filters(&t) * c.itemsize
        return
    divide_conv(&v, &d, g.N, g.groups, c.threads, c.itemsize)
    c.phases = 1
    c.tasks[0] = d.tasks
    c.scratch = workspace(&v, &d, c.itemsize, NULL).bytes


cdef void conv2d(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Geometry g = read_geometry(c, False)
    cdef Conv v = forward_conv(&g)
    cdef Division d
    cdef Target t
    cdef Filters filters
    if floating is float:
        if by_winograd(&v, g.N, sizeof(floating)):
            filters = filters_of(&v, <const float *> c.array[1])
            convolve_tiles(
                &v, c, phase, task, g.N, g.groups, <const float *> c.array[0], &filters,
                <const float *> c.array[2], <float *> c.array[3], OF_Y, scratch)
            return
    divide_conv(&v, &d, g.N, g.groups, c.threads, sizeof(floating))
    t.plane, t.row, t.column = g.P * g.Q, g.Q, 1
    convolve(
        &v, &d, &t, g.N, g.groups, task, <const floating *> c.array[0],
        <const floating *> c.array[1], False, <const floating *> c.array[2],
        <floating *> c.array[3], c.finish[OF_Y], c.finish_task[OF_Y], scratch)
