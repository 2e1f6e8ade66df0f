"""``python -m benchmarks.graph`` measures the eager graph against a step written by hand.

One step of a 64-32-10 net without biases, batch 64, float32: cross-entropy of
``np.maximum(X @ W1, 0) @ W2``, its gradients, and ``W.data -= lr * W.grad``.  The sides are
fastnn, NumPy by hand, and PyTorch, MyGrad and autograd where they are installed; losses are
compared before times.  It writes ``benchmarks/results/graph.json`` and ``graph.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .peers import environment
from .peers.options import Options, conditions, described
from .peers.rounds import Row, check_losses, rounded
from .peers.tables import seconds_text, verdict

COMMAND = "python -m benchmarks.graph"
RESULTS = Path(__file__).parent / "results"
FEATURES, HIDDEN, CLASSES, BATCH = 64, 32, 10, 64
LR = 0.05
BAR = 1.6  # times the time of NumPy by hand, at most
SECONDS = 25.0  # for the interleaved rounds of all sides

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # X, y, W1, W2
Step = Callable[[], Any]  # makes a step, and returns its loss


def data() -> Data:
    """X (64, 64), labels (64,), and the weights, float32."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((BATCH, FEATURES), np.float32)
    W1 = rng.standard_normal((FEATURES, HIDDEN), np.float32) * np.float32((2 / FEATURES) ** 0.5)
    W2 = rng.standard_normal((HIDDEN, CLASSES), np.float32) * np.float32((2 / HIDDEN) ** 0.5)
    return X, rng.integers(CLASSES, size=BATCH), W1, W2


def fastnn_graph(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> Step:
    """The eager graph; nothing is captured."""
    import fastnn

    first = fastnn.Tensor(W1, requires_grad=True)
    second = fastnn.Tensor(W2, requires_grad=True)

    def step() -> Any:
        loss = fastnn.cross_entropy(np.maximum(X @ first, 0) @ second, y)
        loss.backward()
        for W in (first, second):
            W.data -= LR * W.grad
            W.grad = None
        return loss.item()

    return step


def numpy_by_hand(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> Step:
    """The same arithmetic, forward and backward, in plain NumPy."""
    W1, W2, rows = W1.copy(), W2.copy(), np.arange(len(X))

    def step() -> Any:
        hidden = np.maximum(X @ W1, 0)
        scores = hidden @ W2
        scores -= scores.max(axis=1, keepdims=True)
        p = np.exp(scores)
        p /= p.sum(axis=1, keepdims=True)
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        p /= len(X)
        dW2 = hidden.T @ p
        dhidden = p @ W2.T
        dhidden *= hidden > 0
        dW1 = X.T @ dhidden
        np.subtract(W1, LR * dW1, out=W1)
        np.subtract(W2, LR * dW2, out=W2)
        return loss

    return step


def torch_eager(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> Step:
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(environment.THREADS)
    x, labels = torch.from_numpy(X), torch.from_numpy(y)
    weights = [torch.tensor(W, requires_grad=True) for W in (W1, W2)]

    def step() -> Any:
        loss = F.cross_entropy(torch.relu(x @ weights[0]) @ weights[1], labels)
        loss.backward()
        with torch.no_grad():
            for W in weights:
                W -= LR * W.grad
                W.grad = None
        return loss.item()

    return step


def mygrad_graph(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> Step:
    import mygrad as mg
    from mygrad.nnet.losses import softmax_crossentropy

    first, second = mg.tensor(W1), mg.tensor(W2)

    def step() -> Any:
        loss = softmax_crossentropy(mg.maximum(X @ first, 0) @ second, y)
        loss.backward()
        for W in (first, second):
            W.data -= LR * W.grad
        return loss.item()

    return step


def autograd_graph(X: np.ndarray, y: np.ndarray, W1: np.ndarray, W2: np.ndarray) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    weights, rows = [W1.copy(), W2.copy()], np.arange(len(X))

    def loss_of(weights: Any) -> Any:
        scores = anp.dot(anp.maximum(anp.dot(X, weights[0]), 0), weights[1])
        scores = scores - anp.max(scores, axis=1, keepdims=True)
        chances = anp.exp(scores)
        logs = scores - anp.log(anp.sum(chances, axis=1, keepdims=True))
        return -anp.mean(logs[rows, y])

    both = value_and_grad(loss_of)

    def step() -> Any:
        loss, gradients = both(weights)
        for W, g in zip(weights, gradients, strict=True):
            W -= LR * g
        return loss

    return step


SIDES: dict[str, tuple[str, Callable[..., Step]]] = {
    "fastnn": ("fastnn, eager", fastnn_graph),
    "numpy": ("NumPy by hand", numpy_by_hand),
    "torch": ("PyTorch eager", torch_eager),
    "mygrad": ("MyGrad", mygrad_graph),
    "autograd": ("autograd", autograd_graph),
}


def measure(names: list[str], quick: bool) -> Row:
    """All rows, on this machine, now."""
    from .measure import PEERS_PAUSE, interleaved, threads

    with threads(environment.threads_of(quick)):
        steps = {name: SIDES[name][1](*data()) for name in names}
        losses = {name: [float(step()) for _ in range(20)] for name, step in steps.items()}
        differences = check_losses("graph", losses)
        best = interleaved(
            list(steps.values()), 0.0 if quick else SECONDS, 0.0 if quick else PEERS_PAUSE
        )
        times = dict(zip(steps, best, strict=True))
        rows = [
            {
                "side": name,
                "title": SIDES[name][0],
                "microseconds": rounded(1e6 * seconds),
                "times_numpy": rounded(seconds / times["numpy"]),
                "loss_difference": differences[name],
            }
            for name, seconds in times.items()
        ]
        ratio = times["fastnn"] / times["numpy"]
        return {
            **described(COMMAND, quick),
            "bar": BAR,
            "ratio": rounded(ratio),
            "met": ratio <= BAR,
            "rows": rows,
        }


def table(result: Row) -> str:
    """A row for each side."""
    bar = f"at most {verdict(result['bar'], result['met'])}"
    lines = [
        "# The eager graph",
        "",
        f"{conditions(result)}.",
        "One step of a 64-32-10 net without biases, batch 64, float32: loss, gradients, update.",
        "Losses of 20 steps compared to 1e-4, then the best of interleaved rounds.",
        "",
        f"fastnn takes {result['ratio']:.3g} times as long as NumPy by hand, {bar}.",
        "",
        "| side | a step | times NumPy's |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['title']} | {seconds_text(row['microseconds'])} | {row['times_numpy']:.3g} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--sides", help="of these sides, with commas; fastnn and NumPy always")
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run?")
    parser.add_argument("--draw", action="store_true", help="measure nothing: the table")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    arguments = parser.parse_args()
    wanted = arguments.sides.split(",") if arguments.sides else list(SIDES)
    for name in wanted:
        if name not in SIDES:
            raise SystemExit(f"--sides {name}: the sides are {', '.join(SIDES)}")
    names = [
        name
        for name in SIDES
        if name in ("fastnn", "numpy") or (name in wanted and find_spec(name))
    ]
    options = Options(None, None, arguments.quick, arguments.draw, arguments.results, False)
    options.keep("graph", lambda: measure(names, arguments.quick), {"md": table})


if __name__ == "__main__":
    main()
