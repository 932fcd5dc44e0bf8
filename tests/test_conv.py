"""Convolution: every algorithm of every direction, geometry, precision, threads, memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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

DIRECTIONS = ("forward", "input_grad", "weight_grad")
ALGORITHMS = [
    *(
        (d, name)
        for d in DIRECTIONS[:2]
        for name in (
            "direct",
            "pointwise",
            "gemm",
            "images",
            "channels",
            "row_lanes",
            "implicit_gemm",
        )
    ),
    *(
        ("weight_grad", name)
        for name in ("gemm", "images", "channels", "outer_products", "dot_products")
    ),
    *((d, "reference") for d in DIRECTIONS),
]

ONE = (1, 1, 1)
# input, weight, stride, padding (before and after each dimension), dilation, groups
GEOMETRY: dict[str, tuple[Any, ...]] = {
    "digits": ((5, 1, 8, 8), (32, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "a batch": ((47, 6, 7, 6), (28, 6, 3, 2), (1, 2), (1, 1, 1, 0), (1, 1), 1),
    "a batch, depthwise": ((32, 3, 9, 8), (3, 1, 5, 3), (2, 1), (2, 2, 1, 1), (1, 1), 3),
    "a batch, bands": ((16, 9, 40, 33), (6, 9, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "many channels": ((3, 40, 9, 7), (37, 40, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "few images, many channels": (
        *((2, 64, 9, 7), (64, 64, 5, 3), (1, 1), (2, 2, 1, 1), (1, 1), 1),
    ),
    "several blocks of taps": ((1, 130, 6, 5), (13, 130, 2, 2), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "bands of a large image": ((2, 3, 50, 41), (5, 3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "one row wider than a tile": ((1, 2, 1, 1500), (3, 2, 1, 5), (1, 1), (0, 0, 2, 2), (1, 1), 1),
    "stride": ((4, 6, 13, 14), (8, 6, 3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1),
    "stride above the kernel": ((2, 3, 14, 13), (4, 3, 2, 1), (3, 4), (0, 0, 0, 0), (1, 1), 1),
    "stride and dilation": ((2, 3, 15, 16), (4, 3, 3, 4), (2, 3), (2, 1, 0, 3), (3, 2), 1),
    "padding above the kernel": ((2, 2, 4, 5), (3, 2, 2, 2), (1, 2), (3, 4, 5, 2), (1, 1), 1),
    "pixels no window reaches": ((2, 2, 9, 10), (3, 2, 2, 2), (4, 4), (0, 0, 0, 0), (1, 1), 1),
    "pointwise": ((3, 9, 6, 7), (17, 9, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "pointwise, large planes": ((2, 70, 15, 16), (66, 70, 1, 1), (1, 1), (0,) * 4, (1, 1), 1),
    "pointwise, groups": ((3, 9, 6, 7), (6, 3, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 3),
    "pointwise, stride": ((3, 9, 7, 7), (5, 9, 1, 1), (2, 2), (0, 0, 0, 0), (1, 1), 1),
    "groups": ((3, 12, 8, 8), (20, 3, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 4),
    "depthwise": ((3, 11, 9, 8), (11, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 11),
    "depthwise, small batch": ((2, 35, 9, 8), (35, 1, 3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 35),
    "depthwise, bands": ((1, 16, 70, 33), (16, 1, 3, 5), (1, 1), (1, 1, 2, 0), (1, 1), 16),
    "depthwise, bands, stride": ((2, 13, 77, 60), (13, 1, 4, 3), (3, 2), (2, 1, 1, 1), (1, 1), 13),
    "depthwise, stride and dilation": (
        *((3, 18, 15, 16), (18, 1, 3, 4), (2, 3), (2, 1, 0, 3), (3, 2), 18),
    ),
    "depthwise, padding above the kernel": (
        *((2, 17, 4, 5), (17, 1, 2, 2), (1, 2), (3, 4, 5, 2), (1, 1), 17),
    ),
    "depthwise, stride above the kernel": (
        *((2, 16, 9, 10), (16, 1, 2, 1), (4, 3), (0, 0, 0, 0), (1, 1), 16),
    ),
    "depthwise, two each, stride": ((2, 5, 9, 8), (10, 1, 3, 2), (2, 2), (1, 1, 0, 0), (1, 1), 5),
    "whole image": ((7, 3, 4, 5), (6, 3, 4, 5), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "one pixel": ((4, 3, 1, 1), (2, 3, 1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "volume": ((2, 5, 6, 7, 5), (8, 5, 3, 3, 3), ONE, (1,) * 6, ONE, 1),
    "volume, bands": ((1, 2, 3, 40, 31), (3, 2, 2, 3, 3), ONE, (0, 1, 1, 1, 1, 1), ONE, 1),
    "volume, stride": ((3, 4, 7, 9, 8), (6, 4, 3, 2, 3), (2, 2, 1), (1, 1, 0, 0, 1, 1), ONE, 1),
    "volume, stride and dilation": (
        *((2, 3, 15, 9, 8), (4, 3, 4, 3, 2), (4, 2, 1), (3, 1, 2, 0, 0, 1), (2, 3, 2), 1),
    ),
    "volume, planes no window reaches": (
        *((2, 2, 11, 6, 5), (3, 2, 2, 2, 2), (5, 1, 1), (0,) * 6, ONE, 1),
    ),
    "volume, many channels": ((2, 70, 3, 4, 5), (19, 70, 3, 3, 2), ONE, (1,) * 6, ONE, 1),
    "volume, groups": ((2, 6, 4, 5, 6), (8, 3, 2, 2, 3), (1, 2, 1), (1,) * 6, ONE, 2),
    "volume, depthwise": ((2, 5, 4, 6, 7), (5, 1, 3, 3, 3), (2, 1, 1), (1,) * 6, ONE, 5),
    "volume, pointwise": ((2, 5, 3, 4, 6), (7, 5, 1, 1, 1), ONE, (0,) * 6, ONE, 1),
    "volume, planes only": ((2, 5, 3, 4, 6), (7, 5, 1, 3, 3), ONE, (0, 0, 1, 1, 1, 1), ONE, 1),
    "volume, depth only": ((2, 5, 6, 3, 4), (7, 5, 3, 1, 1), (2, 1, 1), (1, 1, 0, 0, 0, 0), ONE, 1),
    "volume, rows only": ((2, 4, 5, 3, 6), (3, 4, 1, 1, 4), (1, 1, 2), (0, 0, 0, 0, 1, 2), ONE, 1),
}


@contextmanager
def forced(direction: str, name: str) -> Iterator[None]:
    _core._force_conv_algorithm(direction, name)
    try:
        yield
    finally:
        _core._force_conv_algorithm(direction, "")


def draw(key: str, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input, weight and output gradient of a geometry."""
    x_shape, w_shape, *how = GEOMETRY[key]
    rng = np.random.default_rng(len(key))
    x, w = (rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape))
    shape = reference.conv(np.zeros(x_shape), np.zeros(w_shape), None, *how).shape
    return x, w, rng.standard_normal(shape).astype(dtype)


