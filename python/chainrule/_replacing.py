"""Copies of a tensor with a part replaced: slices, diagonals, masked and indexed elements.

The out-of-place forms clone and write through a view, so that views say where each element goes.
"""

from __future__ import annotations

from typing import Any

from . import _core
from ._arrays import dimension, in_place
from ._core import Tensor
from ._placing import scatter_reduce

__all__ = [
    "diagonal_scatter", "index_reduce", "masked_scatter", "scatter", "select_scatter",
    "slice_scatter",
]  # fmt: skip

METHODS = (
    "diagonal_scatter", "fill_diagonal_", "index_reduce", "index_reduce_", "masked_scatter",
    "masked_scatter_", "scatter", "scatter_", "select_scatter", "slice_scatter",
)  # fmt: skip


def _replaced(name: str, result: Tensor, region: Tensor, src: Tensor) -> Tensor:
    """``result``, whose view ``region`` takes the values of ``src``."""
    if region.shape != src.shape:
        raise ValueError(
            f"{name}: src must have the shape of what it replaces (got {src.shape}); "
            f"expected {region.shape}"
        )
    region.copy_(src)
    return result


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Copy of ``input`` with ``input.select(dim, index)`` replaced by ``src``.

    Args:
        input: tensor of at least one dimension.
        src: tensor of the shape of ``input`` without ``dim``.
        dim: the dimension to select in.
        index: the place in it.

    Raises:
        ValueError: when the shape of ``src`` does not fit.

    Example:
        >>> cr.select_scatter(cr.zeros(2, 2), cr.ones(2), 0, 1)
        tensor([[0., 0.],
                [1., 1.]])
    """
    result = input.clone()
    return _replaced("select_scatter", result, result.select(dim, index), src)


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
    step: int = 1,
) -> Tensor:  # fmt: skip
    """Copy of ``input`` with ``input[start:end:step]`` along a dimension replaced by ``src``.

    Args:
        input: tensor of at least one dimension.
        src: tensor of the shape of that slice.
        dim: the dimension that is sliced.
        start: first place, 0 when None.
        end: place after the last, the end when None.
        step: distance of places.

    Raises:
        ValueError: when the shape of ``src`` does not fit.

    Example:
        >>> cr.slice_scatter(cr.zeros(4), cr.ones(2), start=2)
        tensor([0., 0., 1., 1.])
    """
    result = input.clone()
    return _replaced("slice_scatter", result, _core.slice(result, dim, start, end, step), src)


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Copy of ``input`` with a diagonal replaced by ``src``.

    Args:
        input: tensor of at least two dimensions.
        src: tensor of the shape of ``input.diagonal(offset, dim1, dim2)``.
        offset: which diagonal: above the main one if positive, below if negative.
        dim1: the first dimension of the matrices.
        dim2: the second one.

    Raises:
        ValueError: when the shape of ``src`` does not fit.

    Example:
        >>> cr.diagonal_scatter(cr.zeros(2, 2), cr.ones(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    result = input.clone()
    return _replaced("diagonal_scatter", result, result.diagonal(offset, dim1, dim2), src)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Copy of ``input`` with the elements of ``source`` put, in order, where ``mask`` holds.

    Args:
        input: tensor of any shape.
        mask: bool tensor that broadcasts with it.
        source: tensor of the dtype of ``input`` with at least as many elements as places; the
            rest is not used.

    Raises:
        ValueError: when the source has too few elements.
        TypeError: for a mask that is not bool and dtypes that differ.

    Example:
        >>> at = cr.tensor([True, False, True])
        >>> cr.masked_scatter(cr.zeros(3), at, cr.tensor([5.0, 6.0, 7.0]))
        tensor([5., 0., 6.])
    """
    if mask.dtype is not _core.bool:
        raise TypeError(f"masked_scatter: the mask must be bool (got {mask.dtype.name})")
    if source.dtype is not input.dtype:
        raise TypeError(
            f"masked_scatter: input and source differ in dtype (got {input.dtype.name} and "
            f"{source.dtype.name}); use .to(dtype)"
        )
    shape = (input + mask).shape if input.shape != mask.shape else input.shape
    places = _core.nonzero(mask.expand(shape).reshape(-1)).reshape(-1)
    count = places.numel()
    if source.numel() < count:
        raise ValueError(
            f"masked_scatter: the mask holds in {count} places, but the source has only "
            f"{source.numel()} elements"
        )
    values = source.reshape(-1).narrow(0, 0, count)
    flat = input.expand(shape).reshape(-1).index_put([places], values)
    return flat.reshape(shape)


