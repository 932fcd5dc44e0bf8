"""Pooling: every window, ties, NaN, padding, adaptive grids, gradients of any order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opspec import conv as reference

import chainrule as cr
from chainrule import _core
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

# plane, kernel, stride, padding, dilation, ceil_mode
WINDOWS: dict[str, tuple[Any, ...]] = {
    "2x2": ((8, 8), 2, None, 0, 1, False),
    "2x2, odd plane": ((9, 7), 2, None, 0, 1, False),
    "2x2, wide odd plane": ((7, 71), 2, None, 0, 1, False),
    "2x2, odd plane, ceil": ((9, 7), 2, None, 0, 1, True),
    "3x3 stride 2": ((28, 29), 3, 2, 1, 1, False),
    "3x3 stride 3": ((31, 59), 3, 3, 1, 1, False),
    "4x4 tiles": ((12, 20), 4, None, 0, 1, False),
    "2x8 tiles": ((6, 40), (2, 8), None, 0, 1, False),
    "3x1 tiles": ((9, 7), (3, 1), None, 0, 1, False),
    "3x3 stride 1": ((14, 15), 3, 1, 1, 1, False),
    "stride above the kernel": ((20, 19), 2, 3, 1, 1, False),
    "uneven": ((13, 31), (3, 5), (1, 2), (1, 2), 1, True),
    "dilated": ((16, 17), 3, 2, 2, 2, False),
    "dilated, ceil": ((15, 14), (2, 3), (3, 2), (1, 1), (4, 2), True),
    "large windows": ((33, 40), 11, 4, 5, 1, False),
    "whole plane": ((9, 10), (9, 10), None, 0, 1, False),
    "few pixels": ((5, 5), 2, 2, 0, 1, False),
    "one pixel": ((1, 1), 1, None, 0, 1, False),
    "wide rows": ((3, 200), (2, 3), (1, 2), (0, 1), 1, False),
}


def draw(key: str, dtype: str = "float64", ties: bool = False) -> np.ndarray:
    shape = (3, 5, *WINDOWS[key][0])
    rng = np.random.default_rng(len(key))
    return (rng.integers(0, 4, shape) if ties else rng.standard_normal(shape)).astype(dtype)


def scatter(g: np.ndarray, places: np.ndarray, plane: tuple[int, int]) -> np.ndarray:
    """Add every gradient to the place it came from; a window that saw nothing has none (-1)."""
    g = np.where(places >= 0, g, 0)
    planes = g.shape[0] * g.shape[1]
    out = np.zeros((planes, plane[0] * plane[1]))
    rows = np.arange(planes)[:, None]
    np.add.at(out, (rows, places.reshape(planes, -1)), g.reshape(planes, -1))
    return out.reshape(*g.shape[:2], *plane)


def adjoint(f: Callable[[np.ndarray], np.ndarray], g: np.ndarray, shape: Any) -> np.ndarray:
    """The transpose of a linear f of planes, from what it does to each pixel."""
    plane = np.zeros((shape[-2] * shape[-1], 1, *shape[-2:]))
    plane.reshape(len(plane), -1)[np.arange(len(plane)), np.arange(len(plane))] = 1
    return np.einsum("ncyx,pyx->ncp", g, f(plane)[:, 0]).reshape(shape)


# ---------------------------------------------------------------- maxima


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("key", WINDOWS)
def test_max(key: str, ties: bool, dtype: str) -> None:
    plane, *how = WINDOWS[key]
    x = draw(key, dtype, ties)
    values, places = reference.max_pool(x, 2, *how)
    tx = cr.tensor(x, requires_grad=True)
    out, indices = F.max_pool2d_with_indices(tx, *how)
    np.testing.assert_array_equal(out.detach().numpy(), values)
    np.testing.assert_array_equal(indices.numpy(), places)  # of equals the first
    assert indices.dtype == cr.int64
    np.testing.assert_array_equal(F.max_pool2d(tx, *how).detach().numpy(), values)
    g = np.random.default_rng(1).integers(-3, 4, values.shape).astype(dtype)
    wanted = scatter(g, places, plane)
    for result in (out, F.max_pool2d(tx, *how)):
        (dx,) = cr.autograd.grad(result, tx, cr.tensor(g))
        np.testing.assert_array_equal(dx.numpy(), wanted)


@pytest.mark.parametrize(
    "key", ["2x2", "2x2, wide odd plane", "3x3 stride 2", "large windows", "few pixels"]
)
def test_max_of_special_values(key: str) -> None:
    """A window with a NaN gives NaN, wherever it stands; minus infinity is a value like others."""
    how = WINDOWS[key][1:]
    rng = np.random.default_rng(0)
    x = draw(key, "float32")
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.05] = np.inf
    x[0] = -np.inf
    out, indices = (t.numpy() for t in F.max_pool2d_with_indices(cr.tensor(x), *how))
    values, places = reference.max_pool(x, 2, *how)
    np.testing.assert_array_equal(out, values)
    np.testing.assert_array_equal(indices[0], places[0])  # the first inside, not the padding
    flat = x.reshape(15, -1)
    picked = np.take_along_axis(flat, indices.reshape(15, -1), 1).reshape(out.shape)
    np.testing.assert_array_equal(picked, out)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", WINDOWS)
def test_values_alone(key: str, dtype: str) -> None:
    """Without a gradient no places are kept; the maxima are the same, NaN included."""
    x = draw(key, dtype)
    x[np.random.default_rng(1).random(x.shape) < 0.02] = np.nan
    x[0] = -np.inf
    tx = cr.tensor(x, requires_grad=True)
    for pool, args in ((F.max_pool2d, WINDOWS[key][1:]), (F.adaptive_max_pool2d, (1,))):
        want = pool(tx, *args)
        with cr.no_grad():
            got = pool(tx, *args)
        assert want.requires_grad
        assert not got.requires_grad
        np.testing.assert_array_equal(got.numpy(), want.detach().numpy())


def test_window_without_a_pixel() -> None:
    """Dilation can step over a narrow plane: minus infinity, no index, no gradient."""
    x = cr.tensor([[[5.0]]], requires_grad=True)
    out, indices = F.max_pool2d_with_indices(x, (1, 2), 1, (0, 1), (1, 2))
    assert out.item() == -np.inf
    assert indices.item() == -1
    out.backward(cr.ones(1, 1, 1))
    assert x.grad.item() == 0


def test_max_1d() -> None:
    x = np.random.default_rng(0).integers(0, 5, (2, 3, 41)).astype(np.float32)
    for how in [(2,), (3, 2, 1), (4, 1, 2, 2, True)]:
        values, places = reference.max_pool(x, 1, *how)
        out, indices = F.max_pool1d_with_indices(cr.tensor(x), *how)
        np.testing.assert_array_equal(out.numpy(), values)
        np.testing.assert_array_equal(indices.numpy(), places)
        np.testing.assert_array_equal(F.max_pool1d(cr.tensor(x[0]), *how).numpy(), values[0])


# ---------------------------------------------------------------- averages


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", [k for k in WINDOWS if "dilated" not in k])
def test_avg(key: str, dtype: str, count_include_pad: bool) -> None:
    kernel, stride, padding, _, ceil = WINDOWS[key][1:]
    how = (kernel, stride, padding, ceil, count_include_pad)
    x = draw(key, dtype)
    tx = cr.tensor(x, requires_grad=True)
    out = F.avg_pool2d(tx, *how)
    eps = 8 * np.finfo(dtype).eps
    value = reference.avg_pool(np.float64(x), 2, *how)
    np.testing.assert_allclose(out.detach().numpy(), value, rtol=0, atol=eps * np.abs(x).max())
    g = np.random.default_rng(1).standard_normal(value.shape).astype(dtype)
    out.backward(cr.tensor(g))
    wanted = adjoint(lambda p: reference.avg_pool(p, 2, *how), np.float64(g), x.shape)
    np.testing.assert_allclose(tx.grad.numpy(), wanted, rtol=0, atol=eps * np.abs(g).max())


def test_divisor_override() -> None:
    x = draw("3x3 stride 2")
    out = F.avg_pool2d(cr.tensor(x), 3, 2, 1, divisor_override=-2).numpy()
    np.testing.assert_allclose(out, reference.avg_pool(x, 2, 3, 2, 1, False, True, -2))
    with pytest.raises(ValueError, match="avg_pool2d: divisor_override must not be 0"):
        F.avg_pool2d(cr.tensor(x), 3, divisor_override=0)


def test_avg_1d() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 41))
    for how in [(2,), (3, 2, 1), (4, 3, 2, True, False), (4, 3, 2, True, True)]:
        value = reference.avg_pool(x, 1, *how)
        np.testing.assert_allclose(F.avg_pool1d(cr.tensor(x), *how).numpy(), value)
        np.testing.assert_allclose(F.avg_pool1d(cr.tensor(x[0]), *how).numpy(), value[0])


# ---------------------------------------------------------------- adaptive


@pytest.mark.parametrize("size", [1, 2, 3, 5, (1, 6), (12, 12), (17, 4), (-1, 3)])
@pytest.mark.parametrize("plane", [(12, 12), (7, 10), (1, 1), (3, 40)])
def test_adaptive(plane: tuple[int, int], size: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, *plane))
    tx = cr.tensor(x, requires_grad=True)
    mean = F.adaptive_avg_pool2d(tx, size)
    np.testing.assert_allclose(mean.detach().numpy(), reference.adaptive_avg(x, 2, size))
    g = np.random.default_rng(1).standard_normal(tuple(mean.shape))
    mean.backward(cr.tensor(g))
    wanted = adjoint(lambda p: reference.adaptive_avg(p, 2, size), g, x.shape)
    np.testing.assert_allclose(tx.grad.numpy(), wanted, atol=1e-14)

    values, places = reference.adaptive_max(x, 2, size)
    out, indices = F.adaptive_max_pool2d_with_indices(tx, size)
    np.testing.assert_array_equal(out.detach().numpy(), values)
    np.testing.assert_array_equal(indices.numpy(), places)
    (dx,) = cr.autograd.grad(F.adaptive_max_pool2d(tx, size), tx, cr.tensor(g))
    np.testing.assert_allclose(dx.numpy(), scatter(g, places, plane), atol=1e-14)


def test_adaptive_1d_and_none() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 11))
    for size in (1, 4, 11, 15):
        mean = F.adaptive_avg_pool1d(cr.tensor(x), size).numpy()
        np.testing.assert_allclose(mean, reference.adaptive_avg(x, 1, size))
        largest, places = (
            t.numpy() for t in F.adaptive_max_pool1d_with_indices(cr.tensor(x), size)
        )
        np.testing.assert_array_equal(largest, reference.adaptive_max(x, 1, size)[0])
        np.testing.assert_array_equal(places, reference.adaptive_max(x, 1, size)[1])
    planes = cr.randn(2, 6, 8)
    assert tuple(F.adaptive_avg_pool2d(planes, (None, 2)).shape) == (2, 6, 2)


# ---------------------------------------------------------------- any window


@st.composite
def problems(draw: Any) -> tuple[Any, ...]:
    """Any valid max pool, small."""
    axes = []
    for _ in range(2):
        kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        reach = dilation * (kernel - 1) + 1
        padding = draw(st.integers(0, reach // 2))
        size = max(reach - 2 * padding, kernel, reach - padding) + draw(st.integers(0, 30))
        axes.append((size, kernel, draw(st.integers(1, 6)), padding, dilation))
    h, w = axes
    return (*zip(h, w, strict=True), draw(st.booleans()))


@given(problems(), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_any_window(problem: tuple[Any, ...], seed: int) -> None:
    plane, *how = problem
    x = np.random.default_rng(seed).integers(-4, 5, (2, 3, *plane)).astype(np.float32)
    tx = cr.tensor(x, requires_grad=True)
    values, places = reference.max_pool(x, 2, *how)
    out, indices = F.max_pool2d_with_indices(tx, *how)
    np.testing.assert_array_equal(out.detach().numpy(), values)
    np.testing.assert_array_equal(indices.numpy(), places)
    g = np.random.default_rng(seed + 1).integers(-3, 4, values.shape).astype(np.float32)
    out.backward(cr.tensor(g))
    np.testing.assert_array_equal(tx.grad.numpy(), scatter(g, places, plane))


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize("key", ["2x2, odd plane, ceil", "3x3 stride 2", "large windows"])
def test_gradients_of_the_families(key: str) -> None:
    """Orders 1 and 2 of the rows that are each other's gradients."""
    plane, *how = WINDOWS[key]
    kernel, stride, padding, _, ceil = how
    x = cr.tensor(draw(key)[:1, :2], requires_grad=True)
    out, indices = F.max_pool2d_with_indices(x, *how)
    compact = indices.int()
    small = cr.randn(*out.shape, dtype=cr.float64, requires_grad=True)
    mean = (kernel, stride, padding, ceil, False)
    for f, arg in [
        (lambda x: F.max_pool2d(x, *how), x),
        (lambda g: _core._max_unpool(g, compact, plane), small),
        (lambda x: _core._max_take(x, compact, 2), x),
        (lambda x: F.avg_pool2d(x, *mean), x),
        (lambda g: _core._avg_pool_grad(g, plane, *_two(mean), None), small),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), x),
        (lambda g: _core._adaptive_avg_pool_grad(g, plane), small),
    ]:
        assert gradcheck(f, (arg,), fast_mode=True)
        assert gradgradcheck(f, (arg,), fast_mode=True)


