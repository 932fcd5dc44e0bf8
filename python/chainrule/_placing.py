"""Elements by position: taking, putting, scattering, repeating; joining and cutting of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import _core, _functions
from ._arrays import dimension, in_place, tensor_of, view_of
from ._core import Tensor
from ._devices import check_device
from ._sorting import unique

__all__ = [
    "atleast_2d", "atleast_3d", "column_stack", "diag_embed", "dsplit", "dstack", "fliplr",
    "flipud", "hsplit", "index_copy", "index_fill", "put", "repeat_interleave", "rot90",
    "scatter_reduce", "take", "take_along_dim", "tril_indices", "triu_indices", "vsplit",
]  # fmt: skip

METHODS = (
    "diag_embed", "dsplit", "fliplr", "flipud", "hsplit", "index_copy", "index_copy_", "index_fill",
    "index_fill_", "put", "put_", "repeat_interleave", "rot90", "scatter_reduce",
    "scatter_reduce_", "take", "take_along_dim", "tril_", "triu_", "vsplit",
)  # fmt: skip

# ---------------------------------------------------------------- taking and putting


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements at positions of the flattened tensor.

    Args:
        input: tensor of any shape.
        index: int64 tensor; negative positions count from the end.

    Returns:
        Tensor with the shape of ``index``.

    Raises:
        IndexError: for positions outside the tensor.

    Example:
        >>> cr.take(cr.tensor([[4, 3], [2, 1]]), cr.tensor([0, -1]))
        tensor([4, 1])
    """
    result: Tensor = _core.index(input.reshape(-1), [index])
    return result


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """Elements at indices along a dimension, as ``argsort`` and ``argmax`` give them.

    Args:
        input: tensor of any shape.
        indices: int64 tensor that broadcasts with it in the other dimensions; negative ones
            count from the end.
        dim: the dimension the indices are for; None takes from the flattened tensor.

    Raises:
        ValueError: when the ranks differ.

    Example:
        >>> x = cr.tensor([[3, 1, 2]])
        >>> cr.take_along_dim(x, x.argsort(1), 1)
        tensor([[1, 2, 3]])
    """
    if dim is None:
        return input.reshape(-1).gather(0, indices.reshape(-1))
    if input.ndim != indices.ndim:
        raise ValueError(
            "take_along_dim: input and indices must have the same number of dimensions "
            f"(got shapes {input.shape} and {indices.shape})"
        )
    dim = dimension("take_along_dim", input, dim)
    if input.ndim == 0:
        return input.gather(0, indices)
    sizes = [(*t.shape[:dim], 1, *t.shape[dim + 1 :]) for t in (input, indices)]
    common = _functions.broadcast_shapes(*sizes)

    indices = _core.where(indices < 0, indices + input.shape[dim], indices)

    def spread(t: Tensor) -> Tensor:
        return t.expand(*common[:dim], t.shape[dim], *common[dim + 1 :])

    return spread(input).gather(dim, spread(indices))


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Replace elements at positions of the flattened tensor.

    Args:
        input: tensor of any shape.
        index: int64 tensor; negative positions count from the end.
        source: tensor with as many elements as ``index`` and the dtype of ``input``.
        accumulate: whether to add instead; repeated positions then all count.

    Raises:
        ValueError: when the numbers of elements differ.

    Example:
        >>> cr.put(cr.zeros(2, 2), cr.tensor([1, 2]), cr.tensor([5.0, 6.0]))
        tensor([[0., 5.],
                [6., 0.]])
    """
    if index.numel() != source.numel():
        raise ValueError(
            "put: index and source must have as many elements as each other "
            f"(got shapes {index.shape} and {source.shape})"
        )
    flat = input.reshape(-1).index_put([index.reshape(-1)], source.reshape(-1), accumulate)
    return flat.reshape(input.shape)


def _at(dim: int, index: Tensor) -> list[Tensor | None]:
    """An index for one dimension, with the ones before it left alone."""
    return [*[None] * dim, index.reshape(-1)]


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Replace slices along a dimension by those of another tensor.

    Args:
        input: tensor of any shape.
        dim: the dimension of the slices.
        index: int64 vector of the places.
        source: one slice for each place, with the dtype of ``input``.

    Raises:
        ValueError: when the shape of ``source`` does not fit.

    Example:
        >>> cr.index_copy(cr.zeros(3), 0, cr.tensor([2, 0]), cr.tensor([5.0, 6.0]))
        tensor([6., 0., 5.])
    """
    dim = dimension("index_copy", input, dim)
    if input.ndim == 0:
        return index_copy(input.reshape(1), 0, index, source.reshape(1)).reshape(())
    expected = (*input.shape[:dim], index.numel(), *input.shape[dim + 1 :])
    if source.shape != expected or index.ndim > 1:
        raise ValueError(
            f"index_copy: index has shape {index.shape} and source {source.shape} for an input of "
            f"shape {input.shape}, dim {dim}; expected a vector and {expected}"
        )
    return input.index_put(_at(dim, index), source)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Fill slices along a dimension with a number.

    Args:
        input: tensor of any shape.
        dim: the dimension of the slices.
        index: int64 vector of the places.
        value: number or 0-d tensor.

    Raises:
        ValueError: when ``value`` is a tensor with dimensions.

    Example:
        >>> cr.index_fill(cr.zeros(3), 0, cr.tensor([0, 2]), 7.0)
        tensor([7., 0., 7.])
    """
    dim = dimension("index_fill", input, dim)
    if isinstance(value, Tensor) and value.ndim > 0:
        raise ValueError(f"index_fill: value must be a number (got shape {value.shape})")
    fill = value if isinstance(value, Tensor) else _functions.tensor(value, dtype=input.dtype)
    if fill.requires_grad:
        index = unique(index)  # a repeated place takes the value once
    if input.ndim == 0:
        return index_fill(input.reshape(1), 0, index, fill).reshape(())
    return input.index_put(_at(dim, index), fill.to(input.dtype))


# ---------------------------------------------------------------- scattering with a reduction

_COMBINE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "prod": lambda a, b: a * b,
    "amax": _core.maximum,
    "amin": _core.minimum,
}


def _combine_groups(
    values: Tensor, groups: Any, combine: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Any]:
    """One value for each group, by combining neighbours in rounds that halve the groups.

    Args:
        values: vector.
        groups: the group of each value, an array.
        combine: function of two tensors, element by element.
    """
    import numpy as np

    order = np.argsort(groups, kind="stable")
    values, groups = values.index_select(0, tensor_of(order)), groups[order]
    while (groups[1:] == groups[:-1]).any():
        start = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
        rank = np.arange(groups.size) - np.repeat(start, np.diff(start, append=groups.size))
        first = np.flatnonzero(rank % 2 == 0)
        paired = np.append(rank[1:] % 2 == 1, False)[first]
        left = values.index_select(0, tensor_of(first[paired]))
        right = values.index_select(0, tensor_of(first[paired] + 1))
        rest = values.index_select(0, tensor_of(first[~paired]))
        at = np.argsort(np.concatenate([first[paired], first[~paired]]), kind="stable")
        values = _core.cat([combine(left, right), rest], 0).index_select(0, tensor_of(at))
        groups = groups[first]
    return values, groups


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Combine elements of ``src`` at places given by ``index``.

    As with ``scatter_add``, for three dimensions and dim 0: ``src[i, j, k]`` goes to
    ``output[index[i, j, k], j, k]``.

    Args:
        input: tensor the results are written over.
        dim: the dimension the index is for.
        index: int64 tensor, in no dimension larger than ``src``.
        src: tensor of the dtype of ``input``.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether the element of ``input`` counts too.

    Returns:
        Tensor with the shape of ``input``; elements that nothing goes to stay. Equal extremes
        share the gradient.

    Raises:
        ValueError: for another ``reduce`` and shapes that do not fit.
        IndexError: for places outside the input.

    Example:
        >>> x, at = cr.tensor([1.0, 2.0, 3.0]), cr.tensor([0, 0, 1])
        >>> cr.scatter_reduce(cr.zeros(2), 0, at, x, "amax")
        tensor([2., 3.])
    """
    import numpy as np

    if reduce not in ("sum", "mean", *_COMBINE):
        raise ValueError(
            f"scatter_reduce: unknown reduce (got {reduce!r}); expected sum, prod, mean, amax, amin"
        )
    dim = dimension("scatter_reduce", input, dim)
    if input.dtype is not src.dtype:
        raise TypeError(
            f"scatter_reduce: input and src differ in dtype (got {input.dtype.name} and "
            f"{src.dtype.name}); use .to(dtype)"
        )
    ones = _core.ones_like(src, dtype=_core.int64)
    counts = _core.zeros_like(input, dtype=_core.int64).scatter_add(dim, index, ones)
    untouched = counts == 0
    if reduce in ("sum", "mean"):
        start = input if include_self else _core.where(untouched, input, 0)
        total = start.scatter_add(dim, index, src)
        if reduce == "sum":
            return total
        divisor = counts + 1 if include_self else counts.clamp(min=1)
        whole = not input.is_floating_point()
        return total.floor_divide(divisor).to(input.dtype) if whole else total / divisor
    if index.numel() == 0:
        return input.clone()
    places = np.indices(index.shape)
    sources = np.ravel_multi_index(tuple(places), src.shape) if index.ndim else np.zeros((), int)
    if index.ndim:
        places[dim] = view_of(index)
        targets = np.ravel_multi_index(tuple(places), input.shape)
    else:
        targets = np.zeros((), int)
    values = src.reshape(-1).index_select(0, tensor_of(sources.reshape(-1)))
    values, groups = _combine_groups(values, targets.reshape(-1), _COMBINE[reduce])
    flat, at = input.reshape(-1), tensor_of(groups)
    if include_self:
        values = _COMBINE[reduce](flat.index_select(0, at), values)
    return flat.index_put([at], values).reshape(input.shape)


