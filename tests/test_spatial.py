"""Layers over space: what the table of ops and the comparison with torch leave open."""

from typing import Any

import numpy as np
import pytest
from opspec import conv as reference

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------- convolutions


def test_transposed_is_the_adjoint() -> None:
    """<conv(x), y> = <x, conv_transpose(y)> with the same weight."""
    x, y = cr.randn(2, 4, 9, 9, dtype=cr.float64), cr.randn(2, 6, 4, 5, dtype=cr.float64)
    w = cr.randn(6, 4, 3, 2, dtype=cr.float64)
    how = (None, 2, (0, 1))
    there = (F.conv2d(x, w, *how) * y).sum()
    back = (x * F.conv_transpose2d(y, w, *how, output_padding=(0, 1))).sum()
    assert there.item() == pytest.approx(back.item())


def test_transposed_output_size() -> None:
    layer = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1)
    x = cr.randn(2, 4, 5, 6)
    assert layer(x).shape == (2, 3, 9, 11)
    assert layer(x, (10, 12)).shape == (2, 3, 10, 12)
    assert layer(x, output_size=(2, 3, 10, 11)).shape == (2, 3, 10, 11)
    assert layer(x[0], (3, 10, 11)).shape == (3, 10, 11)
    for size in ((8, 11), (11, 12), (10,)):
        with pytest.raises(ValueError, match=r"output_size lies between \(9, 11\) and \(10, 12\)"):
            layer(x, size)


def test_bad_convolution_layers() -> None:
    with pytest.raises(ValueError, match="ConvTranspose2d: padding_mode is 'zeros'"):
        nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect")
    with pytest.raises(TypeError, match=r"ConvTranspose1d: padding is an int or 1 .*'same'"):
        nn.ConvTranspose1d(2, 2, 3, padding="same")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ConvTranspose3d: output_padding has 2 values"):
        nn.ConvTranspose3d(2, 2, 3, output_padding=(1, 1))
    with pytest.raises(ValueError, match="Conv3d: groups must be positive and divide"):
        nn.Conv3d(4, 6, 3, groups=4)
    with pytest.raises(ValueError, match="conv3d: padding='same' needs stride 1"):
        F.conv3d(cr.ones(1, 4, 4, 4), cr.ones(1, 1, 2, 2, 2), stride=2, padding="same")


def test_workspace_of_volumes_is_bounded() -> None:
    """Taps in depth are no copies of the whole volume: that would be 27 MiB here."""

    def workspace(batch: int) -> int:
        x, w = cr.randn(batch, 8, 16, 24, 24), cr.randn(8, 8, 3, 3, 3)
        before = cr.memory_stats()["allocated"]
        cr.reset_peak_memory()
        out = F.conv3d(x, w, padding=1)
        return int(cr.memory_stats()["peak"] - before - out.numel() * 4)

    cr.set_num_threads(2)
    assert workspace(2) < 2 << 20
    assert workspace(32) < 2 << 20  # the input has 9 MiB


# ---------------------------------------------------------------- pools over volumes

# volume, kernel, stride, padding, dilation, ceil_mode
WINDOWS: dict[str, tuple[Any, ...]] = {
    "2x2x2": ((4, 6, 8), 2, None, 0, 1, False),
    "overlapping": ((5, 7, 6), 3, 2, 1, 1, False),
    "uneven": ((7, 9, 8), (2, 3, 4), (1, 2, 3), (1, 0, 2), 1, True),
    "dilated": ((9, 10, 8), (3, 2, 3), 2, 1, (2, 3, 1), False),
    "planes only": ((3, 8, 6), (1, 2, 2), None, 0, 1, False),
    "depth only": ((8, 3, 4), (3, 1, 1), (2, 1, 1), (1, 0, 0), 1, True),
    "whole": ((2, 3, 4), (2, 3, 4), None, 0, 1, False),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("key", WINDOWS)
def test_max_pool3d(key: str, ties: bool, dtype: str) -> None:
    volume, *how = WINDOWS[key]
    x = draw(2, 3, *volume)
    x = (np.round(x) if ties else x).astype(dtype)
    values, places = reference.max_pool(x, 3, *how)
    out, at = F.max_pool3d(cr.tensor(x), *how, return_indices=True)
    np.testing.assert_array_equal(out.numpy(), values)
    np.testing.assert_array_equal(at.numpy(), places)  # of equals the first
    assert at.dtype == cr.int64
    np.testing.assert_array_equal(F.max_pool3d(cr.tensor(x[0]), *how).numpy(), values[0])
    np.testing.assert_array_equal(F.max_pool3d_with_indices(cr.tensor(x[0]), *how)[1], places[0])


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize("divisor", [None, 5])
@pytest.mark.parametrize("key", [k for k in WINDOWS if k != "dilated"])
def test_avg_pool3d(key: str, divisor: int | None, count_include_pad: bool) -> None:
    volume, kernel, stride, padding, _, ceil = WINDOWS[key]
    x = draw(2, 3, *volume)
    how = (kernel, stride, padding, ceil, count_include_pad, divisor)
    got = F.avg_pool3d(cr.tensor(x), *how).numpy()
    np.testing.assert_allclose(got, reference.avg_pool(x, 3, *how), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, (3, 5, 2), (4, 1, 7)])
