"""Elementwise functions of the array API standard: chainrule's ops by the standard's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _core, _facts
from .._arrays import tensor_of, view_of
from .._core import Tensor
from ._dtypes import promoted

# The standard's names of one operand and of two, each with its op.
_UNARY = {
    name: getattr(_core, name)
    for name in (
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp",
        "expm1", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2",
        "logical_not", "reciprocal", "round", "signbit", "sin", "sinh", "sqrt", "square",
        "tan", "tanh", "trunc",
    )
} | {
    "bitwise_invert": _core.bitwise_not,
    "conj": lambda x: x,  # every number is real
    "imag": _core.zeros_like,
    "negative": _core.neg,
    "positive": _facts.positive,
    "real": lambda x: x,
    "sign": lambda x: _core.where(x != x, x, _core.sign(x)),  # NaN for NaN, which torch calls 0
}  # fmt: skip
_BINARY = {
    name: getattr(_core, name)
    for name in (
        "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
        "bitwise_xor", "copysign", "floor_divide", "hypot", "logaddexp", "logical_and",
        "logical_or", "logical_xor", "maximum", "minimum", "pow", "remainder",
    )
} | {
    "divide": _core.div,
    "equal": _core.eq,
    "greater": _core.gt,
    "greater_equal": _core.ge,
    "less": _core.lt,
    "less_equal": _core.le,
    "multiply": _core.mul,
    "not_equal": _core.ne,
    "subtract": _core.sub,
}  # fmt: skip

__all__ = [*_UNARY, *_BINARY, "clip", "nextafter"]


def _unary(name: str, op: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor, /) -> Tensor:
        return op(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The standard's ``{name}`` of each element."
    return function


def _binary(name: str, op: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    def function(x1: Any, x2: Any, /) -> Tensor:
        return op(*promoted(x1, x2))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The standard's ``{name}`` of two arrays, or of an array and a number."
    return function


globals().update({name: _unary(name, op) for name, op in _UNARY.items()})
globals().update({name: _binary(name, op) for name, op in _BINARY.items()})


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Elements no smaller than ``min`` and no larger than ``max``, in the dtype of ``x``.

    Example:
        >>> cr.array_api.clip(cr.tensor([1, 5]), 2, 4)
        tensor([2, 4])
    """
    if min is None and max is None:
        return x.clone()
    return _core.clamp(*promoted(x, min, max))


def nextafter(x1: Any, x2: Any, /) -> Tensor:
    """The next number after ``x1`` that its dtype has, towards ``x2`` (no gradient).

    Example:
        >>> cr.array_api.nextafter(cr.tensor(1.0), cr.tensor(2.0)) - 1 == cr.finfo(cr.float32).eps
        tensor(True)
    """
    import numpy as np

    x1, x2 = promoted(x1, x2)
    operands = [view_of(x) if isinstance(x, Tensor) else x for x in (x1, x2)]
    return tensor_of(np.nextafter(*operands))
