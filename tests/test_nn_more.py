"""Embeddings, pads, further activations and losses against NumPy float64."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F


def double(array, requires_grad=False):
    return cr.tensor(np.asarray(array, np.float64), requires_grad=requires_grad)


# -------------------------------------------------------------------- embeddings


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0, 3)])
def test_embedding_values(shape, dtype):
    rng = np.random.default_rng(0)
    table, places = rng.standard_normal((5, 3)), rng.integers(0, 5, shape).astype(dtype)
    out = F.embedding(cr.tensor(places), double(table))
    np.testing.assert_array_equal(out.numpy(), table[places])
    assert tuple(out.shape) == (*shape, 3)


@pytest.mark.parametrize("by_frequency", [False, True])
@pytest.mark.parametrize("padding_idx", [None, 1, -1])
def test_embedding_gradients(padding_idx, by_frequency):
    rng = np.random.default_rng(0)
    places = np.array([[1, 3, 3], [4, 1, 3]])
    weights = rng.standard_normal((2, 3, 2))
    w = double(rng.standard_normal((5, 2)), True)
    options = {"padding_idx": padding_idx, "scale_grad_by_freq": by_frequency}
    out = F.embedding(cr.tensor(places), w, **options)
    (out * double(weights)).sum().backward()
    expected = np.zeros((5, 2))
    np.add.at(expected, places, weights)
    if by_frequency:
        expected /= np.maximum(np.bincount(places.ravel(), minlength=5), 1)[:, None]
    if padding_idx is not None:
        expected[padding_idx] = 0
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-14)
    if not by_frequency and padding_idx is None:  # otherwise it is not the derivative
        assert gradcheck(lambda w: F.embedding(cr.tensor(places), w).exp(), (w,))


@pytest.mark.parametrize("padding_idx", [None, 1])
def test_embedding_gradient_twice(padding_idx):
    """The gradient of sum(w[places]^2) is 2 count w, and that of its sum 2 count."""
    places = cr.tensor([1, 3, 3, 4, 1, 3])
    w = double(np.random.default_rng(0).standard_normal((5, 2)), True)
    loss = F.embedding(places, w, padding_idx).square().sum()
    (grad,) = cr.autograd.grad(loss, w, create_graph=True)
    counts = np.array([0, 2 if padding_idx is None else 0, 0, 3, 1])[:, None]
    np.testing.assert_allclose(grad.detach().numpy(), 2 * counts * w.detach().numpy(), rtol=1e-14)
    grad.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.repeat(2 * counts, 2, 1))


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_embedding_max_norm(norm_type):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((5, 3)) * 2
    table[2] = 0.01  # short enough
    w = nn.Parameter(double(table))
    places = np.array([0, 2, 0, 4])
    out = F.embedding(cr.tensor(places), w, max_norm=1.0, norm_type=norm_type)
    norms = np.linalg.norm(table, norm_type, axis=1, keepdims=True)
    expected = table.copy()
    for row in (0, 4):
        expected[row] /= norms[row] + 1e-7
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(out.detach().numpy(), expected[places], rtol=1e-12)
    out.sum().backward()
    assert w.grad[0].tolist() == [2, 2, 2]


def test_embedding_module():
    cr.manual_seed(0)
    layer = nn.Embedding(200, 30, padding_idx=-200)
    assert layer.padding_idx == 0
    assert list(layer.state_dict()) == ["weight"]
    assert (layer.weight[0] == 0).all().item()
    assert abs(layer.weight[1:].std().item() - 1) < 0.05
    assert abs(layer.weight[1:].mean().item()) < 0.05
    layer(cr.tensor([0, 3, 3])).sum().backward()
    assert layer.weight.grad[0].sum().item() == 0
    assert layer.weight.grad[3].tolist() == [2.0] * 30
    assert nn.Embedding(2, 3, dtype=cr.float64).weight.dtype == cr.float64

    table = cr.tensor([[1.0, 2.0], [3.0, 4.0]])
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert frozen(cr.tensor([[1, 0]])).tolist() == [[[3, 4], [1, 2]]]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    optimizer = cr.optim.SGD(layer.parameters(), lr=1.0)
    before = layer.weight.detach().clone()
    optimizer.step()
    assert (layer.weight[3] == before[3] - 2).all().item()
    assert (layer.weight[4] == before[4]).all().item()


def test_embedding_repr():
    assert repr(nn.Embedding(3, 4)) == "Embedding(3, 4)"
    layer = nn.Embedding(3, 4, -1, 1.5, norm_type=1.0, scale_grad_by_freq=True)
    assert repr(layer) == (
        "Embedding(3, 4, padding_idx=2, max_norm=1.5, norm_type=1.0, scale_grad_by_freq=True)"
    )


def test_embedding_errors():
    w = cr.zeros(5, 2)
    for bad in (5, -1):
        with pytest.raises(IndexError, match=r"embedding: .* from .* below 5, the rows of weight"):
            F.embedding(cr.tensor([0, bad]), w)
    with pytest.raises(TypeError, match=r"embedding: the input holds integers \(got .*float32"):
        F.embedding(cr.zeros(2), w)
    with pytest.raises(TypeError, match=r"must be a Tensor \(got list\)"):
        F.embedding([0], w)
    with pytest.raises(ValueError, match=r"weight is not a matrix \(got shape \(5,\)\)"):
        F.embedding(cr.tensor([0]), cr.zeros(5))
    with pytest.raises(ValueError, match="padding_idx is a row of 5"):
        F.embedding(cr.tensor([0]), w, padding_idx=5)
    for build in (
        lambda: F.embedding(cr.tensor([0]), w, sparse=True),
        lambda: nn.Embedding(3, 4, sparse=True),
    ):
        with pytest.raises(ValueError, match="sparse=True is not offered"):
            build()
    with pytest.raises(ValueError, match="padding_idx is a number of 3 vectors"):
        nn.Embedding(3, 4, padding_idx=3)
    with pytest.raises(ValueError, match=r"_weight has shape \(5, 2\); expected \(3, 4\)"):
        nn.Embedding(3, 4, _weight=w)
    with pytest.raises(ValueError, match="not a matrix"):
        nn.Embedding.from_pretrained(cr.zeros(3))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 2)])
def test_one_hot(shape):
    places = np.random.default_rng(0).integers(0, 5, shape)
    out = F.one_hot(cr.tensor(places), 6)
    assert out.dtype == cr.int64
    np.testing.assert_array_equal(out.numpy(), np.eye(6, dtype=np.int64)[places])
    if places.size:
        inferred = F.one_hot(cr.tensor(places.astype(np.int32)))
        np.testing.assert_array_equal(inferred.numpy(), np.eye(places.max() + 1)[places])


def test_one_hot_errors():
    with pytest.raises(
        IndexError, match="from 0 to 3; expected at least 0 and below num_classes=3"
    ):
        F.one_hot(cr.tensor([0, 3]), 3)
    with pytest.raises(IndexError, match=r"from -1 to 3; expected at least 0$"):
        F.one_hot(cr.tensor([-1, 3]))
    with pytest.raises(ValueError, match=r"num_classes is positive, .* \(got 0\)"):
        F.one_hot(cr.tensor([0]), 0)
    with pytest.raises(ValueError, match="empty input"):
        F.one_hot(cr.zeros(0, dtype=cr.int64))
    with pytest.raises(TypeError, match="holds integers"):
        F.one_hot(cr.zeros(2))


# -------------------------------------------------------------------- pads

PADS = {
    "Constant": ("constant", (7.5,), {"constant_values": 7.5}),
    "Zero": ("constant", (), {}),
    "Reflection": ("reflect", (), {}),
    "Replication": ("edge", (), {}),
    "Circular": ("wrap", (), {}),
}


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("kind", PADS)
def test_pad(kind, rank, batched):
    mode, args, options = PADS[kind]
    make = getattr(nn, f"{kind}Pad{rank}d")
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 4)[3 - rank - batched :])
    before_after = [(2, 1), (0, 3)][:rank]  # last dimension first
    layer = make(tuple(np.ravel(before_after).tolist()), *args)
    widths = [(0, 0)] * (x.ndim - rank) + before_after[::-1]
    out = layer(double(x))
    np.testing.assert_array_equal(out.numpy(), np.pad(x, widths, mode=mode, **options))
    assert gradcheck(lambda x: layer(x).square(), (double(x, True),))
    assert gradgradcheck(lambda x: layer(x) ** 3, (double(x, True),))
    same = make(1, *args)(double(x))
    widths = [(0, 0)] * (x.ndim - rank) + [(1, 1)] * rank
    np.testing.assert_array_equal(same.numpy(), np.pad(x, widths, mode=mode, **options))


def test_pad_reprs_and_errors():
    assert repr(nn.ConstantPad1d(2, 1.5)) == "ConstantPad1d(padding=(2, 2), value=1.5)"
    assert repr(nn.ZeroPad2d(1)) == "ZeroPad2d((1, 1, 1, 1))"
    assert repr(nn.ReflectionPad2d((1, 2, 3, 4))) == "ReflectionPad2d((1, 2, 3, 4))"
    with pytest.raises(ValueError, match=r"ZeroPad2d: padding is an int or 4 ints.*\(1, 2\)"):
        nn.ZeroPad2d((1, 2))
    with pytest.raises(ValueError, match="at most 2"):
        nn.ReflectionPad1d(3)(cr.zeros(1, 3))
    with pytest.raises(ValueError, match="at most 3"):
        nn.CircularPad1d(4)(cr.zeros(1, 3))
    assert nn.ZeroPad1d(-1)(cr.tensor([[1.0, 2.0, 3.0]])).tolist() == [[2.0]]


# -------------------------------------------------------------------- activations

SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)

# Name: (arguments, formula, where the gradient is not continuous and what torch takes it to be
# there, whether there is an in-place form).
CURVES = {
    "hardtanh": ((-0.5, 1.5), lambda x: np.clip(x, -0.5, 1.5), {-0.5: 0, 1.5: 0}, True),
    "relu6": ((), lambda x: np.clip(x, 0, 6), {0: 0, 6: 0}, True),
    "hardsigmoid": ((), lambda x: np.clip(x + 3, 0, 6) / 6, {-3: 0, 3: 0}, True),
    "hardswish": ((), lambda x: x * np.clip(x + 3, 0, 6) / 6, {-3: 0, 3: 1}, True),
    "selu": (
        (),
        lambda x: SELU[1] * np.where(x > 0, x, SELU[0] * np.expm1(np.minimum(x, 0))),
        {0: SELU[0] * SELU[1]},
        True,
    ),
    "celu": ((2.0,), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2)), {}, True),
    "softsign": ((), lambda x: x / (1 + abs(x)), {}, False),
    "tanhshrink": ((), lambda x: x - np.tanh(x), {}, False),
    "softshrink": (
        (0.7,), lambda x: np.sign(x) * np.maximum(abs(x) - 0.7, 0), {-0.7: 0, 0.7: 0}, False,
    ),
    "hardshrink": ((0.7,), lambda x: np.where(abs(x) > 0.7, x, 0), {-0.7: 0, 0.7: 0}, False),
    "threshold": ((0.2, 5.0), lambda x: np.where(x > 0.2, x, 5.0), {0.2: 0}, True),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_activation(name):
    args, formula, kinks, in_place = CURVES[name]
    function = getattr(F, name)
    x = np.concatenate([np.linspace(-8, 8, 49) + 0.01, list(kinks)])
    np.testing.assert_allclose(
        function(double(x), *args).numpy(), formula(x), rtol=1e-13, atol=1e-15
    )
    single = function(cr.tensor(x.astype(np.float32)), *args)
    assert single.dtype == cr.float32
    free = double(np.linspace(-8, 8, 49) + 0.01, True)
    assert gradcheck(lambda x: function(x, *args), (free,))
    assert gradgradcheck(lambda x: function(x, *args) ** 2, (free,))
    if kinks:
        at = double(list(kinks), True)
        function(at, *args).sum().backward()
        np.testing.assert_allclose(at.grad.numpy(), list(kinks.values()), atol=1e-15)
    assert np.isnan(function(double([np.nan]), *args).item())
    if in_place:
        leaf = double(x, True)
        y = leaf * 1.0
        assert function(y, *args, inplace=True) is y
        np.testing.assert_allclose(y.detach().numpy(), formula(x), rtol=1e-13, atol=1e-15)
        (y * double(x)).sum().backward()
        other = double(x, True)
        (function(other, *args) * double(x)).sum().backward()
        np.testing.assert_array_equal(leaf.grad.numpy(), other.grad.numpy())


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 2)])
def test_prelu(shape):
    rng = np.random.default_rng(0)
    x, slopes = rng.standard_normal(shape), rng.standard_normal(3)
    one = F.prelu(double(x), double([0.3]))
    np.testing.assert_allclose(one.numpy(), np.where(x > 0, x, 0.3 * x), rtol=1e-15)
    if len(shape) > 1:
        each = slopes.reshape(3, *[1] * (len(shape) - 2))
        out = F.prelu(double(x), double(slopes))
        np.testing.assert_allclose(out.numpy(), np.where(x > 0, x, each * x), rtol=1e-15)
        assert gradcheck(F.prelu, (double(x, True), double(slopes, True)))
        assert gradgradcheck(F.prelu, (double(x, True), double(slopes, True)))
    with pytest.raises(ValueError, match=r"prelu: weight has shape \(4,\); expected one slope"):
        F.prelu(double(x), cr.zeros(4, dtype=cr.float64))


def test_prelu_at_the_edges():
    x, w = double([0.0, np.inf, -2.0], True), double([0.25], True)
    out = F.prelu(x, w)
    out.sum().backward()
    assert out.tolist() == [0, np.inf, -0.5]
    assert x.grad.tolist() == [0.25, 1, 0.25]
    assert w.grad.tolist() == [-2]
    layer = nn.PReLU(3, 0.1)
    assert list(layer.state_dict()) == ["weight"]
    with cr.no_grad():
        layer.weight.fill_(7.0)
    layer.reset_parameters()
    assert layer.weight.tolist() == cr.full((3,), 0.1).tolist()


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu_and_softmin(dim):
    x = np.random.default_rng(0).standard_normal((4, 6, 2))
    a, b = np.split(x, 2, dim)
    out = F.glu(double(x), dim)
    np.testing.assert_allclose(out.numpy(), a / (1 + np.exp(-b)), rtol=1e-14)
    assert gradcheck(lambda x: F.glu(x, dim), (double(x, True),))
    e = np.exp(-x)
    out = F.softmin(double(x), dim)
    np.testing.assert_allclose(out.numpy(), e / e.sum(dim, keepdims=True), rtol=1e-13)
    assert F.softmin(cr.zeros(2), 0, dtype=cr.float64).dtype == cr.float64


def test_activation_errors():
    with pytest.raises(ValueError, match=r"two halves \(got shape \(2, 3\)\)"):
        F.glu(cr.zeros(2, 3))
    with pytest.raises(ValueError, match="lambd is at least 0"):
        F.softshrink(cr.zeros(2), -1.0)
    with pytest.raises(ValueError, match=r"min_val is at most max_val \(got 2 and 1\)"):
        F.hardtanh(cr.zeros(2), 2, 1)
    with pytest.raises(ValueError, match="alpha is not 0"):
        F.celu(cr.zeros(2), 0.0)
    with pytest.raises(ValueError, match="softmin: dim is not given"):
        F.softmin(cr.zeros(2))


REPRS = {
    "PReLU(num_parameters=3)": lambda: nn.PReLU(3),
    "ReLU6(inplace=True)": lambda: nn.ReLU6(True),
    "SELU()": lambda: nn.SELU(),
    "CELU(alpha=1.0, inplace=True)": lambda: nn.CELU(inplace=True),
    "Softsign()": lambda: nn.Softsign(),
    "Hardtanh(min_val=-2, max_val=2, inplace=True)": lambda: nn.Hardtanh(-2, 2, True),
    "Hardsigmoid()": lambda: nn.Hardsigmoid(),
    "Hardswish()": lambda: nn.Hardswish(True),
    "GLU(dim=-1)": lambda: nn.GLU(),
    "Threshold(threshold=0.1, value=20)": lambda: nn.Threshold(0.1, 20),
    "Softshrink(0.5)": lambda: nn.Softshrink(),
    "Hardshrink(0.3)": lambda: nn.Hardshrink(0.3),
    "Tanhshrink()": lambda: nn.Tanhshrink(),
    "Softmin(dim=None)": lambda: nn.Softmin(),
}


@pytest.mark.parametrize("text", REPRS)
def test_activation_reprs(text):
    assert repr(REPRS[text]()) == text
