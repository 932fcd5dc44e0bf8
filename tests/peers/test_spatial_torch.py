"""Spatial layers against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using padding:UserWarning"),
]

MODULES = [
    ("Conv3d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (2, 4, 5, 6, 7)),
    ("Conv3d", (4, 6, (2, 3, 4)), {"padding": "same", "padding_mode": "reflect"}, (2, 4, 5, 6, 7)),
    ("Conv3d", (4, 6, (3, 1, 1)), {"dilation": (2, 1, 1), "bias": False}, (4, 5, 6, 7)),
    ("Conv3d", (4, 2, 2), {"padding": 1, "padding_mode": "circular"}, (2, 4, 3, 4, 3)),
    ("Conv3d", (4, 2, 2), {"padding": 2, "padding_mode": "replicate"}, (2, 4, 3, 4, 3)),
    ("Conv1d", (4, 6, 4), {"padding": "same", "padding_mode": "circular"}, (2, 4, 9)),
    ("Conv1d", (4, 6, 3), {"padding": 2, "padding_mode": "replicate"}, (4, 9)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 4, 9)),
    ("ConvTranspose1d", (4, 6, 3), {"dilation": 3, "output_padding": 2, "groups": 2}, (4, 9)),
    ("ConvTranspose2d", (4, 6, 4), {"stride": 2, "padding": 1}, (2, 4, 5, 6)),
    (
        *("ConvTranspose2d", (4, 6, (3, 2))),
        {"stride": (1, 3), "padding": (2, 0), "output_padding": (1, 2), "dilation": (2, 1)},
        (2, 4, 5, 6),
    ),
    ("ConvTranspose2d", (4, 4, 3), {"groups": 4, "bias": False}, (4, 5, 6)),
    ("ConvTranspose3d", (4, 6, 2), {"stride": 2, "groups": 2}, (2, 4, 3, 4, 2)),
    (
        *("ConvTranspose3d", (4, 3, 3)),
        {"stride": (3, 1, 2), "padding": 1, "output_padding": (2, 0, 1)},
        (4, 3, 4, 2),
    ),
    ("MaxPool3d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, (2, 3, 5, 6, 8)),
    ("MaxPool3d", ((2, 1, 3),), {"dilation": (2, 1, 2)}, (3, 5, 6, 8)),
    ("AvgPool3d", (2,), {"padding": 1, "count_include_pad": False}, (2, 3, 5, 6, 8)),
    (
        "AvgPool3d",
        ((2, 3, 1),),
        {"stride": 2, "ceil_mode": True, "divisor_override": 3},
        (3, 5, 6, 8),
    ),
    ("AdaptiveAvgPool3d", ((2, None, 3),), {}, (2, 3, 5, 6, 8)),
    ("AdaptiveMaxPool3d", (3,), {}, (2, 3, 5, 6, 8)),
    ("LPPool1d", (2, 3), {"stride": 2}, (2, 3, 10)),
    ("LPPool2d", (3, (2, 3)), {"ceil_mode": True}, (2, 3, 6, 8)),
    ("LPPool3d", (1, 2), {}, (2, 3, 5, 6, 8)),
    ("BatchNorm3d", (3,), {}, (4, 3, 2, 3, 4)),
    ("InstanceNorm3d", (3,), {"affine": True, "track_running_stats": True}, (4, 3, 2, 3, 4)),
    ("ConstantPad3d", ((1, 2, 0, -1, 1, 1), 2.5), {}, (2, 3, 4, 5, 6)),
    ("ZeroPad3d", (1,), {}, (3, 4, 5, 6)),
    ("ReflectionPad3d", ((1, 2, 3, 0, 1, 1),), {}, (2, 3, 4, 5, 6)),
    ("ReplicationPad3d", ((1, 2, 3, 0, 1, 1),), {}, (3, 4, 5, 6)),
    ("CircularPad3d", ((1, 2, 3, 0, 1, 1),), {}, (2, 3, 4, 5, 6)),
    ("Unfold", ((2, 3),), {"dilation": (2, 1), "padding": 1, "stride": (1, 2)}, (2, 3, 5, 6)),
    ("Fold", ((5, 6), 3), {"padding": (1, 0), "stride": 2}, (2, 18, 6)),
    ("PixelShuffle", (3,), {}, (2, 18, 3, 4)),
    ("PixelUnshuffle", (2,), {}, (3, 4, 6)),
    ("ChannelShuffle", (3,), {}, (2, 6, 3, 4)),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "linear"}, (2, 3, 7)),
    ("Upsample", ((9, 4),), {"mode": "bicubic", "align_corners": True}, (2, 3, 5, 7)),
    ("Upsample", (), {"scale_factor": (2, 1.5, 0.5), "mode": "trilinear"}, (2, 3, 4, 5, 6)),
    ("Upsample", (9,), {"mode": "nearest-exact"}, (2, 3, 5, 7)),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, (2, 3, 4, 5)),
    ("UpsamplingBilinear2d", ((7, 9),), {}, (2, 3, 4, 5)),
]


def close(dtype):
    return {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "args", "options", "shape"), MODULES, ids=[f"{m[0]}{i}" for i, m in enumerate(MODULES)]
)
def test_module_agrees(name, args, options, shape, dtype):
    theirs = getattr(torch.nn, name)(*args, **options).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*args, **options).to(getattr(cr, dtype))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    array = rng.standard_normal(shape).astype(dtype)
    x = cr.tensor(array, requires_grad=True)
    y = torch.tensor(array, requires_grad=True)
    out, expected = ours(x), theirs(y)
    assert tuple(out.shape) == tuple(expected.shape)
    weights = rng.standard_normal(tuple(expected.shape)).astype(dtype)
    (out * cr.tensor(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), **close(dtype))
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), **close(dtype))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), **close(dtype))


@pytest.mark.parametrize("size", [(9, 10), (10, 11), (2, 6, 9, 11)])
def test_transposed_output_size_agrees(size):
    theirs = torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1)
    ours = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1)
    ours.load_state_dict(theirs.state_dict())
    array = np.random.default_rng(0).standard_normal((2, 4, 5, 5)).astype("float32")
    if size[-1] == 11:
        array = np.concatenate([array, array[..., :1]], -1)
    out, expected = ours(cr.tensor(array), size), theirs(torch.tensor(array), size)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_maxima_and_back_agree(rank):
    array = np.random.default_rng(0).standard_normal((2, 3, 7, 9, 5)[: 2 + rank])
    for args in ((2,), (3, 2, 1), (3, 1, 1)):
        results = []
        for lib, net in ((cr, nn), (torch, torch.nn)):
            pool = getattr(net, f"MaxPool{rank}d")(*args, return_indices=True)
            unpool = getattr(net, f"MaxUnpool{rank}d")(*args)
            x = lib.tensor(array)
            out, at = pool(x)
            results.append((at, unpool(out, at, output_size=x.shape), repr(unpool)))
        for mine, other in zip(*results, strict=True):
            if isinstance(mine, str):
                assert mine == other
            else:
                np.testing.assert_array_equal(mine.numpy(), other.numpy())


INTERPOLATIONS = [
    *((mode, rank) for mode in ("nearest", "nearest-exact", "area") for rank in (1, 2, 3)),
    *(("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mode", "rank"), INTERPOLATIONS)
def test_interpolation_agrees(mode, rank, dtype):
    rng = np.random.default_rng(0)
    smooth = mode.endswith(("linear", "cubic"))
    for _ in range(30):
        own, size = rng.integers(1, 12, (2, rank))
        array = rng.standard_normal((2, 3, *own)).astype(dtype)
        factors = [float(f) for f in np.round(rng.uniform(0.4, 2.6, rank), 2)]
        options = {"mode": mode}
        if smooth and rng.random() < 0.5:
            options["align_corners"] = bool(rng.random() < 0.5)
        if mode in ("bilinear", "bicubic") and rng.random() < 0.3:
            options["antialias"] = True
            own[-1], size[-1] = own[-1] + 2, size[-1] + 2  # torch repeats rows of one pixel
            array = rng.standard_normal((2, 3, *own)).astype(dtype)
        if rng.random() < 0.5:
            options["size"] = [int(n) for n in size]
        elif min(np.floor(own * factors)) < 1:
            continue
        else:
            options["scale_factor"] = factors
            if rng.random() < 0.3:
                options["recompute_scale_factor"] = True
        x, y = cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        out = nn.functional.interpolate(x, **options)
        expected = torch.nn.functional.interpolate(y, **options)
        near = {"rtol": 0, "atol": 3e-5 if dtype == "float32" else 1e-12}
        np.testing.assert_allclose(
            out.detach().numpy(), expected.detach().numpy(), err_msg=str(options), **near
        )
        # torch's backward takes 1 or 2 for the scale of such sizes, its forward the factor.
        rounded = {int(m / n) for m, n in zip(out.shape[2:], own, strict=True) if m % n == 0}
        if mode == "nearest" and rank != 2 and rounded & {1, 2}:
            continue
        out.square().sum().backward()
        expected.square().sum().backward()
        near["atol"] *= 10
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), err_msg=str(options), **near)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "rank"), [(m, r) for r in (2, 3) for m in ("bilinear", "nearest", "bicubic")][:5]
)
def test_grid_sample_agrees(mode, rank, padding, align):
    rng = np.random.default_rng(0)
    image = rng.standard_normal((2, 3, *(5, 6, 4)[:rank]))
    where = rng.uniform(-1.9, 1.9, (2, *(3, 7, 2)[:rank], rank))
    x, grid = (cr.tensor(a, requires_grad=True) for a in (image, where))
    y, other = (torch.tensor(a, requires_grad=True) for a in (image, where))
    out = nn.functional.grid_sample(x, grid, mode, padding, align)
    expected = torch.nn.functional.grid_sample(y, other, mode, padding, align)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), atol=1e-12)
    out.square().sum().backward()
    expected.square().sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), atol=1e-11)
    if mode != "nearest":
        np.testing.assert_allclose(grid.grad.numpy(), other.grad.numpy(), atol=1e-11)


@pytest.mark.filterwarnings("ignore:Since version 1.3.0:UserWarning")
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 3, 4, 1, 5)])
def test_affine_grid_agrees(size, align):
    rank = len(size) - 2
    theta = np.random.default_rng(0).standard_normal((2, rank, rank + 1))
    np.testing.assert_allclose(
        nn.functional.affine_grid(cr.tensor(theta), size, align).numpy(),
        torch.nn.functional.affine_grid(torch.tensor(theta), size, align).numpy(),
        atol=1e-14,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [2, 3])
def test_fractional_pool_agrees(rank, dtype):
    rng = np.random.default_rng(0)
    array = rng.standard_normal((2, 3, *(9, 11, 8)[:rank])).astype(dtype)
    name = f"FractionalMaxPool{rank}d"
    for options in ({"output_size": (4, 6, 3)[:rank]}, {"output_ratio": 0.55}, {"output_size": 1}):
        samples = rng.uniform(0, 1, (2, 3, rank)).astype(dtype)
        ours = getattr(nn, name)(
            2, return_indices=True, _random_samples=cr.tensor(samples), **options
        )
        theirs = getattr(torch.nn, name)(
            2, return_indices=True, _random_samples=torch.tensor(samples), **options
        )
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for mine, other in zip(ours(cr.tensor(array)), theirs(torch.tensor(array)), strict=True):
            np.testing.assert_array_equal(mine.numpy(), other.numpy())
