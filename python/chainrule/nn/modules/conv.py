"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def spread(value: int | Sequence[int], n: int) -> tuple[int, ...]:
    """Return ``value`` once per spatial dimension, or the given sequence as a tuple."""
    return tuple(value) if isinstance(value, Sequence) else (value,) * n


class _Convolution(Module[..., Tensor]):
    """What convolutions and transposed convolutions of every rank share."""

    _rank: int
    output_padding: tuple[int, ...]

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | str | Sequence[int],
        dilation: int | Sequence[int],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: cr.dtype | None,
        transposed: bool = False,
        output_padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if groups <= 0 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups must be positive and divide in_channels and out_channels "
                f"(got groups={groups}, in_channels={in_channels}, out_channels={out_channels})"
            )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{name}: padding_mode is one of {_PADDING_MODES} (got {padding_mode!r})"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size, self._rank)
        self.stride = spread(stride, self._rank)
        self.dilation = spread(dilation, self._rank)
        self.groups = groups
        self.transposed = transposed
        self.output_padding = spread(output_padding, self._rank)
        self.padding_mode = padding_mode
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            if transposed:
                raise TypeError(f"{name}: padding is an int or {self._rank} (got {padding!r})")
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding is 'same', 'valid' or ints (got {padding!r})")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(
                    f"{name}: padding='same' needs stride 1 (got stride={self.stride})"
                )
            self.padding = padding
        else:
            self.padding = spread(padding, self._rank)
        for argument in ("kernel_size", "stride", "dilation", "padding", "output_padding"):
            value = getattr(self, argument)
            if not isinstance(value, str) and len(value) != self._rank:
                raise ValueError(
                    f"{name}: {argument} has {len(value)} values (got {value}); "
                    f"expected an int or {self._rank}"
                )

        options = {"device": device, "dtype": dtype}
        first, second = in_channels, out_channels
        if not transposed:
            first, second = second, first
        self.weight = Parameter(cr.empty(first, second // groups, *self.kernel_size, **options))
        if bias:
            self.bias = Parameter(cr.empty(out_channels, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _width(self) -> tuple[str, int]:
        return "in_channels", -1 - self._rank

    def reset_parameters(self) -> None:
        """Draw weight and bias afresh from their initial distributions."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # the bound is 1 / sqrt(fan_in)
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Return the constructor's arguments that differ from their defaults."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * self._rank:
            padding = f"{self.padding}"
            text += f", padding={padding}"
        if self.dilation != (1,) * self._rank:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self._rank:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _border(self) -> list[int]:
        """Return the padding as F.pad takes it: last dimension first, before and after."""
        border = []
        for d in reversed(range(self._rank)):
            if self.padding == "same":
                total = self.dilation[d] * (self.kernel_size[d] - 1)
                border += [total // 2, total - total // 2]
            else:
                size = 0 if isinstance(self.padding, str) else self.padding[d]
                border += [size, size]
        return border

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of ``input`` with ``weight``, plus ``bias``."""
        return self._forward_activated(input, None)

    def _forward_activated(self, input: Tensor, activation: str | None) -> Tensor:
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self._rank - 1]
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._border(), mode=self.padding_mode)
            padding = (0,) * self._rank
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            padding,
            self.dilation,
            self.groups,
            activation=activation,
        )


class _ConvTranspose(_Convolution):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        if padding_mode != "zeros":
            name = type(self).__name__
            raise ValueError(f"{name}: padding_mode is 'zeros' (got {padding_mode!r})")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            transposed=True,
            output_padding=output_padding,
        )

    def _padding_for(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that gives the wanted size."""
        rank = self._rank
        padding: Any = self.padding  # never a name
        if len(output_size) == rank + 2 or len(output_size) == input.ndim:
            output_size = output_size[-rank:]
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-rank:],
                self.stride,
                padding,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        ]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        fits = len(output_size) == rank and all(
            low <= n <= high for low, n, high in zip(least, output_size, most, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{type(self).__name__}: output_size lies between {tuple(least)} and "
                f"{tuple(most)} for input of shape {tuple(input.shape)} (got {tuple(output_size)})"
            )
        return tuple(n - low for n, low in zip(output_size, least, strict=True))

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the transposed convolution of ``input``, plus ``bias``.

        Args:
            input: the images.
            output_size: the spatial size of the result, of the ``stride`` sizes possible in each
                dimension; None takes the smallest one plus ``output_padding``.
        """
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self._rank - 1]
        padding: Any = self.padding  # never a name
        extra = self.output_padding
        if output_size is not None:
            extra = self._padding_for(input, output_size)
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            padding,
            extra,
            self.groups,
            self.dilation,
        )


