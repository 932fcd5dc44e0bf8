"""The functions behind the modules of chainrule.nn, without their parameters.

Functions that are one operation of the core come from there; what is written here only combines
operations, or gives one the arguments torch gives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import Tensor
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
    max_pool1d_with_indices,
    max_pool2d_with_indices,
    mse_loss,
    nll_loss,
    pad,
    rms_norm,
    sigmoid,
    softplus,
    tanh,
)
from chainrule._products import pdist

from ._activations import (
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    log_softmax,
    maxout,
    mish,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    silu,
    softmax,
    softmin,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    threshold_,
)
from ._attention import multi_head_attention_forward, scaled_dot_product_attention
from ._convolution import conv1d, conv2d, conv3d
from ._ctc import ctc_decode, ctc_loss
from ._dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gaussian_noise,
)
from ._fractional import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from ._losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    dice_loss,
    focal_loss,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    log_cosh_loss,
    poisson_nll_loss,
    quantile_loss,
    smooth_l1_loss,
)
from ._margin_losses import (
    cosine_embedding_loss,
    cosine_similarity,
    hinge_embedding_loss,
    hinge_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    pairwise_distance,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ._pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_pool3d_with_indices,
)
from ._resampling import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from ._sampling import (
    affine_grid,
    grid_sample,
)
from ._sparse import embedding, embedding_bag, one_hot
from ._unfolding import (
    fold,
    unfold,
)
from ._unpooling import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_decode",
    "ctc_loss",
    "dice_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "focal_loss",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "gaussian_nll_loss",
    "gaussian_noise",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "local_response_norm",
    "log_cosh_loss",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "maxout",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "quantile_loss",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
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
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

logsigmoid = log_sigmoid


# -------------------------------------------------------------------- products and scaling


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``sum_ij input1_i weight_kij input2_j + bias_k`` over the last dimensions.

    Args:
        input1: ``(*, I)``, floating dtype.
        input2: ``(*, J)``.
        weight: ``(K, I, J)``.
        bias: ``(K,)`` or None.

    Returns:
        ``(*, K)``.

    Raises:
        ValueError: the sizes do not belong together.

    Example:
        >>> F.bilinear(cr.tensor([1.0, 2.0]), cr.tensor([3.0]), cr.ones(1, 2, 1))
        tensor([9.])
    """
    first, second = tuple(input1.shape), tuple(input2.shape)
    fits = weight.ndim == 3 and first[-1:] + second[-1:] == tuple(weight.shape)[1:]
    if not fits or first[:-1] != second[:-1]:
        raise ValueError(
            f"bilinear: the inputs do not fit each other or the weight (got {first}, {second} and "
            f"{tuple(weight.shape)}); expected (*, I), (*, J) and (K, I, J)"
        )
    outputs, rows, columns = weight.shape
    # One matrix product for input1, then a small one for every sample.
    left = input1.reshape(-1, rows) @ weight.permute(1, 0, 2).reshape(rows, outputs * columns)
    right = input2.reshape(-1, columns, 1)
    product = left.reshape(-1, outputs, columns) @ right
    result = product.reshape(*first[:-1], outputs)
    if bias is None:
        return result
    if tuple(bias.shape) != (outputs,):
        raise ValueError(f"bilinear: bias has shape {tuple(bias.shape)}; expected ({outputs},)")
    return result + bias


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


if not TYPE_CHECKING:  # a type checker shall find misspelt names

    def __getattr__(name: str) -> object:
        from chainrule._absent import missing

        raise missing("nn.functional", name)
