"""What every metric does with its arguments: tensors or lists to checked NumPy arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule import Tensor

__all__ = ["UndefinedMetricWarning"]

Array = npt.NDArray[Any]


class UndefinedMetricWarning(UserWarning):
    """A metric is not defined for these arguments, and a conventional number stands for it."""


def warn_undefined(message: str) -> None:
    """Warn with the caller of the metric's function in the report."""
    warnings.warn(message, UndefinedMetricWarning, stacklevel=4)


def to_array(value: Any) -> Array:
    """Return a NumPy array of a tensor (without its history), list or array."""
    if isinstance(value, Tensor):
        return np.asarray(value.detach())
    array = np.asarray(value)
    # A list of strings of differing kinds would otherwise become objects.
    return array.astype(str) if array.dtype.kind == "O" and _are_strings(array) else array


def _are_strings(array: Array) -> bool:
    return all(isinstance(item, str) for item in array.ravel())


def to_labels(op: str, name: str, value: Any) -> Array:
    """Return class labels of shape (N,); (N, 1) is taken too.

    Raises:
        ValueError: another shape, or numbers that are no labels.
    """
    array = to_array(value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{op}: {name} has shape {array.shape}; expected one class label per sample, (N,)"
        )
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise ValueError(
            f"{op}: {name} holds numbers that are no class labels (NaN or fractions); "
            "expected labels, not scores"
        )
    return array


def to_floats(op: str, name: str, value: Any) -> Array:
    """Return an array of floats, all finite.

    Raises:
        ValueError: NaN or infinity, or no numbers at all.
    """
    array = to_array(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{op}: {name} has dtype {array.dtype}; expected numbers")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{op}: {name} contains NaN or infinity; expected finite numbers")
    return array


def to_weights(op: str, value: Any, count: int) -> Array | None:
    """Return sample weights of shape (count,), or None.

    Raises:
        ValueError: another shape.
    """
    if value is None:
        return None
    array = to_floats(op, "sample_weight", value)
    if array.shape != (count,):
        raise ValueError(
            f"{op}: sample_weight has shape {array.shape}; expected one per sample, ({count},)"
        )
    return array


def check_lengths(op: str, first: Array, second: Array) -> None:
    """Raise ValueError unless both have the same number of samples, at least one."""
    if len(first) != len(second):
        raise ValueError(
            f"{op}: {len(first)} and {len(second)} samples; expected the same number of both"
        )
    if len(first) == 0:
        raise ValueError(f"{op}: there are no samples; expected at least one")


def union(first: Array, second: Array) -> Array:
    """Return the sorted labels that occur.

    Raises:
        ValueError: strings and numbers are mixed.
    """
    if (first.dtype.kind in "US") != (second.dtype.kind in "US"):
        raise ValueError("labels are strings on one side and numbers on the other")
    return np.union1d(first, second)


def average(values: Array, weights: Array | None) -> float:
    """Return the (weighted) mean.

    Raises:
        ValueError: the weights sum to zero.
    """
    if weights is None:
        return float(np.mean(values))
    if weights.sum() == 0:
        raise ValueError("the sample weights sum to zero")
    return float(np.average(values, weights=weights))
