"""``fastnn info``: what fastnn runs on, and how fast that is."""

from __future__ import annotations

import argparse

from fastnn import runtime


def run(args: argparse.Namespace) -> int:
    """Print what ``fastnn.info()`` knows and return the exit status."""
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    found = runtime.info()
    lines = {
        "fastnn": found["fastnn"],
        "numpy": found["numpy"],
        "python": found["python"],
        "platform": found["platform"],
        "instruction set": f"{found['isa']} (of {', '.join(found['isas_available'])})",
        "threads": f"{found['threads']} (of {found['cpu_count']} CPUs)",
        "measured peak": f"{found['peak_gflops']:.0f} GFLOP/s, "
        f"one thread {found['peak_gflops_one_thread']:.0f} (float32)",
    }
    for name, text in lines.items():
        print(f"{name:<17}{text}")
    return 0
