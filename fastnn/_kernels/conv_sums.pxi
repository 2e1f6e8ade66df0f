# What one image, or some, add to a convolution's gradient by its filters and bias, in tiles of
# one of three kinds (conv_weights.pxi).

cdef extern from "gemm_types.h" nogil:
    void fn_taps_tile_32(
        int taps, int vectors, Py_ssize_t places, const float *image,
        const Py_ssize_t *offset, const float *d, float *c, Py_ssize_t c_row, int add)
    void fn_taps_tile_64(
        int taps, int vectors, Py_ssize_t places, const double *image,
        const Py_ssize_t *offset, const double *d, double *c, Py_ssize_t c_row, int add)
    void fn_square_tile_32(
        int side, Py_ssize_t P, Py_ssize_t Q, const float *image, Py_ssize_t pitch,
        const float *d, float *c, Py_ssize_t c_row, int add)
    void fn_square_tile_64(
        int side, Py_ssize_t P, Py_ssize_t Q, const double *image, Py_ssize_t pitch,
        const double *d, double *c, Py_ssize_t c_row, int add)
    void fn_places_tile_32(
        int rows, int taps, Py_ssize_t images, Py_ssize_t places, const float *image,
        Py_ssize_t next_image, const Py_ssize_t *offset, const float *d,
        Py_ssize_t next_d, Py_ssize_t d_row, float *c, Py_ssize_t c_row, int add)
    void fn_places_tile_64(
        int rows, int taps, Py_ssize_t images, Py_ssize_t places, const double *image,
        Py_ssize_t next_image, const Py_ssize_t *offset, const double *d,
        Py_ssize_t next_d, Py_ssize_t d_row, double *c, Py_ssize_t c_row, int add)
    double fn_place_sum_32(Py_ssize_t n, const float *d)
    double fn_place_sum_64(Py_ssize_t n, const double *d)


cdef void sum_bias(
    Geometry *g, Py_ssize_t filters, Py_ssize_t places, const floating *dout, double *bias
) noexcept nogil:
    """What some places of one image add to the bias of some filters."""
    cdef Py_ssize_t f
    for f in range(filters):
        if floating is float:
            bias[f] += fn_place_sum_32(places, dout + f * g.P * g.Q)
        else:
            bias[f] += fn_place_sum_64(places, dout + f * g.P * g.Q)


cdef void sum_biases(
    Geometry *g, Py_ssize_t rows, Py_ssize_t n0, Py_ssize_t n1, const floating *dout,
    Py_ssize_t f0, Py_ssize_t f1, double *bias
) noexcept nogil:
    """What the results of filters f0:f1 of a group add to their bias, in images n0:n1, by
    blocks of rows."""
    cdef Py_ssize_t n, f, u0
    for f in range(f0, f1):
        bias[f] = 0
    for n in range(n0, n1):
        u0 = 0
        while u0 < g.P:
            sum_bias(
                g, f1 - f0, min(rows, g.P - u0) * g.Q, dout + ((n * g.F + f0) * g.P + u0) * g.Q,
                bias + f0)
            u0 += rows


cdef void add_taps(
    Geometry *g, WeightDivision *d, Conv *v, const floating *dout, Py_ssize_t filters,
    const floating *x, floating *partial, double *bias, bint add, Layout *layout, floating *image
) noexcept nogil:
    """Add one image's part to partial (K, row), for some filters and the channels of v."""
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating)), width = 2 * lanes, u0 = 0, n, f, k
    cdef Py_ssize_t K = v.C * d.taps, strip = blocks(K, blocks(K, FN_TILE_ROWS))
    cdef Py_ssize_t places = g.P * g.Q
    cdef floating *panel
    cdef int taps, vectors
    while u0 < g.P:
        n = min(d.rows, g.P - u0)
        panel = image + round_up(image_size(v, v.C, n, sizeof(floating)), 64)
        lay_out(v, v.C, u0, n, sizeof(floating), layout)
        copy_image(v, x, v.C, u0, n, image, layout)
        f = 0
        while f < filters:
            vectors = 2 if filters - f > lanes else 1
            if bias != NULL:
                sum_bias(
                    g, min(width, filters - f), n * g.Q, dout + f * places + u0 * g.Q, bias + f)
            turn_panel(
                dout + f * places + u0 * g.Q, places, min(width, filters - f), n * g.Q, panel,
                width)
            k = 0
            while k < K:
                taps = <int> min(strip, K - k)
                if floating is float:
                    fn_taps_tile_32(
                        taps, vectors, n * g.Q, image, layout.offset + k, panel,
                        partial + k * d.row + f, d.row, add or u0 > 0)
                else:
                    fn_taps_tile_64(
                        taps, vectors, n * g.Q, image, layout.offset + k, panel,
                        partial + k * d.row + f, d.row, add or u0 > 0)
                k += strip
            f += width
        u0 += n


