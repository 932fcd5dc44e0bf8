"""Factorizations and spectra."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _core, _functions
from .._arrays import tensor_of, view_of
from .._core import Tensor
from ._checks import floating, matrix, same_dtype, square
from ._lapack import QR, SVD, Cholesky, Eigen, LinAlgError, SymmetricEigen, constant, identity


class CholeskyExResult(NamedTuple):
    """The factor, and which matrices have none."""

    L: Tensor
    info: Tensor


class QRResult(NamedTuple):
    """Orthonormal columns and an upper triangle."""

    Q: Tensor
    R: Tensor


class EigResult(NamedTuple):
    """Eigenvalues, and eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVDResult(NamedTuple):
    """``A = U @ diag(S) @ Vh``."""

    U: Tensor
    S: Tensor
    Vh: Tensor


# ---------------------------------------------------------------- Cholesky and QR


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Lower triangle L of ``A = L @ L.mT`` for symmetric positive definite matrices.

    The gradient (Murray, 2016) is symmetric.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64, of which one triangle is read.
        upper: read the upper triangle and return the upper one, ``A = U.mT @ U``.

    Raises:
        LinAlgError: when a matrix is not positive definite.
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.cholesky(cr.tensor([[4.0, 2.0], [2.0, 5.0]]))
        tensor([[2., 0.],
                [1., 2.]])
    """
    return _cholesky("linalg.cholesky", A, upper)


def _cholesky(name: str, a: Tensor, upper: bool) -> Tensor:
    square(name, a)
    result: Tensor = Cholesky.apply(a.mT, name).mT if upper else Cholesky.apply(a, name)
    return result


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> CholeskyExResult:
    """Factor as :func:`cholesky`, with NaN and a number in place of an error.

    Args:
        A: as for :func:`cholesky`.
        upper: as for :func:`cholesky`.
        check_errors: raise as :func:`cholesky` does.

    Returns:
        ``(L, info)``: info is 0, or the order of the first leading minor that is not positive.

    Example:
        >>> cr.linalg.cholesky_ex(cr.tensor([[1.0, 0.0], [0.0, -1.0]])).info
        tensor(2, dtype=chainrule.int32)
    """
    name = "linalg.cholesky_ex"
    square(name, A)
    try:
        info = _core.zeros(A.shape[:-2], dtype=_core.int32)
        return CholeskyExResult(_cholesky(name, A, upper), info)
    except LinAlgError:
        if check_errors:
            raise
    array = view_of(A.mT if upper else A)
    orders = np.zeros(array.shape[:-2], np.int32)
    for at in np.ndindex(orders.shape):
        orders[at] = _first_failure(array[at])
    failed = tensor_of(orders > 0)[..., None, None]
    fill = _core.where(failed, float("nan"), _core.zeros((), dtype=A.dtype))
    regular = _core.where(failed, identity(A), A)
    return CholeskyExResult(_cholesky(name, regular, upper) + fill, tensor_of(orders))


def _first_failure(array: Any) -> int:
    """The order of the first leading minor that is not positive; 0 when all are."""
    for k in range(1, len(array) + 1):
        try:
            np.linalg.cholesky(array[:k, :k])
        except np.linalg.LinAlgError:
            return k
    return 0


def qr(A: Tensor, mode: str = "reduced") -> QRResult:
    """``A = Q @ R`` with orthonormal columns in Q and an upper triangle R.

    The gradient (Walter and Lehmann, 2010) exists where the first ``min(m, n)`` columns are
    independent.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64.
        mode: "reduced": Q has min(m, n) columns; "complete": Q is square, without a gradient when
            m > n; "r": Q is empty.

    Returns:
        ``(Q, R)``.

    Raises:
        LinAlgError: in backward, when the columns are dependent.
        ValueError: for shapes that hold no matrices and unknown modes.
        TypeError: for other dtypes.

    Example:
        >>> q, r = cr.linalg.qr(cr.randn(5, 3))
        >>> q.shape, r.shape
        ((5, 3), (3, 3))
    """
    name = "linalg.qr"
    m, n = matrix(name, A).shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"{name}: unknown mode (got {mode!r}); expected reduced, complete or r")
    if mode == "complete" and m > n:
        if A.requires_grad and _core.is_grad_enabled():
            raise LinAlgError(
                "linalg.qr: mode='complete' has no gradient for matrices with more rows than "
                f"columns (got shape {A.shape}); use mode='reduced', or .detach()"
            )
        return QRResult(*map(tensor_of, np.linalg.qr(view_of(A), mode="complete")))
    if m < n:  # the rest of R follows from the first columns
        q, first = QR.apply(A.narrow(-1, 0, m))
        r = _core.cat([first, q.mT @ A.narrow(-1, m, n - m)], -1)
    else:
        q, r = QR.apply(A)
    return QRResult(_core.zeros(0, dtype=A.dtype) if mode == "r" else q, r)


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """First columns of the product of reflections ``1 - tau[i] * v_i @ v_i.T``.

    Args:
        A: tensor ``(*, m, n)``, m >= n: v_i stands below the diagonal of column i, after zeros and
            a 1.
        tau: tensor ``(*, k)``, k <= n.

    Returns:
        Tensor ``(*, m, n)``.

    Raises:
        ValueError: when the shapes do not fit.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.householder_product(cr.zeros(2, 1), cr.tensor([2.0]))
        tensor([[-1.],
                [ 0.]])
    """
    name = "linalg.householder_product"
    m, n = matrix(name, A).shape[-2:]
    same_dtype(name, A, floating(name, tau))
    if tau.ndim != A.ndim - 1 or tau.shape[-1] > n or n > m or tau.shape[:-1] != A.shape[:-2]:
        raise ValueError(
            f"{name}: expected A of shape (*, m, n) and tau of shape (*, k) with m >= n >= k (got "
            f"{A.shape} and {tau.shape})"
        )
    one = _functions.eye(m, n, dtype=A.dtype)
    vectors, q = A.tril(-1) + one, constant(one, A)
    for i in reversed(range(tau.shape[-1])):
        v = vectors.narrow(-1, i, 1)
        q = q - tau[..., i, None, None] * (v @ (v.mT @ q))
    return q


# ---------------------------------------------------------------- eigenvalues


def eigh(A: Tensor, UPLO: str = "L") -> EigResult:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices.

    The gradient of the eigenvectors is infinite where eigenvalues are equal; their signs are not
    determined, so a loss should not depend on them.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.
        UPLO: "L" or "U": the triangle that is read.

    Returns:
        ``(eigenvalues, eigenvectors)``: ``(*, n)`` and ``(*, n, n)``, the vectors as columns.

    Raises:
        LinAlgError: when there is no convergence.
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.eigh(cr.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        tensor([1., 2.])
    """
    return _eigh("linalg.eigh", A, UPLO)


