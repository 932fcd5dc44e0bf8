"""Which activation a layer can apply to its own output, so that the two modules are one op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .activation import (
    ELU,
    GELU,
    Hardsigmoid,
    Hardswish,
    LeakyReLU,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d
from .linear import Linear
from .module import Module
from .text import LOCATED, locate

__all__ = ["call_activated", "fused_activation", "takes_activation"]

# Exact types here and below: a subclass may do something else.
_LAYERS = frozenset(
    (Linear, Conv1d, Conv2d, Conv3d, BatchNorm1d, BatchNorm2d, BatchNorm3d),
)

# The name that `activation=` of the layers' functions knows a module by, while the module's
# arguments are those of its function by default.
_NAMES: dict[type, Callable[[Any], str | None]] = {
    ReLU: lambda module: "relu",
    ReLU6: lambda module: "relu6",
    LeakyReLU: lambda module: "leaky_relu" if module.negative_slope == 0.01 else None,
    Sigmoid: lambda module: "sigmoid",
    Tanh: lambda module: "tanh",
    ELU: lambda module: "elu" if module.alpha == 1 else None,
    GELU: lambda module: "gelu" if module.approximate == "none" else None,
    SiLU: lambda module: "silu",
    Mish: lambda module: "mish",
    Softplus: lambda module: "softplus" if module.beta == 1 and module.threshold == 20 else None,
    Hardsigmoid: lambda module: "hardsigmoid",
    Hardswish: lambda module: "hardswish",
}


def _is_plain(module: Module) -> bool:
    """Return whether a call is the class's ``forward`` and nothing else."""
    return module._hooks is None and "forward" not in module.__dict__


def takes_activation(module: Module) -> bool:
    """Return whether the module is a layer that can apply the activation after it."""
    return type(module) in _LAYERS and _is_plain(module)


def fused_activation(module: Module) -> str | None:
    """Return what the layer before the module is to apply in its place, or None."""
    name = _NAMES.get(type(module))
    return name(module) if name is not None and _is_plain(module) else None


def call_activated(layer: Any, input: Any, activation: str) -> Any:
    """Return ``activation(layer(input))``; an error names the layer, as from a call."""
    try:
        return layer._forward_activated(input, activation)
    except LOCATED as error:
        locate(error, layer, (input,))
        raise
