"""Interpolation, windows as columns, channels and pixels: against definitions in NumPy."""

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------- interpolation


def keys(x: float, a: float) -> float:
    """The cubic convolution kernel."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def matrix(
    method: str, n: int, m: int, align: bool, factor: float = 0.0, antialias: bool = False
) -> np.ndarray:
    """What interpolation from n to m elements does, as a dense matrix."""
    scale = ((n - 1) / (m - 1) if m > 1 else 0.0) if align else (1 / factor if factor else n / m)
    out = np.zeros((m, n))
    for i in range(m):
        at = i * scale if align else (i + 0.5) * scale - 0.5
        if antialias:
            stretch = max(scale, 1.0)
            centres = (np.arange(n) + 0.5 - (i + 0.5) * scale) / stretch
            tent = [max(1 - abs(c), 0) if method == "linear" else keys(c, -0.5) for c in centres]
            out[i] = np.array(tent) / np.sum(tent)
        elif method == "nearest":
            out[i, min(int(np.floor(np.float32(i) * np.float32(scale))), n - 1)] = 1
        elif method == "nearest-exact":
            half = (np.float32(i) + np.float32(0.5)) * np.float32(scale)
            out[i, min(int(np.floor(half)), n - 1)] = 1
        else:
            at = max(at, 0.0) if method == "linear" else at
            for tap in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
                weight = max(1 - abs(at - tap), 0) if method == "linear" else keys(at - tap, -0.75)
                out[i, min(max(tap, 0), n - 1)] += weight
    return out


METHODS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


def interpolated(
    x: np.ndarray,
    size: tuple[int, ...],
    mode: str,
    align: bool = False,
    factors: tuple[float, ...] | None = None,
    antialias: bool = False,
) -> np.ndarray:
    method = METHODS.get(mode, mode)
    for d, m in enumerate(size):
        factor = factors[d] if factors else 0.0
        band = matrix(method, x.shape[2 + d], m, align, factor, antialias)
        x = np.moveaxis(np.tensordot(band, x, (1, 2 + d)), 0, 2 + d)
    return x


MODES = {
    1: ("nearest", "nearest-exact", "linear"),
    2: ("nearest", "nearest-exact", "bilinear", "bicubic"),
    3: ("nearest", "nearest-exact", "trilinear"),
}
SIZES = [(7, 5, 4), (14, 10, 8), (3, 2, 1), (1, 9, 4), (11, 5, 3)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rank", "mode"), [(r, m) for r, ms in MODES.items() for m in ms])
def test_interpolate_to_a_size(rank: int, mode: str, dtype: str) -> None:
    x = draw(2, 3, *(7, 5, 4)[:rank]).astype(dtype)
    for size, align in itertools.product(SIZES, (None, False, True)):
        if mode.startswith("nearest") and align is not None:
            continue
        got = F.interpolate(cr.tensor(x), size[:rank], mode=mode, align_corners=align).numpy()
        assert got.dtype == dtype
        wanted = interpolated(x.astype(float), size[:rank], mode, bool(align))
        atol = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(got, wanted, atol=atol, rtol=0)


@pytest.mark.parametrize("factor", [2, 3.0, 0.5, 0.7, 1.6, (1.9, 0.45)])
@pytest.mark.parametrize("mode", MODES[2])
def test_interpolate_by_a_factor(mode: str, factor: Any) -> None:
    x = draw(2, 3, 7, 5)
    factors = factor if isinstance(factor, tuple) else (factor, factor)
    size = tuple(int(np.floor(n * f)) for n, f in zip(x.shape[2:], factors, strict=True))
    got = F.interpolate(cr.tensor(x), scale_factor=factor, mode=mode).numpy()
    np.testing.assert_allclose(got, interpolated(x, size, mode, False, factors), atol=1e-12)
    again = F.interpolate(
        cr.tensor(x), scale_factor=factor, mode=mode, recompute_scale_factor=True
    ).numpy()
    np.testing.assert_allclose(again, interpolated(x, size, mode), atol=1e-12)


@pytest.mark.parametrize("size", [(3, 2), (5, 12), (16, 9)])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_interpolate_antialiased(mode: str, size: tuple[int, int]) -> None:
    x = draw(2, 3, 10, 9)
    got = F.interpolate(cr.tensor(x), size, mode=mode, antialias=True).numpy()
    np.testing.assert_allclose(got, interpolated(x, size, mode, antialias=True), atol=1e-12)


def test_interpolate_area() -> None:
    for rank in (1, 2, 3):
        x = cr.tensor(draw(2, 3, *(6, 8, 4)[:rank]))
        halves = F.interpolate(x, scale_factor=0.5, mode="area")
        pool: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
        np.testing.assert_allclose(halves.numpy(), pool(x, 2).numpy(), rtol=1e-12)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_interpolate_gradients(mode: str) -> None:
    x = cr.tensor(draw(1, 2, 4, 3), requires_grad=True)
    for size in ((6, 5), (2, 2), (7, 2)):
        assert gradcheck(lambda x, size=size: F.interpolate(x, size, mode=mode), x, fast_mode=True)
        assert gradgradcheck(
            lambda x, size=size: F.interpolate(x, size, mode=mode).square(), x, fast_mode=True
        )
    if mode in ("bilinear", "bicubic"):
        assert gradcheck(
            lambda x: F.interpolate(x, (2, 2), mode=mode, antialias=True), x, fast_mode=True
        )


def test_transposed_resampling_is_the_adjoint() -> None:
    """Of both directions, whatever a column's weights."""
    for method, n, m in itertools.product(("nearest", "linear", "cubic"), (1, 5, 8), (1, 3, 17)):
        how = (1, n, m, method, False, False, 0.0)
        dense = matrix(method, n, m, False)
        there = _core._resample(cr.eye(n, dtype=cr.float64), *how, False).numpy()
        back = _core._resample(cr.eye(m, dtype=cr.float64), *how, True).numpy()
        np.testing.assert_allclose(there, dense.T, atol=1e-12)
        np.testing.assert_allclose(back, dense, atol=1e-12)


