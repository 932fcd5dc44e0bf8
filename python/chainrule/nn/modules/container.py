"""Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from chainrule import Tensor

from ..parameter import Parameter
from .fusion import call_activated, fused_activation, takes_activation
from .module import Module
from .text import indent, layout

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Ordered(Module):
    """Submodules numbered from zero: what Sequential and ModuleList share."""

    def _fill(self, modules: Iterable[Module]) -> None:
        """Number the modules afresh."""
        modules = list(modules)
        for name in list(self._modules):
            delattr(self, name)
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def _name(self, index: SupportsIndex) -> str:
        """Return the name of the module at a position, counted from the end when negative."""
        size, position = len(self), operator.index(index)
        if not -size <= position < size:
            raise IndexError(
                f"{type(self).__name__}: index {position} is out of range for {size} modules"
            )
        return list(self._modules)[position]

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            return self._like(list(self._modules.items())[index])
        module = self._modules[self._name(index)]
        assert module is not None
        return module

    def _like(self, items: list[tuple[str, Any]]) -> Self:
        return type(self)(*(module for _, module in items))

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        doomed = set(names[index] if isinstance(index, slice) else [self._name(index)])
        self._fill(m for name, m in zip(names, self, strict=True) if name not in doomed)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __contains__(self, module: object) -> bool:
        return any(module is own for own in self._modules.values())

    def __add__(self, other: Iterable[Module]) -> Self:
        return self._like([("", module) for module in (*self, *other)])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def append(self, module: Module) -> Self:
        """Add a module at the end.

        Args:
            module: the module.

        Returns:
            The container itself.
        """
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end.

        Args:
            modules: an iterable of modules.

        Returns:
            The container itself.
        """
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Insert a module before a position.

        Args:
            index: the position, as for ``list.insert`` but within range.
            module: the module.

        Returns:
            The container itself.

        Raises:
            IndexError: the position is out of range.
        """
        if not -len(self) <= index <= len(self):
            raise IndexError(
                f"{type(self).__name__}.insert: index {index} is out of range "
                f"for {len(self)} modules"
            )
        modules = list(self)
        modules.insert(index, module)
        self._fill(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove the module at a position and return it.

        Args:
            index: the position.

        Raises:
            IndexError: the position is out of range.
        """
        module: Module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Modules called one after the other.

    A linear, convolutional or batch norm layer computes the activation right after it in the same
    pass over its output, to the same bits, where neither module has hooks.

    Args:
        *modules: the modules, or one dict of named modules.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> net(cr.zeros(4, 2)).shape
        (4, 3)
        >>> net
        Sequential(
          (0): Linear(in_features=2, out_features=3, bias=True)
          (1): ReLU()
        )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            items: Iterable[tuple[str, Any]] = modules[0].items()
        else:
            items = ((str(index), module) for index, module in enumerate(modules))
        for name, module in items:
            self.add_module(name, module)

    def _like(self, items: list[tuple[str, Any]]) -> Self:
        if all(name for name, _ in items):
            return type(self)(dict(items))  # a slice keeps its names
        return super()._like(items)

    def forward(self, input: Any) -> Any:
        """Return ``input`` passed through every module in turn."""
        layer: Any = None  # waits for what comes after it
        for module in self._modules.values():
            if layer is not None:
                activation = fused_activation(module)  # type: ignore[arg-type]
                if activation is not None:
                    input, layer = call_activated(layer, input, activation), None
                    continue
                input, layer = layer(input), None
            if takes_activation(module):  # type: ignore[arg-type]
                layer = module
            else:
                input = module(input)  # type: ignore[misc]
        return input if layer is None else layer(input)


