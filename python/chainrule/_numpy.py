"""NumPy's protocols: what ``np.asarray``, ``np.sin`` and ``np.concatenate`` do with a tensor.

A ufunc gives a tensor, by the function of chainrule that means the same, so that gradients go on. A
ufunc or function that chainrule does not have sees arrays, and is refused where a gradient would be
lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _core, _functions
from ._arrays import view_of
from ._core import Tensor

# Functions that become methods of Tensor.
METHODS = ("numpy", "__array__", "__array_ufunc__", "__array_function__")


def numpy(self: Tensor, *, force: bool = False) -> Any:
    """NumPy array on the same memory (``force=True`` detaches first).

    Raises:
        RuntimeError: when the tensor requires a gradient.
        TypeError: for bfloat16, which NumPy does not have.
    """
    if self.requires_grad and not force:
        raise RuntimeError(
            "numpy: the tensor requires a gradient, which NumPy would lose; use .detach().numpy()"
        )
    return _core._to_numpy(self)


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    """Array for ``np.asarray``; of bfloat16, which NumPy does not have, the values as float32."""
    import numpy as np

    converted = self.dtype is _core.bfloat16
    array = (_core.to(self, _core.float32) if converted else self).numpy()
    if dtype is not None and array.dtype != dtype:
        array, converted = array.astype(dtype), True
    if converted and copy is False:
        raise ValueError(f"cannot convert {self.dtype} to {array.dtype} without a copy")
    return np.array(array) if copy and not converted else array


def array_interface(self: Tensor) -> Any:
    """What NumPy reads the memory by; absent where it cannot (bfloat16)."""
    if self.dtype is _core.bfloat16:
        raise AttributeError("__array_interface__: NumPy has no bfloat16")
    return self.numpy().__array_interface__


# ---------------------------------------------------------------- ufuncs

# Ufuncs whose function has another name here; all others are looked up by their own.
_RENAMED = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "bitwise_invert": "bitwise_not",
    "degrees": "rad2deg", "equal": "eq", "invert": "bitwise_not",
    "left_shift": "bitwise_left_shift", "power": "pow", "radians": "deg2rad",
    "right_shift": "bitwise_right_shift", "rint": "round",
}  # fmt: skip
# Those that torch's names do not cover, or mean differently.
_WRITTEN: dict[str, Callable[..., Any]] = {
    "cbrt": lambda x: _sign(x) * abs(x) ** (1 / 3),
    "conjugate": lambda x: +x,
    "divmod": lambda x, y: (x // y, x % y),
    "fabs": lambda x: abs(x * 1.0),
    "float_power": lambda x, y: (x if isinstance(x, Tensor) else y.new_tensor(x)).double() ** y,
    "positive": lambda x: +x,
    "modf": lambda x: (x - x.trunc(), x.trunc()),
    "vecdot": lambda x, y: (x * y).sum(-1),
}
# ufunc.reduce and ufunc.accumulate along one axis.
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "amax", "minimum": "amin",
               "logical_and": "all", "logical_or": "any"}  # fmt: skip
_RUNNING = {"add": "cumsum", "multiply": "cumprod"}


def _sign(x: Tensor) -> Tensor:
    return _core.sign(x)


def _function_for(ufunc: Any, method: str) -> Callable[..., Any] | None:
    """The function of chainrule that does what this method of a NumPy ufunc does."""
    import numpy as np

    import chainrule

    name: str = ufunc.__name__
    if getattr(np, name, None) is not ufunc:  # another library's, whatever it is called
        return None
    if method == "__call__":
        written = _WRITTEN.get(name)
        return written or getattr(chainrule, _RENAMED.get(name, name), None)
    if method == "reduce" and name in _REDUCTIONS:
        return _reduction(getattr(chainrule, _REDUCTIONS[name]))
    if method == "accumulate" and name in _RUNNING:
        running = getattr(chainrule, _RUNNING[name])
        return lambda x, axis=0: running(x, axis)
    call = _function_for(ufunc, "__call__") if method == "outer" else None
    return call and (lambda x, y: call(x.reshape(*x.shape, *(1,) * y.ndim), y))


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Tensor, axis: Any = 0, keepdims: bool = False) -> Any:
        axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        for dim in sorted((dim % (x.ndim or 1) for dim in axes), reverse=True):
            x = function(x, dim, keepdims)
        return x

    return reduce


def _operand(x: Any) -> Any:
    return x if isinstance(x, (Tensor, bool, int, float)) else _functions.as_tensor(x)


def __array_ufunc__(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What ``np.sin(tensor)`` or ``array + tensor`` does: a tensor, the gradient kept.

    Raises:
        TypeError: for ``out=`` and ``ufunc.at`` on a tensor, and for ufuncs chainrule does not have
            (or keywords it does not know) where a gradient would be lost.
    """
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    out = kwargs.pop("out", None)
    if method == "at" or any(isinstance(x, Tensor) for x in out or ()):
        raise TypeError(
            f"{name}: cannot write into a tensor; use the result, or a method such as .copy_()"
        )
    given = {k: v for k, v in kwargs.items() if not (k in ("dtype", "initial") and v is None)}
    if given.get("where") is True:
        del given["where"]
    function = _function_for(ufunc, method)
    if out is None and function is not None and given.keys() <= {"axis", "keepdims"}:
        operands = [_operand(x) for x in inputs]
        if method == "outer":
            operands = [_functions.as_tensor(x) for x in operands]
        return function(*operands, **given)
    if out is not None:
        given["out"] = out
    result = getattr(ufunc, method)(*_arrays(name, inputs), **given)
    return result if out is not None else _tensors(result)


def _tensors(result: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(_tensors(x) for x in result)
    return _functions.as_tensor(result)


# ---------------------------------------------------------------- other functions


def __array_function__(
    self: Tensor, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What ``np.concatenate([tensor, ...])`` does: NumPy's function on the tensors' memory.

    Raises:
        TypeError: when a tensor requires a gradient, or stands for ``out=``.
    """
    import numpy as np

    if not all(issubclass(kind, (Tensor, np.ndarray)) for kind in types):
        return NotImplemented
    name = f"np.{func.__name__}"
    if isinstance(kwargs.get("out"), Tensor):
        raise TypeError(f"{name}: cannot write into a tensor; use the result")
    return func(*_arrays(name, args), **_arrays(name, kwargs))


def _arrays(name: str, value: Any) -> Any:
    """Tensors as arrays, wherever they stand in nested arguments."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise TypeError(
                f"{name}: the gradient of the tensor would be lost; "
                "use the function of chainrule, or .detach()"
            )
        return view_of(value)
    if isinstance(value, dict):
        return {key: _arrays(name, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_arrays(name, item) for item in value)
    return value