def test_infinities_stay_where_they_are_seen() -> None:
    x = cr.zeros(1, 1, 8, 8)
    x[0, 0, 2, 3] = float("inf")
    out = F.interpolate(x, scale_factor=2, mode="bilinear").numpy()[0, 0]
    rows, columns = np.nonzero(~np.isfinite(out))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 6, 5, 8)
    nearest = F.interpolate(x, scale_factor=2).numpy()[0, 0]
    assert np.isinf(nearest[4:6, 6:8]).all()
    assert np.isfinite(nearest).sum() == 16 * 16 - 4


def test_interpolate_keeps_sizes() -> None:
    x = cr.randn(2, 3, 4, 5)
    same = F.interpolate(x, (4, 5), mode="bilinear")
    np.testing.assert_array_equal(same.numpy(), x.numpy())
    same.zero_()
    assert x.numpy().any()  # a copy
    assert F.interpolate(cr.zeros(0, 3, 4, 5), scale_factor=2).shape == (0, 3, 8, 10)
    strided = cr.randn(2, 4, 5, 3).permute(0, 3, 1, 2)
    np.testing.assert_array_equal(
        F.interpolate(strided, (7, 6), mode="bilinear").numpy(),
        F.interpolate(strided.contiguous(), (7, 6), mode="bilinear").numpy(),
    )


