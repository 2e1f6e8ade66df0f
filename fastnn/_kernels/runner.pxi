# Runs the tasks of a call on the threads that are free.
#
# A call's memory is one block: what its tasks share, then a scratch for each thread.  Small ones
# lie on the stack; of the others, one of moderate size is kept for the next call, so that its
# pages stay mapped.  The GIL guards the spare block.

cdef extern from "cpu.h" nogil:
    bint fn_has_avx2()
    bint fn_has_avx512()
    const int FN_STACK_SCRATCH, FN_KEPT_SCRATCH

cdef extern from "pool.h" nogil:
    const int FN_HAS_THREADS
    void fn_pool_run(
        void (*work)(void *job, Py_ssize_t task, int thread) noexcept nogil,
        void *job, Py_ssize_t tasks, int threads)

cdef enum:
    STACK_BYTES = 8192
    ALIGNMENT = 64

cdef int thread_limit = 1
cdef bint forked = False
cdef void *spare = NULL
cdef Py_ssize_t spare_bytes = 0


cdef inline Py_ssize_t aligned(Py_ssize_t n) noexcept nogil:
    return (n + ALIGNMENT - 1) & ~<Py_ssize_t> (ALIGNMENT - 1)


# One phase of a call, as the threads of the pool see it.
cdef struct Phase:
    Call *call
    task_t task
    int number
    char *scratch
    Py_ssize_t scratch_bytes


cdef void run_task(void *job, Py_ssize_t task, int thread) noexcept nogil:
    cdef Phase *phase = <Phase *> job
    phase.task(
        phase.call, phase.number, task, phase.scratch + thread * phase.scratch_bytes)


cdef void run_phases(Call *c, Phase *phase, int threads) noexcept nogil:
    for phase.number in range(c.phases):
        fn_pool_run(run_task, phase, c.tasks[phase.number], threads)
        if c.status != OK:
            return


cdef int execute(Call *c, plan_t plan, task_t task) except -1:
    """Plan a bound call and run it; what it finds wrong in the values is in ``c.status``."""
    global spare, spare_bytes
    cdef Phase work
    cdef char stack[STACK_BYTES + ALIGNMENT]
    cdef int phase, threads
    cdef Py_ssize_t most_tasks = 1, shared, scratch, need, got = 0
    cdef void *block = NULL
    cdef char *memory = stack
    c.status, c.scratch, c.shared, c.threads = OK, 0, 0, thread_limit
    plan(c)
    for phase in range(c.phases):
        most_tasks = max(most_tasks, c.tasks[phase])
    threads = <int> min(<Py_ssize_t> thread_limit, most_tasks)
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
    work.call, work.task = c, task
    work.scratch, work.scratch_bytes = memory + shared, scratch
    if most_tasks == 1:
        run_phases(c, &work, 1)
    else:
        with nogil:
            run_phases(c, &work, threads)
    if block != NULL:
        if spare_bytes < got <= FN_KEPT_SCRATCH:
            free(spare)
            spare, spare_bytes = block, got
        else:
            free(block)
    return 0


def get_num_threads() -> int:
    return thread_limit


def set_num_threads(int n) -> None:
    global thread_limit
    thread_limit = n if FN_HAS_THREADS and not forked else 1


def after_fork_in_child() -> None:
    """The pool's threads did not survive the fork: the child runs on one."""
    global thread_limit, forked, spare, spare_bytes
    # A thread that forked beside us may have been about to free the spare block.
    forked, thread_limit, spare, spare_bytes = True, 1, NULL, 0


def has_threads() -> bool:
    return FN_HAS_THREADS != 0


def is_forked() -> bool:
    return forked
