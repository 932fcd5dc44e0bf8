"""Pictures of handwritten digits: where they come from, how they are divided and varied."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..io import read_mnist
from ._common import UsageError, require

Images = npt.NDArray[np.float32]  # (N, H, W), paper 0, ink 1
Labels = npt.NDArray[np.int64]  # (N,), 0 to 9
Probabilities = npt.NDArray[np.float32]  # (N, 10)


class Part(NamedTuple):
    """Images with their labels."""

    images: Images
    labels: Labels


class DigitSet(NamedTuple):
    """A set of digits in its three parts: to learn from, to choose by, and to be judged by."""

    name: str
    margin: int  # blank pixels around the ink, the same in every image
    train: Part
    validation: Part
    test: Part


def load_digits(mnist: str | None, rng: np.random.Generator) -> DigitSet:
    """Load the digits of scikit-learn (1,797 of 8x8), or MNIST from a directory of IDX files.

    scikit-learn's set is divided 60/20/20. MNIST has its own test set, and a twelfth of its
    training set becomes the validation set. Every part has the same share of each digit.
    """
    if mnist is None:
        data = require("sklearn.datasets", "scikit-learn").load_digits()
        images, labels = _normalise(data.images, 16), data.target.astype(np.int64)
        parts = [Part(images[i], labels[i]) for i in stratified_split(labels, (60, 20, 20), rng)]
        return DigitSet("scikit-learn digits", 0, *parts)
    try:
        files = read_mnist(mnist)
    except ValueError as error:
        raise UsageError(str(error)) from None
    images, labels = _normalise(files.train_images, 255), files.train_labels.astype(np.int64)
    train, validation = (Part(images[i], labels[i]) for i in stratified_split(labels, (11, 1), rng))
    test = Part(_normalise(files.test_images, 255), files.test_labels.astype(np.int64))
    if images.shape[1] != images.shape[2] or images.shape[1] < 8:
        raise UsageError(f"images have shape {images.shape[1:]}; expected squares of 8 or more")
    if max(labels.max(), test.labels.max()) > 9:
        raise UsageError("a label is above 9; expected digits")
    if not len(validation.labels):
        raise UsageError(f"{len(labels)} training images are too few to set some aside")
    return DigitSet("MNIST", images.shape[1] // 7, train, validation, test)


def _normalise(images: npt.NDArray[Any], full_ink: int) -> Images:
    return np.asarray(images / np.float32(full_ink), np.float32)


def stratified_split(
    labels: Labels, shares: tuple[int, ...], rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Divide indices by `shares`, with the same proportion of every label in each part."""
    bounds = np.cumsum(shares)[:-1] / sum(shares)
    pieces = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        pieces.append(np.split(members, np.rint(bounds * len(members)).astype(int)))
    return [np.concatenate(part) for part in zip(*pieces, strict=True)]


def vary(images: Images, rng: np.random.Generator) -> Images:
    """Turn, stretch and shift each image a little, as another hand would have written it.

    Every output pixel looks up its place in the input, between pixels by bilinear interpolation.
    """
    count, size = images.shape[:2]
    angle = rng.uniform(-0.25, 0.25, (count, 1, 1))
    stretch_y, stretch_x = np.exp(rng.uniform(-0.1, 0.1, (2, count, 1, 1)))
    shift_y, shift_x = rng.uniform(-0.05, 0.05, (2, count, 1, 1)) * size

    centre = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - centre
    source_y = stretch_y * (np.cos(angle) * y - np.sin(angle) * x) + centre + shift_y
    source_x = stretch_x * (np.sin(angle) * y + np.cos(angle) * x) + centre + shift_x

    paper = np.pad(images, ((0, 0), (1, 2), (1, 2)))  # what lies outside is blank
    source_y = np.clip(source_y + 1, 0, size + 1)
    source_x = np.clip(source_x + 1, 0, size + 1)
    row, column = source_y.astype(int), source_x.astype(int)
    down, right = source_y - row, source_x - column
    i = np.arange(count)[:, None, None]
    upper = paper[i, row, column] * (1 - right) + paper[i, row, column + 1] * right
    lower = paper[i, row + 1, column] * (1 - right) + paper[i, row + 1, column + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
