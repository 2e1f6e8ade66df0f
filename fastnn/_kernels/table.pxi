# The table of an instruction set: which there are, which is in use, and how fast it can be.

cdef const Table *table = NULL


def supported_isas() -> tuple:
    """The instruction sets that this processor runs, the best last."""
    found = ["baseline"]
    if fn_has_avx2():
        found.append("avx2")
    if fn_has_avx512():
        found.append("avx512")
    return tuple(found)


def use(capsule, dict kernels) -> None:
    """Point every kernel of ``kernels``, by name, at the code of one instruction set."""
    global table
    cdef Kernel kernel
    cdef int i, j
    cdef dict found = {}
    table = <const Table *> PyCapsule_GetPointer(capsule, "fastnn._kernels.table")
    for i in range(table.count):
        found[table.kernels[i].name.decode()] = i
    for name in kernels:
        kernel = kernels[name]
        i = found[name]
        kernel.plan = table.kernels[i].plan
        for j in range(2):
            kernel.task[j] = table.kernels[i].task[j]


# The peak probe, as the threads of the pool see it.
cdef struct Probe:
    const Table *table
    int itemsize
    Py_ssize_t rounds


cdef void run_probe(void *job, Py_ssize_t task, int thread) noexcept nogil:
    cdef Probe *probe = <Probe *> job
    probe.table.peak_rounds(probe.itemsize, probe.rounds)


def measure_peak(int itemsize, int threads, double seconds) -> float:
    """The best rate of fused multiply-adds seen within ``seconds``, in operations a second."""
    cdef Probe probe
    cdef double best = 0, flops
    # Several tasks a thread, so that one that comes late takes fewer.
    cdef Py_ssize_t tasks = 8 * threads
    probe.table, probe.itemsize, probe.rounds = table, itemsize, 20000
    flops = table.flops_per_round[itemsize == 8] * <double> probe.rounds * tasks
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        with nogil:
            fn_pool_run(run_probe, &probe, tasks, threads)
        now = time.perf_counter()
        best = max(best, flops / (now - start))
        if now >= end:
            return best
