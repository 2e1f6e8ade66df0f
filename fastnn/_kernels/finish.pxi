# The elementwise call that follows what another call has just made, while it is in the cache.

cdef enum:
    FINISH_ARRAYS = 4      # that an elementwise call has at most
    FINISH_CHUNK = 8192    # elements: no more than one task of any elementwise kernel


cdef void finish_runs(
    Call *finish, task_t task, Py_ssize_t start, Py_ssize_t n, Py_ssize_t runs, Py_ssize_t step,
    floating *passed_on, Py_ssize_t passed_step, floating *scratch
) noexcept nogil:
    """The call on runs of n elements of its arrays, ``step`` apart, from ``start`` on.

    Those of its second array lie at ``passed_on``, ``passed_step`` apart, unless that is NULL.
    """
    cdef Call part = finish[0]
    cdef Py_ssize_t run, at
    cdef int each
    if n == step and (passed_on == NULL or n == passed_step):
        n, runs = n * runs, 1
    for run in range(runs):
        at = 0
        while at < n:
            part.size[0] = min(n - at, <Py_ssize_t> FINISH_CHUNK)
            for each in range(FINISH_ARRAYS):
                if finish.array[each] != NULL:
                    part.array[each] = <floating *> finish.array[each] + start + at
            if passed_on != NULL:
                part.array[1] = passed_on + at
            task(&part, 0, 0, scratch)
            at += FINISH_CHUNK
        start += step
        if passed_on != NULL:
            passed_on += passed_step


cdef inline void finish_elements(
    Call *finish, task_t task, Py_ssize_t start, Py_ssize_t n, floating *scratch
) noexcept nogil:
    """The call on n elements of its arrays, from ``start`` on."""
    finish_runs(finish, task, start, n, 1, n, <floating *> NULL, 0, scratch)
