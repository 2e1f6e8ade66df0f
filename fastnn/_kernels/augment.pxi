# Augmentation: how each image of a batch is to be varied, drawn from a counter, and a gather
# that varies them so.
#
# The draws of a sample are the words of Philox's blocks 4 sample to 4 sample + 2, with the epoch as
# the rest of the counter and the seed as the key: so they depend on no order, no batch size and
# no number of threads, and are the same again after a resume.

cdef extern from "augment_types.h" nogil:
    void fn_turned_row_32(
        const float *plane, int32_t height, int32_t width, float y, float dy, float x, float dx,
        float start, float step, float *out, int32_t n)
    void fn_turned_row_64(
        const double *plane, int32_t height, int32_t width, double y, double dy, double x,
        double dx, double start, double step, double *out, int32_t n)

cdef enum:
    DRAWS_A_TASK = 64

# A row of a table of transforms.  Places to crop and to hide are fractions of the room there is.
cdef struct Transform:
    double cosine, sine         # of the angle, counterclockwise
    double shift_h, shift_w     # pixels, down and to the right
    double crop_h, crop_w
    double flip                 # 0 or 1
    double brightness, contrast
    double occlusion_h, occlusion_w

# A call of gather_images.
cdef struct Augmenting:
    Py_ssize_t C, H, W, P, Q    # of the source's images, and of the results
    Py_ssize_t hidden_h, hidden_w
    double fill, scale, shift

# Of one image, row and column in the source (as floats) of what comes out at (0, 0).
cdef struct Placing:
    Py_ssize_t row, column
    bint flips, turns


# --- draws ----------------------------------------------------------------------------


cdef void plan_draw_transforms(Call *c) noexcept nogil:
    plan_chunks(c, c.size[0], DRAWS_A_TASK)


cdef inline double between(double u, double limit) noexcept nogil:
    return (2 * u - 1) * limit


cdef inline double whole_between(double u, double limit) noexcept nogil:
    return floor(u * (2 * limit + 1)) - limit


