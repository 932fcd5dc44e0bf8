"""Max pooling over windows at random places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor

from .. import functional as F
from .conv import spread
from .module import Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]


class _FractionalMaxPool(Module[[Tensor], Any]):
    _rank: int
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        output_size: int | Sequence[int] | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"{name}: give either output_size or output_ratio "
                f"(got {output_size} and {output_ratio})"
            )
        self.kernel_size = spread(kernel_size, self._rank)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else spread(output_size, self._rank)
        self.output_ratio: tuple[float, ...] | None = None
        if output_ratio is not None:
            several = isinstance(output_ratio, Sequence)
            ratios: Any = output_ratio if several else (output_ratio,) * self._rank
            if not all(0 < ratio < 1 for ratio in ratios):
                raise ValueError(f"{name}: output_ratio lies between 0 and 1 (got {output_ratio})")
            self.output_ratio = tuple(ratios)

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        pool = F.fractional_max_pool2d if self._rank == 2 else F.fractional_max_pool3d
        return pool(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """Take maxima of windows that begin at random places of images, about evenly spaced.

    The size shrinks by any factor, and the randomness regularizes. Graham, "Fractional
    max-pooling", 2014.

    Args:
        kernel_size: size of the windows, an int or one per dimension.
        output_size: the output's size.
        output_ratio: instead, what to multiply the input's size with, between 0 and 1.
        return_indices: also return where the maxima were, int64.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output with the last 2 sizes as wanted.

    Raises:
        ValueError: both or none of size and ratio, or more windows than fit.

    Example:
        >>> cr.nn.FractionalMaxPool2d(2, output_ratio=0.7)(cr.zeros(1, 3, 9, 9)).shape
        (1, 3, 6, 6)
    """

    _rank = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """Take maxima of windows that begin at random places of volumes, about evenly spaced.

    The size shrinks by any factor, and the randomness regularizes. Graham, "Fractional
    max-pooling", 2014.

    Args:
        kernel_size: size of the windows, an int or one per dimension.
        output_size: the output's size.
        output_ratio: instead, what to multiply the input's size with, between 0 and 1.
        return_indices: also return where the maxima were, int64.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output with the last 3 sizes as wanted.

    Raises:
        ValueError: both or none of size and ratio, or more windows than fit.

    Example:
        >>> cr.nn.FractionalMaxPool3d(2, output_size=4)(cr.zeros(1, 3, 6, 9, 9)).shape
        (1, 3, 4, 4, 4)
    """

    _rank = 3
