"""Norms of vectors and matrices, and what follows from singular values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _core
from .._arrays import dimension, tensor_of, view_of
from .._core import Tensor
from ._checks import matrix, square
from ._factors import eigvalsh, svdvals
from ._solving import _tolerances, inv_ex


def vector_norm(
    x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Norm of vectors: ``sum(abs(x)**ord) ** (1/ord)``.

    Args:
        x: floating-point tensor.
        ord: the exponent, also 0 (how many are not 0) and plus or minus infinity.
        dim: dimensions that make up a vector; None takes all.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype the input is converted to first.

    Raises:
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.linalg.vector_norm(cr.tensor([3.0, -4.0]))
        tensor(5.)
    """
    x = _to("linalg.vector_norm", x, dtype)
    return _core.norm(x, float(ord), dim, keepdim)


def _to(name: str, x: Any, dtype: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor (got {type(x).__name__})")
    if dtype is not None:
        x = _core.to(x, dtype)
    if not x.is_floating_point():
        raise TypeError(f"{name}: expected a floating-point tensor (got {x.dtype.name})")
    result: Tensor = x
    return result


_MATRIX_NORMS = (1, -1, 2, -2, math.inf, -math.inf)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Norm of matrices.

    Args:
        A: floating-point tensor of two or more dimensions.
        ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2
            (largest and smallest singular value), 1 and -1 (largest and smallest sum of a column's
            magnitudes), plus and minus infinity (of a row's).
        dim: the dimensions of rows and of columns.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype the input is converted to first.

    Raises:
        ValueError: for fewer dimensions and an unknown norm.
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.linalg.matrix_norm(cr.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
        tensor(6.)
    """
    name = "linalg.matrix_norm"
    A = _to(name, A, dtype)
    if A.ndim < 2 or not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise ValueError(
            f"{name}: expected matrices and their two dimensions (got shape {A.shape}, dim={dim})"
        )
    row, column = (dimension(name, A, d) for d in dim)
    if row == column:
        raise ValueError(f"{name}: the two dimensions must differ (got {tuple(dim)})")
    if ord == "fro":
        return _core.norm(A, 2.0, [row, column], keepdim)
    if ord != "nuc" and ord not in _MATRIX_NORMS:
        raise ValueError(
            f"{name}: unknown norm (got {ord!r}); expected 'fro', 'nuc', 1, 2 or inf, or one of "
            "the numbers negated"
        )
    if ord in ("nuc", 2, -2):
        values = svdvals(A.permute([d for d in range(A.ndim) if d not in (row, column)]
                                   + [row, column]))  # fmt: skip
        result = values.sum(-1) if ord == "nuc" else _extreme(values, ord > 0, -1)
    else:
        along, across = (row, column) if abs(ord) == 1 else (column, row)
        sums = A.abs().sum(along, True)
        result = _extreme(sums, ord > 0, across).squeeze(along - (across < along))
    if keepdim:
        for d in sorted((row, column)):
            result = result.unsqueeze(d)
    return result


def _extreme(values: Tensor, largest: bool, dim: int) -> Tensor:
    result: Tensor = _core.amax(values, dim) if largest else _core.amin(values, dim)
    return result


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Norm of vectors or matrices, as :func:`vector_norm` and :func:`matrix_norm` have them.

    Args:
        A: floating-point tensor.
        ord: which norm; None is the root of the sum of squares.
        dim: one dimension for vectors, two for matrices. None takes all elements as a vector, or
            with ``ord`` the tensor itself, a vector or a matrix.
        keepdim: whether the dimensions stay, with size 1.
        dtype: dtype the input is converted to first.

    Raises:
        ValueError: for an unknown norm, and ``ord`` without ``dim`` for other tensors.
        TypeError: for an input that is not floating-point.

    Example:
        >>> cr.linalg.norm(cr.tensor([[1.0, 2.0], [2.0, 4.0]]), "nuc").round(decimals=4)
        tensor(5.)
    """
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None:
        if not isinstance(A, Tensor) or A.ndim not in (1, 2):
            raise ValueError(
                "linalg.norm: ord without dim needs a vector or a matrix "
                f"(got {A.shape if isinstance(A, Tensor) else type(A).__name__})"
            )
        dims = list(range(A.ndim))
    if len(dims) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype)
    if len(dims) == 2:
        return matrix_norm(A, ord, tuple(dims), keepdim, dtype=dtype)
    raise ValueError(
        f"linalg.norm: ord={ord!r} is a norm of {'matrices' if isinstance(ord, str) else 'vectors'}"
        f" (got dim={dim})"
    )


def cond(A: Tensor, p: Any = None) -> Tensor:
    """Condition number of matrices: ``norm(A, p) * norm(inv(A), p)``, infinity for singular ones.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64, square unless p is None, 2 or -2.
        p: a norm of :func:`matrix_norm`; None is 2.

    Returns:
        Tensor (*).

    Raises:
        ValueError: for an unknown norm and matrices that are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.cond(cr.tensor([[2.0, 0.0], [0.0, 0.5]]))
        tensor(4.)
    """
    name = "linalg.cond"
    if p in (None, 2, -2):
        values = svdvals(matrix(name, A))
        if not values.shape[-1]:
            return _core.zeros(A.shape[:-2], dtype=A.dtype)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    inverse, info = inv_ex(square(name, A))
    if not A.numel():
        return _core.zeros(A.shape[:-2], dtype=A.dtype)
    size = matrix_norm(A, p) * matrix_norm(_core.where(info[..., None, None] > 0, 1.0, inverse), p)
    return _core.where(info > 0, float("inf"), size)


def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values of matrices count as different from 0.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64.
        tol: another name of atol.
        hermitian: whether the matrices are symmetric: eigenvalues are used then.
        atol: singular values up to it count as 0; a number or tensor (*).
        rtol: singular values up to this part of the largest count as 0; by default
            ``max(m, n) * eps``, or 0 when ``atol`` is given.

    Returns:
        Tensor (*) of int64.

    Raises:
        ValueError: for shapes that do not fit.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.matrix_rank(cr.tensor([[1.0, 2.0], [2.0, 4.0]]))
        tensor(1)
    """
    name = "linalg.matrix_rank"
    (square if hermitian else matrix)(name, A)
    low, high = _tolerances(name, A, tol if atol is None else atol, rtol)
    values = abs(view_of((eigvalsh if hermitian else svdvals)(A.detach())))
    small = np.maximum(low, high * values.max(-1, initial=0.0))[..., None]
    return tensor_of((values > small).sum(-1))