def _two(how: Any) -> list[Any]:
    """Kernel, stride and padding as pairs, as the gradient row takes them."""
    kernel, stride, padding, *rest = how
    stride = kernel if stride is None else stride
    return [*(reference.spread(v, 2) for v in (kernel, stride, padding)), *rest]


def test_second_order_reaches_the_input() -> None:
    """d/dx of |grad|^2 through a maximum: only the chosen pixels take part."""
    x = cr.tensor(draw("2x2")[:1, :1], requires_grad=True)
    (dx,) = cr.autograd.grad((F.max_pool2d(x, 2) ** 3).sum(), x, create_graph=True)
    (ddx,) = cr.autograd.grad(dx.sum(), x)
    chosen = dx.detach().numpy() != 0
    assert chosen.sum() == 16
    np.testing.assert_allclose(ddx.numpy(), 6 * x.detach().numpy() * chosen)


# ---------------------------------------------------------------- layouts, threads, sizes


def test_memory_layouts() -> None:
    x = draw("3x3 stride 2")
    for view in (
        cr.tensor(x.transpose(0, 2, 3, 1).copy()).permute(0, 3, 1, 2),
        cr.tensor(np.repeat(x, 2, -1))[..., ::2],
        cr.tensor(np.flip(x, 1).copy()).flip(1),
    ):
        np.testing.assert_array_equal(
            F.max_pool2d(view, 3, 2, 1).numpy(), reference.max_pool(x, 2, 3, 2, 1)[0]
        )
        np.testing.assert_allclose(
            F.avg_pool2d(view, 3, 2, 1).numpy(), reference.avg_pool(x, 2, 3, 2, 1)
        )


