# The kernels as compiled for AVX-512 (F, BW, DQ, VL); setup.py holds the flags.
include "kernels.pxi"

capsule = PyCapsule_New(&table, "fastnn._kernels.table", NULL)
