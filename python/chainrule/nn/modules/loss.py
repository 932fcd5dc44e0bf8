"""Losses as modules. A loss never broadcasts: shapes that differ are an error."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "GaussianNLLLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LogCoshLoss",
    "MSELoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "QuantileLoss",
    "SmoothL1Loss",
]

Lengths = Tensor | Sequence[int]


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


class QuantileLoss(_Loss):
    """Mean of the pinball loss ``max(q (target - input), (q - 1) (target - input))``.

    It is least when the input is the q-quantile of the target (Koenker & Bassett, 1978); several
    ``q`` train one network to predict a range.

    Args:
        q: the quantile, in (0, 1), or several of them.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape; with Q quantiles input ``(*, Q)`` and target ``(*)``.

    Raises:
        ValueError: shapes that do not belong together, or ``q`` outside (0, 1).

    Example:
        >>> cr.nn.QuantileLoss(0.75)(cr.tensor([1.0, 2.0]), cr.tensor([2.0, 1.0])).item()
        0.5
    """

    def __init__(self, q: float | Sequence[float] = 0.5, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.q = q

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.quantile_loss(input, target, self.q, reduction=self.reduction)


class LogCoshLoss(_Loss):
    """Mean of ``log(cosh(input - target))``: a parabola that goes on as lines.

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> cr.nn.LogCoshLoss()(cr.tensor([1.0]), cr.tensor([2.0]))
        tensor(0.4338)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.log_cosh_loss(input, target, reduction=self.reduction)


class FocalLoss(_Loss):
    """Cross entropy in which well classified samples count less: ``-(1 - p)^gamma log(p)``.

    p is the probability of the target. For rare classes (Lin et al., 2017).

    Args:
        gamma: at least 0, which gives the cross entropy.
        alpha: two classes: the factor of the positive one, in [0, 1]; C classes: ``(C,)``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        scores of any shape and float targets of the same (p by sigmoid), or ``(N, C)`` and class
        numbers ``(N,)`` (p by softmax).

    Raises:
        ValueError: shapes that do not belong together, or a wrong ``gamma`` or ``alpha``.
        IndexError: a class number is out of range.

    Example:
        >>> cr.nn.FocalLoss()(cr.zeros(2, 2), cr.tensor([0, 1]))
        tensor(0.1733)
    """

    alpha: Tensor | float | None

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Tensor | None = None,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.gamma = gamma
        if isinstance(alpha, Tensor):
            self.register_buffer("alpha", alpha)
        else:
            self.alpha = alpha

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.focal_loss(input, target, self.gamma, self.alpha, reduction=self.reduction)


class DiceLoss(_Loss):
    """One minus the overlap ``(2 sum(x t) + s) / (sum(x) + sum(t) + s)`` of every sample.

    For images where few pixels belong to the object (Milletari et al., 2016).

    Args:
        smooth: s, which keeps empty sets from dividing by 0.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Shape:
        input and target ``(N, ...)``, both between 0 and 1; without reduction the output is
        ``(N,)``.

    Raises:
        ValueError: the shapes differ, or ``smooth`` is negative.

    Example:
        >>> cr.nn.DiceLoss(smooth=0.0)(cr.tensor([[1.0, 1.0]]), cr.tensor([[1.0, 0.0]]))
        tensor(0.3333)
    """

    def __init__(self, smooth: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.smooth = smooth

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return F.dice_loss(input, target, self.smooth, reduction=self.reduction)


class CTCLoss(Module[[Tensor, Tensor, Lengths, Lengths], Tensor]):
    """Minus the log-probability of label sequences, whatever their alignment with the input.

    Connectionist temporal classification (Graves et al., 2006): speech to text and the like.

    Args:
        blank: the class that stands between labels.
        reduction: ``"mean"`` (each sample divided by its number of labels before), ``"sum"`` or
            ``"none"``.
        zero_infinity: let samples whose probability is 0 count nothing.

    Shape:
        log_probs ``(T, N, C)`` or ``(T, C)``; targets ``(N, S)`` or all labels one after another;
        input_lengths and target_lengths ``(N,)``.

    Raises:
        ValueError: shapes or lengths that do not belong together, or a target that is longer
            than its input (without ``zero_infinity``).
        IndexError: a label is the blank, or no class.

    Example:
        >>> steps = cr.nn.LogSoftmax(2)(cr.zeros(4, 1, 3))
        >>> cr.nn.CTCLoss()(steps, cr.tensor([[1, 2]]), [4], [2])
        tensor(0.8432)
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        """Return the loss."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
