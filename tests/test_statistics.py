"""Summaries, differences, running sums and special functions written with other ops."""

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

NAN, INF = float("nan"), float("inf")


def _draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _leaf(*shape: int, seed: int = 0) -> cr.Tensor:
    return cr.tensor(_draw(*shape, seed=seed), requires_grad=True)


KEEPING = ["all", "amax", "amin", "any", "argmax", "argmin", "max", "mean", "median", "min",
           "nanmean", "nanmedian", "nansum", "norm", "prod", "std", "sum", "var"]  # fmt: skip


@pytest.mark.parametrize("name", KEEPING)
@pytest.mark.parametrize("shape", [(2, 3), (4,), ()])
def test_keepdim_holds_without_dim(name: str, shape: tuple[int, ...]) -> None:
    x = cr.rand(*shape, requires_grad=True)
    for reduce in (getattr(cr, name), getattr(cr.Tensor, name)):
        kept, plain = reduce(x, keepdim=True), reduce(x)
        assert kept.shape == (1,) * len(shape)
        assert plain.shape == ()
        assert kept.reshape(()).equal(plain) or plain.isnan()


@pytest.mark.parametrize("dim", [None, 0, -1])
@pytest.mark.parametrize("keepdim", [False, True])
def test_summaries(dim: Any, keepdim: bool) -> None:
    x = _draw(3, 4)
    t = cr.tensor(x)
    small, large = t.aminmax(dim=dim, keepdim=keepdim)
    np.testing.assert_array_equal(small.numpy(), x.min(axis=dim, keepdims=keepdim))
    np.testing.assert_array_equal(large.numpy(), x.max(axis=dim, keepdims=keepdim))
    for correction in (0, 1):
        options: dict[str, Any] = {"correction": correction, "keepdim": keepdim}
        mean = x.mean(axis=dim, keepdims=keepdim)
        for ours, theirs in ((cr.std_mean, np.std), (cr.var_mean, np.var)):
            spread, centre = ours(t, dim, **options)
            expected = theirs(x, axis=dim, ddof=correction, keepdims=keepdim)
            np.testing.assert_allclose(spread.numpy(), expected, rtol=1e-12)
            np.testing.assert_allclose(centre.numpy(), mean, rtol=1e-12)
    with_nan = x.copy()
    with_nan[1, 2] = NAN
    t = cr.tensor(with_nan)
    for name in ("nansum", "nanmean"):
        expected = getattr(np, name)(with_nan, axis=dim, keepdims=keepdim)
        found = getattr(t, name)(dim, keepdim)
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
@pytest.mark.parametrize("dim", [None, 0, (0, 1)])
def test_count_nonzero(dtype: str, dim: Any) -> None:
    x = np.random.default_rng(0).integers(0, 2, (3, 4)).astype(dtype)
    found = cr.tensor(x).count_nonzero(dim)
    assert found.dtype == cr.int64
    np.testing.assert_array_equal(found.numpy(), np.count_nonzero(x, axis=dim))
    assert cr.tensor(NAN).count_nonzero().item() == 1


def test_nan_reductions_of_other_dtypes() -> None:
    assert cr.tensor([1, 2]).nansum().dtype == cr.int64
    assert cr.tensor([1.0, NAN]).nansum(dtype=cr.float64).dtype == cr.float64
    assert np.isnan(cr.tensor([NAN]).nanmean().item())
    assert cr.tensor([NAN]).nansum().item() == 0
    with pytest.raises(TypeError, match=r"nanmean: needs a floating-point tensor \(got int64\)"):
        cr.tensor([1]).nanmean()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"nan": 2.0}, {"posinf": 7.0}, {"neginf": -7.0}])
def test_nan_to_num(dtype: str, options: Any) -> None:
    x = np.array([1.5, NAN, INF, -INF, -0.0], dtype=dtype)
    expected = np.nan_to_num(x, **options)
    t = cr.tensor(x)
    found = t.nan_to_num(**options)
    assert found.dtype == t.dtype
    np.testing.assert_array_equal(found.numpy(), expected)
    assert t.nan_to_num_(**options) is t
    np.testing.assert_array_equal(t.numpy(), expected)
    leaf = cr.tensor(x, requires_grad=True)
    leaf.nan_to_num().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [1, 0, 0, 0, 1]
    whole = cr.tensor([1, 2])
    assert whole.nan_to_num().tolist() == [1, 2]


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("dim", [0, -1])
def test_diff(n: int, dim: int) -> None:
    for x in (_draw(3, 4), np.arange(12).reshape(3, 4) ** 2, _draw(3, 4) > 0):
        found = cr.tensor(x).diff(n, dim)
        expected = np.diff(x, n, dim)
        assert found.dtype.name == expected.dtype.name
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    a, b = _draw(3, 4), _draw(3, 4, seed=1)
    found = cr.diff(cr.tensor(a), n, dim, cr.tensor(b), cr.tensor(b))
    np.testing.assert_allclose(found.numpy(), np.diff(a, n, dim, b, b), rtol=1e-12, atol=1e-12)
    if n < 3:
        assert gradcheck(lambda t: cr.diff(t, n, dim), (_leaf(3, 4),))


