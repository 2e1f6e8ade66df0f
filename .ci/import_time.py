"""Fail when ``import fastnn`` costs more than 30 ms on top of ``import numpy``.

fastnn imports a name's module on first use, so all that a training needs is asked for.
The best of many fresh interpreters is compared: a busy machine can only add time.
"""

import subprocess
import sys

LIMIT = 0.030
MEASURE = (
    "import numpy, time; start = time.perf_counter(); import fastnn; "
    "fastnn.Trainer, fastnn.functional, fastnn.models, fastnn.Adam, fastnn.save; "
    "print(time.perf_counter() - start)"
)

best = min(
    float(subprocess.check_output([sys.executable, "-c", MEASURE])) for _ in range(15)
)
print(f"{1000 * best:.1f} ms")
sys.exit(best > LIMIT)
