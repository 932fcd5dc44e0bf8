"""Max pooling backwards: values go back to where the maxima were."""

from __future__ import annotations

import math
from collections.abc import Sequence

import chainrule as cr
from chainrule import Tensor

from ._pooling import Size, check_rank, spread

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def _max_unpool(
    op: str,
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    output_size: Sequence[int] | None,
    rank: int,
) -> Tensor:
    check_rank(op, input, rank)
    if input.shape != indices.shape:
        raise ValueError(
            f"{op}: input and indices differ in shape (got {tuple(input.shape)} and "
            f"{tuple(indices.shape)}); expected equal shapes"
        )
    if indices.dtype != cr.int64:
        raise TypeError(f"{op}: indices are int64 (got {indices.dtype})")
    kernel = spread(op, "kernel_size", kernel_size, rank)
    steps = kernel if stride is None else spread(op, "stride", stride, rank)
    cut = spread(op, "padding", padding, rank)
    own = input.shape[-rank:]
    size = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(own, steps, cut, kernel, strict=True)]
    if output_size is not None:
        wanted = list(output_size)[-rank:]
        within = len(output_size) in (rank, rank + 1, rank + 2) and all(
            n - s < w < n + s for n, s, w in zip(size, steps, wanted, strict=True)
        )
        if not within:
            raise ValueError(
                f"{op}: output_size {tuple(output_size)} is not within a stride of {tuple(size)} "
                f"(got input of shape {tuple(input.shape)}, kernel_size={kernel}, stride={steps}, "
                f"padding={cut})"
            )
        size = wanted
    elements = math.prod(size)
    if min(size) < 1:
        raise ValueError(
            f"{op}: nothing is left of the output (got input of shape {tuple(input.shape)}, "
            f"kernel_size={kernel}, stride={steps}, padding={cut})"
        )
    places = indices.flatten(-rank)
    if places.numel():
        low, high = int(places.min().item()), int(places.max().item())
        if low < 0 or high >= elements:
            raise ValueError(
                f"{op}: indices must lie within the {elements} elements of an output of size "
                f"{tuple(size)} (got {low} to {high})"
            )
    lead = input.shape[:-rank]
    planes = cr.zeros(*lead, elements, dtype=input.dtype)
    return planes.scatter(-1, places, input.flatten(-rank)).reshape(*lead, *size)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima back to where they were in their sequences, zeros elsewhere.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``: what a max pool returned.
        indices: the same shape, int64: the places it returned.
        kernel_size: length of its window.
        stride: its step; the window's length when None.
        padding: its padding.
        output_size: length of the pool's input, which is not certain otherwise.

    Returns:
        ``(N, C, M)`` with ``M = (L - 1) stride - 2 padding + kernel_size``, or ``output_size``.

    Raises:
        ValueError: shapes differ, an index lies outside the output, or ``output_size`` is not
            within a stride of what the window gives.

    Example:
        >>> x, at = F.max_pool1d(cr.tensor([[1.0, 3.0, 2.0, 5.0]]), 2, return_indices=True)
        >>> F.max_unpool1d(x, at, 2)
        tensor([[0., 3., 0., 5.]])
    """
    args = (kernel_size, stride, padding, output_size)
    return _max_unpool("max_unpool1d", input, indices, *args, 1)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima back to where they were in their planes; see :func:`max_unpool1d`.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        indices: the same shape, int64: places in flattened planes.
        kernel_size: height and width of the window, an int or a pair, as the next two.
        stride: step of the window; its size when None.
        padding: the pool's padding.
        output_size: height and width of the pool's input.

    Example:
        >>> x, at = F.max_pool2d(cr.arange(4.0).reshape(1, 2, 2), 2, return_indices=True)
        >>> F.max_unpool2d(x, at, 2)
        tensor([[[0., 0.],
                 [0., 3.]]])
    """
    args = (kernel_size, stride, padding, output_size)
    return _max_unpool("max_unpool2d", input, indices, *args, 2)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima back to where they were in their volumes; see :func:`max_unpool1d`.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``.
        indices: the same shape, int64: places in flattened volumes.
        kernel_size: depth, height and width of the window, an int or three, as the next two.
        stride: step of the window; its size when None.
        padding: the pool's padding.
        output_size: depth, height and width of the pool's input.

    Example:
        >>> x, at = F.max_pool3d(cr.arange(8.0).reshape(1, 2, 2, 2), 2, return_indices=True)
        >>> F.max_unpool3d(x, at, 2)[0, 1]
        tensor([[0., 0.],
                [0., 7.]])
    """
    args = (kernel_size, stride, padding, output_size)
    return _max_unpool("max_unpool3d", input, indices, *args, 3)
