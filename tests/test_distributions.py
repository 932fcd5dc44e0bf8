"""Draws of every kind: their distributions, their generators, what they refuse."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opspec import to_numpy

import chainrule as cr

N = 100_003


def kolmogorov(x: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    """Distance between the empirical distribution and a continuous one, times sqrt(n)."""
    p = cdf(np.sort(x.astype(float)))
    n = x.size
    upper = (np.arange(1, n + 1) / n - p).max()
    lower = (p - np.arange(n) / n).max()
    return float(max(upper, lower) * math.sqrt(n))


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """Distance of counts from expected ones, in standard deviations of the chi-square statistic."""
    kept = expected >= 5
    counts = np.append(counts[kept], counts[~kept].sum())
    expected = np.append(expected[kept], expected[~kept].sum())
    used = expected > 0
    statistic = ((counts - expected)[used] ** 2 / expected[used]).sum()
    degrees = used.sum() - 1
    return float((statistic - degrees) / math.sqrt(2 * degrees))


_normal_cdf = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2)), otypes=[float])

CONTINUOUS: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "uniform_": (lambda x: x.uniform_(2, 5), lambda v: (v - 2) / 3),
    "normal_": (lambda x: x.normal_(1, 2), lambda v: _normal_cdf((v - 1) / 2)),
    "exponential_": (lambda x: x.exponential_(0.5), lambda v: 1 - np.exp(-0.5 * v)),
    "cauchy_": (lambda x: x.cauchy_(1, 3), lambda v: np.arctan((v - 1) / 3) / np.pi + 0.5),
    "log_normal_": (
        lambda x: x.log_normal_(0.5, 0.7),
        lambda v: _normal_cdf((np.log(v) - 0.5) / 0.7),
    ),
}


@pytest.mark.parametrize("dtype", [cr.float32, cr.float64], ids=str)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str, dtype: Any) -> None:
    draw, cdf = CONTINUOUS[name]
    x = cr.empty(N, dtype=dtype)
    assert draw(x) is x
    assert kolmogorov(to_numpy(x), cdf) < 2.2  # passed by chance once in 10,000 wrong seeds


@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("dtype", [cr.float32, cr.int64], ids=str)
def test_geometric(p: float, dtype: Any) -> None:
    x = to_numpy(cr.empty(N, dtype=dtype).geometric_(p)).astype(int)
    assert x.min() == 1
    k = np.arange(1, x.max() + 2)
    expected = N * p * (1 - p) ** (k - 1)
    assert abs(chi_square(np.bincount(x, minlength=k.size + 1)[1:], expected)) < 5


@pytest.mark.parametrize("mean", [0.1, 3.0, 9.9, 10.1, 50.0, 2000.0])
def test_poisson(mean: float) -> None:
    x = to_numpy(cr.poisson(cr.full((N,), mean)))
    assert (x == np.floor(x)).all()
    k = np.arange(int(mean + 12 * math.sqrt(mean)) + 4)
    logs = k * math.log(mean) - mean - np.array([math.lgamma(i + 1.0) for i in k])
    counts = np.bincount(x.astype(int), minlength=k.size)
    assert counts.size == k.size, "a count beyond twelve deviations"
    assert abs(chi_square(counts, N * np.exp(logs))) < 5


def test_poisson_of_many_means() -> None:
    means = cr.tensor([[0.0, 1.0], [20.0, 300.0]])
    x = cr.poisson(means)
    assert x.shape == (2, 2)
    assert x.dtype is cr.float32
    assert x[0, 0].item() == 0.0
    total = sum(cr.poisson(means) for _ in range(500)) / 500
    np.testing.assert_allclose(total.tolist(), means.tolist(), rtol=0.15)
    assert cr.poisson(cr.zeros(0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match="poisson: means must be finite and not negative"):
        cr.poisson(cr.tensor([-1.0]))
    with pytest.raises(TypeError, match=r"poisson: .*int64"):
        cr.poisson(cr.tensor([1]))


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial(replacement: bool) -> None:
    weights = np.array([0.0, 1, 2, 3, 4])
    rows = cr.tensor(weights).expand(N // 5, 5)
    x = to_numpy(cr.multinomial(rows, 2, replacement))
    p = weights / weights.sum()
    first = np.bincount(x[:, 0], minlength=5)
    assert abs(chi_square(first, p * x.shape[0])) < 5
    assert (x != 0).all()
    if replacement:
        second = p
    else:
        assert (x[:, 0] != x[:, 1]).all()
        second = np.array(
            [sum(p[i] * p[j] / (1 - p[i]) for i in range(5) if i != j) for j in range(5)]
        )
    assert abs(chi_square(np.bincount(x[:, 1], minlength=5), second * x.shape[0])) < 5


def test_normal_overloads() -> None:
    means, stds = cr.arange(3.0), cr.tensor([1.0, 0.0, 2.0])
    assert cr.normal(means, 0.0).tolist() == [0.0, 1.0, 2.0]
    assert cr.normal(5.0, stds)[1].item() == 5.0
    assert cr.normal(means.double(), stds.double()).dtype is cr.float64
    assert cr.normal(0, 1, (2, 3), dtype=cr.float64, requires_grad=True).requires_grad
    assert cr.normal(mean=means.requires_grad_()).requires_grad is False
    assert cr.normal(cr.zeros(2, 1), cr.ones(3)).shape == (2, 3)
    x = to_numpy(cr.normal(cr.full((N,), 2.0), 0.5))
    assert kolmogorov(x, lambda v: _normal_cdf((v - 2) / 0.5)) < 2.2
    with pytest.raises(ValueError, match="normal: the standard deviation must not be negative"):
        cr.normal(means, -stds)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (cr.uint8, 0, 255),
        (cr.int8, 0, 127),
        (cr.bool, 0, 1),
        (cr.float32, 0, 2**24),
        (cr.int64, 0, 2**63 - 1),
    ],
    ids=str,
)
def test_random_takes_all_numbers(dtype: Any, low: int, high: int) -> None:
    x = to_numpy(cr.empty(N, dtype=dtype).random_()).astype(float)
    assert x.min() >= low
    assert low + 0.99 * (high - low) <= x.max() <= high
    assert abs(x.mean() - (low + high) / 2) < 0.01 * (high - low)
    y = cr.empty(N, dtype=cr.float32).random_(-3, 3)
    assert sorted(set(y.tolist())) == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]
    assert sorted(set(cr.empty(999).random_(2).tolist())) == [0.0, 1.0]


DRAWS: dict[str, Callable[[Any], Any]] = {
    "rand": lambda g: cr.rand(9, generator=g),
    "randn": lambda g: cr.randn(9, generator=g),
    "randint": lambda g: cr.randint(0, 99, (9,), generator=g),
    "randperm": lambda g: cr.randperm(9, generator=g),
    "normal": lambda g: cr.normal(0.0, 1.0, (9,), generator=g),
    "bernoulli": lambda g: cr.bernoulli(cr.full((99,), 0.5), generator=g),
    "method": lambda g: cr.ones(99).bernoulli(0.5, generator=g),
    "multinomial": lambda g: cr.multinomial(cr.ones(50), 9, generator=g),
    "poisson": lambda g: cr.poisson(cr.full((9,), 30.0), generator=g),
    "rand_like": lambda g: cr.rand_like(cr.ones(9), generator=g),
    "randn_like": lambda g: cr.randn_like(cr.ones(9), generator=g),
    "randint_like": lambda g: cr.randint_like(cr.ones(9), 99, generator=g),
    "random_": lambda g: cr.empty(9).random_(generator=g),
    "bernoulli_": lambda g: cr.empty(99).bernoulli_(generator=g),
    "geometric_": lambda g: cr.empty(9).geometric_(0.01, generator=g),
    **{
        name: lambda g, name=name: getattr(cr.empty(9), name)(generator=g)
        for name in ("uniform_", "normal_", "exponential_", "cauchy_", "log_normal_")
    },
}


@pytest.mark.parametrize("name", DRAWS)
def test_each_draw_takes_a_generator(name: str) -> None:
    draw = DRAWS[name]
    state = cr.get_rng_state()
    first = draw(cr.Generator().manual_seed(11)).tolist()
    again = cr.Generator().manual_seed(11)
    assert draw(again).tolist() == first
    assert draw(again).tolist() != first
    assert draw(cr.Generator().manual_seed(12)).tolist() != first
    assert (cr.get_rng_state() == state).all(), "the default generator moved"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: x.uniform_(2, 1), "uniform_: from must not exceed to"),
        (lambda x: x.normal_(0, -1), "normal_: std must not be negative"),
        (lambda x: x.exponential_(0), "exponential_: lambd must be positive"),
        (lambda x: x.cauchy_(0, 0), "cauchy_: sigma must be positive"),
        (lambda x: x.log_normal_(0, 0), "log_normal_: std must be positive"),
        (lambda x: x.geometric_(1.0), "geometric_: p must lie between 0 and 1"),
        (lambda x: x.random_(5, 5), "random_: low must be below high"),
        (lambda x: cr.bernoulli(x + 2), "bernoulli: probabilities must lie in"),
        (lambda x: cr.multinomial(x, 2), "multinomial: .*weight"),
        (lambda x: cr.randint(3, 3, (2,)), "randint: low must be below high"),
    ],
)
def test_bad_parameters(call: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call(cr.zeros(3))


def test_whole_numbers_are_refused_where_they_make_no_sense() -> None:
    for name in ("cauchy_", "log_normal_"):
        with pytest.raises(TypeError, match=rf"{name}: needs a floating-point tensor \(got int64"):
            getattr(cr.tensor([1]), name)()


def test_in_place_draws_need_no_gradient() -> None:
    x = cr.ones(3, requires_grad=True)
    for name in ("uniform_", "normal_", "exponential_", "cauchy_", "log_normal_", "bernoulli_"):
        with pytest.raises(RuntimeError, match="leaf"):
            getattr(x, name)()
        y = x * 2
        getattr(y, name)()
        (g,) = cr.autograd.grad(y.sum(), x)
        assert g.tolist() == [0.0, 0.0, 0.0], name
    with cr.no_grad():
        x.uniform_()
    assert x.is_leaf
