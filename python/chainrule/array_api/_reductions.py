"""Statistical and utility functions of the array API standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _core, _statistics
from .._arrays import dimension
from .._core import Tensor
from ._dtypes import promoted

__all__ = [
    "all", "any", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std",
    "sum", "var",
]  # fmt: skip

_Axes = int | tuple[int, ...] | None


def reduced(
    op: Callable[..., Tensor], x: Tensor, axis: Any, keepdims: bool, **words: Any
) -> Tensor:
    """A reduction over axes. An empty tuple reduces nothing, whereas in torch it means all."""
    if axis == ():
        return op(x.unsqueeze(-1), -1, False, **words)
    return op(x, axis, keepdims, **words)


def _whole(x: Tensor, dtype: Any) -> Any:
    """The dtype of a sum: as asked for, or wide enough for many small integers."""
    if dtype is None and x.dtype.name.startswith("uint"):
        return _core.uint64
    return dtype


def sum(x: Tensor, /, *, axis: _Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Sum; small integers give int64 or uint64."""
    return reduced(_core.sum, x, axis, keepdims, dtype=_whole(x, dtype))


def prod(x: Tensor, /, *, axis: _Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Product; small integers give int64 or uint64."""
    dtype = _whole(x, dtype)
    if axis is None and keepdims:
        axis = tuple(range(x.ndim))
    if not isinstance(axis, tuple) or not axis:
        return reduced(_core.prod, x, axis, keepdims, dtype=dtype)
    for place in sorted((dimension("prod", x, a) for a in axis), reverse=True):
        x = _core.prod(x, place, keepdims, dtype=dtype)
    return x


def mean(x: Tensor, /, *, axis: _Axes = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean."""
    return reduced(_core.mean, x, axis, keepdims)


def var(
    x: Tensor, /, *, axis: _Axes = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Variance; ``correction`` is taken off the number of elements in the divisor."""
    return reduced(_variance, x, axis, keepdims, correction=correction)


def std(
    x: Tensor, /, *, axis: _Axes = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Standard deviation; ``correction`` is taken off the number of elements in the divisor."""
    return _core.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def _variance(x: Tensor, axis: Any, keepdims: bool, *, correction: float) -> Tensor:
    return _core.var(x, axis, correction=correction, keepdim=keepdims)


def max(x: Tensor, /, *, axis: _Axes = None, keepdims: bool = False) -> Tensor:
    """Largest element."""
    return reduced(_core.amax, x, axis, keepdims)


def min(x: Tensor, /, *, axis: _Axes = None, keepdims: bool = False) -> Tensor:
    """Smallest element."""
    return reduced(_core.amin, x, axis, keepdims)


def all(x: Tensor, /, *, axis: _Axes = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true."""
    return reduced(_core.all, x, axis, keepdims)


def any(x: Tensor, /, *, axis: _Axes = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true."""
    return reduced(_core.any, x, axis, keepdims)


# ---------------------------------------------------------------- along one axis


def _running(
    op: Any, first: int, x: Tensor, axis: int | None, dtype: Any, include_initial: bool
) -> Tensor:
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"{op.__name__}: needs an axis (got shape {x.shape})")
        axis = 0
    result: Tensor = op(x, axis, dtype=_whole(x, dtype))
    if not include_initial:
        return result
    shape = list(x.shape)
    shape[axis] = 1
    return _core.cat([_core.full(shape, first, dtype=result.dtype), result], axis)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running sum; ``include_initial`` puts a 0 in front.

    Example:
        >>> cr.array_api.cumulative_sum(cr.tensor([1, 2, 3]), include_initial=True)
        tensor([0, 1, 3, 6])
    """
    return _running(_core.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running product; ``include_initial`` puts a 1 in front."""
    return _running(_core.cumprod, 1, x, axis, dtype, include_initial)


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Differences of neighbours along an axis, ``n`` times over."""
    x, prepend, append = promoted(x, prepend, append)
    return _statistics.diff(x, n, axis, prepend, append)
