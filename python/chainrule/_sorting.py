"""Order: sorting, selection by rank, distinct values, counting and running extremes.

NumPy finds the places on the tensor's own memory; values are then gathered by ops, so gradients of
every order go to the elements that were chosen. NaN counts as larger than every number.
"""

from __future__ import annotations

import math
from typing import Any

from . import _core
from ._arrays import dimension, tensor_of, view_of
from ._core import Tensor
from ._functions import ValuesIndices

__all__ = [
    "argsort", "bincount", "bucketize", "cummax", "cummin", "histc", "isin", "kthvalue", "median",
    "mode", "msort", "nanmedian", "nanquantile", "quantile", "searchsorted", "sort", "topk",
    "unique", "unique_consecutive",
]  # fmt: skip

METHODS = (
    "argsort", "bincount", "cummax", "cummin", "histc", "kthvalue", "median", "mode", "msort",
    "nanmedian", "nanquantile", "quantile", "sort", "topk", "unique", "unique_consecutive",
)  # fmt: skip


def _lanes(input: Tensor, dim: int) -> Any:
    """The elements as an array whose last axis is ``dim`` (a vector for a 0-d tensor)."""
    import numpy as np

    array = view_of(input)
    if dim == array.ndim - 1:
        return array
    return np.moveaxis(array, dim, -1) if array.ndim else array.reshape(1)


def _pick(input: Tensor, dim: int, places: Any, keepdim: bool = True) -> ValuesIndices:
    """Elements at ``places``, whose last axis runs along ``dim``, and the places."""
    import numpy as np

    if input.ndim == 0:
        indices = tensor_of(places.reshape(()).astype(np.int64))
        return ValuesIndices(input.clone(), indices)
    if dim != input.ndim - 1:
        places = np.moveaxis(places, -1, dim)
    indices = tensor_of(np.ascontiguousarray(places, dtype=np.int64))
    values = input.gather(dim, indices)
    if keepdim:
        return ValuesIndices(values, indices)
    return ValuesIndices(values.squeeze(dim), indices.squeeze(dim))