def test_interpolate_same_bits_for_any_number_of_threads() -> None:
    x = cr.randn(4, 8, 40, 40)
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        y = x.clone().requires_grad_()
        F.interpolate(y, (90, 33), mode="bicubic").square().sum().backward()
        assert y.grad is not None
        results.append(y.grad.numpy().tobytes())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((2, 3, 4, 4), {"size": 8, "mode": "cubic"}, r"mode is one of nearest, .* \(got 'cubic'\)"),
        ((2, 3, 4), {"size": 8, "mode": "bilinear"}, r"\(2, 3, 4\) for mode='bilinear'; exp.* 4 d"),
        ((3, 4), {"size": 8}, r"\(3, 4\) for mode='nearest'"),
        ((2, 3, 4, 4), {}, "give either size or scale_factor"),
        ((2, 3, 4, 4), {"size": 8, "scale_factor": 2}, "give either size or scale_factor"),
        ((2, 3, 4, 4), {"size": (8,) * 3}, "size has 3 values; expected one or 2"),
        ((2, 3, 4, 4), {"scale_factor": (2,)}, "scale_factor has 1 values; expected one or 2"),
        ((2, 3, 4, 4), {"scale_factor": -2}, "scale_factor must be positive"),
        ((2, 3, 4, 4), {"scale_factor": float("inf")}, "scale_factor must be positive"),
        ((2, 3, 4, 4), {"scale_factor": 0.1}, r"at least 1 \(got \(0, 0\) for input of shape"),
        ((2, 3, 0, 4), {"size": 2}, r"at least 1 .*\(2, 3, 0, 4\)"),
        ((2, 3, 4, 4), {"size": 8, "align_corners": True}, "align_corners is for linear"),
        ((2, 3, 4, 4), {"size": 8, "antialias": True}, "antialias is for mode='bilinear'"),
        ((2, 3, 4, 4), {"size": 8, "recompute_scale_factor": True}, "recompute_scale_factor is"),
        ((2, 3, 4, 4), {"size": 1 << 40}, "interpolate: sizes must be at least 1 and below"),
    ],
)
def test_bad_interpolation(shape: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        F.interpolate(cr.zeros(*shape), **options)


def test_bad_resampling() -> None:
    with pytest.raises(TypeError, match=r"interpolate: got input of dtype .*int64"):
        F.interpolate(cr.zeros(1, 1, 4, dtype=cr.int64), 8)
    x = cr.zeros(2, 4)
    with pytest.raises(ValueError, match=r"dimension 1 of shape .* does not have 5 elements"):
        _core._resample(x, 1, 5, 8, "linear", False, False, 0.0, False)
    with pytest.raises(ValueError, match="sizes must be at least 1"):
        _core._resample(x, 1, 4, 0, "linear", False, False, 0.0, False)
    with pytest.raises(IndexError):
        _core._resample(x, 2, 4, 4, "linear", False, False, 0.0, False)
    for factor in (1e-300, 5e-324, 1e300):  # far behind the input, and before it
        for method in ("nearest", "nearest_exact", "linear", "cubic"):
            out = _core._resample(x + 1, 1, 4, 3, method, False, False, factor, False)
            np.testing.assert_allclose(out.numpy(), 1, rtol=1e-6)
        _core._resample(x, 1, 4, 3, "linear", False, True, factor, False)


def test_upsampling_layers() -> None:
    x = cr.randn(2, 3, 4, 5)
    np.testing.assert_array_equal(
        nn.Upsample((8, 8), mode="bicubic", align_corners=True)(x).numpy(),
        F.interpolate(x, (8, 8), mode="bicubic", align_corners=True).numpy(),
    )
    np.testing.assert_array_equal(
        nn.UpsamplingNearest2d(scale_factor=2)(x).numpy(), F.upsample_nearest(x, (8, 10)).numpy()
    )
    np.testing.assert_array_equal(
        nn.UpsamplingBilinear2d(size=(8, 10))(x).numpy(),
        F.upsample_bilinear(x, scale_factor=2).numpy(),
    )


# ---------------------------------------------------------------- coordinates


def sampled(x: np.ndarray, grid: np.ndarray, align: bool) -> np.ndarray:
    """Bilinear interpolation of images, zeros outside, point by point."""
    out = np.zeros((*x.shape[:2], *grid.shape[1:3]))
    height, width = x.shape[2:]
    for n, i, j in np.ndindex(*grid.shape[:3]):
        sizes, at = np.array([width, height]), grid[n, i, j] + 1
        at = at * (sizes - 1) / 2 if align else (at * sizes - 1) / 2
        for r, c in itertools.product(range(height), range(width)):
            weight = max(1 - abs(at[1] - r), 0) * max(1 - abs(at[0] - c), 0)
            out[n, :, i, j] += weight * x[n, :, r, c]
    return out


@pytest.mark.parametrize("align", [False, True])
def test_grid_sample(align: bool) -> None:
    x, grid = draw(2, 3, 5, 4), 1.5 * draw(2, 3, 6, 2, seed=1)
    got = F.grid_sample(cr.tensor(x), cr.tensor(grid), align_corners=align)
    np.testing.assert_allclose(got.numpy(), sampled(x, grid, align), atol=1e-12)


@pytest.mark.parametrize("align", [False, True])
def test_affine_grid_of_the_identity(align: bool) -> None:
    """Reads every pixel at its place, in images and volumes."""
    for shape in ((2, 3, 5, 4), (2, 3, 4, 3, 5)):
        rank = len(shape) - 2
        x = draw(*shape)
        theta = cr.eye(rank, rank + 1, dtype=cr.float64).repeat(2, 1, 1)
        grid = F.affine_grid(theta, shape, align)
        for padding in ("zeros", "border", "reflection"):
            for mode in ("bilinear", "nearest"):
                got = F.grid_sample(cr.tensor(x), grid, mode, padding, align)
                np.testing.assert_allclose(got.numpy(), x, atol=1e-12)
    turned = cr.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]], dtype=cr.float64)
    image = draw(1, 2, 4, 4)
    got = F.grid_sample(cr.tensor(image), F.affine_grid(turned, (1, 2, 4, 4)))
    np.testing.assert_allclose(got.numpy(), image.swapaxes(2, 3), atol=1e-12)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_gradients_of_grid_sample(mode: str, padding: str) -> None:
    x = cr.tensor(draw(1, 2, 4, 3), requires_grad=True)
    grid = cr.tensor(np.random.default_rng(3).uniform(-1.7, 1.7, (1, 3, 2, 2)))
    if mode != "nearest":
        grid.requires_grad_()

    def call(x: cr.Tensor, grid: cr.Tensor) -> cr.Tensor:
        return F.grid_sample(x, grid, mode, padding).square()

    assert gradcheck(call, (x, grid))
    assert gradgradcheck(call, (x, grid))