class ModuleList(_Ordered):
    """A list of modules, all registered; it has no ``forward`` of its own.

    Args:
        modules: an iterable of modules.

    Example:
        >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        >>> layers
        ModuleList(
          (0-2): 3 x Linear(in_features=4, out_features=4, bias=True)
        )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _like(self, items: list[tuple[str, Any]]) -> Self:
        return type(self)(module for _, module in items)

    def __repr__(self) -> str:
        # Neighbours with the same text are shown once.
        runs: list[tuple[int, int, str]] = []
        for index, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], index, text)
            else:
                runs.append((index, index, text))
        lines = [
            f"({first}): {indent(text)}"
            if first == last
            else f"({first}-{last}): {last - first + 1} x {indent(text)}"
            for first, last, text in runs
        ]
        return layout(self._get_name(), self.extra_repr(), lines)


class ModuleDict(Module):
    """A dict of modules by name, all registered; it has no ``forward`` of its own.

    Args:
        modules: a mapping, or an iterable of ``(name, module)``.

    Example:
        >>> heads = nn.ModuleDict({"a": nn.Linear(2, 1), "b": nn.Linear(2, 3)})
        >>> list(heads), heads["b"].out_features
        (['a', 'b'], 3)
    """

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Module:
        module = self._modules[key]
        assert module is not None
        return module

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove all modules."""
        for key in list(self._modules):
            delattr(self, key)

    def pop(self, key: str) -> Module:
        """Remove a module and return it.

        Args:
            key: its name.

        Raises:
            KeyError: there is no such name.
        """
        module = self[key]
        del self[key]
        return module

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return the pairs of name and module."""
        return self._modules.items()  # type: ignore[return-value]

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, replacing those whose names are taken.

        Args:
            modules: a mapping (a ModuleDict too), or an iterable of ``(name, module)``.
        """
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for key, module in pairs:
            self[key] = module


class ParameterList(Module):
    """A list whose tensors are registered as parameters; other values are kept as they are.

    Args:
        values: an iterable; plain tensors in it become Parameters.

    Example:
        >>> weights = cr.nn.ParameterList(cr.zeros(2, 3) for _ in range(2))
        >>> len(list(weights.parameters()))
        2
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def _position(self, index: SupportsIndex) -> int:
        position = operator.index(index)
        if not -self._size <= position < self._size:
            raise IndexError(f"ParameterList: index {position} is out of range for {self._size}")
        return position % self._size

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(self._position(index)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(self._position(index)), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(self._size))

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add a value at the end.

        Args:
            value: anything; a plain tensor becomes a Parameter.

        Returns:
            The list itself.
        """
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end.

        Args:
            values: an iterable; plain tensors in it become Parameters.

        Returns:
            The list itself.
        """
        for value in list(values):
            self.append(value)
        return self

    def __repr__(self) -> str:
        return _describe(self._get_name(), enumerate(self))


class ParameterDict(Module):
    """A dict whose tensors are registered as parameters; other values are kept as they are.

    Args:
        parameters: a mapping, or an iterable of ``(name, value)``; plain tensors become
            Parameters.

    Example:
        >>> scales = cr.nn.ParameterDict({"left": cr.ones(2), "right": cr.ones(2)})
        >>> [name for name, _ in scales.named_parameters()]
        ['left', 'right']
    """

    def __init__(
        self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None
    ) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict: attribute {key!r} already exists")
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """Return the values."""
        return [self[key] for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the pairs of name and value."""
        return [(key, self[key]) for key in self._keys]

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add values, replacing those whose names are taken.

        Args:
            parameters: a mapping (a ParameterDict too), or an iterable of ``(name, value)``.
        """
        pairs: Any = parameters
        if isinstance(parameters, (Mapping, ParameterDict)):
            pairs = parameters.items()
        for key, value in pairs:
            self[key] = value

    def __repr__(self) -> str:
        return _describe(self._get_name(), self.items())


def _as_parameter(value: Any) -> Any:
    plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if plain else value


def _describe(name: str, items: Iterable[tuple[Any, Any]]) -> str:
    lines = []
    for key, value in items:
        if isinstance(value, Tensor):
            size = "x".join(str(n) for n in value.shape)
            lines.append(f"    ({key}): Parameter containing: [{value.dtype} of size {size}]")
        else:
            lines.append(f"    ({key}): Object of type: {type(value).__name__}")
    return "\n".join([f"{name}(", *lines, ")"]) if lines else f"{name}()"