class Conv1d(_Conv):
    """Convolve over one spatial dimension (cross-correlation, as everywhere in deep learning).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: length of the kernel.
        stride: step of the kernel.
        padding: zeros (see ``padding_mode``) added on both ends; ``"same"`` keeps the length
            (stride 1 only), ``"valid"`` adds none.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups.
        bias: whether to add a bias.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, L)`` or ``(in_channels, L)``, output ``(N, out_channels, M)``
        with ``M = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

    Attributes:
        weight: ``(out_channels, in_channels // groups, kernel_size)``, drawn from U(-k, k) with
            k = 1 / sqrt(in_channels // groups * kernel_size).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an unknown padding, or a kernel
            larger than its padded input.

    Example:
        >>> cr.nn.Conv1d(16, 33, 3, stride=2)(cr.zeros(20, 16, 50)).shape
        (20, 33, 24)
    """

    _rank = 1


class Conv2d(_Conv):
    """Convolve over two spatial dimensions (cross-correlation, as everywhere in deep learning).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, an int or a pair, as the next three.
        stride: step of the kernel.
        padding: zeros (see ``padding_mode``) added on all sides; ``"same"`` keeps the size
            (stride 1 only), ``"valid"`` adds none.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups; ``groups=in_channels`` is a
            depthwise convolution.
        bias: whether to add a bias.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, H, W)`` or ``(in_channels, H, W)``, output
        ``(N, out_channels, P, Q)`` with
        ``P = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1`` and Q alike.

    Attributes:
        weight: ``(out_channels, in_channels // groups, kh, kw)``, drawn from U(-k, k) with
            k = 1 / sqrt(in_channels // groups * kh * kw).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an unknown padding, or a kernel
            larger than its padded input.

    Example:
        >>> cr.nn.Conv2d(3, 8, 3, padding=1)(cr.zeros(2, 3, 28, 28)).shape
        (2, 8, 28, 28)
    """

    _rank = 2


class Conv3d(_Conv):
    """Convolve over three spatial dimensions (cross-correlation, as everywhere in deep learning).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: depth, height and width of the kernel, an int or three, as the next three.
        stride: step of the kernel.
        padding: zeros (see ``padding_mode``) added on all sides; ``"same"`` keeps the size
            (stride 1 only), ``"valid"`` adds none.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups.
        bias: whether to add a bias.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, D, H, W)`` or ``(in_channels, D, H, W)``, output
        ``(N, out_channels, E, P, Q)`` with
        ``E = (D + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``, P and Q alike.

    Attributes:
        weight: ``(out_channels, in_channels // groups, kd, kh, kw)``, drawn from U(-k, k) with
            k = 1 / sqrt(in_channels // groups * kd * kh * kw).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an unknown padding, or a kernel
            larger than its padded input.

    Example:
        >>> cr.nn.Conv3d(1, 8, 3, padding=1)(cr.zeros(2, 1, 4, 6, 6)).shape
        (2, 8, 4, 6, 6)
    """

    _rank = 3