cdef void add_squares(
    Geometry *g, WeightDivision *d, Conv *v, const floating *dout, const floating *x,
    floating *partial, double *bias, bint add, floating *image
) noexcept nogil:
    """The same for all of a vector's filters, channel by channel."""
    cdef Py_ssize_t u0 = 0, n, c, places = g.P * g.Q
    cdef floating *panel = image + round_up(image_size(v, 1, d.rows, sizeof(floating)), 64)
    while u0 < g.P:
        n = min(d.rows, g.P - u0)
        if bias != NULL:
            sum_bias(g, d.filters, n * g.Q, dout + u0 * g.Q, bias)
        turn_panel(
            dout + u0 * g.Q, places, d.filters, n * g.Q, panel, lanes_of(sizeof(floating)))
        for c in range(v.C):
            pad_channel(v, x + c * g.H * g.W, u0, n, image)
            if floating is float:
                fn_square_tile_32(
                    <int> g.KH, n, g.Q, image, pitch_of(v), panel, partial + c * d.taps * d.row,
                    d.row, add or u0 > 0)
            else:
                fn_square_tile_64(
                    <int> g.KH, n, g.Q, image, pitch_of(v), panel, partial + c * d.taps * d.row,
                    d.row, add or u0 > 0)
        u0 += n


cdef void turn_panel(
    const floating *dout, Py_ssize_t row, Py_ssize_t filters, Py_ssize_t places, floating *panel,
    Py_ssize_t width
) noexcept nogil:
    """panel[place][filter], whole vectors of filters: zeros fill the last."""
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating)), place, f
    if floating is float:
        fn_transpose_32(dout, row, filters, places, panel, width)
    else:
        fn_transpose_64(dout, row, filters, places, panel, width)
    if filters % lanes:
        for place in range(places):
            for f in range(filters, round_up(filters, lanes)):
                panel[place * width + f] = 0


cdef void add_places(
    Geometry *g, WeightDivision *d, Conv *v, Py_ssize_t n0, Py_ssize_t images,
    const floating *dout, const floating *x, floating *sums, double *bias, bint add,
    Layout *layout, floating *image
) noexcept nogil:
    """Add the part of some images to sums (filters, taps, lanes), for the channels of v."""
    cdef Py_ssize_t u0 = 0, n, i, k, f, size, places = g.P * g.Q, K = v.C * d.taps
    cdef Py_ssize_t lanes = lanes_of(sizeof(floating))
    cdef const floating *slope
    cdef Py_ssize_t strip = blocks(K, blocks(K, FN_PLACES_TAPS))
    cdef int rows, taps
    while u0 < g.P:
        n = min(d.rows, g.P - u0)
        size = round_up(image_size(v, v.C, n, sizeof(floating)), 64 // sizeof(floating))
        lay_out(v, v.C, u0, n, sizeof(floating), layout)
        for i in range(images):
            copy_image(
                v, x + (n0 + i) * g.C * g.H * g.W, v.C, u0, n, image + i * size, layout)
        f = 0
        while f < d.filters:
            rows = <int> min(<Py_ssize_t> FN_PLACES_ROWS, d.filters - f)
            slope = dout + (n0 * g.F + f) * places + u0 * g.Q
            for i in range(images if bias != NULL else 0):
                sum_bias(g, rows, n * g.Q, slope + i * g.F * places, bias + f)
            k = 0
            while k < K:
                taps = <int> min(strip, K - k)
                if floating is float:
                    fn_places_tile_32(
                        rows, taps, images, n * g.Q, image, size, layout.offset + k, slope,
                        g.F * places, places, sums + (f * K + k) * lanes, K, add or u0 > 0)
                else:
                    fn_places_tile_64(
                        rows, taps, images, n * g.Q, image, size, layout.offset + k, slope,
                        g.F * places, places, sums + (f * K + k) * lanes, K, add or u0 > 0)
                k += taps
            f += rows
        u0 += n
