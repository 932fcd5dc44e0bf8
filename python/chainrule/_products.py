"""Products of tensors: Einstein summation and its kin, distances, covariance.

Everything is a composition of matmul, products, sums and views, so gradients of every order follow.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from . import _core, _functions
from ._arrays import dimension, in_place, tensor_of
from ._core import Tensor

__all__ = [
    "addbmm", "addmv", "addmv_", "addr", "block_diag", "cartesian_prod", "cdist", "chain_matmul",
    "combinations", "corrcoef", "cov", "cross", "einsum", "inner", "kron", "pdist", "tensordot",
    "trace", "vander", "vdot",
]  # fmt: skip

METHODS = (
    "addbmm", "addbmm_", "addmv", "addmv_", "addr", "addr_", "corrcoef", "cov", "cross", "inner",
    "kron", "trace", "vdot",
)  # fmt: skip

# ---------------------------------------------------------------- einsum

_ELLIPSIS = "..."
_Labels = list[str]  # one for each dimension


def _parse(term: str, equation: str) -> _Labels:
    """The labels of one operand; an ellipsis counts as one."""
    before, dots, after = term.partition(_ELLIPSIS)
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise ValueError(
                f"einsum: subscripts must be letters (got {letter!r} in {equation!r}); "
                "expected for example 'ij,jk->ik'"
            )
    return [*before, *([_ELLIPSIS] if dots else []), *after]


def _name_dimensions(labels: _Labels, rank: int, equation: str, what: str) -> _Labels:
    """Give the dimensions under an ellipsis names of their own, counted from the last."""
    hidden = rank - len(labels) + (_ELLIPSIS in labels)
    if hidden < 0 or (hidden > 0 and _ELLIPSIS not in labels):
        raise ValueError(
            f"einsum: {what} has {rank} dimensions, but {equation!r} gives it "
            f"{len([x for x in labels if x != _ELLIPSIS])} subscripts"
        )
    names = [f"...{d}" for d in range(hidden, 0, -1)]
    at = labels.index(_ELLIPSIS) if _ELLIPSIS in labels else 0
    return labels[:at] + names + labels[at + (_ELLIPSIS in labels) :]


def _take_diagonals(operand: Tensor, labels: _Labels) -> tuple[Tensor, _Labels]:
    """Replace dimensions of the same label by their diagonal."""
    for label in set(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if operand.shape[first] != operand.shape[second]:
                raise ValueError(
                    f"einsum: subscript {label!r} is repeated within an operand, whose dimensions "
                    f"must be equal then (got {operand.shape[first]} and {operand.shape[second]})"
                )
            operand = operand.diagonal(0, first, second)
            labels = [x for d, x in enumerate(labels) if d not in (first, second)] + [label]
    return operand, labels


def _sum_out(operand: Tensor, labels: _Labels, keep: set[str]) -> tuple[Tensor, _Labels]:
    """Sum over the dimensions that nobody else needs."""
    gone = [d for d, label in enumerate(labels) if label not in keep]
    if gone:
        operand = operand.sum(gone)
    return operand, [label for label in labels if label in keep]


def _squeeze_ones(
    operand: Tensor, labels: _Labels, sizes: dict[str, int]
) -> tuple[Tensor, _Labels]:
    """Drop dimensions of size 1 that another operand has with a larger size."""
    ones = [d for d, label in enumerate(labels) if operand.shape[d] == 1 != sizes[label]]
    if ones:
        operand = operand.squeeze(ones)
    return operand, [label for d, label in enumerate(labels) if d not in ones]


def _contract(
    a: Tensor, left: _Labels, b: Tensor, right: _Labels, keep: set[str]
) -> tuple[Tensor, _Labels]:
    """Multiply two operands and sum over the labels that neither keeps, by one batched matmul."""
    a, left = _sum_out(a, left, keep | set(right))
    b, right = _sum_out(b, right, keep | set(left))
    sizes = dict(zip(left + right, (*a.shape, *b.shape), strict=True))
    shared = [x for x in left if x in right]
    batch, summed = [x for x in shared if x in keep], [x for x in shared if x not in keep]
    rows, columns = [x for x in left if x not in shared], [x for x in right if x not in shared]
    n, k = math.prod(sizes[x] for x in batch), math.prod(sizes[x] for x in summed)
    a = a.permute([left.index(x) for x in batch + rows + summed]).reshape(
        n, math.prod(sizes[x] for x in rows), k
    )
    b = b.permute([right.index(x) for x in batch + summed + columns]).reshape(
        n, k, math.prod(sizes[x] for x in columns)
    )
    labels = batch + rows + columns
    product = _core.matmul(a, b) if summed else a * b
    return product.reshape([sizes[x] for x in labels]), labels


def _next_pair(operands: list[tuple[Tensor, _Labels]], sizes: dict[str, int]) -> tuple[int, int]:
    """The pair whose contraction takes the fewest multiplications."""
    return min(
        itertools.combinations(range(len(operands)), 2),
        key=lambda pair: math.prod(
            sizes[x] for x in {*operands[pair[0]][1], *operands[pair[1]][1]}
        ),
    )


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum products of elements along the dimensions that the equation names.

    ``"ij,jk->ik"`` multiplies ``a[i, j] * b[j, k]`` and sums over ``j``, which is not in the
    output. Without ``->`` the output has the letters that occur once, in alphabetic order. A letter
    repeated within an operand takes the diagonal; ``...`` stands for further dimensions, which
    broadcast and come first in an output that is not written out. Several operands are contracted
    in pairs, the cheapest first, each pair by one matrix product.

    Args:
        equation: subscripts of the operands, separated by commas, and perhaps of the output.
        operands: tensors of one dtype, or one sequence of them.

    Raises:
        ValueError: when the equation and the shapes do not fit together.
        TypeError: for dtypes that differ.

    Example:
        >>> a, b = cr.ones(2, 3), cr.ones(3, 4)
        >>> cr.einsum("ij,jk->ik", a, b).shape
        (2, 4)
        >>> cr.einsum("ii", cr.tensor([[1, 2], [3, 4]]))
        tensor(5)
    """
    if len(operands) == 1 and not isinstance(operands[0], Tensor):
        operands = tuple(operands[0])
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands) or not operands:
        raise ValueError(
            f"einsum: {equation!r} has {len(terms)} operands (got {len(operands)} tensors)"
        )
    kinds = {operand.dtype.name for operand in operands}
    if len(kinds) > 1:
        raise TypeError(f"einsum: operands differ in dtype (got {sorted(kinds)}); use .to(dtype)")
    named, sizes = [], dict[str, int]()
    for i, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        labels = _name_dimensions(_parse(term, equation), operand.ndim, equation, f"operand {i}")
        for label, size in zip(labels, operand.shape, strict=True):
            known = sizes.get(label, 1)
            if known not in (1, size) and size != 1:
                shapes = ", ".join(str(o.shape) for o in operands)
                raise ValueError(
                    f"einsum: subscript {label!r} of {equation!r} has sizes {known} and {size} "
                    f"(got shapes {shapes})"
                )
            sizes[label] = size if known == 1 else known
        named.append(_take_diagonals(operand, labels))
    hidden = sorted((x for x in sizes if x.startswith(_ELLIPSIS)), key=lambda x: -int(x[3:]))
    if arrow:
        wanted = _parse(output, equation)
        at = wanted.index(_ELLIPSIS) if _ELLIPSIS in wanted else None
        if at is not None:
            wanted[at : at + 1] = hidden
        for label in wanted:
            if label not in sizes or wanted.count(label) > 1:
                raise ValueError(
                    f"einsum: output subscript {label!r} of {equation!r} must occur once in the "
                    "output, and in an operand"
                )
    else:
        once = sorted(x for x in sizes if inputs.count(x) == 1 and not x.startswith(_ELLIPSIS))
        wanted = hidden + once
    named = [_squeeze_ones(operand, labels, sizes) for operand, labels in named]
    while len(named) > 1:
        i, j = _next_pair(named, sizes)
        b, a = named.pop(j), named.pop(i)
        keep = set(wanted).union(*[labels for _, labels in named])
        named.append(_contract(*a, *b, keep))
    result, labels = _sum_out(*named[0], set(wanted))
    return result.permute([labels.index(x) for x in wanted]) if labels != wanted else result


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum products over some dimensions of two tensors.

    Args:
        a: first tensor.
        b: second tensor.
        dims: how many of the last dimensions of ``a`` meet the first of ``b``, or two sequences
            naming the dimensions that meet, of equal sizes (or 1).

    Returns:
        The other dimensions of ``a``, then those of ``b``.

    Raises:
        ValueError: when sizes that meet differ.

    Example:
        >>> cr.tensordot(cr.ones(2, 3, 4), cr.ones(3, 4, 5)).shape
        (2, 5)
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ValueError(
                f"tensordot: cannot sum over {dims} dimensions (got shapes {a.shape} and {b.shape})"
            )
        left, right = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        pair = [[d] if isinstance(d, int) else list(d) for d in dims]
        if len(pair) != 2 or len(pair[0]) != len(pair[1]):
            raise ValueError(f"tensordot: dims must be two sequences of one length (got {dims})")
        left = [dimension("tensordot", a, d) for d in pair[0]]
        right = [dimension("tensordot", b, d) for d in pair[1]]
    for d, e in zip(left, right, strict=False):  # a size of 1 meets any other, whose sum it takes
        if a.shape[d] == 1 != b.shape[e]:
            b = b.sum(e, True)
        elif b.shape[e] == 1 != a.shape[d]:
            a = a.sum(d, True)
    met = [a.shape[d] for d in left], [b.shape[d] for d in right]
    if met[0] != met[1] or len(set(left)) < len(left) or len(set(right)) < len(right):
        raise ValueError(
            f"tensordot: dimensions {tuple(left)} and {tuple(right)} do not fit "
            f"(got shapes {a.shape} and {b.shape}); expected distinct ones of the same sizes"
        )
    rows = [d for d in range(a.ndim) if d not in left]
    columns = [d for d in range(b.ndim) if d not in right]
    k = math.prod(met[0])
    shape = [a.shape[d] for d in rows] + [b.shape[d] for d in columns]
    product = _core.matmul(
        a.permute(rows + left).reshape(math.prod(shape[: len(rows)]), k),
        b.permute(right + columns).reshape(k, math.prod(shape[len(rows) :])),
    )
    return product.reshape(shape)


