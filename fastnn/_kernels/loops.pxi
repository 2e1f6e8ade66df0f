# Where NumPy's inner loops are, and fastnn's own: the addresses that a tape records.

cdef extern from "loops.h" nogil:
    ctypedef struct fn_trouble:
        long long bound
        int found
        long long bad
    const loop_t fn_casts[11][11]
    void fn_select_u8(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_select_u16(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_select_u32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_select_u64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_gather_u8(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_gather_u16(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_gather_u32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_gather_u64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_u8(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_u16(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_u32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_u64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_add_f32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_add_f64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_add_i32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_scatter_add_i64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_check_index(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_check_finite_f32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_check_finite_f64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_label_hits_f32(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept
    void fn_label_hits_f64(char **, const cnp.npy_intp *, const cnp.npy_intp *, void *) noexcept

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin, nout, ntypes
        void **functions
        void **data

# The order of FN_TYPES in loops.h.
_TYPES = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")

OWN_LOOPS = {
    ("select", 1): <Py_ssize_t> fn_select_u8,
    ("select", 2): <Py_ssize_t> fn_select_u16,
    ("select", 4): <Py_ssize_t> fn_select_u32,
    ("select", 8): <Py_ssize_t> fn_select_u64,
    ("gather", 1): <Py_ssize_t> fn_gather_u8,
    ("gather", 2): <Py_ssize_t> fn_gather_u16,
    ("gather", 4): <Py_ssize_t> fn_gather_u32,
    ("gather", 8): <Py_ssize_t> fn_gather_u64,
    ("scatter", 1): <Py_ssize_t> fn_scatter_u8,
    ("scatter", 2): <Py_ssize_t> fn_scatter_u16,
    ("scatter", 4): <Py_ssize_t> fn_scatter_u32,
    ("scatter", 8): <Py_ssize_t> fn_scatter_u64,
    ("scatter_add", "f4"): <Py_ssize_t> fn_scatter_add_f32,
    ("scatter_add", "f8"): <Py_ssize_t> fn_scatter_add_f64,
    ("scatter_add", "i4"): <Py_ssize_t> fn_scatter_add_i32,
    ("scatter_add", "i8"): <Py_ssize_t> fn_scatter_add_i64,
    ("check_index", "i8"): <Py_ssize_t> fn_check_index,
    ("check_finite", "f4"): <Py_ssize_t> fn_check_finite_f32,
    ("check_finite", "f8"): <Py_ssize_t> fn_check_finite_f64,
    ("label_hits", "f4"): <Py_ssize_t> fn_label_hits_f32,
    ("label_hits", "f8"): <Py_ssize_t> fn_label_hits_f64,
}
OWN_LOOPS.update({
    ("cast", source, target): <Py_ssize_t> fn_casts[_TYPES.index(target)][_TYPES.index(source)]
    for source in _TYPES for target in _TYPES
})


def ufunc_loop(ufunc, str types) -> tuple:
    """(function, data) of the inner loop for types such as "ff->f"; None if there is none."""
    cdef PyUFuncObject *table = <PyUFuncObject *> <PyObject *> ufunc
    for i, each in enumerate(ufunc.types):
        if each == types:
            return <Py_ssize_t> table.functions[i], <Py_ssize_t> table.data[i]
    return None