def test_diff_errors() -> None:
    with pytest.raises(ValueError, match=r"diff: needs at least one dimension"):
        cr.tensor(1.0).diff()
    with pytest.raises(ValueError, match=r"diff: n must not be negative \(got -1\)"):
        cr.ones(3).diff(-1)


@pytest.mark.parametrize(
    ("shape", "dim"), [((7,), 0), ((3, 8), 1), ((5, 2), 0), ((1,), 0), ((0,), 0)]
)
def test_logcumsumexp(shape: Any, dim: int) -> None:
    x = 5 * _draw(*shape)
    found = cr.tensor(x).logcumsumexp(dim)
    np.testing.assert_allclose(found.numpy(), np.logaddexp.accumulate(x, dim), rtol=1e-12)
    if x.size:
        assert gradcheck(lambda t: cr.logcumsumexp(t, dim), (_leaf(*shape),))
        assert gradgradcheck(lambda t: cr.logcumsumexp(t, dim), (_leaf(*shape),))


def test_logcumsumexp_of_extremes() -> None:
    found = cr.tensor([-INF, -1000.0, 1000.0, INF]).logcumsumexp(0)
    assert found.tolist() == [-INF, -1000, 1000, INF]
    assert cr.tensor(2.0).logcumsumexp(0).item() == 2
    with pytest.raises(TypeError, match=r"logcumsumexp: needs a floating-point tensor"):
        cr.tensor([1]).logcumsumexp(0)


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_one_sided_clamps(dtype: str) -> None:
    x = np.array([-3, 0, 3]).astype(dtype)
    bound = np.array([-4, 1, 2]).astype(dtype)
    for limit, theirs in ((1, 1), (cr.tensor(bound), bound)):
        for name, reference in (("clamp_min", np.maximum), ("clamp_max", np.minimum)):
            t = cr.tensor(x)
            found = getattr(t, name)(limit)
            assert found.dtype == t.dtype
            np.testing.assert_array_equal(found.numpy(), reference(x, theirs))
            assert getattr(t, name + "_")(limit) is t
            assert cr.equal(t, found)
    assert gradcheck(lambda a, b: cr.clamp_min(a, b), (_leaf(4), _leaf(4, seed=1)))


def test_sinc() -> None:
    x = np.array([0.0, 1e-9, 1e-3, 0.0159, 0.016, 0.1, 0.5, 1.0, -2.5])
    np.testing.assert_allclose(cr.tensor(x).sinc().numpy(), np.sinc(x), rtol=1e-14, atol=1e-16)
    assert cr.tensor([0, 1]).sinc().dtype == cr.float32
    leaf = cr.tensor(x, requires_grad=True)
    assert gradcheck(cr.sinc, (leaf,))
    assert gradgradcheck(cr.sinc, (leaf,))
    zero = cr.tensor(0.0, dtype=cr.float64, requires_grad=True)
    (slope,) = cr.autograd.grad(zero.sinc(), zero, create_graph=True)
    (curve,) = cr.autograd.grad(slope, zero)
    assert curve.item() == pytest.approx(-(math.pi**2) / 3, rel=1e-12)
    t = cr.tensor([0.5])
    assert t.sinc_() is t
    with pytest.raises(TypeError, match=r"sinc_: the result has dtype float32.*int64"):
        cr.tensor([1]).sinc_()


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_heaviside(dtype: str) -> None:
    x, values = np.array([-2, 0, 3]).astype(dtype), np.array([5, 6, 7]).astype(dtype)
    found = cr.tensor(x).heaviside(cr.tensor(values))
    assert found.dtype.name == dtype
    np.testing.assert_array_equal(found.numpy(), np.heaviside(x, values))
    with pytest.raises(TypeError, match=r"heaviside: operands differ in dtype"):
        cr.heaviside(cr.tensor(x), cr.ones(1, dtype=cr.int8))


def test_float_power() -> None:
    found = cr.tensor([2, 3]).float_power(cr.tensor([-1, 2]))
    assert found.dtype == cr.float64
    np.testing.assert_allclose(found.numpy(), [0.5, 9])
    assert cr.float_power(2, cr.tensor([3.0])).item() == 8
    x = cr.tensor([2.0], dtype=cr.float64)
    assert x.float_power_(2) is x
    assert x.item() == 4
    with pytest.raises(TypeError, match=r"float_power_: the result has dtype float64"):
        cr.ones(1).float_power_(2)
    assert gradcheck(lambda t: cr.float_power(t, 3), (_leaf(4),))


def test_logspace() -> None:
    np.testing.assert_allclose(cr.logspace(-1, 2, 5).numpy(), np.logspace(-1, 2, 5), rtol=1e-6)
    found = cr.logspace(0, 3, 4, base=2, dtype=cr.int64)
    assert found.tolist() == [1, 2, 4, 8]
    assert cr.logspace(0, 1, 2, requires_grad=True).requires_grad


FUNCTIONS = {
    "aminmax": lambda x: x.aminmax(dim=1),
    "std_mean": lambda x: cr.std_mean(x, 1),
    "var_mean": lambda x: cr.var_mean(x, 0, correction=0),
    "nansum": lambda x: x.nansum(1),
    "nanmean": lambda x: x.nanmean(0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name: str) -> None:
    function = FUNCTIONS[name]
    assert gradcheck(function, (_leaf(3, 4),))
    assert gradgradcheck(lambda x: function(x * x * x), (_leaf(3, 4),))
