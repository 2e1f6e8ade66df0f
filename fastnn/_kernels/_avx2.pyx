# The kernels as compiled for AVX2 and FMA; setup.py holds the flags.
include "kernels.pxi"

capsule = PyCapsule_New(&table, "fastnn._kernels.table", NULL)
