"""The one way from Python to a kernel: arguments are checked here, once, by the kernel's row.

A call is tried as it is: plain arrays (contiguous, aligned, native, of the right type and
shape, outputs apart from the rest) are bound with a few comparisons of their raw fields.
Whatever is not plain goes to ``arguments.normalise``, in Python, which either makes it plain
or raises the error that says what is wrong.
"""

import time

cimport numpy as cnp
from cpython.bool cimport PyBool_Check
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsDouble, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY
from libc.stdlib cimport free, malloc

from fastnn._kernels.call cimport *

from fastnn._kernels.signatures import (
    GROUPS, IN_PLACE, NEEDED_WITH, ROWS, WINDOWS, may_fail, parse)

cnp.import_array()

include "runner.pxi"
include "windows.pxi"

cdef enum:
    MAX_ARGUMENTS = 16
    MAX_DIMS = 4
    MAX_NDIM = 64
    GROUP = MAX_SIZES  # the "..." of a row, where a letter would stand

cdef enum Role:
    IN, MATRIX, RUNS, WEIGHTS, LABELS, SOURCE, OUT, OUT64, OUTLABELS, INOUT, INOUTLABELS, NUMBER

ROLES = {
    "in": IN, "matrix": MATRIX, "rows": RUNS, "target": IN, "weights": WEIGHTS, "in64": WEIGHTS,
    "labels": LABELS, "source": SOURCE, "out": OUT, "out64": OUT64, "outlabels": OUTLABELS,
    "inout": INOUT, "inoutlabels": INOUTLABELS, "float": NUMBER, "int": NUMBER, "bool": NUMBER,
}

cdef struct Slot:
    Role role
    bint optional
    bint whole          # a scalar that is an integer or a boolean
    double minimum      # of a scalar
    double maximum
    int place           # in Call.array or Call.scalar
    int ndim            # dimensions named by the row, "..." among them
    int dim[MAX_DIMS]   # index in Call.size of each, or GROUP
    bint not_empty[MAX_DIMS]
    double default
    int needed_with     # the scalar that makes an optional argument needed, or -1

# What is known of a call while its arguments are bound.
cdef struct Binding:
    int type                 # NumPy's number of the floating-point type; -1: not yet known
    int group_ndim           # -1: not yet known
    Py_ssize_t group[MAX_NDIM]
    char *start[MAX_ARRAYS]  # the memory that each array spans
    char *end[MAX_ARRAYS]
    bint written[MAX_ARRAYS]


cdef inline bint is_floating(int type) noexcept:
    return type == cnp.NPY_FLOAT32 or type == cnp.NPY_FLOAT64


cdef cnp.ndarray plain_numbers(cnp.ndarray array, Role role):
    """Labels as int64 or weights as float64, where that loses nothing; else as they are."""
    cdef int type = cnp.PyArray_TYPE(array)
    if role == LABELS:
        if cnp.PyTypeNum_ISINTEGER(type) and type not in (cnp.NPY_INT64, cnp.NPY_UINT64):
            if type != cnp.NPY_ULONGLONG:
                return cnp.PyArray_Cast(array, cnp.NPY_INT64)
    elif type == cnp.NPY_FLOAT32:
        return cnp.PyArray_Cast(array, cnp.NPY_FLOAT64)
    return array


