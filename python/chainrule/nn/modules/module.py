"""Module: the base class of everything that holds parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic

import chainrule as cr
from chainrule import Tensor
from chainrule._tensor import RemovableHandle, add_hook

from ..parameter import Parameter
from .hooks import Hooks, call_with_hooks
from .state import IncompatibleKeys, load_state, save_own, save_state
from .text import LOCATED, indent, layout, locate, nearest

if TYPE_CHECKING:
    # With defaults, `class Net(Module)` means Module[..., Any]: no parameters to write.
    from typing_extensions import ParamSpec, Self, TypeVar

    P = ParamSpec("P", default=...)
    R = TypeVar("R", default=Any)
else:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Module"]


class Module(Generic[P, R]):
    """Base class of all neural-network modules: a tree of parameters, buffers and submodules.

    Assign :class:`Parameter` and ``Module`` objects to attributes in ``__init__`` (after
    ``super().__init__()``) and write ``forward``. Calling the module runs its hooks and
    ``forward``; an error raised inside names the module's path in the tree::

        encoder.layers.2.fc1 (Linear): linear: input has 5 features ...

    ``Module`` is generic in the signature of ``forward`` for type checkers:
    ``class Net(Module[[Tensor], Tensor])``; plain ``class Net(Module)`` works too.

    Attributes:
        training: True after ``train()``, False after ``eval()``.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc1 = nn.Linear(4, 8)
        ...         self.fc2 = nn.Linear(8, 2)
        ...     def forward(self, x):
        ...         return self.fc2(cr.relu(self.fc1(x)))
        >>> net = Net()
        >>> net(cr.zeros(3, 4)).shape
        (3, 2)
        >>> [name for name, _ in net.named_parameters()]
        ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """

    # Written into state dicts, for hooks that read those of older versions.
    _version: ClassVar[int] = 1

    training: bool
    # The three tables say what is registered and in which order. Every entry stands in the
    # instance's __dict__ as well, so that `self.weight` is a plain attribute lookup.
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent: set[str]
    _hooks: Hooks | None

    def __init__(self) -> None:
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _modules={},
            _non_persistent=set(),
            _hooks=None,
        )

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the module's output; every subclass defines it.

        Raises:
            NotImplementedError: the subclass has no ``forward``.
        """
        raise NotImplementedError(f"{type(self).__name__}: forward is not defined")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            output: R = call_with_hooks(self, self._hooks, args, kwargs)
            return output
        except LOCATED as error:
            locate(error, self, args)
            raise

    def _width(self) -> tuple[str, int] | None:
        """Return the constructor's argument an input must fit, and the dimension it counts."""
        return None

    # ---------------------------------------------------------------- registration

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Module)) and not _has_setter(self, name):
            if "_parameters" not in self.__dict__:
                raise AttributeError(
                    f"{type(self).__name__}: {name!r} is assigned before Module.__init__() ran; "
                    "call super().__init__() first"
                )
            kind = "_parameters" if isinstance(value, Parameter) else "_modules"
            for table in ("_parameters", "_buffers", "_modules"):
                if table != kind:
                    self.__dict__[table].pop(name, None)
            self._non_persistent.discard(name)
            self.__dict__[kind][name] = value
            self.__dict__[name] = value
            return
        for table, expected, noun in _TABLES:
            registered = self.__dict__.get(table)
            if registered and name in registered:
                if value is not None and not isinstance(value, expected):
                    raise TypeError(
                        f"{type(self).__name__}: cannot assign {type(value).__name__} as {noun} "
                        f"{name!r}; expected {expected.__name__} or None; "
                        f"delete the attribute first to give it another meaning"
                    )
                registered[name] = value
                break
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        for table, _, _ in _TABLES:
            self.__dict__[table].pop(name, None)
        self._non_persistent.discard(name)

    def _register(self, table: str, name: str, value: Any, expected: type, noun: str) -> None:
        if table not in self.__dict__:
            raise AttributeError(
                f"{type(self).__name__}: {noun} {name!r} is registered before Module.__init__() "
                "ran; call super().__init__() first"
            )
        if not isinstance(name, str):
            raise TypeError(f"the name of a {noun} is a str (got {type(name).__name__})")
        if not name or "." in name:
            raise KeyError(f"the name of a {noun} is not empty and has no dot (got {name!r})")
        if hasattr(self, name) and name not in self.__dict__[table]:
            raise KeyError(f"{type(self).__name__}: attribute {name!r} already exists")
        if value is not None and not isinstance(value, expected):
            raise TypeError(
                f"{type(self).__name__}: cannot register {type(value).__name__} as {noun} "
                f"{name!r}; expected {expected.__name__} or None"
            )
        self.__dict__[table][name] = value
        self.__dict__[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter (or None, which reserves the name and is not in ``state_dict``).

        Args:
            name: the attribute's name, without dots.
            param: the parameter.

        Raises:
            KeyError: the name is empty, has a dot or is already taken.
            TypeError: ``param`` is neither a Parameter nor None.
        """
        self._register("_parameters", name, param, Parameter, "parameter")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not trained.

        Args:
            name: the attribute's name, without dots.
            tensor: the tensor, or None to reserve the name.
            persistent: whether it is part of ``state_dict``.

        Raises:
            KeyError: the name is empty, has a dot or is already taken.
            TypeError: ``tensor`` is neither a Tensor nor None.

        Example:
            >>> m = cr.nn.Module()
            >>> m.register_buffer("mean", cr.zeros(2))
            >>> list(m.state_dict())
            ['mean']
        """
        self._register("_buffers", name, tensor, Tensor, "buffer")
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule: :meth:`add_module` under another name."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule (or None, which reserves the name).

        Args:
            name: the attribute's name, without dots.
            module: the submodule.

        Raises:
            KeyError: the name is empty, has a dot or is already taken.
            TypeError: ``module`` is neither a Module nor None.
        """
        self._register("_modules", name, module, Module, "module")

    # ---------------------------------------------------------------- iteration

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield ``(path, module)`` for this module (path ``prefix``) and all below it, depth first.

        Args:
            memo: modules already seen, which are skipped.
            prefix: put before every path.
            remove_duplicate: yield a module that occurs twice only once.
        """
        memo = set() if memo is None else memo
        if remove_duplicate:
            if self in memo:
                return
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Yield this module and every module below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield ``(name, module)`` of the direct submodules, each module once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules, each once."""
        return (module for _, module in self.named_children())

    def _named_members(
        self, table: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, member in module.__dict__[table].items():
                if member is None or (remove_duplicate and id(member) in seen):
                    continue
                seen.add(id(member))
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield ``(path, parameter)``.

        Args:
            prefix: put before every path.
            recurse: include the parameters of submodules.
            remove_duplicate: yield a shared parameter only once.

        Example:
            >>> [(name, p.shape) for name, p in cr.nn.Linear(3, 2).named_parameters()]
            [('weight', (2, 3)), ('bias', (2,))]
        """
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once; what an optimizer takes.

        Args:
            recurse: include the parameters of submodules.
        """
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield ``(path, buffer)``, persistent or not.

        Args:
            prefix: put before every path.
            recurse: include the buffers of submodules.
            remove_duplicate: yield a shared buffer only once.
        """
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once.

        Args:
            recurse: include the buffers of submodules.
        """
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """Return the module at a path such as ``"encoder.layers.2"`` (``""`` is this module).

        Raises:
            AttributeError: there is no module at the path.

        Example:
            >>> net = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.ReLU())
            >>> net.get_submodule("1")
            ReLU()
        """
        module: Module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                paths = [path for path, _ in self.named_modules()]
                raise AttributeError(
                    f"{type(self).__name__}: no module at {target!r}: "
                    f"{type(module).__name__} has no submodule {name!r}{nearest(target, paths)}"
                )
            module = child
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a path, in place of the one there.

        Args:
            target: the path, such as ``"encoder.layers.2"``.
            module: the new module.
            strict: whether there must be one already; else its parents must exist.

        Raises:
            ValueError: the path is empty, or ``module`` is no Module.
            AttributeError: there is no module at the path (``strict``) or at its parent's.

        Example:
            >>> net = cr.nn.Sequential(cr.nn.Linear(2, 3), cr.nn.ReLU())
            >>> net.set_submodule("1", cr.nn.Tanh())
            >>> net[1]
            Tanh()
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("set_submodule: the path is empty; expected such as 'layers.2'")
        if not isinstance(module, Module):
            raise ValueError(f"set_submodule: expected a Module (got {type(module).__name__})")
        if strict:
            self.get_submodule(target)
        setattr(self.get_submodule(path), name, module)

    def _get_member(self, table: str, target: str, noun: str) -> Any:
        path, _, name = target.rpartition(".")
        member = self.get_submodule(path).__dict__[table].get(name)
        if member is None:
            known = [known for known, _ in self._named_members(table, "", True, False)]
            raise AttributeError(
                f"{type(self).__name__}: no {noun} at {target!r}{nearest(target, known)}"
            )
        return member

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a path such as ``"encoder.layers.2.weight"``.

        Raises:
            AttributeError: there is no parameter at the path.
        """
        parameter: Parameter = self._get_member("_parameters", target, "parameter")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a path such as ``"norm.running_mean"``.

        Raises:
            AttributeError: there is no buffer at the path.
        """
        buffer: Tensor = self._get_member("_buffers", target, "buffer")
        return buffer

    # ---------------------------------------------------------------- state

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Return the parameters and persistent buffers by path, sharing memory with the module.

        Args:
            destination: a dict to fill instead of a new one.
            prefix: put before every path.
            keep_vars: give the parameters themselves instead of detached tensors.

        Returns:
            An ordered dict; its keys are torch's.

        Example:
            >>> list(cr.nn.Sequential(cr.nn.Linear(2, 3)).state_dict())
            ['0.weight', '0.bias']
        """
        return save_state(self, destination, prefix, keep_vars)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Put this module's own parameters and buffers into a state dict; subclasses may add."""
        save_own(self, destination, prefix, keep_vars)

    def get_extra_state(self) -> Any:
        """Return what else belongs to the module's state; subclasses define it.

        It is saved under the key ``_extra_state`` and handed to :meth:`set_extra_state`.

        Raises:
            NotImplementedError: the subclass has no extra state.
        """
        raise NotImplementedError(f"{type(self).__name__}: get_extra_state is not defined")

    def set_extra_state(self, state: Any) -> None:
        """Take the extra state that :meth:`get_extra_state` of another instance returned.

        Args:
            state: what it returned.

        Raises:
            NotImplementedError: the subclass has no extra state.
        """
        raise NotImplementedError(f"{type(self).__name__}: set_extra_state is not defined")

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy parameters and buffers from a state dict; all of it or, on an error, nothing.

        Args:
            state_dict: tensors (or anything ``chainrule.as_tensor`` takes: NumPy arrays, torch
                tensors) by path. Values are cast to the dtype of the module's own tensors.
            strict: whether every key must match.
            assign: make the given tensors the module's own instead of copying into them.

        Returns:
            The keys that were missing and unexpected (both empty when ``strict``).

        Raises:
            RuntimeError: a key is missing or unexpected (``strict``; near matches are named), or
                a tensor has another shape.
            TypeError: ``state_dict`` is not a mapping or a value is not a tensor.

        Example:
            >>> a, b = cr.nn.Linear(2, 3), cr.nn.Linear(2, 3)
            >>> a.load_state_dict(b.state_dict())
            <All keys matched successfully>
        """
        return load_state(self, state_dict, strict, assign)

    # ---------------------------------------------------------------- modes and conversion

    def train(self, mode: bool = True) -> Self:
        """Set training mode for this module and all below it (dropout and the like obey it).

        Args:
            mode: True for training, False for evaluation.

        Returns:
            The module itself.

        Raises:
            ValueError: ``mode`` is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is a bool (got {type(mode).__name__})")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of every parameter; False freezes the module.

        Args:
            requires_grad: whether gradients are recorded.

        Returns:
            The module itself.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: drop them; False keeps the tensors and fills them with zeros.
        """
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = cr.zeros_like(parameter.grad)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module below this one, children first, then on this one.

        Args:
            fn: called with the module.

        Returns:
            The module itself.

        Example:
            >>> def zero_bias(m):
            ...     if isinstance(m, cr.nn.Linear):
            ...         cr.nn.init.zeros_(m.bias)
            >>> _ = cr.nn.Sequential(cr.nn.Linear(2, 2)).apply(zero_bias)
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter's and buffer's data by ``fn`` of it; Parameters keep identity."""
        for parameter in self.parameters(recurse):
            grad, before = parameter.grad, parameter.data
            data = fn(before)
            if data is not before:
                parameter.grad = None
                parameter.data = data
                parameter.grad = None if grad is None else fn(grad)
        for module in self.modules() if recurse else (self,):
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    setattr(module, name, fn(buffer))
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating parameters and buffers: ``to(dtype)``, ``to(device)``, ``to(tensor)``.

        Args:
            *args: a floating dtype, a device (only ``"cpu"`` exists), or a tensor whose dtype is
                taken.
            **kwargs: ``dtype``, ``device``, ``non_blocking`` (ignored).

        Returns:
            The module itself, changed in place.

        Raises:
            TypeError: the dtype is not a floating one.
            RuntimeError: the device is not the CPU.

        Example:
            >>> cr.nn.Linear(2, 3).to(cr.float64).weight.dtype
            chainrule.float64
        """
        cr.empty(0).to(*args, **kwargs)  # Tensor.to judges the arguments
        dtype = kwargs.get("dtype")
        for arg in args:
            if isinstance(arg, (cr.dtype, Tensor)):
                dtype = arg.dtype if isinstance(arg, Tensor) else arg
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise TypeError(
                f"Module.to: a module computes in floating point (got {dtype}); "
                "expected chainrule.float32 or chainrule.float64"
            )
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def type(self, dst_type: cr.dtype) -> Self:
        """Convert all parameters and buffers, integers too.

        Args:
            dst_type: the dtype.

        Returns:
            The module itself, changed in place.
        """
        return self._apply(lambda t: t.to(dst_type))

    def to_empty(self, *, device: Any = None, recurse: bool = True) -> Self:
        """Give all parameters and buffers new memory, without values.

        Args:
            device: ``"cpu"`` or None.
            recurse: include submodules.

        Returns:
            The module itself.
        """
        return self._apply(lambda t: cr.empty_like(t, device=device), recurse)

    def share_memory(self) -> Self:
        """Move all parameters and buffers to memory that forked child processes share."""
        with cr.no_grad():
            for tensor in (*self.parameters(), *self.buffers()):
                tensor.share_memory_()
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ported scripts call it, and modules run as fast without.

        Args:
            *args: ignored.
            **kwargs: ignored.
        """

    def half(self) -> Self:
        """Convert floating parameters and buffers to float16, in place."""
        return self.to(cr.float16)

    def bfloat16(self) -> Self:
        """Convert floating parameters and buffers to bfloat16, in place."""
        return self.to(cr.bfloat16)

    def float(self) -> Self:
        """Convert floating parameters and buffers to float32, in place."""
        return self.to(cr.float32)

    def double(self) -> Self:
        """Convert floating parameters and buffers to float64, in place."""
        return self.to(cr.float64)

    def cpu(self) -> Self:
        """Return the module: the CPU is where it lives."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Raise: chainrule computes on the CPU only.

        Args:
            device: ignored.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("cuda: chainrule computes on the CPU only; leave the module where it is")

    # ---------------------------------------------------------------- hooks

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self.__dict__["_hooks"] = Hooks()
        assert self._hooks is not None
        return self._hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; it may return new arguments.

        Args:
            hook: returns None, or the new positional arguments (a tuple, or a single value).
            prepend: run it before the hooks already there.
            with_kwargs: call ``hook(module, args, kwargs)``, which returns None or
                ``(args, kwargs)``.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._own_hooks().forward_pre, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; it may return a new output.

        Args:
            hook: returns None or the new output.
            prepend: run it before the hooks already there.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: call it also when the module raises, with the output None.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.

        Example:
            >>> net = cr.nn.Linear(2, 3)
            >>> shapes = []
            >>> with net.register_forward_hook(lambda m, args, out: shapes.append(out.shape)):
            ...     _ = net(cr.zeros(4, 2))
            >>> shapes
            [(4, 3)]
        """
        return add_hook(self._own_hooks().forward, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward.

        Args:
            hook: returns None or the new gradients with respect to the outputs, as a tuple.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._own_hooks().backward_pre, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the input gradients are known.

        Args:
            hook: gets two tuples (None for an input or output without gradient) and returns None
                or the new gradients with respect to the positional inputs.
            prepend: run it before the hooks already there.

        Returns:
            A handle; ``handle.remove()`` takes the hook away.
        """
        return add_hook(self._own_hooks().backward, hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` collects the module."""
        return add_hook(self._own_hooks().state_dict_pre, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, {})`` after ``state_dict`` collected the module.

        The hook changes ``state_dict`` in place.
        """
        return add_hook(self._own_hooks().state_dict, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook`` before ``load_state_dict`` looks at the keys.

        It gets ``(module, state_dict, prefix, {}, strict, missing, unexpected, errors)`` as in
        torch; it may change ``state_dict`` (a copy), for example rename old keys, and append
        sentences to ``errors``.
        """
        return add_hook(self._own_hooks().load_pre, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after ``load_state_dict``."""
        return add_hook(self._own_hooks().load_post, hook)

    # ---------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """Return what stands between the brackets of ``repr``; subclasses override it."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {indent(repr(module))}" for name, module in self._modules.items()]
        return layout(self._get_name(), extra, children)

    def _repr_html_(self) -> str:
        from chainrule._html import module_html

        return module_html(self)


def _has_setter(module: Module, name: str) -> bool:
    """Tell whether a property of the class takes the attribute (a parametrization does)."""
    return isinstance(getattr(type(module), name, None), property)


_TABLES: tuple[tuple[str, type, str], ...] = (
    ("_parameters", Parameter, "parameter"),
    ("_buffers", Tensor, "buffer"),
    ("_modules", Module, "module"),
)
