"""Text about modules: reprs, near matches of names, and the path in an error's message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from chainrule import Tensor

if TYPE_CHECKING:
    from .module import Module

# The exceptions that get the path of the module they rose from; only these exact types, since a
# subclass may build its message in its own way.
LOCATED = (ValueError, TypeError, IndexError, RuntimeError)


def indent(text: str) -> str:
    """Indent every line but the first by two spaces."""
    return text.replace("\n", "\n  ")


def layout(name: str, extra: str, children: list[str]) -> str:
    """Lay out a module's repr: on one line without children, else one line a child."""
    lines = (extra.split("\n") if extra else []) + children
    if not children and len(lines) <= 1:
        return f"{name}({extra})"
    return f"{name}(\n  " + "\n  ".join(lines) + "\n)"


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Name the candidate most like a name that was not found, in brackets; "" if none is."""
    close = difflib.get_close_matches(name, list(candidates), n=1)
    return f" (the nearest is {close[0]!r})" if close else ""


def _what_would_fit(module: Module, args: tuple[Any, ...]) -> str:
    """Name the constructor's argument that would have made the input fit; "" if it does."""
    width = module._width()
    if width is None or not args or not isinstance(args[0], Tensor):
        return ""
    name, dim = width
    now, shape = getattr(module, name), tuple(args[0].shape)
    if isinstance(now, tuple):
        needed: Any = shape[-len(now) :]
    elif -len(shape) <= dim < len(shape):
        needed = shape[dim]
    else:
        return ""
    if needed == now:
        return ""
    return f"; {name}={needed} would fit this input (it is {now})"


def locate(error: BaseException, module: Module, args: tuple[Any, ...]) -> None:
    """Put the path of the module an error rose from before its message.

    Called by every Module the error passes on its way up, so that only the exception path pays:
    each one adds the name it knows its child by.
    """
    if type(error) not in LOCATED or len(error.args) != 1 or not isinstance(error.args[0], str):
        return
    trail = getattr(error, "_chainrule_trail", None)
    if trail is None:
        name, path = type(module).__name__, ""
        message = error.args[0] + _what_would_fit(module, args)
    else:
        name, message, path, child = trail
        if child is module:
            return
        step = next((p for p, m in module.named_modules() if m is child), "")
        path = ".".join(filter(None, (step, path)))
    error._chainrule_trail = (name, message, path, module)  # type: ignore[attr-defined]
    error.args = (f"{path} ({name}): {message}" if path else f"{name}: {message}",)