cdef class Kernel:
    """A compiled kernel, called with the arguments of its twin in ``reference.py``."""

    cdef readonly str name
    cdef readonly tuple arguments
    cdef tuple names
    cdef Slot slots[MAX_ARGUMENTS]
    cdef int count, array_count, size_count, group_size
    cdef bint in_place
    cdef Relations relations
    cdef Py_ssize_t fixed[MAX_SIZES]  # of each size, or -1
    cdef int first_output
    cdef plan_t plan
    cdef task_t task[2]
    cdef dict __dict__

    def __cinit__(self, str name):
        cdef int i, j
        cdef list letters = []
        cdef Slot *slot
        self.name = name
        self.arguments = parse(ROWS[name])
        self.names = tuple(argument.name for argument in self.arguments)
        self.in_place = name in IN_PLACE
        self.count = len(self.arguments)
        scalars = [argument.name for argument in self.arguments if argument.is_scalar]
        arrays = [argument.name for argument in self.arguments if not argument.is_scalar]
        if self.count > MAX_ARGUMENTS or len(scalars) > MAX_SCALARS or len(arrays) > MAX_ARRAYS:
            raise ValueError(f"{name} has more arguments than the doorway holds")
        are_outputs = [argument.is_output for argument in self.arguments]
        self.first_output = (are_outputs + [True]).index(True)
        self.array_count = len(arrays)
        for i, argument in enumerate(self.arguments):
            slot = &self.slots[i]
            slot.role = ROLES[argument.role]
            slot.optional = argument.optional
            slot.needed_with = -1
            slot.whole = argument.role in ("int", "bool")
            if argument.is_scalar:
                slot.place = scalars.index(argument.name)
                slot.default = argument.default or 0.0
                slot.minimum = -INFINITY if argument.minimum is None else argument.minimum
                slot.maximum = INFINITY if argument.maximum is None else argument.maximum
                continue
            slot.place = arrays.index(argument.name)
            if (name, argument.name) in NEEDED_WITH:
                slot.needed_with = scalars.index(NEEDED_WITH[name, argument.name])
            slot.ndim = len(argument.dims)
            for j, letter in enumerate(argument.dims):
                if letter not in letters:
                    letters.append(letter)
                slot.dim[j] = GROUP if letter == "..." else letters.index(letter)
                slot.not_empty[j] = argument.not_empty[j]
        self.size_count = len(letters)
        if self.size_count > MAX_SIZES:
            raise ValueError(f"{name} has more sizes than the doorway holds")
        for i, letter in enumerate(letters):
            self.fixed[i] = int(letter) if letter.isdecimal() else -1
        self.relations = relate(WINDOWS.get(name, ()), GROUPS.get(name), letters, scalars)
        self.__name__ = self.__qualname__ = name
        self.group_size = letters.index("...") if "..." in letters else -1

    @property
    def __doc__(self):
        from fastnn._kernels import reference

        return getattr(reference, self.name).__doc__

    @property
    def __signature__(self):
        import inspect

        return inspect.Signature([
            inspect.Parameter(
                argument.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if argument.is_required
                else argument.default,
            )
            for argument in self.arguments
        ])

    def __call__(self, *args, **kwargs):
        cdef PyObject *value[MAX_ARGUMENTS]
        cdef int i
        cdef Py_ssize_t given = len(args)
        if given > self.count:
            raise TypeError(
                f"{self.name}() takes at most {self.count} arguments, got {given}"
            )
        for i in range(self.count):
            value[i] = <PyObject *> args[i] if i < given else NULL
        if kwargs:
            for name, keyword in kwargs.items():
                if name not in self.names:
                    raise TypeError(
                        f"{self.name}() has no argument {name!r}; it takes "
                        f"{', '.join(self.names)}"
                    )
                i = self.names.index(name)
                if value[i] != NULL:
                    raise TypeError(f"{self.name}() got argument {name!r} twice")
                value[i] = <PyObject *> keyword
        return self.call(value)

    cdef call(self, PyObject **value):
        cdef Call c
        cdef int i
        cdef list outputs = [None] * MAX_ARRAYS
        cdef list plain
        if self.bind(value, &c, outputs):
            self.run(&c, value)
            return self.results(outputs)
        given = {}
        for i in range(self.count):
            if value[i] != NULL:
                given[self.names[i]] = <object> value[i]
        for each in given.values():
            if hasattr(type(each), "__fastnn_kernel__"):
                return each.__fastnn_kernel__(self, given)
        from fastnn._kernels import arguments  # the slow path: imported when it is first needed

        plain, copies = arguments.normalise(self.name, self.arguments, given)
        for i in range(self.count):
            value[i] = <PyObject *> plain[i]
        if not self.bind(value, &c, outputs):
            raise RuntimeError(f"{self.name}: cannot bind the arguments; please report this")
        self.run(&c, value)
        for place, target, copy in copies:
            target[...] = copy
            outputs[place] = target
        return self.results(outputs)

    def outputs(self, list args):
        """The arrays that a call with these plain arguments would allocate, by argument; None
        where they are not plain."""
        cdef PyObject *value[MAX_ARGUMENTS]
        cdef Call c
        cdef int i
        cdef list outputs = [None] * MAX_ARRAYS
        for i in range(self.count):
            value[i] = <PyObject *> args[i]
        if not self.bind(value, &c, outputs):
            return None
        return [
            outputs[self.slots[i].place] if self.slots[i].role in (OUT, OUT64, OUTLABELS) else None
            for i in range(self.count)
        ]

    cdef run(self, Call *c, PyObject **value):
        execute(c, self.plan, self.task[c.itemsize == 8])
        if c.status != OK:
            from fastnn._kernels import arguments

            arrays = [
                <object> value[i] if value[i] != NULL else None
                for i in range(self.count) if self.slots[i].role != NUMBER
            ]
            arguments.explain(
                self.name, self.arguments, arrays, c.status, c.bad_array, c.bad_index
            )

    cdef results(self, list outputs):
        """All outputs, or what was updated in place where there are none."""
        cdef int i, updated = -1
        cdef list found = []
        for i in range(self.count):
            if self.slots[i].role in (OUT, OUT64, OUTLABELS):
                found.append(outputs[self.slots[i].place])
            elif self.slots[i].role in (INOUT, INOUTLABELS) and updated < 0:
                updated = self.slots[i].place
        if not found:
            return outputs[updated]
        return found[0] if len(found) == 1 else tuple(found)

    cdef bint bind(self, PyObject **value, Call *c, list outputs) except -1:
        """Fill ``c`` from plain arguments; False where one of them is not plain."""
        cdef Binding binding
        cdef Slot *slot
        cdef PyObject *v
        cdef int i, place
        cdef bint shared = False
        binding.type = binding.group_ndim = -1
        c.itemsize = 4
        for i in range(MAX_FINISHES):
            c.finish[i] = NULL
        c.before = NULL
        c.passes_on = False
        for i in range(self.size_count):
            c.size[i] = self.fixed[i]
        for i in range(self.count):
            if i == self.first_output and not sizes_agree(&self.relations, c):
                return False
            slot = &self.slots[i]
            v = value[i]
            place = slot.place
            if slot.role == NUMBER:
                if v == NULL:
                    if not slot.optional:
                        return False
                    c.scalar[place] = slot.default
                elif PyFloat_CheckExact(<object> v) and not slot.whole:
                    c.scalar[place] = PyFloat_AS_DOUBLE(<object> v)
                elif PyLong_CheckExact(<object> v) or PyBool_Check(<object> v):
                    try:
                        c.scalar[place] = PyLong_AsDouble(<object> v)
                    except OverflowError:
                        return False
                else:
                    return False
                if not slot.minimum <= c.scalar[place] <= slot.maximum:
                    return False
                continue
            c.array[place] = NULL
            binding.start[place] = NULL
            binding.written[place] = slot.role >= OUT
            if v == NULL or v == <PyObject *> None:
                if slot.role in (OUT, OUT64, OUTLABELS):
                    self.allocate(slot, c, &binding, outputs)
                elif not slot.optional:
                    return False
                elif slot.needed_with >= 0 and c.scalar[slot.needed_with] != 0:
                    return False
                continue
            if <object> v is False and slot.optional and slot.role == OUT:
                continue
            if not cnp.PyArray_CheckExact(<object> v):
                return False
            if slot.role == LABELS or slot.role == WEIGHTS:
                array = plain_numbers(<cnp.ndarray> v, slot.role)
                outputs.append(array)  # which keeps a copy alive until the call ends
            else:
                array = <object> v
            if not self.bind_array(slot, <cnp.ndarray> array, c, &binding):
                return False
            if slot.role >= OUT:
                outputs[place] = <object> v
                shared = True
        return not shared or self.outputs_are_apart(&binding)

    cdef bint bind_array(
        self, Slot *slot, cnp.ndarray array, Call *c, Binding *binding
    ) except -1:
        cdef int type = cnp.PyArray_TYPE(array), ndim = cnp.PyArray_NDIM(array)
        cdef int place = slot.place, itemsize = cnp.PyArray_ITEMSIZE(array), i
        cdef Py_ssize_t span = 0
        cdef int wanted = (
            cnp.NPY_FLOAT64 if slot.role in (WEIGHTS, OUT64)
            else cnp.NPY_INT64 if slot.role in (LABELS, OUTLABELS, INOUTLABELS)
            else binding.type
        )
        if slot.role == SOURCE:
            if type != cnp.NPY_UINT8 and not is_floating(type):
                return False
            c.source_type = 0 if type == cnp.NPY_UINT8 else itemsize // 4
        elif wanted >= 0:
            if type != wanted:
                return False
        elif not is_floating(type):
            return False
        else:
            binding.type = type
            c.itemsize = itemsize
        if not cnp.PyArray_ISBEHAVED_RO(array):
            return False
        if slot.role >= OUT and not cnp.PyArray_ISWRITEABLE(array):
            return False
        if not self.bind_shape(
            slot, ndim, <const Py_ssize_t *> cnp.PyArray_DIMS(array), c, binding
        ):
            return False
        binding.start[place] = binding.end[place] = <char *> cnp.PyArray_DATA(array)
        c.array[place] = binding.start[place]
        if slot.role == MATRIX or slot.role == RUNS:
            for i in range(2):
                if cnp.PyArray_STRIDES(array)[i] % itemsize:
                    return False
                c.stride[2 * place + i] = cnp.PyArray_STRIDES(array)[i] // itemsize
                if cnp.PyArray_DIMS(array)[i] > 0:
                    span = (cnp.PyArray_DIMS(array)[i] - 1) * cnp.PyArray_STRIDES(array)[i]
                    if span > 0:
                        binding.end[place] += span
                    else:
                        binding.start[place] += span
            binding.end[place] += itemsize
            if slot.role == RUNS and c.stride[2 * place + 1] != 1:
                if not cnp.PyArray_IS_C_CONTIGUOUS(array):
                    return False
                c.stride[2 * place + 1] = 1  # of a single column, or of nothing
        elif not cnp.PyArray_IS_C_CONTIGUOUS(array):
            return False
        else:
            binding.end[place] += cnp.PyArray_NBYTES(array)
        return True

    cdef bint bind_shape(
        self, Slot *slot, int ndim, const Py_ssize_t *dims, Call *c, Binding *binding
    ) noexcept:
        cdef int i, j, at = 0, rest = ndim - slot.ndim + 1
        cdef Py_ssize_t total
        for i in range(slot.ndim):
            if slot.dim[i] != GROUP:
                if at >= ndim:
                    return False
                if c.size[slot.dim[i]] < 0:
                    c.size[slot.dim[i]] = dims[at]
                if c.size[slot.dim[i]] != dims[at] or (slot.not_empty[i] and dims[at] == 0):
                    return False
                at += 1
                continue
            if rest < 0:
                return False
            if binding.group_ndim < 0:
                binding.group_ndim = rest
                total = 1
                for j in range(rest):
                    binding.group[j] = dims[at + j]
                    total *= dims[at + j]
                c.size[self.group_size] = total
            if binding.group_ndim != rest:
                return False
            for j in range(rest):
                if binding.group[j] != dims[at + j]:
                    return False
            if slot.not_empty[i] and c.size[self.group_size] == 0:
                return False
            at += rest
        return at == ndim

    cdef allocate(self, Slot *slot, Call *c, Binding *binding, list outputs):
        cdef Py_ssize_t dims[MAX_NDIM]
        cdef int i, j, ndim = 0, type = binding.type
        if type < 0:
            # a gather without an output: uint8 becomes float32
            type = cnp.NPY_FLOAT64 if c.source_type == 2 else cnp.NPY_FLOAT32
            binding.type = type
            c.itemsize = 8 if c.source_type == 2 else 4
        if slot.role == OUT64:
            type = cnp.NPY_FLOAT64
        elif slot.role == OUTLABELS:
            type = cnp.NPY_INT64
        for i in range(slot.ndim):
            if slot.dim[i] == GROUP:
                for j in range(binding.group_ndim):
                    dims[ndim] = binding.group[j]
                    ndim += 1
            else:
                dims[ndim] = c.size[slot.dim[i]]
                ndim += 1
        array = cnp.PyArray_EMPTY(ndim, <cnp.npy_intp *> dims, type, 0)
        c.array[slot.place] = cnp.PyArray_DATA(<cnp.ndarray> array)
        outputs[slot.place] = array

    cdef bint outputs_are_apart(self, Binding *binding) noexcept:
        """No given output lies on another array, or it lies on exactly one input of a kernel
        that works in place."""
        cdef int i, j
        for i in range(self.array_count):
            if not binding.written[i] or binding.start[i] == NULL:
                continue
            for j in range(self.array_count):
                if j == i or binding.start[j] == NULL:
                    continue
                if binding.start[i] >= binding.end[j] or binding.start[j] >= binding.end[i]:
                    continue
                if binding.written[j] or not self.in_place:
                    return False
                if binding.start[i] != binding.start[j] or binding.end[i] != binding.end[j]:
                    return False
        return True


include "table.pxi"
include "nest.pxi"
include "loops.pxi"
include "tape.pxi"
include "fusion.pxi"
