"""Losses with a margin, and the distances and similarities between vectors they are made of."""

from __future__ import annotations

from collections.abc import Callable

import chainrule as cr
from chainrule import Tensor, _core

from ._losses import at_least, check_labels, check_shapes, reduced, weighted

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "hinge_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


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
        x2: tensor that broadcasts with it.
        dim: the dimension of the vectors, in the common shape.
        eps: the least norm; the gradient ignores this limit.

    Raises:
        ValueError: the shapes do not broadcast.

    Example:
        >>> F.cosine_similarity(cr.tensor([[1.0, 1.0]]), cr.tensor([[2.0, 0.0]]))
        tensor([0.7071])
    """
    if x1.shape != x2.shape:
        x1, x2 = cr.broadcast_tensors(x1, x2)
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
    return _triplet(
        op,
        (anchor, positive, negative),
        lambda x, y: pairwise_distance(x, y, p, eps),
        margin,
        swap,
        reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.

    Args:
        anchor: any shape that ``distance_function`` takes.
        positive: the same shape.
        negative: the same shape.
        distance_function: d; :func:`pairwise_distance` if None.
        margin: by how much the negative should be farther; above 0.
        swap: use ``d(positive, negative)`` where it is less than ``d(anchor, negative)``
            (Balntas et al., 2016).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, ``margin`` is not positive, or an unknown reduction.

    Example:
        >>> a, p, n = cr.zeros(1, 2), cr.tensor([[3.0, 4.0]]), cr.tensor([[0.0, 2.0]])
        >>> manhattan = lambda x, y: (x - y).abs().sum(-1)
        >>> F.triplet_margin_with_distance_loss(a, p, n, distance_function=manhattan).item()
        6.0
    """
    op = "triplet_margin_with_distance_loss"
    check_shapes(op, anchor, positive, ("anchor", "positive"))
    check_shapes(op, anchor, negative, ("anchor", "negative"))
    return _triplet(
        op,
        (anchor, positive, negative),
        distance_function or pairwise_distance,
        margin,
        swap,
        reduction,
    )


def _triplet(
    op: str,
    triple: tuple[Tensor, Tensor, Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"{op}: margin is above 0 (got {margin})")
    anchor, positive, negative = triple
    far = distance(anchor, negative)
    if swap:
        far = cr.minimum(far, distance(positive, negative))
    loss = (distance(anchor, positive) - far + margin).clamp(min=0.0)
    return reduced(op, loss, reduction)


def hinge_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    *,
    squared: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``max(0, margin - target * input)``: the loss of a linear SVM.

    Args:
        input: any shape: scores.
        target: the same shape: 1 or -1.
        margin: how far on its side of 0 a score should be.
        squared: square every term.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.hinge_loss(cr.tensor([0.5, 2.0]), cr.tensor([1.0, -1.0])).item()
        1.75
    """
    check_shapes("hinge_loss", input, target)
    loss = (margin - target * input).relu()
    return reduced("hinge_loss", loss.square() if squared else loss, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over samples of ``sum_i max(0, margin - x[y] + x[i])^p / C``, i not y.

    Args:
        input: ``(N, C)`` or ``(C,)``: scores x.
        target: ``(N,)`` or ``()``: class numbers y.
        p: 1 or 2.
        margin: by how much the right class should be ahead.
        weight: ``(C,)``: a factor for every class y.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes that do not belong together, another ``p``, or an unknown reduction.
        IndexError: a class number is out of range.

    Example:
        >>> F.multi_margin_loss(cr.tensor([[0.5, 1.0, 0.0]]), cr.tensor([0]))
        tensor(0.6667)
    """
    op = "multi_margin_loss"
    check_labels(op, input, target)
    if p not in (1, 2):
        raise ValueError(f"{op}: p is 1 or 2 (got {p})")
    classes = input.shape[-1]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(
            f"{op}: weight must have one entry per class (got shape {tuple(weight.shape)}); "
            f"expected ({classes},)"
        )
    label = target.long().unsqueeze(-1)
    missing = (margin - input.gather(-1, label) + input).relu()
    if p == 2:
        missing = missing.square()
    if weight is not None:
        missing = missing * weight[label]
    loss = missing.masked_fill(cr.arange(classes) == label, 0.0).sum(-1) / classes
    return reduced(op, loss, reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the mean over samples of ``sum_ij max(0, 1 - x[y_j] + x[i]) / C``.

    The ``y_j`` are the classes of a sample and i runs over all the others.

    Args:
        input: ``(N, C)`` or ``(C,)``: scores x.
        target: the same shape: class numbers, followed by -1.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
        IndexError: a class number is out of range.

    Example:
        >>> x, y = cr.tensor([[0.1, 0.2, 0.4, 0.8]]), cr.tensor([[3, 0, -1, 1]])
        >>> F.multilabel_margin_loss(x, y)
        tensor(0.8500)
    """
    op = "multilabel_margin_loss"
    check_shapes(op, input, target)
    if input.ndim not in (1, 2):
        raise ValueError(f"{op}: the input has shape {tuple(input.shape)}; expected (N, C) or (C,)")
    if target.is_floating_point() or target.dtype is cr.bool:
        raise TypeError(f"{op}: class labels must be integers (got {target.dtype})")
    classes = input.shape[-1]
    target = target.long()
    wrong = ((target < -1) | (target >= classes)).nonzero()
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise IndexError(
            f"{op}: label {target[place].item()} at position {place} is out of range; expected "
            f"-1 to {classes - 1} for {classes} classes"
        )
    listed = (target < 0).long().cumsum(-1) == 0  # the labels before the first -1
    label = cr.where(listed, target, 0)
    own = cr.zeros_like(target).scatter_add(-1, label, listed.long()) > 0
    terms = (1.0 - input.gather(-1, label).unsqueeze(-1) + input.unsqueeze(-2)).relu()
    counted = listed.unsqueeze(-1) & ~own.unsqueeze(-2)
    loss = cr.where(counted, terms, 0.0).sum((-1, -2)) / classes
    return reduced(op, loss, reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean over samples of the binary cross entropy of all classes' sigmoids.

    Args:
        input: ``(N, C)`` or ``(C,)``: scores.
        target: the same shape: 1 for the classes of the sample, else 0.
        weight: a factor for every class, of a shape that expands to the input's.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, which gives ``(N,)``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.multilabel_soft_margin_loss(cr.zeros(2, 3), cr.ones(2, 3))
        tensor(0.6931)
    """
    op = "multilabel_soft_margin_loss"
    check_shapes(op, input, target)
    loss = (1 - target) * input - _core.log_sigmoid(input)
    return reduced(op, weighted(op, loss, weight).mean(-1), reduction)
