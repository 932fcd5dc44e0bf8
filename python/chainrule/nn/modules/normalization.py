"""Layer, group, RMS and local response normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class _Affine(Module[[Tensor], Tensor]):
    """A weight that starts at one and a bias that starts at zero; None where not wanted."""

    weight: Parameter | None
    bias: Parameter | None

    def _make(self, name: str, wanted: bool, shape: Sequence[int], **options: Any) -> None:
        self.register_parameter(name, Parameter(cr.empty(*shape, **options)) if wanted else None)

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        for name, parameter in self.named_parameters(recurse=False):
            init.ones_(parameter) if name == "weight" else init.zeros_(parameter)


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


class LayerNorm(_Affine):
    r"""Normalize over the last dimensions, each example by itself.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``.

    Args:
        normalized_shape: sizes of the last dimensions, or one int.
        eps: added to the variance.
        elementwise_affine: whether to learn weight and bias.
        bias: whether an affine layer has a bias.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.

    Shape:
        input ``(*, normalized_shape)``, output the same.

    Attributes:
        weight: ``normalized_shape``, ones, or None.
        bias: ``normalized_shape``, zeros, or None.

    Raises:
        ValueError: the input does not end with ``normalized_shape``.

    Example:
        >>> cr.nn.LayerNorm(2, elementwise_affine=False)(cr.tensor([[1.0, 3.0]]))
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", True), ("bias", bias)):
            wanted = wanted and elementwise_affine
            self._make(name, wanted, self.normalized_shape, device=device, dtype=dtype)
        self.reset_parameters()

    def _width(self) -> tuple[str, int]:
        return "normalized_shape", -1

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of ``repr``."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    r"""Divide by the root of the mean square over the last dimensions.

    ``y = x / sqrt(mean(x^2) + eps) * weight``.

    Args:
        normalized_shape: sizes of the last dimensions, or one int.
        eps: added to the mean square; None is the machine epsilon of the input's dtype.
        elementwise_affine: whether to learn a weight.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the weight; None for the default dtype.

    Shape:
        input ``(*, normalized_shape)``, output the same.

    Attributes:
        weight: ``normalized_shape``, ones, or None.

    Raises:
        ValueError: the input does not end with ``normalized_shape``.

    Example:
        >>> cr.nn.RMSNorm(2, elementwise_affine=False)(cr.tensor([[3.0, 4.0]]))
        tensor([[0.8485, 1.1314]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._make("weight", elementwise_affine, self.normalized_shape, device=device, dtype=dtype)
        self.reset_parameters()

    def _width(self) -> tuple[str, int]:
        return "normalized_shape", -1

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of ``repr``."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    r"""Normalize groups of channels of each example, then scale and shift each channel.

    Args:
        num_groups: divides ``num_channels``.
        num_channels: C.
        eps: added to the variance.
        affine: whether to learn weight and bias.
        device: ``"cpu"`` or None.
        dtype: floating dtype of the parameters; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, *)``, output the same.

    Attributes:
        weight: ``(C,)``, ones, or None.
        bias: ``(C,)``, zeros, or None.

    Raises:
        ValueError: ``num_groups`` does not divide ``num_channels``, or the input has other
            channels.

    Example:
        >>> cr.nn.GroupNorm(2, 4, affine=False)(cr.tensor([[1.0, 3.0, 10.0, 30.0]]))
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                "GroupNorm: num_groups must be positive and divide num_channels "
                f"(got num_groups={num_groups}, num_channels={num_channels})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self._make(name, wanted, (num_channels,), device=device, dtype=dtype)
        self.reset_parameters()

    def _width(self) -> tuple[str, int]:
        return "num_channels", 1

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``."""
        if input.ndim >= 2 and input.shape[1] != self.num_channels:
            raise ValueError(
                f"GroupNorm: the layer has {self.num_channels} channels "
                f"(got input of shape {tuple(input.shape)}); expected (N, C, ...)"
            )
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of ``repr``."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module[[Tensor], Tensor]):
    r"""Divide each value by the strength of the channels around it.

    ``y = x / (k + alpha * mean of x^2 over the neighbouring channels) ** beta``.

    Args:
        size: channels in a neighbourhood.
        alpha: factor of the mean.
        beta: exponent.
        k: constant term.

    Shape:
        input ``(N, C, *)`` of three or more dimensions, output the same.

    Raises:
        ValueError: the input has fewer than three dimensions.

    Example:
        >>> cr.nn.LocalResponseNorm(2)(cr.ones(1, 4, 5)).shape
        (1, 4, 5)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of ``repr``."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
