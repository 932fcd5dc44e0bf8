"""Views with given strides, shapes summed away, and where elements are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _core, _functions
from ._arrays import tensor_of, view_of
from ._core import Tensor

__all__ = [
    "Size", "as_strided", "as_strided_", "diagflat", "moveaxis", "nonzero", "row_stack",
    "split_with_sizes", "unravel_index",
]  # fmt: skip

METHODS = (
    "as_strided", "as_strided_", "diagflat", "moveaxis", "nonzero", "split_with_sizes",
    "sum_to_size",
)  # fmt: skip

moveaxis, row_stack = _functions.movedim, _functions.vstack
Size: type[tuple[int, ...]] = tuple  # torch's name: shapes are tuples


def _from_first(input: Tensor, storage_offset: int | None) -> int:
    """An offset in the memory, counted from the tensor's first element."""
    return 0 if storage_offset is None else storage_offset - input.storage_offset()


def as_strided(
    input: Tensor,
    size: int | Sequence[int],
    stride: int | Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """View of the tensor's memory with given sizes and strides.

    Args:
        input: tensor; its whole memory may be reached, also beyond it if it is a view.
        size: sizes of the dimensions.
        stride: distances of neighbours in them, in elements; may be 0 or negative.
        storage_offset: the place of the first element in the memory; by default the tensor's own.

    Raises:
        ValueError: when the view would reach outside the memory.
        RuntimeError: for a tensor that requires a gradient and is not contiguous.

    Example:
        >>> cr.as_strided(cr.arange(5), (3, 3), (1, 1))
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4]])
    """
    return _core.as_strided(input, size, stride, _from_first(input, storage_offset))


def as_strided_(
    input: Tensor,
    size: int | Sequence[int],
    stride: int | Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """Give the tensor itself other sizes and strides; see :func:`as_strided`."""
    return _core.as_strided_(input, size, stride, _from_first(input, storage_offset))


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into views of given sizes; see :func:`split`.

    Example:
        >>> [part.shape for part in cr.split_with_sizes(cr.arange(5), [1, 4])]
        [(1,), (4,)]
    """
    return _functions.split(input, list(split_sizes), dim)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Sum over the dimensions that broadcasting from ``size`` would have repeated.

    Raises:
        ValueError: when ``size`` does not broadcast to the tensor's shape.
    """
    wanted = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    extra = input.ndim - len(wanted)
    pairs = list(zip(wanted, input.shape[max(extra, 0) :], strict=False))
    if extra < 0 or any(w not in (1, n) for w, n in pairs):
        raise ValueError(f"sum_to_size: size {wanted} does not broadcast to shape {input.shape}")
    summed = [*range(extra), *(extra + d for d, (w, n) in enumerate(pairs) if w != n)]
    return input.sum(summed, True).reshape(wanted) if summed else input


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Matrix with the elements of a tensor of any shape on a diagonal, and 0 elsewhere.

    Args:
        input: tensor of any shape.
        offset: which diagonal: above the main one if positive, below if negative.

    Example:
        >>> cr.diagflat(cr.tensor([[1], [2]]))
        tensor([[1, 0],
                [0, 2]])
    """
    return _functions.diag(input.reshape(-1), offset)


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements are that are not 0.

    Args:
        input: tensor of any shape.
        as_tuple: whether to give a vector of indices for each dimension, which can index the
            tensor, instead of one row for each element.

    Example:
        >>> cr.nonzero(cr.tensor([[0, 5], [6, 0]]))
        tensor([[0, 1],
                [1, 0]])
        >>> cr.nonzero(cr.tensor([0, 5]), as_tuple=True)
        (tensor([1]),)
    """
    if not as_tuple:
        return _core.nonzero(input)
    return _functions.unbind(_core.nonzero(input if input.ndim else input.reshape(1)), 1)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Positions in the flattened tensor as one index for each dimension.

    Args:
        indices: tensor of integers.
        shape: the tensor's shape.

    Raises:
        ValueError: for positions outside the shape.
        TypeError: for indices that are no integers.

    Example:
        >>> cr.unravel_index(cr.tensor([1, 4]), (2, 3))
        (tensor([0, 1]), tensor([1, 1]))
    """
    import numpy as np

    if indices.is_floating_point() or indices.dtype is _core.bool:
        raise TypeError(f"unravel_index: expected integers (got {indices.dtype.name})")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    try:
        places = np.unravel_index(view_of(indices), shape)
    except ValueError as error:
        raise ValueError(f"unravel_index: {error} (got shape {shape})") from None
    return tuple(tensor_of(np.array(p)).to(_core.int64) for p in places)
