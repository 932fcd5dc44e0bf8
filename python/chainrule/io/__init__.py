"""Files: tensors in the safetensors format, checkpoints, and readers of data from local paths."""

from ._atomic import atomic_write
from ._checkpoint import load, load_file, load_metadata, save, save_file
from ._cifar import Cifar, read_cifar10, read_cifar100
from ._csv import Table, read_csv, read_svmlight
from ._download import download
from ._idx import Mnist, read_idx, read_mnist
from ._safe_open import safe_open

__all__ = [
    "Cifar",
    "Mnist",
    "Table",
    "atomic_write",
    "download",
    "load",
    "load_file",
    "load_metadata",
    "read_cifar10",
    "read_cifar100",
    "read_csv",
    "read_idx",
    "read_mnist",
    "read_svmlight",
    "safe_open",
    "save",
    "save_file",
]
