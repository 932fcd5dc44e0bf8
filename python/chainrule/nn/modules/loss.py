"""Losses as modules. A loss never broadcasts: shapes that differ are an error."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
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


class PoissonNLLLoss(_Loss):
    """Mean of ``rate - target * log(rate)``: targets are counts with that mean.

    Args:
        log_input: whether the input is the logarithm of the rate, or the rate itself.
        full: add Stirling's approximation of ``log(target!)`` where ``target > 1``.
        eps: added to the rate before its logarithm is taken (without ``log_input``).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.PoissonNLLLoss()(cr.zeros(2), cr.tensor([1.0, 3.0]))
        tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        *,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.poisson_nll_loss(
            input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Module[[Tensor, Tensor, "Tensor | float"], Tensor]):
    """Mean of ``(log(var) + (input - target)^2 / var) / 2``.

    Args:
        full: add the constant ``log(2 pi) / 2``.
        eps: the least variance; the gradient ignores this limit.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape; var a number, or of that shape, of that shape with
        one size 1, or without the last dimension.

    Raises:
        ValueError: shapes that do not belong together, or a negative variance.

    Example:
        >>> cr.nn.GaussianNLLLoss()(cr.tensor([2.0]), cr.tensor([4.0]), cr.tensor([1.0])).item()
        2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__()
        self.full = full
        self.eps = eps
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return the loss."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class HingeEmbeddingLoss(_Loss):
    """Mean of ``input`` where the target is 1, ``max(0, margin - input)`` where it is -1.

    Args:
        margin: how far apart the latter should be.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.HingeEmbeddingLoss()(cr.tensor([2.0, 0.5]), cr.tensor([1, -1])).item()
        1.25
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """Mean of ``log(1 + exp(-target * input))``, targets being 1 or -1.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.SoftMarginLoss()(cr.zeros(2), cr.tensor([1, -1]))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class _TripleLoss(Module[[Tensor, Tensor, Tensor], Tensor]):
    def __init__(self, margin: float, reduction: str) -> None:
        super().__init__()
        self.margin = margin
        self.reduction = reduction


class MarginRankingLoss(_TripleLoss):
    """Mean of ``max(0, margin - target * (input1 - input2))``.

    Args:
        margin: by how much the larger should be larger.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input1, input2 and target of the same shape; targets 1 if input1 should be the larger, -1
        if input2.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> x, y = cr.tensor([1.0, 2.0]), cr.tensor([3.0, 1.0])
        >>> cr.nn.MarginRankingLoss()(x, y, cr.tensor([1, 1])).item()
        1.0
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_TripleLoss):
    """Mean of ``1 - cos`` where the target is 1, ``max(0, cos - margin)`` where it is -1.

    Args:
        margin: the cosine up to which vectors count as different.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input1 and input2 ``(N, D)`` or ``(D,)``; target ``(N,)`` or ``()``.

    Raises:
        ValueError: shapes that do not belong together.

    Example:
        >>> x, y = cr.tensor([[1.0, 0.0], [1.0, 0.0]]), cr.tensor([[0.0, 2.0], [3.0, 0.0]])
        >>> cr.nn.CosineEmbeddingLoss()(x, y, cr.tensor([1, 1])).item()
        0.5
    """

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.cosine_embedding_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class TripletMarginLoss(_TripleLoss):
    """Mean of ``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.

    Args:
        margin: by how much the negative should be farther; above 0.
        p: the exponent of the distance d, see :class:`PairwiseDistance`.
        eps: see :class:`PairwiseDistance`.
        swap: use ``d(positive, negative)`` where it is less than ``d(anchor, negative)``
            (Balntas et al., 2016).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        anchor, positive and negative ``(N, D)`` or ``(D,)``.

    Raises:
        ValueError: ``margin`` is not positive, or the shapes differ.

    Example:
        >>> a, p, n = cr.zeros(1, 2), cr.tensor([[3.0, 4.0]]), cr.tensor([[0.0, 2.0]])
        >>> cr.nn.TripletMarginLoss(eps=0.0)(a, p, n).item()
        4.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: margin is above 0 (got {margin})")
        super().__init__(margin, reduction)
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )
