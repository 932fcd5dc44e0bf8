"""Datasets: what can be indexed by number."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import chainrule as cr
from chainrule import Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Base class: ``dataset[i]`` is a sample, ``len(dataset)`` their number.

    A DataLoader reads a batch in the quickest way the dataset offers:

    - ``get_batch(indices)`` takes an int64 tensor and returns the collated batch;
    - ``__getitems__(indices)`` takes a list of ints and returns a list of samples;
    - else ``dataset[i]`` is called for each index.

    Example:
        >>> from chainrule.data import Dataset
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return index, index**2
        >>> Squares()[3]
        (3, 9)
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__}: __getitem__ is not defined")

    def __add__(self, other: Dataset[T_co]) -> ConcatDataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Base class of datasets that are read in order, such as a stream of lines.

    A subclass defines ``__iter__`` (called for each epoch), and ``__len__`` if the number is known.
    Every worker of a DataLoader goes through an iterator of its own; split the work with
    :func:`get_worker_info`, or each sample comes once per worker.

    Example:
        >>> from chainrule.data import DataLoader, IterableDataset
        >>> class Count(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(range(3))
        >>> [batch.tolist() for batch in DataLoader(Count(), batch_size=2)]
        [[0, 1], [2]]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__}: __iter__ is not defined")

    def __add__(self, other: Dataset[T_co]) -> ChainDataset[T_co]:  # type: ignore[override]
        return ChainDataset([self, other])


class ChainDataset(IterableDataset[T_co]):
    """Iterable datasets one after the other; ``a + b`` makes one.

    Args:
        datasets: the datasets, which may themselves be made while iterating.

    Example:
        >>> from chainrule.data import ChainDataset
        >>> list(ChainDataset(["ab", "c"]))
        ['a', 'b', 'c']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[T_co]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples that are rows of tensors.

    Args:
        *tensors: tensors whose first dimensions agree.

    Raises:
        ValueError: no tensor is given, one has no dimension, or the first dimensions differ.

    Example:
        >>> data = cr.data.TensorDataset(cr.arange(6).reshape(3, 2), cr.tensor([7, 8, 9]))
        >>> data[1]
        (tensor([2, 3]), tensor(8))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        if not shapes or not all(shapes) or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(
                f"TensorDataset: the first dimensions are the samples (got shapes {shapes}); "
                "expected at least one tensor, and the same number of samples in all"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def get_batch(self, indices: Tensor) -> list[Tensor]:
        """Return the rows at the indices: one gather per tensor.

        Args:
            indices: ``(B,)``, int64.
        """
        return [tensor.index_select(0, indices) for tensor in self.tensors]

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Datasets side by side: a sample is a tuple, or a dict, of their samples.

    Args:
        *args: datasets of one length, for tuples.
        **kwargs: datasets of one length, for dicts.

    Raises:
        ValueError: no dataset is given, both kinds are, or the lengths differ.

    Example:
        >>> from chainrule.data import StackDataset
        >>> StackDataset("ab", [1, 2])[1], StackDataset(letter="ab", number=[1, 2])[0]
        (('b', 2), {'letter': 'a', 'number': 1})
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError(
                f"StackDataset: expected datasets by position or by name (got {len(args)} and "
                f"{len(kwargs)})"
            )
        lengths = [len(dataset) for dataset in (*args, *kwargs.values())]
        if len(set(lengths)) > 1:
            raise ValueError(f"StackDataset: the datasets differ in length (got {lengths})")
        self.datasets = args or kwargs
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return the samples at several indices, by each dataset's quickest way."""
        if isinstance(self.datasets, dict):
            columns = [_samples_at(dataset, indices) for dataset in self.datasets.values()]
            return [
                dict(zip(self.datasets, row, strict=True)) for row in zip(*columns, strict=True)
            ]
        columns = [_samples_at(dataset, indices) for dataset in self.datasets]
        return list(zip(*columns, strict=True))

    def __len__(self) -> int:
        return self._length


def _samples_at(dataset: Any, indices: list[int]) -> list[Any]:
    """Return several samples by the dataset's quickest way."""
    fetch = getattr(dataset, "__getitems__", None)
    samples = [dataset[index] for index in indices] if fetch is None else fetch(indices)
    if len(samples) != len(indices):
        raise ValueError(
            f"{type(dataset).__name__}.__getitems__ returned {len(samples)} samples for "
            f"{len(indices)} indices"
        )
    return list(samples)


class ConcatDataset(Dataset[T_co]):
    """Datasets joined end to end; ``a + b`` makes one.

    Args:
        datasets: the datasets.

    Raises:
        ValueError: there is no dataset.

    Example:
        >>> from chainrule.data import ConcatDataset
        >>> both = ConcatDataset(["abc", "de"])
        >>> len(both), both[3], both[-1]
        (5, 'd', 'e')
    """

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: expected at least one dataset")
        sizes = (len(dataset) for dataset in self.datasets)  # type: ignore[arg-type]
        self.cumulative_sizes = list(itertools.accumulate(sizes))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T_co:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: index {index} is out of range for {len(self)}")
        which = bisect.bisect_right(self.cumulative_sizes, position)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][position - start]


class Subset(Dataset[T_co]):
    """Some of the samples of another dataset.

    Args:
        dataset: the whole dataset.
        indices: the indices of the samples to keep, in their order.

    Example:
        >>> from chainrule.data import Subset
        >>> subset = Subset("abcde", [1, 3])
        >>> len(subset), subset[1]
        (2, 'd')
    """

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, (list, tuple)):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        """Return the samples at several indices, by the whole dataset's quickest way."""
        return _samples_at(self.dataset, [self.indices[index] for index in indices])

    @property
    def get_batch(self) -> Any:
        """``get_batch(indices)`` where the whole dataset has it."""
        fetch = self.dataset.get_batch  # type: ignore[attr-defined]
        own = cr.as_tensor(self.indices, dtype=cr.int64)
        return lambda indices: fetch(own[indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None
) -> list[Subset[Any]]:
    """Split a dataset at random into parts of given lengths.

    Args:
        dataset: anything with a length.
        lengths: the parts' lengths, which sum to the dataset's; or fractions that sum to 1,
            where samples left over by rounding down go one each to the first parts.
        generator: the source of randomness; None for the default one.

    Returns:
        One :class:`Subset` per length.

    Raises:
        ValueError: the lengths do not sum to the dataset's, or a fraction is outside [0, 1].

    Example:
        >>> parts = cr.data.random_split(range(10), [0.7, 0.3])
        >>> [len(part) for part in parts]
        [7, 3]
    """
    size = len(dataset)
    counts = list(lengths)
    if math.isclose(sum(counts), 1) and sum(counts) <= 1:
        if not all(0 <= fraction <= 1 for fraction in counts):
            raise ValueError(f"random_split: fractions are between 0 and 1 (got {counts})")
        counts = [math.floor(size * fraction) for fraction in counts]
        for part in range(size - int(sum(counts))):
            counts[part % len(counts)] += 1
    if sum(counts) != size:
        raise ValueError(
            f"random_split: the lengths sum to {sum(counts)} (got {list(lengths)}); "
            f"expected the dataset's length {size}, or fractions that sum to 1"
        )
    order = cr.randperm(size, generator=generator).tolist()
    ends = itertools.accumulate(int(count) for count in counts)
    return [
        Subset(dataset, order[end - int(count) : end])
        for count, end in zip(counts, ends, strict=True)
    ]
