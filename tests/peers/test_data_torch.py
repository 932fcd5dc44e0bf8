"""Loaders and datasets against torch's, and sets and readers against scikit-learn's."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import data


def plain(value):
    """Batches of either library as lists, with the dtype of what was a tensor."""
    if hasattr(value, "dtype"):
        return str(value.dtype).split(".")[-1], value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(each) for each in value]
    return value


SAMPLES = [
    [1, 2, 3, 4, 5],
    [1.5, 2.5, 3.5],
    [True, False, True],
    ["a", "bc", "d"],
    [(1, 2.0, "x"), (3, 4.0, "y"), (5, 6.0, "z")],
    [{"a": np.ones(2, np.float32), "b": [1, 2]}] * 5,
    [np.arange(3)] * 4,
    [np.float64(2)] * 3,
]


@pytest.mark.parametrize("samples", SAMPLES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 2},
        {"batch_size": 2, "drop_last": True},
        {"batch_size": None},
        {"batch_sampler": [[2, 0], [1]]},
        {"sampler": [2, 1], "batch_size": 2},
    ],
    ids=str,
)
def test_batches_agree(samples, options):
    theirs = pytest.importorskip("torch").utils.data
    a, b = data.DataLoader(samples, **options), theirs.DataLoader(samples, **options)
    assert [plain(batch) for batch in a] == [plain(batch) for batch in b]
    assert len(a) == len(b)
    workers = data.DataLoader(samples, num_workers=2, **options)
    assert [plain(batch) for batch in workers] == [plain(batch) for batch in b]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_iterable_datasets_agree(workers, drop_last):
    theirs = pytest.importorskip("torch").utils.data

    def make(library):
        class Numbers(library.IterableDataset):
            def __iter__(self):
                info = library.get_worker_info()
                step, first = (1, 0) if info is None else (info.num_workers, info.id)
                return iter(range(first, 11, step))

        return library.DataLoader(Numbers(), batch_size=3, num_workers=workers, drop_last=drop_last)

    assert [each.tolist() for each in make(data)] == [each.tolist() for each in make(theirs)]


def test_datasets_agree():
    torch = pytest.importorskip("torch")
    theirs = torch.utils.data
    for make in (
        lambda m: m.StackDataset([1, 2, 3], "abc"),
        lambda m: m.StackDataset(x=[1, 2, 3], y="abc"),
        lambda m: m.ConcatDataset([[1, 2], [3]]),
        lambda m: m.Subset([1, 2, 3, 4], [3, 0, 2]),
    ):
        a, b = make(data), make(theirs)
        assert len(a) == len(b) == 3
        assert [a[k] for k in range(3)] == [b[k] for k in range(3)]
        batches = [list(m.DataLoader(d, batch_size=2)) for m, d in ((data, a), (theirs, b))]
        assert [plain(each) for each in batches[0]] == [plain(each) for each in batches[1]]
    assert list(data.ChainDataset([[1], [2, 3]])) == [1, 2, 3]


def test_formulas_agree_with_scikit_learn():
    peer = pytest.importorskip("sklearn.datasets")
    for ours, theirs in (
        (cr.datasets.moons(50, noise=0.0), peer.make_moons(50)),
        (cr.datasets.circles(50, noise=0.0, factor=0.3), peer.make_circles(50, factor=0.3)),
    ):
        tables = [
            np.round(np.column_stack([np.asarray(y), np.asarray(x)]), 5) + 0.0 for x, y in
            ((ours[0].numpy(), ours[1].numpy()), theirs)
        ]  # fmt: skip
        a, b = (table[np.lexsort(table.T)] for table in tables)
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_svmlight_agrees_with_scikit_learn(tmp_path):
    peer = pytest.importorskip("sklearn.datasets")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 6)) * (rng.random((20, 6)) < 0.4)
    y = rng.integers(-1, 2, 20)
    for zero_based in (True, False):
        path = str(tmp_path / "data.svm")
        peer.dump_svmlight_file(x, y, path, zero_based=zero_based, comment="made by a peer")
        for given in (zero_based, None):
            values, targets = cr.io.read_svmlight(path, features=6, zero_based=given)
            np.testing.assert_allclose(values, x, rtol=1e-6)
            np.testing.assert_array_equal(targets, y)
