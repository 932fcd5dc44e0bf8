"""Splitting data to choose and judge models: scikit-learn's splitters, for tensors and datasets.

``KFold``, ``StratifiedKFold``, ``RepeatedKFold``, ``RepeatedStratifiedKFold``, ``GroupKFold``,
``StratifiedGroupKFold``, ``LeaveOneOut``, ``ShuffleSplit``, ``StratifiedShuffleSplit`` and
``TimeSeriesSplit`` are scikit-learn's own classes, imported when first used:
``pip install 'chainrule[sklearn]'``. :func:`folds` applies one to a dataset, and
:func:`train_test_split` sets a part aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from . import data
from ._core import Tensor

SPLITTERS = (
    "GroupKFold", "KFold", "LeaveOneOut", "RepeatedKFold", "RepeatedStratifiedKFold",
    "ShuffleSplit", "StratifiedGroupKFold", "StratifiedKFold", "StratifiedShuffleSplit",
    "TimeSeriesSplit",
)  # fmt: skip

__all__ = ["folds", "train_test_split"]


def _sklearn(name: str) -> ModuleType:
    try:
        import sklearn.model_selection
    except ImportError:
        raise ImportError(
            f"chainrule.model_selection.{name} needs scikit-learn; run: "
            "pip install 'chainrule[sklearn]'"
        ) from None
    module: ModuleType = sklearn.model_selection
    return module


def __getattr__(name: str) -> Any:
    if name in SPLITTERS:
        return getattr(_sklearn(name), name)
    raise AttributeError(f"module 'chainrule.model_selection' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *SPLITTERS})


def _array(values: Any) -> Any:
    return values.numpy() if isinstance(values, Tensor) else values


def _take(values: Any, indices: Any) -> Any:
    """Return some of the samples in the container's own kind."""
    if isinstance(values, Tensor):
        return values[indices]
    if isinstance(values, np.ndarray):
        return values[indices]
    if isinstance(values, (list, tuple)):
        return [values[k] for k in indices]
    return data.Subset(values, indices.tolist())


def folds(
    splitter: Any, dataset: Any, y: Any = None, groups: Any = None
) -> Iterator[tuple[data.Subset[Any], data.Subset[Any]]]:
    """Yield the parts to train on and to test on, fold by fold.

    Args:
        splitter: anything with scikit-learn's ``split(X, y, groups)``, such as
            ``KFold(5, shuffle=True)``.
        dataset: anything with a length.
        y: labels ``(samples,)``, for splitters that keep their shares.
        groups: numbers ``(samples,)``, for splitters that keep groups together.

    Yields:
        Pairs of :class:`chainrule.data.Subset`.

    Raises:
        ValueError: there are too few samples, or ``y`` or ``groups`` does not fit.

    Example:
        >>> from chainrule.model_selection import KFold, folds
        >>> dataset = cr.data.TensorDataset(cr.arange(6))
        >>> [(len(train), len(test)) for train, test in folds(KFold(3), dataset)]
        [(4, 2), (4, 2), (4, 2)]
    """
    size = len(dataset)
    for name, values in (("y", y), ("groups", groups)):
        if values is not None and len(values) != size:
            raise ValueError(f"folds: {name} has {len(values)} entries for {size} samples")
    for train, test in splitter.split(np.zeros((size, 1)), _array(y), _array(groups)):
        yield data.Subset(dataset, train.tolist()), data.Subset(dataset, test.tolist())


def train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    random_state: Any = None,
    shuffle: bool = True,
    stratify: Any = None,
) -> list[Any]:
    """Set a part of the samples aside, as scikit-learn's function of this name does.

    Args:
        *arrays: tensors, arrays, lists or datasets of one length.
        test_size: share or number of the samples to set aside; a quarter by default.
        train_size: share or number of the others.
        random_state: a seed.
        shuffle: False takes the last samples.
        stratify: labels ``(samples,)`` whose shares both parts keep.

    Returns:
        For each of the arrays its part to train on and its part to test on; those of a dataset are
        subsets.

    Raises:
        ValueError: nothing is given, lengths differ, or the sizes do not fit.
        ImportError: scikit-learn is missing.

    Example:
        >>> x, y = cr.arange(8).reshape(4, 2), cr.tensor([0, 1, 0, 1])
        >>> from chainrule.model_selection import train_test_split
        >>> parts = train_test_split(x, y, test_size=0.5, stratify=y, random_state=0)
        >>> [tuple(part.shape) for part in parts], parts[3].sum().item()
        ([(2, 2), (2, 2), (2,), (2,)], 1)
    """
    lengths = sorted({len(values) for values in arrays})
    if len(lengths) != 1:
        raise ValueError(f"train_test_split: expected samples of one length (got {lengths})")
    train, test = _sklearn("train_test_split").train_test_split(
        np.arange(lengths[0]),
        test_size=test_size,
        train_size=train_size,
        random_state=random_state,
        shuffle=shuffle,
        stratify=_array(stratify),
    )
    return [_take(values, indices) for values in arrays for indices in (train, test)]
