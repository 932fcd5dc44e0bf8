"""Parametrizations: parameters of a module that are computed from others whenever they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import chainrule as cr
from chainrule import Tensor

from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

# What `cached` keeps: by module and name, while any such block is open.
_cache: dict[tuple[int, str], Tensor] = {}
_open_blocks = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute every parametrized tensor only once within the block.

    For modules that read a parameter several times in a call, such as recurrent ones.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
        >>> with nn.utils.parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    global _open_blocks
    _open_blocks += 1
    try:
        yield
    finally:
        _open_blocks -= 1
        if not _open_blocks:
            _cache.clear()


class ParametrizationList(ModuleList):
    """What a parametrized tensor is computed from, and the modules that compute it in turn.

    The original is kept as ``original``, or as ``original0``, ``original1``, ... when the first
    module takes several.

    Args:
        modules: the parametrizations, applied first to last.
        original: the parameter or buffer to replace.
        unsafe: do without checks that shape and dtype stay as they were.

    Raises:
        ValueError: a parametrization changes shape or dtype.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with cr.no_grad():
            value = _inverse(modules, original)
        self.is_tensor = isinstance(value, Tensor)
        if isinstance(value, Tensor):
            if value.dtype is not original.dtype:
                raise ValueError(
                    f"register_parametrization: right_inverse gives {value.dtype}; expected "
                    f"{original.dtype}, the dtype of the parameter"
                )
            if value is not original:
                original.data = value.detach()  # an optimizer may know the parameter already
            self._keep("original", original)
        else:
            self.ntensors = len(value)
            for i, part in enumerate(value):
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                self._keep(f"original{i}", part)
        if not unsafe:
            _check_result("register_parametrization", self(), original)

    def _keep(self, name: str, tensor: Tensor) -> None:
        if isinstance(tensor, Parameter):
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor)

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [getattr(self, "original")]  # noqa: B009 -- a parameter or a buffer
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Change the originals so that the parametrized tensor becomes ``value``.

        Args:
            value: the wanted tensor.

        Raises:
            RuntimeError: a parametrization has no ``right_inverse``.
        """
        with cr.no_grad():
            for module in self:
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"{type(module).__name__} has no right_inverse, so that the parametrized "
                        "tensor cannot be assigned to; define right_inverse(value)"
                    )
            found = _inverse(list(self), value)
            parts = [found] if isinstance(found, Tensor) else list(found)
            for original, part in zip(self._originals(), parts, strict=True):
                if original.shape == part.shape:
                    original.copy_(part)
                else:
                    original.data = part.detach()

    def forward(self) -> Tensor:
        """Return the parametrized tensor."""
        first, *rest = self
        value = first(*self._originals())
        for module in rest:
            value = module(value)
        result: Tensor = value
        return result


def _inverse(modules: Sequence[Module], value: Any) -> Any:
    """Return what the parametrizations make ``value`` of; the identity where they do not say."""
    for module in reversed(modules):
        if hasattr(module, "right_inverse"):
            try:
                value = module.right_inverse(value)
            except NotImplementedError:
                continue
    if not isinstance(value, (Tensor, Sequence)):
        raise ValueError(
            f"register_parametrization: right_inverse gives a {type(value).__name__}; expected a "
            "tensor or a sequence of tensors"
        )
    return value


def _check_result(op: str, value: Any, expected: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{op}: the parametrization gives a {type(value).__name__}; expected a tensor"
        )
    if value.shape != expected.shape or value.dtype is not expected.dtype:
        raise ValueError(
            f"{op}: the parametrization changes shape or dtype (got {tuple(value.shape)}, "
            f"{value.dtype}); expected {tuple(expected.shape)}, {expected.dtype}; unsafe=True "
            "leaves out this check"
        )


# -------------------------------------------------------------------- the class of such modules


def _lists(module: Module) -> dict[str, ParametrizationList]:
    """Return the parametrizations of a module, by the name of the tensor."""
    lists: dict[str, ParametrizationList] = module.__dict__["parametrizations"]
    return lists


def _rebuild(original_class: type[Module], names: Sequence[str]) -> Module:
    module = original_class.__new__(original_class)
    _change_class(module)
    for name in names:
        _add_property(module, name)
    return module


def _reduce(self: Module, protocol: Any) -> Any:
    """Copy and pickle by the class before and its state: the class made here has no name."""
    names = list(_lists(self))
    return _rebuild, (type_before_parametrizations(self), names), self.__dict__


def _change_class(module: Module) -> None:
    """Give the module a class of its own, which will hold its properties."""
    before = type(module)
    members = {"__module__": before.__module__, "__doc__": before.__doc__}
    after = type(f"Parametrized{before.__name__}", (before,), members)
    after.__reduce_ex__ = _reduce  # type: ignore[assignment]
    module.__class__ = after


def _add_property(module: Module, name: str) -> None:
    def read(self: Module) -> Tensor:
        compute = _lists(self)[name].forward
        if not _open_blocks:
            return compute()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = compute()
        return _cache[key]

    def write(self: Module, value: Tensor) -> None:
        _lists(self)[name].right_inverse(value)

    setattr(type(module), name, property(read, write))


# -------------------------------------------------------------------- the public functions


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Tell whether a module has a parametrized tensor, or one of a given name.

    Args:
        module: the module.
        tensor_name: the name; None asks for any.

    Example:
        >>> nn.utils.parametrize.is_parametrized(nn.Linear(1, 1))
        False
    """
    parametrized = module.__dict__.get("parametrizations")
    if not isinstance(parametrized, ModuleDict):
        return False
    return tensor_name in parametrized if tensor_name is not None else len(parametrized) > 0


