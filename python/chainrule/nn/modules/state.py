"""The state of a tree of modules as a flat dict of tensors by path: saving and loading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import chainrule as cr
from chainrule import Tensor

from ..parameter import Parameter
from .text import nearest

if TYPE_CHECKING:
    from .module import Module

_EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` did not use: ``missing_keys``, ``unexpected_keys``."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


def _own(module: Module, prefix: str) -> Iterator[tuple[str, str, Tensor]]:
    """Yield (key, name, tensor) of the module's own parameters and persistent buffers."""
    for name, parameter in module._parameters.items():
        if parameter is not None:
            yield prefix + name, name, parameter
    for name, buffer in module._buffers.items():
        if buffer is not None and name not in module._non_persistent:
            yield prefix + name, name, buffer


def _has_extra(module: Module) -> bool:
    from .module import Module

    return type(module).get_extra_state is not Module.get_extra_state


def save_own(module: Module, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """Put the module's own parameters, persistent buffers and extra state into a dict."""
    for key, _, tensor in _own(module, prefix):
        destination[key] = tensor if keep_vars else tensor.detach()
    if _has_extra(module):
        destination[prefix + _EXTRA] = module.get_extra_state()


def save_state(
    module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> dict[str, Any]:
    """Collect the state of a tree, running its hooks; see ``Module.state_dict``."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()  # type: ignore[attr-defined]
    versions = getattr(destination, "_metadata", {})
    versions[prefix[:-1]] = {"version": module._version}
    hooks = module._hooks
    for hook in list(hooks.state_dict_pre.values()) if hooks else ():
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in list(hooks.state_dict.values()) if hooks else ():
        hook(module, destination, prefix, versions[prefix[:-1]])
    return destination


def load_state(
    root: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Copy a state dict into a tree, all of it or nothing; see ``Module.load_state_dict``."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"load_state_dict: state_dict is a {type(state_dict).__name__}; "
            "expected a dict of tensors"
        )
    given: dict[str, Any] = OrderedDict(state_dict)
    _run_pre_hooks(root, given, getattr(state_dict, "_metadata", {}), strict)

    own: dict[str, tuple[Module, str, Tensor]] = {}
    extra: dict[str, Module] = {}
    for path, module in root.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        own.update((key, (module, name, tensor)) for key, name, tensor in _own(module, prefix))
        if _has_extra(module):
            extra[prefix + _EXTRA] = module
    known = [*own, *extra]
    missing = [key for key in known if key not in given]
    unexpected = [key for key in given if key not in own and key not in extra]

    problems = []
    if strict:
        problems += [f"missing key {key!r}{nearest(key, unexpected)}" for key in missing]
        problems += [
            f"unexpected key {key!r}{nearest(key, missing or known)}" for key in unexpected
        ]
    values = {}
    for key, (_, _, tensor) in own.items():
        if key not in given:
            continue
        try:
            value = values[key] = cr.as_tensor(given[key])
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"load_state_dict: the value of {key!r} is a {type(given[key]).__name__}; "
                "expected a tensor"
            ) from error
        if tuple(value.shape) != tuple(tensor.shape):
            problems.append(
                f"{key!r} has shape {tuple(value.shape)} in the state dict "
                f"and {tuple(tensor.shape)} in the module"
            )
    if problems:
        raise RuntimeError(
            f"load_state_dict: the state dict does not fit {type(root).__name__}:\n  "
            + "\n  ".join(problems)
        )

    with cr.no_grad():
        for key, value in values.items():
            module, name, tensor = own[key]
            if not assign:
                tensor.copy_(value)
            elif name in module._parameters:
                setattr(module, name, Parameter(value.detach(), tensor.requires_grad))
            else:
                setattr(module, name, value)
    for key, module in extra.items():
        if key in given:
            module.set_extra_state(given[key])

    result = IncompatibleKeys(missing, unexpected)
    for module in root.modules():
        for hook in list(module._hooks.load_post.values()) if module._hooks else ():
            hook(module, result)
    return result


def _run_pre_hooks(
    root: Module, given: dict[str, Any], versions: Mapping[str, Any], strict: bool
) -> None:
    for path, module in root.named_modules():
        if module._hooks is None:
            continue
        prefix = f"{path}." if path else ""
        errors: list[str] = []
        for hook in list(module._hooks.load_pre.values()):
            hook(module, given, prefix, versions.get(path, {}), strict, [], [], errors)
        if errors:
            raise RuntimeError("load_state_dict: " + "; ".join(errors))
