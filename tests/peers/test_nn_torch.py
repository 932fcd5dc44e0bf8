"""Modules and optimizers against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using padding:UserWarning"),
]

MODULES = [
    ("Linear", (3, 2), {}, (4, 3)),
    ("Linear", (3, 2), {"bias": False}, (3,)),
    ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (2, 4, 9)),
    ("Conv1d", (4, 6, 4), {"padding": "same", "padding_mode": "reflect"}, (2, 4, 9)),
    ("Conv2d", (4, 6, 3), {"dilation": 2, "padding": (2, 1)}, (2, 4, 9, 8)),
    ("Conv2d", (4, 4, (3, 2)), {"groups": 4, "padding": "same", "bias": False}, (4, 9, 8)),
    ("Conv2d", (4, 2, 3), {"padding": 2, "padding_mode": "circular"}, (2, 4, 9, 8)),
    ("Conv2d", (4, 2, 3), {"padding": 1, "padding_mode": "replicate"}, (2, 4, 9, 8)),
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, (2, 4, 10)),
    ("MaxPool2d", (3,), {"stride": 2, "dilation": 2}, (2, 4, 9, 10)),
    ("AvgPool1d", (3,), {"padding": 1, "count_include_pad": False}, (2, 4, 10)),
    ("AvgPool2d", ((2, 3),), {"stride": 1, "ceil_mode": True}, (2, 4, 9, 10)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 4, 10)),
    ("AdaptiveAvgPool2d", ((3, None),), {}, (2, 4, 9, 10)),
    ("AdaptiveMaxPool1d", (4,), {}, (2, 4, 10)),
    ("AdaptiveMaxPool2d", (4,), {}, (2, 4, 9, 10)),
    ("Flatten", (), {}, (2, 3, 4)),
    ("Unflatten", (1, (3, 2)), {}, (2, 6)),
    ("Identity", (), {}, (2, 3)),
    ("Dropout", (0.0,), {}, (2, 3)),
    ("ReLU", (), {}, (3, 4)),
    ("LeakyReLU", (0.3,), {}, (3, 4)),
    ("ELU", (0.7,), {}, (3, 4)),
    ("GELU", (), {}, (3, 4)),
    ("GELU", ("tanh",), {}, (3, 4)),
    ("SiLU", (), {}, (3, 4)),
    ("Mish", (), {}, (3, 4)),
    ("Sigmoid", (), {}, (3, 4)),
    ("Tanh", (), {}, (3, 4)),
    ("Softplus", (2.0, 1.0), {}, (3, 4)),
    ("LogSigmoid", (), {}, (3, 4)),
    ("Softmax", (1,), {}, (3, 4)),
    ("LogSoftmax", (-1,), {}, (3, 4)),
]


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
    weights = rng.standard_normal(tuple(expected.shape)).astype(dtype)
    (out * cr.tensor(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), **close)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), **close)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), **close)


LOSSES = [
    ("MSELoss", {}),
    ("L1Loss", {}),
    ("SmoothL1Loss", {"beta": 0.3}),
    ("HuberLoss", {"delta": 0.3}),
    ("BCELoss", {}),
    ("BCEWithLogitsLoss", {}),
    ("KLDivLoss", {"log_target": True}),
    ("KLDivLoss", {}),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}),
]


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_loss_agrees(name, options, reduction):
    ours = getattr(nn, name)(reduction=reduction, **options)
    theirs = getattr(torch.nn, name)(reduction=reduction, **options)
    assert repr(ours) == repr(theirs)
    arrays = np.random.default_rng(0).uniform(0.05, 0.95, (2, 4, 3))
    x, t = (cr.tensor(a, requires_grad=True) for a in arrays)
    y, s = (torch.tensor(a, requires_grad=True) for a in arrays)
    out, expected = ours(x, t), theirs(y, s)
    out.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(t.grad.numpy(), s.grad.numpy(), rtol=1e-12, atol=1e-14)


OPTIMIZERS = [
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {"amsgrad": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"maximize": True}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"rho": 0.8, "weight_decay": 0.1}),
    ("Adadelta", {"eps": 1e-3, "maximize": True}),
    ("Adamax", {"betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("Adamax", {"eps": 1e-2, "maximize": True}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_optimizer_follows_and_resumes(name, options):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), (5,))]
    mine = [nn.Parameter(cr.tensor(a)) for a in arrays]
    other = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    ours = getattr(optim, name)(mine, lr=0.1, **options)
    theirs = getattr(torch.optim, name)(other, lr=0.1, **options)
    assert repr(ours) == repr(theirs)

    def steps(count):
        for _ in range(count):
            for p, q in zip(mine, other, strict=True):
                grad = rng.standard_normal(p.shape)
                p.grad, q.grad = cr.tensor(grad), torch.tensor(grad)
            ours.step()
            theirs.step()

    def check():
        for p, q in zip(mine, other, strict=True):
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-11)

    steps(50)
    check()
    a, b = ours.state_dict(), theirs.state_dict()
    assert a["param_groups"] == b["param_groups"]
    assert {k: set(v) for k, v in a["state"].items()} == {k: set(v) for k, v in b["state"].items()}
    # A run of torch's goes on here.
    ours = getattr(optim, name)(mine)
    ours.load_state_dict(b)
    steps(3)
    check()
