# 3x3 and 5x5 convolutions in float32 by Winograd's minimal filtering: 36 multiplications for
# 16 results of a 3x3 filter, for 4 of a 5x5 one, instead of 144 or 100.
#
# The filters are transformed once, by all threads.  A task then takes some rows of tiles, across
# images where these are small: it transforms what all channels have there, and for a block of
# filters after the other makes 36 products of filters by channels and channels by tiles, whose
# sums go back to results while they are in the second cache (winograd.h).
#
# Rounding errors are about twice those of the sum of products, where a tile's values are of one
# size: they are relative to the largest value of its 6 x 6 places, also for a result that does
# not meet it.  One value that is not finite would spread over the tile, and so would an
# overflow: such results are summed again, product by product.  float64 is for those who want
# its digits, and is not filtered so.

cdef extern from "winograd.h" nogil:
    enum:
        FN_SIDE, FN_PLACES
    ctypedef struct fn_patch:
        Py_ssize_t source, target
        int rows, columns
    void fn_winograd_image(
        int side, const fn_patch *patches, const float *plane, Py_ssize_t pitch, float *out,
        Py_ssize_t next)
    void fn_winograd_pad(
        Py_ssize_t n, const float *source, float *target, Py_ssize_t next)
    void fn_winograd_filters(
        int side, int filters, Py_ssize_t K, const float *w, Py_ssize_t row, Py_ssize_t column,
        int turned, float *u, Py_ssize_t strip, Py_ssize_t next)
    void fn_winograd_tile(
        int rows, int vectors, Py_ssize_t K, const float *a, const float *b, float *c,
        Py_ssize_t c_row, int add)
    void fn_winograd_results(
        int side, Py_ssize_t count, const fn_patch *patches, const float *m, Py_ssize_t next,
        float bias, float *out, Py_ssize_t Q)
    int fn_winograd_finite(Py_ssize_t n, const float *values)

cdef enum:
    FEWEST_CHANNELS = 32    # and filters, by the side of results, worth the ways there and back
    FEWEST_RESULTS = 512    # that are worth transforming the filters
    WORST_FILLED = 60       # percent of the tiles' results that are wanted, at least
    TILES_BYTES = 4194304   # of a block's transformed tiles: read in streams, from a third cache
    SUMS_BYTES = 300000     # of its sums: a good quarter of a second-level cache
    MOST_TILES = 64         # in one block
    DEPTH = 192             # channels whose panel of tiles stays in the first cache

# How it is divided: no sum depends on it but by DEPTH.
cdef struct Tiling:
    int side                     # of a tile's results; so many patches fill vectors of tiles
    Py_ssize_t rows, columns     # of tiles and of patches, of one image
    Py_ssize_t block             # rows of tiles in one task, across images
    Py_ssize_t blocks            # of all images
    Py_ssize_t patches, tiles    # of a block
    Py_ssize_t strips            # of filters, FN_TILE_ROWS in each: a product's tile
    Py_ssize_t strips_a_block
    Py_ssize_t channels          # in one block
    Py_ssize_t pitch             # elements of a row of sums
    Py_ssize_t channel, panel    # elements from one to the next one's tiles
    Py_ssize_t plane             # elements of a row of the padded plane
    Py_ssize_t next_tiles, next_sums, next_filters  # from a place to the next one

# Filters where they lie: filter o, channel c at taps + o filter + c channel, backwards if turned.
cdef struct Filters:
    const float *taps
    Py_ssize_t filter, channel
    bint turned


cdef inline int side_of(Conv *v) noexcept nogil:
    """Of a tile's results, which see all of the tile."""
    return <int> (FN_SIDE + 1 - v.KH)


cdef inline bint by_winograd(Conv *v, Py_ssize_t images, int itemsize) noexcept nogil:
    """Whether it saves work: enough channels, filters and tiles, the latter of use.

    A row of the padded plane has room for as many zeros on the left as a filter may see.
    """
    cdef Py_ssize_t tiled, side = side_of(v)
    if not (
        FN_VECTOR_BYTES > 0 and itemsize == sizeof(float) and v.KH == v.KW
        and (v.KH == 3 or v.KH == 5)
        and v.stride_h == 1 and v.stride_w == 1 and v.dilation_h == 1 and v.dilation_w == 1
        and 0 <= v.top < v.KH and 0 <= v.left < v.KW
        and min(v.C, v.F) * side >= FEWEST_CHANNELS
    ):
        return False
    tiled = round_up(v.P, side) * round_up(v.Q, FN_LANES_32)
    return (
        100 * v.P * v.Q >= WORST_FILLED * tiled
        and images * tiled >= FEWEST_RESULTS)


