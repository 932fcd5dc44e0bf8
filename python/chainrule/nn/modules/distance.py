"""Distances and similarities between vectors."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class PairwiseDistance(Module[[Tensor, Tensor], Tensor]):
    """The p-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        p: the exponent of the norm.
        eps: keeps the gradient finite where the vectors are equal.
        keepdim: whether the last dimension stays, with size 1.

    Shape:
        x1 and x2 ``(N, D)`` or ``(D,)``; output ``(N,)`` or ``()``.

    Raises:
        ValueError: the shapes do not belong together.

    Example:
        >>> cr.nn.PairwiseDistance()(cr.tensor([[0.0, 0.0]]), cr.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module[[Tensor, Tensor], Tensor]):
    """The cosine ``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along a dimension.

    Args:
        dim: the dimension of the vectors.
        eps: the least norm; the gradient ignores this limit.

    Shape:
        x1 and x2 of the same shape; the output is without the dimension.

    Raises:
        ValueError: the shapes do not belong together.

    Example:
        >>> cr.nn.CosineSimilarity()(cr.tensor([[1.0, 1.0]]), cr.tensor([[2.0, 0.0]]))
        tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the similarities."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