def run(direction: str, key: str, x: Any, w: Any, g: Any) -> cr.Tensor:
    """Call the row of a direction."""
    x_shape, w_shape, *how = GEOMETRY[key]
    x, w, g = cr.tensor(x), cr.tensor(w), cr.tensor(g)
    if direction == "forward":
        return _core._conv(x, w, None, *how)
    if direction == "input_grad":
        return _core._conv_input_grad(g, w, None, x_shape[2:], *how)
    return _core._conv_weight_grad(x, g, w_shape[2:], *how)


def expected(direction: str, key: str, x: Any, w: Any, g: Any) -> tuple[Any, int]:
    """Return the reference's result and the number of products in a sum."""
    x, w, g = (np.float64(a) for a in (x, w, g))
    stride, padding, dilation, groups = GEOMETRY[key][2:]
    if direction == "forward":
        return reference.conv(x, w, None, stride, padding, dilation, groups), w[0].size
    dx, dw = reference.conv_grads(x, w, g, stride, padding, dilation, groups)
    if direction == "input_grad":
        return dx, w[:, 0].size // groups
    return dw, g[:, 0].size


def check(got: cr.Tensor, direction: str, key: str, x: Any, w: Any, g: Any) -> None:
    """Compare within 2 eps sqrt(K) |a||b|, what a sum of K products may lose."""
    value, k = expected(direction, key, x, w, g)
    size, _ = expected(direction, key, np.abs(x), np.abs(w), np.abs(g))
    array = got.numpy()
    assert array.dtype == x.dtype
    assert array.shape == value.shape
    bound = 2 * np.finfo(array.dtype).eps * np.sqrt(k) * size
    assert np.all(np.abs(array - value) <= bound + np.finfo(array.dtype).tiny)


