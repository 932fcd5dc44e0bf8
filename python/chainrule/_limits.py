"""What the dtypes can hold, ``finfo`` and ``iinfo``, and the constants torch has at its top."""

from __future__ import annotations

import math
from typing import Any

from . import _core
from ._core import dtype

__all__ = ["e", "finfo", "iinfo", "inf", "nan", "newaxis", "pi"]

e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi

# Bits of the mantissa (without the leading one) and the largest exponent.
_FORMATS = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}


def _dtype_of(type: Any) -> dtype:
    """A tensor's dtype, or what a name, a NumPy or a chainrule dtype stands for."""
    if isinstance(type, _core.Tensor):
        return type.dtype
    result: dtype = _core.promote_types(type, type)
    return result


class finfo:
    """Limits of a floating-point dtype, as Python floats.

    Attributes: ``bits``, ``eps``, ``max``, ``min``, ``smallest_normal`` (also ``tiny``),
    ``resolution`` and ``dtype``.

    Args:
        type: the dtype, or a tensor of it; default: the default dtype.

    Raises:
        TypeError: for integer dtypes.

    Example:
        >>> cr.finfo(cr.float32).eps
        1.1920928955078125e-07
        >>> cr.finfo(cr.bfloat16).max
        3.3895313892515355e+38
    """

    def __init__(self, type: Any = None) -> None:
        kind = _core.get_default_dtype() if type is None else _dtype_of(type)
        if not kind.is_floating_point:
            raise TypeError(f"finfo: expected a floating-point dtype (got {kind.name}); use iinfo")
        mantissa, exponent = _FORMATS[kind.name]
        self.dtype: dtype = kind
        self.bits = 8 * kind.itemsize
        self.eps = 2.0**-mantissa
        self.max = (2.0 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.smallest_normal = self.tiny = 2.0 ** (1 - exponent)
        self.resolution = 10.0 ** -math.floor(mantissa * math.log10(2))

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        limits = ", ".join(f"{name}={getattr(self, name):.6g}" for name in names)
        return f"finfo({limits}, dtype={self.dtype.name})"


class iinfo:
    """Limits of an integer dtype: ``bits``, ``max``, ``min`` and ``dtype``.

    Args:
        type: the dtype, or a tensor of it.

    Raises:
        TypeError: for bool and floating-point dtypes.

    Example:
        >>> cr.iinfo(cr.int8).max
        127
        >>> cr.iinfo(cr.uint64)
        iinfo(min=0, max=18446744073709551615, dtype=uint64)
    """

    def __init__(self, type: Any) -> None:
        kind = _dtype_of(type)
        if kind.is_floating_point or kind is _core.bool:
            raise TypeError(f"iinfo: expected an integer dtype (got {kind.name})")
        self.dtype: dtype = kind
        self.bits = 8 * kind.itemsize
        self.min = -(1 << (self.bits - 1)) if kind.is_signed else 0
        self.max = (1 << (self.bits - kind.is_signed)) - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype.name})"
