# A nest of loops around an inner loop, and how NumPy would walk over the same operands.
#
# The order in which NumPy's iterator visits elements, and with which strides it calls the inner
# loop, decides the bits of sums and of some functions.  So the iterator itself is asked: it is
# made as NumPy makes it for the operation, run once without doing anything, and what it would
# have called is folded into a nest.

cdef extern from "numpy/ndarrayobject.h":
    ctypedef struct NpyIter:
        pass
    ctypedef struct PyArrayObject:
        pass
    ctypedef struct PyArray_Descr:
        pass
    ctypedef int NpyIter_IterNextFunc(NpyIter *) noexcept
    NpyIter *NpyIter_AdvancedNew(
        int nop, PyArrayObject **op, cnp.npy_uint32 flags, int order, int casting,
        cnp.npy_uint32 *op_flags, PyArray_Descr **op_dtypes, int oa_ndim, int **op_axes,
        cnp.npy_intp *itershape, cnp.npy_intp buffersize) except NULL
    int NpyIter_Deallocate(NpyIter *)
    int NpyIter_Reset(NpyIter *, char **) except -1
    NpyIter_IterNextFunc *NpyIter_GetIterNext(NpyIter *, char **) except NULL
    char **NpyIter_GetDataPtrArray(NpyIter *)
    cnp.npy_intp *NpyIter_GetInnerStrideArray(NpyIter *)
    cnp.npy_intp *NpyIter_GetInnerLoopSizePtr(NpyIter *)
    cnp.npy_intp NpyIter_GetIterSize(NpyIter *)
    bint NpyIter_IsFirstVisit(NpyIter *, int)
    cnp.npy_uint32 NPY_ITER_BUFFERED, NPY_ITER_EXTERNAL_LOOP, NPY_ITER_GROWINNER
    cnp.npy_uint32 NPY_ITER_REDUCE_OK, NPY_ITER_DELAY_BUFALLOC, NPY_ITER_ZEROSIZE_OK
    cnp.npy_uint32 NPY_ITER_READWRITE, NPY_ITER_READONLY, NPY_ITER_ALIGNED
    cnp.npy_uint32 NPY_ITER_NO_BROADCAST, NPY_ITER_DONT_NEGATE_STRIDES
    int NPY_KEEPORDER, NPY_UNSAFE_CASTING

cdef enum:
    MAX_OPERANDS = 5
    MAX_LEVELS = 6

