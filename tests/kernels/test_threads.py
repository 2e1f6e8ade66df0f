"""Threads change neither bits nor safety: of kernels, of Python, after a fork."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from kernels.cases import CASES
from kernels.harness import fresh, run

from fastnn import _kernels as k

# Large enough that a kernel shares the work, and no multiple of any tile or chunk.
LARGE = {"matmul": (517, 523), "linear": (517, 523), "linear_backward": (517, 523)}
ELSEWHERE = (1031, 523)


@pytest.fixture
def threads():
    """``set_num_threads``, undone afterwards."""
    from fastnn.runtime import get_num_threads, set_num_threads

    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_any_number_of_threads_gives_the_same_bits(case, dtype, rng, threads):
    arguments = case.make(rng, dtype, *LARGE.get(case.kernel, ELSEWHERE))
    kernel = getattr(k, case.kernel)
    threads(1)
    alone = run(kernel, case, fresh(arguments))
    for number in (2, 3):
        threads(number)
        together = run(kernel, case, fresh(arguments))
        for result, wanted in zip(together, alone, strict=True):
            assert result.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("m", "inner", "n"),
    [(2000, 700, 10), (10, 4001, 900), (3, 9000, 3), (1500, 2, 1500)],
)
def test_matmul_of_any_shape_is_the_same_for_any_number_of_threads(
    m, inner, n, dtype, rng, threads
):
    a = rng.standard_normal((m, inner)).astype(dtype)
    b = rng.standard_normal((inner, n)).astype(dtype)
    results = []
    for number in (1, 2, 3):
        threads(number)
        results.append(k.matmul(a, b).tobytes())
    assert results[0] == results[1] == results[2]


def test_the_number_of_threads_is_checked(threads):
    from fastnn.runtime import get_num_threads

    threads(2)
    assert get_num_threads() == 2
    for wrong in (0, -1):
        with pytest.raises(ValueError, match=str(wrong)):
            threads(wrong)
    with pytest.raises(TypeError):
        threads("two")
    assert get_num_threads() == 2


def test_python_threads_share_inputs(rng):
    """Four threads call every kernel on the same inputs: each gets the bits of one."""
    dtype = np.dtype("float32")
    work = []
    for case in CASES:
        arguments = case.make(rng, dtype, 61, 67)
        kernel = getattr(k, case.kernel)
        work.append((kernel, case, arguments, run(kernel, case, fresh(arguments))))

    def hammer(seed):
        order = np.random.default_rng(seed)
        for _ in range(3):
            for index in order.permutation(len(work)):
                kernel, case, arguments, expected = work[index]
                own = {name: arguments[name].copy() for name in case.inplace}
                results = run(kernel, case, {**arguments, **own})
                for result, wanted in zip(results, expected, strict=True):
                    np.testing.assert_array_equal(result, wanted, err_msg=case.label)
        return seed

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(hammer, range(4), timeout=120)) == [0, 1, 2, 3]


def test_python_threads_share_large_products(rng):
    """Two teams at once must not share packing buffers."""
    a = rng.standard_normal((300, 500)).astype(np.float32)
    b = rng.standard_normal((500, 200)).astype(np.float32)
    products = [k.matmul(a, b), k.matmul(b.T, a.T)]

    def multiply(index):
        return all(
            np.array_equal(k.matmul(a, b), products[0])
            and np.array_equal(k.matmul(b.T, a.T), products[1])
            for _ in range(20)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(multiply, range(4), timeout=120))


FORK = """
import os, sys, threading
import numpy as np
from fastnn import _kernels as k
from fastnn.runtime import set_num_threads
set_num_threads(2)
a = np.random.default_rng(0).standard_normal((600, 700))
scores, y = a[:, :10], np.arange(600) % 10
def work():
    loss, gradient = k.cross_entropy(scores, y)
    return [k.matmul(a, a.T).tobytes(), k.relu(a).tobytes(), loss.tobytes(),
            gradient.tobytes(), k.sum_of_squares(a).tobytes()]
before = work()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if work() == before else 7)
    assert os.waitpid(child, 0)[1] == 0, "the child of a fork failed"
    assert work() == before, "the parent changed"
print("ok")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_kernels_work_after_a_fork():
    """Threads do not survive a fork; a child that waits for them hangs."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "ok\n", done.stderr
