# How fast the processor can multiply and add; who calls it holds the clock.

cdef extern from "peak.h" nogil:
    const int FN_PEAK_FLOPS_32, FN_PEAK_FLOPS_64
    float fn_peak_32(Py_ssize_t rounds)
    double fn_peak_64(Py_ssize_t rounds)


cdef double peak_rounds(int itemsize, Py_ssize_t rounds) noexcept nogil:
    """Do the rounds; their result, which keeps them from being left out."""
    return fn_peak_32(rounds) if itemsize == 4 else fn_peak_64(rounds)