# ---------------------------------------------------------------- algorithms


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("direction", "name"), ALGORITHMS)
def test_every_algorithm(direction: str, name: str, dtype: str) -> None:
    accepted = 0
    for key in GEOMETRY:
        x, w, g = draw(key, dtype)
        with forced(direction, name):
            try:
                got = run(direction, key, x, w, g)
            except RuntimeError:  # this one declines
                continue
        assert _core._last_conv_algorithm(direction) == name
        check(got, direction, key, x, w, g)
        accepted += 1
    assert accepted == len(GEOMETRY) or name in (
        "direct",
        "gemm",
        "pointwise",
        "images",
        "channels",
    )
    assert accepted >= 3


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("digits", ("implicit_gemm", "direct", "outer_products")),
        ("a batch", ("images", "images", "images")),
        ("a batch, depthwise", ("images", "images", "images")),
        ("few images, many channels", ("row_lanes", "row_lanes", "outer_products")),
        ("pointwise", ("pointwise", "pointwise", "dot_products")),
        ("pointwise, large planes", ("gemm", "gemm", "gemm")),
        ("whole image", ("gemm", "gemm", "gemm")),
        ("pointwise, stride", ("implicit_gemm", "implicit_gemm", "dot_products")),
        ("bands of a large image", ("implicit_gemm", "implicit_gemm", "dot_products")),
        ("depthwise", ("direct", "direct", "dot_products")),
        ("depthwise, small batch", ("channels", "channels", "channels")),
        ("volume, bands", ("implicit_gemm", "direct", "dot_products")),
        ("volume, depthwise", ("direct", "direct", "dot_products")),
        ("volume, pointwise", ("pointwise", "pointwise", "dot_products")),
    ],
)
def test_choice(key: str, names: tuple[str, str, str]) -> None:
    arrays = draw(key)
    for direction, name in zip(DIRECTIONS, names, strict=True):
        run(direction, key, *arrays)
        assert _core._last_conv_algorithm(direction) == name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transposed_from_one_pixel(dtype: str) -> None:
    """A product of matrices whose bias belongs to channels, not to columns."""
    rng = np.random.default_rng(0)
    x, w, b = (
        rng.standard_normal(shape).astype(dtype) for shape in ((5, 7, 1, 1), (7, 3, 4, 2), 3)
    )
    got = F.conv_transpose2d(cr.tensor(x), cr.tensor(w), cr.tensor(b), 2)
    assert _core._last_conv_algorithm("input_grad") == "gemm"
    wanted = np.einsum("nc,cors->nors", x[:, :, 0, 0], w) + b[:, None, None]
    np.testing.assert_allclose(got.numpy(), wanted, rtol=0, atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("bias", [False, True])
def test_small_products_of_a_batch(bias: bool, activation: str | None) -> None:
    """Their workspace depends on bias and activation, which planning does not see."""
    for channels, rows in ((1, 1), (1, 2), (2, 1), (2, 2), (1, 7)):
        x, w, b = cr.randn(8, channels, 16, 12), cr.randn(rows, channels, 1, 1), cr.randn(rows)
        options = {} if activation is None else {"activation": activation}
        got = F.conv2d(x, w, b if bias else None, **options).numpy()
        assert _core._last_conv_algorithm("forward") == "gemm"
        wanted = np.einsum("nchw,oc->nohw", x.numpy(), w.numpy()[:, :, 0, 0])
        wanted = wanted + b.numpy()[:, None, None] if bias else wanted
        wanted = np.maximum(wanted, 0) if activation else wanted
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_forcing_is_checked() -> None:
    with pytest.raises(ValueError, match="no algorithm for forward is named 'fft'"):
        _core._force_conv_algorithm("forward", "fft")
    with pytest.raises(ValueError, match="no direction is named 'sideways'"):
        _core._last_conv_algorithm("sideways")
    with forced("forward", "pointwise"), pytest.raises(RuntimeError, match="'pointwise' does not"):
        F.conv2d(cr.ones(1, 1, 4, 4), cr.ones(1, 1, 2, 2))


@pytest.mark.parametrize("level", ["baseline", "v3", "v4"])
def test_every_instruction_set(level: str) -> None:
    """The variable caps the level: a machine without it runs its best once more."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "smoke", __file__],
        env=os.environ | {"CHAINRULE_ISA": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]
    assert "passed" in result.stdout


@st.composite
def problems(draw: Any) -> dict[str, Any]:
    """Any valid convolution, small."""
    groups = draw(st.integers(1, 3))
    axes = []
    for _ in range(2):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        before, after = draw(st.integers(0, 4)), draw(st.integers(0, 4))
        least = max(1, dilation * (kernel - 1) + 1 - before - after)
        size = least + draw(st.integers(0, 12))
        axes.append((kernel, dilation, before, after, size, draw(st.integers(1, 5))))
    (r, dh, top, bottom, h, sh), (s, dw, left, right, w, sw) = axes
    channels = groups * draw(st.integers(1, 4))
    return {
        "x": (draw(st.integers(1, 4)), channels, h, w),
        "w": (groups * draw(st.integers(1, 15)), channels // groups, r, s),
        "how": ((sh, sw), (top, bottom, left, right), (dh, dw), groups),
    }


@given(problems(), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_any_geometry(problem: dict[str, Any], seed: int) -> None:
    """Values and gradients of whatever fits, with small whole numbers: sums are exact."""
    rng = np.random.default_rng(seed)
    x, w = (rng.integers(-3, 4, problem[k]).astype(np.float32) for k in "xw")
    tx, tw = cr.tensor(x, requires_grad=True), cr.tensor(w, requires_grad=True)
    out = F.conv2d(tx, tw, None, *problem["how"])
    value = reference.conv(x, w, None, *problem["how"])
    np.testing.assert_array_equal(out.detach().numpy(), value)
    g = rng.integers(-3, 4, value.shape).astype(np.float32)
    out.backward(cr.tensor(g))
    dx, dw = reference.conv_grads(x, w, g, *problem["how"])
    np.testing.assert_array_equal(tx.grad.numpy(), dx)
    np.testing.assert_array_equal(tw.grad.numpy(), dw)


# ---------------------------------------------------------------- gradients


SMALL = (
    "stride",
    "stride above the kernel",
    "stride and dilation",
    "padding above the kernel",
    "pixels no window reaches",
    "pointwise, groups",
    "groups",
    "depthwise, two each, stride",
    "volume, stride",
    "volume, planes no window reaches",
    "volume, groups",
)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("key", SMALL)
def test_gradients_of_the_family(key: str, direction: str) -> None:
    """Orders 1 and 2 of each of the three rows, which are each other's gradients."""
    x, w, g = (cr.tensor(a, requires_grad=True) for a in draw(key))
    x_shape, w_shape, *how = GEOMETRY[key]
    rows: dict[str, Any] = {
        "forward": (lambda x, w: _core._conv(x, w, None, *how), (x, w)),
        "input_grad": (lambda g, w: _core._conv_input_grad(g, w, None, x_shape[2:], *how), (g, w)),
        "weight_grad": (lambda x, g: _core._conv_weight_grad(x, g, w_shape[2:], *how), (x, g)),
    }
    call, inputs = rows[direction]
    assert gradcheck(call, inputs, fast_mode=True)
    assert gradgradcheck(call, inputs, fast_mode=True)


def test_third_order() -> None:
    x = cr.randn(2, 2, 4, 5, dtype=cr.float64, requires_grad=True)
    w = cr.randn(3, 2, 2, 2, dtype=cr.float64, requires_grad=True)

    def cube(x: cr.Tensor, w: cr.Tensor) -> cr.Tensor:
        (dx,) = cr.autograd.grad((F.conv2d(x, w) ** 3).sum(), x, create_graph=True)
        return dx

    assert gradgradcheck(cube, (x, w), fast_mode=True)


@pytest.mark.parametrize("frozen", ["input", "weight", "bias"])
def test_only_wanted_gradients(frozen: str) -> None:
    tensors = {"input": cr.randn(2, 3, 5, 5), "weight": cr.randn(4, 3, 3, 3), "bias": cr.randn(4)}
    for name, tensor in tensors.items():
        tensor.requires_grad_(name != frozen)
    F.conv2d(*tensors.values()).sum().backward()
    for name, tensor in tensors.items():
        assert (tensor.grad is None) == (name == frozen)
        assert tensor.grad is None or tensor.grad.shape == tensor.shape


# ---------------------------------------------------------------- layouts, sizes, values


def test_memory_layouts() -> None:
    """Transposed, sliced, reversed and broadcast inputs and gradients."""
    x, w, g = draw("stride")
    how = GEOMETRY["stride"][2:]
    views = {
        "channels last": lambda a: cr.tensor(a.transpose(0, 2, 3, 1).copy()).permute(0, 3, 1, 2),
        "sliced": lambda a: cr.tensor(np.repeat(a, 2, -1))[..., ::2],
        "reversed": lambda a: cr.tensor(np.flip(a, 2).copy()).flip(2),
    }
    for view in views.values():
        tx, tw = view(x).requires_grad_(), view(w).requires_grad_()
        out = F.conv2d(tx, tw, None, *how)
        np.testing.assert_allclose(out.detach().numpy(), reference.conv(x, w, None, *how))
        out.backward(view(g))
        dx, dw = reference.conv_grads(x, w, g, *how)
        np.testing.assert_allclose(tx.grad.numpy(), dx)
        np.testing.assert_allclose(tw.grad.numpy(), dw, atol=1e-12)
    one = cr.tensor(x[:1, :1]).expand(*x.shape).requires_grad_()
    F.conv2d(one, cr.tensor(w), None, *how).sum().backward()  # a gradient of stride 0
    dx, _ = reference.conv_grads(x, w, np.ones(g.shape), *how)
    np.testing.assert_allclose(one.grad.numpy(), dx)


def test_unbatched_equals_batch_of_one() -> None:
    x, w, b = cr.randn(3, 6, 7), cr.randn(4, 3, 3, 2), cr.randn(4)
    np.testing.assert_array_equal(
        F.conv2d(x, w, b, 2, 1).numpy(), F.conv2d(x[None], w, b, 2, 1)[0].numpy()
    )
    line, kernel = cr.randn(3, 9), cr.randn(4, 3, 2)
    np.testing.assert_array_equal(
        F.conv1d(line, kernel, b).numpy(), F.conv1d(line[None], kernel, b)[0].numpy()
    )


def test_conv1d_is_conv2d_of_height_one() -> None:
    x, w = cr.randn(2, 3, 9), cr.randn(4, 3, 3)
    flat = F.conv2d(x[:, :, None], w[:, :, None], None, (1, 2), (0, 1), (1, 2))
    np.testing.assert_array_equal(F.conv1d(x, w, None, 2, 1, 2).numpy(), flat[:, :, 0].numpy())


@pytest.mark.parametrize("stride", [1, 2])
def test_bias_of_each_channel(stride: int) -> None:
    """Lanes are channels: each has a bias of its own, forward and transposed."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in ((2, 31, 7, 9), (31, 1, 3, 3), 31))
    x, w, b = cr.tensor(x), cr.tensor(w), cr.tensor(b)
    for call, direction in ((F.conv2d, "forward"), (F.conv_transpose2d, "input_grad")):
        with forced(direction, "channels"):
            got = call(x, w, b, stride, padding=1, groups=31).numpy()
        with forced(direction, "reference"):
            wanted = call(x, w, None, stride, padding=1, groups=31) + b.reshape(31, 1, 1)
        np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "dilation"), [((3, 3), 1), ((2, 5), 1), ((4, 3), (2, 3))])
def test_padding_by_name(kernel: tuple[int, int], dilation: Any) -> None:
    x, w = np.random.default_rng(0).standard_normal((2, 3, 9, 8)), np.ones((2, 3, *kernel))
    same = F.conv2d(cr.tensor(x), cr.tensor(w), padding="same", dilation=dilation).numpy()
    total = [d * (k - 1) for d, k in zip(reference.spread(dilation, 2), kernel, strict=True)]
    sides = [v for t in total for v in (t // 2, t - t // 2)]
    assert same.shape == (2, 2, 9, 8)
    np.testing.assert_allclose(same, reference.conv(x, w, None, 1, sides, dilation), atol=1e-12)
    valid = F.conv2d(cr.tensor(x), cr.tensor(w), padding="valid", dilation=dilation).numpy()
    np.testing.assert_allclose(valid, reference.conv(x, w, None, 1, 0, dilation), atol=1e-12)


def test_empty_batch() -> None:
    x = cr.zeros(0, 3, 8, 8, requires_grad=True)
    w, b = cr.ones(4, 3, 3, 3, requires_grad=True), cr.ones(4, requires_grad=True)
    out = F.conv2d(x, w, b)
    assert tuple(out.shape) == (0, 4, 6, 6)
    out.sum().backward()
    assert tuple(x.grad.shape) == (0, 3, 8, 8)
    assert not w.grad.numpy().any()
    assert not b.grad.numpy().any()


@pytest.mark.parametrize(("direction", "name"), ALGORITHMS)
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_special_values_stay_where_they_are_seen(direction: str, name: str, value: float) -> None:
    """Padding and pixels between rows must not turn an infinity elsewhere into NaN."""
    for key in ("digits", "stride", "pointwise", "depthwise"):
        x, w, g = draw(key, "float32")
        (g if direction == "input_grad" else x)[-1, -1, 2, 0] = value
        if direction == "weight_grad":
            x[-1, -1, -1, -1] = 0
        with forced(direction, name):
            try:
                got = run(direction, key, x, w, g).numpy()
            except RuntimeError:
                continue
        with np.errstate(all="ignore"):
            wanted, _ = expected(direction, key, x, w, g)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))


# ---------------------------------------------------------------- threads and memory


@pytest.mark.parametrize(
    "key",
    [
        "digits",
        "many channels",
        "few images, many channels",
        "pointwise, large planes",
        "whole image",
        "bands of a large image",
        "depthwise",
        "depthwise, bands",
        "volume, stride",
    ],
)
def test_same_bits_for_any_number_of_threads(key: str) -> None:
    x_shape, w_shape, *how = GEOMETRY[key]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4 * x_shape[0], *x_shape[1:])).astype(np.float32)
    w = rng.standard_normal(w_shape).astype(np.float32)
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        tx, tw = cr.tensor(x, requires_grad=True), cr.tensor(w, requires_grad=True)
        out = (F.conv2d if x.ndim == 4 else F.conv3d)(tx, tw, None, *how)
        (out * out).sum().backward()
        results.append([a.numpy().tobytes() for a in (out.detach(), tx.grad, tw.grad)])
    assert results[0] == results[1] == results[2]


def test_workspace_does_not_grow_with_the_batch() -> None:
    """No im2col of the whole batch: that would be nine times the input here."""

    def workspace(batch: int) -> list[int]:
        x, w = cr.randn(batch, 16, 28, 28), cr.randn(16, 16, 3, 3)
        g = cr.randn(batch, 16, 28, 28)
        how = ((1, 1), (1, 1, 1, 1), (1, 1), 1)
        sizes = []
        for call in (
            lambda: _core._conv(x, w, None, *how),
            lambda: _core._conv_input_grad(g, w, None, (28, 28), *how),
            lambda: _core._conv_weight_grad(x, g, (3, 3), *how),
        ):
            cr.reset_peak_memory()
            out = call()  # alive while the workspace is
            sizes.append(cr.memory_stats()["peak"] - cr.memory_stats()["allocated"])
            del out
        return sizes

    cr.set_num_threads(2)
    assert max(workspace(16)) < 2 << 20
    assert max(workspace(256)) < 3 << 20  # the input has 12 MiB, 2 are lost to a block's size class


# ---------------------------------------------------------------- errors

X, W = (2, 4, 6, 5), (6, 4, 3, 2)


@pytest.mark.parametrize(
    ("x", "w", "options", "message"),
    [
        ((4, 4), W, {}, r"conv2d: got input \(4, 4\) and weight \(6, 4, 3, 2\); expected \(N, C"),
        (X, (6, 4, 3), {}, r"conv2d: got input .* and weight \(6, 4, 3\)"),
        ((2, 3, 6, 5), W, {}, r"3 channels \(got input \(2, 3, 6, 5\), weight .*groups=1\).* 4 "),
        (X, W, {"groups": 4}, r"groups does not divide the 6 output channels .*groups=4"),
        (X, W, {"groups": 3}, r"groups does not divide the 4 input channels"),
        (X, W, {"groups": 0}, r"groups must be at least 1"),
        (X, W, {"stride": 0}, r"stride must be at least 1 .*\(0, 0\)"),
        (X, W, {"stride": -2}, r"stride must be at least 1"),
        (X, W, {"dilation": 0}, r"dilation must be at least 1"),
        (X, W, {"padding": -1}, r"padding must be at least 0"),
        (X, W, {"padding": (1, 2, 3)}, r"padding has 3 values"),
        (X, W, {"padding": 1 << 62}, r"padding must be .*below 2\*\*31"),
        (X, W, {"dilation": 1 << 31}, r"dilation must be .*below 2\*\*31"),
        (X, W, {"stride": (1, 2, 3)}, r"stride.*2"),
        (X, W, {"dilation": 3}, r"larger than the padded input .*dilation=\(3, 3\)"),
        ((2, 4, 2, 5), W, {}, r"larger than the padded input .*expected at most 2 in dimension 2"),
        ((2, 4, 0, 5), W, {}, r"conv2d"),
        (X, (6, 4, 0, 2), {}, r"empty kernel"),
        (X, (0, 4, 3, 2), {}, r"no channels"),
        (X, W, {"padding": (1 << 31) - 1}, r"conv2d|overflow|too large|memory|elements"),
        (X, W, {"padding": "full"}, r"'same', 'valid' or ints"),
        (X, W, {"padding": "same", "stride": 2}, r"padding='same' needs stride 1"),
    ],
)
def test_bad_geometry(x: Any, w: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, MemoryError), match=message):
        F.conv2d(cr.ones(*x), cr.ones(*w), **options)


def test_bad_dtypes() -> None:
    x, w = cr.ones(1, 1, 3, 3), cr.ones(1, 1, 2, 2)
    with pytest.raises(TypeError, match=r"conv2d: got input of dtype int64.*float32 or float64"):
        F.conv2d(x.long(), w.long())
    with pytest.raises(TypeError, match="dtype float32 and weight of dtype float64"):
        F.conv2d(x, w.double())
    with pytest.raises(TypeError, match="dtype float32 and bias of dtype float64"):
        F.conv2d(x, w, cr.ones(1, dtype=cr.float64))
    with pytest.raises(ValueError, match=r"got bias of shape \(2,\); expected \(1,\)"):
        F.conv2d(x, w, cr.ones(2))
    with pytest.raises(ValueError, match=r"got bias of shape \(1, 1\)"):
        F.conv2d(x, w, cr.ones(1, 1))


def test_bad_gradients() -> None:
    """The gradient rows check their inputs too."""
    x, w, g = cr.ones(1, 1, 4, 4), cr.ones(1, 1, 2, 2), cr.ones(1, 1, 5, 5)
    how = ((1, 1), (0, 0, 0, 0), (1, 1), 1)
    with pytest.raises(ValueError, match=r"conv_input_grad: .*\(1, 1, 5, 5\); expected .*3, 3"):
        _core._conv_input_grad(g, w, None, (4, 4), *how)
    with pytest.raises(ValueError, match=r"conv_weight_grad: .*\(1, 1, 5, 5\); expected .*3, 3"):
        _core._conv_weight_grad(x, g, (2, 2), *how)
    with pytest.raises(ValueError, match="groups must be at least 1"):
        _core._conv_weight_grad(x, g, (2, 2), *how[:3], 0)