# ---------------------------------------------------------------- diagonals and triangles


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension on a diagonal, and 0 elsewhere.

    Args:
        input: tensor ``(*, n)``.
        offset: which diagonal: above the main one if positive, below if negative.
        dim1: the first dimension of the matrices in the result.
        dim2: the second one.

    Raises:
        ValueError: when both dimensions are the same.

    Example:
        >>> cr.diag_embed(cr.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    rank = input.ndim + 1
    for d in (dim1, dim2):
        if input.ndim == 0 or not -rank <= d < rank:
            raise IndexError(
                f"diag_embed: dimension out of range (got {d} for shape {input.shape}); "
                f"expected {-rank} to {rank - 1} of the result"
            )
    first, second = dim1 % rank, dim2 % rank
    if first == second:
        raise ValueError(f"diag_embed: dimensions must differ (got {dim1} and {dim2})")
    n = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    shape = [n if d in (first, second) else next(rest) for d in range(rank)]
    result: Tensor = _core._diagonal_grad(input, shape, offset, first, second)
    return result


def _triangle_indices(name: str, row: int, col: int, offset: int, dtype: Any) -> Tensor:
    import numpy as np

    if row < 0 or col < 0:
        raise ValueError(f"{name}: sizes must not be negative (got {row} and {col})")
    find = np.tril_indices if name == "tril_indices" else np.triu_indices
    indices = tensor_of(np.stack(find(row, offset, col)).astype(np.int64))
    return indices if dtype is None else indices.to(dtype)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Row and column numbers of the lower triangle of a matrix, as two rows.

    Args:
        row: number of rows.
        col: number of columns.
        offset: the last diagonal that belongs to it.
        dtype: int64 by default.
        device: "cpu" or None.

    Raises:
        ValueError: for negative sizes.

    Example:
        >>> cr.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    check_device(device)
    return _triangle_indices("tril_indices", row, col, offset, dtype)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Row and column numbers of the upper triangle of a matrix; see :func:`tril_indices`.

    Example:
        >>> cr.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    check_device(device)
    return _triangle_indices("triu_indices", row, col, offset, dtype)


# ---------------------------------------------------------------- turning and repeating


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turn by 90 degrees in the plane of two dimensions.

    Args:
        input: tensor of at least two dimensions.
        k: how often, from the first dimension towards the second.
        dims: the two dimensions.

    Raises:
        ValueError: when these are not two different dimensions.

    Example:
        >>> cr.rot90(cr.tensor([[1, 2], [3, 4]]))
        tensor([[2, 4],
                [1, 3]])
    """
    if len(dims) != 2:
        raise ValueError(f"rot90: expected two dimensions (got {tuple(dims)})")
    first, second = (dimension("rot90", input, d) for d in dims)
    if first == second:
        raise ValueError(
            f"rot90: dimensions must differ (got {tuple(dims)} for shape {input.shape})"
        )
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return input.flip([first, second])
    return input.flip(second if turns == 1 else first).transpose(first, second)


def flipud(input: Tensor) -> Tensor:
    """Turn the order of the first dimension round.

    Raises:
        ValueError: for a 0-d tensor.

    Example:
        >>> cr.flipud(cr.tensor([[1, 2], [3, 4]]))
        tensor([[3, 4],
                [1, 2]])
    """
    if input.ndim < 1:
        raise ValueError("flipud: needs at least 1 dimension (got shape ())")
    return input.flip(0)


def fliplr(input: Tensor) -> Tensor:
    """Turn the order of the second dimension round.

    Raises:
        ValueError: for fewer than two dimensions.

    Example:
        >>> cr.fliplr(cr.tensor([[1, 2], [3, 4]]))
        tensor([[2, 1],
                [4, 3]])
    """
    if input.ndim < 2:
        raise ValueError(f"fliplr: needs at least 2 dimensions (got shape {input.shape})")
    return input.flip(1)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each element in place.

    Args:
        input: tensor of any shape; alone, it says how often to repeat each number 0, 1, 2, ...
        repeats: how often: a number, or a vector with one number for each place.
        dim: the dimension whose slices are repeated; None repeats elements.
        output_size: the resulting size of the dimension, which is checked.

    Raises:
        ValueError: for negative repeats and a vector of another length.

    Example:
        >>> cr.repeat_interleave(cr.tensor([7, 8]), 2)
        tensor([7, 7, 8, 8])
        >>> cr.repeat_interleave(cr.tensor([7, 8]), cr.tensor([1, 3]))
        tensor([7, 8, 8, 8])
    """
    import numpy as np

    if repeats is None:
        input, repeats = _core._arange(0, 1, input.numel(), _core.int64), input
    if dim is None:
        input, dim = input.reshape(-1), 0
    dim = dimension("repeat_interleave", input, dim)
    if input.ndim == 0:
        input = input.reshape(1)
    n = input.shape[dim]
    counts = np.asarray(view_of(repeats) if isinstance(repeats, Tensor) else repeats)
    if counts.ndim > 1 or counts.size not in (1, n) or counts.dtype.kind not in "iu":
        raise ValueError(
            "repeat_interleave: repeats must be an integer or a vector of them, one for each place "
            f"(got shape {counts.shape} for {n} places)"
        )
    if (counts < 0).any():
        raise ValueError(f"repeat_interleave: repeats must not be negative (got {counts.min()})")
    places = np.repeat(np.arange(n), counts)
    if output_size not in (None, places.size):
        raise ValueError(
            f"repeat_interleave: output_size is {output_size}, but repeats add up to {places.size}"
        )
    return input.index_select(dim, tensor_of(places))


# ---------------------------------------------------------------- joining and cutting


def atleast_2d(*tensors: Any) -> Any:
    """The tensor, with dimensions of size 1 put in front until there are two.

    Args:
        tensors: one tensor, or several, for which a tuple is returned.

    Example:
        >>> cr.atleast_2d(cr.tensor([1, 2])).shape
        (1, 2)
    """
    return _functions.each(lambda t: t.reshape(1, -1) if t.ndim < 2 else t, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """The tensor, with dimensions of size 1 added until there are three.

    A vector becomes ``(1, n, 1)``, a matrix ``(m, n, 1)``.

    Args:
        tensors: one tensor, or several, for which a tuple is returned.

    Example:
        >>> cr.atleast_3d(cr.tensor([1, 2])).shape
        (1, 2, 1)
    """

    def grow(t: Tensor) -> Tensor:
        if t.ndim >= 3:
            return t
        return t.unsqueeze(-1) if t.ndim == 2 else t.reshape(1, -1, 1)

    return _functions.each(grow, tensors)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension, vectors as columns.

    Example:
        >>> cr.column_stack([cr.tensor([1, 2]), cr.tensor([3, 4])])
        tensor([[1, 3],
                [2, 4]])
    """
    result: Tensor = _core.cat([t.reshape(-1, 1) if t.ndim < 2 else t for t in tensors], 1)
    return result


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the third dimension; see :func:`atleast_3d` for what has fewer.

    Example:
        >>> cr.dstack([cr.tensor([1, 2]), cr.tensor([3, 4])]).shape
        (1, 2, 2)
    """
    result: Tensor = _core.cat([atleast_3d(t) for t in tensors], 2)
    return result


def _cut(name: str, input: Tensor, where: Any, dim: int) -> tuple[Tensor, ...]:
    if input.ndim <= dim:
        raise ValueError(f"{name}: needs at least {dim + 1} dimensions (got shape {input.shape})")
    if isinstance(where, int) and (where < 1 or input.shape[dim] % where):
        raise ValueError(
            f"{name}: cannot cut dimension {dim} of shape {input.shape} into {where} equal parts"
        )
    return _functions.tensor_split(input, where, dim)


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along the first dimension into equal parts, or at indices (views).

    Raises:
        ValueError: when the parts would not be equal, or for fewer than two dimensions.

    Example:
        >>> [part.shape for part in cr.vsplit(cr.zeros(4, 2), 2)]
        [(2, 2), (2, 2)]
    """
    if input.ndim < 2:
        raise ValueError(f"vsplit: needs at least 2 dimensions (got shape {input.shape})")
    return _cut("vsplit", input, indices_or_sections, 0)


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along the second dimension (vectors: the first) into equal parts, or at indices (views).

    Raises:
        ValueError: when the parts would not be equal, or for a 0-d tensor.

    Example:
        >>> [part.shape for part in cr.hsplit(cr.zeros(2, 4), [1])]
        [(2, 1), (2, 3)]
    """
    return _cut("hsplit", input, indices_or_sections, 0 if input.ndim < 2 else 1)


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along the third dimension into equal parts, or at indices (views).

    Raises:
        ValueError: when the parts would not be equal, or for fewer than three dimensions.

    Example:
        >>> [part.shape for part in cr.dsplit(cr.zeros(1, 2, 4), 2)]
        [(1, 2, 2), (1, 2, 2)]
    """
    return _cut("dsplit", input, indices_or_sections, 2)


put_, index_copy_, index_fill_ = in_place(put), in_place(index_copy), in_place(index_fill)
scatter_reduce_ = in_place(scatter_reduce)
tril_, triu_ = in_place(_functions.tril), in_place(_functions.triu)
