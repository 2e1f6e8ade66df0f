"""What a kernel is to the outside: a plan, and tasks that fill its outputs.

The doorway binds the arguments of a call to a ``Call``: pointers of the arrays, sizes of
the named dimensions, strides of the matrices and scalars, each in the order in which
the kernel's signature row names them.  ``plan`` divides the work into phases of tasks.
The tasks of one phase write disjoint outputs and may run in any order on any thread; a
phase begins when the one before has ended.  What is added in which order depends on sizes
alone, so the results do not depend on the number of threads.
"""

cdef enum:
    MAX_ARRAYS = 8
    MAX_SIZES = 12
    MAX_SCALARS = 8
    MAX_PHASES = 3
    MAX_FINISHES = 2

# Whose blocks an elementwise call follows: of linear's y, of linear_backward's dx or dW.
cdef enum:
    OF_Y = 0
    OF_DX = 0
    OF_DW = 1

# What a kernel finds wrong in the values it is given.
cdef enum Status:
    OK = 0
    LABEL_OUT_OF_RANGE = 1
    BAD_WEIGHT = 2
    NO_WEIGHT = 3
    TARGET_OUT_OF_RANGE = 4
    ONE_VALUE = 5
    TOO_LARGE = 6

ctypedef struct Call
ctypedef void (*plan_t)(Call *) noexcept nogil
ctypedef void (*task_t)(Call *, int phase, Py_ssize_t task, void *scratch) noexcept nogil

ctypedef struct Call:
    void *array[MAX_ARRAYS]          # NULL: an optional array that is not there
    Py_ssize_t size[MAX_SIZES]
    Py_ssize_t stride[2 * MAX_ARRAYS]  # of array i: 2 i rows, 2 i + 1 columns, in elements
    double scalar[MAX_SCALARS]
    int itemsize                     # of the floating-point type: 4 or 8
    int source_type                  # of a gather: 0 uint8, 1 float32, 2 float64
    int threads                      # that may take part
    int phases
    Py_ssize_t tasks[MAX_PHASES]
    Py_ssize_t scratch               # bytes that each thread needs while it runs a task
    Py_ssize_t shared                # bytes that all tasks of a call share
    void *memory                     # the shared bytes
    Call *finish[MAX_FINISHES]       # elementwise calls that a program has each block of a
    task_t finish_task[MAX_FINISHES]  # product followed by, or NULL
    Call *before                     # what makes a conv2d_backward's dout, image by image,
    task_t before_task               # or NULL
    int passes_on                    # dW goes to the update that follows, and is not kept
    int status
    int bad_array                    # the array at fault,
    Py_ssize_t bad_index             # and the index in it of the first bad value

# The code of a kernel in one instruction set's table; the tasks for float and for double.
cdef struct Code:
    const char *name
    plan_t plan
    task_t task[2]

cdef struct Table:
    int count
    Code *kernels
    double (*peak_rounds)(int itemsize, Py_ssize_t rounds) noexcept nogil
    int flops_per_round[2]
