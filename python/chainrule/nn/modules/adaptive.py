"""Softmax over very many classes, of which most are rare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class ASMoutput(NamedTuple):
    """What the module returns: each target's log-probability, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module[[Tensor, Tensor], ASMoutput]):
    """Log-softmax over classes ordered by frequency, in clusters (Grave et al., 2017).

    The head scores the frequent classes and one entry per cluster of rarer ones, whose own scores
    are computed, from ever fewer features, only for samples that need them.

    Args:
        in_features: size of the input's last dimension.
        n_classes: number of classes, 0 being the most frequent.
        cutoffs: the first class of each cluster, ascending.
        div_value: cluster i has ``in_features // div_value ** (i + 1)`` features.
        head_bias: whether the head has a bias.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_features)`` or ``(in_features,)``, target of class numbers ``(N,)`` or
        ``()``; ``output`` has the target's shape and ``loss`` is 0-d.

    Raises:
        ValueError: cutoffs that do not ascend between 1 and ``n_classes - 1``, or shapes that do
            not belong together.
        IndexError: a class number is out of range.

    Example:
        >>> layer = cr.nn.AdaptiveLogSoftmaxWithLoss(8, 100, [10, 40])
        >>> out = layer(cr.zeros(5, 8), cr.tensor([0, 9, 10, 50, 99]))
        >>> out.output.shape, out.loss.shape
        ((5,), ())
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        bounds = list(cutoffs)
        if not bounds or any(a >= b for a, b in pairwise([0, *bounds, n_classes])):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs ascend between 1 and {n_classes - 1} "
                f"(got {bounds})"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*bounds, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = bounds[0]
        self.n_clusters = len(bounds)
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            features = int(in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(in_features, features, bias=False, **options),
                    Linear(features, high - low, bias=False, **options),
                )
            )

    def reset_parameters(self) -> None:
        """Draw all weights afresh from their initial distributions."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        """Return the targets' log-probabilities, and minus their mean."""
        if input.ndim not in (1, 2) or tuple(target.shape) != tuple(input.shape)[:-1]:
            raise ValueError(
                f"the input has shape {tuple(input.shape)} and the target {tuple(target.shape)}; "
                "expected (N, in_features) and (N,), or (in_features,) and ()"
            )
        x, label = input.reshape(-1, input.shape[-1]), target.reshape(-1).long()
        if len(label) and not 0 <= int(label.min()) <= int(label.max()) < self.n_classes:
            raise IndexError(
                f"the target holds classes from {int(label.min())} to {int(label.max())}; "
                f"expected 0 to {self.n_classes - 1}"
            )
        # Classes of the head stand for themselves, the others for their cluster.
        place = label
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            place = cr.where((label >= low) & (label < high), self.shortlist_size + i, place)
        output = F.log_softmax(self.head(x), 1).gather(1, place.unsqueeze(1)).squeeze(1)
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            rows = ((label >= low) & (label < high)).nonzero().squeeze(1)
            if len(rows):
                scores = F.log_softmax(self.tail[i](x[rows]), 1)
                own = scores.gather(1, (label[rows] - low).unsqueeze(1)).squeeze(1)
                output = output.index_add(0, rows, own)
        return ASMoutput(output.reshape(target.shape), -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes.

        Args:
            input: ``(N, in_features)``.

        Returns:
            ``(N, n_classes)``.
        """
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            whole = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(whole + F.log_softmax(cluster(input), 1))
        return cr.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of every sample.

        Args:
            input: ``(N, in_features)``.

        Returns:
            ``(N,)``, int64.
        """
        return self.log_prob(input).argmax(1)
