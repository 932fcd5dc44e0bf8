"""Padding layers."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import Tensor

from .. import functional as F
from .conv import spread
from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module[[Tensor], Tensor]):
    _rank: int
    _mode: str

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        if not isinstance(padding, int) and len(padding) != 2 * self._rank:
            raise ValueError(
                f"{type(self).__name__}: padding is an int or {2 * self._rank} ints, before and "
                f"after every dimension, the last one first (got {tuple(padding)})"
            )
        self.padding = spread(padding, 2 * self._rank)

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, mode=self._mode)

    def extra_repr(self) -> str:
        """Return the padding."""
        return str(self.padding)


class _ConstantPad(_Pad):
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, mode=self._mode, value=self.value)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the padding."""
        return str(self.padding)


class ConstantPad1d(_ConstantPad):
    """Add a constant at both ends.

    Args:
        padding: an int for both ends, or ``(left, right)``; negative numbers crop.
        value: the constant.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, left + L + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ConstantPad1d((1, 2), 9.0)(cr.tensor([[1.0, 2.0, 3.0]]))
        tensor([[9., 1., 2., 3., 9., 9.]])
    """

    _rank = 1


class ConstantPad2d(_ConstantPad):
    """Add a constant at all sides.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom)``; negative numbers crop.
        value: the constant.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output
        ``(N, C, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ConstantPad2d((1, 0, 1, 0), 9.0)(cr.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[9., 9., 9.],
                 [9., 1., 2.],
                 [9., 3., 4.]]])
    """

    _rank = 2


class ConstantPad3d(_ConstantPad):
    """Add a constant at all sides.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom, front, back)``; negative
            numbers crop.
        value: the constant.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output
        ``(N, C, front + D + back, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ConstantPad3d(1, 9.0)(cr.zeros(1, 2, 3, 4)).shape
        (1, 4, 5, 6)
    """

    _rank = 3


class ZeroPad1d(_ZeroPad):
    """Add zeros at both ends.

    Args:
        padding: an int for both ends, or ``(left, right)``; negative numbers crop.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, left + L + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ZeroPad1d((1, 2))(cr.tensor([[1.0, 2.0, 3.0]]))
        tensor([[0., 1., 2., 3., 0., 0.]])
    """

    _rank = 1


class ZeroPad2d(_ZeroPad):
    """Add zeros at all sides.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom)``; negative numbers crop.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output
        ``(N, C, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ZeroPad2d((1, 0, 1, 0))(cr.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[0., 0., 0.],
                 [0., 1., 2.],
                 [0., 3., 4.]]])
    """

    _rank = 2


class ZeroPad3d(_ZeroPad):
    """Add zeros at all sides.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom, front, back)``; negative
            numbers crop.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output
        ``(N, C, front + D + back, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a size becomes negative, or another number of ints.

    Example:
        >>> cr.nn.ZeroPad3d(1)(cr.zeros(1, 2, 3, 4)).shape
        (1, 4, 5, 6)
    """

    _rank = 3


class ReflectionPad1d(_Pad):
    """Continue the input at both ends by its mirror image, the border not repeated.

    Args:
        padding: an int for both ends, or ``(left, right)``; less than its size.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, left + L + right)``.

    Raises:
        ValueError: more is added than the mirror image holds, or another number of ints.

    Example:
        >>> cr.nn.ReflectionPad1d((1, 2))(cr.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 1., 2., 3., 2., 1.]])
    """

    _rank = 1
    _mode = "reflect"


class ReflectionPad2d(_Pad):
    """Continue the input at all sides by its mirror image, the border not repeated.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom)``; less than its size.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output
        ``(N, C, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: more is added than the mirror image holds, or another number of ints.

    Example:
        >>> cr.nn.ReflectionPad2d((1, 0, 1, 0))(cr.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[4., 3., 4.],
                 [2., 1., 2.],
                 [4., 3., 4.]]])
    """

    _rank = 2
    _mode = "reflect"


class ReflectionPad3d(_Pad):
    """Continue the input at all sides by its mirror image, the border not repeated.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom, front, back)``; less
            than the input's size.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output
        ``(N, C, front + D + back, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: more is added than the mirror image holds, or another number of ints.

    Example:
        >>> cr.nn.ReflectionPad3d(1)(cr.zeros(1, 2, 3, 4)).shape
        (1, 4, 5, 6)
    """

    _rank = 3
    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """Continue the input at both ends by its outermost elements.

    Args:
        padding: an int for both ends, or ``(left, right)``; not negative.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, left + L + right)``.

    Raises:
        ValueError: a padding is negative, or another number of ints.

    Example:
        >>> cr.nn.ReplicationPad1d((1, 2))(cr.tensor([[1.0, 2.0, 3.0]]))
        tensor([[1., 1., 2., 3., 3., 3.]])
    """

    _rank = 1
    _mode = "replicate"


class ReplicationPad2d(_Pad):
    """Continue the input at all sides by its outermost elements.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom)``; not negative.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output
        ``(N, C, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a padding is negative, or another number of ints.

    Example:
        >>> cr.nn.ReplicationPad2d((1, 0, 1, 0))(cr.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[1., 1., 2.],
                 [1., 1., 2.],
                 [3., 3., 4.]]])
    """

    _rank = 2
    _mode = "replicate"


class ReplicationPad3d(_Pad):
    """Continue the input at all sides by its outermost elements.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom, front, back)``; not
            negative.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output
        ``(N, C, front + D + back, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: a padding is negative, or another number of ints.

    Example:
        >>> cr.nn.ReplicationPad3d(1)(cr.zeros(1, 2, 3, 4)).shape
        (1, 4, 5, 6)
    """

    _rank = 3
    _mode = "replicate"


class CircularPad1d(_Pad):
    """Continue the input at both ends as if it were periodic.

    Args:
        padding: an int for both ends, or ``(left, right)``; at most the input's size.

    Shape:
        input ``(N, C, L)`` or ``(C, L)``, output ``(N, C, left + L + right)``.

    Raises:
        ValueError: more is added than the input holds, or another number of ints.

    Example:
        >>> cr.nn.CircularPad1d((1, 2))(cr.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 1., 2., 3., 1., 2.]])
    """

    _rank = 1
    _mode = "circular"


class CircularPad2d(_Pad):
    """Continue the input at all sides as if it were periodic.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom)``; at most the input's size.

    Shape:
        input ``(N, C, H, W)`` or ``(C, H, W)``, output
        ``(N, C, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: more is added than the input holds, or another number of ints.

    Example:
        >>> cr.nn.CircularPad2d((1, 0, 1, 0))(cr.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[4., 3., 4.],
                 [2., 1., 2.],
                 [4., 3., 4.]]])
    """

    _rank = 2
    _mode = "circular"


class CircularPad3d(_Pad):
    """Continue the input at all sides as if it were periodic.

    Args:
        padding: an int for all sides, or ``(left, right, top, bottom, front, back)``; at
            most the input's size.

    Shape:
        input ``(N, C, D, H, W)`` or ``(C, D, H, W)``, output
        ``(N, C, front + D + back, top + H + bottom, left + W + right)``.

    Raises:
        ValueError: more is added than the input holds, or another number of ints.

    Example:
        >>> cr.nn.CircularPad3d(1)(cr.zeros(1, 2, 3, 4)).shape
        (1, 4, 5, 6)
    """

    _rank = 3
    _mode = "circular"
