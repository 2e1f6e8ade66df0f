# Tape: the list of calls that a step made, and its replay.
#
# An item is a kernel's bound Call, or an inner loop in a nest; every pointer in it is final.  A
# replay walks over the items, step after step, without the GIL.  What changes from step to step
# is said by links, which write a number or an address into an item before each step.

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc

cdef extern from "<fenv.h>" nogil:
    const int FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INVALID

cdef extern from "flags.h" nogil:
    int fn_raised_flags(int)
    void fn_clear_flags()

cdef extern from "clock.h" nogil:
    double fn_seconds()

cdef enum Kind:
    KERNEL
    LOOP
    CORE   # a generalized ufunc: one inner call, with core dimensions
    FUSED  # a call that another one makes

cdef enum:
    MAX_CORE = 12
    CHUNK_ELEMENTS = 16384  # of a loop that is shared, for one task

# Why a replay ended.
cdef enum Stop:
    DONE = 0     # all steps are made
    LATE = 1     # the time is over
    STATUS = 2   # a kernel found something wrong
    TROUBLE = 3  # a loop found a bad value
    FLAGS = 4    # floating-point flags that are errors

STOPS = ("done", "late", "status", "trouble", "flags")

cdef struct Item:
    Kind kind
    Call call               # of a kernel
    plan_t plan
    task_t task
    loop_t loop             # of a loop
    void *data
    Nest nest
    cnp.npy_intp dims[MAX_CORE]
    cnp.npy_intp steps[MAX_CORE]
    Py_ssize_t chunk        # inner loops, or elements of the only one, for one task; 0: all
    Py_ssize_t tasks
    int heed                # the floating-point flags it reports
    int fatal               # those that end the replay
    int flags               # those that were raised
    fn_trouble trouble
    double seconds          # spent in it, while profiling

# Before step s: *target = *(source + s * stride), a float64 or an int64; or, of an address,
# *target = source + s * stride.
cdef struct Link:
    bint is_address
    char *source
    Py_ssize_t stride
    char *target


cdef int ALL_FLAGS = FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID


cdef void run_loop_task(void *job, Py_ssize_t task, int thread) noexcept nogil:
    cdef Item *item = <Item *> job
    cdef Nest part
    cdef int i, flags
    cdef Py_ssize_t first = task * item.chunk
    if item.heed:
        fn_clear_flags()  # those of a kernel that this thread ran
    if item.nest.levels == 0:
        part = item.nest
        part.n = min(item.chunk, item.nest.n - first)
        for i in range(part.operands):
            part.start[i] += first * part.step[i]
        run_nest(&part, 0, 1, item.loop, item.data)
    else:
        run_nest(
            &item.nest, first, min(first + item.chunk, inner_loops(&item.nest)), item.loop,
            item.data)
    if item.heed:
        flags = fn_raised_flags(item.heed)
        if flags:
            fn_clear_flags()
            item.flags |= flags


cdef inline void run_loop(Item *item, int threads) noexcept nogil:
    cdef int flags
    if item.tasks > 1:
        fn_pool_run(run_loop_task, item, item.tasks, threads)
        return
    if item.nest.levels == 0:
        run_innermost(&item.nest, item.loop, item.data)
    else:
        run_nest(&item.nest, 0, inner_loops(&item.nest), item.loop, item.data)
    if item.heed:
        flags = fn_raised_flags(item.heed)
        if flags:
            fn_clear_flags()
            item.flags |= flags


cdef inline void run_innermost(Nest *nest, loop_t loop, void *data) noexcept nogil:
    cdef char *args[MAX_OPERANDS]
    cdef int i
    if nest.n:
        for i in range(nest.operands):
            args[i] = nest.start[i]
        loop(args, &nest.n, nest.step, data)


cdef inline void run_core(Item *item) noexcept nogil:
    cdef char *args[MAX_OPERANDS]
    cdef int i
    for i in range(item.nest.operands):
        args[i] = item.nest.start[i]
    item.loop(args, item.dims, item.steps, item.data)


