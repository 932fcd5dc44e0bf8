"""Embeddings, pads, further activations and losses against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODULES = [
    ("ConstantPad1d", (2, 1.5), {}, (2, 3, 5)),
    ("ConstantPad2d", ((1, -1, 0, 2), 3), {}, (2, 3, 5, 4)),
    ("ZeroPad1d", ((2, -1),), {}, (3, 5)),
    ("ZeroPad2d", (2,), {}, (2, 3, 5, 4)),
    ("ReflectionPad1d", ((4, 3),), {}, (2, 3, 5)),
    ("ReflectionPad2d", ((3, 1, 2, 4),), {}, (2, 3, 5, 4)),
    ("ReplicationPad1d", (7,), {}, (3, 5)),
    ("ReplicationPad2d", ((3, 1, 2, 4),), {}, (3, 5, 4)),
    ("CircularPad1d", ((5, 2),), {}, (2, 3, 5)),
    ("CircularPad2d", ((3, 1, 2, 4),), {}, (2, 3, 5, 4)),
    ("PReLU", (), {}, (2, 3, 4)),
    ("PReLU", (3, 0.4), {}, (2, 3, 4)),
    ("ReLU6", (), {}, (3, 40)),
    ("SELU", (), {}, (3, 4)),
    ("CELU", (2.0,), {}, (3, 4)),
    ("Softsign", (), {}, (3, 4)),
    ("Hardtanh", (-0.5, 1.5), {}, (3, 4)),
    ("Hardsigmoid", (), {}, (3, 40)),
    ("Hardswish", (), {}, (3, 40)),
    ("GLU", (), {}, (3, 4)),
    ("GLU", (0,), {}, (4, 3)),
    ("Threshold", (0.1, 20), {}, (3, 4)),
    ("Softshrink", (0.7,), {}, (3, 4)),
    ("Hardshrink", (), {}, (3, 4)),
    ("Tanhshrink", (), {}, (3, 4)),
    ("Softmin", (1,), {}, (3, 4)),
]


def leaves(array):
    return cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)


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
    array = (2 * rng.standard_normal(shape)).astype(dtype)
    x, y = leaves(array)
    out, expected = ours(x), theirs(y)
    weights = rng.standard_normal(tuple(expected.shape)).astype(dtype)
    (out * cr.tensor(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    # The slope of torch's hardsigmoid is 1/6 in float32.
    rough = dtype == "float32" or name == "Hardsigmoid"
    close = {"rtol": 1e-5, "atol": 1e-5} if rough else {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), **close)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), **close)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), **close)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 2},
        {"padding_idx": -1, "max_norm": 1.0},
        {"max_norm": 1.5, "norm_type": 1.0},
        {"scale_grad_by_freq": True, "padding_idx": 0},
    ],
)
def test_embedding_agrees(options):
    theirs = torch.nn.Embedding(6, 4, dtype=torch.float64, **options)
    ours = nn.Embedding(6, 4, dtype=cr.float64, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    places = np.array([[0, 2, 2], [5, 0, 2]])
    weights = np.random.default_rng(0).standard_normal((2, 3, 4))
    out, expected = ours(cr.tensor(places)), theirs(torch.tensor(places))
    (out * cr.tensor(weights)).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    for mine, other in (
        (ours.weight.detach(), theirs.weight.detach()),
        (ours.weight.grad, theirs.weight.grad),
    ):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", [m[0] for m in MODULES if m[3] in ((3, 4), (3, 40))])
def test_corners_agree(name):
    """Values and gradients where the curves bend, and far away."""
    args = next(m[1] for m in MODULES if m[0] == name)
    if name == "Softmin":
        args = (0,)
    corners = [-0.0, 0.0, 6.0, -3.0, 3.0, -0.5, 0.5, 1.5, 0.1, 0.7, -0.7, 50.0]
    x, y = leaves(np.array(corners))
    out, expected = getattr(nn, name)(*args)(x), getattr(torch.nn, name)(*args)(y)
    out.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    rtol = 1e-7 if name == "Hardsigmoid" else 1e-12
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=rtol, atol=1e-14)


SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, -1], [-1, 1, -1]], np.float64)
LOSSES = [
    ("PoissonNLLLoss", {}, 2, None),
    ("PoissonNLLLoss", {"log_input": False, "full": True}, 2, None),
    ("GaussianNLLLoss", {"full": True}, 3, None),
    ("HingeEmbeddingLoss", {"margin": 1.5}, 1, SIGNS),
    ("MarginRankingLoss", {"margin": 0.5}, 2, SIGNS),
    ("SoftMarginLoss", {}, 1, SIGNS),
    ("CosineEmbeddingLoss", {"margin": 0.2}, 2, SIGNS[:, 0]),
    ("TripletMarginLoss", {}, 3, None),
    ("TripletMarginLoss", {"p": 3.0, "swap": True, "margin": 0.7}, 3, None),
    ("CosineSimilarity", {}, 2, None),
    ("CosineSimilarity", {"dim": 0, "eps": 2.0}, 2, None),
    ("PairwiseDistance", {}, 2, None),
    ("PairwiseDistance", {"p": 1.0, "keepdim": True}, 2, None),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "free", "last"), LOSSES)
def test_loss_agrees(name, options, free, last, reduction):
    if name not in ("CosineSimilarity", "PairwiseDistance"):
        options = {**options, "reduction": reduction}
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    assert repr(ours) == repr(theirs)
    arrays = np.random.default_rng(0).uniform(0.1, 2.5, (free, 4, 3))
    pairs = [leaves(a) for a in arrays]
    rest = [] if last is None else [last]
    out = ours(*[x for x, _ in pairs], *map(cr.tensor, rest))
    expected = theirs(*[y for _, y in pairs], *map(torch.tensor, rest))
    out.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(
        out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-13
    )
    for x, y in pairs:
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-13)
