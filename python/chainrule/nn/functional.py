"""The functions behind the modules of chainrule.nn, without their parameters.

Functions that are one operation of the core come from there; what is written here only combines
operations, or gives one the arguments torch gives it.
"""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor, _core
from chainrule._core import (
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cross_entropy,
    group_norm,
    instance_norm,
    l1_loss,
    layer_norm,
    linear,
    local_response_norm,
    log_sigmoid,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    mse_loss,
    nll_loss,
    pad,
    rms_norm,
    sigmoid,
    softplus,
    tanh,
)
from chainrule.random import _state_of

from ._activations import (
    celu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    prelu,
    relu6,
    selu,
    softmin,
    softshrink,
    softsign,
    stated_dim,
    tanhshrink,
    threshold,
    write_back,
)
from ._convolution import conv1d, conv2d, conv3d
from ._losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    poisson_nll_loss,
    smooth_l1_loss,
)
from ._margin_losses import (
    cosine_embedding_loss,
    cosine_similarity,
    hinge_embedding_loss,
    margin_ranking_loss,
    pairwise_distance,
    soft_margin_loss,
    triplet_margin_loss,
)
from ._pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
)
from ._sparse import embedding, one_hot

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
]

logsigmoid = log_sigmoid


# -------------------------------------------------------------------- activations


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
    if inplace:
        return write_back(_core.leaky_relu, input, negative_slope)
    return _core.leaky_relu(input, negative_slope)


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
    return write_back(_core.elu, input, alpha) if inplace else _core.elu(input, alpha)


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
    return write_back(_core.silu, input) if inplace else _core.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``input * tanh(softplus(input))``.

    Args:
        input: any shape, floating dtype.
        inplace: write the result into ``input``.

    Example:
        >>> F.mish(cr.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    return write_back(_core.mish, input) if inplace else _core.mish(input)


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


# -------------------------------------------------------------------- dropout


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability ``p`` and scale the rest by ``1 / (1 - p)``.

    Args:
        input: any shape, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> F.dropout(cr.ones(3), p=1.0)
        tensor([0., 0., 0.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a probability between 0 and 1 (got {p})")
    if not training or p == 0:
        return input
    return write_back(_drop, input, p) if inplace else _drop(input, p)


def _drop(input: Tensor, p: float) -> Tensor:
    dropped: Tensor = _core._dropout(input, _state_of(None), p)[0]
    return dropped


# -------------------------------------------------------------------- scaling


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Divide by the p-norm along a dimension: ``input / max(norm(input), eps)``.

    Args:
        input: any shape, floating dtype.
        p: the exponent of the norm.
        dim: the dimension whose norm becomes one.
        eps: the least divisor.

    Example:
        >>> F.normalize(cr.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)