def _eigh(name: str, a: Tensor, uplo: str) -> EigResult:
    square(name, a)
    if uplo not in ("L", "U", "l", "u"):
        raise ValueError(f"{name}: UPLO must be 'L' or 'U' (got {uplo!r})")
    return EigResult(*SymmetricEigen.apply(a, uplo.upper(), name))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of symmetric matrices, ascending; see :func:`eigh`.

    Example:
        >>> cr.linalg.eigvalsh(cr.tensor([[0.0, 1.0], [1.0, 0.0]]))
        tensor([-1.,  1.])
    """
    return _eigh("linalg.eigvalsh", A, UPLO).eigenvalues


def eig(A: Tensor) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices whose eigenvalues are real.

    torch's are complex tensors, which do not exist here; the result is of the dtype of A.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.

    Returns:
        ``(eigenvalues, eigenvectors)``: ``(*, n)`` and ``(*, n, n)``, the vectors of length 1 as
        columns.

    Raises:
        LinAlgError: when an eigenvalue is complex, or there is no convergence.
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.eig(cr.tensor([[2.0, 1.0], [0.0, 3.0]])).eigenvalues
        tensor([2., 3.])
    """
    return EigResult(*Eigen.apply(square("linalg.eig", A), "linalg.eig"))


def eigvals(A: Tensor) -> Tensor:
    """Eigenvalues of square matrices whose eigenvalues are real; see :func:`eig`.

    Example:
        >>> cr.linalg.eigvals(cr.tensor([[2.0, 1.0], [0.0, 3.0]]))
        tensor([2., 3.])
    """
    result: Tensor = Eigen.apply(square("linalg.eigvals", A), "linalg.eigvals")[0]
    return result


# ---------------------------------------------------------------- singular values


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVDResult:
    """Singular values and vectors: ``A = U @ diag(S) @ Vh``.

    The gradient of the vectors is infinite where singular values are equal, and for matrices that
    are not square where one is 0; columns beyond the first min(m, n) have none.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64.
        full_matrices: whether U and Vh are square.
        driver: must be None.

    Returns:
        ``(U, S, Vh)``, the singular values descending.

    Raises:
        LinAlgError: when there is no convergence.
        ValueError: for shapes that hold no matrices, and a driver.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.svd(cr.tensor([[0.0, 2.0], [1.0, 0.0]])).S
        tensor([2., 1.])
    """
    if driver is not None:
        raise ValueError(f"linalg.svd: drivers are for GPUs (got {driver!r}); expected None")
    return SVDResult(*SVD.apply(matrix("linalg.svd", A), bool(full_matrices), "linalg.svd"))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """Singular values of matrices, descending; see :func:`svd`.

    Example:
        >>> cr.linalg.svdvals(cr.tensor([[0.0, 2.0], [1.0, 0.0]]))
        tensor([2., 1.])
    """
    if driver is not None:
        raise ValueError(f"linalg.svdvals: drivers are for GPUs (got {driver!r}); expected None")
    result: Tensor = SVD.apply(matrix("linalg.svdvals", A), False, "linalg.svdvals")[1]
    return result