def test_adaptive_pools_of_volumes(size: Any) -> None:
    x = np.random.default_rng(0).permutation(2 * 3 * 5 * 6 * 7).astype(float).reshape(2, 3, 5, 6, 7)
    np.testing.assert_allclose(
        F.adaptive_avg_pool3d(cr.tensor(x), size).numpy(), reference.adaptive_avg(x, 3, size)
    )
    values, places = reference.adaptive_max(x, 3, size)
    out, at = F.adaptive_max_pool3d(cr.tensor(x), size, return_indices=True)
    np.testing.assert_array_equal(out.numpy(), values)
    np.testing.assert_array_equal(at.numpy(), places)
    np.testing.assert_array_equal(
        F.adaptive_max_pool3d_with_indices(cr.tensor(x[0]), size)[1].numpy(), places[0]
    )
    kept = F.adaptive_avg_pool3d(cr.tensor(x), (1, None, 2))
    np.testing.assert_allclose(kept.numpy(), reference.adaptive_avg(x, 3, (1, 6, 2)))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_lp_pools(rank: int, p: float) -> None:
    x = np.abs(draw(2, 3, *(7, 6, 5)[:rank])) + 0.1
    pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[rank - 1]
    for how in ((2,), (3, 1), (2, 3, True)):
        got = pool(cr.tensor(x), p, *how).numpy()
        kernel, stride, ceil = (*how, None, False)[:3] if len(how) < 3 else how
        stride = None if stride is None else int(stride)
        means = reference.avg_pool(x**p, rank, kernel, stride, 0, ceil is True)
        np.testing.assert_allclose(got, (means * kernel**rank) ** (1 / p), rtol=1e-12)


POOLS = {
    "max_pool3d": lambda x: F.max_pool3d(x, 2, (1, 2, 1), 1),
    "avg_pool3d": lambda x: F.avg_pool3d(x, (2, 3, 2), 2, 1, True, False),
    "adaptive_avg_pool3d": lambda x: F.adaptive_avg_pool3d(x, (2, 3, 2)),
    "adaptive_max_pool3d": lambda x: F.adaptive_max_pool3d(x, (2, 3, 2)),
    "lp_pool3d": lambda x: F.lp_pool3d(x.abs() + 0.5, 3, 2, 1),
}


@pytest.mark.parametrize("name", POOLS)
def test_gradients_of_pools_of_volumes(name: str) -> None:
    x = cr.tensor(draw(1, 2, 3, 4, 5), requires_grad=True)
    assert gradcheck(POOLS[name], x, fast_mode=True)
    assert gradgradcheck(POOLS[name], x, fast_mode=True)
    empty = cr.zeros(0, 2, 3, 4, 5, requires_grad=True)
    out = POOLS[name](empty)
    assert out.shape == (0, *POOLS[name](x.detach()).shape[1:])
    out.sum().backward()
    assert empty.grad is not None
    assert empty.grad.shape == empty.shape


def test_maxima_with_nan() -> None:
    x = draw(1, 1, 4, 4, 4)
    x[0, 0, 2, 1, 3] = np.nan
    out, at = F.max_pool3d(cr.tensor(x), 2, return_indices=True)
    assert np.argwhere(np.isnan(out.numpy())).tolist() == [[0, 0, 1, 0, 1]]
    assert at.numpy()[0, 0, 1, 0, 1] == 2 * 16 + 1 * 4 + 3


