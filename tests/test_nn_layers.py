"""Layers, losses and initial values against NumPy float64."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.autograd import gradcheck
from chainrule.nn import functional as F
from chainrule.nn import init

REDUCTIONS = ["none", "sum", "mean"]


def double(array, requires_grad=False):
    return cr.tensor(np.asarray(array, np.float64), requires_grad=requires_grad)


def reduced(loss, reduction):
    return {"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction](loss)


def log_softmax(x, axis=1):
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


# -------------------------------------------------------------------- elementwise losses

ELEMENTWISE = {
    "mse": (F.mse_loss, lambda x, t: (x - t) ** 2, {}),
    "l1": (F.l1_loss, lambda x, t: abs(x - t), {}),
    "smooth_l1": (
        F.smooth_l1_loss,
        lambda x, t: np.where(abs(x - t) < 0.5, (x - t) ** 2, abs(x - t) - 0.25),
        {"beta": 0.5},
    ),
    "smooth_l1_zero": (F.smooth_l1_loss, lambda x, t: abs(x - t), {"beta": 0.0}),
    "huber": (
        F.huber_loss,
        lambda x, t: np.where(abs(x - t) < 0.5, (x - t) ** 2 / 2, 0.5 * (abs(x - t) - 0.25)),
        {"delta": 0.5},
    ),
    "bce": (
        F.binary_cross_entropy,
        lambda x, t: -(t * np.log(x) + (1 - t) * np.log(1 - x)),
        {},
    ),
    "bce_logits": (
        F.binary_cross_entropy_with_logits,
        lambda x, t: np.log1p(np.exp(-abs(x))) + np.maximum(x, 0) - x * t,
        {},
    ),
    "kl_div": (F.kl_div, lambda x, t: t * (np.log(t) - x), {}),
    "kl_div_log": (F.kl_div, lambda x, t: np.exp(t) * (t - x), {"log_target": True}),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_loss(name, reduction):
    function, formula, options = ELEMENTWISE[name]
    rng = np.random.default_rng(0)
    x, t = rng.uniform(0.05, 0.95, (2, 4, 3))
    loss = function(double(x), double(t), reduction=reduction, **options)
    np.testing.assert_allclose(loss.numpy(), reduced(formula(x, t), reduction), rtol=1e-13)

    def call(x, t):
        return function(x, t, reduction=reduction, **options)

    assert gradcheck(call, (double(x, True), double(t, True)))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_losses_never_broadcast(name):
    function = ELEMENTWISE[name][0]
    x = cr.full((4, 1), 0.5)
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(4,\)\).*reshape\(4, 1\) may be meant"):
        function(x, cr.full((4,), 0.5))
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(1, 1\)"):
        function(x, cr.full((1, 1), 0.5))
    with pytest.raises(ValueError, match=r"reduction must be one of .* \(got 'avg'\)"):
        function(x, x, reduction="avg")
    with pytest.raises(TypeError, match=r"'target' must be a Tensor \(got float\)"):
        function(x, 0.5)


def test_loss_weights():
    rng = np.random.default_rng(0)
    x, t, w = rng.uniform(0.1, 0.9, (3, 4, 3))
    plain = ELEMENTWISE["bce"][1](x, t)
    loss = F.binary_cross_entropy(double(x), double(t), double(w[0]), reduction="none")
    np.testing.assert_allclose(loss.numpy(), plain * w[0], rtol=1e-13)
    pos = F.binary_cross_entropy_with_logits(
        double(x), double(t), double(w), reduction="none", pos_weight=double([1.0, 2.0, 3.0])
    )
    sigmoid = 1 / (1 + np.exp(-x))
    expected = -w * (np.array([1, 2, 3]) * t * np.log(sigmoid) + (1 - t) * np.log(1 - sigmoid))
    np.testing.assert_allclose(pos.numpy(), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"weight of shape \(2,\) does not expand .*\(4, 3\)"):
        F.binary_cross_entropy(double(x), double(t), double([1.0, 2.0]))
    with pytest.raises(ValueError, match="does not expand"):  # would enlarge the loss
        F.binary_cross_entropy(double(x), double(t), cr.ones(2, 4, 3))


def test_binary_losses_at_the_edges():
    x = cr.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, cr.tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0, 0, 100, 100]
    loss.sum().backward()
    assert cr.isfinite(x.grad).all().item()
    assert x.grad[2].item() < -1e9
    assert x.grad[3].item() > 1e9
    for bad in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            F.binary_cross_entropy(cr.tensor([bad]), cr.tensor([0.0]))

    logits = cr.tensor([-1e4, 1e4, 1e4, -1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(
        logits, cr.tensor([0.0, 1.0, 0.0, 1.0]), reduction="none"
    )
    assert loss.tolist() == [0, 0, 1e4, 1e4]
    loss.sum().backward()
    assert logits.grad.tolist() == [0, 0, 1, -1]


def test_kl_div_edges():
    p = cr.tensor([[0.0, 1.0], [0.5, 0.5]], requires_grad=True)
    q = cr.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    loss = F.kl_div(q, p, reduction="batchmean")
    assert loss.item() == pytest.approx(-math.log(0.75) / 2)
    loss.backward()
    assert cr.isfinite(p.grad).all().item()


# -------------------------------------------------------------------- class losses


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3), (2, 4, 2, 3)])
def test_cross_entropy(shape, smoothing, weighted, reduction):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    target = rng.integers(0, 4, (shape[0], *shape[2:]))
    target.flat[1] = -100
    weight = rng.uniform(0.5, 2, 4) if weighted else np.ones(4)

    logp = np.moveaxis(log_softmax(x), 1, -1)
    used = target != -100
    safe = np.where(used, target, 0)
    picked = np.take_along_axis(logp, safe[..., None], -1)[..., 0]
    factor = np.where(used, weight[safe], 0)
    nll = -picked * factor
    spread = -(logp * weight).sum(-1) * used / 4
    loss = (1 - smoothing) * nll + smoothing * spread
    expected = loss.sum() / factor.sum() if reduction == "mean" else reduced(loss, reduction)

    def call(x):
        return F.cross_entropy(
            x,
            cr.tensor(target),
            double(weight) if weighted else None,
            reduction=reduction,
            label_smoothing=smoothing,
        )

    np.testing.assert_allclose(call(double(x)).numpy(), expected, rtol=1e-12)
    assert gradcheck(call, (double(x, True),))
    if smoothing == 0:
        nll = F.nll_loss(
            double(np.moveaxis(logp, -1, 1)),
            cr.tensor(target.astype(np.int32)),
            double(weight) if weighted else None,
            reduction=reduction,
        )
        np.testing.assert_allclose(nll.numpy(), expected, rtol=1e-12)


def test_cross_entropy_of_probabilities():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 4))
    target = rng.dirichlet(np.ones(4), 5)
    weight = rng.uniform(0.5, 2, 4)
    smooth = 0.9 * target + 0.1 / 4
    expected = -(smooth * log_softmax(x) * weight).sum() / 5
    loss = F.cross_entropy(double(x), double(target), double(weight), label_smoothing=0.1)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert gradcheck(lambda a, b: F.cross_entropy(a, b), (double(x, True), double(target, True)))


def test_class_losses_refuse_what_does_not_fit():
    x = cr.zeros(3, 4)
    for target in (cr.tensor([0, 1]), cr.tensor([[0, 1, 2]])):
        with pytest.raises(ValueError, match=r"\(3, 4\)"):
            F.cross_entropy(x, target)
    with pytest.raises(IndexError, match="4"):
        F.cross_entropy(x, cr.tensor([0, 4, 1]))
    with pytest.raises(IndexError, match="-1"):
        F.nll_loss(x, cr.tensor([0, -1, 1]))
    for dtype in (cr.int32, cr.int16, cr.uint8, cr.int64):
        loss = nn.CrossEntropyLoss()(x, cr.tensor([0, 3, 1], dtype=dtype))
        assert loss.item() == pytest.approx(math.log(4))
    assert nn.CrossEntropyLoss()(cr.zeros(4), cr.tensor(2)).item() == pytest.approx(math.log(4))


def test_loss_modules_pass_their_options_on():
    x, t = cr.tensor([[0.2, 0.9]]), cr.tensor([[0.3, 0.4]])
    w = cr.tensor([2.0, 3.0])
    pairs = [
        (nn.MSELoss(reduction="sum"), F.mse_loss(x, t, reduction="sum")),
        (nn.L1Loss(reduction="sum"), F.l1_loss(x, t, reduction="sum")),
        (nn.SmoothL1Loss(beta=0.2), F.smooth_l1_loss(x, t, beta=0.2)),
        (nn.HuberLoss(delta=0.2), F.huber_loss(x, t, delta=0.2)),
        (nn.BCELoss(w), F.binary_cross_entropy(x, t, w)),
        (
            nn.BCEWithLogitsLoss(w, pos_weight=w),
            F.binary_cross_entropy_with_logits(x, t, w, pos_weight=w),
        ),
        (
            nn.KLDivLoss(reduction="batchmean", log_target=True),
            F.kl_div(x, t, reduction="batchmean", log_target=True),
        ),
        (
            nn.CrossEntropyLoss(w, label_smoothing=0.1, reduction="sum"),
            F.cross_entropy(x, t, w, label_smoothing=0.1, reduction="sum"),
        ),
        (nn.CrossEntropyLoss(ignore_index=1), F.cross_entropy(x, cr.tensor([1]), ignore_index=1)),
        (nn.NLLLoss(w, ignore_index=1), F.nll_loss(x, cr.tensor([0]), w)),
    ]
    targets = [t] * 8 + [cr.tensor([1]), cr.tensor([0])]
    for (module, expected), target in zip(pairs, targets, strict=True):
        np.testing.assert_array_equal(module(x, target).numpy(), expected.numpy())
    assert list(nn.BCEWithLogitsLoss(w, pos_weight=w).state_dict()) == ["weight", "pos_weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


# -------------------------------------------------------------------- layers


def test_linear_and_flatten():
    layer = nn.Linear(3, 2).double()
    x = np.random.default_rng(0).standard_normal((4, 5, 3))
    expected = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(double(x)).detach().numpy(), expected, rtol=1e-13)
    plain = nn.Linear(3, 2, bias=False, dtype=cr.float64)
    assert plain.bias is None
    assert list(plain.state_dict()) == ["weight"]
    assert plain(double(x)).dtype == cr.float64
    assert nn.Flatten()(double(x)).shape == (4, 15)
    assert nn.Flatten(0, 1)(double(x)).shape == (20, 3)
    assert nn.Unflatten(1, (5, -1))(cr.zeros(4, 15)).shape == (4, 5, 3)
    assert nn.Identity(1, a=2)(x) is x
    with pytest.raises(TypeError, match="sequence of ints"):
        nn.Unflatten(1, 5)
    with pytest.raises(RuntimeError, match="cuda"):
        nn.Linear(1, 1, device="cuda")


def correlate(x, w, stride, dilation, groups):
    """Convolution as a sum over kernel places, for any rank."""
    rank = x.ndim - 2
    size = [
        (x.shape[2 + d] - dilation[d] * (w.shape[2 + d] - 1) - 1) // stride[d] + 1
        for d in range(rank)
    ]
    out = np.zeros((x.shape[0], w.shape[0], *size))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for g in range(groups):
        for place in np.ndindex(*w.shape[2:]):
            start = [p * d for p, d in zip(place, dilation, strict=True)]
            seen = [
                slice(first, first + s * (n - 1) + 1, s)
                for first, s, n in zip(start, stride, size, strict=True)
            ]
            window = x[(slice(None), slice(g * per_in, (g + 1) * per_in), *seen)]
            block = slice(g * per_out, (g + 1) * per_out)
            out[:, block] += np.einsum("oc,nc...->no...", w[(block, slice(None), *place)], window)
    return out


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    ("rank", "options"),
    [
        (1, {"padding": 2}),
        (1, {"padding": "same", "dilation": 2}),
        (2, {"padding": (1, 2), "stride": (2, 1), "groups": 2}),
        (2, {"padding": "same"}),
        (2, {"padding": "valid", "dilation": 2, "bias": False}),
    ],
)
def test_conv_layers(rank, options, mode):
    make = nn.Conv1d if rank == 1 else nn.Conv2d
    kernel = (4, 3)[:rank]
    layer = make(4, 6, kernel, padding_mode=mode, dtype=cr.float64, **options)
    x = np.random.default_rng(0).standard_normal((2, 4, 9, 8)[: 2 + rank])
    padding = options["padding"]
    widths = [(0, 0), (0, 0)]
    for d in range(rank):
        if padding == "same":
            total = layer.dilation[d] * (kernel[d] - 1)
            widths.append((total // 2, total - total // 2))
        else:
            widths.append((0 if padding == "valid" else np.broadcast_to(padding, rank)[d],) * 2)
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    padded = np.pad(x, widths, mode=names[mode])
    weight = layer.weight.detach().numpy()
    expected = correlate(padded, weight, layer.stride, layer.dilation, layer.groups)
    if layer.bias is not None:
        expected += layer.bias.detach().numpy().reshape(-1, *(1,) * rank)
    np.testing.assert_allclose(layer(double(x)).detach().numpy(), expected, rtol=1e-11, atol=1e-13)


def test_conv_layers_refuse_bad_arguments():
    for options, message in (
        ({"groups": 3}, "groups must be positive and divide"),
        ({"groups": 0}, "groups must be positive and divide"),
        ({"padding": "full"}, "padding is 'same', 'valid' or ints"),
        ({"padding": "same", "stride": 2}, "needs stride 1"),
        ({"padding_mode": "mirror"}, "padding_mode is one of"),
        ({"stride": (1, 2, 3)}, "stride has 3 values"),
    ):
        with pytest.raises(ValueError, match=message):
            nn.Conv2d(4, 4, 3, **options)
    with pytest.raises(ValueError, match=r"^Conv2d: .*\(1, 4, 2, 2\)"):
        nn.Conv2d(4, 4, 3)(cr.zeros(1, 4, 2, 2))


def test_pooling_layers():
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6))
    blocks = x.reshape(2, 3, 3, 2, 3, 2)
    tensor = double(x)
    for layer, expected in (
        (nn.MaxPool2d(2), blocks.max((3, 5))),
        (nn.AvgPool2d(2), blocks.mean((3, 5))),
        (nn.AvgPool2d(2, divisor_override=1), blocks.sum((3, 5))),
        (nn.AdaptiveAvgPool2d(3), blocks.mean((3, 5))),
        (nn.AdaptiveMaxPool2d((3, None)), x.reshape(2, 3, 3, 2, 6).max(3)),
        (nn.AdaptiveAvgPool2d(1), x.mean((2, 3), keepdims=True)),
    ):
        np.testing.assert_allclose(layer(tensor).numpy(), expected, rtol=1e-12)
    rows = double(x[0])
    for layer, expected in (
        (nn.MaxPool1d(3), x[0].reshape(3, 6, 2, 3).max(3)),
        (nn.AvgPool1d(3), x[0].reshape(3, 6, 2, 3).mean(3)),
        (nn.AdaptiveAvgPool1d(2), x[0].reshape(3, 6, 2, 3).mean(3)),
        (nn.AdaptiveMaxPool1d(2), x[0].reshape(3, 6, 2, 3).max(3)),
    ):
        np.testing.assert_allclose(layer(rows).numpy(), expected, rtol=1e-12)
    values, places = nn.MaxPool2d(2, return_indices=True)(tensor)
    flat = tensor.reshape(2, 3, 36)
    picked = flat.gather(2, places.reshape(2, 3, 9)).reshape(2, 3, 3, 3)
    assert cr.equal(picked, values)
    for layer in (nn.MaxPool1d(3, return_indices=True), nn.AdaptiveMaxPool1d(2, True)):
        values, places = layer(rows)
        assert cr.equal(rows.gather(2, places), values)


ACTIVATIONS = {
    "relu": (nn.ReLU, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda **k: nn.LeakyReLU(0.2, **k), lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (lambda **k: nn.ELU(0.5, **k), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "silu": (nn.SiLU, lambda x: x / (1 + np.exp(-x))),
    "mish": (nn.Mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "gelu": (nn.GELU, lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    "gelu_tanh": (
        lambda: nn.GELU("tanh"),
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "sigmoid": (nn.Sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (nn.Tanh, np.tanh),
    "softplus": (lambda: nn.Softplus(2.0), lambda x: np.log1p(np.exp(2 * x)) / 2),
    "log_sigmoid": (nn.LogSigmoid, lambda x: -np.log1p(np.exp(-x))),
    "softmax": (lambda: nn.Softmax(1), lambda x: np.exp(log_softmax(x))),
    "log_softmax": (lambda: nn.LogSoftmax(1), log_softmax),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    make, formula = ACTIVATIONS[name]
    x = np.random.default_rng(0).standard_normal((3, 5)) * 2
    np.testing.assert_allclose(make()(double(x)).numpy(), formula(x), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu", "mish"])
def test_activations_in_place(name):
    make, _ = ACTIVATIONS[name]
    x = double([-1.0, 0.5, 2.0], requires_grad=True)
    make()(x * 2).sum().backward()
    expected, x.grad = x.grad, None
    inner = x * 2
    out = make(inplace=True)(inner)
    assert out is inner
    out.sum().backward()
    assert cr.equal(x.grad, expected)
    with cr.no_grad():
        values = x.detach().clone()
        assert cr.equal(make(inplace=True)(values), make()(x))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_across_columns(name, dtype):
    """Several stretches of columns and blocks of lines, with tails; the same bits on 2 threads."""
    rng = np.random.default_rng(0)
    values, g = rng.normal(0, 5, (2, 3, 300, 7, 21))
    values[0, 1, 3], values[0, 2, 4, 5] = -np.inf, 90  # a line that counts nowhere, large numbers
    x = cr.tensor(values, dtype=getattr(cr, dtype), requires_grad=True)
    grad = cr.tensor(g, dtype=x.dtype)
    results = []
    for threads in (1, 2):
        cr.set_num_threads(threads)
        y = getattr(cr, name)(x, 1)
        (slope,) = cr.autograd.grad(y, x, grad)
        results.append((y, slope))
    assert all(cr.equal(a, b) for a, b in zip(*results, strict=True))
    e = np.exp(values - values.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    if name == "softmax":
        expected, expected_slope = p, p * (g - (g * p).sum(1, keepdims=True))
    else:
        with np.errstate(divide="ignore"):
            expected, expected_slope = np.log(p), g - p * g.sum(1, keepdims=True)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(slope.numpy(), expected_slope, rtol=tolerance, atol=10 * tolerance)


def test_softmax_wants_its_dimension():
    for function in (F.softmax, F.log_softmax):
        with pytest.raises(ValueError, match=r"dim is not given .input of shape \(2, 3\)"):
            function(cr.zeros(2, 3))
        assert function(cr.zeros(2, 3), -1, dtype=cr.float64).dtype == cr.float64


def test_dropout():
    drop = nn.Dropout(0.25)
    x = cr.ones(10_000)
    out = drop(x)
    kept = (out != 0).sum().item()
    assert abs(kept - 7500) < 4 * math.sqrt(10_000 * 0.25 * 0.75)
    assert cr.allclose(out[out != 0], cr.tensor(1 / 0.75))
    assert not cr.equal(out, drop(x))
    assert drop.eval()(x) is x
    assert nn.Dropout(1.0)(x).sum().item() == 0
    assert cr.equal(nn.Dropout(0.0)(x), x)
    cr.manual_seed(3)
    first = F.dropout(x)
    cr.manual_seed(3)
    assert cr.equal(first, F.dropout(x))
    y = cr.ones(100)
    assert F.dropout(y, inplace=True) is y
    assert (y == 0).any().item()
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            nn.Dropout(p)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad(mode):
    x = np.random.default_rng(0).standard_normal((2, 3, 5))
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    expected = np.pad(x, [(0, 0), (2, 1), (1, 3)], mode=names[mode])
    np.testing.assert_array_equal(F.pad(double(x), (1, 3, 2, 1), mode=mode).numpy(), expected)
    assert gradcheck(lambda t: F.pad(t, (1, 2), mode=mode), (double(x, True),))


def test_pad_refuses_what_does_not_fit():
    x = cr.zeros(2, 3)
    assert F.pad(x, (1, 1), value=7.0)[0, 0].item() == 7
    assert F.pad(x, (-1, 0)).shape == (2, 2)
    assert F.pad(x, (-1, 0), mode="reflect").shape == (2, 2)
    for pad, mode, message in (
        ((3, 0), "reflect", "at most 2"),
        ((4, 0), "circular", "at most 3"),
        ((1,), "reflect", "pad"),
        ((1,) * 6, "replicate", "pad"),
        ((1, 1), "mirror", "mirror"),
    ):
        with pytest.raises(ValueError, match=message):
            F.pad(x, pad, mode=mode)
    with pytest.raises(ValueError, match="value"):
        F.pad(x, (1, 1), mode="reflect", value=1.0)


# -------------------------------------------------------------------- initial values


def deviates(tensor, mean, variance):
    """By how many standard errors the sample mean differs from the mean (about)."""
    values = tensor.detach().numpy().astype(np.float64)
    return abs(values.mean() - mean) / math.sqrt(variance / values.size)


@pytest.mark.parametrize(
    ("fill", "bound"),
    [
        (lambda w: init.xavier_uniform_(w, gain=2.0), 2 * math.sqrt(6 / (400 * 9 + 50 * 9))),
        (init.kaiming_uniform_, math.sqrt(2) * math.sqrt(3 / (50 * 9))),
        (
            lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="tanh"),
            5 / 3 * math.sqrt(3 / (400 * 9)),
        ),
        (lambda w: init.uniform_(w, -0.5, 0.5), 0.5),
    ],
)
def test_uniform_inits(fill, bound):
    w = cr.empty(400, 50, 3, 3)
    assert fill(w) is w
    assert bound * 0.999 < w.abs().max().item() <= bound * (1 + 1e-6)
    assert deviates(w, 0, bound**2 / 3) < 4
    assert deviates(w.square(), bound**2 / 3, bound**4 * 4 / 45) < 4


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda w: init.xavier_normal_(w, gain=2.0), 2 * math.sqrt(2 / (400 * 9 + 50 * 9))),
        (
            lambda w: init.kaiming_normal_(w, a=0.5),
            math.sqrt(2 / 1.25) / math.sqrt(50 * 9),
        ),
        (init.normal_, 1.0),
    ],
)
def test_normal_inits(fill, std):
    w = cr.empty(400, 50, 3, 3)
    assert fill(w) is w
    assert deviates(w, 0, std**2) < 4
    assert deviates(w.square(), std**2, 2 * std**4) < 4


def test_trunc_normal():
    w = init.trunc_normal_(cr.empty(100_000), mean=1.0, std=2.0, a=0.0, b=2.0)
    assert w.min().item() >= 0
    assert w.max().item() <= 2
    # The variance of N(0, 1) within [-c, c] is 1 - 2 c phi(c) / (2 Phi(c) - 1); here c = 1/2.
    phi = math.exp(-1 / 8) / math.sqrt(2 * math.pi)
    variance = 4 * (1 - phi / math.erf(0.5 / math.sqrt(2)))
    assert deviates(w, 1, variance) < 4
    assert deviates((w - 1).square(), variance, 0.8 * variance**2) < 4
    with pytest.raises(ValueError, match="a < b"):
        init.trunc_normal_(w, a=1.0, b=-1.0)


def test_orthogonal():
    for shape in ((6, 6), (4, 10), (10, 4), (4, 2, 3)):
        w = init.orthogonal_(cr.empty(*shape), gain=2.0)
        flat = w.reshape(shape[0], -1).numpy().astype(np.float64) / 2
        small = flat if flat.shape[0] <= flat.shape[1] else flat.T
        np.testing.assert_allclose(small @ small.T, np.eye(len(small)), atol=1e-6)
    with pytest.raises(ValueError, match="2 or more dimensions"):
        init.orthogonal_(cr.empty(3))


def test_constant_inits_and_gains():
    assert (init.constant_(cr.empty(3), 0.5) == 0.5).all().item()
    assert (init.ones_(cr.empty(3)) == 1).all().item()
    assert (init.zeros_(cr.empty(3)) == 0).all().item()
    assert init.eye_(cr.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match="expected a matrix"):
        init.eye_(cr.empty(3))
    w = nn.Parameter(cr.empty(2, 2))
    assert init.zeros_(w) is w  # a leaf that requires a gradient
    assert w.is_leaf
    assert w.requires_grad
    assert init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert init.calculate_gain("relu") == pytest.approx(math.sqrt(2))
    assert init.calculate_gain("leaky_relu", 1.0) == 1
    with pytest.raises(ValueError, match="unknown nonlinearity 'softmax'"):
        init.calculate_gain("softmax")
    with pytest.raises(ValueError, match="is a number"):
        init.calculate_gain("leaky_relu", "x")
    with pytest.raises(ValueError, match=r"2 or more dimensions .got shape \(3,\)"):
        init.xavier_uniform_(cr.empty(3))
    with pytest.raises(ValueError, match="mode is one of"):
        init.kaiming_uniform_(cr.empty(3, 3), mode="fan")


def test_layers_start_as_torchs_do():
    for layer, bound in (
        (nn.Linear(400, 300), 1 / math.sqrt(400)),
        (nn.Conv2d(40, 80, 3, groups=2), 1 / math.sqrt(20 * 9)),
        (nn.Conv1d(60, 80, 5), 1 / math.sqrt(60 * 5)),
    ):
        assert bound * 0.99 < layer.weight.abs().max().item() <= bound * (1 + 1e-6)
        assert bound * 0.8 < layer.bias.abs().max().item() <= bound
        assert deviates(layer.weight, 0, bound**2 / 3) < 4
        assert deviates(layer.weight.detach().square(), bound**2 / 3, bound**4 * 4 / 45) < 4
    cr.manual_seed(5)
    first = nn.Linear(3, 3).weight.detach()
    cr.manual_seed(5)
    assert cr.equal(first, nn.Linear(3, 3).weight.detach())
    assert nn.Linear(0, 3).bias.abs().sum().item() == 0
