"""VGG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor

from .. import nn
from ._initial import draw_weights
from .registry import named

__all__ = [
    "VGG",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vgg_small",
]

# How many convolutions of each width there are before the next pool.
_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _features(
    in_channels: int, widths: Sequence[int], depths: Sequence[int], batch_norm: bool
) -> nn.Sequential:
    layers: list[nn.Module[..., Any]] = []
    for width, depth in zip(widths, depths, strict=True):
        for _ in range(depth):
            layers.append(nn.Conv2d(in_channels, width, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            in_channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGG(nn.Module[[Tensor], Tensor]):
    """3 by 3 convolutions in groups, each group with a pool behind it, and three linear layers.

    "Very Deep Convolutional Networks for Large-Scale Image Recognition", Simonyan and Zisserman,
    2014.

    Args:
        features: the convolutions.
        num_classes: outputs.
        init_weights: draw the weights as torchvision does; else the layers keep their own.
        dropout: probability behind the first two linear layers.
        channels: those that ``features`` puts out.
        grid: height and width to which its maps are pooled.
        hidden: width of the first two linear layers.

    Example:
        >>> features = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU())
        >>> model = cr.models.VGG(features, num_classes=10, channels=16, grid=2, hidden=32)
        >>> model(cr.zeros(1, 3, 9, 9)).shape
        (1, 10)
    """

    def __init__(
        self,
        features: nn.Module[[Tensor], Tensor],
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
        *,
        channels: int = 512,
        grid: int = 7,
        hidden: int = 4096,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
        self.classifier = nn.Sequential(
            nn.Linear(channels * grid * grid, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        if init_weights:
            draw_weights(self, linear_std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def _vgg(layers: int, batch_norm: bool, options: dict[str, Any]) -> VGG:
    return VGG(_features(3, _WIDTHS, _DEPTHS[layers], batch_norm), **options)


@named
def vgg11(**options: Any) -> VGG:
    """Build VGG-11 (configuration A), 133 million parameters; the options are those of `VGG`."""
    return _vgg(11, False, options)


@named
def vgg11_bn(**options: Any) -> VGG:
    """Build VGG-11 with batch norm; the options are those of `VGG`."""
    return _vgg(11, True, options)


@named
def vgg13(**options: Any) -> VGG:
    """Build VGG-13 (configuration B), 133 million parameters; the options are those of `VGG`."""
    return _vgg(13, False, options)


@named
def vgg13_bn(**options: Any) -> VGG:
    """Build VGG-13 with batch norm; the options are those of `VGG`."""
    return _vgg(13, True, options)


@named
def vgg16(**options: Any) -> VGG:
    """Build VGG-16 (configuration D), 138 million parameters; the options are those of `VGG`."""
    return _vgg(16, False, options)


@named
def vgg16_bn(**options: Any) -> VGG:
    """Build VGG-16 with batch norm; the options are those of `VGG`."""
    return _vgg(16, True, options)


@named
def vgg19(**options: Any) -> VGG:
    """Build VGG-19 (configuration E), 144 million parameters; the options are those of `VGG`."""
    return _vgg(19, False, options)


@named
def vgg19_bn(**options: Any) -> VGG:
    """Build VGG-19 with batch norm; the options are those of `VGG`."""
    return _vgg(19, True, options)


@named
def vgg_small(num_classes: int = 10, in_channels: int = 3, **options: Any) -> VGG:
    """Build a VGG of nine layers with batch norm for pictures of 8 to 32 pixels.

    The other options are those of `VGG`.

    Example:
        >>> cr.models.vgg_small(in_channels=1)(cr.zeros(2, 1, 8, 8)).shape
        (2, 10)
    """
    features = _features(in_channels, (32, 64, 128), (2, 2, 2), batch_norm=True)
    small = {"channels": 128, "grid": 1, "hidden": 128}
    model = VGG(features, num_classes, **(small | options))
    # A deviation of 0.01 suits layers of 4096; it would leave these three with hardly a gradient.
    if options.get("init_weights", True):
        draw_weights(model, linear_std=128**-0.5)
    return model
