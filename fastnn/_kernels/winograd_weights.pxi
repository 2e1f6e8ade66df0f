# The gradient by 3x3 filters in float32, by Winograd's minimal filtering: the chain rule through
# results = A' [(G g G') * (B' d B)] A.
#
# For each of the 36 places the tiles' slopes A dout A', with filters in the lanes, times the
# tiles B' d B of the image are summed over all tiles: one matrix product, tiles the inner
# dimension.  As in conv_weights.pxi images are cut into chunks, whose sums are added in order;
# that much is decided by sizes alone.  Channels and filters are divided among the threads.

cdef extern from "winograd.h" nogil:
    void fn_winograd_ask(
        Py_ssize_t rows, Py_ssize_t row, Py_ssize_t n, const float *source)
    void fn_winograd_slopes(
        int side, Py_ssize_t P, Py_ssize_t Q, int vectors, const float *slopes,
        float *out, Py_ssize_t next)
    void fn_winograd_taps(
        int side, Py_ssize_t channels, Py_ssize_t row, const float *u, Py_ssize_t next,
        float *taps)

cdef enum:
    FEWEST_FILTERS = 16      # of which a vector of slopes is full
    CHANNEL_TILES = 1179648  # bytes of the tiles of a task's channels: about a second-level cache
    SUMMED_CHANNELS = 8      # of all filters of a group, in one task

cdef struct WeightTiling:
    Tiling tiling
    Py_ssize_t filters, channels     # of one group
    Py_ssize_t row                   # filters in whole panels
    Py_ssize_t place                 # elements of one place's sums: (channels, row)
    Py_ssize_t images, chunks
    Py_ssize_t filters_a_task, channels_a_task
    Py_ssize_t filter_blocks, channel_blocks
    Py_ssize_t tasks, sum_tasks, scratch, shared


cdef inline bint weights_by_winograd(Geometry *g, int itemsize) noexcept nogil:
    """Whether it saves work: as forward, with filters enough to fill a vector."""
    cdef Conv v = forward_conv(g)
    return v.KH == 3 and v.F >= FEWEST_FILTERS and by_winograd(&v, g.N, itemsize)


cdef inline Py_ssize_t group_sums(WeightTiling *d) noexcept nogil:
    """Elements of one chunk's and group's sums."""
    return FN_PLACES * d.place


