"""einops on tensors: its backend, made when einops is there, before or after chainrule.

einops looks for subclasses of its AbstractBackend whose library is imported, so the subclass must
exist, and cannot before einops does: an import hook makes it then.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import chainrule as cr

_defined: list[type] = []  # einops finds the class by a weak reference, this keeps it


def _define_backend(backends: ModuleType) -> None:
    base: Any = backends.AbstractBackend

    class ChainruleBackend(base):  # type: ignore[misc]
        """What einops asks of a tensor library."""

        framework_name = "chainrule"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, cr.Tensor)

        def from_numpy(self, x: Any) -> cr.Tensor:
            return cr.as_tensor(x)

        def to_numpy(self, x: cr.Tensor) -> Any:
            return x.detach().numpy()

        def arange(self, start: int, stop: int) -> cr.Tensor:
            return cr.arange(start, stop)

        def transpose(self, x: cr.Tensor, axes: Any) -> cr.Tensor:
            return x.permute(axes)

        def reduce(self, x: cr.Tensor, operation: str, axes: Any) -> Any:
            if operation == "prod":  # one dimension at a time, from the back
                for axis in sorted(axes, reverse=True):
                    x = x.prod(axis)
                return x
            return getattr(x, {"max": "amax", "min": "amin"}.get(operation, operation))(axes)

        def stack_on_zeroth_dimension(self, tensors: list[cr.Tensor]) -> cr.Tensor:
            return cr.stack(tensors)

        def add_axis(self, x: cr.Tensor, new_position: int) -> cr.Tensor:
            return x.unsqueeze(new_position)

        def add_axes(self, x: cr.Tensor, n_axes: int, pos2len: dict[int, int]) -> cr.Tensor:
            sizes = [-1] * n_axes
            for position, length in pos2len.items():
                x = x.unsqueeze(position)
                sizes[position] = length
            return x.expand(sizes)

        def tile(self, x: cr.Tensor, repeats: Any) -> cr.Tensor:
            return x.repeat(repeats)

        def concat(self, tensors: list[cr.Tensor], axis: int) -> cr.Tensor:
            return cr.cat(tensors, axis)

        def is_float_type(self, x: cr.Tensor) -> bool:
            return x.is_floating_point()

        def einsum(self, pattern: str, *x: cr.Tensor) -> cr.Tensor:
            return cr.einsum(pattern, *x)

    _defined.append(ChainruleBackend)


class _Finder:
    """Defines the backend right after ``einops._backends`` has been executed."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "einops._backends":
            return None
        sys.meta_path.remove(_Finder)
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _define_backend(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Define the backend now if einops is imported, else when it is."""
    backends = sys.modules.get("einops._backends")
    if backends is not None:
        _define_backend(backends)
    else:
        sys.meta_path.insert(0, _Finder)