def test_coordinates_that_are_no_numbers() -> None:
    x = cr.ones(1, 1, 3, 3)
    bad = cr.tensor([float("nan"), float("inf"), -float("inf"), 1e30]).reshape(1, 4, 1, 1)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            F.grid_sample(x, bad.expand(1, 4, 1, 2), mode, padding)
    for shape in ((0, 3, 4, 4), (2, 0, 4, 4)):
        grid = cr.zeros(shape[0], 2, 5, 2)
        assert F.grid_sample(cr.zeros(*shape), grid).shape == (*shape[:2], 2, 5)
    assert F.grid_sample(x, cr.zeros(1, 0, 5, 2)).shape == (1, 1, 0, 5)


def test_bad_coordinates() -> None:
    x, grid = cr.zeros(2, 3, 4, 4), cr.zeros(2, 5, 6, 2)
    for call, message in (
        (lambda: F.grid_sample(x[0], grid), r"input \(3, 4, 4\) and grid \(2, 5, 6, 2\)"),
        (lambda: F.grid_sample(x, grid[..., :1]), r"grid \(2, 5, 6, 1\)"),
        (lambda: F.grid_sample(x, grid[:1]), "as many images, not empty, as grids"),
        (lambda: F.grid_sample(x[:, :, :0], grid), "as many images, not empty, as grids"),
        (lambda: F.grid_sample(x, grid, "linear"), r"mode is 'bilinear', .*got 'linear'"),
        (lambda: F.grid_sample(x, grid, padding_mode="wrap"), "padding_mode is one of"),
        (lambda: F.affine_grid(cr.zeros(2, 3, 3), (2, 3, 4, 4)), r"theta \(2, 3, 3\) and size"),
        (lambda: F.affine_grid(cr.zeros(2, 2, 3), (2, 3, 0, 4)), "sizes must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="grid_sample: input and grid have one floating dtype"):
        F.grid_sample(x, grid.double())
    with pytest.raises(TypeError, match="affine_grid: got theta of dtype"):
        F.affine_grid(cr.zeros(2, 2, 3, dtype=cr.int64), (2, 3, 4, 4))


# ---------------------------------------------------------------- windows


WINDOWS: dict[str, tuple[Any, ...]] = {  # size, kernel_size, dilation, padding, stride
    "3x3": ((5, 6), 3, 1, 0, 1),
    "padded": ((5, 6), 3, 1, 1, 1),
    "uneven": ((9, 8), (2, 3), (2, 1), (1, 0), (2, 3)),
    "apart": ((7, 7), 2, 1, 0, 3),
    "whole": ((4, 3), (4, 3), 1, 0, 1),
    "one": ((4, 3), 1, 1, 0, 1),
}


def im2col(x: np.ndarray, kernel: Any, dilation: Any, padding: Any, stride: Any) -> np.ndarray:
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (
        v if isinstance(v, tuple) else (v, v) for v in (kernel, dilation, padding, stride)
    )
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    p = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    q = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    columns = [
        x[:, :, i * sh : i * sh + dh * kh : dh, j * sw : j * sw + dw * kw : dw][:, :, :kh, :kw]
        for i in range(p)
        for j in range(q)
    ]
    return np.stack([c.reshape(x.shape[0], -1) for c in columns], -1)


@pytest.mark.parametrize("key", WINDOWS)
def test_unfold_and_fold(key: str) -> None:
    """Unfold copies the windows; fold is its transpose."""
    size, *how = WINDOWS[key]
    x = draw(2, 3, *size)
    columns = F.unfold(cr.tensor(x), *how)
    np.testing.assert_array_equal(columns.numpy(), im2col(x, *how))
    np.testing.assert_array_equal(F.unfold(cr.tensor(x[0]), *how).numpy(), im2col(x, *how)[0])
    y = draw(*columns.shape, seed=1)
    back = F.fold(cr.tensor(y), size, *how).numpy()
    plane = size[0] * size[1]
    basis = np.eye(plane).reshape(plane, 1, *size)
    taken = im2col(basis, *how)  # (plane, k, windows)
    wanted = np.einsum("pkl,nckl->ncp", taken, y.reshape(2, 3, *taken.shape[1:]))
    np.testing.assert_allclose(back, wanted.reshape(x.shape), atol=1e-12)
    np.testing.assert_array_equal(F.fold(cr.tensor(y[0]), size, *how).numpy(), back[0])
    layer = nn.Fold(size, *how)
    np.testing.assert_array_equal(layer(nn.Unfold(*how)(cr.tensor(x))).numpy()[0].shape, x[0].shape)


def test_unfold_makes_convolution_a_product() -> None:
    x, w = cr.tensor(draw(2, 3, 7, 8)), cr.tensor(draw(4, 3, 3, 2))
    product = (w.flatten(1) @ F.unfold(x, (3, 2), padding=1)).reshape(2, 4, 7, 9)
    np.testing.assert_allclose(product.numpy(), F.conv2d(x, w, padding=1).numpy(), atol=1e-12)


def test_gradients_of_windows() -> None:
    x = cr.tensor(draw(1, 2, 5, 4), requires_grad=True)
    columns = cr.tensor(draw(1, 12, 8), requires_grad=True)
    line = cr.tensor(draw(3, 9), requires_grad=True)
    for call, value in (
        (lambda x: F.unfold(x, (3, 2), 1, 1, 2).square(), x),
        (lambda y: F.fold(y, (5, 4), (3, 2), 1, (1, 0), (2, 2)).square(), columns[:, :, :6]),
        (lambda x: x.unfold(-1, 4, 2).square(), line),
        (lambda x: x.unfold(0, 2, 1).unfold(1, 3, 3).square(), line),
    ):
        leaf = value.detach().clone().requires_grad_()
        assert gradcheck(call, leaf, fast_mode=True)
        assert gradgradcheck(call, leaf, fast_mode=True)


def test_tensor_unfold_is_a_view() -> None:
    x = cr.arange(6.0)
    windows = x.unfold(0, 2, 2)
    x[2] = 9
    np.testing.assert_array_equal(windows.numpy(), [[0, 1], [9, 3], [4, 5]])
    assert x.unfold(0, 0, 1).shape == (7, 0)
    assert cr.zeros(4, 3)[:, :0].unfold(0, 2, 1).shape == (3, 0, 2)
    y = cr.zeros(4, requires_grad=True)
    z = y * 1
    z.unfold(0, 2, 2)[1] += cr.tensor([1.0, 2.0])
    (z * cr.arange(4.0)).sum().backward()
    assert y.grad is not None
    np.testing.assert_array_equal(z.detach().numpy(), [0, 0, 1, 2])


def test_bad_windows() -> None:
    x = cr.zeros(2, 3, 4, 5)
    for call, message in (
        (lambda: F.unfold(x[0, 0], 2), r"unfold: got input of shape \(4, 5\); expected \(N, C"),
        (lambda: F.unfold(x, (5, 1)), r"unfold: the window is larger .*\(4, 5\), kernel_size=\(5,"),
        (lambda: F.unfold(x, 0), "unfold: kernel_size is an int of at least 1"),
        (lambda: F.unfold(x, (1, 2, 3)), "unfold: kernel_size is an int .*two"),
        (lambda: F.unfold(x, 2, padding=-1), "unfold: padding is an int of at least 0"),
        (lambda: F.unfold(x, 2, stride=0), "unfold: stride is an int of at least 1"),
        (lambda: F.fold(cr.zeros(4), 2, 2), r"fold: got input of shape \(4,\)"),
        (lambda: F.fold(cr.zeros(5, 1), 2, 2), r"\(5, 1\); expected a multiple of 4 rows .* 1 col"),
        (lambda: F.fold(cr.zeros(4, 2), 2, 2), r"\(4, 2\); expected a multiple of 4 rows .* 1 col"),
        (lambda: F.fold(cr.zeros(4, 1), (2,), 2), "fold: output_size is a positive int or two"),
        (
            lambda: _core._windows_grad(cr.zeros(2, 2), (4,), 0, 2, 1, 1),
            r"fold: got windows of shape \(2, 2\); expected \(3, 2\)",
        ),
        (
            lambda: _core._windows(cr.zeros(4), 0, 1 << 62, 1, 1 << 62),
            "do not fit dimension 0",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# ---------------------------------------------------------------- channels and pixels


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_pixel_shuffles(lead: tuple[int, ...]) -> None:
    x = draw(*lead, 8, 3, 4)
    fine = F.pixel_shuffle(cr.tensor(x), 2).numpy()
    assert fine.shape == (*lead, 2, 6, 8)
    for c, i, j in itertools.product(range(2), range(6), range(8)):
        channel = c * 4 + i % 2 * 2 + j % 2
        np.testing.assert_array_equal(fine[..., c, i, j], x[..., channel, i // 2, j // 2])
    np.testing.assert_array_equal(F.pixel_unshuffle(cr.tensor(fine), 2).numpy(), x)
    np.testing.assert_array_equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(cr.tensor(x))), x)


def test_channel_shuffle() -> None:
    x = draw(2, 6, 3, 4)
    order = [0, 2, 4, 1, 3, 5]
    np.testing.assert_array_equal(F.channel_shuffle(cr.tensor(x), 3).numpy(), x[:, order])
    np.testing.assert_array_equal(nn.ChannelShuffle(6)(cr.tensor(x)).numpy(), x)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "bfloat16"])
@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9])
def test_copies_that_interleave(columns: int, dtype: str) -> None:
    """Rows become columns: a path of its own for few and long ones."""
    for rows in (15, 16, 40):
        source = np.random.default_rng(0).integers(0, 2, (2, columns, 3, rows))
        x = cr.tensor(source).to(getattr(cr, dtype)).permute(0, 2, 3, 1)
        wanted = source.transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(x.contiguous().to(cr.int64).numpy(), wanted)
        np.testing.assert_array_equal(x.to(cr.float64).numpy(), wanted)
        into = cr.zeros(2, 3, rows, 2 * columns)
        into[..., ::2] = x
        np.testing.assert_array_equal(into[..., ::2].numpy(), wanted)
        assert not into[..., 1::2].numpy().any()
    square = cr.arange(64.0).reshape(8, 8)
    wide = square.repeat(1, 2)[:, :16].reshape(8, 16)
    wide[:, :8] = wide[:, :8].t()
    np.testing.assert_array_equal(wide[:, :8].numpy(), square.t().numpy())


