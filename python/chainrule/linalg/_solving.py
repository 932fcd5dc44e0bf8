"""Equations, inverses and determinants."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import _core, _functions
from .._arrays import tensor_of, view_of
from .._core import Tensor
from ._checks import floating, is_vector, matrix, same_batch, same_dtype, square
from ._lapack import (
    Determinant,
    Inverse,
    LeastSquares,
    LinAlgError,
    LogDeterminant,
    PseudoInverse,
    Solve,
    identity,
    triangular,
)  # fmt: skip


class SolveExResult(NamedTuple):
    """The solution, and which matrices are singular."""

    result: Tensor
    info: Tensor


class InvExResult(NamedTuple):
    """The inverse, and which matrices are singular."""

    inverse: Tensor
    info: Tensor


class SlogdetResult(NamedTuple):
    """The sign of a determinant and the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


class LstsqResult(NamedTuple):
    """What least squares give."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


# ---------------------------------------------------------------- equations


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """Solve ``A @ X = B``, or ``X @ A = B``, for square matrices.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.
        B: tensor ``(*, n, k)``, ``(n,)`` or ``(*, n)`` with the batch of A (then vectors);
            ``(*, k, n)`` for ``left=False``. Batches broadcast.
        left: whether X is the right factor.

    Returns:
        X, of the shape of B with the common batch.

    Raises:
        LinAlgError: when a matrix is singular.
        ValueError: when the shapes do not fit.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.solve(cr.tensor([[2.0, 0.0], [0.0, 4.0]]), cr.tensor([2.0, 2.0]))
        tensor([1.0000, 0.5000])
    """
    return _solve("linalg.solve", A, B, left)


def _solve(name: str, a: Tensor, b: Tensor, left: bool = True) -> Tensor:
    square(name, a), floating(name, b)
    same_dtype(name, a, b)
    if is_vector(a, b):
        if not left:
            raise ValueError(f"{name}: left=False needs matrices (got B of shape {b.shape})")
        return _solve(name, a, b.unsqueeze(-1)).squeeze(-1)
    return _of_sides(Solve.apply, name, a, b, left)


def _of_sides(function: Any, name: str, a: Tensor, b: Tensor, left: bool) -> Tensor:
    """``function(a, b, name)``, which solves a @ x = b, for either side and any batch."""
    if b.ndim < 2 or b.shape[-2 if left else -1] != a.shape[-1]:
        wanted = f"(*, {a.shape[-1]}, k)" if left else f"(*, k, {a.shape[-1]})"
        raise ValueError(f"{name}: A of shape {a.shape} needs B of shape {wanted} (got {b.shape})")
    a, b = same_batch(name, a, b)
    result: Tensor = function(a, b, name) if left else function(a.mT, b.mT, name).mT
    return result


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Solve ``A @ X = B``, or ``X @ A = B``, for triangular matrices.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64; its other triangle is not read.
        B: tensor ``(*, n, k)``, or ``(*, k, n)`` for ``left=False``. Batches broadcast.
        upper: whether the upper triangle counts.
        left: whether X is the right factor.
        unitriangular: whether the diagonal counts as ones and is not read.

    Raises:
        LinAlgError: when the diagonal has a 0.
        ValueError: when the shapes do not fit.
        TypeError: for other dtypes.

    Example:
        >>> a = cr.tensor([[1.0, 7.0], [2.0, 4.0]])
        >>> cr.linalg.solve_triangular(a, cr.tensor([[1.0], [6.0]]), upper=False)
        tensor([[1.],
                [1.]])
    """
    name = "linalg.solve_triangular"
    square(name, A), matrix(name, B)
    same_dtype(name, A, B)
    if unitriangular:
        A = (A.triu(1) if upper else A.tril(-1)) + identity(A)
    under = upper is left  # the triangle of the matrix that stands on the left
    return _of_sides(lambda a, b, name: triangular(a, b, under, name), name, A, B, left)


def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False
) -> SolveExResult:
    """Solve as :func:`solve`, with NaN and a number in place of an error for singular matrices.

    Args:
        A: as for :func:`solve`.
        B: as for :func:`solve`.
        left: as for :func:`solve`.
        check_errors: raise as :func:`solve` does.

    Returns:
        ``(result, info)``: info is 0, or the first column that depends on those before it.

    Example:
        >>> cr.linalg.solve_ex(cr.zeros(1, 1), cr.ones(1)).info
        tensor(1, dtype=chainrule.int32)
    """
    name = "linalg.solve_ex"
    square(name, A)
    try:
        info = _core.zeros(A.shape[:-2], dtype=_core.int32)
        return SolveExResult(_solve(name, A, B, left), info)
    except LinAlgError:
        if check_errors:
            raise
    regular, info, fill = _without_singular(A)
    fill = fill.squeeze(-1) if is_vector(A, B) else fill
    return SolveExResult(_solve(name, regular, B, left) + fill, info)


