"""Dropout."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module[[Tensor], Tensor]):
    """Zero each element with probability ``p`` in training and scale the rest by ``1 / (1 - p)``.

    In evaluation mode the input passes unchanged.

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> drop = cr.nn.Dropout(0.2)
        >>> drop.eval()(cr.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a probability between 0 and 1 (got {p})")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with elements dropped, or unchanged in evaluation mode."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace={self.inplace}"
