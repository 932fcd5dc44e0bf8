"""Linear, Bilinear and Identity."""

from __future__ import annotations

import math
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module[[Any], Any]):
    """Return the input unchanged; a placeholder.

    Args:
        *args: ignored.
        **kwargs: ignored.

    Example:
        >>> cr.nn.Identity(54)(cr.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return ``input``."""
        return input


class Linear(Module[[Tensor], Tensor]):
    r"""Apply an affine map to the last dimension: ``y = x @ weight.T + bias``.

    Args:
        in_features: size of the last dimension of the input.
        out_features: size of the last dimension of the output.
        bias: whether to add a bias.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(*, in_features)``, output ``(*, out_features)``.

    Attributes:
        weight: ``(out_features, in_features)``, drawn from U(-k, k) with
            k = 1 / sqrt(in_features).
        bias: ``(out_features,)``, drawn alike, or None.

    Raises:
        ValueError: a size is negative, or the input's last dimension is not ``in_features``.

    Example:
        >>> layer = cr.nn.Linear(20, 30)
        >>> layer(cr.zeros(128, 20)).shape
        (128, 30)
    """

    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(cr.empty(out_features, in_features, **options))
        if bias:
            self.bias = Parameter(cr.empty(out_features, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias afresh from their initial distributions."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # the bound is 1 / sqrt(in_features)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def _width(self) -> tuple[str, int]:
        return "in_features", -1

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input @ weight.T + bias``."""
        return F.linear(input, self.weight, self.bias)

    def _forward_activated(self, input: Tensor, activation: str) -> Tensor:
        return F.linear(input, self.weight, self.bias, activation=activation)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module[[Tensor, Tensor], Tensor]):
    r"""Apply a bilinear form to the last dimensions: ``y_k = x1 @ weight_k @ x2 + bias_k``.

    Args:
        in1_features: size of the last dimension of the first input.
        in2_features: size of the last dimension of the second input.
        out_features: size of the last dimension of the output.
        bias: whether to add a bias.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        inputs ``(*, in1_features)`` and ``(*, in2_features)``, output ``(*, out_features)``.

    Attributes:
        weight: ``(out_features, in1_features, in2_features)``, drawn from U(-k, k) with
            k = 1 / sqrt(in1_features).
        bias: ``(out_features,)``, drawn alike, or None.

    Raises:
        ValueError: ``in1_features`` is not positive, or the inputs do not fit.

    Example:
        >>> layer = cr.nn.Bilinear(20, 30, 40)
        >>> layer(cr.zeros(128, 20), cr.zeros(128, 30)).shape
        (128, 40)
    """

    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features is above 0 (got {in1_features})")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        options = {"device": device, "dtype": dtype}
        self.weight = Parameter(cr.empty(out_features, in1_features, in2_features, **options))
        if bias:
            self.bias = Parameter(cr.empty(out_features, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias afresh from their initial distributions."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def _width(self) -> tuple[str, int]:
        return "in1_features", -1

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return ``input1 @ weight @ input2 + bias``."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
