"""What the modules that find indices with NumPy share: views, dimensions, in-place forms."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import _core
from ._core import Tensor


def view_of(tensor: Tensor) -> Any:
    """The tensor's memory as an array, for looking at only; a float32 copy of bfloat16."""
    if tensor.dtype is _core.bfloat16:
        tensor = _core.to(tensor, _core.float32)
    return _core._to_numpy(tensor.detach())


def tensor_of(array: Any) -> Tensor:
    """A tensor on the memory of a fresh array."""
    import numpy as np

    result: Tensor = _core.from_numpy(np.asarray(array, order="C"))
    return result


def dimension(name: str, input: Tensor, dim: int) -> int:
    """``dim`` counted from the front; a 0-d tensor counts as a vector of one element."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: expected a Tensor (got {type(input).__name__})")
    rank = input.ndim or 1
    if not -rank <= dim < rank:
        raise IndexError(
            f"{name}: dimension out of range (got {dim} for shape {input.shape}); "
            f"expected {-rank} to {rank - 1}"
        )
    return dim % rank


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form that overwrites its first argument with the result, and returns it."""

    @functools.wraps(function)
    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = function(input, *args, **kwargs)
        if result.dtype is not input.dtype:
            raise TypeError(
                f"{write.__name__}: the result has dtype {result.dtype.name}, which a tensor of "
                f"{input.dtype.name} cannot hold"
            )
        return input.copy_(result)

    write.__name__ = write.__qualname__ = function.__name__ + "_"
    write.__doc__ = f"Overwrite with the result of ``{function.__name__}``; returns the tensor."
    return write
