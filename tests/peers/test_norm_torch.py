"""Normalization against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODULES = [
    ("BatchNorm1d", (5,), {}, (6, 5)),
    ("BatchNorm1d", (5,), {"affine": False, "momentum": None}, (6, 5, 7)),
    ("BatchNorm1d", (5,), {"track_running_stats": False}, (6, 5, 19)),
    ("BatchNorm2d", (5,), {"eps": 0.1, "momentum": 0.4}, (6, 5, 7, 8)),
    ("BatchNorm2d", (40,), {}, (3, 40, 2, 3)),
    ("InstanceNorm1d", (5,), {"affine": True}, (6, 5, 7)),
    ("InstanceNorm1d", (5,), {"affine": True, "track_running_stats": True}, (5, 7)),
    ("InstanceNorm2d", (5,), {"track_running_stats": True}, (6, 5, 7, 8)),
    ("InstanceNorm2d", (5,), {}, (5, 7, 8)),
    ("GroupNorm", (3, 6), {}, (4, 6, 5)),
    ("GroupNorm", (1, 6), {"affine": False}, (4, 6, 5, 7)),
    ("LayerNorm", (7,), {}, (4, 5, 7)),
    ("LayerNorm", ((5, 7),), {"bias": False}, (4, 5, 7)),
    ("LayerNorm", (7,), {"elementwise_affine": False, "eps": 0.1}, (4, 7)),
    ("RMSNorm", (7,), {}, (4, 5, 7)),
    ("RMSNorm", ((5, 7),), {"eps": 0.1}, (4, 5, 7)),
    ("LocalResponseNorm", (3,), {"alpha": 0.5}, (4, 5, 7)),
    ("LocalResponseNorm", (4,), {"alpha": 0.5, "k": 2.0}, (4, 5, 6, 7)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "args", "options", "shape"), MODULES, ids=[f"{m[0]}{i}" for i, m in enumerate(MODULES)]
)
def test_module_agrees(name, args, options, shape, dtype):
    """Two steps of training, then evaluation: outputs, gradients, running statistics."""
    theirs = getattr(torch.nn, name)(*args, **options).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*args, **options).to(getattr(cr, dtype))
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.tensor(rng.standard_normal(tuple(parameter.shape))))
    ours.load_state_dict(theirs.state_dict())
    close = {"rtol": 1e-5, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        x, g = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        mine, other = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, expected = ours(mine), theirs(other)
        out.backward(cr.tensor(g))
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), **close)
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), **close)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), **close)
        state = theirs.state_dict()
        assert list(ours.state_dict()) == list(state)
        for key, value in ours.state_dict().items():
            np.testing.assert_allclose(value.numpy(), state[key].numpy(), **close)


def _without_bias_word(text):
    """Older versions of torch do not name the bias of channel normalizations."""
    return text.replace(", bias=True", "").replace(", bias=False", "")


@pytest.mark.parametrize(
    ("name", "args", "options", "shape"), MODULES, ids=[f"{m[0]}{i}" for i, m in enumerate(MODULES)]
)
def test_repr_agrees(name, args, options, shape):
    theirs = getattr(torch.nn, name)(*args, **options)
    ours = getattr(nn, name)(*args, **options)
    assert _without_bias_word(repr(ours)) == _without_bias_word(repr(theirs))
