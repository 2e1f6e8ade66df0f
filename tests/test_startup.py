"""What importing fastnn leaves for later, and that it comes when it is wanted."""

import subprocess
import sys

import pytest


def _says(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


# What a training seldom makes, and the module that it waits for.
@pytest.mark.parametrize(
    ("needing", "module"),
    [
        ("np.kron(t, t)", "fastnn.ops.arrangement"),
        ("np.linalg.inv(t)", "fastnn.ops.linalg"),
        ("np.vecdot(t, t)", "fastnn.ops.contractions"),
        ("fastnn.capture(lambda x: x * 2)(t.data)", "fastnn.program.recorder"),
        ("fastnn._kernels.relu([1.0])", "fastnn._kernels.arguments"),
        ("fastnn._kernels.relu.__doc__.index('NaN')", "fastnn._kernels.reference"),
    ],
)
def test_what_is_seldom_needed_comes_when_it_is(needing: str, module: str) -> None:
    code = (
        "import sys; import numpy as np; import fastnn; import fastnn._kernels;"
        "t = fastnn.Tensor(np.eye(2), requires_grad=True); fastnn.Trainer;"
        f"before = {module!r} in sys.modules; {needing}; print(before, {module!r} in sys.modules)"
    )
    assert _says(code) == "False True"


def test_an_op_that_is_seldom_used_has_its_gradient_at_once() -> None:
    code = (
        "import numpy as np; import fastnn;"
        "t = fastnn.Tensor(np.diag([2.0, 4.0]), requires_grad=True);"
        "np.linalg.inv(t).sum().backward(); print(t.grad.tolist())"
    )
    # d(1' A^-1 1)/dA = -(A^-1 1)(A^-1 1)'
    assert _says(code) == "[[-0.25, -0.125], [-0.125, -0.0625]]"
