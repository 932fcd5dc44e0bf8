"""Products and powers of matrices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core, _products
from .._arrays import tensor_of, view_of
from .._core import Tensor
from ._checks import square
from ._lapack import Inverse, constant, identity


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Product of matrices; the same as ``chainrule.matmul``.

    Example:
        >>> cr.linalg.matmul(cr.tensor([[1, 2]]), cr.tensor([[3], [4]]))
        tensor([[11]])
    """
    result: Tensor = _core.matmul(input, other)
    return result


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Product of two or more matrices in the order that takes the fewest multiplications.

    Args:
        tensors: matrices whose sizes fit; the first and the last may be vectors, a row and a
            column.

    Raises:
        ValueError: for fewer operands, other shapes, or sizes that do not fit.

    Example:
        >>> cr.linalg.multi_dot([cr.ones(2, 3), cr.ones(3, 4), cr.ones(4)])
        tensor([12., 12.])
    """
    chain = list(tensors)
    if not all(isinstance(t, Tensor) for t in chain):
        raise TypeError(f"linalg.multi_dot: expected tensors (got {chain})")
    if len(chain) < 2:
        raise ValueError(f"linalg.multi_dot: expected at least 2 tensors (got {len(chain)})")
    ends = chain[0].ndim == 1, chain[-1].ndim == 1
    if ends[0]:
        chain[0] = chain[0].unsqueeze(0)
    if ends[1]:
        chain[-1] = chain[-1].unsqueeze(1)
    for place, (a, b) in enumerate(itertools.pairwise(chain)):
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
            raise ValueError(
                f"linalg.multi_dot: operands {place} and {place + 1} do not fit "
                f"(got shapes {tensors[place].shape} and {tensors[place + 1].shape})"
            )
    result = _products.chain_matmul(*chain)
    if ends[1]:
        result = result.squeeze(1)
    return result.squeeze(0) if ends[0] else result


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Cross product of vectors of three elements.

    Args:
        input: tensor with size 3 along the dimension.
        other: tensor of as many dimensions; they broadcast.
        dim: the dimension of the vectors.

    Raises:
        ValueError: when the numbers of dimensions differ, or the size is not 3.

    Example:
        >>> cr.linalg.cross(cr.tensor([1, 0, 0]), cr.tensor([0, 1, 0]))
        tensor([0, 0, 1])
    """
    if input.ndim != other.ndim:
        raise ValueError(
            "linalg.cross: the tensors must have as many dimensions "
            f"(got shapes {input.shape} and {other.shape})"
        )
    return _products.cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """View of the diagonals of matrices.

    Args:
        A: tensor of two or more dimensions.
        offset: how far above the main diagonal, below it if negative.
        dim1: the dimension of rows.
        dim2: the dimension of columns.

    Example:
        >>> cr.linalg.diagonal(cr.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    result: Tensor = _core.diagonal(A, offset, dim1, dim2)
    return result


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Dot products of vectors along a dimension; the tensors broadcast.

    Args:
        x: tensor.
        y: tensor of the same size along the dimension.
        dim: the dimension of the vectors.

    Raises:
        ValueError: when the shapes do not broadcast.

    Example:
        >>> cr.linalg.vecdot(cr.tensor([[1, 2], [3, 4]]), cr.tensor([1, 1]))
        tensor([3, 7])
    """
    product = x * y
    return product.sum(dim, dtype=product.dtype)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Vandermonde matrices: the powers 0 to ``N - 1`` of each element.

    Args:
        x: tensor ``(*, n)``.
        N: number of powers; by default n.

    Returns:
        Tensor ``(*, n, N)``, of int64 for integers.

    Raises:
        ValueError: when ``N`` is not at least 2.

    Example:
        >>> cr.linalg.vander(cr.tensor([2, 3]), N=3)
        tensor([[1, 2, 4],
                [1, 3, 9]])
    """
    x = x.reshape(1) if x.ndim == 0 else x
    count = x.shape[-1] if N is None else N
    if count < 2 and N is not None:
        raise ValueError(f"linalg.vander: N must be 2 or more (got {count})")
    column = x.unsqueeze(-1)
    factors = [_core.ones_like(column), column.expand(*x.shape, max(count - 1, 0))]
    return _core.cat(factors, -1).cumprod(-1).narrow(-1, 0, count)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """Power of square matrices, by repeated squaring; of the inverse for a negative one.

    Args:
        A: tensor ``(*, n, n)``, of float32 or float64 for a negative power.
        n: the power.

    Raises:
        LinAlgError: for a negative power of a singular matrix.
        ValueError: when the matrices are not square.

    Example:
        >>> cr.linalg.matrix_power(cr.tensor([[1, 1], [1, 0]]), 10)
        tensor([[89, 55],
                [55, 34]])
    """
    name = "linalg.matrix_power"
    if not isinstance(A, Tensor) or A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        what = A.shape if isinstance(A, Tensor) else type(A).__name__
        raise ValueError(f"{name}: expected square matrices (*, n, n) (got {what})")
    if not isinstance(n, int):
        raise TypeError(f"{name}: expected an int as the power (got {type(n).__name__})")
    if n < 0:
        A, n = Inverse.apply(square(name, A), name), -n
    if n == 0:
        return constant(identity(A), A)
    result: Any = None
    while True:
        if n & 1:
            result = A if result is None else result @ A
        n >>= 1
        if not n:
            return result.clone() if result is A else result
        A = A @ A


def matrix_exp(A: Tensor) -> Tensor:
    """Exponential of square matrices: ``sum(A**k / k!)``.

    Computed as Taylor's series of ``A / 2**s``, whose norm is at most 1/2, squared s times (Moler
    and Van Loan, 2003).

    Args:
        A: tensor ``(*, n, n)`` of float32 or float64.

    Raises:
        ValueError: when the matrices are not square.
        TypeError: for other dtypes.

    Example:
        >>> cr.linalg.matrix_exp(cr.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    square("linalg.matrix_exp", A)
    sizes = np.abs(view_of(A)).sum(-1).max(-1, initial=0.0)
    finite = np.where(np.isfinite(sizes) & (sizes > 0), sizes, 0.5)
    squarings = np.maximum(np.ceil(np.log2(finite)) + 1, 0).astype(np.int64)[..., None, None]
    small = A / tensor_of(2.0**squarings).to(A.dtype)
    one = identity(A)
    result = _core.expand(one, A.shape)
    for k in range(14, 0, -1):  # leaves 0.5**15 / 15! = 2e-17
        result = one + small @ result / k
    for step in range(int(squarings.max(initial=0))):
        result = _core.where(tensor_of(squarings > step), result @ result, result)
    return result
