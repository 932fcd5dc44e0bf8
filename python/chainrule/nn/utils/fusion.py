"""Batch normalization merged into the layer before it, for evaluation.

In evaluation a batch norm is an affine map of each channel, and so is what comes before: one layer
does for both, in one pass over the data.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import chainrule as cr
from chainrule import Tensor

from ..modules.batchnorm import _BatchNorm
from ..modules.conv import _Convolution
from ..modules.linear import Linear
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]

_Conv = TypeVar("_Conv", bound=_Convolution)
_Linear = TypeVar("_Linear", bound=Linear)


def _check_eval(op: str, layer: Module[..., Tensor], norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Return the norm's statistics."""
    if layer.training or norm.training:
        raise ValueError(f"{op}: both layers must be in evaluation mode; call .eval() on them")
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(
            f"{op}: the batch norm has no running statistics (track_running_stats=False); it "
            "depends on the batch and cannot be merged"
        )
    return norm.running_mean, norm.running_var


def _affine(
    op: str,
    channels: int,
    mean: Tensor,
    var: Tensor,
    eps: float,
    weight: Tensor | None,
    bias: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the factor and the summand of every channel."""
    if mean.shape not in ((channels,), (1,)):
        raise ValueError(
            f"{op}: the layer has {channels} output channels, the batch norm {mean.shape[0]}; "
            "expected the same number"
        )
    scale = (var + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    return scale, shift if bias is None else shift + bias


def _merged(
    weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor, by_channel: Tensor
) -> tuple[Parameter, Parameter]:
    with cr.no_grad():
        new_bias = shift if bias is None else bias * scale + shift
        new_weight = (weight * by_channel).to(weight.dtype)
        new_bias = new_bias.expand(scale.shape).to(weight.dtype).clone()
    return (
        Parameter(new_weight, weight.requires_grad),
        Parameter(new_bias, bias is not None and bias.requires_grad),
    )


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a convolution that also does a batch norm behind it.

    Args:
        conv_w: the convolution's weight.
        conv_b: its bias, or None.
        bn_rm: the norm's running mean, ``(O,)``.
        bn_rv: its running variance.
        bn_eps: what it adds to the variance.
        bn_w: its weight, or None.
        bn_b: its bias, or None.
        transpose: whether the convolution is a transposed one (of one group), whose output
            channels are the weight's second dimension.

    Raises:
        ValueError: another number of channels.

    Example:
        >>> w, zero, one = cr.ones(2, 1, 1), cr.zeros(2), cr.ones(2)
        >>> cr.nn.utils.fusion.fuse_conv_bn_weights(w, None, one, one * 3, 1.0, None, zero)[1]
        Parameter containing:
        tensor([-0.5000, -0.5000])
    """
    dim = 1 if transpose else 0
    channels = conv_w.shape[dim]
    with cr.no_grad():
        scale, shift = _affine("fuse_conv_bn_weights", channels, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
        shape = [1] * conv_w.ndim
        shape[dim] = -1
        return _merged(conv_w, conv_b, scale, shift, scale.reshape(shape))


def fuse_conv_bn_eval(conv: _Conv, bn: _BatchNorm, transpose: bool = False) -> _Conv:
    """Return a convolution that also does the batch norm behind it.

    Args:
        conv: the convolution, in evaluation mode.
        bn: the batch norm, in evaluation mode, with running statistics.
        transpose: whether ``conv`` is a transposed convolution; it must have one group then.

    Returns:
        A copy of ``conv`` with other weights and a bias.

    Raises:
        ValueError: a layer in training mode, no running statistics, another number of channels,
            or a transposed convolution of several groups.

    Example:
        >>> conv, norm = cr.nn.Conv2d(3, 8, 3).eval(), cr.nn.BatchNorm2d(8).eval()
        >>> fused = cr.nn.utils.fuse_conv_bn_eval(conv, norm)
        >>> x = cr.randn(2, 3, 5, 5)
        >>> cr.allclose(fused(x), norm(conv(x)), atol=1e-6)
        True
    """
    mean, var = _check_eval("fuse_conv_bn_eval", conv, bn)
    if transpose and conv.groups != 1:
        raise ValueError(
            f"fuse_conv_bn_eval: a transposed convolution must have one group (got {conv.groups})"
        )
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, mean, var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a linear layer that also does a batch norm behind it.

    Args:
        linear_w: the layer's weight, ``(O, I)``.
        linear_b: its bias, or None.
        bn_rm: the norm's running mean, ``(O,)`` or ``(1,)``.
        bn_rv: its running variance.
        bn_eps: what it adds to the variance.
        bn_w: its weight, or None.
        bn_b: its bias, or None.

    Raises:
        ValueError: another number of features.

    Example:
        >>> w, zero, one = cr.ones(2, 2), cr.zeros(2), cr.ones(2)
        >>> cr.nn.utils.fusion.fuse_linear_bn_weights(w, zero, zero, one * 3, 1.0, one, one)[1]
        Parameter containing:
        tensor([1., 1.])
    """
    features = linear_w.shape[0]
    with cr.no_grad():
        op = "fuse_linear_bn_weights"
        scale, shift = _affine(op, features, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
        scale = scale.expand(features)
        return _merged(linear_w, linear_b, scale, shift, scale.unsqueeze(-1))


def fuse_linear_bn_eval(linear: _Linear, bn: _BatchNorm) -> _Linear:
    """Return a linear layer that also does the batch norm behind it.

    Args:
        linear: the layer, in evaluation mode.
        bn: the batch norm, in evaluation mode, with running statistics of as many features (or
            of one).

    Returns:
        A copy of ``linear`` with other weights and a bias.

    Raises:
        ValueError: a layer in training mode, no running statistics, or another number of features.

    Example:
        >>> linear, norm = cr.nn.Linear(3, 8).eval(), cr.nn.BatchNorm1d(8).eval()
        >>> fused = cr.nn.utils.fuse_linear_bn_eval(linear, norm)
        >>> x = cr.randn(4, 3)
        >>> cr.allclose(fused(x), norm(linear(x)), atol=1e-6)
        True
    """
    mean, var = _check_eval("fuse_linear_bn_eval", linear, bn)
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        linear.weight, linear.bias, mean, var, bn.eps, bn.weight, bn.bias
    )
    return fused
