"""The factorizations: forward by NumPy's LAPACK on the tensors' memory, backward by operations.

Nothing here checks shapes: `_checks` does, in the functions that users call. Formulas: Giles, "An
extended collection of matrix derivative results" (2008); Walter and Lehmann (2010) for QR; Golub
and Pereyra (1973) for the pseudoinverse; Murray (2016) for Cholesky.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import _core, _functions
from .._arrays import tensor_of, view_of
from .._core import Tensor
from .._placing import diag_embed
from ..autograd.function import Function


class LinAlgError(RuntimeError):
    """A matrix is singular, not positive definite, or an iteration does not converge."""


def call(name: str, what: str, function: Callable[..., Any], *arrays: Any) -> Any:
    """Call NumPy; where it fails, say which matrix of the batch it was and what it is."""
    try:
        with np.errstate(all="ignore"):  # overflow gives infinity, as everywhere here
            return function(*arrays)
    except np.linalg.LinAlgError:
        batch = np.ndindex(arrays[0].shape[:-2])
        at = next((i for i in batch if _fails(function, i, arrays)), ())
        place = f" {at if len(at) > 1 else at[0]} of the batch" if at else ""
        raise LinAlgError(f"{name}: the matrix{place} {what}") from None


def _fails(function: Callable[..., Any], at: tuple[int, ...], arrays: Any) -> bool:
    try:
        function(*(array[at] for array in arrays))
    except np.linalg.LinAlgError:
        return True
    return False


SINGULAR = "is singular; linalg.pinv and linalg.lstsq take such matrices"
NOT_CONVERGED = "gave no convergence; is it free of NaN and infinity?"


def identity(like: Tensor) -> Tensor:
    """The identity for the last dimension of a tensor."""
    return _functions.eye(like.shape[-1], dtype=like.dtype)


def constant(value: Tensor, of: Tensor) -> Tensor:
    """The value in the shape of a tensor, with a gradient of 0 for it."""
    return _core.where(_core.ones((), dtype=_core.bool), value, of)


def _divisors(gaps: Tensor) -> Tensor:
    """Differences between values, by which rotations are divided; infinity on the diagonal."""
    return _core.where(identity(gaps) > 0, float("inf"), gaps)


# ---------------------------------------------------------------- equations


class Solve(Function):
    """``inverse(a) @ b`` of matrices with one and the same batch."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, name: str) -> Tensor:
        x = tensor_of(call(name, SINGULAR, np.linalg.solve, view_of(a), view_of(b)))
        ctx.save_for_backward(a, x)
        ctx.name = name
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, x = ctx.saved_tensors
        slope = Solve.apply(a.mT, grad, ctx.name)
        return -(slope @ x.mT) if ctx.needs_input_grad[0] else None, slope, None


class Inverse(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, name: str) -> Tensor:
        result = tensor_of(call(name, SINGULAR, np.linalg.inv, view_of(a)))
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (inverse,) = ctx.saved_tensors
        return -(inverse.mT @ grad @ inverse.mT), None


def _reciprocal(values: Any, cutoff: Any) -> Any:
    """1 / values, 0 for those that count as 0."""
    kept = np.abs(values) > cutoff
    return np.where(kept, 1 / np.where(kept, values, 1), 0)


def _pseudoinverse_slope(a: Tensor, inverse: Tensor, grad: Tensor) -> Tensor:
    """Gradient of ``a`` from that of its pseudoinverse, at constant rank."""
    p, g = inverse.mT, grad.mT
    left, right = g - a @ (inverse @ g), g - (g @ inverse) @ a
    return left @ (inverse @ p) + (p @ inverse) @ right - p @ grad @ p


