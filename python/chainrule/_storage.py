"""The memory behind tensors: storages, and memory shared between processes."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from typing import Any

from . import _core
from ._core import Tensor

METHODS = ("is_shared", "share_memory_", "storage", "untyped_storage")

# Blocks made by share_memory_, by their address, as long as they live.
_shared: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class Storage:
    """The whole memory that a tensor is a view of, as a flat sequence of elements.

    Args:
        elements: a vector over the whole memory.
    """

    def __init__(self, elements: Tensor) -> None:
        self._elements = elements

    @property
    def dtype(self) -> Any:
        """Element type; uint8 for an untyped storage."""
        return self._elements.dtype

    def __len__(self) -> int:
        return self._elements.numel()

    def size(self) -> int:
        """Number of elements."""
        return len(self)

    def nbytes(self) -> int:
        """Number of bytes."""
        return self._elements.nbytes

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._elements.itemsize

    def data_ptr(self) -> int:
        """Address of the first byte."""
        return self._elements.data_ptr()

    def is_shared(self) -> bool:
        """Whether other processes can see the memory."""
        return is_shared(self._elements)

    def tolist(self) -> list[Any]:
        """The elements as a list of numbers."""
        values: list[Any] = self._elements.tolist()
        return values

    def __getitem__(self, index: Any) -> Any:
        found = self._elements[index]
        return Storage(found) if isinstance(index, slice) else found.item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Storage) and (
            (self.data_ptr(), self.nbytes()) == (other.data_ptr(), other.nbytes())
        )

    def __hash__(self) -> int:
        return hash(self.data_ptr())

    def __repr__(self) -> str:
        return f"Storage({len(self)} elements of {self.dtype.name}, {self.nbytes()} bytes)"


def storage(self: Tensor) -> Any:
    """The whole memory that the tensor is a view of."""
    _, nbytes = _core._storage(self)
    length = nbytes // self.itemsize
    return Storage(_core.as_strided(self.detach(), (length,), (1,), -self.storage_offset()))


def untyped_storage(self: Tensor) -> Any:
    """The whole memory that the tensor is a view of, as bytes."""
    import numpy as np

    elements: Tensor = storage(self)._elements
    if elements.numel() == 0:
        return Storage(_core.empty(0, dtype=_core.uint8))
    return Storage(_core.from_numpy(_core._to_numpy(elements).view(np.uint8)))


def share_memory_(self: Tensor) -> Tensor:
    """Move the tensor to memory that child processes made by ``fork`` share; returns it.

    What they write, this process sees, and the other way round. Views that were taken before keep
    the old memory.
    """
    import mmap

    import numpy as np

    if not is_shared(self):
        block = mmap.mmap(-1, max(self.nbytes, 1))
        source = _core._to_numpy(self.detach().contiguous())
        array = np.frombuffer(block, source.dtype, math.prod(self.shape)).reshape(self.shape)
        array[...] = source
        _shared[array.ctypes.data] = block
        self.data = _core.from_numpy(array)
    return self


def is_shared(self: Tensor) -> bool:
    """Whether the tensor lies in memory that :func:`share_memory_` made."""
    return _core._storage(self)[0] in _shared
