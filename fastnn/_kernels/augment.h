/* One row of a turned image, by bilinear interpolation.
 *
 * The plane has a frame of `fill`, one row and column before and two after, and a position is
 * held to it: so all four neighbours of any position are there, and no branch is needed.
 * Included once for each element type by augment_types.h, which defines T and F.
 */

/* out[j] = the plane at (y + dy t, x + dx t), for t = start + j step, step 1 or -1. */
static void F(fn_turned_row)(
    const T *FN_RESTRICT plane, int32_t height, int32_t width, T y, T dy, T x, T dx,
    T start, T step, T *FN_RESTRICT out, int32_t n)
{
    const int32_t row = width + 3;
    const T *next = plane + row;
    const T bottom = (T)(height + 1), right = (T)(width + 1);
    T rows[FN_TURNED], columns[FN_TURNED];
    for (int32_t first = 0; first < n; first += FN_TURNED) {
        const int32_t part = n - first < FN_TURNED ? n - first : FN_TURNED;
        /* A loop of its own: the compiler makes no vectors of selections and look-ups in one. */
        for (int32_t j = 0; j < part; j++) {
            const T t = start + step * (T)(first + j);
            T v = y + dy * t, u = x + dx * t;
            v = v > 0 ? v : 0; /* NaN, too */
            u = u > 0 ? u : 0;
            rows[j] = v < bottom ? v : bottom;
            columns[j] = u < right ? u : right;
        }
        for (int32_t j = 0; j < part; j++) {
            const int32_t i = (int32_t)rows[j], k = (int32_t)columns[j], at = i * row + k;
            const T down = rows[j] - (T)i, across = columns[j] - (T)k;
            const T above = plane[at] + across * (plane[at + 1] - plane[at]);
            const T below = next[at] + across * (next[at + 1] - next[at]);
            out[first + j] = above + down * (below - above);
        }
    }
}
