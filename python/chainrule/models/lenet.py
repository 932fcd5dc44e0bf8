"""LeNet-5."""

from __future__ import annotations

from chainrule import Tensor

from .. import nn
from .registry import named

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module[[Tensor], Tensor]):
    """LeNet-5, with tanh and average pools as published, and logits for its output.

    "Gradient-Based Learning Applied to Document Recognition", LeCun et al., 1998; every map of the
    second convolution sees all maps of the first.

    Args:
        num_classes: outputs.
        in_channels: colours of the pictures.
        input_size: pixels in height and width, 28 (padded by two on each side) or 32.

    Raises:
        ValueError: another ``input_size``.

    Example:
        >>> cr.models.LeNet()(cr.zeros(2, 1, 28, 28)).shape
        (2, 10)
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, input_size: int = 28) -> None:
        super().__init__()
        if input_size not in (28, 32):
            raise ValueError(
                f"LeNet: input_size is 28 or 32 (got {input_size}); vgg_small and resnet20 take "
                "pictures of any size from 8"
            )
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=(32 - input_size) // 2),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120),
            nn.Tanh(),
            nn.Linear(120, 84),
            nn.Tanh(),
            nn.Linear(84, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


@named
def lenet(num_classes: int = 10, in_channels: int = 1, input_size: int = 28) -> LeNet:
    """Build LeNet-5; the arguments are those of `LeNet`.

    Example:
        >>> cr.models.lenet(input_size=32)(cr.zeros(1, 1, 32, 32)).shape
        (1, 10)
    """
    return LeNet(num_classes, in_channels, input_size)
