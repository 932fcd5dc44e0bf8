"""torch's older names of linear algebra, at the top and on Tensor.

:mod:`chainrule.linalg` computes; it is loaded when one of them is called, as it brings NumPy along.
"""

from __future__ import annotations

from typing import NamedTuple

from . import _core
from ._core import Tensor

__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "matrix_exp",
    "matrix_power", "pinverse", "qr", "slogdet", "svd",
]  # fmt: skip

METHODS = tuple(__all__)


class SVDResult(NamedTuple):
    """``input = U @ diag(S) @ V.mT``."""

    U: Tensor
    S: Tensor
    V: Tensor


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Same as :func:`linalg.cholesky`.

    Example:
        >>> cr.cholesky(cr.tensor([[4.0, 2.0], [2.0, 5.0]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    from . import linalg

    return linalg.cholesky(input, upper=upper)


def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """Solve ``A @ X = input`` by the Cholesky factor of A.

    Args:
        input: tensor ``(*, n, k)`` of float32 or float64.
        L: the factor ``(*, n, n)``, of which one triangle is read. Batches broadcast.
        upper: whether the factor is an upper triangle.

    Raises:
        LinAlgError: when the diagonal has a 0.
        ValueError: when the shapes do not fit.

    Example:
        >>> cr.cholesky_solve(cr.tensor([[8.0]]), cr.tensor([[2.0]]))
        tensor([[2.]])
    """
    from . import linalg

    first, second = (L.mT, L) if upper else (L, L.mT)
    half = linalg.solve_triangular(first, input, upper=False)
    return linalg.solve_triangular(second, half, upper=True)


def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """Inverse of A by its Cholesky factor.

    Args:
        input: the factor ``(*, n, n)``, of which one triangle is read.
        upper: whether the factor is an upper triangle.

    Raises:
        LinAlgError: when the diagonal has a 0.
        ValueError: when the matrices are not square.

    Example:
        >>> cr.cholesky_inverse(cr.tensor([[2.0]]))
        tensor([[0.2500]])
    """
    from . import linalg
    from .linalg._lapack import identity

    one = _core.expand(identity(input), input.shape)
    first = linalg.solve_triangular(input, one, upper=upper)
    return first @ first.mT if upper else first.mT @ first


def det(input: Tensor) -> Tensor:
    """Same as :func:`linalg.det`.

    Example:
        >>> cr.det(cr.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor(8.)
    """
    from . import linalg

    return linalg.det(input)


def slogdet(input: Tensor) -> tuple[Tensor, Tensor]:
    """Same as :func:`linalg.slogdet`: the sign and the logarithm of the magnitude.

    Example:
        >>> cr.slogdet(cr.tensor([[-1.0]])).sign
        tensor(-1.)
    """
    from . import linalg

    return linalg.slogdet(input)


def logdet(input: Tensor) -> Tensor:
    """Logarithm of the determinant; NaN where it is negative, minus infinity where it is 0.

    Args:
        input: tensor ``(*, n, n)`` of float32 or float64.

    Raises:
        ValueError: when the matrices are not square.

    Example:
        >>> cr.logdet(cr.tensor([[1.0, 0.0], [0.0, 1.0]]))
        tensor(0.)
    """
    from . import linalg

    sign, size = linalg.slogdet(input)
    return _core.where(sign < 0, float("nan"), size)


def inverse(input: Tensor) -> Tensor:
    """Same as :func:`linalg.inv`.

    Example:
        >>> cr.inverse(cr.tensor([[4.0]]))
        tensor([[0.2500]])
    """
    from . import linalg

    return linalg.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Pseudoinverse, as :func:`linalg.pinv` with ``rtol=rcond``.

    Example:
        >>> cr.pinverse(cr.tensor([[2.0], [0.0]]))
        tensor([[0.5000, 0.0000]])
    """
    from . import linalg

    return linalg.pinv(input, rtol=rcond)


def qr(input: Tensor, some: bool = True) -> tuple[Tensor, Tensor]:
    """As :func:`linalg.qr`: ``some=False`` gives a square Q.

    Example:
        >>> q, r = cr.qr(cr.randn(5, 3), some=False)
        >>> q.shape
        (5, 5)
    """
    from . import linalg

    return linalg.qr(input, "reduced" if some else "complete")


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Singular values and vectors: ``input = U @ diag(S) @ V.mT``; see :func:`linalg.svd`.

    Args:
        input: tensor ``(*, m, n)`` of float32 or float64.
        some: whether U and V have only min(m, n) columns.
        compute_uv: with False, U and V are square and all 0.

    Returns:
        ``(U, S, V)``; V is not transposed, other than that of :func:`linalg.svd`.

    Raises:
        ValueError: for shapes that hold no matrices.

    Example:
        >>> cr.svd(cr.tensor([[0.0, 2.0], [1.0, 0.0]])).S
        tensor([2., 1.])
    """
    from . import linalg

    if compute_uv:
        u, s, vh = linalg.svd(input, full_matrices=not some)
        return SVDResult(u, s, vh.mT)
    s = linalg.svdvals(input)
    *batch, m, n = input.shape
    zeros = (_core.zeros(*batch, k, k, dtype=input.dtype) for k in (m, n))
    return SVDResult(next(zeros), s, next(zeros))


def matrix_power(input: Tensor, n: int) -> Tensor:
    """Same as :func:`linalg.matrix_power`.

    Example:
        >>> cr.matrix_power(cr.tensor([[1, 1], [1, 0]]), 10)
        tensor([[89, 55],
                [55, 34]])
    """
    from . import linalg

    return linalg.matrix_power(input, n)


def matrix_exp(input: Tensor) -> Tensor:
    """Same as :func:`linalg.matrix_exp`.

    Example:
        >>> cr.matrix_exp(cr.zeros(1, 1))
        tensor([[1.]])
    """
    from . import linalg

    return linalg.matrix_exp(input)
