"""Convolution's windows as columns of a matrix, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule import Tensor, _core

__all__ = ["fold", "unfold"]


class _Blocks:
    """Windows over two dimensions, checked."""

    def __init__(
        self,
        op: str,
        size: Sequence[int],
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int],
        padding: int | Sequence[int],
        stride: int | Sequence[int],
    ) -> None:
        def pair(name: str, value: int | Sequence[int], least: int) -> tuple[int, int]:
            values = tuple(value) if isinstance(value, Sequence) else (value, value)
            if len(values) == 1:
                values *= 2
            if len(values) != 2 or min(values) < least:
                raise ValueError(
                    f"{op}: {name} is an int of at least {least}, or two of them (got {value})"
                )
            return values

        self.kernel = pair("kernel_size", kernel_size, 1)
        self.dilation = pair("dilation", dilation, 1)
        self.padding = pair("padding", padding, 0)
        self.stride = pair("stride", stride, 1)
        self.padded = [n + 2 * p for n, p in zip(size, self.padding, strict=True)]
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True)]
        self.counts = [
            (n - r) // s + 1 for n, r, s in zip(self.padded, reach, self.stride, strict=True)
        ]
        if min(self.counts) < 1:
            raise ValueError(
                f"{op}: the window is larger than the padded image (got size {tuple(size)}, "
                f"kernel_size={self.kernel}, dilation={self.dilation}, padding={self.padding})"
            )

    def along(self, d: int) -> tuple[int, int, int]:
        """Return size, step and dilation of the windows in one dimension."""
        return self.kernel[d], self.stride[d], self.dilation[d]

    def border(self) -> tuple[int, int, int, int]:
        """Return the padding as F.pad takes it."""
        rows, columns = self.padding
        return columns, columns, rows, rows


def unfold(
    input: Tensor,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Copy every window of images into a column (im2col): convolution as a matrix product.

    ``conv2d(x, w)`` is ``(w.flatten(1) @ unfold(x, w.shape[2:])).reshape(N, O, P, Q)``.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: height and width of the windows, an int or a pair, as the next three.
        dilation: distance between elements of a window.
        padding: zeros added on all sides.
        stride: distance between windows.

    Returns:
        ``(N, C kh kw, L)`` with L windows, row by row.

    Raises:
        ValueError: a window larger than the padded image, or another rank.

    Gradient: of any order; :func:`fold` of the columns' gradient.

    Example:
        >>> F.unfold(cr.arange(6.0).reshape(1, 2, 3), 2)
        tensor([[0., 1.],
                [1., 2.],
                [3., 4.],
                [4., 5.]])
    """
    if input.ndim not in (3, 4):
        raise ValueError(
            f"unfold: got input of shape {tuple(input.shape)}; expected (N, C, H, W) or (C, H, W)"
        )
    how = _Blocks("unfold", input.shape[-2:], kernel_size, dilation, padding, stride)
    x = input if input.ndim == 4 else input.unsqueeze(0)
    if any(how.padding):
        x = _core.pad(x, how.border())
    n, c = x.shape[:2]
    rows = _core._windows(x, 2, *how.along(0)).permute(0, 1, 4, 2, 3)  # (N, C, kh, P, W)
    both = _core._windows(rows, 4, *how.along(1)).permute(0, 1, 2, 5, 3, 4)
    columns = both.reshape(n, c * math.prod(how.kernel), math.prod(how.counts))
    return columns if input.ndim == 4 else columns.squeeze(0)


def fold(
    input: Tensor,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Add columns back to where :func:`unfold` took them (col2im); windows that overlap add up.

    Args:
        input: ``(N, C kh kw, L)`` or ``(C kh kw, L)``.
        output_size: height and width of the images, an int or a pair, as the next four.
        kernel_size: height and width of the windows.
        dilation: distance between elements of a window.
        padding: cut off all sides of the result.
        stride: distance between windows.

    Returns:
        ``(N, C, H, W)``.

    Raises:
        ValueError: rows that the windows' size does not divide, or another number of columns than
            the images have windows.

    Gradient: of any order.

    Example:
        >>> F.fold(cr.ones(4, 2), (2, 3), 2)
        tensor([[[1., 2., 1.],
                 [1., 2., 1.]]])
    """
    if input.ndim not in (2, 3):
        raise ValueError(
            f"fold: got input of shape {tuple(input.shape)}; expected (N, C * kernel_size, L) or "
            "(C * kernel_size, L)"
        )
    size = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * 2
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"fold: output_size is a positive int or two (got {output_size})")
    how = _Blocks("fold", size, kernel_size, dilation, padding, stride)
    rows, columns = input.shape[-2:]
    area, windows = math.prod(how.kernel), math.prod(how.counts)
    if rows % area or columns != windows:
        raise ValueError(
            f"fold: got input of shape {tuple(input.shape)}; expected a multiple of {area} rows "
            f"(kernel_size={how.kernel}) and {windows} columns, the windows of output_size={size}"
        )
    n, c = (input.shape[0] if input.ndim == 3 else 1), rows // area
    height, width = how.padded
    both = input.reshape(n, c, *how.kernel, *how.counts).permute(0, 1, 2, 4, 5, 3)
    shape = (n, c, how.kernel[0], how.counts[0], width)
    part = _core._windows_grad(both, shape, 4, *how.along(1)).permute(0, 1, 3, 4, 2)
    x = _core._windows_grad(part, (n, c, height, width), 2, *how.along(0))
    if any(how.padding):
        x = _core.pad(x, tuple(-p for p in how.border()))
    return x if input.ndim == 3 else x.squeeze(0)
