# A convolution's image, laid out so that every tap of a filter reads runs of memory.
#
# The image of one task is copied once, with its zeros around it, and its columns are split by the
# stride: columns 0, s, 2s ... of a row come first, then 1, s + 1 ...  So what one tap of a
# filter meets at neighbouring places lies side by side, at any stride and dilation, and
# tap k at a place is image[place + offset[k]].  The copy holds the rows that one block of
# results needs; a matrix of all patches is never made.

cdef extern from "gemm_types.h" nogil:
    ctypedef struct fn_run:
        Py_ssize_t place, at
        int count

# One image, the filters that slide over it, and the grid of results.
cdef struct Conv:
    Py_ssize_t C, H, W           # the image: channels, rows, columns
    Py_ssize_t O                 # filters
    Py_ssize_t KH, KW            # taps of a filter
    Py_ssize_t stride_h, stride_w, dilation_h, dilation_w
    Py_ssize_t top, left         # zeros before the image; negative: what is left out of it
    Py_ssize_t P, Q              # rows and columns of results
    Py_ssize_t K                 # taps of all channels
    Py_ssize_t pitch             # elements from one part of a split row to the next
    Py_ssize_t row               # and from one padded row to the next


cdef void lay_out(Conv *v) noexcept nogil:
    """Fill what follows from the other fields."""
    v.K = v.C * v.KH * v.KW
    v.pitch = blocks((v.Q - 1) * v.stride_w + (v.KW - 1) * v.dilation_w + 1, v.stride_w)
    v.row = v.pitch * v.stride_w


cdef inline Py_ssize_t padded_rows(Conv *v, Py_ssize_t n) noexcept nogil:
    """Rows of the image that n rows of results need."""
    return (n - 1) * v.stride_h + (v.KH - 1) * v.dilation_h + 1 if v.K > 0 else 0


cdef inline Py_ssize_t plane_of(Conv *v, Py_ssize_t n, int itemsize) noexcept nogil:
    """Elements from one channel to the next: not a power of two, where channels would fall on
    each other in the caches."""
    cdef Py_ssize_t plane = padded_rows(v, n) * v.row
    return plane + 64 // itemsize if plane * itemsize % 1024 == 0 else plane


cdef inline Py_ssize_t image_size(Conv *v, Py_ssize_t n, int itemsize) noexcept nogil:
    """Elements of the image for n rows of results, and a vector's room behind its end."""
    return v.C * plane_of(v, n, itemsize) + 2 * max(FN_VECTOR_BYTES // itemsize, 1)


cdef void find_offsets(Conv *v, Py_ssize_t plane, Py_ssize_t *offset) noexcept nogil:
    """Where each tap lies from its place: channel by channel, row by row."""
    cdef Py_ssize_t channel, i, j, column, k = 0
    for channel in range(v.C):
        for i in range(v.KH):
            for j in range(v.KW):
                column = j * v.dilation_w
                offset[k] = (
                    channel * plane + i * v.dilation_h * v.row
                    + column % v.stride_w * v.pitch + column // v.stride_w)
                k += 1


cdef inline void copy_columns(
    Conv *v, const floating *source, Py_ssize_t part, floating *target
) noexcept nogil:
    """Columns part, part + stride ... of one padded row."""
    cdef Py_ssize_t stride = v.stride_w, first = part - v.left, t
    # Columns of the image are those t for which 0 <= first + t stride < W.
    cdef Py_ssize_t begin = min(max(blocks(-first, stride), 0), v.pitch)
    cdef Py_ssize_t end = min(max(blocks(v.W - first, stride), begin), v.pitch)
    for t in range(begin):
        target[t] = 0
    if stride == 1:
        memcpy(target + begin, source + first + begin, (end - begin) * sizeof(floating))
    else:
        for t in range(begin, end):
            target[t] = source[first + t * stride]
    for t in range(end, v.pitch):
        target[t] = 0


cdef void copy_image(
    Conv *v, const floating *source, Py_ssize_t u0, Py_ssize_t n, Py_ssize_t plane,
    floating *image
) noexcept nogil:
    """The padded image, as far as rows u0:u0 + n of the results need it."""
    cdef Py_ssize_t channel, i, j, row, part
    cdef floating *target
    for channel in range(v.C):
        for i in range(padded_rows(v, n)):
            row = u0 * v.stride_h + i - v.top
            target = image + channel * plane + i * v.row
            if row < 0 or row >= v.H:
                for j in range(v.row):
                    target[j] = 0
                continue
            for part in range(v.stride_w):
                copy_columns(
                    v, source + (channel * v.H + row) * v.W, part, target + part * v.pitch)
