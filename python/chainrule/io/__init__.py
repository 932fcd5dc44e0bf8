"""Files: tensors in the safetensors format, checkpoints, and the IDX files of MNIST."""

from ._atomic import atomic_write
from ._checkpoint import load, load_file, load_metadata, save, save_file
from ._idx import Mnist, read_idx, read_mnist

__all__ = [
    "Mnist",
    "atomic_write",
    "load",
    "load_file",
    "load_metadata",
    "read_idx",
    "read_mnist",
    "save",
    "save_file",
]