def fill_diagonal_(input: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Fill the main diagonal with a number, in place.

    Args:
        input: matrix, or tensor of more dimensions, all of one size.
        fill_value: what the elements ``[i, i, ..., i]`` become.
        wrap: whether the diagonal of a tall matrix starts again after a row left out.

    Raises:
        ValueError: for fewer than two dimensions, or more of different sizes.

    Example:
        >>> cr.zeros(2, 2).fill_diagonal_(1.0)
        tensor([[1., 0.],
                [0., 1.]])
    """
    if input.ndim < 2 or (input.ndim > 2 and len(set(input.shape)) > 1):
        raise ValueError(
            "fill_diagonal_: expected a matrix, or more dimensions of one size "
            f"(got shape {input.shape})"
        )
    length = min(input.shape)
    step = sum(input.stride())
    if length:
        _core.as_strided(input, (length,), (step,)).fill_(fill_value)
    width = input.shape[-1]
    if wrap and input.ndim == 2:
        for top in range(width + 1, input.shape[0], width + 1):
            input[top:].diagonal().fill_(fill_value)
    return input


# ---------------------------------------------------------------- by index, with a reduction

_REDUCTIONS = {"add": "sum", "multiply": "prod"}


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """Copy of ``input`` with elements of ``src`` put at places along a dimension.

    For three dimensions and dim 0: ``out[index[i, j, k], j, k] = src[i, j, k]``. The last of
    repeated places wins; the gradient is then right for it alone.

    Args:
        input: tensor of any shape.
        dim: the dimension the index is for.
        index: int64 tensor, in no dimension larger than ``src``.
        src: tensor of the dtype of ``input``, or a number.
        value: the number, as a keyword.
        reduce: "add" or "multiply" combines with the element of ``input`` instead; see also
            :func:`scatter_reduce`.

    Raises:
        ValueError: for shapes that do not fit and an unknown ``reduce``.
        IndexError: for places outside the input.

    Example:
        >>> cr.scatter(cr.zeros(3), 0, cr.tensor([2]), cr.tensor([5.0]))
        tensor([0., 0., 5.])
        >>> cr.scatter(cr.ones(3), 0, cr.tensor([2]), 5.0, reduce="add")
        tensor([1., 1., 6.])
    """
    if src is None or value is not None:
        src = _source("scatter", src, value)
    if reduce is None:
        return _core.scatter(input, dim, index, src)
    return _scatter_reduced("scatter", input, dim, index, src, reduce)


def scatter_(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None,
) -> Tensor:  # fmt: skip
    """In-place form of :func:`scatter`; returns the tensor."""
    if src is None or value is not None:
        src = _source("scatter_", src, value)
    if reduce is None:
        return _core.scatter_(input, dim, index, src)
    return input.copy_(_scatter_reduced("scatter_", input, dim, index, src, reduce))


def _source(name: str, src: Any, value: Any) -> Any:
    if (src is None) == (value is None):
        raise TypeError(f"{name}: expected either src or value")
    return value if src is None else src


def _scatter_reduced(
    name: str, input: Tensor, dim: int, index: Tensor, src: Any, reduce: str
) -> Tensor:
    if reduce not in _REDUCTIONS:
        raise ValueError(f"{name}: unknown reduce (got {reduce!r}); expected 'add' or 'multiply'")
    if not isinstance(src, Tensor):
        src = _core.full(index.shape, src, dtype=input.dtype)
    return scatter_reduce(input, dim, index, src, _REDUCTIONS[reduce])


def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True,
) -> Tensor:  # fmt: skip
    """Combine slices of ``source`` at places along a dimension.

    Args:
        input: tensor the results are written over.
        dim: the dimension of the slices.
        index: vector of integers, a place for each slice of ``source``.
        source: tensor of the dtype of ``input``.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether the slice of ``input`` counts too.

    Returns:
        Tensor with the shape of ``input``; slices that nothing goes to stay.

    Raises:
        ValueError: for an unknown ``reduce`` and shapes that do not fit.
        IndexError: for places outside the input.

    Example:
        >>> x, at = cr.tensor([1.0, 2.0, 3.0]), cr.tensor([0, 0, 1])
        >>> cr.index_reduce(cr.zeros(2), 0, at, x, "amax")
        tensor([2., 3.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ValueError(
            f"index_reduce: unknown reduce (got {reduce!r}); expected prod, mean, amax or amin"
        )
    at = dimension("index_reduce", input, dim)
    expected = (*input.shape[:at], index.numel(), *input.shape[at + 1 :]) if input.ndim else ()
    if index.ndim > 1 or source.shape != expected:
        raise ValueError(
            f"index_reduce: source has shape {source.shape}; expected {expected} for "
            f"{index.numel()} places"
        )
    index = index.reshape([-1 if d == at else 1 for d in range(input.ndim)])
    index = index.to(_core.int64).expand(source.shape)
    return scatter_reduce(input, dim, index, source, reduce, include_self=include_self)


index_reduce_, masked_scatter_ = in_place(index_reduce), in_place(masked_scatter)
