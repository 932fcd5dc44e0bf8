"""The networks by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, ParamSpec, TypeVar

from .. import nn

__all__ = ["get_model", "list_models"]

P = ParamSpec("P")
M = TypeVar("M", bound="nn.Module[..., Any]")

_BUILDERS: dict[str, Callable[..., nn.Module[..., Any]]] = {}


def named(build: Callable[P, M]) -> Callable[P, M]:
    """Enter a builder under its name, and answer torchvision's requests for trained weights."""
    name = build.__name__

    @functools.wraps(build)
    def checked(*args: P.args, **options: P.kwargs) -> M:
        for argument in ("weights", "pretrained"):
            if wanted := options.pop(argument, None):
                raise ValueError(
                    f"{name}: trained weights are not downloaded (got {argument}={wanted!r}); "
                    f"build {name}() and load a local safetensors file, torchvision's keys fit: "
                    f"model.load_state_dict(chainrule.load_file('{name}.safetensors'))"
                )
        return build(*args, **options)

    _BUILDERS[name] = checked
    return checked


def list_models(include: str = "*") -> list[str]:
    """List the names that `get_model` knows, in alphabetical order.

    Args:
        include: a pattern with the wildcards of a shell.

    Returns:
        The names that match.

    Example:
        >>> cr.models.list_models("resnet*")
        ['resnet18', 'resnet20', 'resnet32', 'resnet34', 'resnet50', 'resnet56']
    """
    return [name for name in sorted(_BUILDERS) if fnmatchcase(name, include)]


def get_model(name: str, **options: Any) -> nn.Module[..., Any]:
    """Build a network by its name.

    Args:
        name: one of `list_models`, in any case.
        **options: the arguments of the builder of that name.

    Returns:
        The network, with weights drawn afresh.

    Raises:
        TypeError: the name is not a string.
        ValueError: there is no such network, or trained weights are asked for.

    Example:
        >>> sum(p.numel() for p in cr.models.get_model("lenet").parameters())
        61706
    """
    if not isinstance(name, str):
        raise TypeError(f"get_model: name={name!r}; expected a string such as 'resnet18'")
    build = _BUILDERS.get(name.lower())
    if build is None:
        near = get_close_matches(name.lower(), _BUILDERS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {list_models()}"
        raise ValueError(f"get_model: there is no network {name!r}; {hint}")
    return build(**options)
