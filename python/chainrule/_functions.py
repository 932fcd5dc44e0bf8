"""Top-level functions that are not one op row each: creation, overloads, lists of views."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import _core, _exchange
from ._core import Tensor, dtype
from ._devices import check_device

__all__ = [
    "allclose", "arange", "argwhere", "as_tensor", "asarray", "atleast_1d", "broadcast_shapes",
    "broadcast_tensors", "broadcast_to", "chunk", "concat", "concatenate", "diag", "equal",
    "eye", "hstack", "is_tensor", "isclose",
    "linspace", "max", "meshgrid", "min", "movedim", "numel", "result_type", "roll",
    "split", "swapaxes", "tensor", "tensor_split", "tile", "tril", "triu",
    "unbind",
    "unflatten", "vstack", "where",
]  # fmt: skip

# ---------------------------------------------------------------- creation


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor by copying numbers, nested sequences, NumPy arrays or tensors.

    Args:
        data: a number, nested lists or tuples of numbers, anything with ``__array__``, a Tensor.
        dtype: element type; default: bool, int64 or the default float for Python numbers, the
            array's own for arrays.
        device: "cpu" or None.
        requires_grad: whether gradients are wanted.

    Raises:
        ValueError: for ragged sequences.
        TypeError: for elements that are no numbers and dtypes chainrule does not have.

    Example:
        >>> cr.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    check_device(device)
    if isinstance(data, Tensor):
        result = data.detach().clone()
    elif isinstance(data, (bool, int, float, list, tuple)) and not _holds_arrays(data):
        result = _core._from_nested(data, dtype)
    elif (copy := _core._copy_of_array(data)) is not None:
        result = copy
    elif isinstance(data, (str, bytes)) or data is None:
        raise TypeError(f"tensor: cannot make a tensor from {type(data).__name__}")
    elif hasattr(data, "__dlpack__") and not hasattr(data, "__array_interface__"):
        result = _exchange.from_dlpack(data).clone()
    else:
        import numpy as np

        # A copy, which the tensor then owns. Not np.array(data): __array__ of other libraries does
        # not always know `copy`.
        array = np.array(np.asarray(data))
        if array.dtype == object:
            raise TypeError(
                f"tensor: cannot make a tensor from {type(data).__name__}; expected numbers"
            )
        result = _core.from_numpy(array)
    if dtype is not None:
        result = _core.to(result, dtype)
    return result.requires_grad_() if requires_grad else result


def _holds_arrays(data: Any) -> bool:
    """Whether a nested sequence's first leaf is an array rather than a number."""
    while isinstance(data, (list, tuple)):
        if not data:
            return False
        data = data[0]
    return not isinstance(data, (bool, int, float)) and not (
        isinstance(data, Tensor) and data.numel() == 1
    )


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Like :func:`tensor`, but without a copy where the memory can be shared.

    Example:
        >>> x = cr.ones(2)
        >>> cr.as_tensor(x) is x
        True
    """
    if isinstance(data, Tensor) and dtype is None and device is None:
        return data
    return asarray(data, dtype=dtype, device=device)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Convert to a tensor; ``copy=True`` always copies, ``copy=False`` never.

    Args:
        obj: a tensor, an array of NumPy, anything with ``__dlpack__`` or a buffer (all of which
            share their memory), or what :func:`tensor` takes.
        dtype: element type; default: that of ``obj``.
        device: "cpu" or None.
        copy: None copies only where it must.
        requires_grad: whether gradients are wanted.

    Raises:
        ValueError: when ``copy=False`` and a copy would be needed.

    Example:
        >>> cr.asarray([1.0, 2.0])
        tensor([1., 2.])
    """
    check_device(device)
    result = None if copy else _exchange.shared(obj)
    if copy is False and (result is None or (dtype is not None and result.dtype != dtype)):
        raise ValueError("asarray: copy=False, but this input needs a copy")
    if result is None:
        result = tensor(obj, dtype=dtype)
    elif dtype is not None:
        result = _core.to(result, dtype)
    return result.requires_grad_() if requires_grad else result


