"""fastnn's kernels, measured against their twins, the FMA peak and the memory."""
