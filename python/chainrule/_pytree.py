"""Trees of containers (tuples, lists, dicts, named tuples) and their leaves.

A leaf is whatever is none of these, None included, as in torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Structure(NamedTuple):
    """The shape of a tree: its container, the keys in it and the structures under them."""

    kind: type | None  # None: a leaf
    keys: tuple[Any, ...] = ()
    children: tuple[Structure, ...] = ()

    @property
    def leaves(self) -> int:
        """How many leaves the tree has."""
        return 1 if self.kind is None else sum(child.leaves for child in self.children)

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        parts = [str(child) for child in self.children]
        if issubclass(self.kind, dict):
            return (
                "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(self.keys, parts, strict=True)) + "}"
            )
        text = ", ".join(parts)
        if issubclass(self.kind, list):
            return f"[{text}]"
        return f"({text},)" if len(parts) == 1 else f"({text})"


LEAF = Structure(None)


def _items(tree: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Keys and values of a container; None for a leaf."""
    if isinstance(tree, dict):
        return tuple(tree), tuple(tree.values())
    if isinstance(tree, list) or (
        isinstance(tree, tuple) and (type(tree) is tuple or hasattr(tree, "_fields"))
    ):
        return tuple(range(len(tree))), tuple(tree)
    return None


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Return the leaves from left to right, and what puts them together again."""
    found = _items(tree)
    if found is None:
        return [tree], LEAF
    keys, values = found
    leaves: list[Any] = []
    children = []
    for value in values:
        below, structure = flatten(value)
        leaves += below
        children.append(structure)
    return leaves, Structure(type(tree), keys, tuple(children))


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """Return the tree of this structure with the given leaves."""
    return _build(structure, iter(leaves))


def _build(structure: Structure, leaves: Iterator[Any]) -> Any:
    kind: Any = structure.kind
    if kind is None:
        return next(leaves)
    values = [_build(child, leaves) for child in structure.children]
    if issubclass(kind, dict):
        # Dicts of other kinds have constructors of their own.
        make = kind if kind in (dict, OrderedDict) else dict
        return make(zip(structure.keys, values, strict=True))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the tree with the function applied to each leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, map(function, leaves))


def align(tree: Any, structure: Structure, broadcast: bool = False) -> list[Any] | None:
    """Return one leaf of ``tree`` for each leaf of ``structure``; None when they do not match.

    Dicts match by key, tuples and lists by length. With ``broadcast`` a leaf may stand where the
    structure has a container, for all the leaves in it.
    """
    found = _items(tree)
    if structure.kind is None:
        return [tree] if found is None else None
    if found is None:
        return [tree] * structure.leaves if broadcast else None
    values = dict(zip(*found, strict=True))
    if isinstance(tree, dict) is not issubclass(structure.kind, dict):
        return None
    if set(values) != set(structure.keys):
        return None
    leaves: list[Any] = []
    for key, child in zip(structure.keys, structure.children, strict=True):
        below = align(values[key], child, broadcast)
        if below is None:
            return None
        leaves += below
    return leaves
