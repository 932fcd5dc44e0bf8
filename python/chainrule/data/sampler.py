"""Samplers: in which order a DataLoader visits a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import chainrule as cr
from chainrule import Tensor

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Base class: iterating yields indices (or lists of indices, for a batch sampler).

    Subclasses define ``__iter__`` and, where the number of indices is known, ``__len__``.

    Example:
        >>> from chainrule.data import Sampler
        >>> class EverySecond(Sampler[int]):
        ...     def __init__(self, data):
        ...         self.data = data
        ...     def __iter__(self):
        ...         return iter(range(0, len(self.data), 2))
        >>> list(EverySecond("abcde"))
        [0, 2, 4]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__}: __iter__ is not defined")


class _IndexSampler(Sampler[int]):
    """A sampler that knows a whole epoch's indices at once, as a DataLoader likes them."""

    def epoch(self) -> Tensor:
        """Return the indices of one epoch, int64."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return iter(self.epoch().tolist())


class SequentialSampler(_IndexSampler):
    """Visit the dataset in order.

    Args:
        data_source: anything with a length.

    Example:
        >>> from chainrule.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def epoch(self) -> Tensor:
        """Return the indices of one epoch, int64."""
        return cr.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_IndexSampler):
    """Visit the dataset in a new random order every epoch.

    Args:
        data_source: anything with a length.
        replacement: draw every index anew instead of shuffling.
        num_samples: indices per epoch; the dataset's length when None. More than the length
            without replacement visits the dataset several times, in several orders.
        generator: the source of randomness; None for the default one.

    Raises:
        ValueError: ``num_samples`` is not positive, or the dataset is empty.

    Example:
        >>> from chainrule.data import RandomSampler
        >>> sorted(RandomSampler("abc"))
        [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if num_samples is not None and num_samples <= 0:
            raise ValueError(f"RandomSampler: num_samples is positive (got {num_samples})")

    @property
    def num_samples(self) -> int:
        """Indices per epoch."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def epoch(self) -> Tensor:
        """Return the indices of one epoch, int64."""
        size, wanted = len(self.data_source), self.num_samples
        if wanted == 0:
            return cr.arange(0)
        if size == 0:
            raise ValueError(f"RandomSampler: {wanted} indices are asked of an empty dataset")
        if self.replacement:
            return cr.randint(0, size, (wanted,), generator=self.generator)
        orders = [cr.randperm(size, generator=self.generator) for _ in range(-(-wanted // size))]
        return orders[0][:wanted] if len(orders) == 1 else cr.cat(orders)[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_IndexSampler):
    """Visit the given indices in a new random order every epoch.

    Args:
        indices: the indices.
        generator: the source of randomness; None for the default one.

    Example:
        >>> from chainrule.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([3, 5, 8]))
        [3, 5, 8]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def epoch(self) -> Tensor:
        """Return the indices of one epoch, int64."""
        subset = cr.as_tensor(self.indices, dtype=cr.int64)
        return subset[cr.randperm(len(subset), generator=self.generator)]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_IndexSampler):
    """Draw indices with given weights.

    Args:
        weights: one weight per element of the dataset; they need not sum to one.
        num_samples: indices per epoch.
        replacement: whether an index can be drawn again in the same epoch.
        generator: the source of randomness; None for the default one.

    Raises:
        ValueError: weights that are negative, all zero or not one-dimensional, or more indices
            than weights without replacement.

    Example:
        >>> from chainrule.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], num_samples=3))
        [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
    ) -> None:
        self.weights = cr.as_tensor(weights, dtype=cr.float64)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator
        if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples <= 0:
            raise ValueError(f"WeightedRandomSampler: num_samples is positive (got {num_samples})")
        if self.weights.ndim != 1:
            raise ValueError(
                "WeightedRandomSampler: weights has one dimension "
                f"(got shape {tuple(self.weights.shape)})"
            )
        if not bool((self.weights >= 0).all()) or not float(self.weights.sum()) > 0:
            raise ValueError("WeightedRandomSampler: weights are at least 0 and not all 0")
        positive = int((self.weights > 0).sum())
        if not replacement and num_samples > positive:
            raise ValueError(
                f"WeightedRandomSampler: {num_samples} indices without replacement from "
                f"{positive} positive weights"
            )

    def epoch(self) -> Tensor:
        """Return the indices of one epoch, int64."""
        return cr.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Group the indices of another sampler into batches.

    Args:
        sampler: yields indices.
        batch_size: indices per batch.
        drop_last: leave out a last batch that is smaller.

    Raises:
        ValueError: ``batch_size`` is not a positive int, or ``drop_last`` not a bool.

    Example:
        >>> from chainrule.data import BatchSampler, SequentialSampler
        >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ValueError(f"BatchSampler: batch_size is a positive int (got {batch_size!r})")
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last is a bool (got {drop_last!r})")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def batches(self) -> Iterator[Tensor | list[int]]:
        """Yield the same batches as int64 tensors where the sampler gives whole epochs."""
        if not isinstance(self.sampler, _IndexSampler):
            yield from self
            return
        indices = self.sampler.epoch()
        count = len(indices)
        end = count - count % self.batch_size if self.drop_last else count
        for start in range(0, end, self.batch_size):
            yield indices[start : min(start + self.batch_size, end)]

    def __len__(self) -> int:
        size = len(self.sampler)  # type: ignore[arg-type]
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
