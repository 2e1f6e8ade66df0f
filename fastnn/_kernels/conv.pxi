# 2-D convolution: filters (O, K) times the patches of an image, without a matrix of patches.
#
# The results of one image are cut into blocks of whole rows; a task copies the part of the
# image that its block needs (patches.pxi) and walks k in blocks, as gemm.pxi does.  A tile
# takes its runs of places from the image where it lies if rows fill the vectors or the
# filters are few; else the runs are packed into panels first.

cdef extern from "gemm_types.h" nogil:
    void fn_conv_tile_32(
        int rows, Py_ssize_t K, const float *a, Py_ssize_t a_row, const float *b0,
        const float *b1, const Py_ssize_t *offset, float *c0, float *c1, Py_ssize_t c_row,
        int part0, int part1, const float *bias, int add)
    void fn_conv_tile_64(
        int rows, Py_ssize_t K, const double *a, Py_ssize_t a_row, const double *b0,
        const double *b1, const Py_ssize_t *offset, double *c0, double *c1, Py_ssize_t c_row,
        int part0, int part1, const double *bias, int add)
    void fn_conv_pack_32(
        Py_ssize_t K, const float *image, const Py_ssize_t *offset, int runs, const fn_run *run,
        float *packed)
    void fn_conv_pack_64(
        Py_ssize_t K, const double *image, const Py_ssize_t *offset, int runs,
        const fn_run *run, double *packed)

cdef enum:
    PANEL_BYTES = 1024      # of one row of all panels of a block: 256 places of float
    PACKED_BYTES = 360000   # of all panels: they stay in the second cache
    IMAGE_BYTES = 262144    # of an image that tiles read in place
    PACKING_COST = 8        # of a run, in vectors of multiply-adds
    TASK_WORK = 400000      # multiply-adds of a task, at least, where a batch has enough of them

# How a convolution is divided: sizes alone decide on ``packed`` and ``depth``, and so on the order
# of every sum; the number of threads only on who does what.
cdef struct Division:
    bint packed
    Py_ssize_t depth        # taps in one block of k
    Py_ssize_t rows         # rows of results in one block
    Py_ssize_t images       # images in one task
    Py_ssize_t row_blocks, image_blocks, parts, tasks

# Where results go: filter o, row u and column v at out + o plane + u row + v column.
cdef struct Target:
    Py_ssize_t plane, row, column


cdef inline Py_ssize_t lanes_of(int itemsize) noexcept nogil:
    return FN_LANES_32 if itemsize == 4 else FN_LANES_64


cdef Py_ssize_t best_rows(Conv *v, Py_ssize_t lanes, int itemsize, Py_ssize_t *vectors) noexcept nogil:
    """Rows of a block whose places, side by side, fill their vectors best."""
    cdef Py_ssize_t n, total, best = 1
    vectors[0] = v.P * blocks(v.Q, lanes)
    for n in range(1, v.P + 1):
        if n > 1 and n * v.Q * itemsize > PANEL_BYTES:
            break
        total = v.P // n * blocks(n * v.Q, lanes) + blocks(v.P % n * v.Q, lanes)
        if total <= vectors[0]:
            best, vectors[0] = n, total
    return best