class PseudoInverse(Function):
    """By singular values, or by eigenvalues of a symmetric matrix; ``atol`` and ``rtol`` arrays."""

    @staticmethod
    @np.errstate(all="ignore")
    def forward(ctx: Any, a: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
        array = view_of(a)
        if hermitian:
            values, v = call("linalg.pinv", NOT_CONVERGED, np.linalg.eigh, array)
            u = np.swapaxes(v, -1, -2)
        else:
            u, values, v = call("linalg.pinv", NOT_CONVERGED, _thin_svd, array)
            u, v = np.swapaxes(u, -1, -2), np.swapaxes(v, -1, -2)
        largest = np.abs(values).max(-1, initial=0.0)
        small = np.maximum(atol, rtol * largest)[..., None]
        inverse = (v * _reciprocal(values, small)[..., None, :]) @ u
        result = tensor_of(inverse.astype(array.dtype, copy=False))
        ctx.save_for_backward(a, result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, inverse = ctx.saved_tensors
        return _pseudoinverse_slope(a, inverse, grad), None, None, None


class LeastSquares(Function):
    """The shortest ``x`` with the least ``norm(a @ x - b)``, the rank and the singular values."""

    @staticmethod
    @np.errstate(all="ignore")
    def forward(ctx: Any, a: Tensor, b: Tensor, rcond: float) -> Any:
        u, s, vh = call("linalg.lstsq", NOT_CONVERGED, _thin_svd, view_of(a))
        small = rcond * s.max(-1, initial=0.0)[..., None]
        x = np.swapaxes(u, -1, -2) @ view_of(b)
        x = np.swapaxes(vh, -1, -2) @ (_reciprocal(s, small)[..., None] * x)
        results = tensor_of(x.astype(s.dtype, copy=False)), tensor_of((s > small).sum(-1))
        values = tensor_of(s)
        ctx.save_for_backward(a, b)
        ctx.rcond = rcond
        ctx.mark_non_differentiable(results[1], values)
        return *results, values

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> Any:
        a, b = ctx.saved_tensors
        inverse = PseudoInverse.apply(a, 0.0, ctx.rcond, False)
        slope = None
        if ctx.needs_input_grad[0]:
            slope = _pseudoinverse_slope(a, inverse, grad @ b.mT)
        return slope, inverse.mT @ grad, None


# ---------------------------------------------------------------- determinants


def _cofactors(a: Tensor, det: Tensor) -> Tensor:
    """``det * inverse.mT``, by singular values where there is no inverse."""
    _, s, _ = call("linalg.det: backward", NOT_CONVERGED, _thin_svd, view_of(a))
    eps = np.finfo(s.dtype).eps * a.shape[-1]
    lost = s.min(-1, initial=np.inf) <= eps * s.max(-1, initial=0.0)
    if not lost.any():
        regular: Tensor = det[..., None, None] * Inverse.apply(a, "linalg.det").mT
        return regular
    singular = tensor_of(lost)[..., None, None]
    safe = _core.where(singular, identity(a), a)
    cofactors = det[..., None, None] * Inverse.apply(safe, "linalg.det").mT
    apart = tensor_of(np.diag(np.arange(1, a.shape[-1] + 1, dtype=a.dtype.name)))  # distinct ones
    u, s, vh = SVD.apply(_core.where(singular, a, apart), False, "linalg.det")
    sign = tensor_of(np.linalg.det(view_of(u)) * np.linalg.det(view_of(vh))).round()
    others = _core.where(identity(a) > 0, 1, s.unsqueeze(-2)).prod(-1)
    by_values = sign.to(a.dtype)[..., None, None] * ((u * others.unsqueeze(-2)) @ vh)
    result: Tensor = _core.where(singular, by_values, cofactors)
    return result


class Determinant(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        result = tensor_of(call("linalg.det", SINGULAR, np.linalg.det, view_of(a)))
        ctx.save_for_backward(a, result)
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        a, det = ctx.saved_tensors
        return grad[..., None, None] * _cofactors(a, det)


class LogDeterminant(Function):
    """The sign of the determinant and the logarithm of its magnitude."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        sign, size = map(tensor_of, call("linalg.slogdet", SINGULAR, np.linalg.slogdet, view_of(a)))
        ctx.save_for_backward(a)
        return sign, size

    @staticmethod
    def backward(ctx: Any, _: Any, grad: Tensor) -> Any:
        (a,) = ctx.saved_tensors
        return grad[..., None, None] * Inverse.apply(a, "linalg.slogdet: backward").mT


# ---------------------------------------------------------------- factorizations


def triangular(a: Tensor, b: Tensor, upper: bool, name: str) -> Tensor:
    """``inverse(a) @ b`` for a triangular ``a``, of which the other half is not read."""
    result: Tensor = Solve.apply(a.triu() if upper else a.tril(), b, name)
    return result


class Cholesky(Function):
    """The lower factor of a symmetric matrix, of which the upper half is not read."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, name: str) -> Tensor:
        what = "is not positive definite"
        result = tensor_of(call(name, what, np.linalg.cholesky, view_of(a)))
        ctx.save_for_backward(result)
        ctx.name = name
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (lower,) = ctx.saved_tensors
        inner = (lower.mT @ grad).tril()
        inner = (inner + inner.tril(-1).mT) / 2
        half = triangular(lower.mT, inner, True, ctx.name)
        return triangular(lower.mT, half.mT, True, ctx.name), None


class QR(Function):
    """``q`` and ``r`` for matrices that are not wide."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Any:
        q, r = (tensor_of(x) for x in np.linalg.qr(view_of(a)))
        ctx.save_for_backward(q, r)
        return q, r

    @staticmethod
    def backward(ctx: Any, grad_q: Tensor, grad_r: Tensor) -> Any:
        q, r = ctx.saved_tensors
        inner = r @ grad_r.mT - grad_q.mT @ q
        slope = grad_q + q @ (inner.tril() + inner.tril(-1).mT)
        return triangular(r, slope.mT, True, "linalg.qr: backward").mT


class SymmetricEigen(Function):
    """Eigenvalues and eigenvectors of a symmetric matrix, of which one half is read."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, uplo: str, name: str) -> Any:
        values, vectors = call(name, NOT_CONVERGED, partial(np.linalg.eigh, UPLO=uplo), view_of(a))
        results = tensor_of(values), tensor_of(vectors)
        ctx.save_for_backward(*results)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, grad_values: Any, grad_vectors: Any) -> Any:
        values, vectors = ctx.saved_tensors
        if grad_vectors is None:
            return (vectors * grad_values.unsqueeze(-2)) @ vectors.mT, None, None
        gaps = _divisors(values.unsqueeze(-2) - values.unsqueeze(-1))
        inner = (vectors.mT @ grad_vectors) / gaps
        inner = (inner + inner.mT) / 2
        if grad_values is not None:
            inner = inner + diag_embed(grad_values)
        return vectors @ inner @ vectors.mT, None, None


class Eigen(Function):
    """Eigenvalues and eigenvectors of a matrix that has real ones."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, name: str) -> Any:
        values, vectors = call(name, NOT_CONVERGED, np.linalg.eig, view_of(a))
        if np.iscomplexobj(values):
            raise LinAlgError(
                f"{name}: the matrix has complex eigenvalues, and there are no complex dtypes; use "
                "numpy.linalg.eig(x.numpy()), or eigh for symmetric matrices"
            )
        results = tensor_of(values), tensor_of(vectors)
        ctx.save_for_backward(*results)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, grad_values: Any, grad_vectors: Any) -> Any:
        values, vectors = ctx.saved_tensors
        if grad_vectors is None:
            inner = diag_embed(grad_values)
        else:
            turn = vectors.mT @ grad_vectors
            along = (vectors * grad_vectors).sum(-2, True)  # their length is fixed
            gaps = _divisors(values.unsqueeze(-2) - values.unsqueeze(-1))
            inner = (turn - (vectors.mT @ vectors) * along) / gaps
            if grad_values is not None:
                inner = inner + diag_embed(grad_values)
        return Solve.apply(vectors.mT, inner @ vectors.mT, "linalg.eig: backward"), None


def _thin_svd(array: Any) -> Any:
    return np.linalg.svd(array, full_matrices=False)


class SVD(Function):
    """``u``, the singular values and ``v.mT``; columns that complete a basis have no gradient."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, full_matrices: bool, name: str) -> Any:
        function = np.linalg.svd if full_matrices else _thin_svd
        results = tuple(tensor_of(x) for x in call(name, NOT_CONVERGED, function, view_of(a)))
        ctx.save_for_backward(*results)
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, grad_u: Any, grad_s: Any, grad_vh: Any) -> Any:
        u, s, vh = ctx.saved_tensors
        k = s.shape[-1]
        u, vh = u.narrow(-1, 0, k), vh.narrow(-2, 0, k)
        if grad_u is None and grad_vh is None:
            return (u * grad_s.unsqueeze(-2)) @ vh, None, None
        row, column = s.unsqueeze(-2), s.unsqueeze(-1)
        gaps = _divisors((row - column) * (row + column))
        inner = diag_embed(grad_s) if grad_s is not None else 0.0
        rest = 0.0  # outside of the spaces of u and v
        if grad_u is not None:
            grad_u = grad_u.narrow(-1, 0, k)
            turn = u.mT @ grad_u
            inner = inner + (turn - turn.mT) / gaps * row
            if u.shape[-2] > k:
                rest = rest + ((grad_u - u @ turn) / row) @ vh
        if grad_vh is not None:
            grad_vh = grad_vh.narrow(-2, 0, k)
            turn = grad_vh @ vh.mT
            inner = inner + column * (turn.mT - turn) / gaps
            if vh.shape[-1] > k:
                rest = rest + u @ ((grad_vh - turn @ vh) / column)
        return u @ inner @ vh + rest, None, None
