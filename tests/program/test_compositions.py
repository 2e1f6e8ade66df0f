"""Small programs drawn at random: views of views, writes into them, values that die early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from program.replaying import Layout, assert_replays, layouts

# Each makes another array of one (or two); of any shape, and with the bits of NumPy's.
UNARY: list[Callable[[Any], Any]] = [
    np.tanh, np.exp, np.negative, np.square, np.abs, np.copy, np.zeros_like, np.argmax,
    lambda a: a.T, lambda a: a[..., ::-1], lambda a: a[::2], lambda a: a[None], lambda a: a * 0.5,
    lambda a: a.sum(axis=0), lambda a: a.mean(axis=-1, keepdims=True), lambda a: a.max(axis=0),
    lambda a: a.reshape(-1), lambda a: a.astype(np.float32), lambda a: (a > 0).astype(np.int32),
    lambda a: a.cumsum(axis=-1), lambda a: a.std(axis=0), lambda a: a[-1], lambda a: a**2,
    lambda a: np.where(a > 0, a, -1), lambda a: np.clip(a, -1, 1), lambda a: np.roll(a, 1),
    lambda a: a[[0, -1, 0]], lambda a: np.repeat(a, 2, axis=0), lambda a: np.flip(a),
    lambda a: a.reshape(-1)[np.argmax(a)], lambda a: np.broadcast_to(a, (2, *a.shape)),
    lambda a: a.swapaxes(0, -1), lambda a: np.prod(a, axis=-1), lambda a: 1 / (1 + np.exp(-a)),
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    np.add, np.subtract, np.multiply, np.maximum, np.arctan2, np.copysign,
    lambda a, b: a - b.mean(), lambda a, b: np.where(b.sum() > 0, a, a + 1),
    lambda a, b: np.concatenate([a.reshape(-1), b.reshape(-1)])[:12],
    lambda a, b: a * b.reshape(-1)[0], lambda a, b: a[(b.reshape(-1)[:3] > 0).astype(int) - 1],
]  # fmt: skip


def add_in_place(a: Any, b: Any) -> None:
    a += b


def multiply_in_place(a: Any, b: Any) -> None:
    a *= 0.5


def assign(a: Any, b: Any) -> None:
    a[...] = b


def assign_a_row(a: Any, b: Any) -> None:
    a[0] = b.reshape(-1)[0]


def shift(a: Any, b: Any) -> None:
    a[1:] = a[:-1]


def scatter(a: Any, b: Any) -> None:
    a[[0, -1]] = b.reshape(-1)[0]


def add_at(a: Any, b: Any) -> None:
    np.add.at(a, [0, 0, -1], b.reshape(-1)[-1].astype(a.dtype))


WRITES = [add_in_place, multiply_in_place, assign, assign_a_row, shift, scatter, add_at]
SHAPES = [(4,), (3, 4), (2, 3, 4)]


@settings(max_examples=250)
@given(data=st.data())
def test_random_programs(data: st.DataObject) -> None:
    arguments: list[tuple[Layout, str, tuple[int, ...]]] = []
    for _ in range(data.draw(st.integers(1, 3))):
        shape = data.draw(st.sampled_from(SHAPES))
        dtype = data.draw(st.sampled_from(["float64", "float32", "int64"]))
        arguments.append((data.draw(layouts(len(shape), stretched=False)), dtype, shape))
    lines = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from([*UNARY, *UNARY, *BINARY, *WRITES]),
                st.integers(0, 9),
                st.integers(0, 9),
                st.booleans(),
            ),
            min_size=1,
            max_size=14,
        )
    )

    def step(*given: Any) -> Any:
        found = list(given)
        for function, i, j, forget in lines:
            a, b = found[i % len(found)], found[j % len(found)]
            if a.ndim == 0 or a.ndim > 4 or a.size > 500 or a.size < 2:
                continue
            try:
                if function in WRITES:
                    if not a.flags.writeable:
                        continue
                    function(a, b)
                    continue
                made = function(a, b) if function in BINARY else function(a)
            except (ValueError, TypeError):  # shapes or dtypes do not fit: as in NumPy
                continue
            if forget and len(found) > 1:
                del found[i % len(found)]
            found.append(made)
        return [each * 1 for each in found]

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        drawn = [layout.draw(rng, dtype, shape) for layout, dtype, shape in arguments]
        return [np.nan_to_num(each, copy=False, posinf=3, neginf=-3) for each in drawn]

    assert_replays(step, make)