# ---------------------------------------------------------------- inverses


def inv(A: Tensor) -> Tensor:
    """Inverse of square matrices; :func:`solve` is faster and more accurate than a product with it.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.

    Raises:
        LinAlgError: when a matrix is singular.
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.inv(cr.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    result: Tensor = Inverse.apply(square("linalg.inv", A), "linalg.inv")
    return result


def inv_ex(A: Tensor, *, check_errors: bool = False) -> InvExResult:
    """Inverse as :func:`inv`, with NaN and a number in place of an error for singular matrices.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.
        check_errors: raise as :func:`inv` does.

    Returns:
        ``(inverse, info)``: info is 0, or the first column that depends on those before it.

    Example:
        >>> cr.linalg.inv_ex(cr.ones(2, 2)).info
        tensor(2, dtype=chainrule.int32)
    """
    name = "linalg.inv_ex"
    square(name, A)
    try:
        info = _core.zeros(A.shape[:-2], dtype=_core.int32)
        return InvExResult(Inverse.apply(A, name), info)
    except LinAlgError:
        if check_errors:
            raise
    regular, info, fill = _without_singular(A)
    return InvExResult(Inverse.apply(regular, name) + fill, info)


def _without_singular(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Identities for singular matrices, where they are, and NaN to add to their results."""
    array = view_of(a)
    info = np.zeros(array.shape[:-2], np.int32)
    for at in np.ndindex(info.shape):
        try:
            np.linalg.inv(array[at])
        except np.linalg.LinAlgError:
            columns = range(1, array.shape[-1] + 1)
            dependent = (k for k in columns if np.linalg.matrix_rank(array[at][:, :k]) < k)
            info[at] = next(dependent, array.shape[-1])
    where = tensor_of(info > 0)[..., None, None]
    fill = _core.where(where, float("nan"), _core.zeros((), dtype=a.dtype))
    return _core.where(where, identity(a), a), tensor_of(info), fill