cdef WeightTiling divide_weight_tiles(Geometry *g, int threads) noexcept nogil:
    cdef WeightTiling d
    cdef Tiling *t = &d.tiling
    cdef Conv v = forward_conv(g)
    cdef Py_ssize_t width = 2 * FN_LANES_32, panels, wanted = 1
    d.filters, d.channels = g.F // g.groups, g.C // g.groups
    panels = blocks(d.filters, width)
    d.row = panels * width
    d.place = d.channels * d.row
    d.chunks = max(min(PARTIAL_SUMS // (g.groups * group_sums(&d)), MAX_CHUNKS), 1)
    d.images = blocks(g.N, d.chunks)
    d.chunks = blocks(g.N, d.images)
    lay_tiles(&v, t, 1)
    lay_tiles(&v, t, min(MOST_TILES // t.tiles, d.images * t.rows))
    d.channels_a_task = max(
        CHANNEL_TILES // (FN_PLACES * t.pitch * <Py_ssize_t> sizeof(float)) // FN_TILE_ROWS, 1)
    d.channels_a_task = blocks(d.channels, blocks(d.channels, d.channels_a_task * FN_TILE_ROWS))
    d.channels_a_task = min(round_up(d.channels_a_task, FN_TILE_ROWS), d.channels)
    d.channel_blocks = blocks(d.channels, d.channels_a_task)
    # Each block of filters transforms the image again.
    if threads > 1:
        wanted = blocks(TASKS_A_THREAD * threads, d.chunks * g.groups * d.channel_blocks)
    d.filters_a_task = blocks(panels, min(wanted, panels)) * width
    d.filter_blocks = blocks(d.filters, d.filters_a_task)
    t.channel, t.panel = t.pitch, width
    t.next_tiles = d.channels_a_task * t.pitch
    d.tasks = d.chunks * g.groups * d.filter_blocks * d.channel_blocks
    d.sum_tasks = g.groups * blocks(d.channels, SUMMED_CHANNELS)
    d.shared = bias_bytes(g, d.chunks) + d.chunks * g.groups * group_sums(&d) * sizeof(float)
    d.scratch = max(
        weight_space(g, &d, NULL).bytes,
        SUMMED_CHANNELS * taps_of(&v) * d.row * <Py_ssize_t> sizeof(float))
    return d


cdef struct WeightSpace:
    TilingSpace tiling
    Py_ssize_t *offset   # of channels in the tiles
    float *slopes        # place by place, tiles by a panel of filters
    float *turned        # dout of a row of tiles, results by a panel of filters
    Py_ssize_t bytes


cdef inline Py_ssize_t next_slopes(Tiling *t) noexcept nogil:
    """Elements from one place's slopes to the next."""
    return t.pitch * 2 * FN_LANES_32


cdef WeightSpace weight_space(Geometry *g, WeightTiling *d, void *memory) noexcept nogil:
    cdef WeightSpace s
    cdef Py_ssize_t width = 2 * FN_LANES_32
    s.tiling = tiling_space(
        &d.tiling, FN_PLACES * next_slopes(&d.tiling) + d.tiling.side * g.Q * width, memory)
    s.slopes = s.tiling.sums
    s.turned = s.slopes + FN_PLACES * next_slopes(&d.tiling)
    s.offset = <Py_ssize_t *> (<char *> memory + round_up(s.tiling.bytes, 64))
    s.bytes = <Py_ssize_t> (s.offset + d.channels_a_task) - <Py_ssize_t> memory
    return s


cdef void turn_slopes(
    Geometry *g, WeightTiling *d, WeightSpace *s, const float *dout, Py_ssize_t filters
) noexcept nogil:
    """The slopes of a panel of filters in a task's tiles."""
    cdef Py_ssize_t width = 2 * FN_LANES_32, places = g.P * g.Q, first, rows, each, i
    cdef float *slopes = s.slopes
    cdef const float *source
    cdef Segment segment
    for each in range(s.tiling.count):
        segment = s.tiling.segments[each]
        for i in range(segment.rows):
            first = d.tiling.side * (segment.first + i)
            rows = min(g.P - first, <Py_ssize_t> d.tiling.side)
            source = dout + segment.image * g.F * places + first * g.Q
            fn_winograd_ask(filters, places, rows * g.Q, source + rows * g.Q)
            turn_panel(source, places, filters, rows * g.Q, s.turned, width)
            fn_winograd_slopes(
                d.tiling.side, rows, g.Q, 2 if filters > FN_LANES_32 else 1, s.turned, slopes,
                next_slopes(&d.tiling))
            slopes += tiles_of(&d.tiling, d.tiling.columns) * width


cdef void add_tiles(
    WeightTiling *d, WeightSpace *s, Py_ssize_t channels, int vectors, Py_ssize_t tiles,
    float *sums, bint add
) noexcept nogil:
    """The part of a block of tiles for some channels and a panel of filters, at all places."""
    cdef Py_ssize_t place, c
    cdef int rows
    for place in range(FN_PLACES):
        c = 0
        while c < channels:
            rows = <int> min(channels - c, <Py_ssize_t> FN_TILE_ROWS)
            fn_taps_tile_32(
                rows, vectors, tiles, s.tiling.tiles + place * d.tiling.next_tiles,
                s.offset + c, s.slopes + place * next_slopes(&d.tiling),
                sums + place * d.place + c * d.row, d.row, add)
            c += rows


cdef void weight_tiles(
    Geometry *g, WeightTiling *d, Py_ssize_t task, const float *dout, const float *x,
    bint with_dW, bint with_db, void *shared, float *scratch
) noexcept nogil:
    """One task: the sums over one chunk of images, for some filters and channels of a group."""
    cdef Py_ssize_t c_block = task % d.channel_blocks, rest = task // d.channel_blocks
    cdef Py_ssize_t f0 = rest % d.filter_blocks * d.filters_a_task
    cdef Py_ssize_t group = rest // d.filter_blocks % g.groups
    cdef Py_ssize_t chunk = rest // d.filter_blocks // g.groups
    cdef Py_ssize_t f1 = min(f0 + d.filters_a_task, d.filters), f
    cdef Py_ssize_t c0 = c_block * d.channels_a_task
    cdef Py_ssize_t n = chunk * d.images, last = min(n + d.images, g.N)
    cdef Py_ssize_t row = n * d.tiling.rows, begin = row, end, width = 2 * FN_LANES_32, patches
    cdef WeightSpace s = weight_space(g, d, scratch)
    cdef float *sums = <float *> (<char *> shared + bias_bytes(g, d.chunks))
    cdef Conv v = forward_conv(g)
    v.C = min(d.channels_a_task, d.channels - c0)
    dout += group * d.filters * g.P * g.Q
    x += (group * d.channels + c0) * g.H * g.W
    sums += (chunk * g.groups + group) * group_sums(d) + c0 * d.row
    if with_db and c_block == 0:
        sum_biases(
            g, g.P, n, last, dout, f0, f1, <double *> shared + chunk * g.F + group * d.filters)
    if not with_dW:
        return
    for f in range(v.C):
        s.offset[f] = f * d.tiling.channel
    while row < last * d.tiling.rows:
        end = min(row + d.tiling.block, last * d.tiling.rows)
        find_patches(&v, &d.tiling, &s.tiling, 0, row, end)
        patches = (end - row) * d.tiling.columns
        transform_tiles(&v, &d.tiling, &s.tiling, x, g.C * g.H * g.W, patches)
        f = f0
        while f < f1:
            turn_slopes(g, d, &s, dout + f * g.P * g.Q, min(width, f1 - f))
            add_tiles(
                d, &s, v.C, 2 if f1 - f > FN_LANES_32 else 1,
                tiles_of(&d.tiling, patches), sums + f, row > begin)
            f += width
        row = end


cdef float summed_weight(
    Geometry *g, const float *dout, const float *x, Py_ssize_t tap
) noexcept nogil:
    """One tap's gradient by one filter's dout and one channel's x, product by product."""
    cdef Py_ssize_t i = tap // g.KW - g.padding_h, j = tap % g.KW - g.padding_w, n, u, q
    cdef float sum = 0
    for n in range(g.N):
        for u in range(g.P):
            for q in range(g.Q):
                sum += dout[u * g.Q + q] * padded(x, g.H, g.W, u + i, q + j)
        if sum != sum:
            break
        dout += g.F * g.P * g.Q
        x += g.C * g.H * g.W
    return sum


cdef void add_weight_tiles(
    Geometry *g, WeightTiling *d, Py_ssize_t task, const float *dout, const float *x,
    void *shared, float *dW, float *db, float *scratch
) noexcept nogil:
    """Add up the chunks, in order, for some channels of a group; the first task adds the bias."""
    cdef Py_ssize_t channel_blocks = blocks(d.channels, SUMMED_CHANNELS)
    cdef Py_ssize_t group = task // channel_blocks
    cdef Py_ssize_t c0 = task % channel_blocks * SUMMED_CHANNELS, o, k, i, place, chunk
    cdef Py_ssize_t channels = min(d.channels - c0, <Py_ssize_t> SUMMED_CHANNELS)
    cdef Py_ssize_t taps = g.KH * g.KW, K = d.channels * taps, next_chunk = g.groups * group_sums(d)
    cdef float *sums = <float *> (<char *> shared + bias_bytes(g, d.chunks))
    cdef float *here
    cdef float *part
    if db != NULL and task == 0:
        add_bias(g, d.chunks, <const double *> shared, db)
    if dW == NULL:
        return
    sums += group * group_sums(d) + c0 * d.row
    for chunk in range(1, d.chunks):
        for place in range(FN_PLACES):
            here = sums + place * d.place
            part = here + chunk * next_chunk
            for i in range(channels * d.row):
                here[i] += part[i]
    fn_winograd_taps(d.tiling.side, channels, d.row, sums, d.place, scratch)
    dW += group * d.filters * K + c0 * taps
    fn_transpose_32(scratch, d.row, channels * taps, d.filters, dW, K)
    dout += group * d.filters * g.P * g.Q
    x += (group * d.channels + c0) * g.H * g.W
    for o in range(d.filters):
        if fn_winograd_finite(channels * taps, dW + o * K):
            continue
        for k in range(channels * taps):
            if dW[o * K + k] - dW[o * K + k] != 0:
                dW[o * K + k] = summed_weight(
                    g, dout + o * g.P * g.Q, x + k // taps * g.H * g.W, k % taps)
