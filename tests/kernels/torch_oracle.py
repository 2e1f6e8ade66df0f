"""Makes ``torch_oracle.json``: what PyTorch gives for the calls of ``test_torch_oracle.py``.

Run by hand, in an environment with PyTorch (2.13.0 made the committed file), from ``tests``:
``python -m kernels.torch_oracle``.  All in float64; inputs are sines, so no generator matters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).with_suffix(".json")


def wave(shift: float, *shape: int) -> np.ndarray:
    """Numbers between -2 and 2 that anyone can make again."""
    steps = np.arange(int(np.prod(shape))).reshape(shape)
    return np.sin(1.3 * steps + shift) + np.cos(0.7 * steps * steps + 2 * shift)


CONVOLUTIONS: dict[str, tuple[tuple, tuple, dict[str, Any]]] = {
    "plain": ((2, 2, 5, 6), (3, 2, 3, 2), {}),
    "strided": ((1, 2, 7, 8), (2, 2, 3, 3), {"stride": (2, 3), "padding": (1, 2)}),
    "dilated": ((1, 1, 7, 6), (2, 1, 3, 2), {"dilation": (2, 3), "padding": 1}),
    "grouped": ((2, 4, 4, 4), (4, 2, 2, 3), {"groups": 2, "padding": (0, 1), "stride": 2}),
}
POOLINGS: dict[str, tuple[tuple, dict[str, Any]]] = {
    "plain": ((2, 2, 5, 6), {"kernel_size": 2}),
    "overlapping": ((1, 2, 7, 7), {"kernel_size": 3, "stride": 2}),
    "padded": ((1, 2, 5, 6), {"kernel_size": (3, 4), "stride": (2, 1), "padding": (1, 2)}),
}
RESPONSE_NORMS: dict[str, tuple[tuple, dict[str, Any]]] = {
    "alexnet": ((1, 7, 2, 2), {"size": 5, "alpha": 5e-1, "beta": 0.75, "k": 2.0}),
    "even": ((2, 5, 3), {"size": 4, "alpha": 0.3, "beta": 0.6, "k": 1.0}),
}
BATCH_NORMS: dict[str, tuple] = {"flat": (5, 3), "rows": (2, 3, 5), "images": (2, 3, 2, 4)}
MEANS: dict[str, tuple[tuple, tuple]] = {  # to what size of image
    "global": ((2, 3, 4, 5), (1, 1)),
    "whole windows": ((1, 2, 6, 4), (3, 2)),
    "windows that share": ((2, 2, 5, 7), (2, 3)),
}


def _made() -> dict[str, Any]:
    import torch
    from torch.nn import functional as F

    def tensor(array: np.ndarray) -> Any:
        return torch.tensor(array, dtype=torch.float64, requires_grad=True)

    def listed(y: Any, *inputs: Any) -> dict[str, Any]:
        y.backward(torch.tensor(wave(0.9, *y.shape)))
        return {
            "y": y.detach().numpy().ravel().tolist(),
            "shape": list(y.shape),
            "gradients": [i.grad.numpy().ravel().tolist() for i in inputs],
        }

    made: dict[str, Any] = {"torch": torch.__version__}
    for name, (shape, filters, options) in CONVOLUTIONS.items():
        x, W, b = (
            tensor(wave(0.1, *shape)),
            tensor(wave(0.2, *filters)),
            tensor(wave(0.3, filters[0])),
        )
        made[f"conv2d {name}"] = listed(F.conv2d(x, W, b, **options), x, W, b)
    for name, (shape, options) in POOLINGS.items():
        for kind in ("max", "avg"):
            x = tensor(wave(0.1, *shape))
            pool = getattr(F, f"{kind}_pool2d")
            made[f"{kind}_pool2d {name}"] = listed(pool(x, **options), x)
    for name, (shape, options) in RESPONSE_NORMS.items():
        x = tensor(wave(0.1, *shape))
        made[f"local_response_norm {name}"] = listed(F.local_response_norm(x, **options), x)
    for name, shape in BATCH_NORMS.items():
        for training in (True, False):
            x = tensor(wave(0.1, *shape))
            gamma, beta = tensor(wave(0.2, shape[1])), tensor(wave(0.3, shape[1]))
            mean = torch.tensor(wave(0.4, shape[1]))
            var = torch.tensor(wave(0.5, shape[1]) ** 2)
            y = F.batch_norm(x, mean, var, gamma, beta, training, 0.2, 1e-3)
            entry = listed(y, x, gamma, beta)
            entry["running"] = [mean.tolist(), var.tolist()]
            made[f"batch_norm {name} {'train' if training else 'eval'}"] = entry
    for name, (shape, size) in MEANS.items():
        x = tensor(wave(0.1, *shape))
        made[f"adaptive_avg_pool2d {name}"] = listed(F.adaptive_avg_pool2d(x, size), x)
    return made


if __name__ == "__main__":
    PATH.write_text(json.dumps(_made(), indent=0) + "\n")
