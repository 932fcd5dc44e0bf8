"""Linear algebra, with torch.linalg's names and meanings.

Results come from NumPy's LAPACK, which reads the tensors' memory; gradients of any order are
formulas made of tensor operations. All functions take stacks of matrices, ``(*, m, n)``.

    >>> a = cr.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    >>> cr.linalg.det(a).backward()
    >>> a.grad.round(decimals=4)
    tensor([[ 3., -1.],
            [-1.,  2.]])
"""

from __future__ import annotations

from typing import Any

from ._factors import (
    cholesky,
    cholesky_ex,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    householder_product,
    qr,
    svd,
    svdvals,
)
from ._lapack import LinAlgError
from ._norms import cond, matrix_norm, matrix_rank, norm, vector_norm
from ._products import (
    cross,
    diagonal,
    matmul,
    matrix_exp,
    matrix_power,
    multi_dot,
    vander,
    vecdot,
)
from ._solving import (
    det,
    inv,
    inv_ex,
    lstsq,
    pinv,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
    tensorinv,
    tensorsolve,
)

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet",
    "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander",
    "vecdot", "vector_norm",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    from .._absent import missing

    raise missing("linalg", name)