def _tolerances(name: str, a: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """``atol`` and ``rtol`` as float64 arrays, with torch's defaults."""

    def given(value: Any) -> Any:
        return np.asarray(view_of(value) if isinstance(value, Tensor) else value, np.float64)

    if rtol is None:
        rtol = max(a.shape[-2:]) * _eps(a)
        if atol is not None:
            rtol = np.where(given(atol) > 0, 0.0, rtol)
    low, high = given(0.0 if atol is None else atol), given(rtol)
    for word, value in (("atol", low), ("rtol", high)):
        try:
            fits = np.broadcast_shapes(value.shape, a.shape[:-2]) == a.shape[:-2]
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(
                f"{name}: {word} has shape {value.shape}; expected a number or one for each matrix "
                f"of the batch {a.shape[:-2]}"
            )
    return low, high


def _eps(a: Tensor) -> float:
    return float(np.finfo(a.dtype.name).eps)


def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """Pseudoinverse of matrices (Moore and Penrose), by singular values.

    The gradient (Golub and Pereyra, 1973) is that at constant rank.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64.
        rcond: another name of rtol.
        hermitian: whether the matrices are symmetric: eigenvalues are used then.
        atol: singular values up to it count as 0; a number or tensor (*).
        rtol: singular values up to this part of the largest count as 0; by default
            ``max(m, n) * eps``, or 0 when ``atol`` is given.

    Returns:
        Tensor ``(*, n, m)``.

    Raises:
        LinAlgError: when there is no convergence.
        ValueError: for shapes that do not fit.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.pinv(cr.tensor([[2.0], [0.0]]))
        tensor([[0.5000, 0.0000]])
    """
    name = "linalg.pinv"
    (square if hermitian else matrix)(name, A)
    low, high = _tolerances(name, A, atol, rcond if rtol is None else rtol)
    result: Tensor = PseudoInverse.apply(A, low, high, hermitian)
    return result


def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> LstsqResult:
    """Least squares: the X with the smallest ``norm(A @ X - B)``; of several the shortest.

    Args:
        A: tensor ``(*, m, n)`` of float32 or float64.
        B: tensor ``(*, m, k)``, ``(m,)`` or ``(*, m)`` with the batch of A. Batches broadcast.
        rcond: singular values up to this part of the largest count as 0; by default
            ``max(m, n) * eps``.
        driver: torch's name of one of LAPACK's routines: "gels", "gelsy", "gelsd" (also meant by
            None), "gelss". Singular values are used for all; the name says what is returned.

    Returns:
        ``(solution, residuals, rank, singular_values)``: the residuals are the sums of squares
        ``(*, k)``, empty unless m > n and the rank is full. As in torch, "gels" gives no rank and
        no singular values, and "gelsy" no residuals and no singular values: they are empty.

    Raises:
        LinAlgError: when there is no convergence.
        ValueError: for shapes that do not fit and an unknown driver.
        TypeError: for other dtypes.

    Example:
        >>> a = cr.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> cr.linalg.lstsq(a, cr.tensor([[1.0], [3.0], [5.0]])).solution.round(decimals=4)
        tensor([[1.],
                [2.]])
    """
    name = "linalg.lstsq"
    matrix(name, A), floating(name, B)
    same_dtype(name, A, B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ValueError(
            f"{name}: unknown driver (got {driver!r}); expected gels, gelsy, gelsd or gelss"
        )
    vectors = is_vector(A, B)
    b = B.unsqueeze(-1) if vectors else B
    if b.ndim < 2 or b.shape[-2] != A.shape[-2]:
        raise ValueError(
            f"{name}: A of shape {A.shape} needs B of shape (*, {A.shape[-2]}, k) (got {B.shape})"
        )
    a, b = same_batch(name, A, b)
    m, n = a.shape[-2:]
    part = max(m, n) * _eps(a) if rcond is None else rcond
    solution, rank, values = LeastSquares.apply(a, b, part)
    residuals = none = _core.zeros(0, dtype=a.dtype)
    if m > n and driver != "gelsy" and bool((rank == n).all()):
        residuals = (a @ solution - b).square().sum(-2)
        residuals = residuals.squeeze(-1) if vectors else residuals
    if driver == "gels":
        rank = none.to(_core.int64)
    if driver in ("gels", "gelsy"):
        values = none
    return LstsqResult(solution.squeeze(-1) if vectors else solution, residuals, rank, values)


# ---------------------------------------------------------------- determinants


def det(A: Tensor) -> Tensor:
    """Determinant of square matrices.

    The gradient is the matrix of cofactors, also of singular matrices; higher derivatives of
    singular ones exist here where the rank is n - 1.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.

    Returns:
        Tensor (*).

    Raises:
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.det(cr.tensor([[1.0, 2.0], [3.0, 5.0]])).round(decimals=4)
        tensor(-1.)
    """
    result: Tensor = Determinant.apply(square("linalg.det", A))
    return result


def slogdet(A: Tensor) -> SlogdetResult:
    """Sign of the determinant and logarithm of its magnitude, which does not overflow.

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.

    Returns:
        ``(sign, logabsdet)`` of shape (*); 0 and minus infinity for singular matrices, whose
        gradient is refused.

    Raises:
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.slogdet(cr.tensor([[0.0, 1.0], [1.0, 0.0]]))
        SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    return SlogdetResult(*LogDeterminant.apply(square("linalg.slogdet", A)))


# ---------------------------------------------------------------- tensors as matrices


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """Inverse of the matrix whose rows are the first ``ind`` dimensions, columns the others.

    Args:
        A: tensor of float32 or float64; both groups of dimensions have the same product.
        ind: how many dimensions are rows, at least 1.

    Returns:
        Tensor of shape ``A.shape[ind:] + A.shape[:ind]``.

    Raises:
        LinAlgError: when the matrix is singular.
        ValueError: when the products differ.

    Example:
        >>> cr.linalg.tensorinv(cr.eye(6).reshape(2, 3, 6)).shape
        (6, 2, 3)
    """
    name = "linalg.tensorinv"
    floating(name, A)
    if ind < 1:
        raise ValueError(f"{name}: ind must be positive (got {ind})")
    rows, columns = A.shape[:ind], A.shape[ind:]
    if math.prod(rows) != math.prod(columns):
        raise ValueError(
            f"{name}: the products of {rows} and {columns} differ (got shape {A.shape}, ind={ind})"
        )
    flat = A.reshape(math.prod(rows), math.prod(columns))
    result: Tensor = Inverse.apply(flat, name)
    return result.reshape(*columns, *rows)


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """Solve ``tensordot(A, X, X.ndim) = B``.

    Args:
        A: tensor of float32 or float64, of shape ``B.shape + X.shape`` (or of the same product).
        B: tensor.
        dims: dimensions of A that are moved to its end first.

    Returns:
        X, of shape ``A.shape[B.ndim:]``.

    Raises:
        LinAlgError: when the equations are singular.
        ValueError: when the shapes do not fit.

    Example:
        >>> cr.linalg.tensorsolve(cr.eye(6).reshape(2, 3, 6), cr.ones(2, 3)).shape
        (6,)
    """
    name = "linalg.tensorsolve"
    floating(name, A), floating(name, B)
    if dims is not None:
        moved = [dims] if isinstance(dims, int) else list(dims)
        A = _functions.movedim(A, moved, list(range(A.ndim - len(moved), A.ndim)))
    shape = A.shape[B.ndim :]
    if B.numel() != math.prod(shape) or A.numel() != B.numel() ** 2:
        raise ValueError(
            f"{name}: A of shape {A.shape} does not fit B of shape {B.shape}; expected A of shape "
            "B.shape + X.shape with as many elements in B as in X"
        )
    x = _solve(name, A.reshape(B.numel(), B.numel()), B.reshape(-1))
    return x.reshape(shape)
