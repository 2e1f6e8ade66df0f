from fastnn._kernels.reference import *  # noqa: F403