cdef void divide_conv(
    Conv *v, Division *d, Py_ssize_t images, Py_ssize_t groups, int threads, int itemsize
) noexcept nogil:
    cdef Py_ssize_t lanes = lanes_of(itemsize), places, vectors, runs = v.P * blocks(v.Q, lanes)
    cdef double work = <double> v.O * v.K * v.P * v.Q
    cdef bint shared
    d.rows = best_rows(v, lanes, itemsize, &vectors)
    d.packed = runs * v.O > vectors * v.O + PACKING_COST * (runs + vectors // 2)
    d.depth = K_BLOCK // itemsize
    if d.packed:
        places = round_up(d.rows * v.Q, 2 * lanes)
        d.depth = max(min(PACKED_BYTES // (places * itemsize), d.depth), 32)
    else:
        d.rows = max(v.P, 1)
        while d.rows > 1 and image_size(v, d.rows, itemsize) * itemsize > IMAGE_BYTES:
            d.rows = blocks(d.rows, 2)
    d.depth = max(blocks(v.K, max(blocks(v.K, d.depth), 1)), 1)
    d.images = 1
    shared = work * images * groups >= WORTH_SHARING
    if shared and threads > 1:
        if work < TASK_WORK:
            d.images = <Py_ssize_t> (TASK_WORK / max(work, 1))
            d.images = max(min(d.images, images * groups // (TASKS_A_THREAD * threads)), 1)
        while d.rows > 1 and images * groups * blocks(v.P, d.rows) < TASKS_A_THREAD * threads:
            d.rows = blocks(d.rows, 2)
    d.row_blocks, d.image_blocks = blocks(v.P, d.rows), blocks(images, d.images)
    d.parts = d.image_blocks * groups * d.row_blocks
    d.tasks = d.parts if shared else min(d.parts, 1)


# The scratch of a task: the taps' offsets, the runs of a block, the image, the panels, a tile.
cdef struct Workspace:
    Py_ssize_t *offset
    Py_ssize_t *step      # of the taps in a panel
    fn_run *run
    void *image
    void *panels
    void *tile
    Py_ssize_t bytes


cdef Workspace workspace(Conv *v, Division *d, int itemsize, void *memory) noexcept nogil:
    cdef Workspace w
    cdef Py_ssize_t lanes = lanes_of(itemsize), at = 0
    cdef Py_ssize_t panels = blocks(d.rows * v.Q, 2 * lanes) if d.packed else 0
    cdef Py_ssize_t start = <Py_ssize_t> memory
    w.offset, at = <Py_ssize_t *> start, at + v.K * sizeof(Py_ssize_t)
    w.step, at = <Py_ssize_t *> (start + at), at + d.depth * sizeof(Py_ssize_t)
    w.run = <fn_run *> (start + at)
    at = round_up(at + d.rows * (2 * blocks(v.Q, lanes) + 1) * sizeof(fn_run), 64)
    w.image = <void *> (start + at)
    at = round_up(at + image_size(v, d.rows, itemsize) * itemsize, 64)
    w.panels = <void *> (start + at)
    at = round_up(at + (panels * d.depth + 1) * 2 * lanes * itemsize, 64)
    w.tile = <void *> (start + at)
    w.bytes = at + FN_TILE_SIZE * sizeof(double)
    return w


cdef Py_ssize_t find_runs(Conv *v, Py_ssize_t n, Py_ssize_t lanes, fn_run *run) noexcept nogil:
    """The runs of at most a vector that tiles read in place: where each is, its first result."""
    cdef Py_ssize_t u, q, i, count = 0
    for u in range(n):
        for i in range(blocks(v.Q, lanes)):
            q = i * lanes
            run[count].place = u * v.stride_h * v.row + q
            run[count].at = u * v.Q + q
            run[count].count = <int> min(lanes, v.Q - q)
            count += 1
    return count


cdef int find_panel_runs(
    Conv *v, Py_ssize_t first, Py_ssize_t end, fn_run *run
) noexcept nogil:
    """The runs of the places first:end, row by row, as one panel holds them."""
    cdef Py_ssize_t j = first, n
    cdef int count = 0
    while j < end:
        n = min(v.Q - j % v.Q, end - j)
        run[count].place = j // v.Q * v.stride_h * v.row + j % v.Q
        run[count].at, run[count].count = j - first, <int> n
        count += 1
        j += n
    return count


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


cdef void convolve_block(
    Conv *v, Division *d, Target *t, Workspace *w, const floating *source,
    const floating *filters, const floating *bias, floating *out, Py_ssize_t u0, Py_ssize_t n
) noexcept nogil:
    """Rows u0:u0 + n of the results of one image."""
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating)), plane = plane_of(v, n, sizeof(floating))
    cdef Py_ssize_t places = n * v.Q, runs, panel, k0 = 0, depth, j, k
    cdef floating *image = <floating *> w.image
    cdef floating *panels = <floating *> w.panels
    find_offsets(v, plane, w.offset)
    copy_image(v, source, u0, n, plane, image)
    out += u0 * t.row
    if d.packed:
        for k in range(d.depth):
            w.step[k] = 2 * lanes * k
    else:
        runs = find_runs(v, n, lanes, w.run)
    while k0 == 0 or k0 < v.K:
        depth = min(d.depth, v.K - k0)
        if d.packed:
            for panel in range(blocks(places, 2 * lanes)):
                j = panel * 2 * lanes
                runs = find_panel_runs(v, j, min(j + 2 * lanes, places), w.run)
                if floating is float:
                    fn_conv_pack_32(
                        depth, image, w.offset + k0, <int> runs, w.run, panels + j * depth)
                else:
                    fn_conv_pack_64(
                        depth, image, w.offset + k0, <int> runs, w.run, panels + j * depth)
            convolve_panels(v, t, w, filters + k0, bias if k0 == 0 else NULL, out, places, depth, k0 > 0)
        else:
            convolve_runs(
                v, t, w, filters + k0, bias if k0 == 0 else NULL, out, runs, k0, depth)
        k0 += max(depth, 1)


cdef inline void conv_tile(
    int rows, Py_ssize_t K, const floating *a, Py_ssize_t a_row, const floating *b0,
    const floating *b1, const Py_ssize_t *offset, floating *c0, floating *c1, Py_ssize_t c_row,
    int part0, int part1, const floating *bias, bint add
) noexcept nogil:
    if floating is float:
        fn_conv_tile_32(
            rows, K, a, a_row, b0, b1, offset, c0, c1, c_row, part0, part1, bias, add)
    else:
        fn_conv_tile_64(
            rows, K, a, a_row, b0, b1, offset, c0, c1, c_row, part0, part1, bias, add)


cdef void convolve_panels(
    Conv *v, Target *t, Workspace *w, const floating *filters, const floating *bias,
    floating *out, Py_ssize_t places, Py_ssize_t depth, bint add
) noexcept nogil:
    """All filters over packed panels, for one block of k."""
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating)), width = 2 * lanes, o = 0, j, panel
    cdef Py_ssize_t strip = blocks(v.O, blocks(v.O, FN_TILE_ROWS))
    cdef floating *tile = <floating *> w.tile
    cdef const floating *b
    cdef const floating *second
    cdef int rows, count, part0, part1
    while o < v.O:
        rows = <int> min(strip, v.O - o)
        for panel in range(blocks(places, width)):
            j = panel * width
            b = <const floating *> w.panels + j * depth
            count = <int> min(width, places - j)
            part0, part1 = <int> min(<Py_ssize_t> count, lanes), count - <int> lanes
            second = b + lanes if part1 > 0 else NULL
            if t.column == 1 and t.row == v.Q:
                conv_tile(
                    rows, depth, filters + o * v.K, v.K, b, second, w.step,
                    out + o * t.plane + j, out + o * t.plane + j + lanes, t.plane, part0, part1,
                    bias + o if bias != NULL else NULL, add)
            else:
                conv_tile(
                    rows, depth, filters + o * v.K, v.K, b, second, w.step, tile, tile + lanes,
                    width, part0, part1, bias + o if bias != NULL else NULL, False)
                scatter(v, t, tile, width, rows, j, count, out + o * t.plane, add)
        o += strip


cdef void convolve_runs(
    Conv *v, Target *t, Workspace *w, const floating *filters, const floating *bias,
    floating *out, Py_ssize_t runs, Py_ssize_t k0, Py_ssize_t depth
) noexcept nogil:
    """All filters over the image where it lies, for one block of k."""
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating)), width = 2 * lanes, o = 0, i
    cdef Py_ssize_t strip = blocks(v.O, blocks(v.O, FN_TILE_ROWS))
    cdef const floating *image = <const floating *> w.image
    cdef floating *tile = <floating *> w.tile
    cdef floating *c
    cdef const floating *second
    cdef fn_run *first
    cdef fn_run *last
    cdef int rows
    while o < v.O:
        rows = <int> min(strip, v.O - o)
        c = out + o * t.plane
        for i in range(0, runs, 2):
            first = w.run + i
            last = first + 1 if i + 1 < runs else first
            second = image + last.place if last != first else NULL
            if t.column == 1:
                conv_tile(
                    rows, depth, filters + o * v.K, v.K, image + first.place, second,
                    w.offset + k0, c + target_of(v, t, first), c + target_of(v, t, last), t.plane,
                    first.count, last.count, bias + o if bias != NULL else NULL, k0 > 0)
            else:
                conv_tile(
                    rows, depth, filters + o * v.K, v.K, image + first.place, second,
                    w.offset + k0, tile, tile + lanes, width, first.count, last.count,
                    bias + o if bias != NULL else NULL, False)
                scatter(v, t, tile, width, rows, first.at, first.count, c, k0 > 0)
                if last != first:
                    scatter(v, t, tile + lanes, width, rows, last.at, last.count, c, k0 > 0)
        o += strip


cdef inline Py_ssize_t target_of(Conv *v, Target *t, fn_run *run) noexcept nogil:
    """Where the first result of a run goes; ``at`` counts results row by row."""
    return run.at if t.row == v.Q else run.at // v.Q * t.row + run.at % v.Q


cdef void convolve(
    Conv *v, Division *d, Target *t, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t task,
    const floating *x, const floating *filters, const floating *bias, floating *out,
    floating *scratch
) noexcept nogil:
    """One task: some images of one group, one block of rows; or all of it where it is little."""
    cdef Workspace w = workspace(v, d, sizeof(floating), scratch)
    cdef Py_ssize_t part, first, n, group, u0
    for part in range(task, task + 1 if d.tasks > 1 else d.parts):
        u0 = part % d.row_blocks * d.rows
        group = part // d.row_blocks % groups
        first = part // d.row_blocks // groups * d.images
        for n in range(first, min(first + d.images, images)):
            convolve_block(
                v, d, t, &w, x + (n * groups + group) * v.C * v.H * v.W,
                filters + group * v.O * v.K, bias + group * v.O if bias != NULL else NULL,
                out + (n * groups + group) * v.O * t.plane, u0, min(d.rows, v.P - u0))


# --- conv2d(x, W, b, stride, padding, dilation, groups, out) --------------------------

