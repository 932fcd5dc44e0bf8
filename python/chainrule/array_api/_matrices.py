"""Linear algebra that every namespace of the array API standard has."""

from __future__ import annotations

from typing import Any

from .. import _core, _products
from .._core import Tensor
from ._dtypes import result_type

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]


def common(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the dtype that promotion gives."""
    dtype = result_type(x1, x2)
    return _core.to(x1, dtype), _core.to(x2, dtype)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Product of matrices, or of stacks of them."""
    return _core.matmul(*common(x1, x2))


def matrix_transpose(x: Tensor, /) -> Tensor:
    """View with the last two axes exchanged."""
    return x.mT


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sum products over some axes of two arrays."""
    return _products.tensordot(*common(x1, x2), axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Sum products along an axis, counted from the end.

    Raises:
        ValueError: when the sizes along the axis differ.

    Example:
        >>> cr.array_api.vecdot(cr.tensor([[1, 2], [3, 4]]), cr.tensor([1, 10]))
        tensor([21, 43])
    """
    x1, x2 = (x.movedim(axis, -1) for x in common(x1, x2))
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(
            f"vecdot: sizes along the axis must be equal (got {x1.shape[-1]} and {x2.shape[-1]})"
        )
    return _core.matmul(x1.unsqueeze(-2), x2.unsqueeze(-1)).squeeze(-1).squeeze(-1)
