"""Noise of training: dropout of elements and of whole channels, and its self-normalizing form."""

from __future__ import annotations

import chainrule as cr
from chainrule import Tensor, _core
from chainrule.random import _state_of

from ._activations import write_back

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "gaussian_noise",
]

# Minus the limit of selu for large negative inputs: what a dropped element becomes.
_ALPHA = 1.7580993408473766


def _check_probability(op: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{op}: p is a probability between 0 and 1 (got {p})")


def _drop(input: Tensor, p: float) -> Tensor:
    dropped: Tensor = _core._dropout(input, _state_of(None), p)[0]
    return dropped


def _drop_channels(input: Tensor, p: float, dims: int = 2) -> Tensor:
    """Drop whole slices: one draw for every element of the first ``dims`` dimensions."""
    shape = (*input.shape[:dims], *[1] * (input.ndim - dims))
    return input * _drop(cr.ones(shape, dtype=input.dtype), p)


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
    _check_probability("dropout", p)
    if not training or p == 0:
        return input
    return write_back(_drop, input, p) if inplace else _drop(input, p)


def _channel_dropout(
    op: str, input: Tensor, p: float, training: bool, inplace: bool, ranks: dict[int, int]
) -> Tensor:
    """Drop channels; ``ranks`` tells by rank how many leading dimensions count them."""
    _check_probability(op, p)
    if input.ndim not in ranks:
        raise ValueError(
            f"{op}: the input has {input.ndim} dimensions (got shape {tuple(input.shape)}); "
            f"expected {' or '.join(map(str, ranks))}"
        )
    if not training or p == 0:
        return input
    dims = ranks[input.ndim]
    return write_back(_drop_channels, input, p, dims) if inplace else _drop_channels(input, p, dims)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of sequences with probability ``p`` and scale the rest.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1], or another number of dimensions.

    Example:
        >>> F.dropout1d(cr.ones(2, 3), p=1.0).sum()
        tensor(0.)
    """
    return _channel_dropout("dropout1d", input, p, training, inplace, {2: 1, 3: 2})


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of images with probability ``p`` and scale the rest.

    Args:
        input: ``(N, C, H, W)``, or ``(N, C, L)`` as in torch, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1], or another number of dimensions.

    Example:
        >>> out = F.dropout2d(cr.ones(1, 8, 2, 2))
        >>> cr.equal(out.amin((2, 3)), out.amax((2, 3)))
        True
    """
    return _channel_dropout("dropout2d", input, p, training, inplace, {3: 2, 4: 2})


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of volumes with probability ``p`` and scale the rest.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1], or another number of dimensions.

    Example:
        >>> F.dropout3d(cr.ones(1, 2, 2, 2), p=1.0).sum()
        tensor(0.)
    """
    return _channel_dropout("dropout3d", input, p, training, inplace, {4: 1, 5: 2})


def _alpha(input: Tensor, p: float, by_channel: bool) -> Tensor:
    # Dropped elements become -alpha; the affine map afterwards restores mean 0 and variance 1.
    if p == 1:
        return input * 0.0
    scale: float = ((_ALPHA**2 * p + 1) * (1 - p)) ** -0.5
    kept = (_drop_channels if by_channel else _drop)(input + _ALPHA, p)
    return (kept - _ALPHA) * (scale * (1 - p))


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Set each element to the negative limit of selu with probability ``p``, then rescale.

    Mean 0 and variance 1 of the input are kept (Klambauer et al., 2017).

    Args:
        input: any shape, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Example:
        >>> F.alpha_dropout(cr.ones(3), p=1.0, training=True)
        tensor([0., 0., 0.])
    """
    _check_probability("alpha_dropout", p)
    if not training or p == 0:
        return input
    return write_back(_alpha, input, p, False) if inplace else _alpha(input, p, False)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Do as :func:`alpha_dropout` does, with whole channels instead of elements.

    Args:
        input: ``(N, C, ...)``, floating dtype.
        p: the probability, in [0, 1].
        training: False returns the input unchanged.
        inplace: write the result into ``input``.

    Raises:
        ValueError: ``p`` is outside [0, 1], or the input has fewer than two dimensions.

    Example:
        >>> F.feature_alpha_dropout(cr.ones(1, 2, 3), p=1.0, training=True).sum()
        tensor(0.)
    """
    _check_probability("feature_alpha_dropout", p)
    if input.ndim < 2:
        raise ValueError(
            f"feature_alpha_dropout: the input has no channels (got shape {tuple(input.shape)}); "
            "expected (N, C, ...)"
        )
    if not training or p == 0:
        return input
    return write_back(_alpha, input, p, True) if inplace else _alpha(input, p, True)


def gaussian_noise(input: Tensor, std: float = 0.1, training: bool = True) -> Tensor:
    """Add numbers drawn from N(0, std^2) in training.

    Args:
        input: any shape, floating dtype.
        std: the standard deviation, at least 0.
        training: False returns the input unchanged.

    Raises:
        ValueError: ``std`` is negative.

    Example:
        >>> F.gaussian_noise(cr.ones(2), std=0.0)
        tensor([1., 1.])
    """
    if std < 0:
        raise ValueError(f"gaussian_noise: std is at least 0 (got {std})")
    if not training or std == 0:
        return input
    return input + cr.empty_like(input.detach()).normal_(0.0, std)