def test_max_pools_return_indices() -> None:
    x = cr.tensor(draw(2, 3, 8, 6))
    for pool, both, args in (
        (F.max_pool2d, F.max_pool2d_with_indices, (3, 2, 1)),
        (F.max_pool1d, F.max_pool1d_with_indices, (2,)),
        (F.adaptive_max_pool2d, F.adaptive_max_pool2d_with_indices, ((3, 2),)),
        (F.adaptive_max_pool1d, F.adaptive_max_pool1d_with_indices, (3,)),
    ):
        source = x if "2d" in pool.__name__ else x[0]
        for mine, other in zip(
            pool(source, *args, return_indices=True), both(source, *args), strict=True
        ):
            np.testing.assert_array_equal(mine.numpy(), other.numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool(rank: int) -> None:
    """Maxima go back to their places, each once, however many windows saw it."""
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
    unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[rank - 1]
    x = draw(2, 3, *(7, 9, 5)[:rank])
    for kernel, stride, padding in ((2, None, 0), (3, 2, 1), (3, 1, 1)):
        out, at = pool(cr.tensor(x), kernel, stride, padding, return_indices=True)
        back = unpool(out, at, kernel, stride, padding, output_size=x.shape).numpy()
        seen = np.zeros_like(x).reshape(6, -1)
        places = at.numpy().reshape(6, -1)
        np.put_along_axis(seen, places, out.numpy().reshape(6, -1), 1)
        np.testing.assert_array_equal(back, seen.reshape(x.shape))
    even = cr.tensor(draw(3, *(4, 6, 2)[:rank]))
    out, at = pool(even, 2, return_indices=True)
    assert unpool(out, at, 2).shape == even.shape
    values = cr.tensor(out.numpy(), requires_grad=True)
    assert gradcheck(lambda v: unpool(v, at, 2).square(), values)
    assert gradgradcheck(lambda v: unpool(v, at, 2).square(), values)


def test_bad_pools() -> None:
    x = cr.zeros(2, 3, 4, 4, 4)
    for call, message in (
        (lambda: F.max_pool3d(cr.zeros(4, 4), 2), r"max_pool3d: got input of shape \(4, 4\); exp"),
        (lambda: F.max_pool3d(x, (2, 2)), r"max_pool3d: kernel_size is an int or 3"),
        (lambda: F.max_pool3d(x, 0), r"max_pool3d: kernel_size, .*\(2, 3, 4, 4, 4\)"),
        (lambda: F.max_pool3d(x, 2, 0), r"max_pool3d: .*stride=\(0, 0, 0\)"),
        (lambda: F.max_pool3d(x, 2, 2, 2), r"max_pool3d: padding is more than half the window"),
        (lambda: F.max_pool3d(x, (1, 5, 1)), r"max_pool3d: the window is larger than the padded"),
        (lambda: F.avg_pool3d(x, 2, divisor_override=0), r"divisor_override must not be 0"),
        (lambda: F.avg_pool3d(x[:, :, :0], 2), r"avg_pool3d: the volumes are empty"),
        (
            lambda: F.adaptive_avg_pool3d(x, (1, 2)),
            r"avg_pool3d: output_size is an int or 3",
        ),
        (
            lambda: F.adaptive_avg_pool3d(x, (1, None)),
            r"adaptive_avg_pool3d: output_size is an int or 3",
        ),
        (lambda: F.adaptive_max_pool3d(x, 0), r"adaptive_max_pool3d: output_size must be"),
        (lambda: F.lp_pool1d(x[0, 0, 0], 0, 2), r"lp_pool1d: norm_type must not be 0"),
        (lambda: F.lp_pool2d(x[0, 0, 0], 2, 2), r"lp_pool2d: got input of shape \(4, 4\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="max_pool"):
        F.max_pool3d(x.long(), 2)


def test_bad_unpools() -> None:
    x, at = cr.ones(1, 2, 2), cr.zeros(1, 2, 2, dtype=cr.int64)
    with pytest.raises(ValueError, match=r"max_unpool2d: .*\(1, 2, 2\) and \(2, 2\)"):
        F.max_unpool2d(x, at[0], 2)
    with pytest.raises(TypeError, match="max_unpool2d: indices are int64"):
        F.max_unpool2d(x, x, 2)
    for place in (-1, 16):
        with pytest.raises(ValueError, match="lie within the 16 elements"):
            F.max_unpool2d(x, at + place, 2)
    with pytest.raises(ValueError, match=r"output_size \(7, 4\) is not within a str"):
        F.max_unpool2d(x, at, 2, output_size=(7, 4))
    with pytest.raises(ValueError, match="nothing is left"):
        F.max_unpool2d(x, at, 1, 1, 1)


# ---------------------------------------------------------------- fractional pools


@pytest.mark.parametrize("rank", [2, 3])
def test_fractional_pools(rank: int) -> None:
    """Each output is the maximum of a window; the windows are in order and reach the ends."""
    pool = (F.fractional_max_pool2d, F.fractional_max_pool3d)[rank - 2]
    x = draw(2, 3, *(11, 9, 7)[:rank])
    out, at = pool(cr.tensor(x), 2, (6, 5, 4)[:rank], return_indices=True)
    assert out.shape == at.shape == (2, 3, *(6, 5, 4)[:rank])
    flat = x.reshape(6, -1)
    taken = np.take_along_axis(flat, at.numpy().reshape(6, -1), 1)
    np.testing.assert_array_equal(out.numpy().reshape(6, -1), taken)
    rows = np.stack(np.unravel_index(at.numpy(), x.shape[2:]))
    for d in range(rank):
        assert (np.diff(rows[d], axis=2 + d) >= -1).all()
        assert rows[d].max() >= x.shape[2 + d] - 2
    cr.manual_seed(0)
    first = pool(cr.tensor(x), 2, output_ratio=0.6)
    cr.manual_seed(0)
    np.testing.assert_array_equal(first.numpy(), pool(cr.tensor(x), 2, output_ratio=0.6).numpy())
    assert first.shape == (2, 3, *(int(n * 0.6) for n in x.shape[2:]))
    samples = cr.rand(1, 3, rank, dtype=cr.float64)
    single = pool(cr.tensor(x[0]), 3, 3, _random_samples=samples)
    assert single.shape == (3, *(3,) * rank)
    leaf = cr.tensor(x[:1, :2], requires_grad=True)
    samples = cr.rand(1, 2, rank, dtype=cr.float64)
    assert gradcheck(lambda x: pool(x, 2, 3, _random_samples=samples).square(), leaf)
    assert pool(cr.zeros(0, 3, *(9,) * rank), 2, 4).shape == (0, 3, *(4,) * rank)


def test_bad_fractional_pools() -> None:
    x = cr.zeros(2, 3, 6, 6)
    for call, message in (
        (lambda: F.fractional_max_pool2d(x, 2), "give either output_size or output_ratio"),
        (lambda: F.fractional_max_pool2d(x, 2, 3, 0.5), "give either output_size or output_ratio"),
        (lambda: F.fractional_max_pool2d(x, 2, output_ratio=1.5), "lies between 0 and 1"),
        (lambda: F.fractional_max_pool2d(x, 4, 4), r"do not fit .*\(2, 3, 6, 6\)"),
        (lambda: F.fractional_max_pool2d(x[0, 0], 2, 2), r"got input of shape \(6, 6\)"),
        (
            lambda: F.fractional_max_pool2d(x, 2, 3, _random_samples=cr.zeros(2, 3, 3)),
            r"_random_samples has shape \(2, 3, 3\); expected \(2, 3, 2\)",
        ),
        (
            lambda: F.fractional_max_pool2d(x, 2, 3, _random_samples=cr.ones(2, 3, 2)),
            r"_random_samples lie in \[0, 1\)",
        ),
        (lambda: nn.FractionalMaxPool3d(2), "FractionalMaxPool3d: give either"),
        (lambda: nn.FractionalMaxPool2d(2, output_ratio=0), "FractionalMaxPool2d: output_ratio"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# ---------------------------------------------------------------- pads and norms of volumes


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Reflection", "reflect"),
        ("Replication", "edge"),
        ("Circular", "wrap"),
        ("Zero", "constant"),
    ],
)
def test_pads_of_volumes(name: str, mode: Any) -> None:
    x = draw(2, 3, 4, 5)
    layer = getattr(nn, f"{name}Pad3d")((1, 2, 3, 0, 1, 1))
    wanted = np.pad(x, ((0, 0), (1, 1), (3, 0), (1, 2)), mode=mode)
    np.testing.assert_array_equal(layer(cr.tensor(x)).numpy(), wanted)
    np.testing.assert_array_equal(layer(cr.tensor(x[None])).numpy(), wanted[None])
    with pytest.raises(ValueError, match=f"{name}Pad3d: padding is an int or 6"):
        getattr(nn, f"{name}Pad3d")((1, 2))


def test_norms_of_volumes() -> None:
    x = draw(2, 3, 4, 5, 6)
    batch = nn.BatchNorm3d(3, dtype=cr.float64)(cr.tensor(x)).detach().numpy()
    mean, var = x.mean((0, 2, 3, 4), keepdims=True), x.var((0, 2, 3, 4), keepdims=True)
    np.testing.assert_allclose(batch, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-9, atol=1e-12)
    instance = nn.InstanceNorm3d(3)(cr.tensor(x)).numpy()
    mean, var = x.mean((2, 3, 4), keepdims=True), x.var((2, 3, 4), keepdims=True)
    np.testing.assert_allclose(instance, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"BatchNorm3d: got input of shape \(3, 4, 5, 6\)"):
        nn.BatchNorm3d(3)(cr.tensor(x[0]))
