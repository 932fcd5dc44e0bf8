"""Manipulation and indexing functions of the array API standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core, _functions, _placing
from .._arrays import dimension
from .._core import Tensor
from .._functions import broadcast_shapes
from ._dtypes import promoted

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip",
    "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "take",
    "take_along_axis", "tile", "unstack",
]  # fmt: skip

_Axes = int | tuple[int, ...]


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Views of the arrays in their common shape."""
    return _functions.broadcast_tensors(*arrays)


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """View with a larger shape."""
    return _functions.broadcast_to(x, shape)


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Join along an existing axis; with ``axis=None`` the flattened arrays."""
    if axis is None:
        return _core.cat([x.reshape(-1) for x in arrays])
    return _core.cat(list(arrays), axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Join along a new axis."""
    return _core.stack(promoted(*arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Views of all indices of one axis."""
    return _functions.unbind(x, axis)


def expand_dims(x: Tensor, /, axis: _Axes) -> Tensor:
    """View with new axes of size 1 at places of the result.

    Raises:
        IndexError: for places the result does not have.
        ValueError: for a place given twice.

    Example:
        >>> cr.array_api.expand_dims(cr.zeros(3), (0, -1)).shape
        (1, 3, 1)
    """
    axes = (axis,) if isinstance(axis, int) else axis
    rank = x.ndim + len(axes)
    for place in axes:
        if not -rank <= place < rank:
            raise IndexError(f"expand_dims: axis out of range (got {place} for rank {rank})")
    places = sorted(place % rank for place in axes)
    if len(set(places)) < len(places):
        raise ValueError(f"expand_dims: an axis is given twice (got {axis})")
    for place in places:
        x = _core.unsqueeze(x, place)
    return x


def squeeze(x: Tensor, /, axis: _Axes) -> Tensor:
    """View without axes of size 1.

    Raises:
        ValueError: when an axis has another size.

    Example:
        >>> cr.array_api.squeeze(cr.zeros(1, 3, 1), (0, 2)).shape
        (3,)
    """
    axes = (axis,) if isinstance(axis, int) else axis
    for place in axes:
        if not -x.ndim <= place < x.ndim:
            raise IndexError(f"squeeze: axis out of range (got {place} for shape {x.shape})")
        if x.shape[place] != 1:
            raise ValueError(f"squeeze: axis {place} has not size 1 (got shape {x.shape})")
    return _core.squeeze(x, axes) if axes else x


def flip(x: Tensor, /, *, axis: _Axes | None = None) -> Tensor:
    """Elements in reverse order along axes, by default all."""
    return _core.flip(x, range(x.ndim) if axis is None else axis)


def moveaxis(x: Tensor, source: _Axes, destination: _Axes, /) -> Tensor:
    """View with axes moved to other places."""
    return _functions.movedim(x, source, destination)


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """View with the axes in another order."""
    return _core.permute(x, axes)


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Repeat each element, or each slice along an axis, in place."""
    return _placing.repeat_interleave(x, repeats, axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """Repeat the whole array along its axes."""
    return _functions.tile(x, repetitions)


def roll(x: Tensor, /, shift: _Axes, *, axis: _Axes | None = None) -> Tensor:
    """Shift elements along axes; what leaves at one end enters at the other."""
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return _functions.roll(x, shift, axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements in another shape; ``copy=False`` refuses what a view cannot do.

    Raises:
        ValueError: when ``copy=False`` and a copy would be needed.

    Example:
        >>> cr.array_api.reshape(cr.arange(4), (2, -1), copy=False).shape
        (2, 2)
    """
    if copy is False:
        return _core.view(x, shape)
    result: Tensor = _core.reshape(x, shape)
    return result.clone() if copy else result


# ---------------------------------------------------------------- indexing


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Slices at indices along an axis, which a vector need not name.

    Raises:
        ValueError: without an axis for more than one dimension.

    Example:
        >>> cr.array_api.take(cr.tensor([[1, 2, 3]]), cr.tensor([0, -1]), axis=1)
        tensor([[1, 3]])
    """
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: needs an axis (got shape {x.shape})")
        axis = 0
    axis = dimension("take", x, axis)
    return _core.index(x, [*[None] * axis, indices])


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Elements at indices along an axis, as ``argsort`` gives them."""
    return _placing.take_along_dim(x, indices.to(_core.int64), axis)
