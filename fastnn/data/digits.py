"""The handwritten digits that ship inside the package.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI
Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49 (CC BY 4.0).
``digits.npz`` is the 1797-image test part of that set, written by 13 people, in the
order of scikit-learn's ``load_digits`` and with nothing changed but the storage: pixels
are uint8 0..16, each the number of ink dots in a 4x4 block of a 32x32 bitmap. It was
made with::

    d = sklearn.datasets.load_digits()
    np.savez_compressed("digits.npz", x=d.data.astype("u1"), y=d.target.astype("u1"))
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastnn.data.dataset import Dataset
from fastnn.data.split import stratified_split

CITATION = (
    "Alpaydin, E. & Kaynak, C. (1998). Optical Recognition of Handwritten Digits "
    "[Dataset]. UCI Machine Learning Repository. https://doi.org/10.24432/C50P49"
)

SPLIT_SEED = 0
TEST_SHARE = 0.2


def digits() -> Dataset:
    """The UCI optical digits: 1797 images of 8x8, uint8 0..16, ten classes.

    The split is fixed: ``stratified_split(y, test_share=0.2, seed=0)``, 1438 images to
    train with and 359 to test with. The 13 writers appear in both parts, so the test
    accuracy speaks for these writers, not for unseen ones.
    Source: Alpaydin & Kaynak, 1998, https://doi.org/10.24432/C50P49.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        x, y = stored["x"], stored["y"].astype(np.int64)
    train, test = stratified_split(y, TEST_SHARE, SPLIT_SEED)
    return Dataset(
        name="digits",
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        classes=tuple("0123456789"),
        shape=(1, 8, 8),
    )
