"""A split that is the same today, tomorrow and under every NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def stratified_split(
    y: ArrayLike, test_share: float = 0.2, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffled indices of a training and a test part with the classes in proportion.

    ``y`` (N,) holds a label a sample. Of each class with n samples, round(n *
    ``test_share``), halves to even, go to the test part. Both parts come shuffled. All
    chance comes from the raw 64-bit draws of PCG64(``seed``), whose stream NumPy
    guarantees never to change, unlike that of ``Generator.permutation``.

    Raises ValueError for ``y`` that is not one-dimensional, a share outside (0, 1), or
    a part that would be empty.
    """
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"y has shape {labels.shape}, expected (samples,)")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share is {test_share}, expected between 0 and 1")
    draws = np.random.PCG64(seed).random_raw((2, len(labels)))
    choice, order = np.argsort(draws, axis=1, kind="stable")
    in_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = choice[labels[choice] == label]
        in_test[members[: round(len(members) * test_share)]] = True
    train, test = order[~in_test[order]], order[in_test[order]]
    if not len(train) or not len(test):
        raise ValueError(
            f"{len(labels)} samples are too few to set {test_share:.0%} of each class aside"
        )
    return train, test
