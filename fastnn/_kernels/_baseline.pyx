# The kernels as compiled for any processor of this architecture; setup.py holds the flags.
include "kernels.pxi"

capsule = PyCapsule_New(&table, "fastnn._kernels.table", NULL)
