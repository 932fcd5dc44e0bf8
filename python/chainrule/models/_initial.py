"""The initial weights that VGG, ResNet and MobileNet share."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..nn import init


def draw_weights(model: nn.Module[..., Any], linear_std: float | None = None) -> None:
    """Draw convolutions as He et al. do, by their fan-out, and set their biases to zero.

    Args:
        model: the network; its batch norms are born with weight one and bias zero.
        linear_std: the standard deviation of linear layers, whose biases become zero too; they stay
            as they are when None.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear) and linear_std is not None:
            init.normal_(module.weight, std=linear_std)
        else:
            continue
        if module.bias is not None:
            init.zeros_(module.bias)
