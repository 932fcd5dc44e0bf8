"""Datasets, samplers, collating and the DataLoader."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

Point = namedtuple("Point", "x y")


class Rows(Dataset):
    """Ten samples, with a count of how they were asked for."""

    def __init__(self, n=10):
        self.n = n
        self.single = 0

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.single += 1
        return np.float32(index), index * index


# -------------------------------------------------------------------- datasets


def test_tensor_dataset():
    x, y = cr.arange(12).reshape(4, 3), cr.arange(4)
    data = TensorDataset(x, y)
    assert len(data) == 4
    row, label = data[2]
    assert (row.tolist(), label.item()) == ([6, 7, 8], 2)
    rows, labels = data.get_batch(cr.tensor([3, 0]))
    assert (rows.tolist(), labels.tolist()) == ([[9, 10, 11], [0, 1, 2]], [3, 0])
    rows.zero_()
    assert x.sum().item() == 66  # a batch is a copy
    for bad in ((), (cr.tensor(1),), (x, cr.arange(3))):
        with pytest.raises(ValueError, match="same number of samples"):
            TensorDataset(*bad)
    with pytest.raises(IndexError):
        data[4]


def test_concat_dataset():
    both = Rows(2) + Rows(3)
    assert isinstance(both, ConcatDataset)
    assert len(both) == 5
    assert [both[i][1] for i in range(-5, 5)] == [0, 1, 0, 1, 4] * 2
    for index in (5, -6):
        with pytest.raises(IndexError, match="out of range for 5"):
            both[index]
    with pytest.raises(ValueError, match="at least one dataset"):
        ConcatDataset([])


def test_random_split():
    parts = random_split(range(10), [3, 7])
    assert sorted(list(parts[0]) + list(parts[1])) == list(range(10))
    assert [len(part) for part in random_split(range(10), [0.55, 0.45])] == [6, 4]
    assert [len(part) for part in random_split(range(10), [1 / 3, 1 / 3, 1 / 3])] == [4, 3, 3]
    with pytest.raises(ValueError, match="sum to 9"):
        random_split(range(10), [3, 6])
    with pytest.raises(ValueError, match="between 0 and 1"):
        random_split(range(10), [1.5, -0.5])

    def split(seed):
        generator = cr.Generator().manual_seed(seed)
        return random_split(range(100), [50, 50], generator=generator)[0].indices

    assert split(1) == split(1) != split(2)


def test_base_classes_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="Dataset: __getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="Sampler: __iter__"):
        iter(Sampler())


# -------------------------------------------------------------------- samplers


def test_samplers():
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    shuffled = RandomSampler(range(100))
    first, second = list(shuffled), list(shuffled)
    assert first != second != list(range(100))
    assert sorted(first) == sorted(second) == list(range(100))
    assert all(isinstance(index, int) for index in first)
    more = list(RandomSampler("abc", num_samples=7))
    assert sorted(more[:3]) == sorted(more[3:6]) == [0, 1, 2]
    assert len(more) == len(RandomSampler("abc", num_samples=7)) == 7
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=1000))
    assert set(drawn) == set(range(5))
    assert max(drawn.count(k) for k in range(5)) < 300
    assert sorted(SubsetRandomSampler([3, 5, 8])) == [3, 5, 8]
    assert len(SubsetRandomSampler([3, 5, 8])) == 3
    assert list(RandomSampler([])) == []
    with pytest.raises(ValueError, match="empty dataset"):
        list(RandomSampler([], num_samples=3))
    with pytest.raises(ValueError, match="num_samples is positive"):
        RandomSampler("abc", num_samples=0)


def test_a_generator_decides_the_order():
    def order(seed):
        return list(RandomSampler(range(50), generator=cr.Generator().manual_seed(seed)))

    assert order(1) == order(1) != order(2)


def test_weighted_random_sampler():
    weights = [1.0, 0.0, 3.0]
    drawn = list(WeightedRandomSampler(weights, 4000))
    assert drawn.count(1) == 0
    # Four standard deviations of a binomial count.
    assert abs(drawn.count(2) - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5
    assert sorted(WeightedRandomSampler(weights, 2, replacement=False)) == [0, 2]
    firsts = [next(iter(WeightedRandomSampler(weights, 2, False))) for _ in range(2000)]
    assert abs(firsts.count(2) - 1500) < 4 * (2000 * 0.75 * 0.25) ** 0.5
    many = list(WeightedRandomSampler(np.ones(100_000), 100_000))  # memory grows with the sum
    assert len(many) == 100_000
    assert 0 <= min(many) < max(many) < 100_000
    with pytest.raises(ValueError, match="without replacement from 2"):
        WeightedRandomSampler(weights, 3, replacement=False)
    for bad in ([[1.0]], [-1.0, 2.0], [0.0]):
        with pytest.raises(ValueError, match="weights"):
            WeightedRandomSampler(bad, 1)
    with pytest.raises(ValueError, match="num_samples"):
        WeightedRandomSampler(weights, 0)


def test_batch_sampler():
    for sampler in (SequentialSampler(range(5)), [0, 1, 2, 3, 4], iter(range(5))):
        assert list(BatchSampler(sampler, 2, False)) == [[0, 1], [2, 3], [4]]
    batches = BatchSampler(SequentialSampler(range(5)), 2, True)
    assert list(batches) == [batch.tolist() for batch in batches.batches()] == [[0, 1], [2, 3]]
    assert len(batches) == 2
    assert len(BatchSampler(range(5), 2, False)) == 3
    for size in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="positive int"):
            BatchSampler(range(5), size, False)
    with pytest.raises(ValueError, match="drop_last"):
        BatchSampler(range(5), 2, 1)


# -------------------------------------------------------------------- collating


def test_default_collate():
    assert default_collate([cr.ones(2), cr.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert default_collate([np.ones(2, np.float32)] * 3).shape == (3, 2)
    assert default_collate([np.float32(1), np.float32(2)]).dtype == cr.float32
    floats = default_collate([1.0, 2.0])
    assert (floats.dtype, floats.tolist()) == (cr.float64, [1, 2])
    assert default_collate([1, 2]).dtype == cr.int64
    assert default_collate([True, False]).dtype == cr.bool
    assert default_collate(["a", "b"]) == ["a", "b"]
    nested = default_collate([{"a": (1, "x"), "b": Point(1.0, [2])}] * 2)
    assert nested["a"][0].tolist() == [1, 1]
    assert nested["a"][1] == ("x", "x")
    assert isinstance(nested["b"], Point)
    assert nested["b"].y[0].tolist() == [2, 2]
    ordered = default_collate([OrderedDict(a=1)])
    assert isinstance(ordered, OrderedDict)
    with pytest.raises(TypeError, match="a sample is a object"):
        default_collate([object()])
    with pytest.raises(TypeError, match="have no tensor"):
        default_collate([np.array(["text"])])
    with pytest.raises(ValueError, match="different numbers of fields"):
        default_collate([(1, 2), (1,)])
    with pytest.raises(ValueError, match="batch is empty"):
        default_collate([])


def test_default_convert():
    converted = default_convert({"a": [np.ones(2), "x"], "b": Point(np.float64(1), 2)})
    assert converted["a"][0].dtype == cr.float64
    assert converted["a"][1] == "x"
    assert converted["b"].x.item() == 1
    assert converted["b"].y == 2


# -------------------------------------------------------------------- the loader


@pytest.mark.smoke
def test_loader_reads_whole_batches():
    x, y = cr.arange(20).reshape(10, 2), cr.arange(10)
    loader = DataLoader(TensorDataset(x, y), batch_size=4)
    assert len(loader) == 3
    batches = list(loader)
    assert [type(batch) for batch in batches] == [list] * 3
    assert [labels.tolist() for _, labels in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[1][0].tolist() == x[4:8].tolist()
    assert len(DataLoader(TensorDataset(x, y), batch_size=4, drop_last=True)) == 2

    shuffled = DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True)
    epochs = [cr.cat([labels for _, labels in shuffled]).tolist() for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    for rows, labels in shuffled:
        assert rows[:, 0].tolist() == (labels * 2).tolist()

    part = Subset(TensorDataset(x, y), [9, 1, 5])
    assert [labels.tolist() for _, labels in DataLoader(part, batch_size=2)] == [[9, 1], [5]]
    nested = Subset(part, [2, 0])
    assert [labels.tolist() for _, labels in DataLoader(nested, batch_size=2)] == [[5, 9]]


def test_loader_of_any_dataset():
    data = Rows()
    values, squares = next(iter(DataLoader(data, batch_size=4)))
    assert (values.dtype, values.tolist()) == (cr.float32, [0, 1, 2, 3])
    assert squares.tolist() == [0, 1, 4, 9]
    assert data.single == 4
    assert [batch[1].tolist() for batch in DataLoader(Subset(data, [2, 3, 4]), batch_size=2)] == [
        [4, 9],
        [16],
    ]
    assert [b.tolist() for b in DataLoader([1, 2, 3], batch_size=2)] == [[1, 2], [3]]
    assert len(list(DataLoader(data))) == 10

    class Fetches(Rows):
        def __getitems__(self, indices):
            self.asked = indices
            return [(index, -index) for index in indices]

    fetches = Fetches()
    assert next(iter(DataLoader(fetches, batch_size=3)))[1].tolist() == [0, -1, -2]
    assert fetches.asked == [0, 1, 2]
    assert fetches.single == 0
    list(DataLoader(Subset(fetches, [7, 8]), batch_size=2))
    assert fetches.asked == [7, 8]


def test_loader_with_samplers_and_collate():
    data = TensorDataset(cr.arange(6))
    backwards = DataLoader(data, batch_size=4, sampler=range(5, -1, -1))
    assert [batch[0].tolist() for batch in backwards] == [[5, 4, 3, 2], [1, 0]]
    chosen = DataLoader(data, batch_sampler=[[0, 5], [3]])
    assert [batch[0].tolist() for batch in chosen] == [[0, 5], [3]]
    assert len(chosen) == 2
    own = DataLoader(data, batch_size=4, collate_fn=lambda samples: len(samples))
    assert list(own) == [4, 2]
    singles = DataLoader({0: np.ones(1), 1: np.zeros(1)}, batch_size=None)
    assert [sample.item() for sample in singles] == [1, 0]
    assert len(singles) == 2
    fixed = [
        [b[0].tolist() for b in DataLoader(
            data, 2, True, generator=cr.Generator().manual_seed(3)
        )]
        for _ in range(2)
    ]  # fmt: skip
    assert fixed[0] == fixed[1]


def test_loader_refuses_contradictions():
    data = TensorDataset(cr.arange(6))
    for options, message in (
        ({"shuffle": True, "sampler": range(6)}, "shuffle and sampler"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler excludes"),
        ({"batch_sampler": [[0]], "shuffle": True}, "batch_sampler excludes"),
        ({"batch_size": None, "drop_last": True}, "drop_last needs a batch_size"),
        ({"batch_size": 0}, "positive int"),
    ):
        with pytest.raises(ValueError, match=message):
            DataLoader(data, **options)


def test_torchs_module_path():
    import chainrule.utils.data

    assert chainrule.utils.data.DataLoader is DataLoader
