"""Losses that are combinations of operations, element by element, and what all losses share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import chainrule as cr
from chainrule import Tensor, _core

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "dice_loss",
    "focal_loss",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "log_cosh_loss",
    "poisson_nll_loss",
    "quantile_loss",
    "smooth_l1_loss",
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


def check_labels(op: str, input: Tensor, target: Tensor) -> None:
    """Raise unless the target holds class numbers for an input of ``(N, C)`` or ``(C,)``."""
    if target.is_floating_point() or target.dtype is cr.bool:
        raise TypeError(f"{op}: class labels must be integers (got {target.dtype})")
    if input.ndim not in (1, 2) or tuple(target.shape) != tuple(input.shape)[:-1]:
        raise ValueError(
            f"{op}: the input has shape {tuple(input.shape)} and the target "
            f"{tuple(target.shape)}; expected (N, C) and (N,), or (C,) and ()"
        )
    classes = input.shape[-1]
    labels = target.detach().reshape(-1)
    wrong = ((labels < 0) | (labels >= classes)).nonzero()
    if len(wrong):
        place = int(wrong[0].item())
        raise IndexError(
            f"{op}: label {labels[place].item()} at position {place} is out of range; expected "
            f"0 to {classes - 1} for {classes} classes"
        )


def at_least(input: Tensor, limit: float) -> Tensor:
    """Return ``max(input, limit)`` with the gradient of ``input``, also below the limit."""
    output = input.clone()
    with cr.no_grad():
        output.clamp_(min=limit)
    return output


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return the mean of :func:`l1_loss` with its corner rounded off.

    ``d^2 / (2 beta)`` where ``d = |input - target| < beta``, ``d - beta / 2`` elsewhere.

    Args:
        input: any shape.
        target: the same shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: where the parabola meets the line; 0 gives :func:`l1_loss`.

    Raises:
        ValueError: the shapes differ, ``beta`` is negative, or an unknown reduction.

    Example:
        >>> F.smooth_l1_loss(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        0.75
    """
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is at least 0 (got {beta})")
    if beta == 0:
        return _core.l1_loss(input, target, reduction=reduction)
    check_shapes("smooth_l1_loss", input, target)
    difference = input - target
    distance = difference.abs()
    loss = cr.where(distance < beta, difference.square() * (0.5 / beta), distance - 0.5 * beta)
    return reduced("smooth_l1_loss", loss, reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """Return the mean of a parabola that goes on as a line, so that outliers count less.

    ``d^2 / 2`` where ``d = |input - target| < delta``, ``delta (d - delta / 2)`` elsewhere.

    Args:
        input: any shape.
        target: the same shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        delta: where the parabola meets the line.

    Raises:
        ValueError: the shapes differ, ``delta`` is not positive, or an unknown reduction.

    Example:
        >>> F.huber_loss(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        0.75
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta is above 0 (got {delta})")
    check_shapes("huber_loss", input, target)
    difference = input - target
    distance = difference.abs()
    loss = cr.where(distance < delta, difference.square() * 0.5, (distance - 0.5 * delta) * delta)
    return reduced("huber_loss", loss, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean of ``-(t log(x) + (1 - t) log(1 - x))``, logarithms at least -100.

    Args:
        input: any shape, values within [0, 1].
        target: the same shape.
        weight: a factor for every element, of a shape that expands to the input's.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, the input leaves [0, 1], or an unknown reduction.

    Example:
        >>> F.binary_cross_entropy(cr.tensor([0.5]), cr.tensor([1.0]))
        tensor(0.6931)
    """
    op = "binary_cross_entropy"
    check_shapes(op, input, target)
    if not bool(((input >= 0) & (input <= 1)).all()):
        raise ValueError(
            f"{op}: the input leaves the range between 0 and 1; expected probabilities; for "
            "scores use binary_cross_entropy_with_logits"
        )
    # The gradient of each logarithm is bounded by 1e12, so that 0 and 1 give finite gradients.
    loss = -(target * _core._bounded_log(input) + (1 - target) * _core._bounded_log(1 - input))
    loss = weighted(op, loss, weight)
    return reduced(op, loss, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross entropy of ``sigmoid(input)``, without overflow.

    Args:
        input: any shape: scores before the sigmoid.
        target: the same shape.
        weight: a factor for every element, of a shape that expands to the input's.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor for the positive part, of a shape that expands to the input's.

    Raises:
        ValueError: the shapes differ, a weight does not expand, or an unknown reduction.

    Example:
        >>> F.binary_cross_entropy_with_logits(cr.zeros(1), cr.tensor([1.0]))
        tensor(0.6931)
    """
    op = "binary_cross_entropy_with_logits"
    check_shapes(op, input, target)
    if weight is None and pos_weight is None and reduction in REDUCTIONS:
        return _core._bce_with_logits(input, target, reduction)
    # With s = sigmoid(x): -w t log(s) - (1 - t) log(1 - s) where log(1 - s) = log(s) - x.
    positive = _core.log_sigmoid(input)
    if pos_weight is not None:
        positive = positive * (weighted(op, target, pos_weight) + (1 - target))
    loss = (1 - target) * input - positive
    return reduced(op, weighted(op, loss, weight), reduction)


def kl_div(
    input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return the mean of ``target * (log(target) - input)``, the input being log-probabilities.

    Args:
        input: any shape.
        target: the same shape.
        reduction: ``"batchmean"`` (the sum over the first dimension's size, which is the
            mathematical definition), ``"mean"``, ``"sum"`` or ``"none"``.
        log_target: whether the target holds log-probabilities too.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> p = cr.tensor([[0.25, 0.75]])
        >>> F.kl_div(p.log(), p, reduction="batchmean").item()
        0.0
    """
    check_shapes("kl_div", input, target)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # 0 log 0 is 0, and so is its gradient.
        log = cr.where(target == 0, 1.0, target).log()
        loss = cr.where(target == 0, 0.0, target * log) - target * input
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    return reduced("kl_div", loss, reduction)


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
        var: the variances: a number, or a tensor of the input's shape, of that shape with one
            size 1, or without the last dimension.
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
    differ = [mine for mine, own in zip(given, shape, strict=False) if mine != own]
    if given == shape[:-1] and input.ndim:
        var = var.unsqueeze(-1)
    elif len(given) != len(shape) or differ not in ([], [1]):
        raise ValueError(
            f"{op}: var does not belong to the input (got {given} and {shape}); expected "
            f"{shape}, the same with one size 1, or {shape[:-1]}"
        )
    if bool((var < 0).any()):
        raise ValueError(f"{op}: var holds negative numbers; expected variances")
    var = at_least(var, eps)
    loss = (var.log() + (input - target).square() / var) * 0.5
    return reduced(op, loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def quantile_loss(
    input: Tensor,
    target: Tensor,
    q: float | Sequence[float] = 0.5,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of the pinball loss, which is least when the input is the q-quantile.

    ``max(q (target - input), (q - 1) (target - input))`` (Koenker & Bassett, 1978).

    Args:
        input: any shape: the predicted quantile; with several ``q`` the target's shape and one
            more dimension at the end, of their number.
        target: any shape.
        q: the quantile, in (0, 1), or several of them.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes that do not belong together, ``q`` outside (0, 1), or an unknown
            reduction.

    Example:
        >>> x, y = cr.tensor([1.0, 2.0]), cr.tensor([2.0, 1.0])
        >>> F.quantile_loss(x, y, 0.75, reduction="none")
        tensor([0.7500, 0.2500])
        >>> F.quantile_loss(cr.zeros(2, 3), y, [0.1, 0.5, 0.9]).item()
        0.75
    """
    op = "quantile_loss"
    several = not isinstance(q, (int, float))
    levels: Sequence[float] = list(q) if several else [q]  # type: ignore[arg-type, list-item]
    if not levels or not all(0 < level < 1 for level in levels):
        raise ValueError(f"{op}: q lies between 0 and 1, both excluded (got {q})")
    if several:
        expected = (*target.shape, len(levels))
        if tuple(input.shape) != expected:
            raise ValueError(
                f"{op}: the input has shape {tuple(input.shape)} and the target "
                f"{tuple(target.shape)}; expected {expected} for {len(levels)} quantiles"
            )
        target = target.unsqueeze(-1)
    else:
        check_shapes(op, input, target)
    error = target - input
    level = cr.tensor(levels, dtype=error.dtype) if several else levels[0]
    # error is split at 0: q counts what is above the input, 1 - q what is below.
    return reduced(op, error.relu() * level + (-error).relu() * (1 - level), reduction)


def log_cosh_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the mean of ``log(cosh(input - target))``: a parabola that goes on as lines.

    Args:
        input: any shape.
        target: the same shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> F.log_cosh_loss(cr.tensor([0.0, 1.0]), cr.tensor([0.0, 2.0]), reduction="none")
        tensor([0.0000, 0.4338])
    """
    check_shapes("log_cosh_loss", input, target)
    error = input - target
    # Near 0 by log(cosh(d)) = log(1 + 2 sinh(d / 2)^2), beyond by |d| + log(1 + e^-2|d|) - log(2).
    near = ((error.clamp(-1.0, 1.0) * 0.5).sinh().square() * 2.0).log1p()
    distance = error.abs()
    far = distance + _core.softplus(distance * -2.0) - math.log(2)
    return reduced("log_cosh_loss", cr.where(distance < 1.0, near, far), reduction)


def focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    alpha: float | Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean of ``-alpha (1 - p)^gamma log(p)``, p being the probability of the target.

    What is classified well already counts less, so rare classes count more (Lin et al., 2017).

    Args:
        input: scores: any shape for two classes (p by sigmoid), ``(N, C)`` or ``(C,)`` for C of
            them (p by softmax).
        target: floats of the input's shape between 0 and 1, or class numbers ``(N,)`` or ``()``.
        gamma: at least 0, which gives the cross entropy.
        alpha: two classes: the factor of the positive one, in [0, 1]; the negative one has
            ``1 - alpha``. C classes: ``(C,)``, a factor for each.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes that do not belong together, a wrong ``gamma`` or ``alpha``, or an
            unknown reduction.
        IndexError: a class number is out of range.

    Example:
        >>> F.focal_loss(cr.tensor([0.0]), cr.tensor([1.0]))
        tensor(0.1733)
        >>> F.focal_loss(cr.zeros(2, 2), cr.tensor([0, 1]))
        tensor(0.1733)
    """
    op = "focal_loss"
    if gamma < 0:
        raise ValueError(f"{op}: gamma is at least 0 (got {gamma})")
    # So that 0 ** (gamma - 1) of the slope stays finite.
    least = cr.finfo(input.dtype).tiny
    if target.is_floating_point():
        check_shapes(op, input, target)
        entropy = (1 - target) * input - _core.log_sigmoid(input)
        missed = target * (-input).sigmoid() + (1 - target) * input.sigmoid()
        if alpha is not None:
            if isinstance(alpha, Tensor) or not 0 <= alpha <= 1:
                raise ValueError(f"{op}: alpha lies between 0 and 1 for two classes (got {alpha})")
            entropy = entropy * (alpha * target + (1 - alpha) * (1 - target))
    else:
        check_labels(op, input, target)
        entropy = _core.cross_entropy(input, target, reduction="none")
        missed = -(-entropy).expm1()
        if alpha is not None:
            classes = input.shape[-1]
            if not isinstance(alpha, Tensor) or tuple(alpha.shape) != (classes,):
                got = tuple(alpha.shape) if isinstance(alpha, Tensor) else alpha
                raise ValueError(
                    f"{op}: alpha is a tensor with one factor for every class (got {got}); "
                    f"expected shape ({classes},)"
                )
            entropy = entropy * alpha[target.long()]
    return reduced(op, missed.clamp(min=least) ** gamma * entropy, reduction)


def dice_loss(
    input: Tensor, target: Tensor, smooth: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """Return one minus the overlap of two sets, ``1 - (2 sum(x t) + s) / (sum(x) + sum(t) + s)``.

    The overlap (Dice's coefficient) is computed for every sample over all its elements: pixels
    and, with one-hot targets, classes. For images where few pixels belong to the object
    (Milletari et al., 2016).

    Args:
        input: ``(N, ...)``: probabilities.
        target: the same shape: 0 or 1, or probabilities.
        smooth: s, which keeps empty sets from dividing by 0.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``, which gives ``(N,)``.

    Raises:
        ValueError: the shapes differ or have no sample dimension, ``smooth`` is negative, or an
            unknown reduction.

    Example:
        >>> F.dice_loss(cr.tensor([[1.0, 1.0]]), cr.tensor([[1.0, 0.0]]), smooth=0.0)
        tensor(0.3333)
    """
    op = "dice_loss"
    check_shapes(op, input, target)
    if input.ndim == 0:
        raise ValueError(f"{op}: the input has no sample dimension (got shape ()); expected (N, *)")
    if smooth < 0:
        raise ValueError(f"{op}: smooth is at least 0 (got {smooth})")
    x, t = input.reshape(len(input), -1), target.reshape(len(input), -1)
    overlap = (x * t).sum(1) * 2.0 + smooth
    return reduced(op, 1.0 - overlap / (x.sum(1) + t.sum(1) + smooth), reduction)