cdef inline Filters filters_of(Conv *v, const float *W) noexcept nogil:
    cdef Filters f
    f.taps, f.filter, f.channel, f.turned = W, v.C * taps_of(v), taps_of(v), False
    return f


cdef inline Filters turned_filters_of(Conv *v, const float *W) noexcept nogil:
    """Those of the gradient by the input, whose channels are the filters of W."""
    cdef Filters f
    f.taps, f.filter, f.channel, f.turned = W, taps_of(v), v.F * taps_of(v), True
    return f


cdef inline Py_ssize_t tiles_of(Tiling *t, Py_ssize_t patches) noexcept nogil:
    return patches * (FN_LANES_32 // t.side)


cdef void lay_tiles(Conv *v, Tiling *t, Py_ssize_t block) noexcept nogil:
    """Rows of tiles of one image, and of one task."""
    t.side = side_of(v)
    t.rows, t.columns = blocks(v.P, t.side), blocks(v.Q, FN_LANES_32)
    t.block = max(block, 1)
    t.patches = t.block * t.columns
    t.tiles = tiles_of(t, t.patches)
    t.pitch = round_up(t.tiles, 2 * FN_LANES_32)
    t.plane = (t.columns + 1) * FN_LANES_32


cdef void divide_tiles(
    Conv *v, Tiling *t, Py_ssize_t images, Py_ssize_t groups, int threads
) noexcept nogil:
    cdef Py_ssize_t most, rows, tiles, best = 1, width = 2 * FN_LANES_32
    cdef Py_ssize_t size = FN_PLACES * sizeof(float)
    cdef double worth, highest = 0
    lay_tiles(v, t, 1)
    most = min(TILES_BYTES // (size * v.C), <Py_ssize_t> MOST_TILES) // t.tiles
    most = min(most, images * t.rows * groups // (TASKS_A_THREAD * threads))
    for rows in range(1, most + 1):
        tiles = rows * t.tiles
        # Of the lanes, how many are filled; and filters are read once for each block.
        worth = <double> tiles / (round_up(tiles, FN_LANES_32) + FN_LANES_32 / 2)
        if worth > highest:
            best, highest = rows, worth
    lay_tiles(v, t, best)
    t.blocks = blocks(images * t.rows, t.block)
    t.strips = blocks(v.F, FN_TILE_ROWS)
    t.strips_a_block = max(SUMS_BYTES // (size * t.pitch * FN_TILE_ROWS), 1)
    t.strips_a_block = blocks(t.strips, blocks(t.strips, t.strips_a_block))
    t.channels = blocks(v.C, blocks(v.C, DEPTH))
    t.channel, t.panel = width, v.C * width
    t.next_tiles = t.pitch * v.C
    t.next_sums = t.strips_a_block * FN_TILE_ROWS * t.pitch
    # No gap: places that begin elsewhere in their pages cost a fifth, as the stores to them then
    # meet the addresses of loads.
    t.next_filters = t.strips * FN_TILE_ROWS * v.C


cdef inline Py_ssize_t transformed_filters(Tiling *t) noexcept nogil:
    """Elements of one group's."""
    return FN_PLACES * t.next_filters


# Rows of tiles that a task has in one image.
cdef struct Segment:
    Py_ssize_t image, first, rows


cdef struct TilingSpace:
    float *tiles        # of all channels, place by place
    float *sums         # of a block of filters, place by place
    float *plane        # of one channel, with the zeros around
    fn_patch *patches   # where they lie in it
    Segment *segments
    Py_ssize_t count    # of segments
    Py_ssize_t bytes


cdef inline Py_ssize_t plane_size(Tiling *t) noexcept nogil:
    """Elements of the rows that a block sees, each image's by themselves, and some room."""
    return (FN_SIDE * t.block + 1) * t.plane + 2 * FN_LANES_32


cdef TilingSpace tiling_space(Tiling *t, Py_ssize_t sums, void *memory) noexcept nogil:
    cdef TilingSpace s
    s.tiles = <float *> memory
    s.sums = s.tiles + FN_PLACES * t.next_tiles
    s.plane = s.sums + sums
    s.patches = <fn_patch *> (s.plane + round_up(plane_size(t), 2 * FN_LANES_32))
    s.segments = <Segment *> (s.patches + t.patches + t.side)
    s.count = 0
    s.bytes = <Py_ssize_t> (s.segments + t.block) - <Py_ssize_t> memory
    return s


cdef inline Py_ssize_t strips_a_task() noexcept nogil:
    """Those of a vector of filters."""
    return max(FN_LANES_32 // FN_TILE_ROWS, 1)


cdef inline Py_ssize_t filter_tasks(Tiling *t) noexcept nogil:
    """Those that transform a group's filters."""
    return blocks(t.strips, strips_a_task())


cdef void transform_filters(
    Conv *v, Tiling *t, Filters *f, Py_ssize_t task, float *transformed
) noexcept nogil:
    cdef Py_ssize_t rows = FN_TILE_ROWS, o = task * strips_a_task() * rows, end
    end = min(o + strips_a_task() * rows, v.F)
    while o < end:
        fn_winograd_filters(
            t.side, <int> min(end - o, <Py_ssize_t> FN_LANES_32), v.C, f.taps + o * f.filter,
            f.filter, f.channel, f.turned, transformed + o // rows * rows * v.C + o % rows,
            rows * v.C, t.next_filters)
        o += FN_LANES_32


cdef void find_patches(
    Conv *v, Tiling *t, TilingSpace *s, Py_ssize_t next_image, Py_ssize_t row, Py_ssize_t end
) noexcept nogil:
    """What rows row:end of tiles are, counted through all images: segments, and where their
    patches lie in the padded plane and in the results."""
    cdef Py_ssize_t first, rows, i, j, image, plane = 0, last
    cdef fn_patch *patch = s.patches
    s.count = 0
    while row < end:
        image, first = row // t.rows, row % t.rows
        rows = min(t.rows - first, end - row)
        s.segments[s.count].image, s.segments[s.count].first = image, first
        s.segments[s.count].rows = rows
        s.count += 1
        for i in range(rows):
            for j in range(t.columns):
                patch.source = plane + t.side * i * t.plane + j * FN_LANES_32
                patch.target = image * next_image + j * FN_LANES_32
                patch.target += t.side * (first + i) * v.Q
                patch.rows = <int> min(
                    v.P - t.side * (first + i), <Py_ssize_t> t.side)
                patch.columns = <int> min(v.Q - j * FN_LANES_32, <Py_ssize_t> FN_LANES_32)
                patch += 1
        plane += (t.side * rows + v.KH - 1) * t.plane
        row += rows
    # The last vector is filled with what has been seen.
    last = (patch - s.patches) % t.side
    for i in range(t.side - last if last else 0):
        patch[i] = s.patches[0]


cdef void pad_plane(
    Conv *v, Tiling *t, TilingSpace *s, const float *channel, Py_ssize_t next_image
) noexcept nogil:
    """One channel's rows that a task's tiles see; what is beside them is zero already."""
    cdef Py_ssize_t line, i, each
    cdef float *plane = s.plane + v.left
    cdef const float *image
    for each in range(s.count):
        line = t.side * s.segments[each].first - v.top
        image = channel + s.segments[each].image * next_image + line * v.W
        for i in range(t.side * s.segments[each].rows + v.KH - 1):
            if 0 <= line + i < v.H:
                fn_winograd_pad(v.W, image + i * v.W, plane, v.H * v.W)
            plane += t.plane


cdef void transform_tiles(
    Conv *v, Tiling *t, TilingSpace *s, const float *x, Py_ssize_t next_image,
    Py_ssize_t patches
) noexcept nogil:
    cdef Py_ssize_t channel, vector, width = 2 * FN_LANES_32
    memset(s.plane, 0, plane_size(t) * sizeof(float))
    for channel in range(v.C):
        pad_plane(v, t, s, x + channel * v.H * v.W, next_image)
        for vector in range(blocks(patches, t.side)):
            fn_winograd_image(
                t.side, s.patches + vector * t.side, s.plane, t.plane,
                s.tiles + channel * t.channel + vector // 2 * t.panel
                + vector % 2 * FN_LANES_32, t.next_tiles)


cdef void multiply_place(
    Conv *v, Tiling *t, TilingSpace *s, const float *filters, Py_ssize_t place, Py_ssize_t first,
    Py_ssize_t last, Py_ssize_t tiles
) noexcept nogil:
    """The sums of strips first:last of filters at one place of all tiles of a block."""
    cdef Py_ssize_t width = 2 * FN_LANES_32, c0 = 0, channels, panel, strip, rows = FN_TILE_ROWS
    cdef const float *image = s.tiles + place * t.next_tiles
    cdef float *sums = s.sums + place * t.next_sums
    filters += place * t.next_filters
    while c0 < v.C:
        channels = min(t.channels, v.C - c0)
        for panel in range(blocks(tiles, width)):
            for strip in range(first, last):
                fn_winograd_tile(
                    <int> min(rows, v.F - strip * rows),
                    2 if tiles - panel * width > FN_LANES_32 else 1, channels,
                    filters + (strip * v.C + c0) * rows,
                    image + panel * t.panel + c0 * width,
                    sums + (strip - first) * rows * t.pitch + panel * width, t.pitch, c0 > 0)
        c0 += channels


cdef inline float padded(
    const float *image, Py_ssize_t H, Py_ssize_t W, Py_ssize_t row, Py_ssize_t column
) noexcept nogil:
    return image[row * W + column] if 0 <= row < H and 0 <= column < W else 0


cdef float summed_result(
    Conv *v, Filters *f, const float *x, Py_ssize_t o, Py_ssize_t u, Py_ssize_t q, float sum
) noexcept nogil:
    """One result, product by product; once it is NaN, it remains so."""
    cdef Py_ssize_t c, tap
    cdef const float *taps
    for c in range(v.C):
        taps = f.taps + o * f.filter + c * f.channel
        for tap in range(taps_of(v)):
            sum += taps[taps_of(v) - 1 - tap if f.turned else tap] * padded(
                x, v.H, v.W, u + tap // v.KW - v.top, q + tap % v.KW - v.left)
        if sum != sum:
            break
        x += v.H * v.W
    return sum


cdef void mend_results(
    Conv *v, Filters *f, Segment *segment, Py_ssize_t o, const float *x, float bias, float *out
) noexcept nogil:
    """Of one filter's results in a segment of an image, sum again what is not finite."""
    cdef Py_ssize_t side = side_of(v), u = side * segment.first, q
    cdef Py_ssize_t rows = min(side * segment.rows, v.P - u)
    out += (o * v.P + u) * v.Q
    if fn_winograd_finite(rows * v.Q, out):
        return
    for u in range(u, u + rows):
        for q in range(v.Q):
            if out[q] - out[q] != 0:
                out[q] = summed_result(v, f, x, o, u, q, bias)
        out += v.Q


cdef void filter_tiles(
    Conv *v, Tiling *t, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t task, const float *x,
    Filters *f, const float *transformed, const float *bias, float *out, Call *finish,
    task_t finish_task, float *scratch
) noexcept nogil:
    """One task: some rows of tiles, for one group's channels and filters."""
    cdef TilingSpace s = tiling_space(t, FN_PLACES * t.next_sums, scratch)
    cdef Py_ssize_t group = task % groups, row = task // groups * t.block
    cdef Py_ssize_t end = min(row + t.block, images * t.rows), patches = (end - row) * t.columns
    cdef Py_ssize_t next_image = groups * v.C * v.H * v.W, next_out = groups * v.F * v.P * v.Q
    cdef Py_ssize_t place, strip = 0, last, first, o, each
    cdef float shift = 0
    cdef Segment segment
    cdef Filters own = f[0]
    own.taps += group * v.F * v.C * taps_of(v)
    x += group * v.C * v.H * v.W
    out += group * v.F * v.P * v.Q
    transformed += group * transformed_filters(t)
    if bias != NULL:
        bias += group * v.F
    find_patches(v, t, &s, next_out, row, end)
    transform_tiles(v, t, &s, x, next_image, patches)
    while strip < t.strips:
        last = min(strip + t.strips_a_block, t.strips)
        for place in range(FN_PLACES):
            multiply_place(
                v, t, &s, transformed, place, strip, last,
                tiles_of(t, patches))
        for o in range(strip * FN_TILE_ROWS, min(last * FN_TILE_ROWS, v.F)):
            if bias != NULL:
                shift = bias[o]
            fn_winograd_results(
                t.side, patches, s.patches, s.sums + (o - strip * FN_TILE_ROWS) * t.pitch,
                t.next_sums, shift, out + o * v.P * v.Q, v.Q)
            for each in range(s.count):
                segment = s.segments[each]
                mend_results(
                    v, &own, &segment, o, x + segment.image * next_image, shift,
                    out + segment.image * next_out)
        strip = last
    for each in range(s.count if finish != NULL else 0):
        segment = s.segments[each]
        first = t.side * segment.first
        finish_rows(
            v, segment.image * next_out + (group * v.F * v.P + first) * v.Q, v.P * v.Q,
            min(t.side * segment.rows, v.P - first), finish, finish_task, scratch)


cdef void convolve_tiles(
    Conv *v, Call *c, int phase, Py_ssize_t task, Py_ssize_t images, Py_ssize_t groups,
    const float *x, Filters *f, const float *bias, float *out, int finish, float *scratch
) noexcept nogil:
    """A task of the first phase, which transforms filters, or of the second."""
    cdef float *transformed = <float *> c.memory
    cdef Py_ssize_t group
    cdef Filters own = f[0]
    cdef Tiling t
    divide_tiles(v, &t, images, groups, c.threads)
    if phase > 0:
        filter_tiles(
            v, &t, images, groups, task, x, f, transformed, bias, out, c.finish[finish],
            c.finish_task[finish], scratch)
        return
    group = task // filter_tasks(&t)
    own.taps += group * v.F * v.C * taps_of(v)
    transform_filters(
        v, &t, &own, task % filter_tasks(&t), transformed + group * transformed_filters(&t))
