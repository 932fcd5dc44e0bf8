"""What the functions of linalg ask of their operands."""

from __future__ import annotations

from typing import Any

from .. import _core, _functions
from .._core import Tensor


def floating(name: str, x: Any) -> Tensor:
    """The tensor, if it is one of float32 or float64."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor (got {type(x).__name__})")
    if x.dtype not in (_core.float32, _core.float64):
        raise TypeError(
            f"{name}: got dtype {x.dtype.name}; expected float32 or float64; use .to(dtype)"
        )
    return x


def matrix(name: str, a: Any) -> Tensor:
    """The tensor, if it holds matrices of float32 or float64."""
    if floating(name, a).ndim < 2:
        raise ValueError(f"{name}: got shape {a.shape}; expected matrices (*, m, n)")
    result: Tensor = a
    return result


def square(name: str, a: Any) -> Tensor:
    """The tensor, if it holds square matrices of float32 or float64."""
    if matrix(name, a).shape[-1] != a.shape[-2]:
        raise ValueError(f"{name}: got shape {a.shape}; expected square matrices (*, n, n)")
    result: Tensor = a
    return result


def same_dtype(name: str, a: Tensor, b: Tensor) -> None:
    """Refuse two operands of different dtypes."""
    if a.dtype is not b.dtype:
        raise TypeError(
            f"{name}: operands differ in dtype (got {a.dtype.name} and {b.dtype.name}); "
            "use .to(dtype)"
        )


def same_batch(name: str, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two stacks of matrices, their leading dimensions broadcast."""
    if a.shape[:-2] == b.shape[:-2]:
        return a, b
    try:
        batch = _functions.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(
            f"{name}: the batches do not broadcast (got shapes {a.shape} and {b.shape})"
        ) from None
    return (
        _core.expand(a, (*batch, *a.shape[-2:])),
        _core.expand(b, (*batch, *b.shape[-2:])),
    )


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether the right-hand side holds vectors rather than matrices, as torch decides it."""
    return b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
