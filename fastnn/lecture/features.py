"""Features against end-to-end training, on Fashion-MNIST.

    image -> features -> linear classifier     designed features; only the classifier learns
    image -> ConvNet                           all that lies between pixels and scores learns

One linear classifier gets the pixels, histograms of oriented gradients and a bag of visual
words; the ConvNet's last layer is a linear classifier too, of features that it has learned.
(The images: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", 2017.)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

import fastnn
from fastnn import data, models
from fastnn.lecture import NotInstalledError
from fastnn.lecture.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array: TypeAlias = npt.NDArray[Any]

DATA = "idx:/usr/share/datasets/fashion-mnist"
# Chosen on images of the training part: 8,000 to train with, 5,000 others to score.
EPOCHS, CONVNET_EPOCHS = 20, 10
BATCH_SIZE, LEARNING_RATE = 128, 1e-3


class Row(NamedTuple):
    """How one way from pixels to classes did.

    Attributes:
        features: what the linear classifier gets.
        length: of its vector.
        extraction: seconds for both parts, k-means included; None where training does it.
        training: seconds to train.
        train, test: the accuracies.
    """

    features: str
    length: int
    extraction: float | None
    training: float
    train: float
    test: float


class Outcome(NamedTuple):
    """The rows of the table, and what they were made with, for the drawing."""

    rows: list[Row]
    vocabulary: Any
    convnet: fastnn.Sequential


def load(spec: str = DATA) -> data.Dataset:
    """Images (N, C, H, W).

    Raises:
        NotInstalledError: there is no Fashion-MNIST where Debian's package puts it.
        ValueError: the samples are no images of at least 12 x 12; or see ``data.load``.
        OSError: see ``data.load``.
    """
    try:
        images = data.load(spec).as_images()
    except FileNotFoundError as error:
        if spec != DATA:
            raise
        raise NotInstalledError(
            f"{error.filename}: no Fashion-MNIST: apt install dataset-fashion-mnist, or name the"
            " folder of its files with --data idx:FOLDER"
        ) from None
    height, width = images.shape[1:]
    if min(height, width) < 12:
        raise ValueError(f"{spec}: images of {height} x {width}, wanted at least 12 x 12")
    return images


def some_of(whole: data.Dataset, samples: int | None = None) -> data.Dataset:
    """At most that many images of each part, drawn at random; all for None."""
    rng = np.random.default_rng(0)
    train, test = (
        np.sort(rng.permutation(len(y))[:samples]) for y in (whole.y_train, whole.y_test)
    )
    return replace(
        whole,
        x_train=whole.x_train[train],
        y_train=whole.y_train[train],
        x_test=whole.x_test[test],
        y_test=whole.y_test[test],
    )


def grey(images: Array) -> Array:
    """(N, H, W): the mean of the channels of (N, C, H, W)."""
    return images[:, 0] if images.shape[1] == 1 else images.mean(axis=1, dtype=np.float32)


def standardize(train: Array, test: Array) -> None:
    """Bring each feature of ``train`` (N, D) to mean 0 and deviation 1, in place.

    ``test`` (M, D) gets the same scale and shift.  What is constant in ``train`` is only
    centred.
    """
    mean = train.mean(axis=0, dtype=np.float64).astype(train.dtype)
    for x in (train, test):
        x -= mean
    # As np.std, which would make a float64 copy of 60,000 long vectors.
    deviation = np.sqrt(np.einsum("nd,nd->d", train, train, dtype=np.float64) / len(train))
    deviation[deviation <= 1e-6 * deviation.max()] = 1
    for x in (train, test):
        x /= deviation.astype(x.dtype)


def fit(
    model: fastnn.Module, X: Array, y: Array, epochs: int, progress: bool = False, **how: Any
) -> fastnn.Trainer:
    """Train a classifier on the softmax loss; the learning rate falls as a cosine."""
    optimizer = fastnn.Adam(model.parameters(), lr=LEARNING_RATE)
    trainer = fastnn.Trainer(model, "cross_entropy", optimizer, schedule="cosine", **how)
    trainer.fit(X, y, epochs=epochs, batch_size=BATCH_SIZE, seed=0, progress=progress)
    return trainer


def classify(
    features: str, extract: Callable[[Array], Array], images: data.Dataset, began: float
) -> Row:
    """The row of a linear classifier on features, extracted since ``began``."""
    X, X_test = extract(images.x_train), extract(images.x_test)
    extracted = perf_counter()
    standardize(X, X_test)
    model = models.linear(X.shape[1], len(images.classes), seed=0)
    trainer = fit(model, X, images.y_train, EPOCHS)
    trained = perf_counter()
    accuracies = _accuracies(trainer, X, X_test, images)
    return Row(features, X.shape[1], extracted - began, trained - extracted, *accuracies)


def end_to_end(images: data.Dataset) -> tuple[Row, fastnn.Sequential]:
    """The row of a LeNet, trained from the pixels to the scores, and the net."""
    began = perf_counter()
    scale, shift = images.standardization()
    bar = sys.stderr is not None and sys.stderr.isatty()
    model = models.lenet(len(images.classes), input_shape=images.shape, seed=0)
    how: dict[str, Any] = {"scale": scale, "shift": shift, "progress": bar}
    trainer = fit(model, images.x_train, images.y_train, CONVNET_EPOCHS, **how)
    seconds = perf_counter() - began
    accuracies = _accuracies(trainer, images.x_train, images.x_test, images)
    last: Any = model[-1]
    length = last.weight.shape[0]
    return Row("ConvNet, end to end", length, None, seconds, *accuracies), model


def _accuracies(
    trainer: fastnn.Trainer, X: Array, X_test: Array, images: data.Dataset
) -> tuple[float, float]:
    train = trainer.evaluate(X, images.y_train)["accuracy"]
    return train, trainer.evaluate(X_test, images.y_test)["accuracy"]


def compare(images: data.Dataset) -> Outcome:
    """All rows, one after the other.

    Raises:
        NotInstalledError: without scikit-image or scikit-learn.
    """
    describe = _descriptors()

    def pixels(images: Array) -> Array:
        return images.reshape(len(images), -1).astype(np.float32)

    def gradients(images: Array) -> Array:
        histograms: Array = describe.oriented_gradients(grey(images))
        return histograms.reshape(len(images), -1)

    rows = [
        classify("pixels", pixels, images, perf_counter()),
        classify("oriented gradients", gradients, images, perf_counter()),
    ]
    began = perf_counter()
    vocabulary = describe.VisualWords(grey(images.x_train))

    def words(images: Array) -> Array:
        bags: Array = vocabulary.histograms(grey(images))
        return bags

    rows.append(classify("bag of visual words", words, images, began))
    row, convnet = end_to_end(images)
    return Outcome([*rows, row], vocabulary, convnet)


def _descriptors() -> Any:
    try:
        from fastnn.lecture import descriptors
    except ImportError as error:
        raise NotInstalledError(
            f"features needs scikit-image and scikit-learn ({error}): pip install scikit-image"
            " scikit-learn, which are the extra fastnn[features]"
        ) from None
    return descriptors


def show(page: Page, spec: str = DATA, samples: int | None = None) -> None:
    """Print the table, for the data of that name: see :func:`load`."""
    _descriptors()  # what is missing is said before minutes have passed
    whole = load(spec)
    images = some_of(whole, samples)
    train, test = (
        f"{len(part):,}" if len(part) == len(all_of_it) else f"{len(part):,} of {len(all_of_it):,}"
        for part, all_of_it in (
            (images.y_train, whole.y_train),
            (images.y_test, whole.y_test),
        )
    )
    name = "Fashion-MNIST" if spec == DATA else spec
    page.say(
        f"""
        {name}: {train} images to train with, {test} to test with. A linear classifier on
        standardised features, {EPOCHS} epochs, and a ConvNet, {CONVNET_EPOCHS} epochs, by Adam on
        the softmax loss; threads: {fastnn.get_num_threads()}. Seconds, and the accuracies on both
        parts:
        """
    )
    outcome = compare(images)
    rows = outcome.rows
    page.table(
        {
            "features": [row.features for row in rows],
            "length": [f"{row.length:,}" for row in rows],
            "extraction, s": [
                "" if row.extraction is None else f"{row.extraction:.1f}" for row in rows
            ],
            "training, s": [f"{row.training:.1f}" for row in rows],
            "train": [f"{row.train:.1%}" for row in rows],
            "test": [f"{row.test:.1%}" for row in rows],
        }
    )
    page.say(
        f"""
        No label shaped the first three vectors: they are designed, but for the words, which
        k-means finds among patches of the training images. The ConvNet's {rows[-1].length} numbers
        are what its last layer classifies; they are learned with that layer, from the labels.
        """
    )
    page.picture("features", lambda figure: paint(figure, images, outcome))


def paint(figure: Figure, images: data.Dataset, outcome: Outcome) -> None:
    """An image, its gradients, the commonest visual words, and the ConvNet's first filters."""
    some = grey(images.x_train[:200])
    patches = outcome.vocabulary.mean_patches(some, 16)
    convolution: Any = outcome.convnet[0]
    filters = convolution.weight.data[:16].mean(axis=1)
    panels = {
        "pixels": some[:4],
        "oriented gradients": np.stack([_descriptors().picture_of_gradients(x) for x in some[:4]]),
        "visual words": patches,
        "the ConvNet's first filters": filters,
    }
    parts: Any = figure.subfigures(1, len(panels))
    for part, (title, pictures) in zip(parts, panels.items(), strict=True):
        part.suptitle(title, fontsize="medium")
        side = int(len(pictures) ** 0.5)
        grid = part.subplots(side, side, squeeze=False)
        for axes, picture in zip(grid.flat, pictures, strict=False):
            axes.imshow(picture, cmap="gray_r")
            axes.axis("off")
