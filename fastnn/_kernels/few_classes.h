/* Cross-entropy of few classes: each row of scores fills the lanes of one vector or of two.
 *
 * Loops over ten elements would leave most lanes idle, three times a row.  Here rows are padded to
 * whole vectors, some dozens at a time: shifted by their maximum, exp of all, then each row's sum,
 * loss and gradient.  Included once for each element type by few_classes_types.h.
 */

/* The lanes of a where the mask has all bits set, else those of b. */
FN_INLINE V F(fn_chosen)(I mask, V a, V b) {
    return (V)((mask & (I)a) | (~mask & (I)b));
}

/* Of a and b the larger one, a where b is NaN. */
FN_INLINE V F(fn_larger)(V a, V b) {
    return F(fn_chosen)((I)(b > a), b, a);
}

/* The sum, or with `larger` the largest element that is not NaN, of all lanes; in every lane. */
FN_INLINE V F(fn_of_lanes)(V v, const int larger) {
    FN_UNROLL for (int s = L / 2; s; s /= 2) {
        const V other = F(fn_other_lanes)(v, s);
        v = larger ? F(fn_larger)(v, other) : v + other;
    }
    return v;
}

/* Up to FN_FEW_ROWS rows; `vectors`, of each row, is a constant once inlined. */
FN_INLINE double F(fn_few_rows)(
    const int vectors, int rows, int classes, const T *scores, const long long *y,
    const double *weight, const double *sample_weight, double weights, T *gradient)
{
    T row[FN_FEW_ROWS * 2 * L], of_label[FN_FEW_ROWS];
    const int width = vectors * L, tail = classes - (vectors - 1) * L;
    const V low = F(FN_SPLAT)((T)-INFINITY), none = F(FN_SPLAT)((T)0);
    const I lane = {FN_LANE_NUMBERS}, part = lane < tail;

    for (int i = 0; i < rows; i++, scores += classes) {
        V x[2];
        for (int v = 0; v < vectors - 1; v++)
            x[v] = F(fn_load)(scores + v * L);
        x[vectors - 1] = F(fn_load_part)(scores + (vectors - 1) * L, tail);
        V largest = F(fn_chosen)(part, x[vectors - 1], low);
        if (vectors == 2)
            largest = F(fn_larger)(largest, x[0]);
        largest = F(fn_of_lanes)(largest, 1);
        for (int v = 0; v < vectors; v++)
            x[v] = x[v] - largest;
        x[vectors - 1] = F(fn_chosen)(part, x[vectors - 1], none);
        for (int v = 0; v < vectors; v++)
            F(fn_store)(row + i * width + v * L, x[v]);
        of_label[i] = row[i * width + y[i]];
    }
    for (int j = 0; j < rows * width; j++)
        row[j] = F(fn_exp)(row[j]);

    double total = 0, product = 1, labels = 0, share = 1 / weights;
    V shares = F(FN_SPLAT)((T)share);
    int together = 0; /* rows of one weight, of which one logarithm is taken: each sum is 1 to 2 L */
    for (int i = 0; i < rows; i++) {
        if (weight || sample_weight) {
            double w = weight ? weight[y[i]] : 1;
            if (sample_weight)
                w *= sample_weight[i];
            if (w / weights != share) {
                if (together)
                    total += share * (log(product) - labels);
                share = w / weights;
                shares = F(FN_SPLAT)((T)share);
                product = 1, labels = 0, together = 0;
            }
        }
        V e[2];
        for (int v = 0; v < vectors; v++)
            e[v] = F(fn_load)(row + i * width + v * L);
        e[vectors - 1] = F(fn_chosen)(part, e[vectors - 1], none);
        const V sums = F(fn_of_lanes)(vectors == 2 ? e[0] + e[1] : e[0], 0);
        T sum[L];
        F(fn_store)(sum, sums);
        product *= sum[0];
        labels += of_label[i];
        if (++together == FN_FEW_TOGETHER) {
            total += share * (log(product) - labels);
            product = 1, labels = 0, together = 0;
        }
        if (!gradient)
            continue;
        const V normal = F(FN_SPLAT)((T)(share / sum[0]));
        for (int v = 0; v < vectors; v++) {
            const V label = F(fn_chosen)(lane == (N)(y[i] - v * L), shares, none);
            const V value = e[v] * normal - label;
            if (v < vectors - 1)
                F(fn_store)(gradient + i * classes + v * L, value);
            else
                F(fn_store_part)(gradient + i * classes + v * L, value, tail);
        }
    }
    return together ? total + share * (log(product) - labels) : total;
}

/* The sum over rows of their share of the weights times -log softmax(scores)[y], for up to 2 L
 * classes; and unless NULL its gradient (rows, classes). */
static double F(fn_few_classes)(
    ptrdiff_t rows, int classes, const T *scores, const long long *y, const double *weight,
    const double *sample_weight, double weights, T *gradient)
{
    double total = 0;
    for (ptrdiff_t i = 0; i < rows; i += FN_FEW_ROWS) {
        const int n = rows - i < FN_FEW_ROWS ? (int)(rows - i) : FN_FEW_ROWS;
        const double *of_samples = sample_weight ? sample_weight + i : NULL;
        T *place = gradient ? gradient + i * classes : NULL;
        total += classes <= L
            ? F(fn_few_rows)(
                1, n, classes, scores + i * classes, y + i, weight, of_samples, weights, place)
            : F(fn_few_rows)(
                2, n, classes, scores + i * classes, y + i, weight, of_samples, weights, place);
    }
    return total;
}