ctypedef void (*loop_t)(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept nogil

# An inner loop of n elements, and the levels around it, the outermost first.
cdef struct Nest:
    int operands
    int levels
    cnp.npy_intp n
    cnp.npy_intp step[MAX_OPERANDS]
    Py_ssize_t count[MAX_LEVELS]
    Py_ssize_t stride[MAX_LEVELS][MAX_OPERANDS]
    char *start[MAX_OPERANDS]


cdef void run_nest(
    const Nest *nest, Py_ssize_t first, Py_ssize_t last, loop_t loop, void *data
) noexcept nogil:
    """The inner loops numbered first to last - 1, in the order of the nest."""
    cdef char *at[MAX_OPERANDS]
    cdef char *args[MAX_OPERANDS]
    cdef Py_ssize_t index[MAX_LEVELS]
    cdef Py_ssize_t number, rest = first
    cdef int level, i
    for i in range(nest.operands):
        at[i] = nest.start[i]
    for level in range(nest.levels - 1, -1, -1):
        index[level] = rest % nest.count[level]
        rest = rest // nest.count[level]
        for i in range(nest.operands):
            at[i] += index[level] * nest.stride[level][i]
    for number in range(first, last):
        for i in range(nest.operands):
            args[i] = at[i]
        loop(args, &nest.n, nest.step, data)
        level = nest.levels - 1
        while level >= 0:
            index[level] += 1
            for i in range(nest.operands):
                at[i] += nest.stride[level][i]
            if index[level] < nest.count[level]:
                break
            for i in range(nest.operands):
                at[i] -= nest.count[level] * nest.stride[level][i]
            index[level] = 0
            level -= 1


cdef Py_ssize_t inner_loops(const Nest *nest) noexcept nogil:
    cdef Py_ssize_t count = 1
    cdef int level
    for level in range(nest.levels):
        count *= nest.count[level]
    return count if nest.n else 0


def iterated(
    list operands, bint given, bint buffered=True, bint reducing=False, tuple result_axes=(),
    Py_ssize_t skip_first=0, list in_order=None, cnp.dtype inner=None
) -> list | tuple:
    """The inner loops that NumPy's iterator makes of the operands, the written one last.

    ``given`` says whether the written one was given to NumPy (``out=``): an axis is walked
    backwards only then.  Without ``buffered`` the iterator may not copy.  With ``reducing``, the
    operands are (source, result), ``result_axes`` says where the axes of the source are in the
    result (-1: nowhere), and the first ``skip_first`` visits to an element of the result are left
    out, for it holds the first value already; the source is read as an array of ``inner``.

    Returns (addresses, count, strides) of each; or, where the iterator copies operands piece by
    piece into buffers of its own, a tuple of their positions.  In the place of such a buffer
    stands the array at that position of ``in_order``: all elements of the operand, on one axis,
    in the order in which they are walked over.
    """
    cdef int nop = <int> len(operands), i
    cdef PyArrayObject *op[MAX_OPERANDS]
    cdef cnp.npy_uint32 op_flags[MAX_OPERANDS]
    cdef int axes[MAX_NDIM]
    cdef int *op_axes[MAX_OPERANDS]
    cdef PyArray_Descr *dtypes[2]
    cdef NpyIter *it
    cdef NpyIter_IterNextFunc *next
    cdef char **data
    cdef char *start[MAX_OPERANDS]
    cdef cnp.npy_intp *strides
    cdef cnp.npy_intp step[MAX_OPERANDS]
    cdef cnp.npy_intp *size
    cdef cnp.npy_intp count, skipped, done = 0
    cdef list found = []
    cdef set missing = set()
    cdef cnp.npy_uint32 flags = NPY_ITER_EXTERNAL_LOOP | NPY_ITER_ZEROSIZE_OK
    if buffered:
        flags |= NPY_ITER_BUFFERED | NPY_ITER_GROWINNER | NPY_ITER_DELAY_BUFALLOC
    if not given:
        flags |= NPY_ITER_DONT_NEGATE_STRIDES
    if nop > MAX_OPERANDS:
        raise ValueError(f"an operation with {nop} operands cannot be recorded")
    if reducing:
        # NumPy's own order: the result first.
        flags |= NPY_ITER_REDUCE_OK
        op[0] = <PyArrayObject *> <PyObject *> operands[1]
        op[1] = <PyArrayObject *> <PyObject *> operands[0]
        op_flags[0] = NPY_ITER_READWRITE | NPY_ITER_ALIGNED
        op_flags[1] = NPY_ITER_READONLY | NPY_ITER_ALIGNED | NPY_ITER_NO_BROADCAST
        for i in range(<int> len(result_axes)):
            axes[i] = result_axes[i]
        op_axes[0], op_axes[1] = axes, NULL
        dtypes[0], dtypes[1] = NULL, <PyArray_Descr *> <PyObject *> inner
        it = NpyIter_AdvancedNew(
            2, op, flags, NPY_KEEPORDER, NPY_UNSAFE_CASTING, op_flags,
            NULL if inner is None else dtypes, <int> len(result_axes), op_axes, NULL, 0)
    else:
        for i in range(nop):
            op[i] = <PyArrayObject *> <PyObject *> operands[i]
            # The written one too: else the iterator's buffers, which are empty, go to it.
            op_flags[i] = NPY_ITER_READONLY | NPY_ITER_ALIGNED
        op_flags[nop - 1] |= NPY_ITER_NO_BROADCAST
        it = NpyIter_AdvancedNew(
            nop, op, flags, NPY_KEEPORDER, NPY_UNSAFE_CASTING, op_flags, NULL, -1, NULL, NULL, 0)
    try:
        if NpyIter_GetIterSize(it) == 0:
            return found
        if buffered:
            NpyIter_Reset(it, NULL)
        next = NpyIter_GetIterNext(it, NULL)
        data = NpyIter_GetDataPtrArray(it)
        strides = NpyIter_GetInnerStrideArray(it)
        size = NpyIter_GetInnerLoopSizePtr(it)
        while True:
            for i in range(nop):
                start[i], step[i] = data[i], strides[i]
                if not lies_in(data[i], <cnp.ndarray> <object> <PyObject *> op[i]):
                    position = 1 - i if reducing else i
                    stand_in = None if in_order is None else in_order[position]
                    if stand_in is None:
                        missing.add(position)
                    else:
                        start[i] = <char *> cnp.PyArray_DATA(<cnp.ndarray> stand_in)
                        start[i] += done * cnp.PyArray_ITEMSIZE(<cnp.ndarray> stand_in)
            done += size[0]
            count, skipped = size[0], 0
            if skip_first > 0 and NpyIter_IsFirstVisit(it, 0):
                skipped = 1 if strides[0] == 0 else count
                skip_first -= skipped
            if count > skipped:
                found.append((
                    [<Py_ssize_t> start[i] + skipped * step[i] for i in range(nop)],
                    count - skipped,
                    [step[i] for i in range(nop)],
                ))
            if not next(it):
                break
    finally:
        NpyIter_Deallocate(it)
    if missing:
        return tuple(sorted(missing))
    if reducing:
        found = [([b, a], n, [t, s]) for ([a, b], n, [s, t]) in found]
    return found


cdef bint lies_in(char *address, cnp.ndarray array) noexcept:
    cdef char *low = <char *> cnp.PyArray_DATA(array)
    cdef char *high = low + cnp.PyArray_ITEMSIZE(array)
    cdef Py_ssize_t span
    cdef int i
    for i in range(cnp.PyArray_NDIM(array)):
        span = (cnp.PyArray_DIMS(array)[i] - 1) * cnp.PyArray_STRIDES(array)[i]
        if span > 0:
            high += span
        else:
            low += span
    return low <= address < high


def grouped(list calls) -> list:
    """The inner loops in groups that are each a nest, in their order."""
    cdef Nest nest
    cdef list groups = [], group = []
    if fold(calls, &nest):
        return [calls] if calls else []
    for each in calls:
        if group and (each[1] != group[0][1] or each[2] != group[0][2]):
            groups.append(group)
            group = []
        group.append(each)
    groups.append(group)
    return [
        part for group in groups
        for part in ([group] if fold(group, &nest) else [[each] for each in group])
    ]


cdef bint fold(list calls, Nest *nest) except -1:
    """The inner loops as a nest; False if they are no nest."""
    cdef int i, level
    cdef Py_ssize_t block
    if not calls:
        nest.n, nest.levels = 0, 0
        return True
    addresses, n, strides = calls[0]
    nest.operands = <int> len(addresses)
    for each in calls:
        if each[1] != n or each[2] != strides:
            return False
    nest.n = n
    for i in range(nest.operands):
        nest.step[i] = strides[i]
        nest.start[i] = <char *> <Py_ssize_t> addresses[i]
    cdef list starts = [each[0] for each in calls]
    cdef list levels = []
    while len(starts) > 1:
        # The longest run of equal steps from the start is the innermost level.
        first = [b - a for a, b in zip(starts[0], starts[1])]
        block = 2
        while block < len(starts) and (
            [b - a for a, b in zip(starts[block - 1], starts[block])] == first
        ):
            block += 1
        if len(starts) % block:
            return False
        for j in range(0, len(starts), block):
            for k in range(j + 1, j + block):
                if [b - a for a, b in zip(starts[k - 1], starts[k])] != first:
                    return False
        levels.append((block, first))
        starts = starts[::block]
    if len(levels) > MAX_LEVELS:
        return False
    nest.levels = <int> len(levels)
    for level, (block, first) in enumerate(reversed(levels)):
        nest.count[level] = block
        for i in range(nest.operands):
            nest.stride[level][i] = first[i]
    return True