def test_gradients_of_shuffles() -> None:
    x = cr.tensor(draw(1, 8, 2, 4), requires_grad=True)
    for call in (
        lambda x: F.pixel_shuffle(x, 2).square(),
        lambda x: F.pixel_unshuffle(x, 2).square(),
        lambda x: F.channel_shuffle(x, 4).square(),
    ):
        assert gradcheck(call, x, fast_mode=True)
        assert gradgradcheck(call, x, fast_mode=True)


def test_bad_shuffles() -> None:
    x = cr.zeros(2, 6, 4, 5)
    for call, message in (
        (lambda: F.pixel_shuffle(x, 2), r"pixel_shuffle: .*\(2, 6, 4, 5\) and upscale_factor=2"),
        (lambda: F.pixel_shuffle(x[0, 0], 2), r"pixel_shuffle: got input of shape \(4, 5\)"),
        (lambda: F.pixel_shuffle(x, 0), "pixel_shuffle: upscale_factor must be at least 1"),
        (lambda: F.pixel_unshuffle(x, 2), r"pixel_unshuffle: .*\(2, 6, 4, 5\)"),
        (lambda: F.channel_shuffle(x, 4), r"channel_shuffle: .*\(2, 6, 4, 5\) and groups=4"),
        (lambda: F.channel_shuffle(x, 0), "channel_shuffle: groups divides"),
        (lambda: F.channel_shuffle(x[0, 0], 1), r"channel_shuffle: got input of shape \(4, 5\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
