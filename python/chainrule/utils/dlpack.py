"""DLPack by torch's names: ``to_dlpack`` and ``from_dlpack``."""

from __future__ import annotations

from typing import Any

from .._core import Tensor
from .._exchange import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """Lend a tensor's memory as an unversioned DLPack capsule, to be consumed once.

    Objects with ``__dlpack__`` need no capsule: hand the tensor itself to the other library.

    Raises:
        BufferError: the tensor requires a gradient or is read-only.

    Example:
        >>> from chainrule.utils import dlpack
        >>> dlpack.from_dlpack(dlpack.to_dlpack(cr.ones(2)))
        tensor([1., 1.])
    """
    return tensor.__dlpack__()
