"""Cases of what repeats, moves and pads elements, and cuts triangles out of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, case, since_numpy

_RNG = np.random.default_rng(7)
X = _RNG.uniform(-2, 2, (3, 4))
CUBE = _RNG.uniform(-2, 2, (2, 3, 4))
ROW, NUMBER = X[0], np.asarray(X[0, 0])

_REPEATED: dict[Any, list[Case]] = {
    np.repeat: [
        case(np.repeat, X, 2),
        case(np.repeat, X, 2, axis=0),
        case(np.repeat, X, 3, -1),
        case(np.repeat, X, [1, 0, 2], axis=0),
        case(np.repeat, X, np.array([2]), axis=1),
        case(np.repeat, X, 0, axis=1),
        case(np.repeat, NUMBER, 3),
    ],
    np.tile: [
        case(np.tile, X, 2),
        case(np.tile, X, (2, 3)),
        case(np.tile, X, (2, 1, 2)),
        case(np.tile, ROW, (2, 2)),
        case(np.tile, NUMBER, 3),
        case(np.tile, X, [2, 0]),
        case(np.tile, X, ()),
    ],
}

_MOVED: dict[Any, list[Case]] = {
    np.flip: [
        case(np.flip, CUBE),
        case(np.flip, CUBE, 0),
        case(np.flip, CUBE, axis=(0, -1)),
        case(np.flip, NUMBER),
    ],
    np.fliplr: [case(np.fliplr, CUBE)],
    np.flipud: [case(np.flipud, CUBE), case(np.flipud, ROW)],
    np.rot90: [
        *(case(np.rot90, X, k) for k in (0, 1, 2, 3, -1, 5)),
        case(np.rot90, CUBE, 1, (1, 2)),
        case(np.rot90, CUBE, axes=(-1, 0)),
    ],
    np.roll: [
        case(np.roll, X, 2),
        case(np.roll, X, -5),
        case(np.roll, X, 1, axis=0),
        case(np.roll, X, -3, 1),
        case(np.roll, X, (1, 2), (0, 1)),
        case(np.roll, X, 2, (0, 1)),
        case(np.roll, X, (1, 1), 0),
        case(np.roll, X, 13, axis=1),
        case(np.roll, X, 4, axis=1),
        case(np.roll, X[:0], 1, axis=0),
        case(np.roll, NUMBER, 1),
    ],
}

PAD_WIDTHS: list[Any] = [1, (1, 2), ((1, 0), (0, 2)), ((0, 0), (3, 4)), [[2], [1]], 0]

_PADDED: dict[Any, list[Case]] = {
    np.pad: [
        *(case(np.pad, X, width) for width in PAD_WIDTHS),
        *(
            case(np.pad, X, width, mode)
            for mode in ("edge", "reflect", "symmetric", "wrap")
            for width in PAD_WIDTHS
        ),
        case(np.pad, X, 2, constant_values=3),
        case(np.pad, X, 1, "constant", constant_values=((1, 2), (3, 4))),
        *since_numpy("2.2.0", case(np.pad, X, {1: (1, 2)}), case(np.pad, X, {-1: 1}, "edge")),
        case(np.pad, ROW, (2, 0), mode="reflect"),
    ],
}

_TRIANGLES: dict[Any, list[Case]] = {
    np.tril: [case(np.tril, X), case(np.tril, CUBE, 1), case(np.tril, X, -1), case(np.tril, ROW)],
    np.triu: [case(np.triu, X), case(np.triu, CUBE, k=1), case(np.triu, X, -1), case(np.triu, ROW)],
}

ROWS: dict[Any, list[Case]] = {**_REPEATED, **_MOVED, **_PADDED, **_TRIANGLES}
