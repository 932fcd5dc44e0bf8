"""GoogLeNet."""

from __future__ import annotations

from typing import Any, NamedTuple

import chainrule as cr
from chainrule import Tensor

from .. import nn
from ..nn import functional as F
from ..nn import init
from .registry import named

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "googlenet", "googlenet_small"]

# Widths of each module: the 1x1 branch; reduction and convolution of the second branch; those of
# the third; the projection behind the pool.
_INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` returns in training: its logits and those of the auxiliary heads."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class _Conv(nn.Module[[Tensor], Tensor]):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **options)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Inception(nn.Module[[Tensor], Tensor]):
    """Four branches side by side, joined along the channels."""

    def __init__(self, in_channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, project = widths
        self.out_channels = one + three + five + project
        self.branch1 = _Conv(in_channels, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            _Conv(in_channels, reduce3, kernel_size=1),
            _Conv(reduce3, three, kernel_size=3, padding=1),
        )
        # The paper has 5 by 5 here; the trained weights that are about are of 3 by 3.
        self.branch3 = nn.Sequential(
            _Conv(in_channels, reduce5, kernel_size=1),
            _Conv(reduce5, five, kernel_size=3, padding=1),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True),
            _Conv(in_channels, project, kernel_size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return cr.cat([branch(x) for branch in branches], 1)


class _Head(nn.Module[[Tensor], Tensor]):
    """An auxiliary classifier, which brings the loss nearer to the first layers."""

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.conv = _Conv(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, (4, 4))).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


class GoogLeNet(nn.Module[[Tensor], "Tensor | GoogLeNetOutputs"]):
    """GoogLeNet as torchvision has it: nine inception modules, 22 layers deep, with batch norm.

    In training with auxiliary heads the output is `GoogLeNetOutputs`, whose losses the paper adds
    with weight 0.3; else it is the logits.

    "Going Deeper with Convolutions", Szegedy et al., 2014.

    Args:
        num_classes: outputs.
        aux_logits: have auxiliary heads behind 4a and 4d.
        transform_input: take pictures normalised as for the other networks of torchvision, and
            shift them to the range of [-1, 1] that the trained weights expect.
        init_weights: draw the weights as torchvision does; else the layers keep their own.
        dropout: probability before the last layer.
        dropout_aux: probability in the auxiliary heads.
        in_channels: colours of the pictures.
        width_mult: factor of the widths of all convolutions but those of the auxiliary heads.
        small_input: take pictures of 8 to 32 pixels, with a first convolution of 3 by 3 and without
            the first two pools; else of 15 pixels or more.

    Raises:
        ValueError: ``width_mult`` is not positive, or ``transform_input`` of other than 3 colours.

    Example:
        >>> model = cr.models.GoogLeNet(width_mult=0.25, num_classes=10)
        >>> [output.shape for output in model(cr.zeros(2, 3, 64, 64))]
        [(2, 10), (2, 10), (2, 10)]
        >>> model.eval()(cr.zeros(2, 3, 64, 64)).shape
        (2, 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool = True,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        *,
        in_channels: int = 3,
        width_mult: float = 1.0,
        small_input: bool = False,
    ) -> None:
        super().__init__()
        if transform_input and in_channels != 3:
            raise ValueError(
                f"GoogLeNet: transform_input is for three colours (got in_channels={in_channels})"
            )
        if not width_mult > 0:
            raise ValueError(f"GoogLeNet: width_mult is positive (got {width_mult})")
        self.aux_logits = aux_logits
        self.transform_input = transform_input

        def scaled(width: int) -> int:
            return max(1, round(width * width_mult))

        first = {"kernel_size": 3, "padding": 1}
        pool: type[nn.Module[[Tensor], Tensor]] = nn.Identity
        if not small_input:
            first = {"kernel_size": 7, "stride": 2, "padding": 3}
            pool = nn.MaxPool2d
        big = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
        self.conv1 = _Conv(in_channels, scaled(64), **first)
        self.maxpool1 = pool(**big)
        self.conv2 = _Conv(scaled(64), scaled(64), kernel_size=1)
        self.conv3 = _Conv(scaled(64), scaled(192), kernel_size=3, padding=1)
        self.maxpool2 = pool(**big)

        width = scaled(192)
        into: dict[str, int] = {}  # channels that enter each module
        for name, widths in _INCEPTIONS.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            elif name == "5a":
                self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
            into[name] = width
            module = _Inception(width, tuple(map(scaled, widths)))
            setattr(self, f"inception{name}", module)
            width = module.out_channels

        self.aux1 = _Head(into["4b"], num_classes, dropout_aux) if aux_logits else None
        self.aux2 = _Head(into["4e"], num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, num_classes)
        if init_weights:
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    init.trunc_normal_(layer.weight, std=0.01, a=-2, b=2)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:
            # From (v - mean) / std of ImageNet's colours to (v - 0.5) / 0.5.
            mean = cr.tensor([0.485, 0.456, 0.406], dtype=x.dtype).view(3, 1, 1)
            std = cr.tensor([0.229, 0.224, 0.225], dtype=x.dtype).view(3, 1, 1)
            x = x * (std / 0.5) + (mean - 0.5) / 0.5
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        heads: dict[str, Tensor] = {}
        for name in _INCEPTIONS:
            if name == "4a":
                x = self.maxpool3(x)
            elif name == "5a":
                x = self.maxpool4(x)
            x = getattr(self, f"inception{name}")(x)
            head = {"4a": self.aux1, "4d": self.aux2}.get(name)
            if head is not None and self.training:
                heads[name] = head(x)
        x = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return GoogLeNetOutputs(x, heads["4d"], heads["4a"]) if heads else x


@named
def googlenet(**options: Any) -> GoogLeNet:
    """Build GoogLeNet, 13 million parameters with the auxiliary heads and 6.6 without.

    The options are those of `GoogLeNet`.

    Example:
        >>> model = cr.models.googlenet(aux_logits=False)
        >>> sum(p.numel() for p in model.parameters())
        6624904
    """
    return GoogLeNet(**options)


@named
def googlenet_small(num_classes: int = 10, in_channels: int = 3, **options: Any) -> GoogLeNet:
    """Build GoogLeNet with a quarter of the widths for pictures of 8 to 32 pixels.

    It has no auxiliary heads and keeps the layers' own initial weights, unless asked otherwise; the
    other options are those of `GoogLeNet`.

    Example:
        >>> cr.models.googlenet_small(in_channels=1)(cr.zeros(2, 1, 8, 8)).shape
        (2, 10)
    """
    small = {"aux_logits": False, "init_weights": False, "width_mult": 0.25, "small_input": True}
    return GoogLeNet(num_classes, in_channels=in_channels, **(small | options))
