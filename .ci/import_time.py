"""Fail when ``import fastnn`` costs more than 30 ms on top of ``import numpy``.

fastnn imports a name's module on first use, so what a training starts with is asked for.
The best of many fresh interpreters is compared: a busy machine can only add time.

On a slow machine nothing can be loaded in 30 ms.  There, fastnn may take three tenths of what
NumPy takes in the same interpreter, which on a fast one is less than those 30 ms.
"""

import subprocess
import sys

LIMIT, SHARE = 0.030, 0.3
MEASURE = (
    "import time; start = time.perf_counter(); import numpy; "
    "middle = time.perf_counter(); import fastnn; "
    "fastnn.Trainer, fastnn.functional, fastnn.models, fastnn.Adam, fastnn.save; "
    "print(middle - start, time.perf_counter() - middle)"
)

runs = [subprocess.check_output([sys.executable, "-c", MEASURE]).split() for _ in range(15)]
best = min(float(fastnn) for _, fastnn in runs)
share = min(float(fastnn) / float(numpy) for numpy, fastnn in runs)
print(f"{1000 * best:.1f} ms, {share:.2f} of what NumPy takes")
sys.exit(best > LIMIT and share > SHARE)
