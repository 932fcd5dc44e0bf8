"""Dropout of channels, alpha dropout, random slopes, Gumbel draws; maxout, Bilinear, twins."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F


def double(array: Any, requires_grad: bool = False) -> Any:
    return cr.tensor(np.asarray(array, np.float64), requires_grad=requires_grad)


# ---------------------------------------------------------------- dropout of channels

SHAPES = {
    "dropout1d": [(40, 25, 3), (200, 3)],
    "dropout2d": [(40, 25, 2, 3), (40, 25, 4)],
    "dropout3d": [(40, 25, 2, 1, 3), (200, 2, 1, 2)],
}


@pytest.mark.parametrize(("name", "shape"), [(n, s) for n, ss in SHAPES.items() for s in ss])
def test_whole_channels_are_dropped(name: str, shape: tuple[int, ...]) -> None:
    function = getattr(F, name)
    batched = len(shape) == len(SHAPES[name][0]) or name == "dropout2d"
    channels = 2 if batched else 1
    x = cr.ones(shape, requires_grad=True)
    out = function(x, 0.25)
    rows = out.detach().numpy().reshape(int(np.prod(shape[:channels])), -1)
    assert (rows == rows[:, :1]).all()
    kept = rows[:, 0] != 0
    np.testing.assert_allclose(rows[kept], 1 / 0.75, rtol=1e-6)
    n = len(rows)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / n)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
    assert function(x, 0.25, training=False) is x
    y = cr.ones(shape)
    assert function(y, 0.5, inplace=True) is y
    assert 0 < (y == 0).sum().item() < y.numel()
    with pytest.raises(ValueError, match=rf"{name}: the input has 1 dimensions"):
        function(cr.ones(3))
    with pytest.raises(ValueError, match="between 0 and 1"):
        function(x, 1.5)


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("by_channel", [False, True])
def test_alpha_dropout_keeps_mean_and_variance(p: float, by_channel: bool) -> None:
    module = (nn.FeatureAlphaDropout if by_channel else nn.AlphaDropout)(p)
    x = cr.randn(300, 1000)
    out = module(x).numpy()
    limit = 5 / np.sqrt(x.numel())
    assert abs(out.mean()) < 2 * limit
    assert abs(out.var() - 1) < 6 * limit
    scale = ((1.7580993408473766**2 * p + 1) * (1 - p)) ** -0.5
    dropped = np.isclose(out, -1.7580993408473766 * scale * (1 - p), atol=1e-5)
    assert abs(dropped.mean() - p) < limit
    kept = scale * (x.numpy() + 1.7580993408473766 * p)
    np.testing.assert_allclose(out[~dropped], kept[~dropped], atol=1e-5)
    assert module.eval()(x) is x


def test_alpha_dropout_at_the_ends() -> None:
    x = double([1.0, -2.0], True)
    assert F.alpha_dropout(x, 0.0, True) is x
    assert F.alpha_dropout(x, 1.0, True).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="has no channels"):
        F.feature_alpha_dropout(x, 0.5, True)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.FeatureAlphaDropout(-0.1)
    y = cr.ones(1000)
    assert F.alpha_dropout(y, 0.5, True, inplace=True) is y
    assert len(y.unique()) == 2


def test_gaussian_noise() -> None:
    layer, x = nn.GaussianNoise(0.5), cr.zeros(100_000)
    noise = layer(x).numpy()
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(noise.size)
    assert abs(noise.std() - 0.5) < 0.01
    assert layer.eval()(x) is x
    assert repr(layer) == "GaussianNoise(std=0.5)"
    with pytest.raises(ValueError, match="std is at least 0"):
        nn.GaussianNoise(-1.0)


# ---------------------------------------------------------------- random activations


def test_rrelu() -> None:
    layer = nn.RReLU(0.1, 0.4)
    x = cr.cat([cr.full((50_000,), -2.0), cr.full((10,), 3.0)]).requires_grad_()
    out = layer(x)
    slopes = out.detach().numpy()[:-10] / -2
    assert slopes.min() >= 0.1
    assert slopes.max() <= 0.4
    assert abs(slopes.mean() - 0.25) < 5 * 0.3 / np.sqrt(12 * slopes.size)
    assert (out[-10:] == 3).all().item()
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[:-10], slopes, rtol=1e-6)
    assert (x.grad[-10:] == 1).all().item()
    np.testing.assert_allclose(layer.eval()(x).detach().numpy()[0], -0.5, rtol=1e-6)
    y = cr.full((4,), -1.0)
    assert F.rrelu_(y, 0.2, 0.2, True) is y
    np.testing.assert_allclose(y.numpy(), -0.2, rtol=1e-6)
    with pytest.raises(ValueError, match="lower is at most upper"):
        F.rrelu(x, 0.5, 0.1)
    assert repr(nn.RReLU(0.1, 0.4, True)) == "RReLU(lower=0.1, upper=0.4, inplace=True)"


def test_gumbel_softmax() -> None:
    p = np.array([0.2, 0.5, 0.3])
    logits = double(np.log(p), True).expand(40_000, 3)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(-1).detach().numpy(), 1, rtol=1e-12)
    hard = F.gumbel_softmax(logits, hard=True)
    values = hard.detach().numpy()
    np.testing.assert_allclose(np.sort(values, -1), [[0, 0, 1]] * 40_000, atol=1e-12)
    np.testing.assert_allclose(values.mean(0), p, atol=5 * 0.5 / np.sqrt(40_000))
    x = double(np.log(p), True)
    (F.gumbel_softmax(x, hard=True) * double([1.0, 2.0, 3.0])).sum().backward()
    assert np.abs(x.grad.numpy()).sum() > 0
    np.testing.assert_allclose(x.grad.sum().item(), 0, atol=1e-12)
    with pytest.raises(ValueError, match="tau is above 0"):
        F.gumbel_softmax(x, 0.0)


# ---------------------------------------------------------------- maxout, bilinear, softmax


def test_maxout() -> None:
    x = np.random.default_rng(0).standard_normal((4, 6, 5))
    np.testing.assert_array_equal(F.maxout(double(x), 3, 1).numpy(), x.reshape(4, 2, 3, 5).max(2))
    np.testing.assert_array_equal(nn.Maxout(2, 0)(double(x)).numpy(), x.reshape(2, 2, 6, 5).max(1))
    assert gradcheck(lambda x: F.maxout(x, 3, 1), (double(x, True),))
    with pytest.raises(ValueError, match=r"groups of 2 \(got shape \(4, 6, 5\)\)"):
        F.maxout(double(x), 2)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,)])
def test_bilinear(lead: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y, w, b = (rng.standard_normal(s) for s in ((*lead, 3), (*lead, 5), (2, 3, 5), (2,)))
    expected = np.einsum("...i,kij,...j->...k", x, w, y) + b
    np.testing.assert_allclose(
        F.bilinear(*map(double, (x, y, w, b))).numpy(), expected, rtol=1e-12, atol=1e-13
    )
    if lead:
        leaves = tuple(double(v, True) for v in (x, y, w, b))
        assert gradcheck(F.bilinear, leaves)
        assert gradgradcheck(F.bilinear, leaves)
    for wrong in ((y, y, w), (x, x, w), (x, y, w[0])):
        with pytest.raises(ValueError, match=r"bilinear: the inputs do not fit"):
            F.bilinear(*map(double, wrong))
    with pytest.raises(ValueError, match=r"bias has shape \(3,\)"):
        F.bilinear(*map(double, (x, y, w, np.zeros(3))))


def test_softmax2d() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    expected = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(nn.Softmax2d()(double(x)).numpy(), expected, rtol=1e-13)
    np.testing.assert_allclose(nn.Softmax2d()(double(x[0])).numpy(), expected[0], rtol=1e-13)
    with pytest.raises(ValueError, match=r"Softmax2d: the input has shape \(3, 4\)"):
        nn.Softmax2d()(cr.zeros(3, 4))


TWINS: dict[str, tuple[Any, ...]] = {
    "relu": (), "leaky_relu": (0.2,), "elu": (0.7,), "celu": (0.7,), "selu": (),
    "hardtanh": (-0.5, 0.7), "threshold": (0.1, -3.0), "rrelu": (0.1, 0.3),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_twins_write_in_place(name: str) -> None:
    args, x = TWINS[name], double(np.linspace(-2, 2, 9), True)
    function, twin = getattr(F, name), getattr(F, f"{name}_")
    expected = function(x, *args)
    (wanted,) = cr.autograd.grad(expected.sum(), x)
    y = x * 1.0
    assert twin(y, *args) is y
    np.testing.assert_array_equal(y.detach().numpy(), expected.detach().numpy())
    np.testing.assert_array_equal(cr.autograd.grad(y.sum(), x)[0].numpy(), wanted.numpy())
