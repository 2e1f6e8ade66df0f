# The gradient of a convolution by its filters and bias: few results, long sums.
#
# The sum over images and places is cut into chunks of images, blocks of rows within them, and
# the chunks' partial sums are added in order: all by sizes alone.  A tile holds either taps by
# filters, with dout turned so that filters fill the lanes; or, where one vector of them is enough,
# all taps of a small square, which leave nothing of the registers idle; or, where filters or
# taps are few, filters by taps with places in the lanes, for which nothing is turned.

cdef extern from "gemm_types.h" nogil:
    const int FN_PLACES_ROWS, FN_PLACES_TAPS, FN_SQUARE
    void fn_fold_32(Py_ssize_t n, const float *vectors, float *sums)
    void fn_fold_64(Py_ssize_t n, const double *vectors, double *sums)

cdef enum:
    MAX_CHUNKS = 16
    PARTIAL_SUMS = 262144    # elements of all chunks' partial sums together, unless one has more
    PLACES = 256             # in one block of rows: a panel of dout stays in the first cache
    PLACES_FILTERS = 32      # whose rows of dout stay in the first cache
    TURNING_COST = 12        # of a vector of dout, in vectors of multiply-adds
    IMAGES_BYTES = 32768     # of the images that places-in-lanes tiles walk at once: a first cache
    LANES_BYTES = 65536      # of the sums that they keep, lane by lane

cdef struct WeightDivision:
    bint by_places, by_squares
    Py_ssize_t filters, channels, taps, K  # of one group
    Py_ssize_t row           # elements of a row of partial sums: (K, filters) or (filters, K)
    Py_ssize_t images        # of one chunk,
    Py_ssize_t batch         # of which so many at once
    Py_ssize_t rows          # of results in one block
    Py_ssize_t chunks, filter_blocks, channel_blocks
    Py_ssize_t filters_a_task, channels_a_task
    Py_ssize_t tasks, sum_tasks, scratch, shared


cdef inline Py_ssize_t bias_bytes(Geometry *g, Py_ssize_t chunks) noexcept nogil:
    """Of the chunks' sums for the bias, which lie before those for the filters."""
    return round_up(chunks * g.F * sizeof(double), 64)


cdef inline Py_ssize_t partial_size(WeightDivision *d) noexcept nogil:
    """Elements of one chunk's and group's sums."""
    return (d.filters if d.by_places else d.K) * d.row


cdef Conv weight_conv(Geometry *g, WeightDivision *d, Py_ssize_t channels) noexcept nogil:
    cdef Conv v = forward_conv(g)
    v.C, v.F = channels, d.filters
    return v


cdef void share_weights(
    Geometry *g, WeightDivision *d, Py_ssize_t panels, int threads, int itemsize
) noexcept nogil:
    """Filters and channels in about as many blocks each: what images and dout cost is paid
    once for each block of the others.  No sum depends on it."""
    cdef Conv v
    cdef Py_ssize_t width = 2 * lanes_of(itemsize), wanted = 1, filter_blocks = 1
    cdef double work = <double> d.filters * d.K * g.N * g.P * g.Q * g.groups
    if threads > 1 and work >= WORTH_SHARING:
        wanted = blocks(TASKS_A_THREAD * threads, d.chunks * g.groups)
    while filter_blocks * filter_blocks < wanted and filter_blocks < panels:
        filter_blocks += 1
    d.filters_a_task = blocks(panels, filter_blocks) * width
    d.channels_a_task = blocks(d.channels, min(blocks(wanted, filter_blocks), d.channels))
    v = weight_conv(g, d, d.channels_a_task)
    while v.C > 8 and image_size(&v, v.C, d.rows, itemsize) * itemsize > IMAGE_BYTES:
        v.C = blocks(v.C, 2)
    d.channels_a_task = v.C


