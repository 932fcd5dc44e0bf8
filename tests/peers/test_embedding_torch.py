"""Bags of embeddings against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NUMBERS = np.array([[1, 4, 4], [0, 2, 3], [2, 2, 2], [5, 1, 0]])
# torch 2.13 divides by another number's frequency where these differ.
TWICE = np.array([[0, 1, 2, 3], [3, 1, 2, 0]])
CUTS = np.array([0, 3, 3, 7])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("options", "numbers", "offsets"),
    [
        ({}, NUMBERS, None),
        ({"mode": "sum"}, NUMBERS.reshape(-1), CUTS),
        ({"mode": "max"}, NUMBERS.reshape(-1), CUTS),
        ({"include_last_offset": True}, NUMBERS.reshape(-1), np.array([0, 2, 12])),
        ({"padding_idx": 2}, NUMBERS, None),
        ({"padding_idx": -5, "mode": "max"}, NUMBERS, None),
        ({"padding_idx": 2, "mode": "sum"}, NUMBERS, None),
        ({"scale_grad_by_freq": True, "mode": "sum"}, TWICE, None),
        ({"scale_grad_by_freq": True}, TWICE, None),
        ({"max_norm": 1.0}, NUMBERS, None),
        ({"max_norm": 1.0, "norm_type": 1.0}, NUMBERS, None),
    ],
)
def test_embedding_bag_agrees(options, numbers, offsets, dtype):
    theirs = torch.nn.EmbeddingBag(6, 4, **options).to(getattr(torch, dtype))
    ours = nn.EmbeddingBag(6, 4, **options).to(getattr(cr, dtype))
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())
    weighted = options.get("mode") == "sum" and "scale_grad_by_freq" not in options
    factors = np.random.default_rng(0).standard_normal(numbers.shape).astype(dtype)
    results = []
    for library, module in ((cr, ours), (torch, theirs)):
        parts = library.tensor(factors, requires_grad=True) if weighted else None
        cuts = None if offsets is None else library.tensor(offsets)
        out = module(library.tensor(numbers), cuts, parts)
        ramp = np.arange(1, 1 + out.shape[0] * 4).reshape(-1, 4).astype(dtype)
        (out * library.tensor(ramp)).sum().backward()
        found = [out, module.weight, module.weight.grad]
        results.append([t.detach().numpy() for t in found + ([parts.grad] if weighted else [])])
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, **close)