@pytest.mark.parametrize("key", ["2x2", "2x2, wide odd plane", "3x3 stride 2", "large windows"])
def test_same_bits_for_any_number_of_threads(key: str) -> None:
    plane, *how = WINDOWS[key]
    x = np.random.default_rng(0).standard_normal((32, 16, *plane)).astype(np.float32)
    kernel, stride, padding, _, ceil = how
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        tx = cr.tensor(x, requires_grad=True)
        largest, mean = F.max_pool2d(tx, *how), F.avg_pool2d(tx, kernel, stride, padding, ceil)
        ((largest * mean).sum() + (F.adaptive_avg_pool2d(tx, 3) ** 2).sum()).backward()
        results.append([a.numpy().tobytes() for a in (largest.detach(), mean.detach(), tx.grad)])
    assert results[0] == results[1] == results[2]


def test_empty_batch() -> None:
    for pool in (
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
        lambda x: F.adaptive_max_pool2d(x, (3, 4)),
    ):
        x = cr.zeros(0, 3, 6, 8, requires_grad=True)
        out = pool(x)
        assert tuple(out.shape) == (0, 3, 3, 4)
        out.sum().backward()
        assert tuple(x.grad.shape) == (0, 3, 6, 8)


def test_unbatched_equals_batch_of_one() -> None:
    x = cr.randn(3, 7, 8)
    for pool in (
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, 2),
        lambda x: F.adaptive_max_pool2d(x, 3),
    ):
        np.testing.assert_array_equal(pool(x).numpy(), pool(x[None])[0].numpy())


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("shape", "args", "message"),
    [
        ((6, 6), (2,), r"got input of shape \(6, 6\); expected \(N, C, H, W\) or \(C, H, W\)"),
        ((1, 2, 3, 4, 5), (2,), r"got input of shape \(1, 2, 3, 4, 5\)"),
        ((1, 2, 0, 4), (2,), r"planes are empty \(got shape \(1, 2, 0, 4\)\)"),
        ((1, 2, 6, 6), (0,), r"must be at least 1 .*kernel_size=0"),
        ((1, 2, 6, 6), (2, 0), r"must be at least 1 .*stride=0"),
        ((1, 2, 6, 6), (2, -1), r"must be at least 1 .*stride=-1"),
        ((1, 2, 6, 6), (2, 2, -1), r"padding at least 0 .*padding=-1"),
        ((1, 2, 6, 6), (3, 2, 2), r"padding is more than half the window .*padding=2"),
        ((1, 2, 6, 6), (7,), r"larger than the padded input .*kernel_size=7"),
        ((1, 2, 6, 6), ((2, 2, 2),), r"kernel_size.*2 values"),
        ((1, 2, 6, 6), (1 << 40,), r"2\*\*31"),
        ((1, 2, 6, 6), (2, 1 << 40), r"2\*\*31"),
    ],
)
def test_bad_windows(name: str, shape: Any, args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        getattr(F, name)(cr.ones(*shape), *args)
    assert "pool" in str(error.value)


def test_bad_dilation_and_sizes() -> None:
    x = cr.ones(1, 2, 6, 6)
    with pytest.raises(ValueError, match=r"dilation and .*dilation=0|at least 1 .*dilation=0"):
        F.max_pool2d(x, 2, 2, 0, 0)
    with pytest.raises(ValueError, match="adaptive_avg_pool2d: output_size must be at least 1"):
        F.adaptive_avg_pool2d(x, 0)
    with pytest.raises(ValueError, match="output_size must be at least 1"):
        F.adaptive_max_pool2d(x, (2, -3))
    with pytest.raises(ValueError, match=r"expected \(N, C, L\) or \(C, L\)"):
        F.avg_pool1d(x, 2)


@pytest.mark.parametrize("dtype", [cr.int64, cr.uint8, cr.bool])
def test_bad_dtypes(dtype: Any) -> None:
    x = cr.ones(1, 2, 6, 6).to(dtype)
    for pool in (F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        with pytest.raises(TypeError, match=r"dtype .*; expected float32 or float64"):
            pool(x, 2)


def test_bad_gradients() -> None:
    """The gradient rows check their inputs too; an index outside its plane is no memory error."""
    g, x = cr.ones(1, 1, 2, 2), cr.ones(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"max_unpool: .*equal shapes"):
        _core._max_unpool(g, cr.zeros(1, 1, 2, dtype=cr.int32), (4, 4))
    with pytest.raises(TypeError, match=r"max_unpool: .*int32"):
        _core._max_unpool(g, cr.zeros(1, 1, 2, 2, dtype=cr.int64), (4, 4))
    with pytest.raises(ValueError, match="max_take: planes of shapes"):
        _core._max_take(x, cr.zeros(2, 1, 2, 2, dtype=cr.int32), 2)
    with pytest.raises(ValueError, match=r"avg_pool_grad: the gradient has shape \(1, 1, 2, 2\)"):
        _core._avg_pool_grad(g, (9, 9), (2, 2), (2, 2), (0, 0), False, True, None)
    wild = cr.full((1, 1, 2, 2), 1 << 20, dtype=cr.int32)
    assert not _core._max_unpool(g, wild, (4, 4)).numpy().any()
    assert not _core._max_take(x, wild, 2).numpy().any()
