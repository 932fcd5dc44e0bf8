"""Attention against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import functional as F

torch = pytest.importorskip("torch")

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(0)
BOOL = RNG.random((6, 9)) < 0.6
BOOL[3] = False
LEAD = (2, 3)

CALLS = {
    "plain": {},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": BOOL},
    "additive": {"attn_mask": RNG.standard_normal((2, 1, 6, 9))},
    "additive, hidden rows": {"attn_mask": np.where(BOOL, 0.0, -np.inf)},
    "padding": {"attn_mask": RNG.random((2, 1, 1, 9)) < 0.7},
    "scale": {"scale": 0.9},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("call", CALLS)
def test_attention_agrees(call, dtype):
    options = CALLS[call]
    shapes = ((*LEAD, 6, 8), (*LEAD, 9, 8), (*LEAD, 9, 5), (*LEAD, 6, 5))
    arrays = [RNG.standard_normal(shape).astype(dtype) for shape in shapes]
    results = []
    for library, function in (
        (cr, F.scaled_dot_product_attention),
        (torch, torch.nn.functional.scaled_dot_product_attention),
    ):
        given = dict(options)
        if "attn_mask" in given:
            mask = given["attn_mask"]
            given["attn_mask"] = library.tensor(mask if mask.dtype == bool else mask.astype(dtype))
        x = [library.tensor(a, requires_grad=True) for a in arrays[:3]]
        out = function(*x, **given)
        out.backward(library.tensor(arrays[3]))
        results.append([out.detach().numpy(), *(t.grad.numpy() for t in x)])
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * 5)


def test_shared_heads_and_broadcasting_agree():
    for shapes, gqa in (
        (((2, 6, 4, 8), (2, 2, 5, 8), (2, 2, 5, 3)), True),
        (((2, 1, 4, 8), (3, 5, 8), (1, 3, 5, 3)), False),
        (((4, 8), (5, 8), (5, 3)), False),
    ):
        arrays = [RNG.standard_normal(shape) for shape in shapes]
        ours = F.scaled_dot_product_attention(*map(cr.tensor, arrays), enable_gqa=gqa)
        theirs = torch.nn.functional.scaled_dot_product_attention(
            *map(torch.tensor, arrays), enable_gqa=gqa
        )
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=1e-13)
