"""Layers that undo max pooling as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import Tensor

from .. import functional as F
from .conv import spread
from .module import Module

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


class _MaxUnpool(Module[..., Tensor]):
    _rank: int

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, self._rank)
        self.stride = spread(self.kernel_size if stride is None else stride, self._rank)
        self.padding = spread(padding, self._rank)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return the maxima at their old places, and zeros elsewhere.

        Args:
            input: what the max pool returned.
            indices: the places it returned.
            output_size: the spatial size (or the whole shape) of the pool's input.
        """
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self._rank - 1]
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """Return the window's geometry."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Put the maxima of a :class:`MaxPool1d` back to where they were, zeros elsewhere.

    Args:
        kernel_size: the pool's window.
        stride: its step; the window's size when None.
        padding: its padding.

    Shape:
        input and indices ``(N, C, L)`` or ``(C, L)``; of every output size
        ``(size - 1) stride - 2 padding + kernel_size``, unless ``output_size`` says otherwise.

    Raises:
        ValueError: shapes differ, or an index lies outside the output.

    Example:
        >>> pool, unpool = cr.nn.MaxPool1d(2, return_indices=True), cr.nn.MaxUnpool1d(2)
        >>> unpool(*pool(cr.tensor([[1.0, 3.0, 2.0, 5.0]])))
        tensor([[0., 3., 0., 5.]])
    """

    _rank = 1


class MaxUnpool2d(_MaxUnpool):
    """Put the maxima of a :class:`MaxPool2d` back to where they were, zeros elsewhere.

    Args:
        kernel_size: the pool's window.
        stride: its step; the window's size when None.
        padding: its padding.

    Shape:
        input and indices ``(N, C, H, W)`` or ``(C, H, W)``; of every output size
        ``(size - 1) stride - 2 padding + kernel_size``, unless ``output_size`` says otherwise.

    Raises:
        ValueError: shapes differ, or an index lies outside the output.

    Example:
        >>> pool, unpool = cr.nn.MaxPool2d(2, return_indices=True), cr.nn.MaxUnpool2d(2)
        >>> unpool(*pool(cr.arange(4.0).reshape(1, 2, 2)))
        tensor([[[0., 0.],
                 [0., 3.]]])
    """

    _rank = 2


class MaxUnpool3d(_MaxUnpool):
    """Put the maxima of a :class:`MaxPool3d` back to where they were, zeros elsewhere.

    Args:
        kernel_size: the pool's window.
        stride: its step; the window's size when None.
        padding: its padding.

    Shape:
        input and indices ``(N, C, D, H, W)`` or ``(C, D, H, W)``; of every output size
        ``(size - 1) stride - 2 padding + kernel_size``, unless ``output_size`` says otherwise.

    Raises:
        ValueError: shapes differ, or an index lies outside the output.

    Example:
        >>> pool, unpool = cr.nn.MaxPool3d(2, return_indices=True), cr.nn.MaxUnpool3d(2)
        >>> unpool(*pool(cr.zeros(1, 3, 4, 8, 8))).shape
        (1, 3, 4, 8, 8)
    """

    _rank = 3
