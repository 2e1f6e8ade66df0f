"""How it is measured: equal results first, then rounds in turn, the best of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from time import perf_counter, sleep

import numpy as np
from threadpoolctl import threadpool_limits

from fastnn import _kernels as k
from fastnn._kernels import reference
from fastnn.runtime import get_num_threads, set_num_threads

from .cases import Arguments, Benchmark

ROUND = 0.001  # seconds of one round: short enough to fall between two disturbances
PAUSE = 0.03  # seconds that OpenBLAS's threads go on looking for work, on our core
PEERS_PAUSE = 0.25  # and PyTorch's, which are OpenMP's
WARM = 0.02  # seconds of work after a pause before any is counted
STREAM = 16_000_000  # float64 elements: two arrays of them are beyond any cache


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Both sides on ``number`` threads: fastnn's, and those of NumPy's BLAS."""
    before = get_num_threads()
    set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        set_num_threads(before)


def _copied(arguments: Arguments) -> Arguments:
    return {
        key: value.copy() if isinstance(value, np.ndarray) else value
        for key, value in arguments.items()
    }


@lru_cache(maxsize=1)
def prepared(benchmark: Benchmark, dtype: np.dtype) -> list[Callable[[], object]]:
    """The kernel's and the twin's call, after checking that both give the same."""
    arguments = benchmark.make(np.random.default_rng(0), dtype)
    calls, results = [], []
    signature = inspect.signature(getattr(reference, benchmark.kernel))
    for api in (k, reference):
        function = getattr(api, benchmark.kernel)
        bound = signature.bind(**_copied(arguments))
        bound.apply_defaults()
        results.append(function(*bound.args))
        calls.append(partial(function, *bound.args))
    pairs = zip(*(r if isinstance(r, tuple) else (r,) for r in results), strict=True)
    for result, wanted in pairs:
        largest = np.abs(wanted).max()
        error = np.abs(result.astype(np.float64) - wanted).max()
        if not error <= (1e-4 if dtype == np.float32 else 1e-12) * largest:
            raise AssertionError(f"{benchmark.label} {dtype}: twins differ by {error}")
    return calls


def interleaved(
    calls: list[Callable[[], object]], seconds: float, pause: float = 0.0
) -> list[float]:
    """Best seconds per call of each; rounds take turns, to meet the same clock.

    Before each round, ``pause`` lets the threads of the side before it fall asleep; what comes then
    is not counted until the clock and the caches are warm again.
    """
    best = [np.inf] * len(calls)
    numbers = [1] * len(calls)
    end = perf_counter() + seconds
    for done in range(1_000_000):
        if done >= 3 and perf_counter() > end:
            break
        for index, call in enumerate(calls):
            number = numbers[index]
            sleep(pause)
            warm = perf_counter() + (WARM if pause else 0.0)
            call()  # wakes a sleeping team, and is not counted
            while perf_counter() < warm:
                call()
            start = perf_counter()
            for _ in range(number):
                call()
            best[index] = min(best[index], (perf_counter() - start) / number)
            # The best so far, not the first: a call that was interrupted tells nothing.
            numbers[index] = max(1, int(ROUND / max(best[index], 1e-7)))
    return best


def bandwidth(number: int, seconds: float = 1.0) -> float:
    """GB/s of a += b beyond the caches: the traffic of STREAM's triad, in place.

    In place, because a store to a third array would first read it, uncounted.
    """
    a, b = np.ones(STREAM), np.zeros(STREAM)
    share = STREAM // number

    def add(part: int) -> None:
        mine = slice(part * share, (part + 1) * share)
        np.add(a[mine], b[mine], out=a[mine])

    with ThreadPoolExecutor(number) as pool:
        (best,) = interleaved([lambda: list(pool.map(add, range(number)))], seconds)
    return 3 * a.nbytes / best / 1e9
