"""Losses as modules. A loss never broadcasts: shapes that differ are an error."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module[[Tensor, Tensor], Tensor]):
    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    """Mean of ``(input - target)^2``.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.MSELoss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """Mean of ``|input - target|``.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.L1Loss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        1.0
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Mean of ``d^2 / (2 beta)`` where ``d = |input - target| < beta``, ``d - beta / 2`` elsewhere.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        beta: where the parabola meets the line; 0 gives :class:`L1Loss`.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ, or ``beta`` is negative.

    Example:
        >>> cr.nn.SmoothL1Loss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        0.75
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Mean of a parabola that goes on as a line, so that outliers count less.

    ``d^2 / 2`` where ``d = |input - target| < delta``, ``delta (d - delta / 2)`` elsewhere.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        delta: where the parabola meets the line.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ, or ``delta`` is not positive.

    Example:
        >>> cr.nn.HuberLoss()(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0])).item()
        0.75
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy between scores and classes: ``-log(softmax(input)[target])``.

    Args:
        weight: ``(C,)``, one factor per class; the mean divides by the sum of the factors used.
        ignore_index: targets with this value count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: the share of every target spread evenly over all classes, in [0, 1].

    Shape:
        input ``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)`` of unnormalised scores (no softmax
        before); target of class numbers (any integer dtype) ``()``, ``(N,)`` or
        ``(N, d1, ...)``, or of probabilities in the shape of the input.

    Raises:
        ValueError: shapes that do not belong together.
        IndexError: a class number is outside [0, C).

    Example:
        >>> cr.nn.CrossEntropyLoss()(cr.zeros(2, 4), cr.tensor([1, 3]))
        tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood: ``-input[target]``, the input being log-probabilities.

    Args:
        weight: ``(C,)``, one factor per class; the mean divides by the sum of the factors used.
        ignore_index: targets with this value count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input ``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)``; target of class numbers (any integer
        dtype) ``()``, ``(N,)`` or ``(N, d1, ...)``.

    Raises:
        ValueError: shapes that do not belong together.
        IndexError: a class number is outside [0, C).

    Example:
        >>> scores = cr.nn.LogSoftmax(1)(cr.zeros(2, 4))
        >>> cr.nn.NLLLoss()(scores, cr.tensor([1, 3]))
        tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class BCELoss(_WeightedLoss):
    """Binary cross entropy: ``-(t log(x) + (1 - t) log(1 - x))``, logarithms at least -100.

    :class:`BCEWithLogitsLoss` takes scores instead and keeps more digits.

    Args:
        weight: a factor for every element, of the input's shape or one that expands to it.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape, the input within [0, 1].

    Raises:
        ValueError: the shapes differ, or the input leaves [0, 1].

    Example:
        >>> cr.nn.BCELoss()(cr.tensor([0.5, 0.5]), cr.tensor([0.0, 1.0]))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross entropy of ``sigmoid(input)``, without overflow.

    Args:
        weight: a factor for every element, of the input's shape or one that expands to it.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor for positive targets, of a shape that expands to the input's.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.BCEWithLogitsLoss()(cr.zeros(2), cr.tensor([0.0, 1.0]))
        tensor(0.6931)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence: ``target * (log(target) - input)``.

    The input holds log-probabilities. ``"batchmean"`` divides the sum by the batch size, which
    is the mathematical definition; ``"mean"`` divides by the number of elements.

    Args:
        reduction: ``"mean"``, ``"batchmean"``, ``"sum"`` or ``"none"``.
        log_target: whether the target holds log-probabilities too.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> p = cr.tensor([[0.5, 0.5]])
        >>> cr.nn.KLDivLoss(reduction="batchmean")(p.log(), p).item()
        0.0
    """

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
