"""Losses and distances that are combinations of operations, and what all losses share."""

from __future__ import annotations

import math

import chainrule as cr
from chainrule import Tensor, _core

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "pairwise_distance",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
]


def check_shapes(
    op: str, input: Tensor, target: Tensor, names: tuple[str, str] = ("input", "target")
) -> None:
    """Raise unless two tensors have the same shape: a loss never broadcasts."""
    for name, value in zip(names, (input, target), strict=True):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{op}: argument {name!r} must be a Tensor (got {type(value).__name__})"
            )
    if input.shape != target.shape:
        hint = (
            f"; they hold as many elements: {names[1]}.reshape{tuple(input.shape)} may be meant"
            if input.numel() == target.numel()
            else ""
        )
        raise ValueError(
            f"{op}: {names[0]} and {names[1]} differ in shape (got {tuple(input.shape)} and "
            f"{tuple(target.shape)}); expected equal shapes{hint}"
        )


REDUCTIONS = ("none", "mean", "sum")


def reduced(op: str, loss: Tensor, reduction: str) -> Tensor:
    """Return the mean, the sum or all of a loss."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"{op}: reduction must be one of 'none', 'mean', 'sum' (got {reduction!r})")


def weighted(op: str, loss: Tensor, weight: Tensor | None) -> Tensor:
    """Multiply by a weight that expands to the loss's shape (and never the other way round)."""
    if weight is None:
        return loss
    if not isinstance(weight, Tensor):
        raise TypeError(f"{op}: a weight is a tensor (got {type(weight).__name__})")
    try:
        return loss * weight.expand(loss.shape)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"{op}: the weight of shape {tuple(weight.shape)} does not expand to the input's "
            f"shape {tuple(loss.shape)}"
        ) from error


