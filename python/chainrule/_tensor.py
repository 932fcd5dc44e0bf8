"""Methods of Tensor that are written in Python. Importing this module attaches them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from . import (
    _absent,
    _core,
    _devices,
    _exchange,
    _facts,
    _functions,
    _layout,
    _matrices,
    _numpy,
    _placing,
    _printing,
    _products,
    _replacing,
    _shapes,
    _sorting,
    _statistics,
    _storage,
    random,
)
from ._core import Tensor, dtype
from .autograd import engine

_hook_ids = itertools.count(1)


class RemovableHandle:
    """What registering a hook returns; ``remove()`` takes the hook off again."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove: Callable[[], None] | None = remove

    def remove(self) -> None:
        """Take the hook off; a second call does nothing."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def add_hook(table: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Put a hook into a table, at its end or its beginning."""
    key = next(_hook_ids)
    if prepend:
        later = dict(table)
        table.clear()
        table[key] = hook
        table.update(later)
    else:
        table[key] = hook
    return RemovableHandle(lambda: table.pop(key, None))


class _TensorMethods:
    """The namespace whose functions become methods of Tensor."""

    # ------------------------------------------------------------ gradients

    def backward(
        self: Any,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add gradients of this tensor to the leaves it depends on; see autograd.backward.

        Example:
            >>> x = cr.tensor(3.0, requires_grad=True)
            >>> (x * x).backward()
            >>> x.grad
            tensor(6.)
        """
        if gradient is None and inputs is None and not (retain_graph or create_graph):
            _core._backward_from(self)
        else:
            engine.backward(self, gradient, retain_graph, create_graph, inputs)

    def requires_grad_(self: Any, requires_grad: bool = True) -> Tensor:
        """Set whether gradients are wanted; returns the tensor itself."""
        self.requires_grad = requires_grad
        return self  # type: ignore[no-any-return]

    def detach_(self: Any) -> Tensor:
        """Cut this tensor off from its gradient history, in place."""
        _core._detach_(self)
        return self  # type: ignore[no-any-return]

    def register_hook(self: Any, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is known; a result replaces it."""
        identity = _core._register_hook(self, hook)
        return RemovableHandle(lambda: _core._remove_hook(self, identity))

    def register_post_accumulate_grad_hook(
        self: Any, hook: Callable[[Tensor], None]
    ) -> RemovableHandle:
        """Call ``hook(tensor)`` after a backward has added to this leaf's ``.grad``."""
        import weakref

        identity = next(_hook_ids)
        reference = weakref.ref(self)

        def call() -> None:
            leaf = reference()
            if leaf is not None:
                hook(leaf)

        _core._register_post_accumulate_hook(self, call, identity)
        return RemovableHandle(lambda: _core._remove_post_accumulate_hook(self, identity))

    def retain_grad(self: Any) -> None:
        """Keep the gradient of this non-leaf in ``.grad``."""
        _core._retain_grad(self)

    @property
    def retains_grad(self: Any) -> bool:
        """Whether ``retain_grad`` was called on this non-leaf."""
        return _core._retains_grad(self)  # type: ignore[no-any-return]

    @property
    def grad_fn(self: Any) -> Any:
        """The entry of the tape that made this tensor; None for leaves."""
        return _core._grad_fn(self)

    def is_inference(self: Any) -> bool:
        """Whether the tensor was made under ``inference_mode``."""
        return _core._is_inference(self)  # type: ignore[no-any-return]

    # ------------------------------------------------------------ NumPy and Python

    __array_priority__ = 1000  # np_array + tensor asks the tensor

    @property
    def __array_interface__(self: Any) -> Any:
        return _numpy.array_interface(self)

    def tolist(self: Any) -> Any:
        """The elements as nested lists of Python numbers (a number for a 0-d tensor)."""
        return _core._to_list(self)

    def __iter__(self: Any) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(_functions.unbind(self))

    def __contains__(self: Any, element: Any) -> bool:
        found = self == element
        return bool(found.any()) if isinstance(found, Tensor) else False

    def __reversed__(self: Any) -> Tensor:
        return self.flip(0) if self.ndim else self  # type: ignore[no-any-return]

    def __complex__(self: Any) -> complex:
        return complex(float(self))

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else object.__format__(self, spec)

    def __round__(self: Any, ndigits: int = 0) -> Tensor:
        if ndigits == 0:
            return self.round()  # type: ignore[no-any-return]
        return (self * 10.0**ndigits).round() / 10.0**ndigits  # type: ignore[no-any-return]

    def __repr__(self: Any, *, tensor_contents: str | None = None) -> str:
        return _printing.tensor_repr(self)

    def _repr_html_(self: Any) -> str:
        from ._html import tensor_html

        return tensor_html(self)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        values = self.detach().clone()
        if self.dtype is _core.bfloat16:  # NumPy has none: as its bits
            values = values.view(_core.uint16)
        state = (type(self), values.numpy(), self.requires_grad and self.is_leaf, self.__dict__)
        return _rebuild, (*state, self.dtype.name)

    def __copy__(self: Any) -> Tensor:
        """Another tensor on the same memory, with the same attributes."""
        copied: Tensor = _core._make_subclass(
            type(self), self.detach(), self.is_leaf and self.requires_grad
        )
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Tensor:
        """A copy without gradient history; of a leaf, also with its gradient."""
        import copy

        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        leaf = self.is_leaf
        copied: Tensor = _core._make_subclass(
            type(self), self.detach().clone(), leaf and self.requires_grad
        )
        memo[id(self)] = copied
        if leaf and self.grad is not None:
            copied.grad = copy.deepcopy(self.grad, memo)
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    # ------------------------------------------------------------ conversion

    def to(
        self: Any,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        copy: bool = False,
        non_blocking: bool = False,
    ) -> Tensor:
        """Convert to another dtype, or to the dtype of another tensor; the device is the CPU.

        Example:
            >>> cr.tensor([1, 2]).to(cr.float32)
            tensor([1., 2.])
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, str) or arg is None or type(arg).__name__ == "device":
                device = arg
            elif isinstance(arg, bool):
                continue
            else:
                dtype = arg
        _devices.check_device(device)
        result: Tensor = self if dtype is None else _core.to(self, dtype)
        return result.clone() if copy and result is self else result

    def type(self: Any, dtype: Any = None) -> Any:
        """The dtype's name, or the tensor converted to a dtype."""
        return str(self.dtype) if dtype is None else self.to(dtype)

    def type_as(self: Any, other: Tensor) -> Tensor:
        """Convert to the dtype of another tensor."""
        return _core.to(self, other.dtype)

    def cpu(self: Any) -> Tensor:
        """The tensor itself: it lives on the CPU."""
        return self  # type: ignore[no-any-return]

    def cuda(self: Any, *_: Any, **__: Any) -> Tensor:
        """Raise: chainrule computes on the CPU only."""
        raise RuntimeError("cuda: chainrule computes on the CPU only; leave the tensor where it is")

    @property
    def is_cpu(self: Any) -> bool:
        """True: every tensor lives on the CPU."""
        return True

    @property
    def is_cuda(self: Any) -> bool:
        """False: no tensor lives on a GPU."""
        return False

    @property
    def layout(self: Any) -> Any:
        """chainrule.strided, the only memory layout."""
        return _layout.strided

    def get_device(self: Any) -> int:
        """-1, which stands for the CPU."""
        return -1

    @property
    def mH(self: Any) -> Tensor:
        """The last two dimensions exchanged (a view), as ``mT``: there are no complex numbers."""
        return self.mT  # type: ignore[no-any-return]

    @property
    def name(self: Any) -> None:
        """None: tensors have no names."""
        return None

    @property
    def output_nr(self: Any) -> int:
        """Which output of ``grad_fn`` this tensor is; 0 for leaves."""
        return _core._output_nr(self)  # type: ignore[no-any-return]

    @property
    def H(self: Any) -> Tensor:
        """The matrix with rows and columns exchanged (a view)."""
        if self.ndim != 2:
            raise ValueError(f"H: expected a matrix (got shape {self.shape})")
        return self.mT  # type: ignore[no-any-return]

    @property
    def device(self: Any) -> _devices.device:
        """The CPU."""
        return _devices.CPU

    # ------------------------------------------------------------ forms of ops

    def max(self: Any, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Largest element, or values and indices along ``dim``; see chainrule.max."""
        return _functions.max(self, dim, keepdim, axis=axis)

    def min(self: Any, dim: Any = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
        """Smallest element, or values and indices along ``dim``; see chainrule.min."""
        return _functions.min(self, dim, keepdim, axis=axis)

    def where(self: Any, condition: Tensor, other: Any) -> Tensor:
        """This tensor where ``condition`` holds, ``other`` elsewhere."""
        return _core.where(condition, self, other)

    def view_as(self: Any, other: Tensor) -> Tensor:
        """View with the shape of another tensor."""
        return _core.view(self, other.shape)

    def reshape_as(self: Any, other: Tensor) -> Tensor:
        """Reshape to the shape of another tensor."""
        return _core.reshape(self, other.shape)

    def expand_as(self: Any, other: Tensor) -> Tensor:
        """Expand to the shape of another tensor."""
        return _core.expand(self, other.shape)

    def copy_(self: Any, src: Any, non_blocking: bool = False) -> Tensor:
        """Overwrite with the values of ``src``, broadcast and converted."""
        return _core.copy_(self, src)

    def zero_(self: Any) -> Tensor:
        """Set all elements to 0."""
        return _core.fill_(self, 0)

    def new(self: Any, *args: Any) -> Tensor:
        """Tensor of this dtype: of a sequence's values, or uninitialised of the given sizes."""
        if len(args) == 1 and not isinstance(args[0], int):
            return _functions.tensor(args[0], dtype=self.dtype)
        return _core.empty(*(args or (0,)), dtype=self.dtype)

    def new_tensor(
        self: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Make a tensor of this tensor's dtype from data."""
        return _functions.tensor(
            data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad
        )

    def new_zeros(
        self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Zeros of a shape, with this tensor's dtype."""
        _devices.check_device(device)
        return _core.zeros(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_ones(
        self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Ones of a shape, with this tensor's dtype."""
        _devices.check_device(device)
        return _core.ones(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_empty(
        self: Any, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """Uninitialised memory of a shape, with this tensor's dtype."""
        _devices.check_device(device)
        return _core.empty(*size, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def new_full(
        self: Any, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
        requires_grad: bool = False,
    ) -> Tensor:  # fmt: skip
        """One value in a shape, with this tensor's dtype."""
        _devices.check_device(device)
        return _core.full(size, fill_value, dtype=dtype or self.dtype, requires_grad=requires_grad)

    def hardshrink(self: Any, lambd: float = 0.5) -> Tensor:
        """0 between ``-lambd`` and ``lambd``; see nn.functional.hardshrink."""
        from .nn import functional

        return functional.hardshrink(self, lambd)

    def prelu(self: Any, weight: Tensor) -> Tensor:
        """Scaled by ``weight`` where negative; see nn.functional.prelu."""
        from .nn import functional

        return functional.prelu(self, weight)

    def __dir__(self: Any) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__} - set(_absent.ABSENT_METHODS))


def _conversion(name: str, target: dtype) -> Callable[[Tensor], Tensor]:
    def convert(self: Tensor) -> Tensor:
        return _core.to(self, target)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"Convert to {target.name}."
    return convert


def _rebuild(
    kind: Any, array: Any, requires_grad: bool, attributes: dict[str, Any], dtype: Any
) -> Tensor:
    # Arrays that pickle made are nobody else's; joblib's memory maps may be read-only.
    own = _functions.as_tensor if array.flags.writeable else _functions.tensor
    values = own(array).view(getattr(_core, dtype))
    tensor: Tensor = _core._make_subclass(kind, values, requires_grad)
    tensor.__dict__.update(attributes)
    return tensor


# Functions of _functions whose first argument is a tensor are methods too.
_AS_METHODS = (
    "allclose", "argwhere", "broadcast_to", "chunk", "diag", "equal", "isclose",
    "movedim", "roll", "split", "swapaxes", "tensor_split", "tile", "tril", "triu", "unbind",
    "unflatten",
)  # fmt: skip
# Each lists its own in METHODS.
_METHOD_MODULES = (
    random, _exchange, _facts, _matrices, _numpy, _placing, _products, _replacing, _shapes,
    _sorting, _statistics, _storage,
)  # fmt: skip
_CONVERSIONS = {
    "bool": _core.bool, "byte": _core.uint8, "char": _core.int8, "short": _core.int16,
    "int": _core.int32, "long": _core.int64, "half": _core.float16, "bfloat16": _core.bfloat16,
    "float": _core.float32, "double": _core.float64,
}  # fmt: skip
_ALIASES = {"subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
            "absolute": "abs", "negative": "neg", "sgn": "sign", "clip": "clamp", "greater": "gt",
            "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne",
            "swapaxes": "transpose", "swapdims": "transpose", "fix": "trunc", "arcsin": "asin",
            "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh",
            "arccosh": "acosh", "arctanh": "atanh", "ravel": "flatten"}  # fmt: skip


def _attach() -> None:
    import chainrule

    for name, member in vars(_TensorMethods).items():
        if name not in ("__module__", "__dict__", "__weakref__", "__doc__"):
            setattr(Tensor, name, member)
    for name in _AS_METHODS:
        setattr(Tensor, name, getattr(_functions, name))
    for module in _METHOD_MODULES:
        for name in module.METHODS:
            setattr(Tensor, name, getattr(module, name))
    for name, target in _CONVERSIONS.items():
        setattr(Tensor, name, _conversion(name, target))
    for alias, name in _ALIASES.items():
        setattr(Tensor, alias, getattr(Tensor, name))
        if not hasattr(chainrule, alias):
            setattr(chainrule, alias, getattr(_core, name))
        if hasattr(Tensor, name + "_"):
            setattr(Tensor, alias + "_", getattr(Tensor, name + "_"))
            setattr(chainrule, alias + "_", getattr(Tensor, name + "_"))
    for name in ("detach", "detach_", "zero_"):
        setattr(chainrule, name, getattr(Tensor, name))
    _absent.attach()


_attach()
