"""The IDX file format of the MNIST family: a magic number, the sizes, then the raw numbers."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20  # a lying header must not make us allocate what is not there


class Mnist(NamedTuple):
    """The four arrays of a digit set: images `(N, H, W)` and labels `(N,)`, both uint8."""

    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read one IDX file, plain or compressed with gzip (told by content, not by name).

    Args:
        path: the file.

    Returns:
        An array of the file's sizes and dtype (uint8, int8, int16, int32, float32 or float64).

    Raises:
        ValueError: the file is no IDX file, is cut short, or has bytes left over.
        OSError: the file cannot be opened.

    Example:
        >>> with open("/tmp/two.idx", "wb") as file:
        ...     size = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> cr.io.read_idx("/tmp/two.idx")
        array([7, 9], dtype=uint8)
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
        try:
            return _read(stream)
        except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"read_idx: {os.fspath(path)!r}: {error}") from None


def _read(stream: BinaryIO) -> npt.NDArray[Any]:
    magic = _read_exactly(stream, 4, "magic number")
    if magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise ValueError(f"the magic number is {magic.hex(' ')}; expected 00 00, a dtype, a rank")
    dtype, rank = np.dtype(_DTYPES[magic[2]]), magic[3]
    if rank > 16:
        raise ValueError(f"the rank is {rank}; expected at most 16")
    shape = tuple(np.frombuffer(_read_exactly(stream, 4 * rank, "sizes"), ">u4").tolist())
    data = _read_exactly(stream, dtype.itemsize * math.prod(shape), f"numbers of shape {shape}")
    if stream.read(1):
        raise ValueError(f"bytes are left after the numbers of shape {shape}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_exactly(stream: BinaryIO, count: int, what: str) -> bytes:
    data = bytearray()
    while len(data) < count:
        chunk = stream.read(min(count - len(data), _CHUNK))
        if not chunk:
            raise ValueError(f"truncated: {len(data)} bytes of {count} for the {what}")
        data += chunk
    return bytes(data)


def read_mnist(directory: str | os.PathLike[str]) -> Mnist:
    """Read the four files of MNIST (or Fashion-MNIST, KMNIST...) from a directory.

    The names are those the set is published under, `train-images-idx3-ubyte` and so on, with or
    without `.gz`.

    Args:
        directory: where the files are.

    Returns:
        Training images and labels, test images and labels.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is damaged, or images and labels do not fit each other.
    """
    arrays = Mnist(
        read_idx(_find(directory, "train-images-idx3-ubyte")),
        read_idx(_find(directory, "train-labels-idx1-ubyte")),
        read_idx(_find(directory, "t10k-images-idx3-ubyte")),
        read_idx(_find(directory, "t10k-labels-idx1-ubyte")),
    )
    for images, labels in (arrays[:2], arrays[2:]):
        if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
            raise ValueError(
                f"read_mnist: images have shape {images.shape} and dtype {images.dtype}; "
                "expected (N, H, W) uint8 and none of them 0"
            )
        if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
            raise ValueError(
                f"read_mnist: labels have shape {labels.shape} and dtype {labels.dtype} "
                f"beside {len(images)} images; expected ({len(images)},) uint8"
            )
    if arrays.train_images.shape[1:] != arrays.test_images.shape[1:]:
        raise ValueError(
            f"read_mnist: training images have shape {arrays.train_images.shape[1:]}, "
            f"test images {arrays.test_images.shape[1:]}; expected the same"
        )
    return arrays


def _find(directory: str | os.PathLike[str], name: str) -> str:
    for suffix in ("", ".gz"):
        path = os.path.join(directory, name + suffix)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"read_mnist: {os.fspath(directory)!r} has no {name} or {name}.gz")
