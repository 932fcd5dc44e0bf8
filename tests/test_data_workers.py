"""Worker threads of the DataLoader, and datasets that are read in order."""

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    ChainDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    get_worker_info,
)


def workers_alive():
    return [t.name for t in threading.enumerate() if t.name.startswith("chainrule-loader")]


@pytest.fixture(autouse=True)
def _no_threads_are_left():
    yield
    gc.collect()
    end = time.monotonic() + 5
    while workers_alive() and time.monotonic() < end:
        time.sleep(0.01)
    assert workers_alive() == []


class Squares(Dataset):
    def __init__(self, n=20, delay=None):
        self.n = n
        self.delay = delay or (lambda index: 0)

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        time.sleep(self.delay(index))
        return np.float32(index), index * index


class Range(IterableDataset):
    """Split between the workers, as torch's documentation does it."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        step, first = (1, 0) if info is None else (info.num_workers, info.id)
        return iter(range(first, self.n, step))

    def __len__(self):
        return self.n


# -------------------------------------------------------------------- the same batches


@pytest.mark.smoke
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_give_the_same_batches(workers):
    x, y = cr.arange(46).reshape(23, 2), cr.arange(23)
    for dataset in (TensorDataset(x, y), Squares(23), Subset(Squares(30), range(3, 26))):
        for options in ({}, {"shuffle": True}, {"drop_last": True}, {"batch_size": None}):
            batches = []
            for number in (0, workers):
                generator = cr.Generator().manual_seed(5)
                settings = {"batch_size": 4, "generator": generator} | options
                loader = DataLoader(dataset, num_workers=number, **settings)
                batches.append([[part.tolist() if hasattr(part, "tolist") else part
                                 for part in batch] for batch in loader])  # fmt: skip
                assert len(loader) == len(batches[-1])
            assert batches[0] == batches[1]


def test_slow_batches_keep_their_order():
    data = Squares(12, lambda index: 0.02 if index % 3 == 0 else 0)
    loader = DataLoader(data, batch_size=1, num_workers=3)
    assert [batch[1].item() for batch in loader] == [k * k for k in range(12)]
    first = threading.Event()
    data = Squares(6, lambda index: first.wait(5) and 0 if index == 0 else 0)
    loader = DataLoader(data, batch_size=1, num_workers=2, in_order=False)
    seen = []
    for batch in loader:
        seen.append(batch[1].item())
        first.set()
    assert seen[0] != 0
    assert sorted(seen) == [k * k for k in range(6)]


def test_prefetching_is_bounded():
    asked = []

    class Watched(Squares):
        def __getitem__(self, index):
            asked.append(index)
            return index

    iterator = iter(DataLoader(Watched(100), batch_size=2, num_workers=2, prefetch_factor=3))
    next(iterator)
    time.sleep(0.1)
    assert len(asked) <= 2 * (2 * 3 + 1)
    assert sorted(asked) == list(range(len(asked)))
    del iterator


def test_workers_run_at_the_same_time():
    meet = threading.Barrier(2, timeout=5)
    loader = DataLoader(Squares(2, lambda index: meet.wait() * 0), num_workers=2)
    assert len(list(loader)) == 2


# -------------------------------------------------------------------- what a worker knows


def test_worker_info_and_seeds():
    class Info(Squares):
        def __getitem__(self, index):
            info = get_worker_info()
            assert info.dataset is self
            assert info.generator.initial_seed() == info.seed
            return info.id, info.num_workers, info.seed, float(info.rng.random())

    def epochs(seed, count=2):
        generator = cr.Generator().manual_seed(seed)
        loader = DataLoader(Info(6), batch_size=None, num_workers=2, generator=generator)
        return [list(loader) for _ in range(count)]

    assert get_worker_info() is None
    first, second = epochs(1)
    assert [row[:2] for row in first] == [[0, 2], [1, 2]] * 3
    seeds = {row[2] for row in first + second}
    assert len(seeds) == 4  # by worker and by epoch
    draws = [row[3] for row in first + second]
    assert len(set(draws)) == len(draws)
    assert [first, second] == epochs(1)
    assert first != epochs(2, 1)[0]


def test_worker_init_and_persistent_workers():
    started = []
    options = {"num_workers": 2, "worker_init_fn": started.append}
    for persistent, expected in ((False, [0, 0, 1, 1]), (True, [0, 1])):
        started.clear()
        loader = DataLoader(Squares(4), persistent_workers=persistent, **options)
        for _ in range(2):
            assert len(list(loader)) == 4
            assert len(workers_alive()) == (2 if persistent else 0)
        assert sorted(started) == expected
    for _ in loader:  # left early: the next epoch begins anew
        break
    assert [batch[1].item() for batch in loader] == [0, 1, 4, 9]
    outer = iter(loader)
    next(outer)
    assert [batch[1].item() for batch in loader] == [0, 1, 4, 9]  # while another loop is open
    assert next(outer)[1].item() == 1
    for copied in (copy.copy(loader), pickle.loads(pickle.dumps(DataLoader(range(3))))):
        assert len(list(copied)) in (3, 4)


# -------------------------------------------------------------------- trouble


class Broken(Squares):
    def __getitem__(self, index):
        if index == 5:
            raise KeyError("no such picture")
        return index


class OddError(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def test_an_exception_names_worker_and_index():
    loader = DataLoader(Broken(8), batch_size=2, num_workers=2)
    seen = []
    with pytest.raises(KeyError, match=r"no such picture.*DataLoader worker 0, index 5") as error:
        seen.extend(batch.tolist() for batch in loader)
    assert seen == [[0, 1], [2, 3]]
    assert "__getitem__" in str(error.value.__cause__.__traceback__.tb_next.tb_next.tb_frame)
    with pytest.raises(IndexError, match=r"worker 1, index \[1, 9\]"):
        list(DataLoader(TensorDataset(cr.arange(4)), batch_sampler=[[0], [1, 9]], num_workers=2))

    def fail(error):
        def raise_it(samples):
            raise error

        return raise_it

    for error, kind, message in (
        (OddError(1, 2), RuntimeError, "OddError: 1 and 2"),
        (StopIteration("over"), RuntimeError, "StopIteration: over"),
        (ValueError("shape"), ValueError, "shape .in DataLoader worker 0"),
    ):
        with pytest.raises(kind, match=message):
            list(DataLoader(range(3), num_workers=1, collate_fn=fail(error)))


def test_exceptions_at_the_start():
    def init(worker):
        raise OSError("no disk")

    with pytest.raises(OSError, match=r"no disk .in DataLoader worker 0, worker_init_fn"):
        list(DataLoader(range(3), num_workers=2, worker_init_fn=init))

    class Unready(IterableDataset):
        def __iter__(self):
            raise RuntimeError("not open")

    with pytest.raises(RuntimeError, match=r"not open .in DataLoader worker"):
        list(DataLoader(Unready(), num_workers=2))


def test_timeout():
    release = threading.Event()
    data = Squares(2, lambda index: release.wait(20) * 0 if index else 0)
    loader = DataLoader(data, num_workers=1, timeout=0.2)
    iterator = iter(loader)
    next(iterator)
    timer = threading.Timer(0.4, release.set)
    timer.start()
    with pytest.raises(RuntimeError, match=r"no batch within timeout=0.2 seconds from 1 workers"):
        next(iterator)
    timer.join()


@pytest.mark.parametrize("persistent", [False, True])
def test_leaving_early_ends_the_workers(persistent):
    loader = DataLoader(Squares(50), num_workers=3, persistent_workers=persistent)
    for _ in loader:
        break
    assert bool(workers_alive()) == persistent

    def interrupted():
        for _ in loader:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    gc.collect()
    assert bool(workers_alive()) == persistent


def test_refuses_contradictions():
    for options, message in (
        ({"num_workers": -1}, "num_workers is an int of at least 0"),
        ({"num_workers": 1.0}, "num_workers is an int"),
        ({"timeout": -1}, "timeout is at least 0"),
        ({"prefetch_factor": 2}, "prefetch_factor needs num_workers"),
        ({"persistent_workers": True}, "persistent_workers needs num_workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor is at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            DataLoader(range(3), **options)
    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(ValueError, match="an order of its own"):
            DataLoader(Range(3), **options)
    with pytest.warns(UserWarning, match="workers are threads"):
        DataLoader(range(3), multiprocessing_context="spawn")
    loader = DataLoader(range(3), pin_memory=True, pin_memory_device="cpu", num_workers=1)
    assert [batch.item() for batch in loader] == [0, 1, 2]


# -------------------------------------------------------------------- datasets


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_iterable_datasets(workers):
    loader = DataLoader(Range(10), batch_size=3, num_workers=workers)
    assert sorted(value for batch in loader for value in batch.tolist()) == list(range(10))
    assert len(loader) == 4
    dropped = DataLoader(Range(10), batch_size=3, num_workers=workers, drop_last=True)
    assert all(len(batch) == 3 for batch in dropped)
    assert len(dropped) == 3
    singles = DataLoader(Range(4), batch_size=None, num_workers=workers)
    assert sorted(singles) == [0, 1, 2, 3]
    assert len(singles) == 4
    assert list(DataLoader(Range(0), num_workers=workers)) == []
    chained = Range(2) + Range(3)
    assert isinstance(chained, ChainDataset)
    assert len(chained) == 5
    values = [value.item() for value in DataLoader(chained, num_workers=workers)]
    assert sorted(values) == [0, 0, 1, 1, 2]
    with pytest.raises(NotImplementedError, match="IterableDataset: __iter__"):
        iter(IterableDataset())


def test_iterable_without_length():
    class Lines(IterableDataset):
        def __iter__(self):
            yield from "ab"

    with pytest.raises(TypeError):
        len(DataLoader(Lines()))
    assert list(DataLoader(Lines(), batch_size=2)) == [["a", "b"]]


def test_stack_dataset():
    both = StackDataset(Squares(4), TensorDataset(cr.arange(4)))
    assert len(both) == 4
    (value, square), (number,) = both[2]
    assert (value, square, number.item()) == (2, 4, 2)
    batch = next(iter(DataLoader(both, batch_size=2)))
    assert batch[0][1].tolist() == [0, 1]
    assert batch[1][0].tolist() == [0, 1]
    named = StackDataset(a=[1, 2, 3], b=Subset("xyz", [2, 1, 0]))
    assert next(iter(DataLoader(named, batch_size=3)))["b"] == ["z", "y", "x"]
    for args, options in (((), {}), (("a",), {"b": "b"})):
        with pytest.raises(ValueError, match="by position or by name"):
            StackDataset(*args, **options)
    with pytest.raises(ValueError, match=r"differ in length .got \[1, 2\]"):
        StackDataset("a", "bc")

    class Short(Squares):
        def __getitems__(self, indices):
            return indices[1:]

    with pytest.raises(ValueError, match=r"Short.__getitems__ returned 1 samples for 2 indices"):
        next(iter(DataLoader(StackDataset(Short(4)), batch_size=2)))


def test_empty_datasets_and_batches():
    empty = TensorDataset(cr.zeros(0, 3), cr.zeros(0))
    for workers in (0, 2):
        for data in (empty, []):
            for shuffle in (False, True):
                loader = DataLoader(data, batch_size=2, shuffle=shuffle, num_workers=workers)
                assert (len(loader), list(loader)) == (0, [])
        batch = next(iter(DataLoader(empty, batch_sampler=[[]], num_workers=workers)))
        assert [tuple(part.shape) for part in batch] == [(0, 3), (0,)]
        with pytest.raises(ValueError, match="the batch is empty"):
            next(iter(DataLoader([1, 2], batch_sampler=[[]], num_workers=workers)))


INTERRUPTED = """
import time
from chainrule.data import DataLoader, Dataset

class Slow(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        time.sleep(0.02)
        return index

for batch in DataLoader(Slow(), batch_size=2, num_workers=3):
    print(batch.tolist(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_process():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "[0, 1]\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert "DataLoader worker" not in errors
