/* Inner loops of a program that NumPy has no ufunc for: copies with a change of type, choosing,
 * and reading and writing at places.
 *
 * They have the form of NumPy's own inner loops: pointers and strides in bytes of the operands,
 * inputs first.  `data` is the loop's own.  One that meets a bad value says where in its Trouble.
 */
#ifndef FASTNN_LOOPS_H
#define FASTNN_LOOPS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void (*fn_loop)(char **args, const ptrdiff_t *n, const ptrdiff_t *step, void *data);

/* What a loop that checks values knows and finds. */
typedef struct {
    int64_t bound; /* indices are in [-bound, bound) */
    int found;     /* whether there was a bad value, and which */
    int64_t bad;
} fn_trouble;

#define FN_LOOP(name, ...)                                                                    \
    static void name(char **args, const ptrdiff_t *n, const ptrdiff_t *step, void *data) {    \
        ptrdiff_t i;                                                                          \
        (void)data;                                                                           \
        __VA_ARGS__                                                                           \
    }

/* --- copies -------------------------------------------------------------------------- */

#define FN_CAST(from, to)                                                                     \
    FN_LOOP(fn_cast_##from##_##to, {                                                          \
        const char *x = args[0];                                                              \
        char *y = args[1];                                                                    \
        if (step[0] == sizeof(from) && step[1] == sizeof(to))                                 \
            for (i = 0; i < n[0]; i++)                                                        \
                ((to *)y)[i] = (to)((const from *)x)[i];                                      \
        else                                                                                  \
            for (i = 0; i < n[0]; i++, x += step[0], y += step[1])                            \
                *(to *)y = (to) * (const from *)x;                                            \
    })

typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef float f32;
typedef double f64;
typedef _Bool b8;

#define FN_TYPES(X) X(b8) X(i8) X(u8) X(i16) X(u16) X(i32) X(u32) X(i64) X(u64) X(f32) X(f64)
#define FN_CASTS_TO(to)                                                                       \
    FN_CAST(b8, to) FN_CAST(i8, to) FN_CAST(u8, to) FN_CAST(i16, to) FN_CAST(u16, to)         \
    FN_CAST(i32, to) FN_CAST(u32, to) FN_CAST(i64, to) FN_CAST(u64, to) FN_CAST(f32, to)      \
    FN_CAST(f64, to)
FN_TYPES(FN_CASTS_TO)

#define FN_COUNT_TYPES 11
#define FN_CAST_ROW(to)                                                                       \
    {fn_cast_b8_##to,  fn_cast_i8_##to,  fn_cast_u8_##to,  fn_cast_i16_##to, fn_cast_u16_##to, \
     fn_cast_i32_##to, fn_cast_u32_##to, fn_cast_i64_##to, fn_cast_u64_##to, fn_cast_f32_##to, \
     fn_cast_f64_##to},
/* [to][from], in the order of FN_TYPES */
static const fn_loop fn_casts[FN_COUNT_TYPES][FN_COUNT_TYPES] = {FN_TYPES(FN_CAST_ROW)};

/* --- choosing: condition, a, b, out ---------------------------------------------------- */

#define FN_SELECT(type)                                                                       \
    FN_LOOP(fn_select_##type, {                                                               \
        char *c = args[0], *a = args[1], *b = args[2], *y = args[3];                          \
        for (i = 0; i < n[0]; i++, c += step[0], a += step[1], b += step[2], y += step[3])    \
            *(type *)y = *c ? *(type *)a : *(type *)b;                                        \
    })
FN_SELECT(u8)
FN_SELECT(u16)
FN_SELECT(u32)
FN_SELECT(u64)

/* --- at places: base (one, for all), offsets in bytes (int64), values ------------------- */

#define FN_GATHER(type)                                                                       \
    FN_LOOP(fn_gather_##type, {                                                               \
        char *base = args[0], *at = args[1], *y = args[2];                                    \
        for (i = 0; i < n[0]; i++, at += step[1], y += step[2])                               \
            *(type *)y = *(type *)(base + *(int64_t *)at);                                    \
    })                                                                                        \
    FN_LOOP(fn_scatter_##type, {                                                              \
        char *base = args[0], *at = args[1], *x = args[2];                                    \
        for (i = 0; i < n[0]; i++, at += step[1], x += step[2])                               \
            *(type *)(base + *(int64_t *)at) = *(type *)x;                                    \
    })
FN_GATHER(u8)
FN_GATHER(u16)
FN_GATHER(u32)
FN_GATHER(u64)

#define FN_SCATTER_ADD(type)                                                                  \
    FN_LOOP(fn_scatter_add_##type, {                                                          \
        char *base = args[0], *at = args[1], *x = args[2];                                    \
        for (i = 0; i < n[0]; i++, at += step[1], x += step[2])                               \
            *(type *)(base + *(int64_t *)at) += *(type *)x;                                   \
    })
FN_SCATTER_ADD(f32)
FN_SCATTER_ADD(f64)
FN_SCATTER_ADD(i32)
FN_SCATTER_ADD(i64)

/* Indices as NumPy takes them, negative ones from the end: index, out. */
FN_LOOP(fn_check_index, {
    fn_trouble *trouble = data;
    char *x = args[0], *y = args[1];
    for (i = 0; i < n[0]; i++, x += step[0], y += step[1]) {
        const int64_t at = *(int64_t *)x;
        if (at < -trouble->bound || at >= trouble->bound) {
            trouble->found = 1;
            trouble->bad = at;
            *(int64_t *)y = 0;
        } else
            *(int64_t *)y = at < 0 ? at + trouble->bound : at;
    }
})

/* Whether all values are finite: x (float64). */
#define FN_FINITE(type)                                                                       \
    FN_LOOP(fn_check_finite_##type, {                                                         \
        fn_trouble *trouble = data;                                                           \
        char *x = args[0];                                                                    \
        for (i = 0; i < n[0]; i++, x += step[0])                                              \
            if (!(*(type *)x - *(type *)x == 0))                                              \
                trouble->found = 1;                                                           \
    })
FN_FINITE(f32)
FN_FINITE(f64)

/* How many labels the largest scores hit: scores (n[0], n[1]), labels, the count.  A NaN is the
 * largest, as to np.argmax. */
#define FN_HITS(type)                                                                         \
    FN_LOOP(fn_label_hits_##type, {                                                           \
        const type *row = (const type *)args[0];                                              \
        const int64_t *label = (const int64_t *)args[1];                                      \
        int64_t hits = 0;                                                                     \
        ptrdiff_t j;                                                                          \
        (void)step;                                                                           \
        for (i = 0; i < n[0]; i++, row += n[1]) {                                             \
            ptrdiff_t best = 0;                                                               \
            for (j = 1; j < n[1] && row[best] == row[best]; j++)                              \
                if (!(row[j] <= row[best]))                                                   \
                    best = j;                                                                 \
            hits += best == label[i];                                                         \
        }                                                                                     \
        *(int64_t *)args[2] = hits;                                                           \
    })
FN_HITS(f32)
FN_HITS(f64)

#endif
