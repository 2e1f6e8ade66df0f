# Runs the tasks of a call on the threads that are free.
#
# A call's memory is one block: what its tasks share, then a scratch for each thread.  Small ones
# lie on the stack; of the others, one is kept for the next call, so that its pages stay
# mapped.  The GIL guards the spare block and the count of busy threads.

cdef extern from "cpu.h" nogil:
    bint fn_has_avx2()
    bint fn_has_avx512()
    const int FN_STACK_SCRATCH, FN_KEEP_SCRATCH, FN_OPENMP

cdef enum:
    STACK_BYTES = 8192
    ALIGNMENT = 64

cdef int thread_limit = 1
cdef int busy_threads = 0
cdef bint forked = False
cdef void *spare = NULL
cdef Py_ssize_t spare_bytes = 0


cdef inline Py_ssize_t aligned(Py_ssize_t n) noexcept nogil:
    return (n + ALIGNMENT - 1) & ~<Py_ssize_t> (ALIGNMENT - 1)


cdef void run_phases(
    Call *c, task_t task, int threads, char *scratch, Py_ssize_t scratch_bytes
) noexcept nogil:
    cdef int phase
    cdef Py_ssize_t t
    for phase in range(c.phases):
        if threads > 1 and c.tasks[phase] > 1:
            for t in prange(
                c.tasks[phase], num_threads=threads, schedule="dynamic", chunksize=1
            ):
                task(c, phase, t, scratch + threadid() * scratch_bytes)
        else:
            for t in range(c.tasks[phase]):
                task(c, phase, t, scratch)
        if c.status != OK:
            return


cdef int execute(Call *c, plan_t plan, task_t task) except -1:
    """Plan a bound call and run it; what it finds wrong in the values is in ``c.status``."""
    global busy_threads, spare, spare_bytes
    cdef char stack[STACK_BYTES + ALIGNMENT]
    cdef int phase, threads
    cdef Py_ssize_t most_tasks = 1, shared, scratch, need, got = 0
    cdef void *block = NULL
    cdef char *memory = stack
    c.status, c.scratch, c.shared = OK, 0, 0
    plan(c)
    for phase in range(c.phases):
        most_tasks = max(most_tasks, c.tasks[phase])
    threads = <int> min(<Py_ssize_t> max(thread_limit - busy_threads, 1), most_tasks)
    shared, scratch = aligned(c.shared), aligned(c.scratch)
    need = shared + threads * scratch
    if need > FN_STACK_SCRATCH:
        if spare_bytes >= need:
            block, got = spare, spare_bytes
            spare, spare_bytes = NULL, 0
        else:
            block, got = malloc(need + ALIGNMENT), need
            if block == NULL:
                raise MemoryError(f"a kernel needs {need} bytes of working memory")
        memory = <char *> block
    memory = <char *> aligned(<Py_ssize_t> memory)
    c.memory = memory
    if most_tasks == 1:
        run_phases(c, task, 1, memory + shared, scratch)
    else:
        busy_threads += threads
        with nogil:
            run_phases(c, task, threads, memory + shared, scratch)
        busy_threads -= threads
    if block != NULL:
        if FN_KEEP_SCRATCH and got > spare_bytes:
            free(spare)
            spare, spare_bytes = block, got
        else:
            free(block)
    return 0


def get_num_threads() -> int:
    return thread_limit


def set_num_threads(int n) -> None:
    global thread_limit
    thread_limit = n if FN_OPENMP and not forked else 1


def after_fork_in_child() -> None:
    """OpenMP's threads did not survive the fork: the child runs on one."""
    global thread_limit, busy_threads, forked, spare, spare_bytes
    # A thread that forked beside us may have been about to free the spare block.
    forked, thread_limit, busy_threads, spare, spare_bytes = True, 1, 0, NULL, 0


def has_openmp() -> bool:
    return FN_OPENMP != 0


def is_forked() -> bool:
    return forked


def supported_isas() -> tuple:
    """The instruction sets that this processor runs, the best last."""
    found = ["baseline"]
    if fn_has_avx2():
        found.append("avx2")
    if fn_has_avx512():
        found.append("avx512")
    return tuple(found)


cdef double peak_on_threads(
    const Table *table, int itemsize, int threads, Py_ssize_t rounds
) noexcept nogil:
    cdef int t
    cdef double total = 0
    for t in prange(threads, num_threads=threads, schedule="static", chunksize=1):
        total += table.peak_rounds(itemsize, rounds)
    return total
