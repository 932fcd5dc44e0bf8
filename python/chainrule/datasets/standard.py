"""The standard sets from their standard addresses; `chainrule.io` reads what is on disk."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import IO, cast

from ..io import Cifar, Mnist, atomic_write, download, read_cifar10, read_cifar100, read_mnist

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]

_MNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
# Where a set is, and the MD5 of its files as their publishers give them.
MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
FASHION_MNIST = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
)
CIFAR10 = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
)
CIFAR100 = (
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
)


def mnist(directory: str | os.PathLike[str], *, download: bool = False) -> Mnist:
    """Read MNIST: 70,000 handwritten digits of 28x28 grey pixels (LeCun et al., 1998).

    Args:
        directory: where its four files are, or shall be.
        download: fetch what is missing.

    Returns:
        The arrays of :func:`chainrule.io.read_mnist`.

    Raises:
        FileNotFoundError: a file is missing and ``download`` is off.
        ValueError: a file is damaged.
        OSError: the network or the disk failed.
    """
    return _mnist(directory, MNIST, download)


def fashion_mnist(directory: str | os.PathLike[str], *, download: bool = False) -> Mnist:
    """Read Fashion-MNIST: 70,000 pictures of clothes, shaped like MNIST (Xiao et al., 2017).

    Args:
        directory: where its four files are, or shall be; not that of MNIST, the names are alike.
        download: fetch what is missing.

    Returns:
        The arrays of :func:`chainrule.io.read_mnist`.

    Raises:
        FileNotFoundError: a file is missing and ``download`` is off.
        ValueError: a file is damaged.
        OSError: the network or the disk failed.
    """
    return _mnist(directory, FASHION_MNIST, download)


def _mnist(
    directory: str | os.PathLike[str], source: tuple[str, tuple[str, ...]], fetch: bool
) -> Mnist:
    try:
        return read_mnist(directory)
    except FileNotFoundError:
        if not fetch:
            raise
    address, sums = source
    for name, md5 in zip(_MNIST_FILES, sums, strict=True):
        if not os.path.isfile(os.path.join(directory, name.removesuffix(".gz"))):
            download(address + name, os.path.join(directory, name), md5=md5)
    return read_mnist(directory)


def cifar10(directory: str | os.PathLike[str], *, download: bool = False) -> Cifar:
    """Read CIFAR-10: 60,000 colour pictures of 32x32 pixels in 10 classes (Krizhevsky, 2009).

    Args:
        directory: where its binary files are, or shall be.
        download: fetch them if they are missing.

    Returns:
        The arrays of :func:`chainrule.io.read_cifar10`.

    Raises:
        FileNotFoundError: a file is missing and ``download`` is off.
        ValueError: a file is damaged.
        OSError: the network or the disk failed.
    """
    try:
        return read_cifar10(directory)
    except FileNotFoundError:
        if not download:
            raise
    names = {*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"}
    _fetch_archive(directory, CIFAR10, names)
    return read_cifar10(directory)


def cifar100(
    directory: str | os.PathLike[str], *, labels: str = "fine", download: bool = False
) -> Cifar:
    """Read CIFAR-100: 60,000 colour pictures in 100 classes of 20 groups (Krizhevsky, 2009).

    Args:
        directory: where its binary files are, or shall be.
        labels: ``"fine"`` for the 100 classes, ``"coarse"`` for the 20 groups.
        download: fetch them if they are missing.

    Returns:
        The arrays of :func:`chainrule.io.read_cifar100`.

    Raises:
        FileNotFoundError: a file is missing and ``download`` is off.
        ValueError: a file is damaged.
        OSError: the network or the disk failed.
    """
    try:
        return read_cifar100(directory, labels=labels)
    except FileNotFoundError:
        if not download:
            raise
    _fetch_archive(directory, CIFAR100, {"train.bin", "test.bin"})
    return read_cifar100(directory, labels=labels)


def _fetch_archive(
    directory: str | os.PathLike[str], source: tuple[str, str], names: set[str]
) -> None:
    """Fetch an archive and take the named files out of it, whatever else and where it holds."""
    address, md5 = source
    path = download(address, os.path.join(directory, address.rsplit("/", 1)[1]), md5=md5)
    with tarfile.open(path) as archive:
        for member in archive:
            name = os.path.basename(member.name)
            if member.isfile() and name in names:
                content = cast(IO[bytes], archive.extractfile(member))
                with atomic_write(os.path.join(directory, name)) as file:
                    shutil.copyfileobj(content, file)
