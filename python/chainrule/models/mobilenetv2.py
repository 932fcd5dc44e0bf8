"""MobileNetV2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor

from .. import nn
from ._initial import draw_weights
from .registry import named

__all__ = ["InvertedResidual", "MobileNetV2", "mobilenet_v2"]

# Expansion, channels, blocks, and stride of the first block, of each stage.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


def _divisible(width: float, by: int) -> int:
    """Round to a multiple, but never by more than a tenth downwards."""
    rounded = max(by, int(width + by / 2) // by * by)
    return rounded if rounded >= 0.9 * width else rounded + by


class InvertedResidual(nn.Module[[Tensor], Tensor]):
    """Widen, convolve each channel by itself, narrow; the input is added if the shape is the same.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the convolution by channels.
        expand_ratio: how many times wider it is than the input.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, expand_ratio: float
    ) -> None:
        super().__init__()
        hidden = round(in_channels * expand_ratio)
        widen = [] if expand_ratio == 1 else [_conv(in_channels, hidden, 1)]
        self.conv = nn.Sequential(
            *widen,
            _conv(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.use_res_connect = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv(x)
        return x + found if self.use_res_connect else found


class MobileNetV2(nn.Module[[Tensor], Tensor]):
    """A network small enough for a telephone.

    "MobileNetV2: Inverted Residuals and Linear Bottlenecks", Sandler et al., 2018.

    Args:
        num_classes: outputs.
        width_mult: factor of the number of channels.
        inverted_residual_setting: expansion, channels, blocks and stride of each stage.
        round_nearest: the number of channels is a multiple of this.
        dropout: probability before the last layer.
        in_channels: colours of the pictures.

    Raises:
        ValueError: a stage has not four numbers, or a width is not positive.

    Example:
        >>> model = cr.models.MobileNetV2(num_classes=10, width_mult=0.25)
        >>> model(cr.zeros(2, 3, 64, 64)).shape
        (2, 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        *,
        dropout: float = 0.2,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        stages = _STAGES if inverted_residual_setting is None else inverted_residual_setting
        if not stages or any(len(stage) != 4 for stage in stages):
            raise ValueError(
                f"MobileNetV2: inverted_residual_setting={inverted_residual_setting}; expected "
                "(expansion, channels, blocks, stride) of each stage"
            )
        if not width_mult > 0 or round_nearest < 1:
            raise ValueError(
                "MobileNetV2: width_mult and round_nearest are positive "
                f"(got width_mult={width_mult}, round_nearest={round_nearest})"
            )
        channels = _divisible(32 * width_mult, round_nearest)
        self.last_channel = _divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module[..., Any]] = [_conv(in_channels, channels, 3, stride=2)]
        for expand_ratio, width, blocks, stride in stages:
            width = _divisible(width * width_mult, round_nearest)
            for i in range(blocks):
                features.append(
                    InvertedResidual(channels, width, stride if i == 0 else 1, expand_ratio)
                )
                channels = width
        features.append(_conv(channels, self.last_channel, 1))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes)
        )
        draw_weights(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


@named
def mobilenet_v2(**options: Any) -> MobileNetV2:
    """Build MobileNetV2, 3.5 million parameters; the options are those of `MobileNetV2`.

    Example:
        >>> sum(p.numel() for p in cr.models.mobilenet_v2().parameters())
        3504872
    """
    return MobileNetV2(**options)