def _order(lanes: Any, descending: bool) -> Any:
    """Indices that sort the last axis; equal elements keep their order."""
    import numpy as np

    n = lanes.shape[-1]
    if n > 16 and lanes.size > 4096 and lanes.dtype.itemsize <= 4 and lanes.dtype.kind in "biuf":
        # Place and rank as one integer: all differ, so the fast, unstable sort is stable.
        keys = _ranks(lanes)
        if descending:
            np.invert(keys, out=keys)
        places = keys.astype(np.uint64)
        places <<= 32
        places |= np.arange(n, dtype=np.uint64)
        places.sort(axis=-1)
        places &= 0xFFFFFFFF
        return places.view(np.int64)
    if not descending:
        return np.argsort(lanes, axis=-1, kind="stable")
    reverse = np.argsort(lanes[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return lanes.shape[-1] - 1 - reverse


# Lanes that are sorted as a whole faster than their k largest are found and put in order.
_SHORT = 64


def _ranks(lanes: Any) -> Any:
    """uint32 numbers in the order of the elements, of at most 32 bits; all NaN are one number."""
    import numpy as np

    if lanes.dtype.kind in "bu":
        return lanes.astype(np.uint32, order="C")
    if lanes.dtype.kind == "i":
        bits = lanes.astype(np.int32, order="C").view(np.uint32)
        bits ^= 0x80000000
        return bits
    numbers = np.add(lanes, np.float32(0), dtype=np.float32, order="C")  # there is one zero
    bits = numbers.view(np.uint32)
    np.copyto(bits, 0x7FC00000, where=_nan_mask(numbers))
    negative = (bits.view(np.int32) >> 31).view(np.uint32)  # all ones, or 0
    bits ^= negative | 0x80000000
    return bits


def _nan_mask(array: Any) -> Any:
    """Where an array holds NaN: where an element differs from itself."""
    return array != array


# ---------------------------------------------------------------- sorting


def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> ValuesIndices:
    """Sort along a dimension.

    Args:
        input: tensor of any shape and dtype.
        dim: the dimension to sort along.
        descending: largest first.
        stable: accepted; equal elements always keep their order.

    Returns:
        ``(values, indices)`` with ``values = input.gather(dim, indices)``.

    Raises:
        IndexError: when there is no such dimension.

    Example:
        >>> values, indices = cr.sort(cr.tensor([3, 1, 2]))
        >>> values
        tensor([1, 2, 3])
        >>> indices
        tensor([1, 2, 0])
    """
    dim = dimension("sort", input, dim)
    return _pick(input, dim, _order(_lanes(input, dim), descending))


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Indices that sort along a dimension; see :func:`sort`.

    Example:
        >>> cr.argsort(cr.tensor([3, 1, 2]), descending=True)
        tensor([0, 2, 1])
    """
    dim = dimension("argsort", input, dim)
    return _pick(input.detach(), dim, _order(_lanes(input, dim), descending)).indices


def msort(input: Tensor) -> Tensor:
    """Sort along the first dimension, values only.

    Example:
        >>> cr.msort(cr.tensor([[3, 1], [2, 4]]))
        tensor([[2, 1],
                [3, 4]])
    """
    return sort(input, 0).values


def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> ValuesIndices:
    """The ``k`` largest or smallest elements along a dimension.

    Args:
        input: tensor of any shape and dtype.
        k: how many.
        dim: the dimension to choose along.
        largest: the largest, or the smallest.
        sorted: whether they come in order, the most extreme first.

    Returns:
        ``(values, indices)``; which of several equal elements are chosen is not specified.

    Raises:
        ValueError: when the dimension has fewer than ``k`` elements.

    Example:
        >>> cr.topk(cr.tensor([3, 9, 1, 7]), 2).values
        tensor([9, 7])
    """
    import numpy as np

    dim = dimension("topk", input, dim)
    lanes = _lanes(input, dim)
    n = lanes.shape[-1]
    if not 0 <= k <= n:
        raise ValueError(
            f"topk: k is out of range (got k={k} for shape {input.shape}, dim {dim}); "
            f"expected 0 to {n}"
        )
    if sorted and n <= _SHORT:
        return _pick(input, dim, _order(lanes, largest)[..., :k])
    places = np.broadcast_to(np.arange(n), lanes.shape)
    if 0 < k < n:
        part = np.argpartition(lanes, n - k if largest else k - 1, axis=-1)
        places = np.sort(part[..., n - k :] if largest else part[..., :k], axis=-1)
    places = places[..., :k]
    if sorted:
        chosen = np.take_along_axis(lanes, places, -1)
        places = np.take_along_axis(places, _order(chosen, largest), -1)
    return _pick(input, dim, places)


# ---------------------------------------------------------------- ranks


def _median(name: str, input: Tensor, dim: int | None, keepdim: bool, nan_wins: bool) -> Any:
    """The lower median of each lane, or of all elements."""
    import numpy as np

    if dim is None:
        found = _median(name, input.reshape(-1), 0, False, nan_wins).values
        return found.reshape((1,) * input.dim()) if keepdim else found
    dim = dimension(name, input, dim)
    lanes = _lanes(input, dim)
    n = lanes.shape[-1]
    if n == 0:
        raise ValueError(f"{name}: no elements along dimension {dim} (got shape {input.shape})")
    missing = _nan_mask(lanes).sum(-1, keepdims=True)
    if not missing.any():
        middle = (n - 1) // 2
        places = np.argpartition(lanes, middle, axis=-1)[..., middle : middle + 1]
        return _pick(input, dim, places, keepdim)
    rank = np.maximum(n - missing - 1, 0) // 2  # NaN is last, so rank counts numbers only
    if nan_wins:
        rank = np.where(missing > 0, n - 1, rank)
    return _pick(input, dim, np.take_along_axis(_order(lanes, False), rank, -1), keepdim)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The ``k``-th smallest element along a dimension, counted from 1.

    Raises:
        ValueError: when the dimension has fewer than ``k`` elements.

    Example:
        >>> cr.kthvalue(cr.tensor([30, 10, 20]), 2).values
        tensor(20)
    """
    import numpy as np

    dim = dimension("kthvalue", input, dim)
    lanes = _lanes(input, dim)
    if not 1 <= k <= lanes.shape[-1]:
        raise ValueError(
            f"kthvalue: k is out of range (got k={k} for shape {input.shape}, dim {dim}); "
            f"expected 1 to {lanes.shape[-1]}"
        )
    places = np.argpartition(lanes, k - 1, axis=-1)[..., k - 1 : k]
    return _pick(input, dim, places, keepdim)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle elements; NaN when there is a NaN.

    Args:
        input: tensor of any shape and dtype.
        dim: the dimension to look along; None looks at all elements.
        keepdim: whether the dimension stays, with size 1.

    Returns:
        A 0-d tensor, or with ``dim`` ``(values, indices)``.

    Raises:
        ValueError: when there are no elements.

    Example:
        >>> cr.median(cr.tensor([4.0, 1.0, 3.0, 2.0]))
        tensor(2.)
        >>> cr.median(cr.tensor([[4, 1, 3]]), 1).indices
        tensor([2])
    """
    return _median("median", input, dim, keepdim, nan_wins=True)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle elements that are numbers; see :func:`median`.

    Example:
        >>> cr.nanmedian(cr.tensor([4.0, float("nan"), 3.0]))
        tensor(3.)
    """
    return _median("nanmedian", input, dim, keepdim, nan_wins=False)


_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str
) -> Tensor:
    import numpy as np

    if not input.is_floating_point():
        raise TypeError(f"{name}: needs a floating-point tensor (got {input.dtype.name})")
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(
            f"{name}: unknown interpolation (got {interpolation!r}); expected one of "
            + ", ".join(_INTERPOLATIONS)
        )
    wanted = np.asarray(view_of(q) if isinstance(q, Tensor) else q, dtype=np.float64)
    if wanted.ndim > 1:
        raise ValueError(f"{name}: q must be a number or a vector (got shape {wanted.shape})")
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ValueError(f"{name}: q must lie between 0 and 1 (got {wanted.tolist()})")
    if dim is None:
        kept = [1] * input.ndim
        input, dim = input.reshape(-1), 0
    else:
        dim = dimension(name, input, dim)
        kept = [1 if d == dim else size for d, size in enumerate(input.shape)]
        input = input.reshape(1) if input.ndim == 0 else input
    lanes = _lanes(input, dim)
    n = lanes.shape[-1]
    if n == 0:
        raise ValueError(f"{name}: no elements along dimension {dim} (got shape {input.shape})")
    missing = _nan_mask(lanes).sum(-1, keepdims=True)
    if name == "nanquantile":
        rank = wanted.reshape(-1) * np.maximum(n - missing - 1, 0)
    else:
        rank = np.where(missing > 0, n - 1, wanted.reshape(-1) * (n - 1))
    if interpolation == "nearest":
        rank = np.rint(rank)
    below, above = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
    order = _order(lanes, False)

    def pick(ranks: Any) -> Tensor:
        return _pick(input, dim, np.take_along_axis(order, ranks, -1)).values

    if interpolation in ("linear", "midpoint"):
        fraction = rank - below if interpolation == "linear" else np.where(rank > below, 0.5, 0.0)
        weight = tensor_of(np.moveaxis(fraction, -1, dim)).to(input.dtype)
        if isinstance(q, Tensor) and q.requires_grad and interpolation == "linear":
            last = (
                np.maximum(n - missing - 1, 0)
                if name == "nanquantile"
                else (n - 1.0) * (missing == 0)
            )
            slope = tensor_of(np.moveaxis(np.asarray(last, np.float64), -1, dim)).to(input.dtype)
            along = [-1 if d == dim else 1 for d in range(input.ndim)]
            weight = weight + slope * (q - q.detach()).reshape(along)  # 0, with the gradient of q
        low, high = pick(below), pick(above)
        result = _core.where(weight == 0, low, low.lerp(high, weight))  # 0 * inf is not 0
    else:
        result = pick(above if interpolation == "higher" else below)
    result = result.movedim(dim, 0)  # the quantiles come first
    if keepdim:
        result = result.reshape(wanted.size, *kept)
    return result.squeeze(0) if wanted.ndim == 0 else result


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """Quantiles along a dimension: the values at rank ``q * (n - 1)`` of the sorted elements.

    Args:
        input: floating-point tensor; a NaN makes its whole lane NaN.
        q: number between 0 and 1, or a vector of them.
        dim: the dimension to look along; None looks at all elements.
        keepdim: whether the dimension stays, with size 1.
        interpolation: what stands between two ranks: "linear", "lower", "higher", "midpoint" or
            "nearest".

    Returns:
        The quantiles, for a vector ``q`` with a first dimension of its length.

    Raises:
        ValueError: for a ``q`` outside [0, 1] and when there are no elements.

    Example:
        >>> cr.quantile(cr.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
        tensor(1.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """Quantiles of the elements that are numbers; see :func:`quantile`.

    Example:
        >>> cr.nanquantile(cr.tensor([0.0, float("nan"), 2.0]), 0.5)
        tensor(1.)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent element along a dimension, of equally frequent ones the smallest.

    Returns:
        ``(values, indices)``; the index is that of the element's last occurrence.

    Raises:
        ValueError: when there are no elements along the dimension.

    Example:
        >>> cr.mode(cr.tensor([2, 1, 2, 1, 3]))
        ValuesIndices(values=tensor(1), indices=tensor(3))
    """
    import numpy as np

    dim = dimension("mode", input, dim)
    lanes = _lanes(input, dim)
    n = lanes.shape[-1]
    if n == 0:
        raise ValueError(f"mode: no elements along dimension {dim} (got shape {input.shape})")
    order = _order(lanes, False)
    ordered = np.take_along_axis(lanes, order, -1)
    starts = np.zeros(lanes.shape, dtype=np.int64)
    starts[..., 1:] = np.where(ordered[..., 1:] != ordered[..., :-1], np.arange(1, n), 0)
    length = np.arange(n) - np.maximum.accumulate(starts, axis=-1)  # of the run up to here, less 1
    end = np.argmax(length, axis=-1)[..., None]
    return _pick(input, dim, np.take_along_axis(order, end, -1), keepdim)


# ---------------------------------------------------------------- distinct values


def _answer(dtype: _core.dtype, output: Any, inverse: Any | None, counts: Any | None) -> Any:
    """The distinct values alone, or with what else was asked for."""
    extras = [tensor_of(a) for a in (inverse, counts) if a is not None]
    values = tensor_of(output).to(dtype)
    return (values, *extras) if extras else values


def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The distinct elements, or the distinct slices along a dimension, in order (no gradient).

    Args:
        input: tensor of any shape and dtype; every NaN is distinct.
        sorted: accepted; the result is always sorted.
        return_inverse: also where each element went: ``output[inverse]`` is the input.
        return_counts: also how often each occurs.
        dim: the dimension whose slices are compared; None compares elements.

    Returns:
        The distinct values, or a tuple with the inverse and the counts that were asked for.

    Raises:
        IndexError: when there is no such dimension.

    Example:
        >>> cr.unique(cr.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    import numpy as np

    array = view_of(input)
    if dim is not None:
        dim = dimension("unique", input, dim)
        array = np.atleast_1d(array)
    output, inverse, counts = np.unique(
        array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False
    )
    inverse = inverse.reshape(input.shape if dim is None else -1)
    extras = (inverse if return_inverse else None, counts if return_counts else None)
    return _answer(input.dtype, output, *extras)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """One element, or slice along a dimension, for each run of equal ones (no gradient).

    Args:
        input: tensor of any shape and dtype.
        return_inverse: also the run that each element belongs to.
        return_counts: also the lengths of the runs.
        dim: the dimension whose slices are compared; None compares elements.

    Returns:
        The values, or a tuple with the inverse and the counts that were asked for.

    Raises:
        IndexError: when there is no such dimension.

    Example:
        >>> cr.unique_consecutive(cr.tensor([1, 1, 2, 1]), return_counts=True)
        (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    import numpy as np

    if dim is None:
        rows = view_of(input).reshape(-1)
        axis = 0
    else:
        axis = dimension("unique_consecutive", input, dim)
        rows = np.moveaxis(np.atleast_1d(view_of(input)), axis, 0)
    n = rows.shape[0]
    first = np.ones(n, dtype=bool)
    differs = rows[1:] != rows[:-1]
    first[1:] = differs.reshape(max(n - 1, 0), -1).any(-1) if differs.size else False
    starts = np.flatnonzero(first)
    output = np.moveaxis(rows[first], 0, axis)
    inverse = (np.cumsum(first) - 1).reshape(input.shape if dim is None else -1)
    counts = np.diff(starts, append=n)
    extras = (inverse if return_inverse else None, counts if return_counts else None)
    return _answer(input.dtype, output, *extras)


# ---------------------------------------------------------------- places in a sorted sequence


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where elements would have to be inserted to keep a sequence sorted.

    Args:
        sorted_sequence: vector, or ``(*, n)`` with rows sorted in ascending order.
        input: number or tensor; for rows of sequences ``(*, m)`` with the same leading sizes.
        out_int32: int32 indices instead of int64.
        right: behind equal elements instead of before them.
        side: "left" or "right", the same in words.
        sorter: indices that sort the sequence, when it is not sorted.

    Returns:
        Indices with the shape of ``input``.

    Raises:
        ValueError: when the leading sizes differ or ``side`` contradicts ``right``.

    Example:
        >>> cr.searchsorted(cr.tensor([1, 3, 5]), cr.tensor([3, 6]))
        tensor([1, 3])
    """
    import numpy as np

    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right' (got {side!r})")
    if side == "left" and right:
        raise ValueError("searchsorted: side is 'left' but right is True")
    where: Any = "right" if right or side == "right" else "left"
    sequence = view_of(sorted_sequence)
    wanted = view_of(input) if isinstance(input, Tensor) else np.asarray(input)
    if sequence.ndim == 0 or (sequence.ndim > 1 and sequence.shape[:-1] != wanted.shape[:-1]):
        raise ValueError(
            "searchsorted: expected a vector, or sequences and input with the same sizes before "
            f"the last (got {sorted_sequence.shape} and {wanted.shape})"
        )
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise ValueError(
                f"searchsorted: sorter has shape {sorter.shape}; "
                f"expected {sorted_sequence.shape}, that of the sequence"
            )
        sequence = np.take_along_axis(sequence, view_of(sorter), -1)
    if sequence.ndim == 1:
        found = np.searchsorted(sequence, wanted, where)
    else:
        found = np.empty(wanted.shape, dtype=np.int64)
        for row in np.ndindex(sequence.shape[:-1]):
            found[row] = np.searchsorted(sequence[row], wanted[row], where)
    return tensor_of(np.asarray(found, dtype=np.int32 if out_int32 else np.int64))


def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The number of the interval between boundaries that each element falls into.

    Args:
        input: number or tensor of any shape.
        boundaries: vector in ascending order.
        out_int32: int32 indices instead of int64.
        right: whether intervals are closed on the left instead of on the right.

    Raises:
        ValueError: when ``boundaries`` is no vector.

    Example:
        >>> cr.bucketize(cr.tensor([0.5, 1.0, 9.0]), cr.tensor([1.0, 2.0]))
        tensor([0, 0, 2])
    """
    if boundaries.ndim != 1:
        raise ValueError(f"bucketize: boundaries must be a vector (got shape {boundaries.shape})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among the test elements.

    Args:
        elements: tensor or number.
        test_elements: tensor or number.
        assume_unique: whether both have no duplicates, which is then faster.
        invert: whether each is *not* among them.

    Example:
        >>> cr.isin(cr.tensor([1, 2, 3]), cr.tensor([2, 5]))
        tensor([False,  True, False])
    """
    import numpy as np

    a, b = (view_of(x) if isinstance(x, Tensor) else x for x in (elements, test_elements))
    return tensor_of(np.isin(a, b, assume_unique=assume_unique, invert=invert))


# ---------------------------------------------------------------- counting


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number 0, 1, 2, ... occurs, or the sum of the weights at its places.

    Args:
        input: vector of integers that are not negative.
        weights: vector of the same length, which may require a gradient.
        minlength: the least number of bins.

    Returns:
        int64 counts; with weights their sums, float32 for float32 and float64 otherwise.

    Raises:
        ValueError: for negative numbers and shapes that do not match.
        TypeError: for an input that is not of integers.

    Example:
        >>> cr.bincount(cr.tensor([1, 1, 3]))
        tensor([0, 2, 0, 1])
    """
    import numpy as np

    if input.is_floating_point() or input.dtype is _core.bool:
        raise TypeError(f"bincount: expected integers (got {input.dtype.name})")
    if input.ndim != 1:
        raise ValueError(f"bincount: expected a vector (got shape {input.shape})")
    if minlength < 0:
        raise ValueError(f"bincount: minlength must not be negative (got {minlength})")
    array = view_of(input.to(_core.int64))
    if array.size and array.min() < 0:
        raise ValueError(f"bincount: numbers must not be negative (got {array.min()})")
    if weights is None:
        return tensor_of(np.bincount(array, minlength=minlength))
    if weights.shape != input.shape:
        raise ValueError(
            f"bincount: weights and input differ in shape (got {weights.shape} and {input.shape})"
        )
    dtype = weights.dtype if weights.is_floating_point() else _core.float64
    length = max(minlength, int(array.max()) + 1 if array.size else 0)
    return _core.zeros(length, dtype=dtype).scatter_add(0, input.to(_core.int64), weights.to(dtype))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Histogram over equal bins; elements outside the range are left out (no gradient).

    Args:
        input: floating-point tensor.
        bins: number of bins.
        min: lower end of the range.
        max: upper end; when both are equal, the range of the elements is taken.

    Raises:
        ValueError: for a range that is turned around or not finite, and fewer than one bin.
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.histc(cr.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
        tensor([0., 2., 1., 0.])
    """
    import numpy as np

    if not input.is_floating_point():
        raise TypeError(f"histc: needs a floating-point tensor (got {input.dtype.name})")
    if bins < 1:
        raise ValueError(f"histc: bins must be 1 or more (got {bins})")
    array = view_of(input).reshape(-1)
    low, high = float(min), float(max)
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"histc: the range must be finite and ascending (got {low} to {high})")
    counts, _ = np.histogram(array, bins=bins, range=(low, high))
    return tensor_of(counts).to(input.dtype)


# ---------------------------------------------------------------- running extremes


def _running(name: str, input: Tensor, dim: int) -> ValuesIndices:
    import numpy as np

    dim = dimension(name, input, dim)
    if input.ndim and input.dtype in (_core.float32, _core.float64, _core.int64):
        return ValuesIndices(*_core._running_extreme(input, dim, name == "cummin"))
    lanes = _lanes(input, dim)
    running = (np.maximum if name == "cummax" else np.minimum).accumulate(lanes, axis=-1)
    reached = (lanes == running) | _nan_mask(lanes)
    places = np.where(reached, np.arange(lanes.shape[-1]), 0)
    return _pick(input, dim, np.maximum.accumulate(places, axis=-1))


def cummax(input: Tensor, dim: int) -> ValuesIndices:
    """The largest element so far along a dimension, and where it was last seen.

    Returns:
        ``(values, indices)`` with the shape of the input; a NaN stays from where it occurs.

    Raises:
        IndexError: when there is no such dimension.

    Example:
        >>> cr.cummax(cr.tensor([1, 3, 2, 5]), 0).values
        tensor([1, 3, 3, 5])
    """
    return _running("cummax", input, dim)


def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """The smallest element so far along a dimension, and where it was last seen.

    Returns:
        ``(values, indices)`` with the shape of the input; a NaN stays from where it occurs.

    Raises:
        IndexError: when there is no such dimension.

    Example:
        >>> cr.cummin(cr.tensor([3, 4, 1, 2]), 0).indices
        tensor([0, 0, 2, 2])
    """
    return _running("cummin", input, dim)
