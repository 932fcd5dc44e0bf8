"""Batch and instance normalization layers."""

from __future__ import annotations

from typing import Any

import chainrule as cr
from chainrule import Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
]


class _ChannelNorm(Module[[Tensor], Tensor]):
    """What batch and instance normalization share: parameters and running statistics."""

    _ranks: tuple[int, ...]  # of the inputs, and how they are written
    _layout: str

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: cr.dtype | None,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            parameter = Parameter(cr.empty(num_features, **options)) if wanted else None
            self.register_parameter(name, parameter)
        tracked = track_running_stats
        self.register_buffer("running_mean", cr.zeros(num_features, **options) if tracked else None)
        self.register_buffer("running_var", cr.ones(num_features, **options) if tracked else None)
        self.register_buffer(
            "num_batches_tracked", cr.zeros((), dtype=cr.int64, device=device) if tracked else None
        )
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0, variance 1."""
        if self.running_mean is not None:
            self.running_mean.zero_()
        if self.running_var is not None:
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0, and forget the running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_rank(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            raise ValueError(
                f"{type(self).__name__}: got input of shape {tuple(input.shape)}; "
                f"expected {self._layout}"
            )

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of ``repr``."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def _width(self) -> tuple[str, int]:
        return "num_features", 1

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``; in training, also follow its statistics."""
        return self._forward_activated(input, None)

    def _forward_activated(self, input: Tensor, activation: str | None) -> Tensor:
        self._check_rank(input)
        by_batch = self.training or self.running_mean is None
        # Not to be tracked now: the buffers stay as they are.
        used = self.track_running_stats or not self.training
        count = self.num_batches_tracked if self.training and used else None
        momentum = self.momentum
        if momentum is None:  # the plain average of all batches
            momentum = 0.0 if count is None else 1.0 / (int(count.item()) + 1)
        output: Tensor = F.batch_norm(
            input,
            self.running_mean if used else None,
            self.running_var if used else None,
            self.weight,
            self.bias,
            by_batch,
            momentum,
            self.eps,
            activation=activation,
        )
        if count is not None:
            count.add_(1)
        return output


class BatchNorm1d(_BatchNorm):
    r"""Normalize each feature by its mean and variance over the batch.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``. In training the statistics are the
    batch's, and the running ones move towards them, ``running = (1 - momentum) * running +
    momentum * new`` (of the unbiased variance); in evaluation they are the running ones.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; None averages all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics; without them evaluation uses the
            batch's as well.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C)`` or ``(N, C, L)``, output the same.

    Attributes:
        weight: ``(C,)``, ones, or None.
        bias: ``(C,)``, zeros, or None.
        running_mean: ``(C,)`` or None.
        running_var: ``(C,)`` or None.
        num_batches_tracked: batches seen in training, int64, or None.

    Raises:
        ValueError: the input has another rank or number of channels, or one value per channel in
            training.

    Example:
        >>> layer = cr.nn.BatchNorm1d(2)
        >>> layer(cr.tensor([[1.0, 10.0], [3.0, 30.0]]))
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]], grad_fn=<...>)
    """

    _ranks = (2, 3)
    _layout = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    r"""Normalize each channel by its mean and variance over the batch and the image.

    As :class:`BatchNorm1d`, for images.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; None averages all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, H, W)``, output the same.

    Raises:
        ValueError: the input has another rank or number of channels, or one value per channel in
            training.

    Example:
        >>> layer = cr.nn.BatchNorm2d(3)
        >>> layer(cr.randn(4, 3, 8, 8)).shape
        (4, 3, 8, 8)
    """

    _ranks = (4,)
    _layout = "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    r"""Normalize each channel by its mean and variance over the batch and the volume.

    As :class:`BatchNorm1d`, for volumes.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics; None averages all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, D, H, W)``, output the same.

    Raises:
        ValueError: the input has another rank or number of channels, or one value per channel in
            training.

    Example:
        >>> layer = cr.nn.BatchNorm3d(3)
        >>> layer(cr.randn(4, 3, 2, 8, 8)).shape
        (4, 3, 2, 8, 8)
    """

    _ranks = (5,)
    _layout = "(N, C, D, H, W)"


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: cr.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def _width(self) -> tuple[str, int]:
        return "num_features", 1 - max(self._ranks)

    def forward(self, input: Tensor) -> Tensor:
        """Normalize ``input``; in training, also follow its statistics."""
        self._check_rank(input)
        single = input.ndim == self._ranks[0]
        batch = input.unsqueeze(0) if single else input
        if batch.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: the layer has {self.num_features} channels "
                f"(got input of shape {tuple(input.shape)}); expected {self._layout}"
            )
        output: Tensor = F.instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output.squeeze(0) if single else output


class InstanceNorm1d(_InstanceNorm):
    r"""Normalize each channel of each example by its own mean and variance.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics and use them in evaluation.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output the same.

    Raises:
        ValueError: the input has another rank or number of channels, or planes of one value.

    Example:
        >>> cr.nn.InstanceNorm1d(1)(cr.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """

    _ranks = (2, 3)
    _layout = "(C, L) or (N, C, L)"


class InstanceNorm2d(_InstanceNorm):
    r"""Normalize each channel of each image by its own mean and variance.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics and use them in evaluation.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output the same.

    Raises:
        ValueError: the input has another rank or number of channels, or planes of one value.

    Example:
        >>> cr.nn.InstanceNorm2d(3)(cr.randn(4, 3, 8, 8)).shape
        (4, 3, 8, 8)
    """

    _ranks = (3, 4)
    _layout = "(C, H, W) or (N, C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    r"""Normalize each channel of each volume by its own mean and variance.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics and use them in evaluation.
        device: ``"cpu"`` or None.
        dtype: floating dtype of parameters and statistics; None for the default dtype.
        bias: whether an affine layer has a bias.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output the same.

    Raises:
        ValueError: the input has another rank or number of channels, or planes of one value.

    Example:
        >>> cr.nn.InstanceNorm3d(3)(cr.randn(4, 3, 2, 8, 8)).shape
        (4, 3, 2, 8, 8)
    """

    _ranks = (4, 5)
    _layout = "(C, D, H, W) or (N, C, D, H, W)"