cdef inline void run_kernel(
    Item *item, char *memory, Py_ssize_t shared, int threads
) noexcept nogil:
    cdef Phase phase
    cdef Call *c = &item.call
    c.status, c.memory = OK, memory
    phase.call, phase.task = c, item.task
    phase.scratch, phase.scratch_bytes = memory + shared, aligned(c.scratch)
    if item.tasks > 1:
        run_phases(c, &phase, threads)
        return
    for phase.number in range(c.phases):
        if c.tasks[phase.number]:
            item.task(c, phase.number, 0, phase.scratch)
            if c.status != OK:
                return


cdef class Tape:
    """Calls recorded one after another, on buffers that stay where they are.

    Attributes:
        calls: (name, shapes of the operands) of each item.
        sources: what the owner of the tape noted of each item, for its errors.
    """

    cdef Item **items
    cdef int count, room
    cdef Link *links
    cdef int link_count, link_room
    cdef readonly list calls, sources
    cdef list keep, others  # whatever owns the memory that items point to
    cdef list kernels       # (kernel, its arrays), or None
    cdef void *block
    cdef Py_ssize_t shared_bytes
    cdef int threads        # that the calls are planned for; 0: not yet planned
    cdef int stopped        # the item that a replay ended at

    def __cinit__(self):
        self.keep, self.others, self.calls, self.kernels, self.sources = [], [], [], [], []

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            PyMem_Free(self.items[i])
        PyMem_Free(self.items)
        PyMem_Free(self.links)
        free(self.block)

    def __len__(self):
        return self.count

    cdef Item *new_item(self, Kind kind, str name, operands, source) except NULL:
        cdef void *grown
        if self.count == self.room:
            grown = PyMem_Realloc(self.items, max(2 * self.room, 16) * sizeof(Item *))
            if grown == NULL:
                raise MemoryError("no memory for the calls of a program")
            self.items, self.room = <Item **> grown, max(2 * self.room, 16)
        cdef Item *item = <Item *> PyMem_Calloc(1, sizeof(Item))
        if item == NULL:
            raise MemoryError("no memory for the calls of a program")
        item.kind, item.tasks = kind, 1
        self.items[self.count] = item
        self.count += 1
        self.calls.append((name, [getattr(a, "shape", None) for a in operands]))
        self.sources.append(source)
        self.kernels.append(None)
        self.keep.append(operands)
        self.threads = 0
        return item

    # --- recording ---------------------------------------------------------------------

    def kernel(self, Kernel kernel, list args, source=None):
        """Record a kernel's call with plain arguments; its outputs, or None if not plain."""
        cdef PyObject *value[MAX_ARGUMENTS]
        cdef Call c
        cdef int i
        cdef list outputs = [None] * MAX_ARRAYS
        cdef Item *item
        for i in range(kernel.count):
            value[i] = <PyObject *> args[i] if i < len(args) else NULL
        if not kernel.bind(value, &c, outputs):
            return None
        arrays = [
            args[i] if i < len(args) else None
            for i in range(kernel.count) if kernel.slots[i].role != NUMBER
        ]
        item = self.new_item(KERNEL, kernel.name, arrays, source)
        self.others.append(outputs)
        item.call, item.plan, item.task = c, kernel.plan, kernel.task[c.itemsize == 8]
        self.kernels[self.count - 1] = (kernel, arrays)
        return kernel.results(outputs)

    def loop(self, str name, Py_ssize_t function, Py_ssize_t data, list operands, list calls,
             int heed=0, int fatal=0, bint shared=False, bound=None, source=None):
        """Record an inner loop; ``calls`` are what ``iterated`` gives, a nest or several.

        Each element is computed by itself if ``shared``, so that threads may share them.
        """
        cdef Item *item
        for nest_calls in grouped(calls):
            item = self.new_item(LOOP, name, operands, source)
            fold(nest_calls, &item.nest)
            item.loop, item.data = <loop_t> <void *> function, <void *> data
            item.heed, item.fatal = heed, fatal
            item.chunk = -1 if shared else 0
            if bound is not None:
                item.trouble.bound = bound
                item.data = &item.trouble

    def core(self, str name, Py_ssize_t function, Py_ssize_t data, list operands,
             list addresses, list dims, list steps, source=None):
        """Record one call of a generalized ufunc's inner loop."""
        cdef Item *item = self.new_item(CORE, name, operands, source)
        cdef int i
        item.loop, item.data = <loop_t> <void *> function, <void *> data
        item.nest.operands = <int> len(operands)
        for i in range(item.nest.operands):
            item.nest.start[i] = <char *> <Py_ssize_t> addresses[i]
        for i, dim in enumerate(dims):
            item.dims[i] = dim
        for i, step in enumerate(steps):
            item.steps[i] = step

    cdef Link *new_link(self) except NULL:
        cdef void *grown
        if self.link_count == self.link_room:
            grown = PyMem_Realloc(self.links, max(2 * self.link_room, 8) * sizeof(Link))
            if grown == NULL:
                raise MemoryError("no memory for the links of a program")
            self.links, self.link_room = <Link *> grown, max(2 * self.link_room, 8)
        self.link_count += 1
        return &self.links[self.link_count - 1]

    def link_scalar(self, int item, int position, cnp.ndarray values, Py_ssize_t stride=0):
        """Argument ``position`` of a kernel's call is values[s] before step s, float64."""
        cdef Kernel kernel = self.kernels[item][0]
        cdef Link *link = self.new_link()
        link.is_address, link.stride = False, stride
        link.source = <char *> cnp.PyArray_DATA(values)
        link.target = <char *> &self.items[item].call.scalar[kernel.slots[position].place]
        self.others.append(values)

    def move(self, cnp.ndarray array, Py_ssize_t stride, Py_ssize_t position=0):
        """Whatever points into the array at step ``position`` points ``stride`` bytes further at
        the next."""
        cdef char *low = <char *> cnp.PyArray_DATA(array)
        cdef char *high = low + max(cnp.PyArray_NBYTES(array), 1)
        cdef Item *item
        cdef int i, j
        for i in range(self.count):
            item = self.items[i]
            if item.kind == KERNEL or item.kind == FUSED:
                for j in range(MAX_ARRAYS):
                    if low <= <char *> item.call.array[j] < high:
                        self.move_pointer(<char **> &item.call.array[j], stride, position)
            else:
                for j in range(item.nest.operands):
                    if low <= item.nest.start[j] < high:
                        self.move_pointer(&item.nest.start[j], stride, position)
        self.others.append(array)

    cdef move_pointer(self, char **target, Py_ssize_t stride, Py_ssize_t position):
        cdef Link *link = self.new_link()
        link.is_address, link.stride = True, stride
        link.source = target[0] - position * stride
        link.target = <char *> target

    # --- replay ------------------------------------------------------------------------

    cdef int prepare(self) except -1:
        """Plan all calls for the threads there are, and get the memory that they need."""
        cdef int i, phase
        cdef Item *item
        cdef Py_ssize_t shared = 0, scratch = 0, total
        if self.threads == thread_limit:
            return 0
        for i in range(self.count):
            item = self.items[i]
            item.tasks = 1
            if item.kind == KERNEL:
                item.call.status, item.call.scratch, item.call.shared = OK, 0, 0
                item.call.threads = thread_limit
                item.plan(&item.call)
                for phase in range(item.call.phases):
                    item.tasks = max(item.tasks, item.call.tasks[phase])
                shared = max(shared, aligned(item.call.shared))
                scratch = max(scratch, aligned(item.call.scratch))
            elif item.kind == LOOP and item.chunk:
                total = item.nest.n * inner_loops(&item.nest)
                if total >= 2 * CHUNK_ELEMENTS:
                    if item.nest.levels == 0:
                        item.chunk = CHUNK_ELEMENTS
                        item.tasks = blocks_of(item.nest.n, item.chunk)
                    else:
                        item.chunk = max(CHUNK_ELEMENTS // item.nest.n, 1)
                        item.tasks = blocks_of(inner_loops(&item.nest), item.chunk)
        free(self.block)
        self.block = malloc(shared + thread_limit * scratch + 2 * ALIGNMENT)
        if self.block == NULL:
            raise MemoryError(f"a program needs {shared + thread_limit * scratch} bytes")
        self.shared_bytes, self.threads = shared, thread_limit
        return 0

    @property
    def working_bytes(self):
        """Memory that the calls use while they run."""
        cdef Py_ssize_t shared = 0, scratch = 0
        cdef int i
        self.prepare()
        for i in range(self.count):
            if self.items[i].kind == KERNEL:
                shared = max(shared, aligned(self.items[i].call.shared))
                scratch = max(scratch, aligned(self.items[i].call.scratch))
        return shared + self.threads * scratch

    def run(self, Py_ssize_t first, Py_ssize_t last, double seconds=1e300, int since=0,
            bint profile=False):
        """Make steps first to last - 1, from item ``since`` on: (steps made, why it ended).

        A step that ends with an error is not counted; its calls up to the error are made.
        """
        cdef Py_ssize_t made = first
        cdef Stop stop
        self.prepare()
        with nogil:
            stop = self.replay(&made, last, fn_seconds() + seconds, since, profile)
        return made - first, STOPS[stop]

    cdef Stop replay(self, Py_ssize_t *step, Py_ssize_t last, double end, int since,
                     bint profile) noexcept nogil:
        cdef int i
        cdef Item *item
        cdef Link *link
        cdef double began = 0
        cdef int stale = ALL_FLAGS  # flags that may stand though no loop here has raised them
        cdef char *memory = <char *> aligned(<Py_ssize_t> self.block)
        while step[0] < last:
            for i in range(self.link_count):
                link = &self.links[i]
                if link.is_address:
                    (<char **> link.target)[0] = link.source + step[0] * link.stride
                else:
                    (<double *> link.target)[0] = (
                        <double *> (link.source + step[0] * link.stride))[0]
            for i in range(since, self.count):
                item = self.items[i]
                if item.kind == FUSED:
                    continue
                if profile:
                    began = fn_seconds()
                if item.kind == LOOP:
                    if stale & item.heed:
                        fn_clear_flags()
                        stale = 0
                    run_loop(item, self.threads)
                    stale |= ALL_FLAGS & ~item.heed
                    if item.trouble.found or item.flags & item.fatal:
                        self.stopped = i
                        return TROUBLE if item.trouble.found else FLAGS
                elif item.kind == KERNEL:
                    stale = ALL_FLAGS
                    run_kernel(item, memory, self.shared_bytes, self.threads)
                    if item.call.status != OK:
                        self.stopped = i
                        return STATUS
                elif item.kind == CORE:
                    stale = ALL_FLAGS
                    run_core(item)
                if profile:
                    item.seconds += fn_seconds() - began
            step[0] += 1
            if fn_seconds() >= end and step[0] < last:
                return LATE
        return DONE

    def is_fused(self, int item):
        """Whether another call makes this one."""
        return self.items[item].kind == FUSED

    def itemsize(self, int item):
        """Bytes of an element of what a call computes."""
        if self.items[item].kind == KERNEL:
            return self.items[item].call.itemsize
        return self.keep[item][len(self.keep[item]) - 1].itemsize

    def explain(self):
        """Raise the kernel's error that ended the last replay."""
        from fastnn._kernels import arguments

        cdef Item *item = self.items[self.stopped]
        kernel, arrays = self.kernels[self.stopped]
        arguments.explain(
            kernel.name, kernel.arguments, arrays, item.call.status, item.call.bad_array,
            item.call.bad_index)

    def trouble(self):
        """(item, bad value, bound) of the loop that ended the last replay; it is forgotten."""
        cdef Item *item = self.items[self.stopped]
        item.trouble.found = 0
        return self.stopped, item.trouble.bad, item.trouble.bound

    def raised(self):
        """(item, floating-point flags) of the loops that raised any; they are forgotten."""
        cdef int i
        cdef list found = []
        for i in range(self.count):
            if self.items[i].flags:
                found.append((i, self.items[i].flags))
                self.items[i].flags = 0
        return found

    def profile(self):
        """Seconds spent in each item since the last call."""
        cdef int i
        cdef list seconds = []
        for i in range(self.count):
            seconds.append(self.items[i].seconds)
            self.items[i].seconds = 0
        return seconds


cdef inline Py_ssize_t blocks_of(Py_ssize_t n, Py_ssize_t block) noexcept nogil:
    return (n + block - 1) // block


FLOATING_POINT_FLAGS = {
    "divide": FE_DIVBYZERO, "over": FE_OVERFLOW, "under": FE_UNDERFLOW, "invalid": FE_INVALID,
}
