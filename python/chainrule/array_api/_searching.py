"""Searching, sorting and set functions of the array API standard."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _core, _shapes, _sorting
from .._core import Tensor
from ._dtypes import promoted
from ._reductions import reduced

__all__ = [
    "argmax", "argmin", "argsort", "count_nonzero", "isin", "nonzero", "searchsorted", "sort",
    "unique_all", "unique_counts", "unique_inverse", "unique_values", "where",
]  # fmt: skip


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the first largest element."""
    return _core.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the first smallest element."""
    return _core.argmin(x, axis, keepdims)


def count_nonzero(
    x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Tensor:
    """How many elements are not 0."""
    return reduced(_core.sum, x != 0, axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where the elements are that are not 0: one vector of indices for each axis.

    Raises:
        ValueError: for a 0-d array.
    """
    if x.ndim == 0:
        raise ValueError("nonzero: needs at least one dimension (got shape ())")
    places: tuple[Tensor, ...] = _shapes.nonzero(x, as_tuple=True)
    return places


def searchsorted(
    x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where ``x2`` would have to be inserted to keep the vector ``x1`` sorted."""
    x1, x2 = promoted(x1, x2)
    return _sorting.searchsorted(x1, x2, side=side, sorter=sorter)


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """``x1`` where the condition holds, ``x2`` elsewhere."""
    return _core.where(condition, *promoted(x1, x2))


# ---------------------------------------------------------------- sorting


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along an axis."""
    return _sorting.sort(x, axis, descending, stable).values


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """Indices that sort along an axis."""
    return _sorting.argsort(x, axis, descending, stable)


# ---------------------------------------------------------------- sets


class UniqueAll(NamedTuple):
    """What ``unique_all`` finds."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` finds."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` finds."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAll:
    """The distinct elements in order, their first places, where each went, how often each occurs.

    Example:
        >>> cr.array_api.unique_all(cr.tensor([3, 1, 3])).indices
        tensor([1, 0])
    """
    values, inverse, counts = _sorting.unique(x, return_inverse=True, return_counts=True)
    # Sorted, equal elements stand together in their order: the first of each begins its group.
    first = _sorting.argsort(x.reshape(-1), stable=True)[counts.cumsum(0) - counts]
    return UniqueAll(values, first, inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The distinct elements in order, and how often each occurs."""
    return UniqueCounts(*_sorting.unique(x, return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The distinct elements in order, and where each element went."""
    return UniqueInverse(*_sorting.unique(x, return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """The distinct elements in order."""
    values: Tensor = _sorting.unique(x)
    return values


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Whether each element of ``x1`` is among those of ``x2``; ``invert`` asks if it is not."""
    return _sorting.isin(*promoted(x1, x2), invert=invert)
