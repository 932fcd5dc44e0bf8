"""DataLoader: batches of a dataset, one epoch per iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import chainrule as cr
from chainrule import Tensor

from .collate import default_collate, default_convert
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)


class Indexable(Protocol[T_co]):
    """What a DataLoader reads: ``dataset[index]``."""

    def __getitem__(self, index: Any, /) -> T_co: ...


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches; every ``for`` loop over it is one epoch.

    In-memory datasets that have ``get_batch`` (:class:`TensorDataset`, and a :class:`Subset` of
    one) are read a whole batch at a time, one gather per tensor; others sample by sample.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``.
        batch_size: samples per batch; None yields single samples.
        shuffle: a new random order every epoch.
        sampler: yields the indices instead (not with ``shuffle``).
        batch_sampler: yields lists of indices instead (not with any of the above or
            ``drop_last``).
        num_workers: 0: batches are made in the calling thread.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` when None.
        pin_memory: accepted for ported scripts; there is no other device to pin for.
        drop_last: leave out a last batch that is smaller.
        generator: the source of randomness of ``shuffle``; None for the default one.

    Raises:
        ValueError: arguments that exclude each other, or ``num_workers`` other than 0.

    Example:
        >>> data = cr.data.TensorDataset(cr.arange(5), cr.arange(5) * 10)
        >>> for x, y in cr.data.DataLoader(data, batch_size=2):
        ...     print(x, y)
        tensor([0, 1]) tensor([ 0, 10])
        tensor([2, 3]) tensor([20, 30])
        tensor([4]) tensor([40])
    """

    def __init__(
        self,
        dataset: Indexable[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[int] | Iterable[int] | None = None,
        batch_sampler: Sampler[list[int]] | Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Any = None,
    ) -> None:
        if num_workers != 0:
            raise ValueError(
                f"DataLoader: num_workers={num_workers}: there are no worker processes; "
                "expected 0 (in-memory data is fetched a whole batch at a time without them)"
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: shuffle and sampler exclude each other")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: drop_last needs a batch_size")
        if sampler is None:
            sized: Any = dataset
            sampler = (
                RandomSampler(sized, generator=generator) if shuffle else SequentialSampler(sized)
            )
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn: Callable[[Any], Any] = collate_fn

    def __iter__(self) -> Iterator[T_co]:
        if self.batch_sampler is None:
            for index in self.sampler:
                yield self.collate_fn(self.dataset[index])
            return
        get_batch = (
            getattr(self.dataset, "get_batch", None) if self.collate_fn is default_collate else None
        )
        if get_batch is not None:
            batches = (
                self.batch_sampler.batches()
                if isinstance(self.batch_sampler, BatchSampler)
                else self.batch_sampler
            )
            for batch in batches:
                yield get_batch(
                    batch if isinstance(batch, Tensor) else cr.tensor(batch, dtype=cr.int64)
                )
            return
        get_items = getattr(self.dataset, "__getitems__", None)
        for batch in self.batch_sampler:
            samples = get_items(batch) if get_items else [self.dataset[index] for index in batch]
            yield self.collate_fn(samples)

    def __len__(self) -> int:
        """Return the number of batches (of samples, without batches) in an epoch."""
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
