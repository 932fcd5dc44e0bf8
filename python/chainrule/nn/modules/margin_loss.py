"""Losses with a margin, as modules: between scores and signs, pairs, triples and classes."""

from __future__ import annotations

from collections.abc import Callable

from chainrule import Tensor

from .. import functional as F
from .distance import PairwiseDistance
from .loss import _Loss, _WeightedLoss
from .module import Module

__all__ = [
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


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


class TripletMarginWithDistanceLoss(_TripleLoss):
    """Mean of ``max(0, d(anchor, positive) - d(anchor, negative) + margin)`` for any distance d.

    Args:
        distance_function: d, a function or module of two tensors; :class:`PairwiseDistance` if
            None.
        margin: by how much the negative should be farther; above 0.
        swap: use ``d(positive, negative)`` where it is less than ``d(anchor, negative)``
            (Balntas et al., 2016).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        anchor, positive and negative of the same shape.

    Raises:
        ValueError: ``margin`` is not positive, or the shapes differ.

    Example:
        >>> a, p, n = cr.zeros(1, 2), cr.tensor([[3.0, 4.0]]), cr.tensor([[0.0, 2.0]])
        >>> manhattan = lambda x, y: (x - y).abs().sum(-1)
        >>> cr.nn.TripletMarginWithDistanceLoss(distance_function=manhattan)(a, p, n).item()
        6.0
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: margin is above 0 (got {margin})")
        super().__init__(margin, reduction)
        self.distance_function = distance_function or PairwiseDistance()
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class HingeLoss(_Loss):
    """Mean of ``max(0, margin - target * input)``: the loss of a linear SVM.

    Args:
        margin: how far on its side of 0 a score should be.
        squared: square every term.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape, targets 1 or -1.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.HingeLoss()(cr.tensor([0.5, 2.0]), cr.tensor([1.0, -1.0])).item()
        1.75
    """

    def __init__(
        self, margin: float = 1.0, *, squared: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = margin
        self.squared = squared

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.hinge_loss(
            input, target, self.margin, squared=self.squared, reduction=self.reduction
        )


class MultiMarginLoss(_WeightedLoss):
    """Mean over samples of ``sum_i max(0, margin - x[y] + x[i])^p / C``, i not y.

    Args:
        p: 1 or 2.
        margin: by how much the right class should be ahead.
        weight: ``(C,)``: a factor for every class.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input ``(N, C)`` or ``(C,)``; target of class numbers ``(N,)`` or ``()``.

    Raises:
        ValueError: shapes that do not belong together, or another ``p``.
        IndexError: a class number is out of range.

    Example:
        >>> cr.nn.MultiMarginLoss()(cr.tensor([[0.5, 1.0, 0.0]]), cr.tensor([0]))
        tensor(0.6667)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction=reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p is 1 or 2 (got {p})")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(_Loss):
    """Mean over samples of ``sum_ij max(0, 1 - x[y_j] + x[i]) / C``.

    The ``y_j`` are the classes of a sample and i runs over all the others.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input ``(N, C)`` or ``(C,)``; target of the same shape: class numbers, followed by -1.

    Raises:
        ValueError: the shapes differ.
        IndexError: a class number is out of range.

    Example:
        >>> x, y = cr.tensor([[0.1, 0.2, 0.4, 0.8]]), cr.tensor([[3, 0, -1, 1]])
        >>> cr.nn.MultiLabelMarginLoss()(x, y)
        tensor(0.8500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Mean over samples of the binary cross entropy of all classes' sigmoids.

    Args:
        weight: a factor for every class, of a shape that expands to the input's.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target ``(N, C)`` or ``(C,)``, targets 1 for the classes of the sample, else 0.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.MultiLabelSoftMarginLoss()(cr.zeros(2, 3), cr.ones(2, 3))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)