cdef WeightDivision divide_weights(Geometry *g, Call *c) noexcept nogil:
    cdef WeightDivision d
    cdef Conv v
    cdef int threads = c.threads, itemsize = c.itemsize
    cdef Py_ssize_t lanes = lanes_of(itemsize), width = 2 * lanes, panels, vectors, places
    d.filters, d.channels, d.taps = g.F // g.groups, g.C // g.groups, g.KH * g.KW
    d.K = d.channels * d.taps
    panels, vectors, places = blocks(d.filters, width), blocks(d.filters, lanes), g.P * g.Q
    d.by_places = (
        d.filters <= PLACES_FILTERS and (FN_PARTIAL_IS_FAST or places % lanes == 0)
        and d.filters * d.K * blocks(places, lanes)
        < d.K * vectors * places + TURNING_COST * d.filters * places // lanes)
    d.by_squares = (
        not d.by_places and d.filters <= lanes and g.KH == g.KW and (g.KH == 3 or g.KH == 5)
        and g.KH <= FN_SQUARE
        and g.stride_h == g.stride_w == g.dilation_h == g.dilation_w == 1)
    d.row = d.K if d.by_places else panels * width
    d.chunks = max(min(PARTIAL_SUMS // max(g.groups * partial_size(&d), 1), MAX_CHUNKS), 1)
    d.images = max(blocks(g.N, d.chunks), 1)
    d.chunks = max(blocks(g.N, d.images), 1)
    d.rows, d.batch = max(min(PLACES // g.Q, g.P), 1), 1
    d.filters_a_task, d.channels_a_task = panels * width, d.channels
    if d.by_places:
        d.channels_a_task = max(
            LANES_BYTES // max(d.filters * d.taps * lanes * itemsize, 1), 1)
        d.channels_a_task = blocks(d.channels, max(blocks(d.channels, d.channels_a_task), 1))
        v = weight_conv(g, &d, d.channels_a_task)
        d.rows = g.P
        while d.rows > 1 and image_size(&v, v.C, d.rows, itemsize) * itemsize > IMAGES_BYTES:
            d.rows = blocks(d.rows, 2)
        if d.rows == g.P:
            d.batch = IMAGES_BYTES // (image_size(&v, v.C, d.rows, itemsize) * itemsize)
            d.batch = max(min(d.batch, d.images), 1)
    else:
        share_weights(g, &d, panels, threads, itemsize)
    if c.before != NULL and d.chunks >= threads:  # what it makes is made once for a task
        d.filters_a_task, d.channels_a_task = panels * width, d.channels
    d.filter_blocks = blocks(d.filters, d.filters_a_task)
    d.channel_blocks = blocks(d.channels, d.channels_a_task)
    v = weight_conv(g, &d, d.channels_a_task)
    d.tasks = d.chunks * g.groups * d.filter_blocks * d.channel_blocks
    d.sum_tasks = g.groups * blocks(d.K, SUMMED_TAPS)
    d.shared = bias_bytes(g, d.chunks) + d.chunks * g.groups * partial_size(&d) * itemsize
    d.scratch = weight_workspace(g, &d, c, NULL).bytes
    d.scratch += d.batch * round_up(image_size(&v, v.C, d.rows, itemsize) * itemsize, 64)
    if not d.by_places:
        d.scratch += (d.rows * g.Q * width + 64) * itemsize
    return d


# The scratch of a task.
cdef struct WeightWorkspace:
    void *made          # the images' dout, where another call makes it,
    void *making        # and what that works with
    Layout layout
    void *lanes         # sums with places in the lanes
    void *image         # and behind it a panel of dout
    Py_ssize_t bytes    # before the image


cdef WeightWorkspace weight_workspace(
    Geometry *g, WeightDivision *d, Call *c, void *memory
) noexcept nogil:
    cdef WeightWorkspace w
    cdef Conv v = weight_conv(g, d, d.channels_a_task)
    cdef char *start = <char *> memory
    cdef Py_ssize_t at = 0
    w.made = w.making = memory
    if c.before != NULL:
        at = round_up(d.batch * g.F * g.P * g.Q * c.itemsize, 64)
        w.making = start + at
        at = round_up(at + giving_bytes(c.before), 64)
    w.layout = empty_layout(start + at, &v, v.C)
    at += layout_bytes(&v, v.C, d.rows, c.itemsize)
    w.lanes = start + at
    if d.by_places:
        at = round_up(at + d.filters * v.C * d.taps * lanes_of(c.itemsize) * c.itemsize, 64)
    w.image = start + at
    w.bytes = at
    return w


cdef void add_bias(
    Geometry *g, Py_ssize_t chunks, const double *bias, floating *db
) noexcept nogil:
    """Add up the chunks' parts, in order."""
    cdef Py_ssize_t o, chunk
    cdef double total
    for o in range(g.F):
        total = 0
        for chunk in range(chunks):
            total += bias[chunk * g.F + o]
        db[o] = <floating> total


cdef void weight_gradient(
    Geometry *g, WeightDivision *d, Call *c, Py_ssize_t task, void *shared, floating *scratch
) noexcept nogil:
    """One task: the sums over one chunk of images, for some filters and channels of a group."""
    cdef WeightWorkspace w = weight_workspace(g, d, c, scratch)
    cdef floating *image = <floating *> w.image
    cdef floating *lanes = <floating *> w.lanes
    cdef floating *made = <floating *> w.made
    cdef const floating *dout = <const floating *> c.array[0]
    cdef const floating *x = <const floating *> c.array[1]
    cdef bint with_dW = c.array[4] != NULL, with_db = c.array[5] != NULL
    cdef Py_ssize_t c_block = task % d.channel_blocks, rest = task // d.channel_blocks
    cdef Py_ssize_t f0 = rest % d.filter_blocks * d.filters_a_task
    cdef Py_ssize_t group = rest // d.filter_blocks % g.groups
    cdef Py_ssize_t chunk = rest // d.filter_blocks // g.groups
    cdef Py_ssize_t f1 = min(f0 + d.filters_a_task, d.filters)
    cdef Py_ssize_t c0 = c_block * d.channels_a_task
    cdef Py_ssize_t c1 = min(c0 + d.channels_a_task, d.channels)
    cdef Py_ssize_t n = chunk * d.images, end = min(n + d.images, g.N), first, f
    cdef double *bias = <double *> shared + chunk * g.F + group * d.filters
    cdef floating *partial = <floating *> (<char *> shared + bias_bytes(g, d.chunks))
    cdef Conv v = weight_conv(g, d, c1 - c0)
    partial += (chunk * g.groups + group) * partial_size(d)
    dout += group * d.filters * g.P * g.Q
    x += (group * d.channels + c0) * g.H * g.W
    if not with_dW:
        if c_block == 0:
            sum_biases(g, d.rows, n, end, dout, f0, f1, bias)
        return
    if n >= end:
        for f in range(partial_size(d)):
            partial[f] = 0
    if with_db and c_block == 0:
        for f in range(f0, f1):
            bias[f] = 0
    else:
        bias = NULL
    first = n
    while n < end:
        if c.before != NULL:
            give_images(
                c.before, c.before_task, n, min(d.batch, end - n), made, <floating *> w.making)
            dout = made - n * g.F * g.P * g.Q
        if d.by_places:
            add_places(
                g, d, &v, n, min(d.batch, end - n), dout, x, lanes, bias, n > first, &w.layout,
                image)
        elif d.by_squares:
            add_squares(
                g, d, &v, dout + n * g.F * g.P * g.Q, x + n * g.C * g.H * g.W,
                partial + c0 * d.taps * d.row, bias, n > first, image)
        else:
            add_taps(
                g, d, &v, dout + (n * g.F + f0) * g.P * g.Q, f1 - f0, x + n * g.C * g.H * g.W,
                partial + c0 * d.taps * d.row + f0, bias + f0 if bias != NULL else NULL,
                n > first, &w.layout, image)
        n += d.batch
    for f in range(d.filters if d.by_places and n > first else 0):
        if floating is float:
            fn_fold_32(
                v.C * d.taps, lanes + f * v.C * d.taps * lanes_of(sizeof(floating)),
                partial + f * d.row + c0 * d.taps)
        else:
            fn_fold_64(
                v.C * d.taps, lanes + f * v.C * d.taps * lanes_of(sizeof(floating)),
                partial + f * d.row + c0 * d.taps)


cdef enum:
    SUMMED_TAPS = 64  # of all filters of a group, in one task


cdef void add_weights(
    Geometry *g, WeightDivision *d, Py_ssize_t task, void *shared, floating *dW, floating *db
) noexcept nogil:
    """Add up the chunks, in order, for some taps of a group; the first task adds the bias."""
    cdef Py_ssize_t tap_blocks = blocks(d.K, SUMMED_TAPS), group = task // tap_blocks
    cdef Py_ssize_t k0 = task % tap_blocks * SUMMED_TAPS, k1 = min(k0 + SUMMED_TAPS, d.K)
    cdef Py_ssize_t next_chunk = g.groups * partial_size(d), chunk, i, k, o
    cdef floating *partial = <floating *> (<char *> shared + bias_bytes(g, d.chunks))
    cdef floating *part
    if db != NULL and task == 0:
        add_bias(g, d.chunks, <const double *> shared, db)
    if dW == NULL:
        return
    partial += group * partial_size(d)
    dW += group * d.filters * d.K
    if d.by_places:
        for o in range(d.filters):
            for k in range(k0, k1):
                dW[o * d.K + k] = partial[o * d.row + k]
            for chunk in range(1, d.chunks):
                part = partial + chunk * next_chunk + o * d.row
                for k in range(k0, k1):
                    dW[o * d.K + k] += part[k]
        return
    for chunk in range(1, d.chunks):
        part = partial + chunk * next_chunk
        for i in range(k0 * d.row, k1 * d.row):
            partial[i] += part[i]
    if floating is float:
        fn_transpose_32(partial + k0 * d.row, d.row, k1 - k0, d.filters, dW + k0, d.K)
    else:
        fn_transpose_64(partial + k0 * d.row, d.row, k1 - k0, d.filters, dW + k0, d.K)
