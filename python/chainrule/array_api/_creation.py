"""Creation functions of the array API standard."""

from __future__ import annotations

from typing import Any

from .. import _core, _functions
from .._core import Tensor
from .._devices import check_device
from .._exchange import from_dlpack
from .._functions import asarray

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
    "linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

_Shape = int | tuple[int, ...]


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Values ``start, start + step, ...`` before ``stop``; none if the step leads away from it."""
    if stop is None:
        start, stop = type(start)(0), start
    if (stop - start) * step < 0:
        stop = start + type(stop)(0)  # none, and still a float if the stop was
    return _functions.arange(start, stop, step, dtype=dtype, device=device)


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Tensor:  # fmt: skip
    """``num`` evenly spaced values from ``start`` to ``stop``, which ``endpoint`` includes."""
    if endpoint:
        return _functions.linspace(start, stop, num, dtype=dtype, device=device)
    return _functions.linspace(start, stop, num + 1, dtype=dtype, device=device)[:-1]


def empty(shape: _Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Uninitialised memory of a shape."""
    check_device(device)
    return _core.empty(shape, dtype=dtype)


def zeros(shape: _Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros of a shape."""
    check_device(device)
    return _core.zeros(shape, dtype=dtype)


def ones(shape: _Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones of a shape."""
    check_device(device)
    return _core.ones(shape, dtype=dtype)


def full(shape: _Shape, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """One value in a shape."""
    check_device(device)
    return _core.full(shape, fill_value, dtype=dtype)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Uninitialised memory of the shape of ``x``, and of its dtype unless said otherwise."""
    check_device(device)
    return _core.empty_like(x, dtype=dtype)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros of the shape of ``x``, and of its dtype unless said otherwise."""
    check_device(device)
    return _core.zeros_like(x, dtype=dtype)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones of the shape of ``x``, and of its dtype unless said otherwise."""
    check_device(device)
    return _core.ones_like(x, dtype=dtype)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """One value in the shape of ``x``, and of its dtype unless said otherwise."""
    check_device(device)
    return _core.full_like(x, fill_value, dtype=dtype)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """Ones on the ``k``-th diagonal of a matrix of zeros."""
    check_device(device)
    n_cols = n_rows if n_cols is None else n_cols
    result: Tensor = _core.zeros(n_rows, n_cols, dtype=dtype)
    if -n_rows < k < n_cols:
        result.diagonal(k).fill_(1)
    return result


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Grids of coordinates from vectors."""
    return _functions.meshgrid(*arrays, indexing=indexing) if arrays else ()


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Lower triangle of matrices; the rest is 0."""
    return _functions.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Upper triangle of matrices; the rest is 0."""
    return _functions.triu(x, k)
