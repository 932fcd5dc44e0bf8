"""What a tensor is: questions about its dtype, place and memory; real numbers seen as complex."""

from __future__ import annotations

import math
from typing import Any

from . import _core
from ._core import Tensor

__all__ = [
    "adjoint", "angle", "get_device", "is_complex", "is_floating_point", "is_nonzero",
    "is_same_size", "is_signed", "isreal", "positive", "scalar_tensor", "typename",
]  # fmt: skip

METHODS = (
    "adjoint", "angle", "as_subclass", "is_complex", "is_nonzero", "is_same_size", "is_set_to",
    "is_signed", "isreal", "positive",
)  # fmt: skip

# ---------------------------------------------------------------- dtype and shape


def is_complex(input: Tensor) -> bool:
    """False: there are no complex dtypes.

    Example:
        >>> cr.is_complex(cr.zeros(2))
        False
    """
    return False


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype holds real numbers.

    Example:
        >>> cr.is_floating_point(cr.zeros(2))
        True
    """
    return input.is_floating_point()


def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers.

    Example:
        >>> cr.is_signed(cr.tensor([1], dtype=cr.uint8))
        False
    """
    return not (input.dtype is _core.bool or input.dtype.name.startswith("uint"))


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0.

    Raises:
        RuntimeError: for more or fewer elements than one.

    Example:
        >>> cr.is_nonzero(cr.tensor([0.5]))
        True
    """
    return bool(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape.

    Example:
        >>> cr.is_same_size(cr.zeros(2, 1), cr.zeros(2))
        False
    """
    return input.shape == other.shape


def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether two tensors are the same view of the same memory."""
    return (
        _core._storage(input) == _core._storage(tensor)
        and input.storage_offset() == tensor.storage_offset()
        and input.shape == tensor.shape
        and input.stride() == tensor.stride()
    )


def get_device(input: Tensor) -> int:
    """-1, which stands for the CPU.

    Example:
        >>> cr.get_device(cr.zeros(2))
        -1
    """
    return -1


def typename(obj: Any) -> str:
    """The name of an object's type; of a tensor with its module.

    Example:
        >>> cr.typename(cr.zeros(2))
        'chainrule.Tensor'
    """
    if isinstance(obj, Tensor):
        return f"chainrule.{type(obj).__name__}"
    return f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")


def as_subclass(input: Tensor, cls: type) -> Tensor:
    """The same memory and gradient history as an object of a subclass of Tensor.

    Raises:
        TypeError: when ``cls`` is no subclass of Tensor.
    """
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise TypeError(f"as_subclass: expected a subclass of Tensor (got {cls!r})")
    result: Tensor = _core._as_subclass(cls, input)
    return result


def scalar_tensor(
    s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A 0-d tensor of a number, of the default dtype unless said otherwise.

    Example:
        >>> cr.scalar_tensor(2)
        tensor(2.)
    """
    from ._functions import tensor

    return tensor(
        s, dtype=dtype or _core.get_default_dtype(), device=device, requires_grad=requires_grad
    )


# ---------------------------------------------------------------- real among complex numbers


def isreal(input: Tensor) -> Tensor:
    """True everywhere: each element is a real number.

    Example:
        >>> cr.isreal(cr.tensor([1.0, float("nan")]))
        tensor([True, True])
    """
    return _core.ones_like(input, dtype=_core.bool)


def positive(input: Tensor) -> Tensor:
    """The tensor itself, as unary plus.

    Raises:
        TypeError: for bool.

    Example:
        >>> cr.positive(cr.tensor([-1.0]))
        tensor([-1.])
    """
    if input.dtype is _core.bool:
        raise TypeError("positive: not defined for bool tensors")
    return input


def angle(input: Tensor) -> Tensor:
    """The angle of each number in the complex plane: pi below 0, 0 otherwise, NaN for NaN.

    Integers give floats; the gradient is 0.

    Example:
        >>> cr.angle(cr.tensor([2.0, -1.0]))
        tensor([0.0000, 3.1416])
    """
    x = input if input.is_floating_point() else input.to(_core.get_default_dtype())
    value = _core.where(x < 0, math.pi, _core.where(_core.isnan(x), x, 0.0)).to(x.dtype)
    return value + x.sign() * 0.0 if x.requires_grad else value


def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged (a view); of real numbers the transpose.

    Raises:
        ValueError: for fewer than two dimensions.

    Example:
        >>> cr.adjoint(cr.zeros(2, 3)).shape
        (3, 2)
    """
    return input.mT
