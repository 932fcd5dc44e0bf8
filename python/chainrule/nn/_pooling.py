"""Pools that are more than one operation of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import Tensor, _core

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
]


def _output_size(input: Tensor, size: Any, rank: int) -> Any:
    """Return an adaptive pool's output size with None replaced by the input's size."""
    if size is None or (not isinstance(size, int) and None in size):
        wanted = [size] * rank if size is None else size
        own = input.shape[-rank:]
        return [o if w is None else w for w, o in zip(wanted, own, strict=True)]
    return size


def adaptive_avg_pool1d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Return the means of windows that cut the input into M parts.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.

    Returns:
        ``(N, C, M)``.

    Example:
        >>> F.adaptive_avg_pool1d(cr.tensor([[1.0, 2.0, 3.0]]), 1)
        tensor([[2.]])
    """
    return _core.adaptive_avg_pool1d(input, _output_size(input, output_size, 1))


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Return the means of windows that cut the input into P x Q parts.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Returns:
        ``(N, C, P, Q)``.

    Example:
        >>> F.adaptive_avg_pool2d(cr.zeros(2, 3, 8, 9), (1, None)).shape
        (2, 3, 1, 9)
    """
    return _core.adaptive_avg_pool2d(input, _output_size(input, output_size, 2))


def adaptive_max_pool1d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Return the maxima of windows that cut the input into M parts.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.

    Returns:
        ``(N, C, M)``.

    Example:
        >>> F.adaptive_max_pool1d(cr.tensor([[1.0, 2.0, 3.0]]), 1)
        tensor([[3.]])
    """
    return _core.adaptive_max_pool1d(input, _output_size(input, output_size, 1))


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: int | Sequence[int | None] | None
) -> tuple[Tensor, Tensor]:
    """Return the maxima of windows that cut the input into M parts, and where they are.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, floating dtype.
        output_size: the length M; None keeps the input's.

    Returns:
        ``(N, C, M)`` twice: the maxima, and their places (int64).

    Example:
        >>> x = cr.tensor([[1.0, 2.0, 3.0]])
        >>> F.adaptive_max_pool1d_with_indices(x, 1)[1]
        tensor([[2]])
    """
    return _core.adaptive_max_pool1d_with_indices(input, _output_size(input, output_size, 1))


def adaptive_max_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """Return the maxima of windows that cut the input into P x Q parts.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Returns:
        ``(N, C, P, Q)``.

    Example:
        >>> F.adaptive_max_pool2d(cr.zeros(2, 3, 8, 9), 2).shape
        (2, 3, 2, 2)
    """
    return _core.adaptive_max_pool2d(input, _output_size(input, output_size, 2))


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: int | Sequence[int | None] | None
) -> tuple[Tensor, Tensor]:
    """Return the maxima of windows that cut the input into P x Q parts, and where they are.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, floating dtype.
        output_size: ``(P, Q)`` or an int for both; None keeps the input's.

    Returns:
        ``(N, C, P, Q)`` twice: the maxima, and their places (int64).

    Example:
        >>> x = cr.arange(4.0).reshape(1, 2, 2)
        >>> F.adaptive_max_pool2d_with_indices(x, 1)[1]
        tensor([[[3]]])
    """
    return _core.adaptive_max_pool2d_with_indices(input, _output_size(input, output_size, 2))
