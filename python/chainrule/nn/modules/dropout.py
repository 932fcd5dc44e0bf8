"""Dropout of elements and channels, and other noise of training."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "GaussianNoise",
]


class _Dropout(Module[[Tensor], Tensor]):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            name = type(self).__name__
            raise ValueError(f"{name}: p is a probability between 0 and 1 (got {p})")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
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

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with elements dropped, or unchanged in evaluation mode."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Zero whole channels of sequences with probability ``p`` in training and scale the rest.

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``; output the same.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> cr.nn.Dropout1d(1.0)(cr.ones(2, 3)).sum()
        tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or unchanged in evaluation mode."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zero whole channels of images with probability ``p`` in training and scale the rest.

    Neighbouring pixels are alike, so dropping single ones would take little away (Tompson et al.,
    2015).

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Shape:
        input ``(N, C, H, W)``, or ``(N, C, L)`` as in torch; output the same.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> cr.nn.Dropout2d(1.0)(cr.ones(1, 2, 3, 3)).sum()
        tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or unchanged in evaluation mode."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zero whole channels of volumes with probability ``p`` in training and scale the rest.

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``; output the same.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> cr.nn.Dropout3d(1.0)(cr.ones(1, 2, 2, 3, 3)).sum()
        tensor(0.)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or unchanged in evaluation mode."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for networks of :class:`SELU`: mean 0 and variance 1 are kept.

    Dropped elements get selu's negative limit, then all are rescaled (Klambauer et al., 2017).

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> cr.nn.AlphaDropout(0.2).eval()(cr.ones(2))
        tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with elements dropped, or unchanged in evaluation mode."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels.

    Args:
        p: the probability, in [0, 1].
        inplace: write the result into the input.

    Shape:
        input ``(N, C, ...)``; output the same.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> cr.nn.FeatureAlphaDropout(0.2).eval()(cr.ones(1, 2))
        tensor([[1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or unchanged in evaluation mode."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


class GaussianNoise(Module[[Tensor], Tensor]):
    """Add numbers drawn from N(0, std^2) in training.

    Args:
        std: the standard deviation, at least 0.

    Raises:
        ValueError: ``std`` is negative.

    Example:
        >>> cr.nn.GaussianNoise(0.1).eval()(cr.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        if std < 0:
            raise ValueError(f"GaussianNoise: std is at least 0 (got {std})")
        self.std = std

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with noise added, or unchanged in evaluation mode."""
        return F.gaussian_noise(input, self.std, self.training)

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"std={self.std}"