class ConvTranspose1d(_ConvTranspose):
    """Spread kernels over one spatial dimension: the transpose of a convolution.

    The gradient of :class:`Conv1d` for its input, as a layer: every element spreads the kernel
    over the output, ``stride`` apart. Also called a fractionally strided convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: length of the kernel.
        stride: distance of the kernels in the output.
        padding: cut off on all sides of the output, so that a ``Conv1d`` of the same arguments
            undoes the change of size.
        output_padding: added to the far side of the output's size; below stride or dilation.
        groups: channels are convolved in this many separate groups.
        bias: whether to add a bias.
        dilation: distance between kernel elements.
        padding_mode: ``"zeros"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, L)`` or ``(in_channels, L)``, output ``(N, out_channels, M)`` with
        ``M = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``.

    Attributes:
        weight: ``(in_channels, out_channels // groups, *kernel_size)``, drawn from U(-k, k) with
            k = 1 / sqrt(out_channels // groups * prod(kernel_size)).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an output size that cannot be reached,
            or nothing left of the output.

    Example:
        >>> cr.nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)(cr.zeros(2, 16, 10)).shape
        (2, 8, 20)
    """

    _rank = 1


class ConvTranspose2d(_ConvTranspose):
    """Spread kernels over two spatial dimensions: the transpose of a convolution.

    The gradient of :class:`Conv2d` for its input, as a layer: every pixel spreads the kernel
    over the output, ``stride`` apart. Also called a fractionally strided convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, an int or a pair, as the other sizes.
        stride: distance of the kernels in the output.
        padding: cut off on all sides of the output, so that a ``Conv2d`` of the same arguments
            undoes the change of size.
        output_padding: added to the far side of the output's size; below stride or dilation.
        groups: channels are convolved in this many separate groups.
        bias: whether to add a bias.
        dilation: distance between kernel elements.
        padding_mode: ``"zeros"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, H, W)`` or ``(in_channels, H, W)``, output
        ``(N, out_channels, P, Q)`` with
        ``P = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1`` and
        Q alike.

    Attributes:
        weight: ``(in_channels, out_channels // groups, *kernel_size)``, drawn from U(-k, k) with
            k = 1 / sqrt(out_channels // groups * prod(kernel_size)).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an output size that cannot be reached,
            or nothing left of the output.

    Example:
        >>> layer = cr.nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1)
        >>> layer(cr.zeros(2, 16, 7, 7)).shape
        (2, 8, 13, 13)
        >>> layer(cr.zeros(2, 16, 7, 7), output_size=(14, 14)).shape
        (2, 8, 14, 14)
    """

    _rank = 2


class ConvTranspose3d(_ConvTranspose):
    """Spread kernels over three spatial dimensions: the transpose of a convolution.

    The gradient of :class:`Conv3d` for its input, as a layer: every voxel spreads the kernel
    over the output, ``stride`` apart. Also called a fractionally strided convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: depth, height and width of the kernel, an int or three, as the other sizes.
        stride: distance of the kernels in the output.
        padding: cut off on all sides of the output, so that a ``Conv3d`` of the same arguments
            undoes the change of size.
        output_padding: added to the far side of the output's size; below stride or dilation.
        groups: channels are convolved in this many separate groups.
        bias: whether to add a bias.
        dilation: distance between kernel elements.
        padding_mode: ``"zeros"``.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(N, in_channels, D, H, W)`` or ``(in_channels, D, H, W)``, output
        ``(N, out_channels, E, P, Q)`` with
        ``E = (D - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``, P
        and Q alike.

    Attributes:
        weight: ``(in_channels, out_channels // groups, *kernel_size)``, drawn from U(-k, k) with
            k = 1 / sqrt(out_channels // groups * prod(kernel_size)).
        bias: ``(out_channels,)``, drawn alike, or None.

    Raises:
        ValueError: ``groups`` does not divide the channels, an output size that cannot be reached,
            or nothing left of the output.

    Example:
        >>> cr.nn.ConvTranspose3d(4, 2, 2, stride=2)(cr.zeros(1, 4, 2, 3, 3)).shape
        (1, 2, 4, 6, 6)
    """

    _rank = 3