# The sizes of a call, forward or backward.
cdef struct Geometry:
    Py_ssize_t N, C, H, W, O, KH, KW, P, Q, groups
    Py_ssize_t stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w


cdef Geometry read_geometry(Call *c, bint backward) noexcept nogil:
    """The letters stand in another order where dout (N, O, P, Q) comes first."""
    cdef Geometry g
    cdef Py_ssize_t *s = c.size
    g.N = s[0]
    if backward:
        g.O, g.P, g.Q, g.C, g.H, g.W, g.KH, g.KW = s[1], s[2], s[3], s[4], s[5], s[6], s[8], s[9]
    else:
        g.C, g.H, g.W, g.O, g.KH, g.KW, g.P, g.Q = s[1], s[2], s[3], s[4], s[6], s[7], s[8], s[9]
    g.stride_h, g.stride_w = <Py_ssize_t> c.scalar[0], <Py_ssize_t> c.scalar[1]
    g.padding_h, g.padding_w = <Py_ssize_t> c.scalar[2], <Py_ssize_t> c.scalar[3]
    g.dilation_h, g.dilation_w = <Py_ssize_t> c.scalar[4], <Py_ssize_t> c.scalar[5]
    g.groups = <Py_ssize_t> c.scalar[6]
    return g


cdef Conv forward_conv(Geometry *g) noexcept nogil:
    """The convolution of one image by one group's filters."""
    cdef Conv v
    v.C, v.H, v.W, v.O = g.C // g.groups, g.H, g.W, g.O // g.groups
    v.KH, v.KW, v.P, v.Q = g.KH, g.KW, g.P, g.Q
    v.stride_h, v.stride_w = g.stride_h, g.stride_w
    v.dilation_h, v.dilation_w = g.dilation_h, g.dilation_w
    v.top, v.left = g.padding_h, g.padding_w
    lay_out(&v)
    return v


cdef void plan_conv2d(Call *c) noexcept nogil:
    cdef Geometry g = read_geometry(c, False)
    cdef Conv v = forward_conv(&g)
    cdef Division d
    divide_conv(&v, &d, g.N, g.groups, c.threads, c.itemsize)
    c.phases = 1
    c.tasks[0] = d.tasks
    c.scratch = workspace(&v, &d, c.itemsize, NULL).bytes


cdef void conv2d(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    cdef Geometry g = read_geometry(c, False)
    cdef Conv v = forward_conv(&g)
    cdef Division d
    cdef Target t
    divide_conv(&v, &d, g.N, g.groups, c.threads, sizeof(floating))
    t.plane, t.row, t.column = g.P * g.Q, g.Q, 1
    convolve(
        &v, &d, &t, g.N, g.groups, task, <const floating *> c.array[0],
        <const floating *> c.array[1], <const floating *> c.array[2], <floating *> c.array[3],
        scratch)
