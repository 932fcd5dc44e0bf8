"""Digits in CSV files, as Kaggle's Digit Recognizer has them, and the file one hands in there.

A row is a picture: `pixel0`, `pixel1`, ... line by line, paper 0 and ink 255. A column `label`
says which digit it is.
"""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt

from ..io import atomic_write, read_csv
from ._common import UsageError
from ._digits_data import DigitSet, Images, Labels, Part, stratified_split


def load_digits_csv(path: str, rng: np.random.Generator) -> DigitSet:
    """Load labelled pictures; a twelfth of them is set aside to choose by, and one to judge by."""
    images, labels = read_pictures(path)
    if labels is None:
        raise UsageError(f"{path!r} has no column 'label'; expected the digit of each picture")
    parts = [Part(images[i], labels[i]) for i in stratified_split(labels, (10, 1, 1), rng)]
    if not all(len(part.labels) for part in parts):
        raise UsageError(f"{path!r}: {len(labels)} pictures are too few to set some aside")
    return DigitSet(os.path.basename(path), images.shape[1] // 7, *parts)


def read_pictures(path: str) -> tuple[Images, Labels | None]:
    """Read the pictures of a file, and their labels where it has them."""
    try:
        table = read_csv(path)
    except ValueError as error:
        raise UsageError(str(error)) from None
    pixels = table.columns([name for name in table.names if name != "label"])
    count, width = pixels.shape
    size = math.isqrt(width)
    if size * size != width or size < 8:
        raise UsageError(f"{path!r} has {width} pixels a row; expected squares of 8x8 or more")
    if not count:
        raise UsageError(f"{path!r} has no rows; expected a picture in each")
    _check(path, "pixel", pixels, 255)
    images = np.asarray(pixels.reshape(count, size, size) / 255, np.float32)
    if "label" not in table.names:
        return images, None
    labels = table.columns("label")
    _check(path, "label", labels, 9)
    if (labels % 1).any():
        raise UsageError(f"{path!r}: a label is {labels[labels % 1 != 0][0]:g}; expected a digit")
    return images, labels.astype(np.int64)


def _check(path: str, kind: str, values: npt.NDArray[np.float64], most: int) -> None:
    for value in (values.min(), values.max()):
        if not 0 <= value <= most:
            raise UsageError(f"{path!r}: a {kind} is {value:g}; expected 0 to {most}")


def write_submission(path: str, digits: Labels) -> None:
    """Write which digit each picture shows, numbered from 1."""
    lines = [f"{number},{digit}\n" for number, digit in enumerate(digits.tolist(), start=1)]
    with atomic_write(path) as file:
        file.write("".join(["ImageId,Label\n", *lines]).encode())
