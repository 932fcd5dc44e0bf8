"""Weight and spectral normalization as hooks: the older forms, with the older state_dict keys.

Those of :mod:`chainrule.nn.utils.parametrizations` do the same and are read as plain attributes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import chainrule as cr
from chainrule import Tensor
from chainrule._tensor import add_hook

from .. import functional as F
from ..modules.module import Module
from ..parameter import Parameter
from .parametrizations import as_matrix, norm_except_dim, output_dim, random_direction

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]

Hook = TypeVar("Hook", bound="_Renorm")


class _Renorm:
    """A hook that computes a weight before every call."""

    name: str

    def compute(self, module: Module, training: bool) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Module, _: Any) -> None:
        setattr(module, self.name, self.compute(module, module.training))


def _hooks_of(module: Module, kind: type[Hook], name: str) -> dict[int, Hook]:
    table = module._hooks.forward_pre if module._hooks else {}
    return {
        key: hook
        for key, (hook, _) in table.items()
        if isinstance(hook, kind) and hook.name == name
    }


def _take_weight(op: str, module: Module, kind: type[_Renorm], name: str) -> Parameter:
    """Take the parameter off a module that has no such hook yet."""
    if _hooks_of(module, kind, name):
        raise RuntimeError(f"{op}: {name!r} has this normalization already")
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"{op}: {type(module).__name__} has no parameter {name!r}")
    delattr(module, name)
    return weight


def _take_hook(op: str, module: Module, kind: type[Hook], name: str) -> Hook:
    found = _hooks_of(module, kind, name)
    if not found:
        raise ValueError(f"{op}: {type(module).__name__} has no normalization of {name!r}")
    key, hook = found.popitem()
    del module._own_hooks().forward_pre[key]
    return hook


class _WeightNorm(_Renorm):
    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = dim

    def compute(self, module: Module, training: bool) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        result: Tensor = v * (g / norm_except_dim(v, self.dim))
        return result


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length and the direction of weight vectors apart: ``w = g v / |v|``.

    The parameters are ``weight_g`` and ``weight_v`` (Salimans & Kingma, 2016).

    Args:
        module: the module.
        name: the name of its weight.
        dim: the dimension of the vectors' numbers, 0 for one vector per output; None for one
            norm of all.

    Returns:
        The module.

    Raises:
        ValueError: there is no such parameter.
        RuntimeError: it is normalized already.

    Example:
        >>> list(nn.utils.weight_norm(nn.Linear(20, 40)).state_dict())
        ['bias', 'weight_g', 'weight_v']
    """
    weight = _take_weight("weight_norm", module, _WeightNorm, name)
    hook = _WeightNorm(name, dim)
    with cr.no_grad():
        length = norm_except_dim(weight, dim)
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, ())
    add_hook(module._own_hooks().forward_pre, (hook, False))
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight under :func:`weight_norm` a plain parameter again, with its present value.

    Args:
        module: the module.
        name: the name of its weight.

    Returns:
        The module.

    Raises:
        ValueError: there is no such normalization.

    Example:
        >>> layer = nn.utils.remove_weight_norm(nn.utils.weight_norm(nn.Linear(20, 40)))
        >>> list(layer.state_dict())
        ['bias', 'weight']
    """
    hook = _take_hook("remove_weight_norm", module, _WeightNorm, name)
    weight = hook.compute(module, False).detach()
    for part in (name, f"{name}_g", f"{name}_v"):
        delattr(module, part)
    module.register_parameter(name, Parameter(weight))
    return module


class _SpectralNorm(_Renorm):
    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def compute(self, module: Module, training: bool) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = as_matrix(weight, self.dim)
        if training:
            with cr.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.T @ u, dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix @ v, dim=0, eps=self.eps))
        # Copies: the next call changes the buffers, and backward still needs these.
        result: Tensor = weight / (u.clone() @ (matrix @ v.clone()))
        return result


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value, estimated by power iteration.

    The parameter is ``weight_orig``, the buffers are ``weight_u`` and ``weight_v`` (Miyato et al.,
    2018).

    Args:
        module: the module.
        name: the name of its weight.
        n_power_iterations: steps per call in training.
        eps: the least norm to divide by.
        dim: the dimension that counts the outputs; None chooses by the module.

    Returns:
        The module.

    Raises:
        ValueError: there is no such parameter, or ``n_power_iterations`` is not positive.
        RuntimeError: it is normalized already.

    Example:
        >>> list(nn.utils.spectral_norm(nn.Linear(20, 40)).state_dict())
        ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if n_power_iterations < 1:
        raise ValueError(
            f"spectral_norm: n_power_iterations is at least 1 (got {n_power_iterations})"
        )
    weight = _take_weight("spectral_norm", module, _SpectralNorm, name)
    hook = _SpectralNorm(name, n_power_iterations, output_dim(module) if dim is None else dim, eps)
    matrix = as_matrix(weight.detach(), hook.dim)
    module.register_parameter(f"{name}_orig", weight)
    # A plain attribute until the first call.
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", random_direction(matrix.shape[0], weight, eps))
    module.register_buffer(f"{name}_v", random_direction(matrix.shape[1], weight, eps))
    add_hook(module._own_hooks().forward_pre, (hook, False))
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight under :func:`spectral_norm` a plain parameter again, with its present value.

    Args:
        module: the module.
        name: the name of its weight.

    Returns:
        The module.

    Raises:
        ValueError: there is no such normalization.

    Example:
        >>> layer = nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(20, 40)))
        >>> list(layer.state_dict())
        ['bias', 'weight']
    """
    hook = _take_hook("remove_spectral_norm", module, _SpectralNorm, name)
    weight = hook.compute(module, False).detach()
    for part in (name, f"{name}_orig", f"{name}_u", f"{name}_v"):
        delattr(module, part)
    module.register_parameter(name, Parameter(weight))
    return module