def _range_dtype(*values: Any) -> dtype:
    whole = all(
        not v.is_floating_point()
        if isinstance(v, Tensor)
        else isinstance(v, int) or hasattr(v, "__index__")
        for v in values
    )
    return _core.int64 if whole else _core.get_default_dtype()


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Values ``start, start + step, ...`` below ``end``, as a vector.

    Raises:
        ValueError: for a zero or wrong-way step and for bounds that are not finite.

    Example:
        >>> cr.arange(1, 4)
        tensor([1, 2, 3])
    """
    check_device(device)
    if end is None:
        start, end = 0, start
    if dtype is None and step == 1 and type(start) is type(end) is int and start <= end:
        steps: Tensor = _core._arange(start, 1, end - start, _core.int64)  # the usual call
        return steps.requires_grad_() if requires_grad else steps
    wanted = _range_dtype(start, end, step) if dtype is None else dtype
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    for bound in (start, end, step):
        if not math.isfinite(bound):
            raise ValueError(f"arange: bounds and step must be finite (got {start}, {end}, {step})")
    if not _core.empty(0, dtype=wanted).is_floating_point():
        start, end, step = int(start), int(end), int(step)
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if (end - start) * step < 0:
        raise ValueError(f"arange: step {step} leads away from end (got start {start}, end {end})")
    if all(isinstance(v, int) for v in (start, end, step)):
        length = -((start - end) // step)
    else:
        length = math.ceil((end - start) / step)
    result: Tensor = _core._arange(start, step, length, wanted)
    return result.requires_grad_() if requires_grad else result


def _ends(start: Any, end: Any, dtype: dtype) -> tuple[float, float]:
    """Bounds of a range as numbers, whole ones (cut towards 0) for an integer dtype."""
    ends = [float(x.item() if isinstance(x, Tensor) else x) for x in (start, end)]
    if not _core.empty(0, dtype=dtype).is_floating_point():
        ends = [float(int(x)) for x in ends]
    return ends[0], ends[1]


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``steps`` evenly spaced values from ``start`` to ``end``, both included.

    Example:
        >>> cr.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    check_device(device)
    wanted = _core.get_default_dtype() if dtype is None else dtype
    result: Tensor = _core._linspace(*_ends(start, end, wanted), steps, wanted)
    return result.requires_grad_() if requires_grad else result


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Identity matrix, or ``(n, m)`` with ones on the diagonal.

    Example:
        >>> cr.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    check_device(device)
    result: Tensor = _core.zeros(n, n if m is None else m, dtype=dtype)
    result.diagonal().fill_(1)
    return result.requires_grad_() if requires_grad else result


# ---------------------------------------------------------------- overloads of one name


class ValuesIndices(NamedTuple):
    """Values along a dimension and the places they came from."""

    values: Tensor
    indices: Tensor


def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
    """Largest element; with an int ``dim`` values and indices; with a tensor the larger of two.

    Example:
        >>> cr.max(cr.tensor([3.0, 7.0]))
        tensor(7.)
        >>> cr.max(cr.tensor([[3.0, 7.0]]), 1).indices
        tensor([1])
    """
    dim = axis if dim is None else dim
    if dim is None:
        return _core.amax(input, keepdim=keepdim)
    if isinstance(dim, Tensor):
        return _core.maximum(input, dim)
    return ValuesIndices(*_core._max(input, dim, keepdim))


def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
    """Smallest element; with an int ``dim`` values and indices; with a tensor the smaller of two.

    Example:
        >>> cr.min(cr.tensor([3.0, 7.0]))
        tensor(3.)
    """
    dim = axis if dim is None else dim
    if dim is None:
        return _core.amin(input, keepdim=keepdim)
    if isinstance(dim, Tensor):
        return _core.minimum(input, dim)
    return ValuesIndices(*_core._min(input, dim, keepdim))


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` holds, ``other`` elsewhere; alone, the places where it holds.

    Example:
        >>> cr.where(cr.tensor([True, False]), 1.0, 2.0)
        tensor([1., 2.])
        >>> cr.where(cr.tensor([False, True]))
        (tensor([1]),)
    """
    if input is None and other is None:
        return unbind(_core.nonzero(condition), 1)
    return _core.where(condition, input, other)


# ---------------------------------------------------------------- lists of views


