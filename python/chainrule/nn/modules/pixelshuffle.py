"""Layers that trade channels for pixels, and channels for channels."""

from __future__ import annotations

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module[[Tensor], Tensor]):
    """Turn groups of channels into finer pixels, as sub-pixel convolution does.

    Args:
        upscale_factor: r.

    Shape:
        input ``(*, C r^2, H, W)``, output ``(*, C, H r, W r)``.

    Raises:
        ValueError: r^2 does not divide the channels.

    Example:
        >>> cr.nn.PixelShuffle(3)(cr.zeros(1, 18, 4, 5)).shape
        (1, 2, 12, 15)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the finer image."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module[[Tensor], Tensor]):
    """Turn pixels into channels: what :class:`PixelShuffle` undoes.

    Args:
        downscale_factor: r.

    Shape:
        input ``(*, C, H r, W r)``, output ``(*, C r^2, H, W)``.

    Raises:
        ValueError: r does not divide height and width.

    Example:
        >>> cr.nn.PixelUnshuffle(3)(cr.zeros(1, 2, 12, 15)).shape
        (1, 18, 4, 5)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the image with more channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module[[Tensor], Tensor]):
    """Deal the channels of each group out to all groups, so that grouped layers mix.

    Args:
        groups: how many groups of channels there are.

    Shape:
        input ``(N, C, *)``, output the same.

    Raises:
        ValueError: ``groups`` does not divide the channels.

    Example:
        >>> cr.nn.ChannelShuffle(2)(cr.arange(6).reshape(1, 6, 1)).flatten()
        tensor([0, 3, 1, 4, 2, 5])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its channels in another order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"groups={self.groups}"
