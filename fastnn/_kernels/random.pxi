# random_uniform(out, state), random_normal(out, state), random_integers(out, bounds, state).
#
# Element i is made of the words at its own place, as dropout's are: a word for float32, two for
# float64, a block of four for an integer.  Any thread makes the same numbers.

cdef extern from "random.h" nogil:
    enum:
        FN_PHILOX_BLOCKS
    void fn_uniform_32(const unsigned int *words, float *out)
    void fn_uniform_64(const unsigned int *words, double *out)
    void fn_normal_32(const unsigned int *words, double *out)
    void fn_normal_64(const unsigned int *words, double *out)
    void fn_integers(
        const unsigned int *words, unsigned long long low, unsigned long long span, int64_t *out)


cdef inline void draw_words(
    const Call *c, int state, Py_ssize_t word, unsigned int *words
) noexcept nogil:
    """Words from number ``word`` on, a multiple of four, for array ``state`` (seed, step)."""
    cdef const unsigned long long *s = <const unsigned long long *> c.array[state]
    fn_philox(<unsigned long long> word // 4, s[1], s[0], words)


cdef void random_uniform(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(out, state (seed, step))."""
    cdef Py_ssize_t i, n, start = task * MATH_CHUNK, end = min(start + MATH_CHUNK, c.size[0])
    cdef Py_ssize_t words_each = sizeof(floating) // 4
    cdef floating *out = <floating *> c.array[0]
    cdef unsigned int words[FN_PHILOX_WORDS]
    cdef floating drawn[FN_PHILOX_WORDS]
    while start < end:
        n = min(FN_PHILOX_WORDS // words_each, end - start)
        draw_words(c, 1, start * words_each, words)
        if floating is float:
            fn_uniform_32(words, drawn)
        else:
            fn_uniform_64(words, drawn)
        for i in range(n):
            out[start + i] = drawn[i]
        start += n


cdef void random_normal(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(out, state (seed, step))."""
    cdef Py_ssize_t i, n, start = task * MATH_CHUNK, end = min(start + MATH_CHUNK, c.size[0])
    cdef Py_ssize_t words_each = sizeof(floating) // 4
    cdef floating *out = <floating *> c.array[0]
    cdef unsigned int words[FN_PHILOX_WORDS]
    cdef double drawn[FN_PHILOX_WORDS]
    while start < end:
        n = min(FN_PHILOX_WORDS // words_each, end - start)
        draw_words(c, 1, start * words_each, words)
        if floating is float:
            fn_normal_32(words, drawn)
        else:
            fn_normal_64(words, drawn)
        for i in range(n):
            out[start + i] = <floating> drawn[i]
        start += n


cdef void random_integers(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(out, bounds (least, greatest), state (seed, step))."""
    cdef Py_ssize_t i, n, start = task * MATH_CHUNK, end = min(start + MATH_CHUNK, c.size[0])
    cdef const unsigned long long *bounds = <const unsigned long long *> c.array[1]
    cdef int64_t *out = <int64_t *> c.array[0]
    cdef unsigned int words[FN_PHILOX_WORDS]
    cdef int64_t drawn[FN_PHILOX_BLOCKS]
    while start < end:
        n = min(<Py_ssize_t> FN_PHILOX_BLOCKS, end - start)
        draw_words(c, 2, start * 4, words)
        fn_integers(words, bounds[0], bounds[1] - bounds[0] + 1, drawn)
        for i in range(n):
            out[start + i] = drawn[i]
        start += n
