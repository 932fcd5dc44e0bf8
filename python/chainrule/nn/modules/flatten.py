"""Flatten and Unflatten."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import Tensor

from .module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module[[Tensor], Tensor]):
    """Join a range of dimensions into one.

    Args:
        start_dim: the first dimension joined.
        end_dim: the last dimension joined.

    Shape:
        input ``(N, A, B, ...)``, output ``(N, A * B * ...)`` with the defaults.

    Example:
        >>> cr.nn.Flatten()(cr.zeros(32, 1, 5, 5)).shape
        (32, 25)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input.flatten(start_dim, end_dim)``."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module[[Tensor], Tensor]):
    """Split one dimension into several: the inverse of :class:`Flatten`.

    Args:
        dim: the dimension to split.
        unflattened_size: the sizes it becomes; one of them may be -1.

    Raises:
        TypeError: ``unflattened_size`` is not a sequence of ints.

    Example:
        >>> cr.nn.Unflatten(1, (2, 5, 5))(cr.zeros(32, 50)).shape
        (32, 2, 5, 5)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        sizes = tuple(unflattened_size) if isinstance(unflattened_size, Sequence) else (None,)
        if not all(isinstance(size, int) for size in sizes):
            raise TypeError(
                f"Unflatten: unflattened_size is a sequence of ints (got {unflattened_size!r})"
            )
        self.dim = dim
        self.unflattened_size = sizes

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input.unflatten(dim, unflattened_size)``."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
