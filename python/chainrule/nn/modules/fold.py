"""Windows of images as columns of a matrix, and back."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import Tensor

from .. import functional as F
from .module import Module

__all__ = ["Fold", "Unfold"]


class Unfold(Module[[Tensor], Tensor]):
    """Copy every window of images into a column (im2col).

    Args:
        kernel_size: height and width of the windows, an int or a pair, as the next three.
        dilation: distance between elements of a window.
        padding: zeros added on all sides.
        stride: distance between windows.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output ``(N, C kh kw, L)`` with L windows.

    Raises:
        ValueError: a window larger than the padded image.

    Example:
        >>> cr.nn.Unfold((2, 3))(cr.zeros(2, 5, 3, 4)).shape
        (2, 30, 4)
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module[[Tensor], Tensor]):
    """Add columns back to where :class:`Unfold` took them (col2im); overlapping windows add up.

    Args:
        output_size: height and width of the images, an int or a pair, as the next four.
        kernel_size: height and width of the windows.
        dilation: distance between elements of a window.
        padding: cut off all sides of the result.
        stride: distance between windows.

    Shape:
        input ``(N, C kh kw, L)`` or ``(C kh kw, L)``, output ``(N, C, *output_size)``.

    Raises:
        ValueError: another number of rows or columns than the windows have.

    Example:
        >>> cr.nn.Fold((4, 5), (2, 2))(cr.zeros(1, 12, 12)).shape
        (1, 3, 4, 5)
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the images."""
        return F.fold(
            input,
            self.output_size,
            self.kernel_size,
            self.dilation,
            self.padding,
            self.stride,
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
