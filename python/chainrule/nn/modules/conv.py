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

__all__ = ["Conv1d", "Conv2d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def spread(value: int | Sequence[int], n: int) -> tuple[int, ...]:
    """Return ``value`` once per spatial dimension, or the given sequence as a tuple."""
    return tuple(value) if isinstance(value, Sequence) else (value,) * n


class _Conv(Module[[Tensor], Tensor]):
    """What the convolutions of every rank share."""

    _rank: int

    weight: Parameter
    bias: Parameter | None

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
        self.padding_mode = padding_mode
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding is 'same', 'valid' or ints (got {padding!r})")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(
                    f"{name}: padding='same' needs stride 1 (got stride={self.stride})"
                )
            self.padding = padding
        else:
            self.padding = spread(padding, self._rank)
        for argument in ("kernel_size", "stride", "dilation", "padding"):
            value = getattr(self, argument)
            if not isinstance(value, str) and len(value) != self._rank:
                raise ValueError(
                    f"{name}: {argument} has {len(value)} values (got {value}); "
                    f"expected an int or {self._rank}"
                )

        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(
            cr.empty(out_channels, in_channels // groups, *self.kernel_size, **options)
        )
        if bias:
            self.bias = Parameter(cr.empty(out_channels, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias afresh from their initial distributions."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # the bound is 1 / sqrt(fan_in)
        if self.bias is not None:
            fan_in = self.in_channels // self.groups * math.prod(self.kernel_size)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

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
        convolve = F.conv1d if self._rank == 1 else F.conv2d
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._border(), mode=self.padding_mode)
            padding = (0,) * self._rank
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

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
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


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
