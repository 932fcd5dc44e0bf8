"""DataLoader: batches of a dataset, one epoch per iteration."""

from __future__ import annotations

import functools
import itertools
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

import chainrule as cr
from chainrule import Tensor

from ._workers import Exhausted, Workers
from .collate import default_collate, default_convert
from .dataset import IterableDataset
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

    Workers are threads of this process. They pay off where the dataset waits (for files) or
    computes in NumPy and chainrule, which release the interpreter's lock for long operations; for
    tensors in memory they only cost. Nothing is copied to them, nothing need be picklable, and
    leaving the loop ends them. :func:`get_worker_info` gives each its own random numbers.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples per batch; None yields single samples.
        shuffle: a new random order every epoch.
        sampler: yields the indices instead (not with ``shuffle``).
        batch_sampler: yields lists of indices instead (not with any of the above or
            ``drop_last``).
        num_workers: threads that make batches ahead; 0: the calling thread makes them.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` when None.
        pin_memory: accepted for ported scripts; there is no other device to pin for.
        drop_last: leave out a last batch that is smaller.
        timeout: seconds to wait for a batch from the workers; 0: for ever.
        worker_init_fn: ``worker_init_fn(worker_id)`` is called in each worker when it starts.
        multiprocessing_context: accepted for ported scripts, with a warning: workers are threads.
        generator: the source of randomness of ``shuffle`` and of the workers' seeds; None for the
            default one.
        prefetch_factor: batches per worker that are made ahead; 2 when None.
        persistent_workers: keep the workers from epoch to epoch.
        pin_memory_device: accepted for ported scripts.
        in_order: yield batches in the sampler's order; False: as they get ready.

    Raises:
        ValueError: arguments that exclude each other, or options of workers without workers.
        RuntimeError: while iterating: no batch came within ``timeout``.

    An exception in a worker is raised again by the loop, with the worker and the index.

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
        dataset: Indexable[T_co] | IterableDataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[int] | Iterable[int] | None = None,
        batch_sampler: Sampler[list[int]] | Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if multiprocessing_context is not None:
            warnings.warn(
                "DataLoader: multiprocessing_context has no effect; workers are threads",
                stacklevel=2,
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: shuffle and sampler exclude each other")
        iterable = isinstance(dataset, IterableDataset)
        if iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader: an IterableDataset has an order of its own; expected neither shuffle "
                "nor sampler nor batch_sampler"
            )
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: drop_last needs a batch_size")
        order: Any = sampler
        if order is None:
            sized: Any = dataset
            if iterable:
                order = _Endless()
            elif shuffle:
                order = RandomSampler(sized, generator=generator)
            else:
                order = SequentialSampler(sized)
        if batch_size is not None:
            batch_sampler = BatchSampler(order, batch_size, drop_last)

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = order
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn: Callable[[Any], Any] = collate_fn
        self._workers: Workers | None = None  # the persistent ones
        self._epoch = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_workers": None}

    def _fetcher(self) -> Callable[[], Any]:
        """Return what makes a fetcher, one for each worker."""
        dataset, collate = self.dataset, self.collate_fn
        if isinstance(dataset, IterableDataset):
            return functools.partial(_Stream, dataset, collate, self.batch_size, self.drop_last)
        if self.batch_sampler is None:
            return functools.partial(_Sample, dataset, collate)
        get_batch = getattr(dataset, "get_batch", None) if collate is default_collate else None
        if get_batch is not None:
            return functools.partial(_WholeBatch, get_batch)
        return functools.partial(_Batch, dataset, collate)

    def _items(self, fetcher: Callable[[], Any]) -> Iterator[Any]:
        """Return what the fetcher is given, batch by batch."""
        if isinstance(self.dataset, IterableDataset):
            return itertools.repeat(None)
        if self.batch_sampler is None:
            return iter(self.sampler)
        whole = getattr(fetcher, "func", None) is _WholeBatch
        if whole and isinstance(self.batch_sampler, BatchSampler):
            return self.batch_sampler.batches()
        return iter(self.batch_sampler)

    def __iter__(self) -> Iterator[T_co]:
        fetcher = self._fetcher()
        items = self._items(fetcher)
        if self.num_workers == 0:
            fetch = fetcher()
            for item in items:
                batch = fetch(item)
                if isinstance(batch, Exhausted):
                    return
                yield batch
            return

        seed = self._seed()
        workers = self._workers  # unless another loop is using them
        if workers is None or workers.busy:
            workers = Workers(self.num_workers, self.dataset, self.worker_init_fn)
            if self.persistent_workers and self._workers is None:
                self._workers = workers
                weakref.finalize(self, workers.stop)
        kept = workers is self._workers
        try:
            yield from workers.batches(
                items, fetcher, seed, self.prefetch_factor or 2, self.timeout, self.in_order
            )
        finally:  # also when the loop is left early
            if not kept:
                workers.stop()

    def _seed(self) -> int:
        """Return a new epoch's seed of the workers.

        Made of the generator's state but not drawn from it: the order of the samples does not
        depend on the number of workers.
        """
        self._epoch += 1
        generator = cr.default_generator if self.generator is None else self.generator
        state = [value % 2**64 for value in generator.get_state().tolist()]
        return int(np.random.SeedSequence([*state, self._epoch]).generate_state(1, np.uint64)[0])

    def __len__(self) -> int:
        """Return the number of batches (of samples, without batches) in an epoch."""
        if isinstance(self.dataset, IterableDataset):
            size = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return size
            return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(f"DataLoader: num_workers is an int of at least 0 (got {num_workers!r})")
    if timeout < 0:
        raise ValueError(f"DataLoader: timeout is at least 0 (got {timeout})")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("DataLoader: prefetch_factor needs num_workers above 0")
    if num_workers == 0 and persistent_workers:
        raise ValueError("DataLoader: persistent_workers needs num_workers above 0")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"DataLoader: prefetch_factor is at least 1 (got {prefetch_factor})")


class _Endless(Sampler[None]):
    """The sampler of a dataset that gives its samples itself."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


# -------------------------------------------------------------------- fetchers
#
# One way each of reading a dataset. `at` is the index being read, for messages.


class _WholeBatch:
    def __init__(self, get_batch: Callable[[Tensor], Any]) -> None:
        self.get_batch = get_batch
        self.at: Any = None

    def __call__(self, batch: Any) -> Any:
        self.at = batch
        return self.get_batch(
            batch if isinstance(batch, Tensor) else cr.tensor(batch, dtype=cr.int64)
        )


class _Batch:
    def __init__(self, dataset: Any, collate: Callable[[Any], Any]) -> None:
        self.dataset = dataset
        self.collate = collate
        self.get_items = getattr(dataset, "__getitems__", None)
        self.at: Any = None

    def __call__(self, batch: list[int]) -> Any:
        if self.get_items is not None:
            self.at = batch
            return self.collate(self.get_items(batch))
        samples = []
        for self.at in batch:
            samples.append(self.dataset[self.at])
        self.at = None
        return self.collate(samples)


class _Sample:
    def __init__(self, dataset: Any, collate: Callable[[Any], Any]) -> None:
        self.dataset = dataset
        self.collate = collate
        self.at: Any = None

    def __call__(self, index: Any) -> Any:
        self.at = index
        return self.collate(self.dataset[index])


class _Stream:
    """Of an iterable dataset: each fetcher goes through it once."""

    def __init__(
        self, dataset: Any, collate: Callable[[Any], Any], size: int | None, drop_last: bool
    ) -> None:
        self.samples = iter(dataset)
        self.collate = collate
        self.size = size
        self.drop_last = drop_last
        self.at: Any = None

    def __call__(self, item: None) -> Any:
        if self.size is None:
            for sample in self.samples:
                return self.collate(sample)
            return Exhausted()
        batch = list(itertools.islice(self.samples, self.size))
        if not batch or (self.drop_last and len(batch) < self.size):
            return Exhausted()
        return self.collate(batch)
