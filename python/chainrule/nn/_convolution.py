"""Convolutions that take their padding by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor, _core

__all__ = ["conv1d", "conv2d", "conv3d"]


def _conv_padding(
    op: str, weight: Tensor, padding: Any, stride: Any, dilation: int | Sequence[int]
) -> Any:
    """Return ``"same"`` and ``"valid"`` as numbers: before and after each dimension."""
    if padding == "valid":
        return 0
    if padding != "same":
        raise ValueError(f"{op}: padding is 'same', 'valid' or ints (got {padding!r})")
    steps = [stride] if isinstance(stride, int) else stride
    if any(step != 1 for step in steps):
        raise ValueError(f"{op}: padding='same' needs stride 1 (got stride={stride})")
    sides = []
    for d, kernel in enumerate(weight.shape[2:]):
        total = (dilation if isinstance(dilation, int) else dilation[d]) * (kernel - 1)
        sides += [total // 2, total - total // 2]
    return sides


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Slide a bank of kernels over sequences (cross-correlation).

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        weight: ``(O, C // groups, K)``, the same dtype.
        bias: ``(O,)`` or None.
        stride: step of the kernel.
        padding: zeros at both ends, ``(before, after)``, ``"same"`` (stride 1 only) or
            ``"valid"``.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups.
        activation: the name of an activation function for the result, as in ``F.linear``.

    Returns:
        ``(N, O, M)`` with ``M = (L + 2 padding - dilation (K - 1) - 1) // stride + 1``.

    Raises:
        ValueError: sizes do not fit, the kernel is larger than the padded input, or the
            activation is unknown.

    Example:
        >>> x, w = cr.tensor([[1.0, 2.0, 4.0]]), cr.tensor([[[-1.0, 1.0]]])
        >>> F.conv1d(x, w)
        tensor([[1., 2.]])
    """
    sides: Any = padding
    if isinstance(padding, str):
        sides = _conv_padding("conv1d", weight, padding, stride, dilation)
    return _core.conv1d(input, weight, bias, stride, sides, dilation, groups, activation=activation)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Slide a bank of kernels over images (cross-correlation).

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        weight: ``(O, C // groups, R, S)``, the same dtype.
        bias: ``(O,)`` or None.
        stride: step of the kernel, an int or a pair, as the next two.
        padding: zeros on all sides, ``(top, bottom, left, right)``, ``"same"`` (stride 1 only)
            or ``"valid"``.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups.
        activation: the name of an activation function for the result, as in ``F.linear``.

    Returns:
        ``(N, O, P, Q)`` with ``P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1`` and Q
        alike.

    Raises:
        ValueError: sizes do not fit, the kernel is larger than the padded input, or the
            activation is unknown.

    Example:
        >>> F.conv2d(cr.ones(1, 3, 3), cr.ones(1, 1, 2, 2))
        tensor([[[4., 4.],
                 [4., 4.]]])
    """
    sides: Any = padding
    if isinstance(padding, str):
        sides = _conv_padding("conv2d", weight, padding, stride, dilation)
    return _core.conv2d(input, weight, bias, stride, sides, dilation, groups, activation=activation)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Slide a bank of kernels over volumes (cross-correlation).

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, floating dtype.
        weight: ``(O, C // groups, Q, R, S)``, the same dtype.
        bias: ``(O,)`` or None.
        stride: step of the kernel, an int or three, as the next two.
        padding: zeros on all sides, six ints for before and after each dimension, ``"same"``
            (stride 1 only) or ``"valid"``.
        dilation: distance between kernel elements.
        groups: channels are convolved in this many separate groups.
        activation: the name of an activation function for the result, as in ``F.linear``.

    Returns:
        ``(N, O, E, P, T)`` with ``E = (D + 2 padding - dilation (Q - 1) - 1) // stride + 1``, P
        and T alike.

    Raises:
        ValueError: sizes do not fit, the kernel is larger than the padded input, or the
            activation is unknown.

    Example:
        >>> F.conv3d(cr.ones(1, 3, 3, 3), cr.ones(2, 1, 2, 2, 2), padding="same").shape
        (2, 3, 3, 3)
    """
    sides: Any = padding
    if isinstance(padding, str):
        sides = _conv_padding("conv3d", weight, padding, stride, dilation)
    return _core.conv3d(input, weight, bias, stride, sides, dilation, groups, activation=activation)
