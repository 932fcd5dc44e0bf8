"""The binary files of CIFAR-10 and CIFAR-100: records of labels and 3,072 bytes of a picture."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_PIXELS = 3 * 32 * 32


class Cifar(NamedTuple):
    """The four arrays of a set, uint8: images `(N, 3, 32, 32)` in red, green, blue; labels."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]


def _read(
    name: str, path: str, label_bytes: int, column: int, classes: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    record = label_bytes + _PIXELS
    size = os.path.getsize(path)
    if size == 0 or size % record:
        raise ValueError(
            f"{name}: {path!r} has {size} bytes; expected records of {record}, at least one"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, record)
    labels = records[:, column].copy()
    if labels.max() >= classes:
        place = int(np.argmax(labels >= classes))
        raise ValueError(
            f"{name}: {path!r}: record {place} has label {labels[place]}; expected below {classes}"
        )
    return records[:, label_bytes:].reshape(-1, 3, 32, 32).copy(), labels


def _find(name: str, directory: str | os.PathLike[str], folder: str, file: str) -> str:
    for place in (os.fspath(directory), os.path.join(directory, folder)):
        path = os.path.join(place, file)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{name}: {os.fspath(directory)!r} has no {file}, nor {folder}/{file}")


def read_cifar10(directory: str | os.PathLike[str]) -> Cifar:
    """Read the binary version of CIFAR-10 from a directory.

    Args:
        directory: where `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin` are, or
            their folder `cifar-10-batches-bin`.

    Returns:
        Training images and labels, test images and labels.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is damaged.
    """
    name, folder = "read_cifar10", "cifar-10-batches-bin"
    files = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
    parts = [_read(name, _find(name, directory, folder, file), 1, 0, 10) for file in files]
    images, labels = (np.concatenate(each) for each in zip(*parts[:5], strict=True))
    return Cifar(images, labels, *parts[5])


def read_cifar100(directory: str | os.PathLike[str], *, labels: str = "fine") -> Cifar:
    """Read the binary version of CIFAR-100 from a directory.

    Args:
        directory: where `train.bin` and `test.bin` are, or their folder `cifar-100-binary`.
        labels: `"fine"` for the 100 classes, `"coarse"` for the 20 groups.

    Returns:
        Training images and labels, test images and labels.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is damaged, or there are no such labels.
    """
    if labels not in ("coarse", "fine"):
        raise ValueError(f"read_cifar100: labels is 'fine' or 'coarse' (got {labels!r})")
    name, fine = "read_cifar100", labels == "fine"
    parts = [
        _read(
            name,
            _find(name, directory, "cifar-100-binary", file),
            2,
            int(fine),
            100 if fine else 20,
        )
        for file in ("train.bin", "test.bin")
    ]
    return Cifar(*parts[0], *parts[1])
