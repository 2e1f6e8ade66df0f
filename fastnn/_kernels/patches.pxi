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
    """Elements from one copy to the next: not a power of two, where they would fall on each
    other in the caches."""
    cdef Py_ssize_t plane = part_rows(v, n) * v.stride_h * v.Q
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


cdef void find_offsets(
    Conv *v, Py_ssize_t channels, Py_ssize_t n, int itemsize, Py_ssize_t *offset
) noexcept nogil:
    """Where each tap begins, channel by channel, row by row."""
    cdef Py_ssize_t plane = plane_of(v, n, itemsize), rows = part_rows(v, n)
    cdef Py_ssize_t channel, i, j, row, k = 0
    for channel in range(channels):
        for i in range(v.KH):
            row = i * v.dilation_h
            row = row % v.stride_h * rows + row // v.stride_h
            for j in range(v.KW):
                offset[k] = (channel * v.KW + j) * plane + row * v.Q
                k += 1


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
    floating *image
) noexcept nogil:
    """What copy_image does, where there is no stride: each row at once with its zeros."""
    cdef Py_ssize_t plane = plane_of(v, n, sizeof(floating)), rows = part_rows(v, n)
    cdef Py_ssize_t first = u0 - v.top  # row of the image
    cdef Py_ssize_t before = min(max(-first, 0), rows)
    cdef Py_ssize_t inside = max(min(v.H - first, rows) - before, 0)
    cdef Py_ssize_t channel, j, shift
    cdef const floating *begin
    for channel in range(channels if v.KH > 0 else 0):
        begin = source + (channel * v.H + first + before) * v.W
        for j in range(v.KW):
            shift = j * v.dilation_w - v.left
            if floating is float:
                fn_conv_rows_32(
                    before, inside, rows - before - inside, v.Q, v.W, shift, begin,
                    image + (channel * v.KW + j) * plane)
            else:
                fn_conv_rows_64(
                    before, inside, rows - before - inside, v.Q, v.W, shift, begin,
                    image + (channel * v.KW + j) * plane)


cdef void copy_image(
    Conv *v, const floating *source, Py_ssize_t channels, Py_ssize_t u0, Py_ssize_t n,
    floating *image
) noexcept nogil:
    """What rows u0:u0 + n of the results need of the first channels of an image."""
    cdef Py_ssize_t plane = plane_of(v, n, sizeof(floating)), rows = part_rows(v, n)
    cdef Py_ssize_t row = v.stride_w * pitch_of(v), last = padded_rows(v, n)
    cdef Py_ssize_t channel, remainder, j, column, count
    cdef floating *padded = image + copies_size(v, channels, n, sizeof(floating))
    cdef const floating *shifted
    cdef floating *target
    if v.stride_h == v.stride_w == 1 and FN_PARTIAL_IS_FAST:
        copy_rows(v, source, channels, u0, n, image)
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