def type_before_parametrizations(module: Module) -> type[Module]:
    """Return the class a module had before its first parametrization.

    Args:
        module: the module.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
        >>> nn.utils.parametrize.type_before_parametrizations(layer).__name__
        'Linear'
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute a parameter or buffer of a module by another module whenever it is read.

    Reading ``module.weight`` then calls ``parametrization(original)``; the original is the
    parameter to train and stands in the state dict as ``parametrizations.weight.original``.
    Further parametrizations of the same tensor are applied to the result of those before.

    If the parametrization has a method ``right_inverse``, the original is made by it from the
    tensor that was there, and assigning to ``module.weight`` works; it may return several
    tensors, which become ``original0``, ``original1``, ... and the arguments of ``forward``.

    Args:
        module: the module.
        tensor_name: the name of its parameter or buffer.
        parametrization: maps the original to the tensor.
        unsafe: do without checks that shape and dtype stay as they were.

    Returns:
        The module.

    Raises:
        ValueError: there is no tensor of the name, or shape or dtype change.

    Example:
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).T
        >>> layer = nn.utils.parametrize.register_parametrization(
        ...     nn.Linear(3, 3), "weight", Symmetric())
        >>> cr.equal(layer.weight, layer.weight.T)
        True
        >>> list(layer.state_dict())
        ['bias', 'parametrizations.weight.original']
    """
    op = "register_parametrization"
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        known = _lists(module)[tensor_name]
        if not unsafe:
            with cr.no_grad():
                before = getattr(module, tensor_name)
                _check_result(op, parametrization(before), before)
                if hasattr(parametrization, "right_inverse"):
                    _check_result(op, parametrization.right_inverse(before), before)
        known.append(parametrization)
        known.unsafe = known.unsafe or unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"{op}: {type(module).__name__} has no parameter, buffer or parametrized tensor "
            f"{tensor_name!r}"
        )
    original = getattr(module, tensor_name)
    if original is None:
        raise ValueError(f"{op}: {type(module).__name__}.{tensor_name} is None; expected a tensor")
    parametrizations = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _change_class(module)
        module.add_module("parametrizations", ModuleDict())
    _lists(module)[tensor_name] = parametrizations
    _add_property(module, tensor_name)
    return module


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a parametrized tensor a plain parameter or buffer again.

    Args:
        module: the module.
        tensor_name: the name of the tensor.
        leave_parametrized: keep its present value; False puts the original back, if there is one.

    Returns:
        The module.

    Raises:
        ValueError: the tensor is not parametrized, or has several originals and
            ``leave_parametrized`` is False.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
        >>> list(nn.utils.parametrize.remove_parametrizations(layer, "weight").state_dict())
        ['bias', 'weight']
    """
    op = "remove_parametrizations"
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"{op}: {type(module).__name__} has no parametrized {tensor_name!r}")
    known = _lists(module)[tensor_name]
    if not leave_parametrized and not known.is_tensor:
        raise ValueError(
            f"{op}: {tensor_name!r} is made of {known.ntensors} tensors, so that there is no "
            "original to put back; expected leave_parametrized=True"
        )
    originals = known._originals()
    tensor = originals[0]
    if leave_parametrized:
        with cr.no_grad():
            value = getattr(module, tensor_name)
        if known.is_tensor:
            tensor.data = value.detach()
        elif isinstance(tensor, Parameter):
            tensor = Parameter(value.detach(), any(part.requires_grad for part in originals))
        else:
            tensor = value.detach()
    delattr(type(module), tensor_name)
    del _lists(module)[tensor_name]
    if not _lists(module):
        before = type(module).__bases__[0]
        delattr(module, "parametrizations")
        module.__class__ = before
    if isinstance(tensor, Parameter):
        module.register_parameter(tensor_name, tensor)
    else:
        module.register_buffer(tensor_name, tensor)
    return module