def _size(name: str, input: Tensor, dim: int) -> int:
    """The size of a dimension, checked in the name of the function that asks."""
    if isinstance(input, Tensor) and -input.ndim <= dim < input.ndim:
        return input.shape[dim]
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: expected a Tensor (got {type(input).__name__})")
    raise IndexError(
        f"{name}: dimension out of range (got {dim} for a tensor with {input.ndim} dimensions)"
    )


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Cut into views of a given size (the last may be smaller) or of given sizes.

    Example:
        >>> [part.shape for part in cr.arange(5).split(2)]
        [(2,), (2,), (1,)]
    """
    size = _size("split", tensor, dim)
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step < 0 or (step == 0 and size > 0):
            raise ValueError(f"split: split size must be positive (got {step})")
        count = 1 if size == 0 else -(-size // step)
        sections = [step] * (count - 1) + [size - step * (count - 1)]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != size or any(s < 0 for s in sections):
            raise ValueError(
                f"split: sizes {tuple(sections)} must sum to {size}, the size of dimension {dim}"
            )
    parts, start = [], 0
    for length in sections:
        parts.append(_core.narrow(tensor, dim, start, length))
        start += length
    return tuple(parts)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into at most ``chunks`` views of equal size (the last may be smaller).

    Example:
        >>> [part.shape for part in cr.arange(5).chunk(2)]
        [(3,), (2,)]
    """
    if chunks < 1:
        raise ValueError(f"chunk: chunks must be 1 or more (got {chunks})")
    size = _size("chunk", input, dim)
    if size == 0:
        return split(input, [0] * chunks, dim)
    return split(input, -(-size // chunks), dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut at given indices, or into a number of nearly equal views (the first ones larger).

    Example:
        >>> [part.shape for part in cr.tensor_split(cr.arange(5), 2)]
        [(3,), (2,)]
    """
    size = _size("tensor_split", input, dim)
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        n = indices_or_sections
        if n < 1:
            raise ValueError(f"tensor_split: sections must be 1 or more (got {n})")
        sizes = [size // n + (i < size % n) for i in range(n)]
        return split(input, sizes, dim)
    bounds = [0, *indices_or_sections, size]
    return tuple(_core.slice(input, dim, a, b) for a, b in itertools.pairwise(bounds))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all indices of one dimension.

    Example:
        >>> cr.tensor([[1, 2], [3, 4]]).unbind(1)
        (tensor([1, 3]), tensor([2, 4]))
    """
    return tuple(_core.select(input, dim, i) for i in range(_size("unbind", input, dim)))


# ---------------------------------------------------------------- shapes


def each(function: Any, tensors: tuple[Any, ...]) -> Any:
    """Of one tensor its form, of several (or a sequence) a tuple of theirs."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    many = tensors[0] if len(tensors) == 1 else tensors
    return tuple(function(t) for t in many)


def atleast_1d(*tensors: Any) -> Any:
    """The tensor, a 0-d one as a vector of one element.

    Args:
        tensors: one tensor, or several, for which a tuple is returned.

    Example:
        >>> cr.atleast_1d(cr.tensor(3)).shape
        (1,)
    """
    return each(lambda t: _core.reshape(t, 1) if t.ndim == 0 else t, tensors)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension (vectors along the first).

    Example:
        >>> cr.hstack([cr.tensor([1]), cr.tensor([2, 3])])
        tensor([1, 2, 3])
    """
    parts = [atleast_1d(t) for t in tensors]
    result: Tensor = _core.cat(parts, 0 if parts and parts[0].ndim == 1 else 1)
    return result


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the first dimension, vectors as rows.

    Example:
        >>> cr.vstack([cr.tensor([1, 2]), cr.tensor([3, 4])]).shape
        (2, 2)
    """
    parts = [_core.reshape(t, 1, -1) if t.ndim < 2 else t for t in tensors]
    result: Tensor = _core.cat(parts, 0)
    return result


def concat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Same as ``cat``: join along an existing dimension.

    Example:
        >>> cr.concat([cr.tensor([1]), cr.tensor([2])])
        tensor([1, 2])
    """
    result: Tensor = _core.cat(list(tensors), dim)
    return result


concatenate = concat


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move dimensions to other places; the rest keep their order (a view).

    Example:
        >>> cr.zeros(2, 3, 4).movedim(0, -1).shape
        (3, 4, 2)
    """
    n = input.ndim
    sources = [source] if isinstance(source, int) else list(source)
    targets = [destination] if isinstance(destination, int) else list(destination)
    if len(sources) != len(targets):
        raise ValueError(f"movedim: {len(sources)} sources for {len(targets)} destinations")
    for d in (*sources, *targets):
        if not -n <= d < n:
            raise IndexError(f"movedim: dimension {d} is out of range for shape {input.shape}")
    sources, targets = [s % n for s in sources], [t % n for t in targets]
    if len(set(sources)) != len(sources) or len(set(targets)) != len(targets):
        raise ValueError(f"movedim: repeated dimension in {source} or {destination}")
    rest = iter([d for d in range(n) if d not in sources])
    moved = dict(zip(targets, sources, strict=True))
    result: Tensor = _core.permute(
        input, *[moved[d] if d in moved else next(rest) for d in range(n)]
    )
    return result


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Same as ``transpose``: swap two dimensions.

    Example:
        >>> cr.zeros(2, 3).swapaxes(0, 1).shape
        (3, 2)
    """
    result: Tensor = _core.transpose(input, axis0, axis1)
    return result


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several; one size may be -1.

    Example:
        >>> cr.zeros(2, 12).unflatten(1, (3, 4)).shape
        (2, 3, 4)
    """
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"unflatten: dimension {dim} is out of range for shape {input.shape}")
    at = dim % input.ndim
    known = math.prod(s for s in sizes if s != -1)
    full = [input.shape[at] // known if s == -1 and known else s for s in sizes]
    if math.prod(full) != input.shape[at]:
        raise ValueError(f"unflatten: sizes {tuple(sizes)} do not multiply to {input.shape[at]}")
    result: Tensor = _core.reshape(input, (*input.shape[:at], *full, *input.shape[at + 1 :]))
    return result


def broadcast_shapes(*shapes: Sequence[int] | int) -> tuple[int, ...]:
    """The shape that shapes broadcast to.

    Example:
        >>> cr.broadcast_shapes((2, 1), (3,))
        (2, 3)
    """
    import numpy as np

    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"broadcast_shapes: shapes do not broadcast (got {shapes})") from None


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """View broadcast to a shape.

    Example:
        >>> cr.broadcast_to(cr.tensor([1, 2]), (2, 2)).shape
        (2, 2)
    """
    result: Tensor = _core.expand(input, tuple(size))
    return result


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Views of all tensors broadcast to one shape.

    Example:
        >>> a, b = cr.broadcast_tensors(cr.zeros(2, 1), cr.zeros(3))
        >>> a.shape
        (2, 3)
    """
    shape = broadcast_shapes(*[t.shape for t in tensors])
    return tuple(_core.expand(t, shape) for t in tensors)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of coordinates from vectors.

    Args:
        tensors: vectors (or one sequence of them).
        indexing: "ij" (matrix) or "xy" (Cartesian: the first two dimensions swapped).

    Example:
        >>> x, y = cr.meshgrid(cr.arange(2), cr.arange(3), indexing="ij")
        >>> x
        tensor([[0, 0, 0],
                [1, 1, 1]])
    """
    vectors = (
        list(tensors[0])
        if len(tensors) == 1 and not isinstance(tensors[0], Tensor)
        else list(tensors)
    )
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing must be 'ij' or 'xy' (got {indexing!r})")
    order = list(range(len(vectors)))  # the dimension of each vector
    if indexing == "xy" and len(vectors) > 1:
        order[:2] = [1, 0]
    sizes = [vectors[d].numel() for d in order]
    grids = []
    for i, v in enumerate(vectors):
        if v.ndim > 1:
            raise ValueError(f"meshgrid: expected vectors (got shape {v.shape})")
        shape = [1] * len(vectors)
        shape[order[i]] = v.numel()
        grids.append(_core.expand(_core.reshape(v, shape), sizes))
    return tuple(grids)


def roll(
    input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None
) -> Tensor:
    """Shift elements along dimensions; what leaves at one end enters at the other.

    Example:
        >>> cr.roll(cr.arange(4), 1)
        tensor([3, 0, 1, 2])
    """
    if dims is None:
        if not isinstance(shifts, int):
            raise ValueError("roll: several shifts need dims")
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    dims = [dims] if isinstance(dims, int) else list(dims)
    if len(shifts) != len(dims):
        raise ValueError(f"roll: {len(shifts)} shifts for {len(dims)} dims")
    result = input
    for shift, dim in zip(shifts, dims, strict=True):
        size = _size("roll", result, dim)
        cut = size - shift % size if size else 0
        if cut != size:
            result = _core.cat(
                [_core.slice(result, dim, cut, None), _core.slice(result, dim, 0, cut)], dim
            )
    return result.clone() if result is input else result


def tile(input: Tensor, *dims: Any) -> Tensor:
    """Repeat the whole tensor along dimensions, as NumPy's tile.

    Example:
        >>> cr.tile(cr.tensor([1, 2]), (2,))
        tensor([1, 2, 1, 2])
    """
    counts = list(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else list(dims)
    counts = [1] * (input.ndim - len(counts)) + counts
    return input.repeat(*counts)


def _triangle(name: str, input: Tensor, keep: Any) -> Tensor:
    if input.ndim < 2:
        raise ValueError(f"{name}: needs at least 2 dimensions (got shape {input.shape})")
    rows = arange(input.shape[-2]).unsqueeze(1)
    columns = arange(input.shape[-1])
    return _core.where(keep(columns - rows), input, _core.zeros((), dtype=input.dtype))


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Lower triangle of matrices; the rest is 0.

    Example:
        >>> cr.tril(cr.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
    """
    return _triangle("tril", input, lambda offset: offset <= diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Upper triangle of matrices; the rest is 0.

    Example:
        >>> cr.triu(cr.ones(2, 2))
        tensor([[1., 1.],
                [0., 1.]])
    """
    return _triangle("triu", input, lambda offset: offset >= diagonal)


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Diagonal of a matrix, or the matrix with a vector on its diagonal.

    Example:
        >>> cr.diag(cr.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    if input.ndim == 2:
        return _core.diagonal(input, diagonal).clone()
    if input.ndim != 1:
        raise ValueError(f"diag: expected a vector or a matrix (got shape {input.shape})")
    n = input.shape[0] + abs(diagonal)
    result: Tensor = _core._diagonal_grad(input, (n, n), diagonal, 0, 1)
    return result


def argwhere(input: Tensor) -> Tensor:
    """Indices of the nonzero elements, one row each (same as ``nonzero``).

    Example:
        >>> cr.argwhere(cr.tensor([0, 5]))
        tensor([[1]])
    """
    result: Tensor = _core.nonzero(input)
    return result


# ---------------------------------------------------------------- comparison and facts


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Where ``abs(input - other) <= atol + rtol * abs(other)``.

    Example:
        >>> cr.isclose(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 2.1]))
        tensor([ True, False])
    """
    if not isinstance(other, Tensor):
        raise TypeError(f"isclose: expected a Tensor (got {type(other).__name__})")
    close: Tensor = input == other
    if input.is_floating_point() or other.is_floating_point():
        tolerance = atol + rtol * other.abs()
        close = close | ((input - other).abs() <= tolerance) & _core.isfinite(other)
        if equal_nan:
            close = close | (_core.isnan(input) & _core.isnan(other))
    else:
        close = close | ((input - other).abs() <= atol + rtol * other.abs())
    return close


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as :func:`isclose` has it.

    Example:
        >>> cr.allclose(cr.tensor([1.0]), cr.tensor([1.0 + 1e-9]))
        True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shape and all elements are the same.

    Example:
        >>> cr.equal(cr.tensor([1]), cr.tensor([1]))
        True
    """
    return input.shape == other.shape and bool((input == other).all())


def is_tensor(obj: Any) -> bool:
    """Whether the object is a Tensor.

    Example:
        >>> cr.is_tensor(3)
        False
    """
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """Number of elements.

    Example:
        >>> cr.numel(cr.zeros(2, 3))
        6
    """
    return input.numel()


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype that an arithmetic operation on the two would have.

    Example:
        >>> cr.result_type(cr.tensor([1]), 2.5)
        chainrule.float32
    """
    result: dtype = _core._result_type(tensor1, tensor2)
    return result
