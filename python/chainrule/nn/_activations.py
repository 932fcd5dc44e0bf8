"""Activation functions that are combinations of operations.

Where a curve has a corner, the gradient there is torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chainrule as cr
from chainrule import Tensor, _core

__all__ = [
    "celu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "prelu",
    "relu6",
    "selu",
    "softmin",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]

# The fixed point of mean 0 and variance 1 (Klambauer et al., 2017).
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def write_back(function: Callable[..., Tensor], input: Tensor, *args: Any) -> Tensor:
    """Write ``function(input)`` into ``input``; the tape keeps a copy of the values it reads."""
    values = input.clone() if input.requires_grad else input
    return input.copy_(function(values, *args))


def stated_dim(op: str, input: Tensor, dim: int | None) -> int:
    """Return ``dim``, or raise if it is None."""
    if dim is None:
        raise ValueError(
            f"{op}: dim is not given (input of shape {tuple(input.shape)}); "
            "expected the dimension whose probabilities sum to one, such as dim=-1"
        )
    return dim


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return ``input`` limited to a range; unlike ``clamp``, the gradient at the limits is 0.

    Args:
        input: any shape.
        min_val: the lower limit.
        max_val: the upper limit.
        inplace: write the result into ``input``.

    Raises:
        ValueError: the limits are in the wrong order.

    Example:
        >>> F.hardtanh(cr.tensor([-2.0, 0.5, 2.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is at most max_val (got {min_val} and {max_val})")
    if inplace:
        return write_back(hardtanh, input, min_val, max_val)
    outside = (input <= min_val) | (input >= max_val)
    return cr.where(outside, input.detach().clamp(min_val, max_val), input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``min(max(input, 0), 6)``.

    Args:
        input: any shape.
        inplace: write the result into ``input``.

    Example:
        >>> F.relu6(cr.tensor([-2.0, 3.0, 8.0]))
        tensor([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``min(max(input + 3, 0), 6) / 6``, a sigmoid of straight lines.

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.hardsigmoid(cr.tensor([-4.0, 0.0, 4.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    if inplace:
        return write_back(hardsigmoid, input)
    return (hardtanh(input, -3.0, 3.0) + 3.0) / 6.0


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * hardsigmoid(input)`` (Howard et al., 2019).

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.hardswish(cr.tensor([-1.0, 1.5, 4.0]))
        tensor([-0.3333,  1.1250,  4.0000])
    """
    return write_back(hardswish, input) if inplace else input * hardsigmoid(input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``scale * elu(input, alpha)`` with constants that normalise (Klambauer et al., 2017).

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.selu(cr.tensor([-1.0, 1.0]))
        tensor([-1.1113,  1.0507])
    """
    if inplace:
        return write_back(selu, input)
    return _core.elu(input, _SELU_ALPHA) * _SELU_SCALE


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``max(input, 0) + min(0, alpha * (exp(input / alpha) - 1))`` (Barron, 2017).

    Args:
        input: any shape, floating dtype.
        alpha: minus the limit for large negative inputs; not 0.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``alpha`` is 0.

    Example:
        >>> F.celu(cr.tensor([-1.0, 1.0]), 2.0)
        tensor([-0.7869,  1.0000])
    """
    if alpha == 0:
        raise ValueError("celu: alpha is not 0")
    return write_back(celu, input, alpha) if inplace else _core.elu(input / alpha) * alpha


def softsign(input: Tensor) -> Tensor:
    """Return ``input / (1 + |input|)``.

    Args:
        input: any shape, floating dtype.

    Example:
        >>> F.softsign(cr.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1.0)


def tanhshrink(input: Tensor) -> Tensor:
    """Return ``input - tanh(input)``.

    Args:
        input: any shape, floating dtype.

    Example:
        >>> F.tanhshrink(cr.tensor([0.0, 1.0]))
        tensor([0.0000, 0.2384])
    """
    return input - input.tanh()


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return ``input`` moved towards 0 by ``lambd``, and 0 where it is closer than that.

    Args:
        input: any shape, floating dtype.
        lambd: how far; at least 0.

    Raises:
        ValueError: ``lambd`` is negative.

    Example:
        >>> F.softshrink(cr.tensor([-1.0, 0.3, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise ValueError(f"softshrink: lambd is at least 0 (got {lambd})")
    return input - input.clamp(-lambd, lambd)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return ``input``, and 0 where ``|input| <= lambd``.

    Args:
        input: any shape, floating dtype.
        lambd: the limit.

    Example:
        >>> F.hardshrink(cr.tensor([-1.0, 0.3, 2.0]))
        tensor([-1.,  0.,  2.])
    """
    return cr.where((input >= -lambd) & (input <= lambd), 0.0, input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return ``input`` where it is above ``threshold``, ``value`` elsewhere.

    Args:
        input: any shape.
        threshold: the limit.
        value: what replaces the rest.
        inplace: write the result into ``input``.

    Example:
        >>> F.threshold(cr.tensor([-1.0, 0.1, 2.0]), 0.1, 20.0)
        tensor([20., 20.,  2.])
    """
    if inplace:
        return input.masked_fill_(input <= threshold, value)
    return cr.where(input <= threshold, value, input)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return ``input`` where positive, ``weight * input`` elsewhere (He et al., 2015).

    Args:
        input: any shape, floating dtype; the channels are dimension 1.
        weight: one slope, or one for every channel.

    Raises:
        ValueError: the number of slopes is neither 1 nor that of the channels.

    Example:
        >>> F.prelu(cr.tensor([-1.0, 2.0]), cr.tensor([0.25]))
        tensor([-0.2500,  2.0000])
    """
    if weight.numel() == 1:
        slopes = weight.reshape(())
    else:
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.ndim != 1 or weight.shape[0] != channels:
            raise ValueError(
                f"prelu: weight has shape {tuple(weight.shape)}; expected one slope, or one for "
                f"each of the {channels} channels (input of shape {tuple(input.shape)})"
            )
        slopes = weight.reshape(channels, *[1] * (input.ndim - 2))
    return input.relu() + slopes * input.clamp(max=0.0)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return ``a * sigmoid(b)``, a and b being the halves of the input (Dauphin et al., 2016).

    Args:
        input: any shape with an even size at ``dim``, floating dtype.
        dim: the dimension that is halved.

    Raises:
        ValueError: the size is odd.

    Example:
        >>> F.glu(cr.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """
    if input.ndim == 0 or input.shape[dim] % 2:
        raise ValueError(
            f"glu: dimension {dim} of the input does not have two halves "
            f"(got shape {tuple(input.shape)}); expected an even size"
        )
    a, b = cr.chunk(input, 2, dim) if input.shape[dim] else (input, input)
    return a * b.sigmoid()


def softmin(input: Tensor, dim: int | None = None, dtype: cr.dtype | None = None) -> Tensor:
    """Return ``softmax(-input)`` along a dimension.

    Args:
        input: any shape, floating dtype.
        dim: the dimension that sums to one.
        dtype: cast the input to it first.

    Raises:
        ValueError: ``dim`` is None.

    Example:
        >>> F.softmin(cr.tensor([1.0, 1.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    return _core.softmax(-input, stated_dim("softmin", input, dim), dtype=dtype)
