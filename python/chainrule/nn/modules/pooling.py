"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor

from .. import functional as F
from .conv import spread
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _MaxPool(Module[[Tensor], Any]):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Take the maximum of every window along the last dimension.

    Args:
        kernel_size: length of the window.
        stride: step of the window; the window's length when None.
        padding: minus infinity added on both ends, at most half the window.
        dilation: distance between elements of the window.
        return_indices: also return where the maxima were, int64.
        ceil_mode: round the output length up instead of down.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, M)`` with
        ``M = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.MaxPool1d(2)(cr.tensor([[[1.0, 3.0, 2.0, 5.0]]]))
        tensor([[[3., 5.]]])
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        pool = F.max_pool1d_with_indices if self.return_indices else F.max_pool1d
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class MaxPool2d(_MaxPool):
    """Take the maximum of every window over the last two dimensions.

    Args:
        kernel_size: height and width of the window, an int or a pair, as the next three.
        stride: step of the window; the window's size when None.
        padding: minus infinity added on all sides, at most half the window.
        dilation: distance between elements of the window.
        return_indices: also return where the maxima were (in the flattened plane), int64.
        ceil_mode: round the output size up instead of down.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output ``(N, C, P, Q)`` with
        ``P = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1`` and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.MaxPool2d(2)(cr.zeros(1, 3, 8, 8)).shape
        (1, 3, 4, 4)
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        pool = F.max_pool2d_with_indices if self.return_indices else F.max_pool2d
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class MaxPool3d(_MaxPool):
    """Take the maximum of every window over the last three dimensions.

    Args:
        kernel_size: depth, height and width of the window, an int or three, as the next three.
        stride: step of the window; the window's size when None.
        padding: minus infinity added on all sides, at most half the window.
        dilation: distance between elements of the window.
        return_indices: also return where the maxima were (in the flattened volume), int64.
        ceil_mode: round the output size up instead of down.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output ``(N, C, E, P, Q)`` with
        ``E = (D + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``, P and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.MaxPool3d(2)(cr.zeros(1, 3, 4, 8, 8)).shape
        (1, 3, 2, 4, 4)
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        return F.max_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool1d(Module[[Tensor], Tensor]):
    """Take the mean of every window along the last dimension.

    Args:
        kernel_size: length of the window.
        stride: step of the window; the window's length when None.
        padding: zeros added on both ends, at most half the window.
        ceil_mode: round the output length up instead of down.
        count_include_pad: whether the padding counts in the divisor.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, M)`` with
        ``M = (L + 2 padding - kernel_size) // stride + 1``.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.AvgPool1d(2)(cr.tensor([[[1.0, 3.0, 2.0, 6.0]]]))
        tensor([[[2., 4.]]])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, 1)
        self.stride = self.kernel_size if stride is None else spread(stride, 1)
        self.padding = spread(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        """Return the window's geometry."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module[[Tensor], Tensor]):
    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def extra_repr(self) -> str:
        """Return the window's geometry."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """Take the mean of every window over the last two dimensions.

    Args:
        kernel_size: height and width of the window, an int or a pair, as the next two.
        stride: step of the window; the window's size when None.
        padding: zeros added on all sides, at most half the window.
        ceil_mode: round the output size up instead of down.
        count_include_pad: whether the padding counts in the divisor.
        divisor_override: divide by this instead of the size of the window.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output ``(N, C, P, Q)`` with
        ``P = (H + 2 padding - kernel_size) // stride + 1`` and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.AvgPool2d(2)(cr.ones(1, 3, 8, 8)).shape
        (1, 3, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(_AvgPool):
    """Take the mean of every window over the last three dimensions.

    Args:
        kernel_size: depth, height and width of the window, an int or three, as the next two.
        stride: step of the window; the window's size when None.
        padding: zeros added on all sides, at most half the window.
        ceil_mode: round the output size up instead of down.
        count_include_pad: whether the padding counts in the divisor.
        divisor_override: divide by this instead of the size of the window.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output ``(N, C, E, P, Q)`` with
        ``E = (D + 2 padding - kernel_size) // stride + 1``, P and Q alike.

    Raises:
        ValueError: the padding is more than half the window, or the window does not fit.

    Example:
        >>> cr.nn.AvgPool3d(2)(cr.ones(1, 3, 4, 8, 8)).shape
        (1, 3, 2, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool3d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class _LPPool(Module[[Tensor], Tensor]):
    def __init__(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """Take the power mean, without the division, of every window over the last dimension.

    ``(sum over the window of x^p)^(1 / p)`` with ``p = norm_type``.

    Args:
        norm_type: p: 1 sums; the larger, the nearer to the maximum.
        kernel_size: length of the window.
        stride: step of the window; the window's size when None.
        ceil_mode: round the output size up instead of down.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output as of :class:`AvgPool1d`.

    Raises:
        ValueError: ``norm_type`` is 0, or the window does not fit.

    Example:
        >>> cr.nn.LPPool1d(2, 2)(cr.ones(1, 3, 8)).shape
        (1, 3, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms of the windows."""
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool2d(_LPPool):
    """Take the power mean, without the division, of every window over the last two dimensions.

    ``(sum over the window of x^p)^(1 / p)`` with ``p = norm_type``.

    Args:
        norm_type: p: 1 sums; the larger, the nearer to the maximum.
        kernel_size: height and width of the window, an int or a pair.
        stride: step of the window; the window's size when None.
        ceil_mode: round the output size up instead of down.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output as of :class:`AvgPool2d`.

    Raises:
        ValueError: ``norm_type`` is 0, or the window does not fit.

    Example:
        >>> cr.nn.LPPool2d(2, 2)(cr.ones(1, 3, 8, 8)).shape
        (1, 3, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms of the windows."""
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool3d(_LPPool):
    """Take the power mean, without the division, of every window over the last three dimensions.

    ``(sum over the window of x^p)^(1 / p)`` with ``p = norm_type``.

    Args:
        norm_type: p: 1 sums; the larger, the nearer to the maximum.
        kernel_size: depth, height and width of the window, an int or three.
        stride: step of the window; the window's size when None.
        ceil_mode: round the output size up instead of down.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output as of :class:`AvgPool3d`.

    Raises:
        ValueError: ``norm_type`` is 0, or the window does not fit.

    Example:
        >>> cr.nn.LPPool3d(2, 2)(cr.ones(1, 3, 8, 8, 8)).shape
        (1, 3, 4, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms of the windows."""
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class _AdaptiveAvgPool(Module[[Tensor], Tensor]):
    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Take means so that the output has a given length, whatever the input's.

    Output ``i`` is the mean of ``input[..., floor(i L / M) : ceil((i + 1) L / M)]``.

    Args:
        output_size: the output length M; None keeps the input's.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, M)``.

    Example:
        >>> cr.nn.AdaptiveAvgPool1d(1)(cr.tensor([[[1.0, 2.0, 3.0]]]))
        tensor([[[2.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Take means so that the output has a given height and width, whatever the input's.

    Args:
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output ``(N, C, P, Q)``.

    Example:
        >>> cr.nn.AdaptiveAvgPool2d((1, None))(cr.zeros(2, 3, 8, 9)).shape
        (2, 3, 1, 9)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Take means so that the output has a given depth, height and width, whatever the input's.

    Args:
        output_size: ``(E, P, Q)`` or an int for all; None keeps the input's.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output ``(N, C, E, P, Q)``.

    Example:
        >>> cr.nn.AdaptiveAvgPool3d((1, None, 2))(cr.zeros(2, 3, 4, 8, 9)).shape
        (2, 3, 1, 8, 2)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxPool(Module[[Tensor], Any]):
    def __init__(
        self, output_size: int | Sequence[int | None] | None, return_indices: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        """Return the output size."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Take maxima so that the output has a given length, whatever the input's.

    Args:
        output_size: the output length M; None keeps the input's.
        return_indices: also return where the maxima were, int64.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, M)``.

    Example:
        >>> cr.nn.AdaptiveMaxPool1d(1)(cr.tensor([[[1.0, 2.0, 3.0]]]))
        tensor([[[3.]]])
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        if self.return_indices:
            return F.adaptive_max_pool1d_with_indices(input, self.output_size)
        return F.adaptive_max_pool1d(input, self.output_size)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Take maxima so that the output has a given height and width, whatever the input's.

    Args:
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.
        return_indices: also return where the maxima were (in the flattened plane), int64.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output ``(N, C, P, Q)``.

    Example:
        >>> cr.nn.AdaptiveMaxPool2d(2)(cr.zeros(2, 3, 8, 9)).shape
        (2, 3, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        if self.return_indices:
            return F.adaptive_max_pool2d_with_indices(input, self.output_size)
        return F.adaptive_max_pool2d(input, self.output_size)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Take maxima so that the output has a given depth, height and width, whatever the input's.

    Args:
        output_size: ``(E, P, Q)`` or an int for all; None keeps the input's.
        return_indices: also return where the maxima were (in the flattened volume), int64.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output ``(N, C, E, P, Q)``.

    Example:
        >>> cr.nn.AdaptiveMaxPool3d(2)(cr.zeros(2, 3, 4, 8, 9)).shape
        (2, 3, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima (and, with ``return_indices``, their places)."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
