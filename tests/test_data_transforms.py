"""Transformations of pictures, windows of time series, and words as numbers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import (
    DataLoader,
    TensorDataset,
    Vocabulary,
    WindowDataset,
    transforms,
)


def generator(seed=0):
    return cr.Generator().manual_seed(seed)


def pictures(count=200, channels=2, height=4, width=5):
    """Every element of the batch is another number, none of them 0."""
    size = (count, channels, height, width)
    return (cr.arange(int(np.prod(size))) + 1).reshape(size).to(cr.float32)


RANDOM = [
    lambda g: transforms.RandomHorizontalFlip(0.5, g),
    lambda g: transforms.RandomVerticalFlip(0.5, g),
    lambda g: transforms.RandomCrop((3, 4), 1, g),
    lambda g: transforms.RandomShift(2, g),
    lambda g: transforms.GaussianNoise(0.3, g),
]


@pytest.mark.parametrize("make", RANDOM)
def test_random_transformations_repeat_with_their_generator(make):
    x = pictures()
    first, second = (make(generator(1))(x) for _ in range(2))
    assert cr.equal(first, second)
    assert not cr.equal(first, make(generator(2))(x))
    one = make(generator(1))(x[0])
    assert one.shape == first[0].shape
    cr.manual_seed(3)
    mine = make(None)(x)
    cr.manual_seed(3)
    assert cr.equal(mine, make(None)(x))


@pytest.mark.parametrize(
    ("make", "axis"), [(transforms.RandomHorizontalFlip, 3), (transforms.RandomVerticalFlip, 2)]
)
def test_flips(make, axis):
    x = pictures()
    out = make(0.3, generator())(x).numpy()
    flipped = np.flip(x.numpy(), axis)
    turned = (out == flipped).all((1, 2, 3))
    np.testing.assert_array_equal(out[~turned], x.numpy()[~turned])
    assert abs(turned.sum() - 60) < 4 * np.sqrt(200 * 0.3 * 0.7)
    assert cr.equal(make(0.0)(x), x)
    np.testing.assert_array_equal(make(1.0)(x[0]).numpy(), flipped[0])


def test_crops_and_shifts():
    x = pictures()
    out = transforms.RandomCrop((3, 4), generator=generator())(x).numpy()
    places = set()
    for whole, part in zip(x.numpy(), out, strict=True):
        top, left = np.argwhere(whole[0] == part[0, 0, 0])[0]
        np.testing.assert_array_equal(part, whole[:, top : top + 3, left : left + 4])
        places.add((top, left))
    assert places == {(a, b) for a in range(2) for b in range(2)}
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    shifted = transforms.RandomShift(2, generator())(x).numpy()
    seen = set()
    for whole, part in zip(padded, shifted, strict=True):
        found = [
            (a, b)
            for a in range(5)
            for b in range(5)
            if (whole[:, a : a + 4, b : b + 5] == part).all()
        ]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) == 25
    assert cr.equal(transforms.RandomShift(0)(x), x)
    assert transforms.RandomCrop(2)(x).shape == (200, 2, 2, 2)


def test_noise_and_normalize():
    x = transforms.GaussianNoise(0.5, generator())(cr.zeros(100, 1, 20, 20))
    assert x.mean().abs().item() < 0.02
    assert x.std().item() == pytest.approx(0.5, abs=0.02)
    x = pictures(3)
    out = transforms.Normalize([1.0, 2.0], [2.0, 4.0])(x)
    expected = (x.numpy() - np.array([1, 2])[:, None, None]) / np.array([2, 4])[:, None, None]
    np.testing.assert_allclose(out.numpy(), expected)
    assert transforms.Normalize(0.0, 2.0)(x[0]).shape == x[0].shape
    both = transforms.Compose([transforms.Normalize(0.0, 2.0), lambda x: x + 1])
    np.testing.assert_allclose(both(x).numpy(), x.numpy() / 2 + 1)


@pytest.mark.parametrize("make", [transforms.MixUp, transforms.CutMix])
def test_mixing(make):
    x, y = pictures(6, 1, 8, 8), cr.tensor([0, 1, 2, 0, 1, 2])
    mix = make(3, 1.0, generator(4))
    for _ in range(20):
        mixed, labels = mix(x, y)
        np.testing.assert_allclose(labels.sum(1).numpy(), 1, rtol=1e-6)
        for k in range(6):
            share = labels[k, y[k]].item()
            # Of a picture of its own number, all 64 of them next to each other, and of another.
            if make is transforms.MixUp:
                step = (mixed[k, 0].flatten()[1:] - mixed[k, 0].flatten()[:-1]).numpy()
                np.testing.assert_allclose(step, 1, atol=1e-3)
            else:
                kept = (mixed[k] == x[k]).float().mean().item()
                assert kept == pytest.approx(share, abs=1e-6) or share == 1
    soft = mix(x, cr.full((6, 3), 1 / 3))[1]
    np.testing.assert_allclose(soft.numpy(), 1 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="6 pictures and 2 labels"):
        mix(x, y[:2])
    with pytest.raises(ValueError, match="classes and alpha are positive"):
        make(0)


def test_transformed_dataset():
    x = pictures(10)
    data = transforms.TransformedDataset(TensorDataset(x, cr.arange(10)), lambda x: -x)
    assert len(data) == 10
    assert cr.equal(data[3][0], -x[3])
    for workers in (0, 2):
        batches = list(DataLoader(data, batch_size=4, num_workers=workers))
        assert cr.equal(cr.cat([batch[0] for batch in batches]), -x)
    plain = transforms.TransformedDataset([(1, 2), (3, 4)], lambda x: x * 10)
    assert next(iter(DataLoader(plain, batch_size=2)))[0].tolist() == [10, 30]


def test_workers_draw_for_themselves():
    def epoch(seed):
        noisy = transforms.Compose([transforms.GaussianNoise(1.0)])
        data = transforms.TransformedDataset([(cr.zeros(1, 2, 2),)] * 8, noisy)
        loader = DataLoader(data, num_workers=2, generator=generator(seed))
        return cr.cat([batch[0] for batch in loader])

    first = epoch(1)
    assert len(set(first.flatten().tolist())) == 32
    assert cr.equal(first, epoch(1))
    assert not cr.equal(first, epoch(2))


def test_transformations_refuse():
    x = pictures(2)
    for call, message in (
        (lambda: transforms.RandomHorizontalFlip(1.5), "RandomHorizontalFlip: p is a probability"),
        (lambda: transforms.RandomVerticalFlip()(cr.zeros(3)), r"got shape \(3,\)"),
        (lambda: transforms.RandomCrop(0), "size is positive"),
        (lambda: transforms.RandomCrop(9, padding=1)(x), "cannot cut 9x9 out of 6x7"),
        (lambda: transforms.RandomShift(-1), "pixels is at least 0"),
        (lambda: transforms.GaussianNoise(-1.0), "std is at least 0"),
        (lambda: transforms.Normalize(0.0, 0.0), "std is positive"),
        (lambda: transforms.Normalize([0.0] * 3, 1.0)(x), "3 values for 2 channels"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# -------------------------------------------------------------------- sequences


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("horizon", [0, 1, 4])
def test_windows(stride, horizon):
    series = cr.arange(40).reshape(20, 2)
    targets = cr.arange(20) * 100
    data = WindowDataset(series, 5, horizon, stride, targets)
    starts = range(0, 20 - 5 - horizon + 1, stride)
    assert len(data) == len(starts)
    for k, start in enumerate(starts):
        sample = data[k]
        assert cr.equal(sample[0], series[start : start + 5])
        assert len(sample) == 1 + bool(horizon)
        if horizon:
            assert sample[1].tolist() == [100 * t for t in range(start + 5, start + 5 + horizon)]
    batches = list(DataLoader(data, batch_size=4))
    for part in range(1 + bool(horizon)):
        joined = cr.cat([batch[part] for batch in batches])
        assert cr.equal(joined, cr.stack([data[k][part] for k in range(len(data))]))
    assert cr.equal(data[-1][0], data[len(data) - 1][0])
    assert cr.equal(data.get_batch(cr.tensor([-1]))[0][0], data[-1][0])
    for bad in (len(data), -len(data) - 1):
        with pytest.raises(IndexError, match="out of range"):
            data[bad]
        with pytest.raises(IndexError, match="out of range"):
            data.get_batch(cr.tensor([bad]))


def test_windows_refuse():
    series = cr.arange(5)
    assert (
        WindowDataset(series, 2)[3][1].tolist() == [4] if len(WindowDataset(series, 2)) > 3 else 1
    )
    for options, message in (
        ({"window": 0}, "window and stride are at least 1"),
        ({"window": 5}, r"shape \(5,\); expected at least 6 steps"),
        ({"window": 2, "targets": cr.arange(4)}, "targets has 4 steps; expected 5"),
    ):
        with pytest.raises(ValueError, match=message):
            WindowDataset(series, **options)


def test_vocabulary():
    texts = ["The cat sat, the cat ran.", ["dog", "cat"], "it's a dog"]
    words = Vocabulary(texts)
    assert words.words == ["<pad>", "<unk>", "cat", "dog", "the", "a", "it's", "ran", "sat"]
    assert len(words) == 9
    assert "dog" in words
    assert "cow" not in words
    assert words.encode("the cow ran", length=4).tolist() == [4, 1, 7, 0]
    assert words.encode("the cat ran", length=2).tolist() == [4, 2]
    assert words.encode("").shape == (0,)
    assert words.decode(words.encode("cat dog cow")) == ["cat", "dog", "<unk>"]
    assert words.counts(["cat cat dog", ""]).tolist()[0][2:4] == [2, 1]
    assert words.counts([]).shape == (0, 9)
    assert Vocabulary(texts, min_count=2).words[2:] == ["cat", "dog", "the"]
    assert Vocabulary(texts, max_size=1, specials=("p", "u", "<bos>")).words[2:] == ["<bos>", "cat"]
    with pytest.raises(ValueError, match="two specials or more"):
        Vocabulary(texts, specials=("<unk>",))


# -------------------------------------------------------------------- penalties


def test_penalties_and_max_norm():
    w = cr.nn.Parameter(cr.tensor([[3.0, -4.0], [0.3, 0.4]]))
    b = cr.nn.Parameter(cr.tensor([-7.0]))
    assert cr.nn.utils.l1_penalty([w, b]).item() == pytest.approx(14.7)
    assert cr.nn.utils.l2_penalty([w, b]).item() == pytest.approx(74.25)
    assert cr.nn.utils.l1_penalty([]).item() == 0
    (cr.nn.utils.l1_penalty(w) + cr.nn.utils.l2_penalty(w)).backward()
    np.testing.assert_allclose(w.grad.numpy(), [[7, -9], [1.6, 1.8]], rtol=1e-6)
    cr.nn.utils.max_norm_([w, b], 1.0)
    np.testing.assert_allclose(w.detach().numpy(), [[0.6, -0.8], [0.3, 0.4]], rtol=1e-6)
    assert b.item() == -7
    kernel = cr.randn(3, 2, 5, 5)
    cr.nn.utils.max_norm_(kernel, 0.5, dim=1)
    norms = np.sqrt((kernel.numpy() ** 2).sum((0, 2, 3)))
    np.testing.assert_allclose(norms, 0.5, rtol=1e-5)
    zero = cr.zeros(2, 2)
    cr.nn.utils.max_norm_(zero)
    assert (zero == 0).all().item()
    with pytest.raises(ValueError, match="max_norm is positive"):
        cr.nn.utils.max_norm_(w, 0)
