"""``import fastnn``: what it offers, and that it loads it on first use only."""

import ast
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from cli_helpers import environment

import fastnn


def fresh(code: str) -> str:
    """What ``code`` prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def imported_for_types() -> dict[str, str]:
    """The names under ``if TYPE_CHECKING:``, each with where it comes from."""
    tree = ast.parse(Path(fastnn.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_table_the_types_and_all_agree() -> None:
    assert imported_for_types() == fastnn._HOMES
    assert sorted(fastnn.__all__) == sorted(fastnn._HOMES)
    assert set(fastnn.__all__) <= set(dir(fastnn))


FIRST_OF_EACH_MODULE = {home.rpartition(".")[0]: n for n, home in fastnn._HOMES.items()}
MODULES = [name for name, home in fastnn._HOMES.items() if home == f"fastnn.{name}"]


@pytest.mark.parametrize("name", sorted({*FIRST_OF_EACH_MODULE.values(), *MODULES}))
def test_each_module_can_be_the_first_that_is_imported(name: str) -> None:
    fresh(f"from fastnn import {name}")


def test_each_name_is_what_the_table_says() -> None:
    for name, home in fastnn._HOMES.items():
        value = getattr(fastnn, name)
        if isinstance(value, ModuleType):
            assert value.__name__ == home
        else:
            assert getattr(value, "__module__", "").startswith("fastnn")
            assert value.__name__ == home.rpartition(".")[2]


def test_importing_fastnn_alone_loads_nothing_else() -> None:
    loaded = fresh(
        "import sys; import fastnn; fastnn.__version__; dir(fastnn)\n"
        "print(*(name for name in sys.modules if name.startswith(('fastnn', 'numpy', 'typing'))))"
    )
    assert loaded == "fastnn"


@pytest.mark.parametrize(
    "first",
    [
        "import fastnn.gradient_descent",
        "import fastnn.gradient_descent as _",
        "from fastnn.gradient_descent import GradientDescentResult",
        "from fastnn import GradientDescentResult",
        "from fastnn import gradient_descent",
        "import importlib; importlib.import_module('fastnn.gradient_descent')",
        "import fastnn.init, fastnn.layers",
        "",
    ],
)
def test_gradient_descent_is_the_function_and_init_the_module(first: str) -> None:
    shown = "import fastnn; print(type(fastnn.gradient_descent), type(fastnn.init))"
    assert fresh(f"{first}\n{shown}") == f"{FunctionType} {ModuleType}"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fastnn' has no attribute 'Trainr'"):
        fastnn.Trainr  # noqa: B018


def test_star_brings_all_names() -> None:
    assert fresh("from fastnn import *; print(Trainer.__name__, data.digits.__name__)") == (
        "Trainer digits"
    )


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
    assert fresh(code) == "False True"


def test_an_op_that_is_seldom_used_has_its_gradient_at_once() -> None:
    code = (
        "import numpy as np; import fastnn;"
        "t = fastnn.Tensor(np.diag([2.0, 4.0]), requires_grad=True);"
        "np.linalg.inv(t).sum().backward(); print(t.grad.tolist())"
    )
    # d(1' A^-1 1)/dA = -(A^-1 1)(A^-1 1)'
    assert fresh(code) == "[[-0.25, -0.125], [-0.125, -0.0625]]"