cdef void draw_transforms(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(indices (n,), state (seed, epoch), out (n, 11)); rotation, shifts, flip, tones."""
    cdef const long long *index = <const long long *> c.array[0]
    cdef const unsigned long long *state = <const unsigned long long *> c.array[1]
    cdef Transform *t
    cdef double u[10]
    cdef double angle
    cdef unsigned int words[FN_PHILOX_WORDS]
    cdef Py_ssize_t i, start = task * DRAWS_A_TASK, end = min(start + DRAWS_A_TASK, c.size[0])
    cdef int j
    for i in range(start, end):
        fn_philox(4 * <unsigned long long> index[i], state[1], state[0], words)
        for j in range(10):
            u[j] = words[j] / 4294967296.0
        t = <Transform *> c.array[2] + i
        angle = between(u[0], c.scalar[0]) * (M_PI / 180)
        t.cosine, t.sine = cos(angle), sin(angle)
        t.shift_h = whole_between(u[1], c.scalar[1])
        t.shift_w = whole_between(u[2], c.scalar[2])
        t.crop_h, t.crop_w = u[3], u[4]
        t.flip = u[5] < c.scalar[3]
        t.brightness = 1 + between(u[6], c.scalar[4])
        t.contrast = 1 + between(u[7], c.scalar[5])
        t.occlusion_h, t.occlusion_w = u[8], u[9]


# --- the gather -----------------------------------------------------------------------


cdef inline Augmenting augmenting(Call *c) noexcept nogil:
    """(source (R, C, H, W), indices (n,), transforms (n, 11), out (n, C, P, Q))"""
    cdef Augmenting a
    a.C, a.H, a.W, a.P, a.Q = c.size[1], c.size[2], c.size[3], c.size[6], c.size[7]
    a.hidden_h = <Py_ssize_t> min(c.scalar[2], <double> a.P)
    a.hidden_w = <Py_ssize_t> min(c.scalar[3], <double> a.Q)
    a.fill, a.scale, a.shift = c.scalar[4], c.scalar[5], c.scalar[6]
    return a


cdef inline double framed(Augmenting *a) noexcept nogil:
    """Elements of a channel with the frame that augment.h wants."""
    return (<double> a.H + 3) * (<double> a.W + 3)


cdef inline Py_ssize_t augmented_images(Augmenting *a) noexcept nogil:
    return max(MATH_CHUNK // (a.C * max(a.H * a.W, a.P * a.Q)), 1)


cdef void plan_gather_images(Call *c) noexcept nogil:
    cdef Augmenting a = augmenting(c)
    c.phases = 2
    c.tasks[0] = 1
    c.tasks[1] = blocks(c.size[4], augmented_images(&a))
    if framed(&a) < 2147483648.0:
        c.scratch = <Py_ssize_t> framed(&a) * c.itemsize


cdef inline Py_ssize_t within(double value, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
    """A table may hold anything: NaN becomes ``low``."""
    if not value > low:
        return low
    return high if value > high else <Py_ssize_t> value


cdef inline Py_ssize_t placed(double fraction, Py_ssize_t room) noexcept nogil:
    return within(fraction * (room + 1), 0, room)


cdef Placing placing(Augmenting *a, const Transform *t) noexcept nogil:
    """What is more than the image away shows nothing of it, however far it is."""
    cdef Placing p
    p.row = placed(t.crop_h, max(a.H - a.P, 0))
    p.column = placed(t.crop_w, max(a.W - a.Q, 0))
    p.row -= within(floor(t.shift_h), -a.H - a.P, a.H + a.P)
    p.column -= within(floor(t.shift_w), -a.W - a.Q, a.W + a.Q)
    p.flips, p.turns = t.flip != 0, t.cosine != 1 or t.sine != 0
    return p


cdef inline void moved_row(
    const source_t *row, Py_ssize_t W, Py_ssize_t first, bint flips, floating fill,
    floating *out, Py_ssize_t Q
) noexcept nogil:
    """out[j] = row[first + j], or in reverse; ``fill`` where the row has nothing."""
    cdef Py_ssize_t j, start = min(max(-first, 0), Q), end = max(min(W - first, Q), start)
    if flips:
        for j in range(start):
            out[Q - 1 - j] = fill
        for j in range(start, end):
            out[Q - 1 - j] = <floating> row[first + j]
        for j in range(end, Q):
            out[Q - 1 - j] = fill
        return
    for j in range(start):
        out[j] = fill
    for j in range(start, end):
        out[j] = <floating> row[first + j]
    for j in range(end, Q):
        out[j] = fill


cdef inline void moved(
    const source_t *image, Augmenting *a, Placing *p, floating *out
) noexcept nogil:
    cdef Py_ssize_t channel, i, row
    cdef floating fill = <floating> a.fill
    for channel in range(a.C):
        for i in range(a.P):
            row = p.row + i if 0 <= p.row + i < a.H else -1
            moved_row(
                image + (channel * a.H + max(row, 0)) * a.W, a.W if row >= 0 else 0, p.column,
                p.flips, fill, out + (channel * a.P + i) * a.Q, a.Q)


cdef inline void frame(
    const source_t *image, Py_ssize_t H, Py_ssize_t W, floating fill, floating *plane
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(H + 3):
        for j in range(W + 3):
            plane[i * (W + 3) + j] = fill
    for i in range(H):
        for j in range(W):
            plane[(i + 1) * (W + 3) + j + 1] = <floating> image[i * W + j]


cdef inline void turned_row(
    const floating *plane, Augmenting *a, floating y, floating dy, floating x, floating dx,
    floating start, floating step, floating *out
) noexcept nogil:
    if floating is float:
        fn_turned_row_32(
            plane, <int32_t> a.H, <int32_t> a.W, y, dy, x, dx, start, step, out, <int32_t> a.Q)
    else:
        fn_turned_row_64(
            plane, <int32_t> a.H, <int32_t> a.W, y, dy, x, dx, start, step, out, <int32_t> a.Q)


cdef inline void turned(
    const source_t *image, Augmenting *a, Placing *p, const Transform *t, floating *plane,
    floating *out
) noexcept nogil:
    """Each place of the result looks for where it was before the image was turned."""
    cdef floating cosine = <floating> t.cosine, sine = <floating> t.sine
    cdef floating middle_h = <floating> (0.5 * (a.H - 1)), middle_w = <floating> (0.5 * (a.W - 1))
    cdef floating start = <floating> (p.column + (a.Q - 1 if p.flips else 0)) - middle_w
    cdef floating down
    cdef Py_ssize_t channel, i
    for channel in range(a.C):
        frame(image + channel * a.H * a.W, a.H, a.W, <floating> a.fill, plane)
        for i in range(a.P):
            down = <floating> (p.row + i) - middle_h
            turned_row(
                plane, a, (middle_h + 1) + cosine * down, sine, (middle_w + 1) - sine * down,
                cosine, start, -1 if p.flips else 1, out + (channel * a.P + i) * a.Q)


cdef inline void tone(
    Augmenting *a, double brightness, double contrast, floating *out
) noexcept nogil:
    """(m + contrast (brightness x - m)) scale + shift, where m is brightness times x's mean."""
    cdef Py_ssize_t i, n = a.C * a.P * a.Q
    cdef double offset = 0
    cdef floating factor = <floating> (contrast * brightness * a.scale), shift
    if contrast != 1:
        offset = (1 - contrast) * brightness * (wide_sum(out, n) / n) * a.scale
    shift = <floating> (offset + a.shift)
    if factor != 1 or shift != 0:
        for i in range(n):
            out[i] = out[i] * factor + shift


cdef inline void hide(Augmenting *a, const Transform *t, floating *out) noexcept nogil:
    cdef Py_ssize_t top = placed(t.occlusion_h, a.P - a.hidden_h)
    cdef Py_ssize_t left = placed(t.occlusion_w, a.Q - a.hidden_w)
    cdef Py_ssize_t channel, i, j
    cdef floating value = <floating> a.fill
    if a.scale != 1 or a.shift != 0:
        value = value * <floating> a.scale + <floating> a.shift
    for channel in range(a.C):
        for i in range(channel * a.P + top, channel * a.P + top + a.hidden_h):
            for j in range(left, left + a.hidden_w):
                out[i * a.Q + j] = value


cdef inline void augment_from(
    const source_t *source, const long long *index, const Transform *t, Py_ssize_t n,
    Augmenting *a, floating *plane, floating *out
) noexcept nogil:
    cdef Py_ssize_t i, inner = a.C * a.P * a.Q
    cdef const source_t *image
    cdef Placing p
    for i in range(n):
        image = source + index[i] * (a.C * a.H * a.W)
        p = placing(a, t)
        if p.turns:
            turned(image, a, &p, t, plane, out)
        else:
            moved(image, a, &p, out)
        tone(a, t.brightness, t.contrast, out)
        hide(a, t, out)
        out += inner
        t += 1


cdef void gather_images(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(source (R, C, H, W), indices (n,), transforms (n, 11), out (n, C, P, Q)); P, Q, occlusions,
    fill, scale, shift.
    """
    cdef Augmenting a = augmenting(c)
    cdef const long long *index = <const long long *> c.array[1]
    if phase == 0:
        if framed(&a) >= 2147483648.0:
            c.status, c.bad_array = TOO_LARGE, 0
        else:
            check_range(c, index, c.size[4], c.size[0])
        return
    cdef Py_ssize_t images = augmented_images(&a), start = task * images
    cdef Py_ssize_t n = min(images, c.size[4] - start)
    cdef const Transform *t = <const Transform *> c.array[2] + start
    cdef floating *out = <floating *> c.array[3] + start * a.C * a.P * a.Q
    index += start
    if c.source_type == 0:
        augment_from(<const unsigned char *> c.array[0], index, t, n, &a, scratch, out)
    elif c.source_type == 1:
        augment_from(<const float *> c.array[0], index, t, n, &a, scratch, out)
    else:
        augment_from(<const double *> c.array[0], index, t, n, &a, scratch, out)
