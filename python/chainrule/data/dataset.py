"""Datasets: what can be indexed by number."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import chainrule as cr
from chainrule import Tensor

__all__ = ["ConcatDataset", "Dataset", "Subset", "TensorDataset", "random_split"]

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
        chosen = [self.indices[index] for index in indices]
        fetch = getattr(self.dataset, "__getitems__", None)
        if fetch is not None:
            samples: list[T_co] = fetch(chosen)
            return samples
        return [self.dataset[index] for index in chosen]

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
