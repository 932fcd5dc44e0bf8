"""ResNet, for photographs and for small pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import Tensor

from .. import nn
from ._initial import draw_weights
from .registry import named

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ResNet",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet56",
]

Norm = Callable[[int], "nn.Module[[Tensor], Tensor]"]


def _shortcut(in_channels: int, out_channels: int, stride: int, norm: Norm) -> nn.Sequential | None:
    """A projection where the block changes the shape; None where the input goes as it is."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), norm(out_channels)
    )


class BasicBlock(nn.Module[[Tensor], Tensor]):
    """Two 3 by 3 convolutions, and the input added to what they find.

    Args:
        in_channels: channels of the input.
        width: channels of the convolutions and of the output.
        stride: of the first convolution.
        norm: makes a normalisation of so many channels.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = norm(width)
        self.downsample = _shortcut(in_channels, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        found = self.relu(self.bn1(self.conv1(x)))
        found = self.bn2(self.conv2(found))
        return self.relu(found + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module[[Tensor], Tensor]):
    """A 3 by 3 convolution between two of 1 by 1, and the input added to what they find.

    The stride is that of the 3 by 3 convolution, as in torchvision; the paper has it in the first.

    Args:
        in_channels: channels of the input.
        width: channels of the convolutions; the output has four times as many.
        stride: of the second convolution.
        norm: makes a normalisation of so many channels.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, norm: Norm) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = norm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        found = self.relu(self.bn1(self.conv1(x)))
        found = self.relu(self.bn2(self.conv2(found)))
        found = self.bn3(self.conv3(found))
        return self.relu(found + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module[[Tensor], Tensor]):
    """Layers that learn what to add to their input.

    "Deep Residual Learning for Image Recognition", He et al., 2015.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: blocks of each stage; a stage halves the picture, but for the first.
        num_classes: outputs.
        zero_init_residual: start each block as the identity, its last norm having weight zero.
        norm_layer: makes a normalisation of so many channels, by default ``nn.BatchNorm2d``.
        widths: channels of each stage.
        in_channels: colours of the pictures.
        small_input: begin with a 3 by 3 convolution and no pool, as for pictures of 8 to 32 pixels.

    Raises:
        ValueError: ``layers`` has more stages than there are ``widths``.

    Example:
        >>> from chainrule.models.resnet import BasicBlock
        >>> model = cr.models.ResNet(BasicBlock, [1, 1], 10, widths=(8, 16), small_input=True)
        >>> model(cr.zeros(2, 3, 16, 16)).shape
        (2, 10)
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        norm_layer: Norm | None = None,
        *,
        widths: Sequence[int] = (64, 128, 256, 512),
        in_channels: int = 3,
        small_input: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < len(layers) <= len(widths):
            raise ValueError(
                f"ResNet: expected a width for each stage (got layers={layers}, widths={widths})"
            )
        norm = nn.BatchNorm2d if norm_layer is None else norm_layer
        channels = widths[0]
        if small_input:
            self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False)
        self.bn1 = norm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module[[Tensor], Tensor] = (
            nn.Identity() if small_input else nn.MaxPool2d(3, stride=2, padding=1)
        )
        self._stages = [f"layer{i}" for i in range(1, len(layers) + 1)]
        for name, depth, width in zip(self._stages, layers, widths, strict=False):
            blocks = []
            for i in range(depth):
                stride = 2 if i == 0 and name != "layer1" else 1
                blocks.append(block(channels, width, stride, norm))
                channels = width * block.expansion
            setattr(self, name, nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)

        draw_weights(self)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    last = "bn2" if isinstance(module, BasicBlock) else "bn3"
                    nn.init.zeros_(module.get_parameter(f"{last}.weight"))

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self._stages:
            x = getattr(self, name)(x)
        return self.fc(self.avgpool(x).flatten(1))


@named
def resnet18(**options: Any) -> ResNet:
    """Build ResNet-18, 12 million parameters; the options are those of `ResNet`.

    Example:
        >>> model = cr.models.resnet18(num_classes=10, small_input=True)
        >>> model(cr.zeros(1, 3, 32, 32)).shape
        (1, 10)
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], **options)


@named
def resnet34(**options: Any) -> ResNet:
    """Build ResNet-34, 22 million parameters; the options are those of `ResNet`."""
    return ResNet(BasicBlock, [3, 4, 6, 3], **options)


@named
def resnet50(**options: Any) -> ResNet:
    """Build ResNet-50, 26 million parameters; the options are those of `ResNet`."""
    return ResNet(Bottleneck, [3, 4, 6, 3], **options)


def _small(blocks: int, options: dict[str, Any]) -> ResNet:
    small: dict[str, Any] = {"num_classes": 10, "widths": (16, 32, 64), "small_input": True}
    return ResNet(BasicBlock, [blocks] * 3, **(small | options))


@named
def resnet20(**options: Any) -> ResNet:
    """Build the ResNet-20 for pictures of 8 to 32 pixels, 0.27 million parameters, 10 classes.

    As in section 4.2 of the paper, but that shortcuts which change the shape are projections. The
    options are those of `ResNet`.

    Example:
        >>> cr.models.resnet20(in_channels=1)(cr.zeros(2, 1, 8, 8)).shape
        (2, 10)
    """
    return _small(3, options)


@named
def resnet32(**options: Any) -> ResNet:
    """Build the ResNet-32 for pictures of 8 to 32 pixels; see `resnet20`."""
    return _small(5, options)


@named
def resnet56(**options: Any) -> ResNet:
    """Build the ResNet-56 for pictures of 8 to 32 pixels; see `resnet20`."""
    return _small(9, options)
