"""The forms in which `fit`, `evaluate` and `predict` take data, made into batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import Tensor

from .. import nn
from ..data import DataLoader, Dataset, IterableDataset, TensorDataset

__all__: list[str] = []


def as_batches(
    op: str, data: Any, model: nn.Module, batch_size: int, shuffle: bool
) -> Iterable[Sequence[Any]]:
    """Return what gives the batches of one epoch each time it is iterated over.

    Args:
        op: the function to name in messages.
        data: a tuple of tensors or arrays, a tensor or array, a Dataset, or batches (a
            DataLoader, a list of batches ...), which are left as they are.
        model: arrays of floats take the dtype of its parameters.
        batch_size: rows per batch, where the batches are made here.
        shuffle: whether they are made in a new random order each time.

    Raises:
        TypeError: the data is none of these.
        ValueError: it is empty, or its parts differ in their numbers of rows.
    """
    if isinstance(data, (Tensor, np.ndarray)):
        data = (data,)
    if isinstance(data, tuple) and all(isinstance(part, (Tensor, np.ndarray)) for part in data):
        try:
            data = TensorDataset(*(_to_tensor(part, model) for part in data))
        except ValueError as error:
            raise ValueError(f"{op}: {error}") from None
    if isinstance(data, IterableDataset):  # a stream has no length, and an order of its own
        return DataLoader(data, batch_size=batch_size)
    if isinstance(data, Dataset):
        if len(data) == 0:  # type: ignore[arg-type]
            raise ValueError(f"{op}: the data has no rows; expected at least one")
        return DataLoader(data, batch_size=batch_size, shuffle=shuffle)
    if not isinstance(data, Iterable) or isinstance(data, (str, bytes, dict)):
        raise TypeError(
            f"{op}: data is a {type(data).__name__}; expected a tuple of tensors or arrays "
            "(inputs ..., target), a Dataset, or batches such as a DataLoader"
        )
    return data


def _to_tensor(part: Tensor | np.ndarray[Any, Any], model: nn.Module) -> Tensor:
    """Return a tensor; arrays of floats in the dtype the model computes in."""
    if isinstance(part, Tensor):
        return part
    if part.dtype.kind == "f":
        wanted = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
        return cr.as_tensor(part, dtype=wanted or cr.get_default_dtype())
    return cr.as_tensor(part)


def check_batch(op: str, batch: Any) -> None:
    """Raise TypeError unless a batch is (inputs ..., target)."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        shape = f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""
        raise TypeError(
            f"{op}: a batch is a {type(batch).__name__}{shape}; "
            "expected a tuple or list (inputs ..., target)"
        )


def count_batches(batches: Iterable[Any]) -> int | None:
    """Return the number of batches in an epoch where it is known."""
    try:
        return len(batches)  # type: ignore[arg-type]
    except TypeError:
        return None
