# dropout(x, p, state, out): an element is kept where its random word is at least p 2**32.
#
# The word of element i is word i % 4 of Philox's block i // 4, with the step as the rest of the
# counter and the seed as the key: the same for any number of threads, and again in the
# backward, which is the same kernel on the gradient.

cdef extern from "philox.h" nogil:
    enum:
        FN_PHILOX_WORDS
    void fn_philox(
        unsigned long long block, unsigned long long step, unsigned long long seed,
        unsigned int *words)


cdef void dropout(Call *c, int phase, Py_ssize_t task, floating *scratch) noexcept nogil:
    """(x, state (seed, step), out); p."""
    cdef Py_ssize_t i, n, start = task * CHUNK, end = min(start + CHUNK, c.size[0])
    cdef const unsigned long long *state = <const unsigned long long *> c.array[1]
    cdef const floating *x = <const floating *> c.array[0]
    cdef floating *out = <floating *> c.array[2]
    cdef double p = c.scalar[0]
    cdef floating scale = <floating> (1 / (1 - p)) if p < 1 else 0
    # In 64 bits, so that p = 1 drops every word.
    cdef unsigned long long least = <unsigned long long> (p * 4294967296.0)
    cdef unsigned int words[FN_PHILOX_WORDS]
    while start < end:
        n = min(<Py_ssize_t> FN_PHILOX_WORDS, end - start)
        fn_philox(<unsigned long long> start // 4, state[1], state[0], words)
        for i in range(n):
            out[start + i] = x[start + i] * scale if words[i] >= least else 0
        start += n