def at_least(input: Tensor, limit: float) -> Tensor:
    """Return ``max(input, limit)`` with the gradient of ``input``, also below the limit."""
    output = input.clone()
    with cr.no_grad():
        output.clamp_(min=limit)
    return output


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``rate - target * log(rate)``: targets are counts with that mean.

    Args:
        input: any shape: the logarithm of the rate.
        target: the same shape.
        log_input: False if the input is the rate itself.
        full: add Stirling's approximation of ``log(target!)`` where ``target > 1``.
        eps: added to the rate before its logarithm is taken (without ``log_input``).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.poisson_nll_loss(cr.zeros(2), cr.tensor([1.0, 3.0]))
        tensor(1.)
    """
    check_shapes("poisson_nll_loss", input, target)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        many = cr.where(target > 1, target, 1.0)
        stirling = many * many.log() - many + (many * (2 * math.pi)).log() * 0.5
        loss = loss + cr.where(target > 1, stirling, 0.0)
    return reduced("poisson_nll_loss", loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``(log(var) + (input - target)^2 / var) / 2``.

    Args:
        input: any shape: the expected values.
        target: the same shape.
        var: the variances: a number, or a tensor of the input's shape, of that shape with the
            last size 1, or without the last dimension.
        full: add the constant ``log(2 pi) / 2``.
        eps: the least variance; the gradient ignores this limit.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes that do not belong together, a negative variance, ``eps`` that is not
            positive, or an unknown reduction.

    Example:
        >>> F.gaussian_nll_loss(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]), 1.0).item()
        1.0
    """
    op = "gaussian_nll_loss"
    check_shapes(op, input, target)
    if eps <= 0:
        raise ValueError(f"{op}: eps is above 0 (got {eps})")
    if not isinstance(var, Tensor):
        var = cr.full_like(input, var)
    shape, given = tuple(input.shape), tuple(var.shape)
    if given == shape[:-1] and input.ndim:
        var = var.unsqueeze(-1)
    elif given not in (shape, (*shape[:-1], 1)):
        raise ValueError(
            f"{op}: var does not belong to the input (got {given} and {shape}); expected "
            f"{shape}, {(*shape[:-1], 1)} or {shape[:-1]}"
        )
    if bool((var < 0).any()):
        raise ValueError(f"{op}: var holds negative numbers; expected variances")
    var = at_least(var, eps)
    loss = (var.log() + (input - target).square() / var) * 0.5
    return reduced(op, loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean of ``input`` where the target is 1, ``max(0, margin - input)`` where -1.

    Args:
        input: any shape: distances.
        target: the same shape: 1 (similar) or -1 (not).
        margin: how far apart the latter should be.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.hinge_embedding_loss(cr.tensor([2.0, 0.5]), cr.tensor([1, -1])).item()
        1.25
    """
    check_shapes("hinge_embedding_loss", input, target)
    apart = cr.where(target == 1, 0.0, (margin - input).clamp(min=0.0))
    loss = cr.where(target == -1, 0.0, input) + apart
    return reduced("hinge_embedding_loss", loss, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, margin - target * (input1 - input2))``.

    Args:
        input1: any shape.
        input2: the same shape.
        target: the same shape: 1 if ``input1`` should be the larger, -1 if ``input2``.
        margin: by how much.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> x, y = cr.tensor([1.0, 2.0]), cr.tensor([3.0, 1.0])
        >>> F.margin_ranking_loss(x, y, cr.tensor([1, 1])).item()
        1.0
    """
    check_shapes("margin_ranking_loss", input1, input2, ("input1", "input2"))
    check_shapes("margin_ranking_loss", input1, target, ("input1", "target"))
    loss = (margin - target * (input1 - input2)).clamp(min=0.0)
    return reduced("margin_ranking_loss", loss, reduction)


def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the mean of ``log(1 + exp(-target * input))``, without overflow.

    Args:
        input: any shape.
        target: the same shape: 1 or -1.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.soft_margin_loss(cr.zeros(2), cr.tensor([1, -1]))
        tensor(0.6931)
    """
    check_shapes("soft_margin_loss", input, target)
    return reduced("soft_margin_loss", -_core.log_sigmoid(target * input), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``1 - cos`` where the target is 1, ``max(0, cos - margin)`` where -1.

    Args:
        input1: ``(N, D)`` or ``(D,)``.
        input2: the same shape.
        target: ``(N,)`` or ``()``: 1 (similar) or -1 (not).
        margin: the cosine up to which vectors count as different.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes that do not belong together, or an unknown reduction.

    Example:
        >>> x, y = cr.tensor([[1.0, 0.0], [1.0, 0.0]]), cr.tensor([[0.0, 2.0], [3.0, 0.0]])
        >>> F.cosine_embedding_loss(x, y, cr.tensor([1, 1])).item()
        0.5
    """
    op = "cosine_embedding_loss"
    check_shapes(op, input1, input2, ("input1", "input2"))
    if input1.ndim not in (1, 2) or tuple(target.shape) != tuple(input1.shape)[:-1]:
        raise ValueError(
            f"{op}: the inputs have shape {tuple(input1.shape)} and the target "
            f"{tuple(target.shape)}; expected (N, D) and (N,), or (D,) and ()"
        )
    squares = (input1.square().sum(-1) + 1e-12) * (input2.square().sum(-1) + 1e-12)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    loss = cr.where(target == 1, 1.0 - cosine, 0.0)
    loss = loss + cr.where(target == -1, (cosine - margin).clamp(min=0.0), 0.0)
    return reduced(op, loss, reduction)


def _check_pair(op: str, x1: Tensor, x2: Tensor) -> None:
    sizes = zip(x1.shape, x2.shape, strict=False)
    if x1.ndim != x2.ndim or any(a != b and 1 not in (a, b) for a, b in sizes):
        raise ValueError(
            f"{op}: x1 and x2 differ in shape (got {tuple(x1.shape)} and {tuple(x2.shape)}); "
            "expected equal sizes, or 1, for every dimension"
        )


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        x1: ``(*, D)``.
        x2: as many dimensions; each of the same size, or 1, which is expanded.
        p: the exponent of the norm.
        eps: keeps the gradient finite where the vectors are equal.
        keepdim: whether the last dimension stays, with size 1.

    Raises:
        ValueError: the shapes do not belong together.

    Example:
        >>> F.pairwise_distance(cr.tensor([[0.0, 0.0]]), cr.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """
    _check_pair("pairwise_distance", x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return ``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along a dimension.

    Args:
        x1: any shape, floating dtype.
        x2: as many dimensions; each of the same size, or 1, which is expanded.
        dim: the dimension of the vectors.
        eps: the least norm; the gradient ignores this limit.

    Raises:
        ValueError: the shapes do not belong together.

    Example:
        >>> F.cosine_similarity(cr.tensor([[1.0, 1.0]]), cr.tensor([[2.0, 0.0]]))
        tensor([0.7071])
    """
    _check_pair("cosine_similarity", x1, x2)
    a = x1 / at_least(x1.norm(2.0, dim, keepdim=True), eps)
    b = x2 / at_least(x2.norm(2.0, dim, keepdim=True), eps)
    return (a * b).sum(dim)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.

    Args:
        anchor: ``(N, D)`` or ``(D,)``.
        positive: the same shape.
        negative: the same shape.
        margin: by how much the negative should be farther; above 0.
        p: the exponent of the distance d, see :func:`pairwise_distance`.
        eps: see :func:`pairwise_distance`.
        swap: use ``d(positive, negative)`` where it is less than ``d(anchor, negative)``
            (Balntas et al., 2016).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, ``margin`` is not positive, or an unknown reduction.

    Example:
        >>> a, p, n = cr.zeros(1, 2), cr.tensor([[3.0, 4.0]]), cr.tensor([[0.0, 2.0]])
        >>> F.triplet_margin_loss(a, p, n, eps=0.0).item()
        4.0
    """
    op = "triplet_margin_loss"
    check_shapes(op, anchor, positive, ("anchor", "positive"))
    check_shapes(op, anchor, negative, ("anchor", "negative"))
    if margin <= 0:
        raise ValueError(f"{op}: margin is above 0 (got {margin})")
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = cr.minimum(far, pairwise_distance(positive, negative, p, eps))
    loss = (pairwise_distance(anchor, positive, p, eps) - far + margin).clamp(min=0.0)
    return reduced(op, loss, reduction)
