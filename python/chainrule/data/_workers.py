"""Worker threads of a DataLoader: they make batches ahead of the loop that reads them.

Batch k goes to worker k modulo their number, whatever their speeds, so that a worker's own random
numbers are the same in every run. A worker holds queues only, never the loader or its iterator:
when the loop is left, the iterator dies and stops its workers.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

import chainrule as cr

__all__ = ["WorkerInfo", "get_worker_info"]

_local = threading.local()


class WorkerInfo(NamedTuple):
    """What :func:`get_worker_info` tells a worker of itself.

    Attributes:
        id: the worker's number, from 0.
        num_workers: how many workers there are.
        seed: differs between workers and between epochs; repeats with the loader's generator.
        dataset: the dataset, which all workers share.
        generator: a generator of the worker's own, started at ``seed``.
        rng: a NumPy generator of the worker's own, started at ``seed``.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    generator: cr.Generator
    rng: np.random.Generator


def get_worker_info() -> WorkerInfo | None:
    """Return what a DataLoader's worker knows of itself; None outside of workers.

    An :class:`IterableDataset` uses it to give each worker another part; random transformations
    draw from its ``generator`` or ``rng``.

    Example:
        >>> print(cr.data.get_worker_info())
        None
    """
    info: WorkerInfo | None = getattr(_local, "info", None)
    return info


class Fetcher(Protocol):
    """Makes a batch of what the sampler gave; ``at`` says what it is working on."""

    at: Any

    def __call__(self, item: Any) -> Any: ...


class Exhausted:
    """The result of a worker whose iterable dataset has ended."""


class Failure(NamedTuple):
    """An exception in a worker, and where it happened."""

    error: BaseException
    where: str

    def reraise(self) -> None:
        """Raise it in the caller's thread: the same type, with the place in its message."""
        message = f"{self.error} (in DataLoader {self.where})"
        try:
            error = type(self.error)(message)
        except Exception:  # a type with a constructor of its own
            error = RuntimeError(f"{type(self.error).__name__}: {message}")
        if isinstance(error, (StopIteration, StopAsyncIteration)):  # would end the loop silently
            error = RuntimeError(f"{type(self.error).__name__}: {message}")
        raise error from self.error


class Epoch(NamedTuple):
    """Tells a worker that a new pass over the data begins."""

    number: int
    seed: int
    fetcher: Callable[[], Fetcher]


class Task(NamedTuple):
    """A batch to make."""

    epoch: int
    number: int
    item: Any


def _short(value: Any) -> str:
    text = str(value.tolist() if isinstance(value, cr.Tensor) else value)
    return text if len(text) < 80 else f"{text[:76]} ..."


def _work(
    identity: int,
    count: int,
    dataset: Any,
    init: Callable[[int], Any] | None,
    tasks: queue.SimpleQueue[Any],
    results: queue.SimpleQueue[Any],
) -> None:
    """The life of a worker: until it takes None."""
    fetch: Fetcher | None = None
    broken: Failure | None = None
    for task in iter(tasks.get, None):
        where = f"worker {identity}"
        try:
            if isinstance(task, Epoch):
                seed = (task.seed + identity) % 2**64
                _local.info = WorkerInfo(
                    identity,
                    count,
                    seed,
                    dataset,
                    cr.Generator().manual_seed(seed),
                    np.random.default_rng(seed),
                )
                if init is not None:
                    where += ", worker_init_fn"
                    init(identity)
                    init = None
                fetch, broken = task.fetcher(), None
                continue
            if broken is not None:
                raise broken.error
            assert fetch is not None
            fetch.at = None
            result = fetch(task.item)
        except BaseException as error:
            if fetch is not None and fetch.at is not None:
                where += f", index {_short(fetch.at)}"
            result = Failure(error, where) if broken is None else broken
            if isinstance(task, Epoch):
                broken = result
                continue
        results.put((task.epoch, task.number, result))
        del result, task  # do not keep a batch alive while waiting


class Workers:
    """A team of worker threads, for one epoch or for many."""

    def __init__(self, count: int, dataset: Any, init: Callable[[int], Any] | None) -> None:
        self.busy = False  # in a loop that has not ended
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._tasks: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(count)]
        self._epoch = 0
        self._threads = [
            threading.Thread(
                target=_work,
                args=(k, count, dataset, init, self._tasks[k], self._results),
                name=f"chainrule-loader-{k}",
                daemon=True,  # a worker stuck in the dataset does not keep the process alive
            )
            for k in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def batches(
        self,
        items: Iterator[Any],
        fetcher: Callable[[], Fetcher],
        seed: int,
        prefetch: int,
        timeout: float,
        in_order: bool,
    ) -> Iterator[Any]:
        """Yield a batch per item, made up to ``prefetch`` per worker ahead."""
        self.busy = True
        try:
            yield from self._batches(items, fetcher, seed, prefetch, timeout, in_order)
        finally:
            self._drop_tasks()
            self.busy = False

    def _batches(
        self,
        items: Iterator[Any],
        fetcher: Callable[[], Fetcher],
        seed: int,
        prefetch: int,
        timeout: float,
        in_order: bool,
    ) -> Iterator[Any]:
        self._epoch += 1
        epoch, count = self._epoch, len(self._threads)
        for tasks in self._tasks:
            tasks.put(Epoch(epoch, seed, fetcher))
        waiting: dict[int, int] = {}  # number of a batch under way: its worker
        ready: dict[int, Any] = {}  # made, but not its turn yet
        alive = set(range(count))
        turns = itertools.cycle(range(count))
        numbers = itertools.count()
        next_number = 0
        left = True  # in items

        def hand_out() -> None:
            nonlocal left
            while left and alive and len(waiting) + len(ready) < prefetch * count:
                try:
                    item = next(items)
                except StopIteration:
                    left = False
                    return
                worker = next(k for k in turns if k in alive)
                number = next(numbers)
                waiting[number] = worker
                self._tasks[worker].put(Task(epoch, number, item))

        hand_out()
        while waiting or ready:
            if in_order and next_number in ready:
                number, result = next_number, ready.pop(next_number)
            else:
                number, result = self._receive(epoch, timeout)
                worker = waiting.pop(number)
                if isinstance(result, Exhausted):
                    alive.discard(worker)
                if in_order and number != next_number:
                    ready[number] = result
                    continue
            next_number += 1
            hand_out()
            if isinstance(result, Failure):
                result.reraise()
            if not isinstance(result, Exhausted):
                yield result

    def _receive(self, epoch: int, timeout: float) -> tuple[int, Any]:
        end = time.monotonic() + timeout
        while True:
            try:
                of_epoch, number, result = self._results.get(
                    timeout=max(0.0, end - time.monotonic()) if timeout > 0 else None
                )
            except queue.Empty:
                raise RuntimeError(
                    f"DataLoader: no batch within timeout={timeout:g} seconds from "
                    f"{len(self._threads)} workers"
                ) from None
            if of_epoch == epoch:  # not of one that was left early
                return number, result

    def _drop_tasks(self) -> None:
        """Take back what no worker has begun."""
        for tasks in self._tasks:
            while True:
                try:
                    tasks.get_nowait()
                except queue.Empty:
                    break

    def stop(self, patience: float = 5.0) -> None:
        """End the workers; one that is stuck in the dataset is left behind after a while."""
        self._drop_tasks()
        for tasks in self._tasks:
            tasks.put(None)
        end = time.monotonic() + patience
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
