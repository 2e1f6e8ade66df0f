# Sizes that follow from others: how many places a sliding window has, how channels divide,
# which dimensions are scalars of the call.
# The tables WINDOWS and GROUPS of signatures.py say which; arguments.py explains what is wrong.

cdef enum:
    MAX_WINDOWS = 2
    MAX_GIVEN = 2

# A size or a scalar of a call.
cdef struct Named:
    bint is_scalar
    int place

cdef struct Window:
    int places
    int size
    Named kernel
    int stride, padding, dilation  # scalars; without a dilation, a pooling

cdef struct Relations:
    int given               # sizes that are scalars
    int given_size[MAX_GIVEN]
    int given_scalar[MAX_GIVEN]
    int windows
    Window window[MAX_WINDOWS]
    bint grouped
    int channels, depth, filters, groups  # three sizes and a scalar


cdef Relations relate(tuple windows, groups, list letters, list scalars):
    """The places in a call of what the tables name."""
    cdef Relations r
    cdef Window *w
    r.windows, r.grouped, r.given = len(windows), groups is not None, 0
    for letter in letters:
        if letter in scalars:
            r.given_size[r.given] = letters.index(letter)
            r.given_scalar[r.given] = scalars.index(letter)
            r.given += 1
    for i, window in enumerate(windows):
        w = &r.window[i]
        w.places, w.size = letters.index(window.places), letters.index(window.size)
        w.kernel.is_scalar = window.kernel in scalars
        w.kernel.place = (scalars if w.kernel.is_scalar else letters).index(window.kernel)
        w.stride, w.padding = scalars.index(window.stride), scalars.index(window.padding)
        w.dilation = scalars.index(window.dilation) if window.dilation else -1
    if groups is not None:
        r.channels, r.depth = letters.index(groups.channels), letters.index(groups.depth)
        r.filters, r.groups = letters.index(groups.filters), scalars.index(groups.groups)
    return r


cdef bint sizes_agree(Relations *r, Call *c) noexcept:
    """Fill the sizes that are not yet known; False where sizes and scalars contradict."""
    cdef Window *w
    cdef double kernel, room, span, places
    cdef int i
    for i in range(r.given):
        if not c.scalar[r.given_scalar[i]] < 2e9:
            return False
        c.size[r.given_size[i]] = <Py_ssize_t> c.scalar[r.given_scalar[i]]
    for i in range(r.windows):
        w = &r.window[i]
        kernel = (
            c.scalar[w.kernel.place] if w.kernel.is_scalar else <double> c.size[w.kernel.place]
        )
        room = c.size[w.size] + 2 * c.scalar[w.padding]
        span = 1 + (kernel - 1) * (c.scalar[w.dilation] if w.dilation >= 0 else 1)
        if not span <= room < 2e9 or (w.dilation < 0 and 2 * c.scalar[w.padding] > kernel):
            return False
        places = 1 + <Py_ssize_t> ((room - span) / c.scalar[w.stride])
        if c.size[w.places] < 0:
            c.size[w.places] = <Py_ssize_t> places
        if c.size[w.places] != places:
            return False
    if not r.grouped:
        return True
    return (
        c.size[r.channels] == c.size[r.depth] * c.scalar[r.groups]
        and c.size[r.filters] >= c.scalar[r.groups]
        and c.size[r.filters] % <Py_ssize_t> c.scalar[r.groups] == 0
    )
