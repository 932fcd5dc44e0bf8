"""Collating: from a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import Tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch: Sequence[Any]) -> Any:
    """Join samples into a batch along a new first dimension.

    Tensors and NumPy arrays are stacked; floats become float64 and ints int64 tensors; strings and
    bytes stay as they are (in a list; in a tuple where they are fields of tuples); dicts, tuples,
    named tuples and lists are collated field by field (a plain tuple becomes a list).

    Args:
        batch: the samples, at least one, all of one structure.

    Raises:
        TypeError: a sample is of no such type.
        ValueError: the batch is empty, or samples differ in their number of fields.

    Example:
        >>> from chainrule.data import default_collate
        >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
        {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    if len(batch) == 0:
        raise ValueError("default_collate: the batch is empty; expected at least one sample")
    first = batch[0]
    if isinstance(first, Tensor):
        return cr.stack(list(batch))
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind not in "biuf":
            raise TypeError(f"default_collate: arrays of dtype {first.dtype} have no tensor")
        return cr.from_numpy(np.stack(batch))
    if isinstance(first, float):
        return cr.tensor(batch, dtype=cr.float64)
    if isinstance(first, int):
        return cr.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuild(first, {key: default_collate([s[key] for s in batch]) for key in first})
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in batch):
            lengths = sorted({len(sample) for sample in batch})
            raise ValueError(
                f"default_collate: samples have different numbers of fields (got {lengths})"
            )
        fields = [default_collate(field) for field in zip(*batch, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else fields
    raise TypeError(
        f"default_collate: a sample is a {type(first).__name__}; expected tensors, arrays, "
        "numbers, strings, dicts, tuples or lists; give the DataLoader a collate_fn"
    )


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays in one sample into tensors; what a DataLoader without batches does.

    Args:
        data: a sample: arrays, alone or in dicts, tuples, named tuples and lists; other values
            stay as they are.

    Example:
        >>> import numpy as np
        >>> from chainrule.data import default_convert
        >>> default_convert({"x": np.zeros(2), "n": 3})
        {'x': tensor([0., 0.], dtype=chainrule.float64), 'n': 3}
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biuf":
        return cr.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuild(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (tuple, list)):
        return [default_convert(value) for value in data]
    return data


def _rebuild(like: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """Return the values in the sample's own kind of mapping, where it can be made of a dict."""
    if type(like) is dict:
        return values
    make: Callable[..., Any] = type(like)
    try:
        return make(values)
    except TypeError:
        return values
