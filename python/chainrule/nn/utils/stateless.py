"""Calls of a module with parameters that are not its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule import Tensor

from ..modules.module import Module
from ..modules.text import nearest

__all__ = ["functional_call"]

State = dict[str, Tensor]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: State | Sequence[State],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with the given tensors in the place of its parameters and buffers.

    The module is as before when the call returns. What it writes to its buffers goes to the given
    ones; a buffer it replaces is replaced in the dict.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by path, as ``named_parameters`` and ``named_buffers``
            give them, or a sequence of such dicts without common names.
        args: the positional arguments: a tuple, or one argument.
        kwargs: the arguments by name.
        tie_weights: put a tensor also in the place of whatever is the same parameter under
            another name.
        strict: every parameter and buffer must be given.

    Returns:
        What the module returns.

    Raises:
        KeyError: the module has no such parameter or buffer (torch lets these pass unnoticed
            unless ``strict``).
        RuntimeError: names are missing under ``strict``.
        ValueError: a name is given twice, or different tensors for tied names.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> state = {"weight": cr.tensor([[1.0, 2.0]]), "bias": cr.zeros(1)}
        >>> cr.func.functional_call(layer, state, cr.ones(2))
        tensor([3.])
    """
    state = _merged(parameter_and_buffer_dicts)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _replaced(module, state, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def _merged(dicts: State | Sequence[State]) -> State:
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, (tuple, list)) or not all(isinstance(d, dict) for d in dicts):
        raise TypeError(
            "functional_call: expected a dict of tensors or a sequence of such dicts "
            f"(got {type(dicts).__name__})"
        )
    merged: State = {}
    for each in dicts:
        twice = sorted(merged.keys() & each.keys())
        if twice:
            raise ValueError(f"functional_call: {twice[0]!r} is given in several dicts")
        merged |= each
    return merged


Place = tuple[Module, str, str]  # module, table, name


def _places(module: Module) -> dict[str, Place]:
    """Where each parameter and buffer stands, by path."""
    return {
        (f"{path}.{name}" if path else name): (owner, table, name)
        for path, owner in module.named_modules(remove_duplicate=False)
        for table in ("_parameters", "_buffers")
        for name, member in owner.__dict__[table].items()
        if member is not None
    }


def _put(place: Place, tensor: Tensor) -> Tensor:
    """Set a parameter or buffer, unchecked; returns what was there."""
    owner, table, name = place
    before: Tensor = owner.__dict__[table][name]
    owner.__dict__[table][name] = tensor
    owner.__dict__[name] = tensor
    return before


@contextmanager
def _replaced(module: Module, state: State, tie_weights: bool, strict: bool) -> Iterator[None]:
    places = _places(module)
    for path, tensor in state.items():
        if path not in places:
            raise KeyError(
                f"functional_call: {type(module).__name__} has no parameter or buffer {path!r}"
                + nearest(path, places)
            )
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"functional_call: expected a tensor as {path!r} (got {type(tensor).__name__})"
            )
    targets = {path: (path, tensor) for path, tensor in state.items()}  # with the tied names
    if tie_weights:
        by_tensor: dict[int, list[str]] = {}
        for path, (owner, table, name) in places.items():
            by_tensor.setdefault(id(owner.__dict__[table][name]), []).append(path)
        for tied in by_tensor.values():
            given = [path for path in tied if path in state]
            if any(state[path] is not state[given[0]] for path in given[1:]):
                raise ValueError(
                    f"functional_call: {given} are one parameter and got different tensors; pass "
                    "tie_weights=False to treat them apart"
                )
            for path in tied if given else ():
                targets[path] = (given[0], state[given[0]])
    missing = sorted(places.keys() - targets.keys())
    if strict and missing:
        raise RuntimeError(f"functional_call: missing parameters or buffers: {', '.join(missing)}")
    before = [(places[path], _put(places[path], tensor)) for path, (_, tensor) in targets.items()]
    try:
        yield
    finally:
        for (place, own), (source, tensor) in zip(
            reversed(before), reversed(targets.values()), strict=True
        ):
            now = _put(place, own)
            if now is not tensor:
                state[source] = now
