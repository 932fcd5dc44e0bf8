"""Reductions of shapes with ways of their own: short rows, few columns, long, transposed."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

SHAPES = [
    ((1000, 2), 1), ((2500, 3), 1), ((1030, 4), 1), ((3, 4, 3), 2),  # short rows
    ((1000, 3), 0), ((2051, 7), 0), ((3, 700, 5), 1), ((5, 3), 0), ((1, 3), 0),  # few columns
    ((70000, 3), 0), ((300000,), 0), ((1200, 300), 0), ((2, 150000), 1),  # cut into pieces
    ((9, 1500), 0), ((6, 2500), 0), ((3000, 1030), 0),
    ((40, 1025), 1), ((3, 4099), 1), ((17, 65), 1), ((11, 5), 1),
]  # fmt: skip
DTYPES = ["float32", "float64", "int64", "int32", "int16", "uint8", "bool"]
NAN = float("nan")


def draw(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(len(shape) + sum(shape))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("f"):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 50, shape).astype(dtype)  # many ties


def check(x: cr.Tensor, a: np.ndarray, dim: int) -> None:
    for mine, numpy in (("amax", np.max), ("amin", np.min), ("argmax", np.argmax),
                        ("argmin", np.argmin), ("any", np.any), ("all", np.all)):  # fmt: skip
        np.testing.assert_array_equal(getattr(x, mine)(dim).numpy(), numpy(a, axis=dim), mine)
    if a.dtype.kind == "f":
        exact = np.sum(a, axis=dim, dtype=np.longdouble)
        scale = np.sum(np.abs(a), axis=dim, dtype=np.float64)
        error = np.abs(x.sum(dim).numpy() - exact)
        assert (error <= 32 * np.finfo(a.dtype).eps * scale).all()
        mean = x.mean(dim).numpy() - exact / a.shape[dim]
        assert (np.abs(mean) <= 32 * np.finfo(a.dtype).eps * scale / a.shape[dim]).all()
    else:
        np.testing.assert_array_equal(x.sum(dim).numpy(), np.sum(a, axis=dim, dtype=np.int64))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_shapes(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    a = draw(shape, dtype)
    check(cr.tensor(a), a, dim)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (2, 0, 1)])
def test_transposed(order: tuple[int, ...], dtype: str) -> None:
    a = draw((5, 60, 70), dtype).transpose(order)
    x = cr.tensor(draw((5, 60, 70), dtype)).permute(*order)
    for dim in range(3):
        check(x, a, dim)
    np.testing.assert_array_equal(x.amax((0, 2)).numpy(), a.max((0, 2)))
    np.testing.assert_array_equal(x.any((0, 1)).numpy(), a.any((0, 1)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_nan_wins(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    a = draw(shape, dtype)
    rng = np.random.default_rng(0)
    a[rng.random(shape) < 2 / a.shape[dim]] = NAN
    x = cr.tensor(a)
    for mine, numpy in (("amax", np.max), ("amin", np.min), ("argmax", np.argmax),
                        ("argmin", np.argmin)):  # fmt: skip
        np.testing.assert_array_equal(getattr(x, mine)(dim).numpy(), numpy(a, axis=dim), mine)


@pytest.mark.parametrize("n", [3, 9, 70, 5000])
def test_infinities_of_both_signs_are_no_nan(n: int) -> None:
    a = draw((2, n), "float32")
    a[:, 0], a[:, -1] = np.inf, -np.inf
    x = cr.tensor(a)
    np.testing.assert_array_equal(x.amax(1).numpy(), [np.inf, np.inf])
    np.testing.assert_array_equal(x.argmin(1).numpy(), [n - 1, n - 1])


@pytest.mark.parametrize("place", [0, 17, 255, 256, 4095])
def test_flags_see_one_element(place: int) -> None:
    for dtype in DTYPES:
        a = np.zeros(4096, dtype)
        a[place] = 1
        assert bool(cr.tensor(a).any())
        assert not bool(cr.tensor(a[:place]).any())
        assert not bool(cr.tensor(1 - a.astype("int64")).all())


def test_counts_past_a_byte() -> None:
    for shape in [(70000,), (1000, 3), (600, 300)]:
        assert (cr.ones(*shape, dtype=cr.bool).sum(0).numpy() == shape[0]).all()
    assert int(cr.count_nonzero(cr.ones(3, 70000, dtype=cr.bool))) == 210000


@pytest.mark.parametrize(("shape", "dim"), [((70000, 3), 0), ((1200, 300), 0), ((300000,), 0)])
@pytest.mark.parametrize("name", ["sum", "mean", "amax", "argmax", "prod", "any"])
def test_threads_give_the_same_bits(name: str, shape: Any, dim: int) -> None:
    x = cr.tensor(draw(shape, "float32"))
    threads = cr.get_num_threads()
    results = []
    try:
        for n in (1, 2, 3):
            cr.set_num_threads(n)
            results.append(getattr(x, name)(dim).numpy().tobytes())
    finally:
        cr.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("n", [1, 3, 8, 9, 64, 1001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_running_sums_and_their_gradients(dtype: str, n: int) -> None:
    a = draw((3, n, 2), dtype)
    for b, x in ((a, cr.tensor(a)), (a[..., 0].copy(), cr.tensor(a[..., 0].copy()))):
        sums = np.cumsum(b, axis=1, dtype=np.float64 if dtype[0] == "f" else None)
        behind = np.cumsum(b[:, ::-1], axis=1, dtype=sums.dtype)[:, ::-1]
        bound = 1 if dtype == "int64" else 4 * np.finfo(dtype).eps * np.abs(b).sum()
        assert (np.abs(x.cumsum(1).numpy() - sums) < bound).all()
        if dtype != "int64":
            y = x.clone().requires_grad_()
            (grad,) = cr.autograd.grad(y.cumsum(1), y, x)
            assert (np.abs(grad.numpy() - behind) < bound).all()


def test_running_sums_carry_nan_on() -> None:
    a = np.ones((1, 40), "float32")
    a[0, 13] = NAN
    assert np.isnan(cr.tensor(a).cumsum(1).numpy()[0]).tolist() == [i >= 13 for i in range(40)]
    a[0, 13] = np.inf
    assert np.isinf(cr.tensor(a).cumsum(1).numpy()[0]).tolist() == [i >= 13 for i in range(40)]


@pytest.mark.parametrize("special", [0.0, 1e-30, 1e30, np.inf, NAN])
def test_gradient_of_prod_beside_special_values(special: float) -> None:
    """By quotients where that is safe; by products of the others where it is not."""
    a = draw((4, 12), "float32")
    a[1, 5] = a[2, 7] = a[2, 3] = special
    x = cr.tensor(a, requires_grad=True)
    (grad,) = cr.autograd.grad(x.prod(1).sum(), x)
    others = np.stack([np.delete(a, i, 1).astype("float64").prod(1) for i in range(12)], 1)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(grad.numpy(), others.astype("float32"), rtol=2e-6, atol=1e-37)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(("shape", "dim"), [((3, 70), 1), ((70, 3), 0), ((2, 40, 300), 1)])
def test_running_extremes(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    a = np.round(draw(shape, dtype) * 2).astype(dtype)  # ties: the last counts
    if dtype != "int64":
        a.ravel()[37] = NAN
    for name, running in (("cummax", np.maximum), ("cummin", np.minimum)):
        values, places = getattr(cr.tensor(a), name)(dim)
        want = running.accumulate(a, axis=dim)
        np.testing.assert_array_equal(values.numpy(), want, name)
        np.testing.assert_array_equal(np.take_along_axis(a, places.numpy(), dim), want, name)
        line = np.arange(shape[dim]).reshape([-1 if d == dim else 1 for d in range(a.ndim)])
        reached = np.where((a == want) | np.isnan(a), line, 0)
        last = np.maximum.accumulate(reached, axis=dim)
        np.testing.assert_array_equal(places.numpy(), last, name)


def test_gradients_of_running_extremes() -> None:
    x = cr.tensor(draw((3, 8), "float64"), requires_grad=True)
    for name in ("cummax", "cummin"):
        for dim in (0, 1):
            assert gradcheck(lambda t, n=name, d=dim: getattr(t, n)(d).values, [x])
            assert gradgradcheck(lambda t, n=name, d=dim: getattr(t, n)(d).values ** 2, [x])
    with pytest.raises(TypeError, match="running_extreme: got dtype int32"):
        cr._core._running_extreme(cr.zeros(3, dtype=cr.int32), 0, False)
