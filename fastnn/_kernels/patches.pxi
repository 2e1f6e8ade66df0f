# A convolution's image, laid out so that every tap of a filter reads one run of memory.
#
# Each channel is copied once with its zeros around, its columns sorted by their remainder by the
# stride; and from there once for each column of a filter's taps, shifted, Q elements of each
# row, the rows sorted by their remainder by the stride.  Without a stride the first copy is
# spared.  So the places of a block of results, row after row, lie side by side for each tap:
# tap k at place j is image[offset[k] + j].  These are as many copies as filters have columns;
# a matrix of all patches has rows times as many, and is never made.  A task copies what it
# needs: some channels, the rows of one block of results.

cdef extern from "gemm_types.h" nogil:
    void fn_conv_row_32(
        Py_ssize_t n, Py_ssize_t first, Py_ssize_t end, const float *source, Py_ssize_t step,
        float *target)
    void fn_conv_row_64(
        Py_ssize_t n, Py_ssize_t first, Py_ssize_t end, const double *source, Py_ssize_t step,
        double *target)
    void fn_conv_shift_32(
        Py_ssize_t rows, Py_ssize_t Q, const float *source, Py_ssize_t step, float *target)
    void fn_conv_shift_64(
        Py_ssize_t rows, Py_ssize_t Q, const double *source, Py_ssize_t step, double *target)
    void fn_conv_rows_32(
        Py_ssize_t before, Py_ssize_t rows, Py_ssize_t after, Py_ssize_t Q, Py_ssize_t W,
        Py_ssize_t shift, const float *source, float *target)
    void fn_conv_rows_64(
        Py_ssize_t before, Py_ssize_t rows, Py_ssize_t after, Py_ssize_t Q, Py_ssize_t W,
        Py_ssize_t shift, const double *source, double *target)

    void fn_conv_inside_32(
        Py_ssize_t before, Py_ssize_t rows, Py_ssize_t after, Py_ssize_t Q, Py_ssize_t shift,
        uint16_t *inside)
    void fn_conv_inside_64(
        Py_ssize_t before, Py_ssize_t rows, Py_ssize_t after, Py_ssize_t Q, Py_ssize_t shift,
        uint16_t *inside)
    void fn_conv_run_32(
        Py_ssize_t n, const uint16_t *inside, const float *source, float *target)
    void fn_conv_run_64(
        Py_ssize_t n, const uint16_t *inside, const double *source, double *target)

cdef enum:
    MASK_BITS = 64  # for a row and a vector of fn_conv_inside

# One image, the filters that slide over it, and the grid of results.
cdef struct Conv:
    Py_ssize_t C, H, W           # the image: channels, rows, columns
    Py_ssize_t F                 # filters
    Py_ssize_t KH, KW            # taps of a filter
    Py_ssize_t stride_h, stride_w, dilation_h, dilation_w
    Py_ssize_t top, left         # zeros before the image; negative: what is left out of it
    Py_ssize_t P, Q              # rows and columns of results


cdef inline Py_ssize_t part_rows(Conv *v, Py_ssize_t n) noexcept nogil:
    """Rows of one remainder that n rows of results need."""
    return n + (v.KH - 1) * v.dilation_h // v.stride_h if v.KH > 0 else 0


