"""The extension ``linalg`` of the array API standard: chainrule.linalg by the standard's keywords.

``eig`` and ``eigvals`` are left out: their results are complex.

Source: https://data-apis.org/array-api/2025.12/extensions/linear_algebra_functions.html
"""

from __future__ import annotations

from typing import Any

from .. import _core, _functions, linalg
from .._core import Tensor
from ..linalg import cholesky, diagonal, eigh, eigvalsh, matrix_power, slogdet, svdvals
from ._matrices import common, matmul, matrix_transpose, tensordot, vecdot
from ._reductions import sum as _sum

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve",
    "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


def det(x: Tensor, /) -> Tensor:
    """Determinants."""
    return linalg.det(x)


def inv(x: Tensor, /) -> Tensor:
    """Inverses."""
    return linalg.inv(x)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Cross product of vectors of three elements, along an axis counted from the end."""
    x1, x2 = _functions.broadcast_tensors(*common(x1, x2))
    return linalg.cross(x1, x2, dim=axis)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Products of all pairs of elements of two vectors."""
    return _core.outer(*common(x1, x2))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Solution of ``x1 @ x = x2``; only a one-dimensional ``x2`` is a vector.

    Example:
        >>> cr.array_api.linalg.solve(cr.eye(2) * 2, cr.tensor([2.0, 4.0]))
        tensor([1., 2.])
    """
    x1, x2 = common(x1, x2)
    if x2.ndim == 1:
        return linalg.solve(x1, x2.unsqueeze(-1)).squeeze(-1)
    return linalg.solve(x1, x2)


def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """Orthogonal ``Q`` and upper triangular ``R`` whose product is ``x``."""
    return linalg.qr(x, mode)


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """Singular values ``S`` with the matrices ``U`` and ``Vh``."""
    return linalg.svd(x, full_matrices)


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """Pseudo-inverses; singular values up to ``rtol`` times the largest count as 0."""
    return linalg.pinv(x, rtol=rtol)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """Ranks; singular values up to ``rtol`` times the largest count as 0."""
    return linalg.matrix_rank(x, rtol=rtol)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Norms of matrices."""
    return linalg.matrix_norm(x, ord, keepdim=keepdims)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Norms of vectors, which may lie along several axes."""
    if axis == ():
        return linalg.vector_norm(x.unsqueeze(-1), ord, -1)
    return linalg.vector_norm(x, ord, axis, keepdims)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Sums of diagonals; small integers give int64 or uint64."""
    return _sum(linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)
