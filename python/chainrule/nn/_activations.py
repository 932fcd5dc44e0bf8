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
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "maxout",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "silu",
    "softmax",
    "softmin",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
    "threshold_",
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


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``max(input, 0)`` elementwise.

    Args:
        input: any shape.
        inplace: write the result into ``input``.

    Example:
        >>> F.relu(cr.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return input.relu_() if inplace else _core.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return ``input`` where positive, ``negative_slope * input`` elsewhere.

    Args:
        input: any shape, floating dtype.
        negative_slope: the slope for negative inputs.
        inplace: write the result into ``input``.

    Example:
        >>> F.leaky_relu(cr.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    return (_core.leaky_relu_ if inplace else _core.leaky_relu)(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``input`` where positive, ``alpha * (exp(input) - 1)`` elsewhere.

    Args:
        input: any shape, floating dtype.
        alpha: minus the limit for large negative inputs.
        inplace: write the result into ``input``.

    Example:
        >>> F.elu(cr.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return (_core.elu_ if inplace else _core.elu)(input, alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return ``input * Phi(input)``, Phi being the standard normal distribution function.

    Args:
        input: any shape, floating dtype.
        approximate: ``"none"`` (by erf) or ``"tanh"``.

    Raises:
        ValueError: another ``approximate``.

    Example:
        >>> F.gelu(cr.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    return _core.gelu(input, approximate=approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * sigmoid(input)``, also called swish.

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.silu(cr.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return (_core.silu_ if inplace else _core.silu)(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * tanh(softplus(input))``.

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.mish(cr.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    return (_core.mish_ if inplace else _core.mish)(input)


def softmax(input: Tensor, dim: int | None = None, dtype: cr.dtype | None = None) -> Tensor:
    """Return ``exp(x_i) / sum_j exp(x_j)`` along a dimension.

    Args:
        input: any shape, floating dtype.
        dim: the dimension that sums to one.
        dtype: cast the input to it first.

    Raises:
        ValueError: ``dim`` is None.

    Example:
        >>> F.softmax(cr.tensor([1.0, 1.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    return _core.softmax(input, stated_dim("softmax", input, dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: cr.dtype | None = None) -> Tensor:
    """Return ``log(softmax(input, dim))``, without overflow.

    Args:
        input: any shape, floating dtype.
        dim: the dimension along which the probabilities sum to one.
        dtype: cast the input to it first.

    Raises:
        ValueError: ``dim`` is None.

    Example:
        >>> F.log_softmax(cr.tensor([1.0, 1.0]), dim=0)
        tensor([-0.6931, -0.6931])
    """
    return _core.log_softmax(input, stated_dim("log_softmax", input, dim), dtype=dtype)


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
    if isinstance(input, Tensor) and not input.is_floating_point():
        limited = input.clamp(int(min_val), int(max_val))
        return input.copy_(limited) if inplace else limited
    return (_core.hardtanh_ if inplace else _core.hardtanh)(input, min_val, max_val)


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
    return (_core.hardsigmoid_ if inplace else _core.hardsigmoid)(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * hardsigmoid(input)`` (Howard et al., 2019).

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.hardswish(cr.tensor([-1.0, 1.5, 4.0]))
        tensor([-0.3333,  1.1250,  4.0000])
    """
    return (_core.hardswish_ if inplace else _core.hardswish)(input)


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
    return _core.softshrink(input, lambd)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return ``input``, and 0 where ``|input| <= lambd``.

    Args:
        input: any shape, floating dtype.
        lambd: the limit.

    Example:
        >>> F.hardshrink(cr.tensor([-1.0, 0.3, 2.0]))
        tensor([-1.,  0.,  2.])
    """
    return _core.hardshrink(input, lambd)


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
        return threshold_(input, threshold, value)
    if not input.is_floating_point():
        return input.masked_fill(input <= threshold, value)
    return _core.threshold(input, threshold, value)


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
    return _core._prelu(input, slopes)


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


def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draw from a relaxed categorical distribution: ``softmax((logits + g) / tau)``.

    ``g`` are numbers of the standard Gumbel distribution (Jang et al., 2017; Maddison et al.,
    2017). With ``hard`` the result is one-hot, and its gradient that of the relaxed draw.

    Args:
        logits: any shape, floating dtype: unnormalised log-probabilities.
        tau: the temperature, above 0; the smaller, the closer to one-hot.
        hard: whether to return one-hot vectors.
        eps: ignored, as in torch.
        dim: the dimension of the classes.

    Raises:
        ValueError: ``tau`` is not positive.

    Example:
        >>> F.gumbel_softmax(cr.zeros(2, 3), hard=True).sum(-1)
        tensor([1., 1.])
    """
    if tau <= 0:
        raise ValueError(f"gumbel_softmax: tau is above 0 (got {tau})")
    noise = -cr.empty_like(logits.detach()).exponential_().log()
    soft = _core.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    place = soft.detach().argmax(dim, keepdim=True)
    drawn = cr.zeros_like(soft.detach()).scatter(dim, place, 1.0)
    return drawn - soft.detach() + soft


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return ``input`` where positive, ``a * input`` elsewhere, ``a`` being random in training.

    Each ``a`` is drawn from U(lower, upper); in evaluation it is the mean ``(lower + upper) / 2``
    (Xu et al., 2015).

    Args:
        input: any shape, floating dtype.
        lower: the least slope for negative inputs.
        upper: the largest one.
        training: whether slopes are drawn.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``lower`` is above ``upper``.

    Example:
        >>> F.rrelu(cr.tensor([-1.0, 2.0]), 0.1, 0.3)
        tensor([-0.2000,  2.0000])
    """
    if lower > upper:
        raise ValueError(f"rrelu: lower is at most upper (got {lower} and {upper})")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = cr.empty_like(input.detach()).uniform_(lower, upper)
    factors = cr.where(input.detach() > 0, 1.0, slopes)
    return input.mul_(factors) if inplace else input * factors


def maxout(input: Tensor, pieces: int, dim: int = -1) -> Tensor:
    """Return the maximum of every group of ``pieces`` neighbours (Goodfellow et al., 2013).

    After a linear layer with ``pieces`` times as many outputs, that is a learned convex function,
    linear piece by piece; :func:`relu` and the absolute value are special cases.

    Args:
        input: any shape; its size at ``dim`` is a multiple of ``pieces``.
        pieces: how many neighbours compete.
        dim: the dimension of the features.

    Returns:
        The input's shape with the size at ``dim`` divided by ``pieces``.

    Raises:
        ValueError: the size is no multiple of ``pieces``.

    Example:
        >>> F.maxout(cr.tensor([1.0, 3.0, -2.0, -5.0]), 2)
        tensor([ 3., -2.])
    """
    if pieces < 1 or input.ndim == 0 or input.shape[dim] % pieces:
        raise ValueError(
            f"maxout: dimension {dim} of the input does not fall into groups of {pieces} "
            f"(got shape {tuple(input.shape)}); expected a multiple"
        )
    dim %= input.ndim
    return input.unflatten(dim, (input.shape[dim] // pieces, pieces)).amax(dim + 1)


# -------------------------------------------------------------------- twins that write in place


def relu_(input: Tensor) -> Tensor:
    """Write :func:`relu` of the input into it."""
    return relu(input, True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Write :func:`leaky_relu` of the input into it."""
    return leaky_relu(input, negative_slope, True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write :func:`elu` of the input into it."""
    return elu(input, alpha, True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write :func:`celu` of the input into it."""
    return celu(input, alpha, True)


def selu_(input: Tensor) -> Tensor:
    """Write :func:`selu` of the input into it."""
    return selu(input, True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Write :func:`hardtanh` of the input into it."""
    return hardtanh(input, min_val, max_val, True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Write :func:`threshold` of the input into it."""
    if not input.is_floating_point():
        return input.masked_fill_(input <= threshold, value)
    return _core.threshold_(input, threshold, value)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """Write :func:`rrelu` of the input into it."""
    return rrelu(input, lower, upper, training, True)