cdef inline Py_ssize_t plane_of(Conv *v, Py_ssize_t n, int itemsize) noexcept nogil:
    """Elements from one copy to the next: whole lines of the cache, and not a power of two,
    where they would fall on each other."""
    cdef Py_ssize_t plane = round_up(part_rows(v, n) * v.stride_h * v.Q, 64 // itemsize)
    return plane + 64 // itemsize if plane * itemsize % 1024 == 0 else plane


cdef inline Py_ssize_t padded_rows(Conv *v, Py_ssize_t n) noexcept nogil:
    """Rows of the padded channel that n rows of results need."""
    return (n - 1) * v.stride_h + (v.KH - 1) * v.dilation_h + 1


cdef inline Py_ssize_t pitch_of(Conv *v) noexcept nogil:
    """Columns of the padded channel with one remainder."""
    return v.Q + (v.KW - 1) * v.dilation_w // v.stride_w


cdef inline Py_ssize_t vector_room(int itemsize) noexcept nogil:
    return 2 * max(FN_VECTOR_BYTES // itemsize, 1)


cdef inline Py_ssize_t copies_size(
    Conv *v, Py_ssize_t channels, Py_ssize_t n, int itemsize
) noexcept nogil:
    """Elements of all shifted copies, and the room behind them."""
    return channels * v.KW * plane_of(v, n, itemsize) + vector_room(itemsize)


cdef inline Py_ssize_t image_size(
    Conv *v, Py_ssize_t channels, Py_ssize_t n, int itemsize
) noexcept nogil:
    """The same with the padded channel, which lies behind them."""
    if v.KH == 0 or v.KW == 0:
        return vector_room(itemsize)
    return copies_size(v, channels, n, itemsize) + vector_room(itemsize) + (
        padded_rows(v, n) * v.stride_w * pitch_of(v))


# What is the same for all images: for so many rows of results, where each tap begins, channel by
# channel, row by row; and, if rows follow each other in the copies, what lies in the image.
cdef struct Layout:
    Py_ssize_t *offset
    uint16_t *inside         # vector by vector, for each column of taps
    Py_ssize_t first, rows   # of the results


cdef inline Py_ssize_t vectors_of(Conv *v, Py_ssize_t n, int itemsize) noexcept nogil:
    """Of a copy, at most."""
    return plane_of(v, n, itemsize) // lanes_of(itemsize)


cdef inline Py_ssize_t layout_bytes(
    Conv *v, Py_ssize_t channels, Py_ssize_t n, int itemsize
) noexcept nogil:
    return round_up(
        channels * taps_of(v) * sizeof(Py_ssize_t)
        + v.KW * vectors_of(v, n, itemsize) * sizeof(uint16_t), 64)


cdef inline bint without_stride(Conv *v) noexcept nogil:
    """Whether rows are copied at once with their zeros."""
    return v.stride_h == v.stride_w == 1 and FN_PARTIAL_IS_FAST


cdef inline bint rows_follow(Conv *v, int itemsize) noexcept nogil:
    """Whether all rows of a channel are, as those of the results are as long."""
    return without_stride(v) and v.Q == v.W and v.Q + lanes_of(itemsize) <= MASK_BITS


# The rows of a channel that rows u0:u0 + n of the results need.
cdef struct Rows:
    Py_ssize_t first            # of them that there is
    Py_ssize_t before, inside, after


cdef Rows rows_for(Conv *v, Py_ssize_t u0, Py_ssize_t n) noexcept nogil:
    """Without a stride."""
    cdef Rows r
    cdef Py_ssize_t first = u0 - v.top, rows = part_rows(v, n)
    r.before = min(max(-first, 0), rows)
    r.inside = max(min(v.H - first, rows) - r.before, 0)
    r.after = rows - r.before - r.inside
    r.first = first + r.before
    return r


cdef Layout empty_layout(void *memory, Conv *v, Py_ssize_t channels) noexcept nogil:
    cdef Layout l
    l.offset = <Py_ssize_t *> memory
    l.inside = <uint16_t *> (l.offset + channels * taps_of(v))
    l.first = l.rows = -1
    return l


cdef void lay_out(
    Conv *v, Py_ssize_t channels, Py_ssize_t u0, Py_ssize_t n, int itemsize, Layout *l
) noexcept nogil:
    cdef Py_ssize_t plane = plane_of(v, n, itemsize), rows = part_rows(v, n)
    cdef Py_ssize_t channel, i, j, row, k = 0, shift
    cdef uint16_t *inside = l.inside
    cdef Rows r
    if l.first == u0 and l.rows == n:
        return
    l.first, l.rows = u0, n
    for channel in range(channels):
        for i in range(v.KH):
            row = i * v.dilation_h
            row = row % v.stride_h * rows + row // v.stride_h
            for j in range(v.KW):
                l.offset[k] = (channel * v.KW + j) * plane + row * v.Q
                k += 1
    if not rows_follow(v, itemsize):
        return
    r = rows_for(v, u0, n)
    for j in range(v.KW):
        shift = j * v.dilation_w - v.left
        if itemsize == sizeof(float):
            fn_conv_inside_32(r.before, r.inside, r.after, v.Q, shift, inside)
        else:
            fn_conv_inside_64(r.before, r.inside, r.after, v.Q, shift, inside)
        inside += vectors_of(v, n, itemsize)


cdef inline void copy_row(
    Py_ssize_t n, Py_ssize_t first, Py_ssize_t end, const floating *source, Py_ssize_t step,
    floating *target
) noexcept nogil:
    if floating is float:
        fn_conv_row_32(n, first, end, source, step, target)
    else:
        fn_conv_row_64(n, first, end, source, step, target)


cdef void pad_channel(
    Conv *v, const floating *source, Py_ssize_t u0, Py_ssize_t n, floating *padded
) noexcept nogil:
    """The rows of one channel that rows u0:u0 + n of the results need."""
    cdef Py_ssize_t pitch = pitch_of(v), stride = v.stride_w, i, row, part, first, begin, end
    # In the order of memory, for rows are written with some zeros too many.
    for i in range(padded_rows(v, n)):
        row = u0 * v.stride_h + i - v.top
        for part in range(stride):
            # Element t of this part is column first + t stride of the image, from begin to end.
            first = part - v.left
            begin, end = -first, v.W - first
            if stride > 1:
                begin, end = blocks(begin, stride), blocks(end, stride)
            begin = min(max(begin, 0), pitch)
            end = min(max(end, begin), pitch) if 0 <= row < v.H else begin
            copy_row(pitch, begin, end, source + row * v.W + first, stride, padded)
            padded += pitch


cdef void copy_rows(
    Conv *v, const floating *source, Py_ssize_t channels, Py_ssize_t u0, Py_ssize_t n,
    floating *image, Layout *l
) noexcept nogil:
    """What copy_image does, without a stride."""
    cdef Py_ssize_t plane = plane_of(v, n, sizeof(floating)), channel, j, shift
    cdef Py_ssize_t next_column = vectors_of(v, n, sizeof(floating)), size = part_rows(v, n) * v.Q
    cdef bint follow = rows_follow(v, sizeof(floating))
    cdef Rows r = rows_for(v, u0, n)
    cdef const floating *begin
    cdef floating *target
    for channel in range(channels if v.KH > 0 else 0):
        begin = source + (channel * v.H + r.first) * v.W
        for j in range(v.KW):
            shift = j * v.dilation_w - v.left
            target = image + (channel * v.KW + j) * plane
            if follow:
                if floating is float:
                    fn_conv_run_32(
                        size, l.inside + j * next_column, begin + shift - r.before * v.W, target)
                else:
                    fn_conv_run_64(
                        size, l.inside + j * next_column, begin + shift - r.before * v.W, target)
            elif floating is float:
                fn_conv_rows_32(r.before, r.inside, r.after, v.Q, v.W, shift, begin, target)
            else:
                fn_conv_rows_64(r.before, r.inside, r.after, v.Q, v.W, shift, begin, target)


cdef void copy_image(
    Conv *v, const floating *source, Py_ssize_t channels, Py_ssize_t u0, Py_ssize_t n,
    floating *image, Layout *l
) noexcept nogil:
    """What rows u0:u0 + n of the results need of the first channels of an image."""
    cdef Py_ssize_t plane = plane_of(v, n, sizeof(floating)), rows = part_rows(v, n)
    cdef Py_ssize_t row = v.stride_w * pitch_of(v), last = padded_rows(v, n)
    cdef Py_ssize_t channel, remainder, j, column, count
    cdef floating *padded = image + copies_size(v, channels, n, sizeof(floating))
    cdef const floating *shifted
    cdef floating *target
    if without_stride(v):
        copy_rows(v, source, channels, u0, n, image, l)
        return
    for channel in range(channels if v.KH > 0 and v.KW > 0 else 0):
        pad_channel(v, source + channel * v.H * v.W, u0, n, padded)
        # In the order of memory, for rows are written with some elements too many.
        for j in range(v.KW):
            column = j * v.dilation_w
            if v.stride_w > 1:
                column = column % v.stride_w * pitch_of(v) + column // v.stride_w
            for remainder in range(min(v.stride_h, last)):
                count = min(rows, (last - remainder + v.stride_h - 1) // v.stride_h)
                shifted = padded + remainder * row + column
                target = image + (channel * v.KW + j) * plane + remainder * rows * v.Q
                if floating is float:
                    fn_conv_shift_32(count, v.Q, shifted, v.stride_h * row, target)
                else:
                    fn_conv_shift_64(count, v.Q, shifted, v.stride_h * row, target)
