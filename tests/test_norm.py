"""Normalization: statistics, running averages, gradients of any order, sizes, threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opspec import norm as reference

import chainrule as cr
from chainrule import Tensor, nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F


def draw(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 2 + 1).astype(dtype)


def wanting(*shape: int, seed: int = 0) -> Tensor:
    return cr.tensor(draw(*shape, seed=seed), requires_grad=True)


# ---------------------------------------------------------------- gradients

# Function, reference and shapes of input, weight and bias.
FAMILIES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "batch": (lambda x, *p: F.batch_norm(x, None, None, *p, training=True), ((5, 3, 4), (3,))),
    "batch, long planes": (
        lambda x, *p: F.batch_norm(x, None, None, *p, training=True),
        ((2, 3, 18), (3,)),
    ),
    "batch, vectors": (
        lambda x, *p: F.batch_norm(x, None, None, *p, training=True),
        ((7, 3), (3,)),
    ),
    "instance": (lambda x, *p: F.instance_norm(x, None, None, *p), ((2, 3, 7), (3,))),
    "group": (lambda x, *p: F.group_norm(x, 2, *p), ((3, 4, 5), (4,))),
    "layer": (lambda x, *p: F.layer_norm(x, (3, 4), *p), ((5, 3, 4), (3, 4))),
    "rms": (lambda x, *p: F.rms_norm(x, (5,), *p[:1]), ((4, 5), (5,))),
}


@pytest.mark.parametrize("parameters", ["", "weight", "weight, bias"])
@pytest.mark.parametrize("key", FAMILIES)
def test_gradients(key: str, parameters: str) -> None:
    """Of first order by the fused rows, of second order by ops."""
    f, (shape, of_parameter) = FAMILIES[key]
    wanted = len(parameters.split(", ")) if parameters else 0
    if key == "rms":
        wanted = min(wanted, 1)
    args = (wanting(*shape), *(wanting(*of_parameter, seed=1 + i) for i in range(wanted)))
    assert gradcheck(f, args)
    assert gradgradcheck(f, args)


@pytest.mark.parametrize("key", FAMILIES)
def test_both_gradients_agree(key: str) -> None:
    """The fused gradient and the one that can be differentiated again."""
    f, (shape, of_parameter) = FAMILIES[key]
    args = (wanting(*shape), wanting(*of_parameter, seed=1), wanting(*of_parameter, seed=2))
    args = args[: 2 if key == "rms" else 3]
    out = f(*args)
    seed = cr.tensor(draw(*out.shape, seed=3))
    fused = cr.autograd.grad(out, args, seed, retain_graph=True)
    taped = cr.autograd.grad(out, args, seed, create_graph=True)
    for a, b in zip(fused, taped, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_gradient_alone(position: int) -> None:
    """Each of input, weight and bias may be the only one that wants a gradient."""
    for key, (f, (shape, of_parameter)) in FAMILIES.items():
        if key == "rms" and position == 2:
            continue
        arrays = [draw(*shape), draw(*of_parameter, seed=1), draw(*of_parameter, seed=2)]
        every = [cr.tensor(a, requires_grad=True) for a in arrays]
        alone = [cr.tensor(a, requires_grad=i == position) for i, a in enumerate(arrays)]
        for args in (every, alone):
            (f(*args) ** 2).sum().backward()
        np.testing.assert_array_equal(alone[position].grad.numpy(), every[position].grad.numpy())


@pytest.mark.parametrize("size", [5, 17])
def test_gradient_of_evaluation(size: int) -> None:
    mean, var = cr.tensor(draw(3)), cr.tensor(np.abs(draw(3)) + 0.5)
    args = (wanting(4, 3, size), wanting(3, seed=1), wanting(3, seed=2))
    assert gradcheck(lambda x, w, b: F.batch_norm(x, mean, var, w, b), args)
    assert gradgradcheck(lambda x, w, b: F.batch_norm(x, mean, var, w, b), args)


@pytest.mark.parametrize("size", [1, 5, 17])
def test_gradient_of_given_statistics(size: int) -> None:
    mean = wanting(3, seed=3)
    var = cr.tensor(np.abs(draw(3, seed=4)) + 0.5, requires_grad=True)
    args = (wanting(4, 3, size), mean, var)
    assert gradcheck(lambda x, m, v: F.batch_norm(x, m, v), args)
    assert gradgradcheck(lambda x, m, v: F.batch_norm(x, m, v), args)


# ---------------------------------------------------------------- values


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(2, 140), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_size(batch: int, groups: int, each: int, size: int, wide: bool) -> None:
    dtype = "float64" if wide else "float32"
    x = draw(batch, groups * each, size, dtype=dtype)
    w, b = draw(groups * each, dtype=dtype, seed=1), draw(groups * each, dtype=dtype, seed=2)
    close = {"rtol": 0, "atol": 1e-11 if wide else 1e-4}
    tx, tw, tb = map(cr.tensor, (x, w, b))
    x, w, b = (a.astype(np.float64) for a in (x, w, b))
    for got, value in (
        (
            F.batch_norm(tx, None, None, tw, tb, training=True),
            reference.batch_norm(x, None, None, w, b, True),
        ),
        (F.instance_norm(tx, None, None, tw, tb), reference.instance_norm(x, None, None, w, b)),
        (F.group_norm(tx, groups, tw, tb), reference.group_norm(x, groups, w, b)),
        (F.layer_norm(tx, (size,)), reference.layer_norm(x, (size,))),
    ):
        np.testing.assert_allclose(got.numpy(), value, **close)


@given(st.integers(2, 300), st.integers(1, 150), st.booleans())
@settings(max_examples=60, deadline=None)
def test_vectors_of_any_size(batch: int, channels: int, wide: bool) -> None:
    """Batches without spatial dimensions: values and fused gradients."""
    dtype = "float64" if wide else "float32"
    arrays = [draw(*s, dtype=dtype) for s in ((batch, channels), (channels,), (channels,))]
    x, w, b = (cr.tensor(a, requires_grad=True) for a in arrays)
    out = F.batch_norm(x, None, None, w, b, training=True)
    wide_x, wide_w, wide_b = (a.astype(np.float64) for a in arrays)
    value = reference.batch_norm(wide_x, None, None, wide_w, wide_b, training=True)
    close = {"rtol": 0, "atol": 1e-11 if wide else 1e-4}
    np.testing.assert_allclose(out.detach().numpy(), value, **close)
    g = draw(batch, channels, dtype=dtype, seed=1)
    out.backward(cr.tensor(g))
    normal = reference.batch_norm(wide_x, None, None, training=True)
    scale = wide_w / np.sqrt(wide_x.var(0) + reference.EPS)
    dx = scale * (g - g.mean(0, dtype=np.float64) - normal * (g * normal).mean(0))
    # A small deviation magnifies the roundings.
    close["atol"] *= (1 + np.abs(scale).max()) * np.sqrt(batch)
    np.testing.assert_allclose(x.grad.numpy(), dx, **close)
    np.testing.assert_allclose(w.grad.numpy(), (g * normal).sum(0), **close)
    np.testing.assert_allclose(b.grad.numpy(), g.sum(0, dtype=np.float64), **close)


@pytest.mark.parametrize("size", [100, 5000, 70001])
def test_far_from_zero(size: int) -> None:
    """A mean of 10,000 deviations costs no more digits than its own rounding."""
    x = (draw(3, 2, size) + 2e4).astype(np.float32)
    wide = x.astype(np.float64)
    bound = 4 * np.spacing(np.float32(2e4))
    for got, value in (
        (
            F.batch_norm(cr.tensor(x), None, None, training=True),
            reference.batch_norm(wide, None, None, training=True),
        ),
        (
            F.batch_norm(cr.tensor(x[0].T.copy()), None, None, training=True),
            reference.batch_norm(wide[0].T, None, None, training=True),
        ),
        (F.instance_norm(cr.tensor(x)), reference.instance_norm(wide)),
        (F.layer_norm(cr.tensor(x), (size,)), reference.layer_norm(wide, (size,))),
    ):
        np.testing.assert_allclose(got.numpy(), value, rtol=0, atol=bound)


def test_constant_input() -> None:
    """No variance: the bias, and no NaN thanks to eps."""
    x, bias = cr.full((4, 3, 20), 7.7), cr.tensor([1.0, 2.0, 3.0])
    out = F.batch_norm(x, None, None, None, bias, training=True)
    np.testing.assert_array_equal(out.numpy(), np.broadcast_to([[[1], [2], [3]]], (4, 3, 20)))
    assert np.all(F.layer_norm(x, (20,)).numpy() == 0)


def test_special_values_stay_in_their_channel() -> None:
    x = draw(4, 3, 20, dtype="float32")
    x[1, 1, 5] = np.nan
    x[2, 2, 19] = np.inf
    out = F.batch_norm(cr.tensor(x), None, None, training=True).numpy()
    assert np.isfinite(out[:, 0]).all()
    assert np.isnan(out[:, 1]).all()
    assert np.isnan(out[2, 2, 19])


@pytest.mark.parametrize("shape", [(0, 3, 4), (0, 3)])
def test_empty_batch(shape: tuple[int, ...]) -> None:
    """Nothing to normalize, nothing to learn from."""
    layer = nn.BatchNorm1d(3)
    x = cr.zeros(*shape, requires_grad=True)
    out = layer(x)
    assert tuple(out.shape) == shape
    out.sum().backward()
    assert tuple(x.grad.shape) == shape
    np.testing.assert_array_equal(layer.weight.grad.numpy(), np.zeros(3))
    np.testing.assert_array_equal(layer.running_var.numpy(), np.ones(3))
    assert tuple(nn.LayerNorm(shape[-1])(x).shape) == shape


# ---------------------------------------------------------------- running statistics


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 5), (6, 3, 5, 4)])
def test_running_statistics(shape: tuple[int, ...], momentum: float | None) -> None:
    """By the formula; the variance is unbiased. None averages all batches."""
    layer = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(
        3, momentum=momentum, dtype=cr.float64
    )
    axes = tuple(i for i in range(len(shape)) if i != 1)
    mean, var = np.zeros(3), np.ones(3)
    for step in range(3):
        x = draw(*shape, seed=step)
        layer(cr.tensor(x))
        m = 1 / (step + 1) if momentum is None else momentum
        mean = (1 - m) * mean + m * x.mean(axes)
        var = (1 - m) * var + m * x.var(axes, ddof=1)
    assert layer.num_batches_tracked.item() == 3
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)

    layer.eval()
    x = draw(*shape, seed=9)
    expected = reference.batch_norm(x, mean, var)
    np.testing.assert_allclose(
        layer(cr.tensor(x)).detach().numpy(), expected, rtol=1e-11, atol=1e-12
    )
    assert layer.num_batches_tracked.item() == 3
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)

    layer.reset_running_stats()
    assert layer.num_batches_tracked.item() == 0
    np.testing.assert_array_equal(layer.running_var.numpy(), np.ones(3))


def test_running_statistics_of_instances() -> None:
    layer = nn.InstanceNorm1d(3, track_running_stats=True, dtype=cr.float64)
    x = draw(4, 3, 6)
    layer(cr.tensor(x))
    mean, var = 0.1 * x.mean((0, 2)), 0.9 + 0.1 * x.var(2, ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    layer.eval()
    np.testing.assert_allclose(
        layer(cr.tensor(x)).numpy(), reference.batch_norm(x, mean, var), rtol=1e-11
    )


def test_without_running_statistics() -> None:
    """Evaluation uses the batch as well."""
    layer = nn.BatchNorm1d(3, track_running_stats=False, affine=False)
    assert list(layer.state_dict()) == []
    x = cr.tensor(draw(8, 3, dtype="float32"))
    trained = layer(x).numpy()
    np.testing.assert_array_equal(layer.eval()(x).numpy(), trained)


def test_running_statistics_are_kept_when_tracking_ends() -> None:
    layer = nn.BatchNorm1d(3)
    layer.track_running_stats = False
    layer(cr.tensor(draw(8, 3, dtype="float32")))
    np.testing.assert_array_equal(layer.running_mean.numpy(), np.zeros(3))
    assert layer.num_batches_tracked.item() == 0


def test_a_refused_batch_leaves_no_trace() -> None:
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="one value per channel"):
        layer(cr.zeros(1, 3))
    assert layer.num_batches_tracked.item() == 0
    np.testing.assert_array_equal(layer.running_var.numpy(), np.ones(3))
    layer.eval()(cr.zeros(1, 3))


# ---------------------------------------------------------------- modules


def test_state_dict() -> None:
    layer = nn.BatchNorm2d(3)
    keys = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(layer.state_dict()) == keys
    layer(cr.randn(4, 3, 5, 5))
    other = nn.BatchNorm2d(3)
    other.load_state_dict(layer.state_dict())
    x = cr.randn(2, 3, 5, 5)
    np.testing.assert_array_equal(
        other.eval()(x).detach().numpy(), layer.eval()(x).detach().numpy()
    )
    assert list(nn.BatchNorm2d(3, bias=False).state_dict()) == ["weight", *keys[2:]]
    assert list(nn.InstanceNorm2d(3).state_dict()) == []
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    assert list(nn.RMSNorm(3).state_dict()) == ["weight"]
    assert list(nn.GroupNorm(1, 3, bias=False).state_dict()) == ["weight"]


@pytest.mark.parametrize(
    ("layer", "shape", "match"),
    [
        (nn.BatchNorm1d(3), (2, 3, 4, 5), r"BatchNorm1d: .*\(2, 3, 4, 5\).*\(N, C, L\)"),
        (nn.BatchNorm2d(3), (2, 3), r"BatchNorm2d: .*\(2, 3\).*\(N, C, H, W\)"),
        (nn.BatchNorm2d(3), (2, 4, 5, 5), r"batch_norm: weight of shape \(3,\).*\(2, 4, 5, 5\)"),
        (nn.InstanceNorm1d(3), (2, 4, 5), r"InstanceNorm1d: .*3 channels.*\(2, 4, 5\)"),
        (nn.InstanceNorm2d(3), (2, 5), r"InstanceNorm2d: .*\(2, 5\).*\(C, H, W\)"),
        (nn.GroupNorm(2, 4), (2, 6), r"GroupNorm: .*4 channels.*\(2, 6\)"),
        (nn.LayerNorm((3, 4)), (2, 4), r"layer_norm: .*\(2, 4\).*\(3, 4\)"),
    ],
)
def test_shapes_are_checked(layer: nn.Module, shape: tuple[int, ...], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        layer(cr.zeros(*shape))


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.batch_norm(cr.zeros(4, 0), None, None, training=True),
        lambda: F.group_norm(cr.zeros(2, 0, 3), 1),
    ],
)
def test_no_channels(call: Callable[[], Tensor]) -> None:
    with pytest.raises(ValueError, match="_norm: no channels"):
        call()


def test_groups_are_checked() -> None:
    with pytest.raises(ValueError, match=r"GroupNorm: num_groups .*num_groups=3.*num_channels=4"):
        nn.GroupNorm(3, 4)


def test_single_images() -> None:
    """Instance normalization takes an image without a batch."""
    x = cr.randn(3, 6, 5)
    layer = nn.InstanceNorm2d(3)
    np.testing.assert_array_equal(layer(x).numpy(), layer(x.unsqueeze(0))[0].numpy())


# ---------------------------------------------------------------- layouts, threads


def test_memory_layouts() -> None:
    x = draw(4, 6, 5, 7)
    whole = cr.tensor(x)
    for view in (
        cr.tensor(x.transpose(0, 2, 3, 1).copy()).permute(0, 3, 1, 2),
        cr.tensor(np.repeat(x, 2, -1))[..., ::2],
    ):
        for f in (
            lambda x: F.batch_norm(x, None, None, training=True),
            lambda x: F.group_norm(x, 3),
            lambda x: F.layer_norm(x, (5, 7)),
        ):
            np.testing.assert_array_equal(f(view).numpy(), f(whole).numpy())
            assert f(view).is_contiguous()
    assert F.batch_norm(cr.randn(8, 3), None, None, training=True).is_contiguous()


THREADED: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    "batch": (FAMILIES["batch"][0], (16, 40, 31, 33), (40,)),
    "batch, few channels": (FAMILIES["batch"][0], (16, 3, 61, 67), (3,)),
    "batch, vectors": (FAMILIES["batch"][0], (3001, 70), (70,)),
    "group": (lambda x, *p: F.group_norm(x, 2, *p), (2, 40, 31, 33), (40,)),
    "layer": (lambda x, *p: F.layer_norm(x, (131,), *p), (3001, 131), (131,)),
    "rms": (lambda x, *p: F.rms_norm(x, (131,), p[0]), (3001, 131), (131,)),
}


@pytest.mark.parametrize("key", THREADED)
def test_same_bits_for_any_number_of_threads(key: str) -> None:
    f, shape, of_parameter = THREADED[key]
    arrays = [draw(*s, dtype="float32", seed=i) for i, s in enumerate((shape, *[of_parameter] * 2))]
    arrays.append(draw(*shape, dtype="float32", seed=7))
    results = []
    for threads in (1, 2, 4):
        cr.set_num_threads(threads)
        x, w, b = (cr.tensor(a, requires_grad=True) for a in arrays[:3])
        out = f(x, w, b)
        out.backward(cr.tensor(arrays[3]))
        wanted = [x.grad, w.grad] if key == "rms" else [x.grad, w.grad, b.grad]
        results.append([t.detach().numpy().tobytes() for t in (out, *wanted)])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(20, 48, 17), (3, 5, 300), (40, 3, 20), (5, 40, 4), (9, 33)])
def test_statistics_of_many_and_few_planes(shape: tuple[int, ...], threads: int) -> None:
    """Each way through the planes: by channel, in the order of memory, short planes, columns."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape) * 3 + 100
    g = rng.standard_normal(shape)
    axes = (0, *range(2, len(shape)))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    normal = (x - mean) / np.sqrt(var + 1e-5)
    slope = normal * (g * normal).mean(axes, keepdims=True)
    expected = (g - g.mean(axes, keepdims=True) - slope) / np.sqrt(var + 1e-5)
    before = cr.get_num_threads()
    cr.set_num_threads(threads)
    try:
        leaf = cr.tensor(x, requires_grad=True)
        out = F.batch_norm(leaf, None, None, training=True)
        (dx,) = cr.autograd.grad(out, leaf, cr.tensor(g))
    finally:
        cr.set_num_threads(before)
    np.testing.assert_allclose(out.detach().numpy(), normal, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dx.numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 18])
@pytest.mark.parametrize("n", [1, 16, 37, 1500, 5000])
def test_a_row_does_not_depend_on_its_neighbours(rows: int, n: int) -> None:
    """Rows are taken in groups; the numbers of each are the same alone and in company."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, n)).astype(np.float32)
    g = rng.standard_normal((rows, n)).astype(np.float32)
    w = cr.tensor(rng.standard_normal(n).astype(np.float32))

    def both(x: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        leaf = cr.tensor(x, requires_grad=True)
        out = F.layer_norm(leaf, (n,), w)
        return out.detach().numpy(), cr.autograd.grad(out, leaf, cr.tensor(g))[0].numpy()

    together = both(x, g)
    for r in range(rows):
        for part, alone in zip(together, both(x[r : r + 1], g[r : r + 1]), strict=True):
            np.testing.assert_array_equal(part[r], alone[0])