# ---------------------------------------------------------------- products of two


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: blocks of ``other``, one scaled by each element of ``input``.

    Args:
        input: tensor of any shape.
        other: tensor of any shape; the shorter shape is filled up with ones in front.

    Example:
        >>> cr.kron(cr.tensor([1, 10]), cr.tensor([1, 2]))
        tensor([ 1,  2, 10, 20])
    """
    rank = max(input.ndim, other.ndim)
    a = (*[1] * (rank - input.ndim), *input.shape)
    b = (*[1] * (rank - other.ndim), *other.shape)
    outer = [x for size in a for x in (size, 1)], [x for size in b for x in (1, size)]
    product = input.reshape(outer[0]) * other.reshape(outer[1])
    return product.reshape([x * y for x, y in zip(a, b, strict=True)])


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sum products over the last dimension of both; of a number, its product with the other.

    Raises:
        ValueError: when the last sizes differ.

    Example:
        >>> cr.inner(cr.tensor([1, 2]), cr.tensor([[3, 4], [5, 6]]))
        tensor([11, 17])
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"inner: the last sizes must be equal (got shapes {input.shape} and {other.shape})"
        )
    return tensordot(input, other, ([-1], [-1]))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Cross product of vectors of three elements.

    Args:
        input: tensor with a dimension of size 3.
        other: tensor that broadcasts with it.
        dim: the dimension of the vectors; by default the first of size 3.

    Raises:
        ValueError: when the dimension has not size 3.

    Example:
        >>> cr.cross(cr.tensor([1, 0, 0]), cr.tensor([0, 1, 0]))
        tensor([0, 0, 1])
    """
    a, b = _functions.broadcast_tensors(input, other)
    if dim is None:
        if 3 not in a.shape:
            raise ValueError(f"cross: no dimension has size 3 (got shape {a.shape})")
        dim = a.shape.index(3)
    dim = dimension("cross", a, dim)
    if a.shape[dim : dim + 1] != (3,):
        raise ValueError(f"cross: dimension {dim} must have size 3 (got shape {a.shape})")

    def turn(x: Tensor, by: int) -> Tensor:
        return _functions.roll(x, -by, dim)

    return turn(a, 1) * turn(b, 2) - turn(a, 2) * turn(b, 1)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Dot product of two vectors; of real numbers the same as ``dot``.

    Raises:
        ValueError: when they are not vectors of one length.

    Example:
        >>> cr.vdot(cr.tensor([1, 2]), cr.tensor([3, 4]))
        tensor(11)
    """
    result: Tensor = _core.dot(input, other)
    return result


def _cheapest_cuts(sizes: list[int]) -> dict[tuple[int, int], int]:
    """After which factor to split the product of factors i to j; factor i is sizes[i], sizes[i+1].

    The fewest multiplications, by dynamic programming (Cormen et al., "Introduction to Algorithms",
    15.2).
    """
    n = len(sizes) - 1
    cost, cut = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return cut


def chain_matmul(*matrices: Any) -> Tensor:
    """Product of matrices, in the order that takes the fewest multiplications.

    Args:
        matrices: matrices whose sizes fit.

    Raises:
        ValueError: for operands that are no matrices, or do not fit.

    Example:
        >>> cr.chain_matmul(cr.ones(2, 3), cr.ones(3, 4), cr.ones(4, 1)).shape
        (2, 1)
    """
    chain: list[Tensor] = list(matrices)
    if not chain or any(m.ndim != 2 for m in chain):
        raise ValueError(f"chain_matmul: expected matrices (got shapes {[m.shape for m in chain]})")
    cut = _cheapest_cuts([chain[0].shape[0], *(m.shape[1] for m in chain)])

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return chain[i]
        result: Tensor = _core.mm(product(i, cut[i, j]), product(cut[i, j] + 1, j))
        return result

    return product(0, len(chain) - 1)


# ---------------------------------------------------------------- sums with products


def _plus(name: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """``beta * input + alpha * product``; with ``beta=0`` the input is not read."""
    if input.dtype is not product.dtype:
        raise TypeError(
            f"{name}: operands differ in dtype (got {input.dtype.name} and {product.dtype.name}); "
            "use .to(dtype)"
        )
    if not product.is_floating_point() and not (beta == int(beta) and alpha == int(alpha)):
        raise ValueError(
            f"{name}: got factors {beta} and {alpha}; expected whole numbers for dtype "
            f"{product.dtype.name}"
        )
    if not product.is_floating_point():
        beta, alpha = int(beta), int(alpha)
    extra = product.ndim - input.ndim
    sizes = zip(input.shape, product.shape[max(extra, 0) :], strict=False)
    if extra < 0 or any(own not in (1, size) for own, size in sizes):
        raise ValueError(
            f"{name}: input of shape {input.shape} does not broadcast to the product's shape "
            f"{product.shape}"
        )
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled
    return (input if beta == 1 else input * beta) + scaled


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * mat @ vec``.

    Args:
        input: tensor that broadcasts to (M,).
        mat: matrix (M, K).
        vec: vector (K,).
        beta: factor of the input; with 0 the input is not read.
        alpha: factor of the product.

    Raises:
        ValueError: when the shapes do not fit.

    Example:
        >>> cr.addmv(cr.ones(2), cr.ones(2, 3), cr.ones(3))
        tensor([4., 4.])
    """
    return _plus("addmv", input, _core.mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``.

    Args:
        input: tensor that broadcasts to (M, N).
        vec1: vector (M,).
        vec2: vector (N,).
        beta: factor of the input; with 0 the input is not read.
        alpha: factor of the product.

    Raises:
        ValueError: when the shapes do not fit.

    Example:
        >>> cr.addr(cr.zeros(2, 2), cr.tensor([1.0, 2.0]), cr.tensor([3.0, 4.0]))
        tensor([[3., 4.],
                [6., 8.]])
    """
    return _plus("addr", input, _core.outer(vec1, vec2), beta, alpha)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta * input + alpha * sum(batch1 @ batch2)``, the sum over the batch.

    Args:
        input: tensor that broadcasts to (M, N).
        batch1: tensor (B, M, K).
        batch2: tensor (B, K, N).
        beta: factor of the input; with 0 the input is not read.
        alpha: factor of the product.

    Raises:
        ValueError: when the shapes do not fit.

    Example:
        >>> cr.addbmm(cr.zeros(2, 2), cr.ones(5, 2, 3), cr.ones(5, 3, 2))
        tensor([[15., 15.],
                [15., 15.]])
    """
    product = _core.bmm(batch1, batch2)
    return _plus("addbmm", input, product.sum(0, dtype=product.dtype), beta, alpha)


def trace(input: Tensor) -> Tensor:
    """Sum of the diagonal of a matrix.

    Raises:
        ValueError: when the input is no matrix.

    Example:
        >>> cr.trace(cr.tensor([[1, 2], [3, 4]]))
        tensor(5)
    """
    if input.ndim != 2:
        raise ValueError(f"trace: expected a matrix (got shape {input.shape})")
    return input.diagonal().sum()


def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:  # fmt: skip
    """Distances between all pairs of rows: the p-norm of ``x1[..., i, :] - x2[..., j, :]``.

    Args:
        x1: floating-point tensor ``(*, P, M)``.
        x2: floating-point tensor ``(*, R, M)``; leading dimensions broadcast.
        p: the norm, 0 (how many differ) to infinity (the largest difference).
        compute_mode: "use_mm_for_euclid_dist" computes the Euclidean distance by a matrix product,
            in less memory but with errors of the size of the vectors where they nearly agree;
            everything else takes norms of differences.

    Returns:
        Tensor ``(*, P, R)``; where two rows are equal the gradient is 0.

    Raises:
        ValueError: when the last sizes differ, ``p`` is negative or the mode is unknown.

    Example:
        >>> cr.cdist(cr.tensor([[0.0, 0.0]]), cr.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[5., 1.]])
    """
    modes = tuple(f"{x}use_mm_for_euclid_dist" for x in ("", "donot_"))
    if compute_mode not in (*modes, "use_mm_for_euclid_dist_if_necessary"):
        raise ValueError(f"cdist: unknown compute_mode (got {compute_mode!r})")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(
            "cdist: expected (*, P, M) and (*, R, M) with the same M "
            f"(got {x1.shape} and {x2.shape})"
        )
    if not p >= 0:
        raise ValueError(f"cdist: p must not be negative (got {p})")
    if p != 2 or compute_mode != modes[0]:
        return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)
    square = x1.square().sum(-1, True) + x2.square().sum(-1).unsqueeze(-2) - 2 * (x1 @ x2.mT)
    apart = ~(square <= 0)  # true for NaN
    return _core.where(apart, square, 1.0).sqrt() * apart


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Distances between all pairs of different rows, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Args:
        input: floating-point matrix of N rows.
        p: the norm of the differences, 0 to infinity.

    Returns:
        Vector of N (N - 1) / 2 distances; where two rows are equal the gradient is 0.

    Raises:
        ValueError: when the input is no matrix or ``p`` is negative.

    Example:
        >>> cr.pdist(cr.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
        tensor([5.0000, 1.0000, 4.2426])
    """
    import numpy as np

    if input.ndim != 2:
        raise ValueError(f"pdist: expected a matrix (got shape {input.shape})")
    if not p >= 0:
        raise ValueError(f"pdist: p must not be negative (got {p})")
    first, second = (tensor_of(places) for places in np.triu_indices(input.shape[0], 1))
    result: Tensor = _core.norm(input.index_select(0, first) - input.index_select(0, second), p, -1)
    return result


# ---------------------------------------------------------------- covariance


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Covariance matrix of variables.

    Args:
        input: one variable per row and one observation per column, or a vector of observations.
        correction: what is taken off the number of observations in the divisor.
        fweights: how often each observation counts, a vector of integers.
        aweights: how important each observation is, a vector.

    Returns:
        Matrix of the variables' covariances, 0-d for a single variable.

    Raises:
        ValueError: for more than two dimensions and weights of another length.

    Example:
        >>> cr.cov(cr.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input.ndim > 2:
        raise ValueError(f"cov: expected a matrix or a vector (got shape {input.shape})")
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    if not rows.is_floating_point():
        rows = rows.to(_core.get_default_dtype())
    n = rows.shape[1]
    weights: Any = None
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None:
            if given.shape != (n,):
                raise ValueError(f"cov: {name} must have shape {(n,)} (got {given.shape})")
            weights = given if weights is None else weights * given
    if weights is None:
        total: Any = n
        centred = rows - rows.mean(1, True)
        weighted = centred
    else:
        weights = weights.to(rows.dtype)
        total = weights.sum()
        centred = rows - (rows * weights).sum(1, True) / total
        weighted = centred * weights
    lost: Any = correction
    if aweights is not None and correction:
        lost = correction * (weights * aweights).sum() / total
    left = total - lost
    divisor = left.clamp(min=0) if isinstance(left, Tensor) else max(left, 0)
    return (weighted @ centred.mT / divisor).squeeze()


def corrcoef(input: Tensor) -> Tensor:
    """Matrix of the correlation coefficients of variables; see :func:`cov`.

    Example:
        >>> cr.corrcoef(cr.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    covariance = cov(input)
    if covariance.ndim == 0:
        return covariance / covariance
    spread = covariance.diagonal().sqrt()
    return (covariance / spread.unsqueeze(1) / spread).clamp(-1, 1)


# ---------------------------------------------------------------- matrices and tuples


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Vandermonde matrix: the powers 0 to ``N - 1`` of each element.

    Args:
        x: vector.
        N: number of powers; by default the number of elements.
        increasing: whether the first column holds the power 0 rather than the last.

    Raises:
        ValueError: when the input is no vector or ``N`` is negative.

    Example:
        >>> cr.vander(cr.tensor([2, 3]), 3)
        tensor([[4, 2, 1],
                [9, 3, 1]])
    """
    if x.ndim != 1:
        raise ValueError(f"vander: expected a vector (got shape {x.shape})")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise ValueError(f"vander: N must not be negative (got {count})")
    if x.dtype is _core.bool:
        x = x.to(_core.int64)
    column = x.unsqueeze(1)
    factors = [_core.ones_like(column), column.expand(-1, max(count - 1, 0))]
    powers = _core.cat(factors, 1).cumprod(1, dtype=x.dtype).narrow(1, 0, count)
    return powers if increasing else powers.flip(1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrix with the given matrices along its diagonal, and 0 elsewhere.

    Args:
        tensors: matrices; vectors count as one row, numbers as one element.

    Raises:
        ValueError: for a tensor of more than two dimensions.

    Example:
        >>> cr.block_diag(cr.tensor([[1, 2]]), cr.tensor(3))
        tensor([[1, 2, 0],
                [0, 0, 3]])
    """
    for t in tensors:
        if t.ndim > 2:
            raise ValueError(f"block_diag: expected matrices (got shape {t.shape})")
    blocks = [t.reshape(1, -1) if t.ndim < 2 else t for t in tensors] or [_core.empty(1, 0)]
    width = sum(block.shape[1] for block in blocks)
    rows, left = [], 0
    for block in blocks:
        height, own = block.shape
        zeros = [_core.zeros(height, k, dtype=block.dtype) for k in (left, width - left - own)]
        rows.append(_core.cat([zeros[0], block, zeros[1]], 1))
        left += own
    return _core.cat(rows, 0)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each vector, in order, as rows.

    Raises:
        ValueError: when an argument is no vector.

    Example:
        >>> cr.cartesian_prod(cr.tensor([1, 2]), cr.tensor([5, 6]))
        tensor([[1, 5],
                [1, 6],
                [2, 5],
                [2, 6]])
    """
    for t in tensors:
        if t.ndim != 1:
            raise ValueError(f"cartesian_prod: expected vectors (got shape {t.shape})")
    if len(tensors) == 1:
        return tensors[0]
    return _core.stack([g.reshape(-1) for g in _functions.meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All selections of ``r`` elements of a vector, in order, as rows.

    Args:
        input: vector.
        r: how many elements.
        with_replacement: whether an element may be chosen more than once.

    Raises:
        ValueError: when the input is no vector or ``r`` is negative.

    Example:
        >>> cr.combinations(cr.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    import numpy as np

    if input.ndim != 1 or r < 0:
        raise ValueError(
            f"combinations: expected a vector and r of 0 or more (got shape {input.shape}, r={r})"
        )
    choose: Any = (
        itertools.combinations_with_replacement if with_replacement else itertools.combinations
    )
    if r == 0:
        return input.narrow(0, 0, 0)
    places = np.array(list(choose(range(input.shape[0]), r)), dtype=np.int64).reshape(-1, r)
    return input.index_select(0, tensor_of(places.reshape(-1))).reshape(places.shape)


addbmm_, addmv_, addr_ = in_place(addbmm), in_place(addmv), in_place(addr)
