# The elementwise call that follows what another call has just made, while it is in the cache.

cdef enum:
    FINISH_ARRAYS = 4      # that an elementwise call has at most
    FINISH_CHUNK = 8192    # elements: no more than one task of any elementwise kernel


cdef void finish_elements(
    Call *finish, task_t task, Py_ssize_t start, Py_ssize_t n, floating *passed_on,
    floating *scratch
) noexcept nogil:
    """The call on n elements of its arrays, from ``start`` on.

    Those of its second array lie at ``passed_on`` unless that is NULL.
    """
    cdef Call part = finish[0]
    cdef Py_ssize_t at = 0
    cdef int each
    while at < n:
        part.size[0] = min(n - at, <Py_ssize_t> FINISH_CHUNK)
        for each in range(FINISH_ARRAYS):
            if finish.array[each] != NULL:
                part.array[each] = <floating *> finish.array[each] + start + at
        if passed_on != NULL:
            part.array[1] = passed_on + at
        task(&part, 0, 0, scratch)
        at += FINISH_CHUNK
