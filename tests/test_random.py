"""Random numbers: reproducible, independent of threads, and distributed as they should be."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opspec import FLOATS, INTEGERS, dtype_name, to_numpy

import chainrule as cr
from chainrule.nn import functional as F

N = 200_003

DRAWS: dict[str, Callable[[], Any]] = {
    "rand": lambda: cr.rand(N),
    "rand_double": lambda: cr.rand(N, dtype=cr.float64),
    "randn": lambda: cr.randn(N),
    "randn_double": lambda: cr.randn(N, dtype=cr.float64),
    "randint": lambda: cr.randint(0, 1000, (N,)),
    "randperm": lambda: cr.randperm(N),
    "normal_": lambda: cr.empty(N).normal_(2.0, 3.0),
    "uniform_": lambda: cr.empty(N).uniform_(-1.0, 3.0),
    "bernoulli": lambda: cr.bernoulli(cr.full((N,), 0.3)),
    "dropout": lambda: F.dropout(cr.ones(N), 0.3),
    "rand_like": lambda: cr.rand_like(cr.zeros(N)),
    "randn_like": lambda: cr.randn_like(cr.zeros(N)),
}
draws = pytest.mark.parametrize("name", list(DRAWS))


def _bits(name: str) -> bytes:
    return to_numpy(DRAWS[name]()).tobytes()


@pytest.mark.smoke
@draws
def test_a_seed_repeats_and_the_stream_moves_on(name: str) -> None:
    cr.manual_seed(1)
    first, second = _bits(name), _bits(name)
    assert first != second
    cr.manual_seed(1)
    assert (_bits(name), _bits(name)) == (first, second)
    cr.manual_seed(2)
    assert _bits(name) != first


@draws
def test_the_same_stream_for_any_number_of_threads(name: str) -> None:
    def run(threads: int) -> tuple[bytes, bytes]:
        cr.set_num_threads(threads)
        cr.manual_seed(5)
        return _bits(name), _bits(name)

    assert run(1) == run(2) == run(4)


def test_state_can_be_saved() -> None:
    cr.manual_seed(3)
    cr.rand(10)
    state = cr.get_rng_state()
    first = cr.rand(10).tolist()
    cr.set_rng_state(state)
    assert cr.rand(10).tolist() == first


def test_generators_are_independent() -> None:
    g = cr.Generator().manual_seed(7)
    h = cr.Generator().manual_seed(7)
    before = cr.get_rng_state()
    a = cr.rand(5, generator=g)
    assert (cr.get_rng_state() == before).all()
    assert cr.rand(5, generator=h).tolist() == a.tolist()
    assert cr.rand(5, generator=g).tolist() != a.tolist()
    assert g.initial_seed() == 7


# ---------------------------------------------------------------- distributions


def _check_moments(x: np.ndarray, mean: float, std: float, kurtosis: float) -> None:
    """Mean and variance within five standard errors."""
    n = x.size
    assert abs(x.mean() - mean) < 5 * std / np.sqrt(n)
    assert abs(x.var() - std**2) < 5 * std**2 * np.sqrt((kurtosis - 1) / n)


def _check_uniform(u: np.ndarray) -> None:
    """Kolmogorov-Smirnov distance to the uniform distribution on [0, 1]."""
    u = np.sort(u)
    grid = np.arange(1, u.size + 1) / u.size
    assert np.max(np.abs(u - grid)) < 2.3 / np.sqrt(u.size)


def philox(position: int, seed: int) -> list[int]:
    """A block of Philox4x32-10, number by number."""
    low = 0xFFFFFFFF
    a, b, c, d = position & low, position >> 32, 0, 0
    k0, k1 = seed & low, seed >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k0, q & low, (p >> 32) ^ d ^ k1, p & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return [a, b, c, d]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 3, 17, 64, 509])
def test_dropout_and_uniform_read_the_stream_number_by_number(n: int, dtype: str) -> None:
    seed, position = 0x123456789ABCDEF, (1 << 32) - 9  # a carry within the first blocks
    words = [word for k in range(n) for word in philox(position + k, seed)]
    generator = cr.default_generator
    x = cr.full((n,), 2.0, dtype=getattr(cr, dtype))
    for p in (0.0, 0.3, 1.0):
        generator.set_state(cr.tensor([seed, position]))
        kept = to_numpy(cr._core._dropout(x, generator.get_state().clone(), p)[0]) != 0
        assert kept.tolist() == [word >= int(p * 2**32) for word in words[:n]]
    generator.set_state(cr.tensor([seed, position]))
    drawn = to_numpy(cr.rand(n))
    assert drawn.tolist() == [(word >> 8) * 2.0**-24 for word in words[:n]]


@pytest.mark.parametrize("n", [1, 3, 17, 64, 509])
def test_normal_is_box_and_muller_on_the_stream(n: int) -> None:
    seed, position = 0x123456789ABCDEF, (1 << 32) - 9
    words = np.array([philox(position + k, seed) for k in range(n + 1)], np.uint64).ravel()
    wide = (words[::2] | words[1::2] << np.uint64(32)) >> np.uint64(11)
    for dtype, uniform, bound in (
        (cr.float32, (words >> np.uint64(8)).astype(float) * 2.0**-24, 2e-6),
        (cr.float64, wide.astype(float) * 2.0**-53, 1e-14),
    ):
        cr.default_generator.set_state(cr.tensor([seed, position]))
        if dtype == cr.float64:
            assert to_numpy(cr.rand(n, dtype=dtype)).tolist() == uniform[:n].tolist()
            cr.default_generator.set_state(cr.tensor([seed, position]))
        radius, angle = np.sqrt(-2 * np.log(1 - uniform[::2])), 2 * np.pi * uniform[1::2]
        normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:n]
        drawn = to_numpy(cr.empty(n, dtype=dtype).normal_(1.0, 2.0)).astype(float)
        np.testing.assert_allclose(drawn, 1 + 2 * normal, atol=bound * 10, rtol=bound)


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform(dtype: str) -> None:
    x = to_numpy(cr.rand(N, dtype=getattr(cr, dtype))).astype(float)
    assert x.min() >= 0.0
    assert x.max() < 1.0
    _check_moments(x, 0.5, np.sqrt(1 / 12), 1.8)
    _check_uniform(x)
    pairs = np.corrcoef(x[:-1], x[1:])[0, 1]
    assert abs(pairs) < 5 / np.sqrt(N)
    y = to_numpy(cr.empty(N, dtype=getattr(cr, dtype)).uniform_(-1.0, 3.0))
    assert y.min() >= -1.0
    assert y.max() < 3.0
    _check_uniform((y.astype(float) + 1) / 4)


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal(dtype: str) -> None:
    x = to_numpy(cr.randn(N, dtype=getattr(cr, dtype))).astype(float)
    _check_moments(x, 0.0, 1.0, 3.0)
    assert 3.8 < np.abs(x).max() < 7.0
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 0.006
    assert abs((np.abs(x) > 2).mean() - 0.0455) < 0.003
    _check_moments(
        to_numpy(cr.empty(N, dtype=getattr(cr, dtype)).normal_(2.0, 3.0)).astype(float),
        2.0,
        3.0,
        3.0,
    )
    z = to_numpy(cr.normal(cr.arange(4.0), cr.full((4,), 1e-3)))
    np.testing.assert_allclose(z, np.arange(4), atol=6e-3)


def test_integers() -> None:
    x = to_numpy(cr.randint(-2, 5, (N,)))
    assert x.dtype == np.int64
    counts = np.bincount(x + 2, minlength=7)
    assert counts.size == 7
    assert np.max(np.abs(counts - N / 7)) < 5 * np.sqrt(N / 7)
    assert set(cr.randint(3, (1000,)).tolist()) == {0, 1, 2}
    assert dtype_name(cr.randint(3, (2,), dtype=cr.int32)) == "int32"
    big = to_numpy(cr.randint(0, 1 << 60, (1000,)))
    assert big.max() > 1 << 59
    for dtype in INTEGERS:
        assert cr.randint(0, 100, (5,), dtype=getattr(cr, dtype)).max() < 100
    with pytest.raises((ValueError, RuntimeError), match=r"randint|from|low"):
        cr.randint(5, 5, (2,))


def test_permutations() -> None:
    for n in (0, 1, 2, 17, 1000):
        p = to_numpy(cr.randperm(n))
        assert p.dtype == np.int64
        assert sorted(p.tolist()) == list(range(n))
    counts = np.zeros((4, 4))
    for _ in range(2000):
        counts[np.arange(4), to_numpy(cr.randperm(4))] += 1
    assert np.max(np.abs(counts - 500)) < 5 * np.sqrt(500)


def test_bernoulli() -> None:
    x = to_numpy(cr.bernoulli(cr.full((N,), 0.3)))
    assert set(np.unique(x)) == {0.0, 1.0}
    assert abs(x.mean() - 0.3) < 5 * np.sqrt(0.21 / N)
    assert cr.bernoulli(cr.tensor([0.0, 1.0])).tolist() == [0.0, 1.0]
    y = cr.empty(N).bernoulli_(0.8)
    assert abs(y.mean().item() - 0.8) < 5 * np.sqrt(0.16 / N)
    with pytest.raises((ValueError, RuntimeError), match=r"bernoulli|p"):
        cr.bernoulli(cr.tensor([1.5]))


# ---------------------------------------------------------------- dropout


def test_dropout_scales_what_it_keeps() -> None:
    x = cr.full((N,), 2.0)
    y = to_numpy(F.dropout(x, 0.25))
    kept = y != 0
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.1875 / N)
    np.testing.assert_allclose(y[kept], 2.0 / 0.75, rtol=1e-6)
    assert (F.dropout(x, 0.25, training=False) == x).all()
    assert (F.dropout(x, 0.0) == x).all()
    assert not F.dropout(x, 1.0).any()


def test_dropout_gradient_uses_the_same_mask() -> None:
    x = cr.full((1000,), 3.0, requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    np.testing.assert_array_equal(to_numpy(x.grad), to_numpy(y) / 3.0)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_bad_probabilities(p: float) -> None:
    with pytest.raises(ValueError, match="dropout"):
        F.dropout(cr.ones(2), p)


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_floating_point_only(dtype: str) -> None:
    d = getattr(cr, dtype)
    for make in (lambda: cr.rand(3, dtype=d), lambda: cr.randn(3, dtype=d)):
        with pytest.raises(
            (TypeError, RuntimeError, NotImplementedError),
            match=r"(?i)rand|normal|uniform|float|long|bool",
        ):
            make()
