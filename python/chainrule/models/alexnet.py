"""AlexNet."""

from __future__ import annotations

from typing import Any

from chainrule import Tensor

from .. import nn
from ._initial import draw_weights
from .registry import named

__all__ = ["AlexNet", "alexnet", "alexnet_small"]


class AlexNet(nn.Module[[Tensor], Tensor]):
    """AlexNet as torchvision has it: eight layers with weights, five of them convolutions.

    "One weird trick for parallelizing convolutional neural networks", Krizhevsky, 2014.

    Args:
        num_classes: outputs.
        dropout: probability before the first two linear layers.
        in_channels: colours of the pictures.
        small_input: take pictures of 8 to 32 pixels, with 3 by 3 convolutions, pools of 2 by 2 and
            narrower layers; else of 63 pixels or more.

    Example:
        >>> model = cr.models.AlexNet(in_channels=1, small_input=True, num_classes=10)
        >>> model(cr.zeros(2, 1, 8, 8)).shape
        (2, 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        dropout: float = 0.5,
        *,
        in_channels: int = 3,
        small_input: bool = False,
    ) -> None:
        super().__init__()
        if small_input:
            a, b, c, d, hidden, grid = 32, 64, 128, 96, 256, 1
            pool = nn.MaxPool2d(2)
            first = nn.Conv2d(in_channels, a, 3, padding=1)
            second = nn.Conv2d(a, b, 3, padding=1)
        else:
            a, b, c, d, hidden, grid = 64, 192, 384, 256, 4096, 6
            pool = nn.MaxPool2d(3, stride=2)
            first = nn.Conv2d(in_channels, a, 11, stride=4, padding=2)
            second = nn.Conv2d(a, b, 5, padding=2)
        self.features = nn.Sequential(
            first,
            nn.ReLU(inplace=True),
            pool,
            second,
            nn.ReLU(inplace=True),
            pool,
            nn.Conv2d(b, c, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, d, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(d, d, 3, padding=1),
            nn.ReLU(inplace=True),
            pool,
        )
        self.avgpool = nn.AdaptiveAvgPool2d((grid, grid))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(d * grid * grid, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


@named
def alexnet(**options: Any) -> AlexNet:
    """Build AlexNet, 61 million parameters; the options are those of `AlexNet`.

    Example:
        >>> cr.models.alexnet(num_classes=5).classifier[-1]
        Linear(in_features=4096, out_features=5, bias=True)
    """
    return AlexNet(**options)


@named
def alexnet_small(num_classes: int = 10, in_channels: int = 3, dropout: float = 0.5) -> AlexNet:
    """Build AlexNet's eight layers for pictures of 8 to 32 pixels, 0.4 million parameters.

    Example:
        >>> cr.models.alexnet_small(in_channels=1)(cr.zeros(1, 1, 28, 28)).shape
        (1, 10)
    """
    model = AlexNet(num_classes, dropout, in_channels=in_channels, small_input=True)
    # The layers' own weights shrink the signal in each of eight layers; the full size, trained for
    # weeks, gets over it.
    draw_weights(model, linear_std=128**-0.5)
    return model
