"""Sorting and counting against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")

CALLS = [
    ("sort", (1,), {}),
    ("sort", (), {"dim": 0, "descending": True, "stable": True}),
    ("topk", (2,), {"dim": 1}),
    ("topk", (2, 0), {"largest": False}),
    ("kthvalue", (2, 1, True), {}),
    ("median", (), {}),
    ("median", (1,), {}),
    ("nanmedian", (0, True), {}),
    ("quantile", (0.3,), {"dim": 1, "keepdim": True}),
    ("quantile", (0.5,), {"interpolation": "nearest"}),
    ("nanquantile", (0.7, 0), {"interpolation": "midpoint"}),
    ("cummax", (1,), {}),
    ("cummin", (0,), {}),
    ("msort", (), {}),
]


def _parts(result):
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_agrees(name, args, options, dtype, missing):
    array = np.random.default_rng(0).permutation(20).reshape(4, 5).astype(dtype) / 7
    if missing:
        array[1, 2] = np.nan
    ours, theirs = cr.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    got = _parts(getattr(ours, name)(*args, **options))
    expected = _parts(getattr(theirs, name)(*args, **options))
    for a, b in zip(got, expected, strict=True):
        assert a.dtype.name == str(b.dtype).split(".")[1]
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6)
    got[0].sum().backward()
    expected[0].sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"return_counts": True}, {"return_inverse": True, "dim": 1}]
)
@pytest.mark.parametrize("name", ["unique", "unique_consecutive"])
def test_distinct_values_agree(name, options):
    array = np.random.default_rng(0).integers(0, 2, (3, 6))
    got = _parts(getattr(cr.tensor(array), name)(**options))
    expected = _parts(getattr(torch.tensor(array), name)(**options))
    for a, b in zip(got, expected, strict=True):
        assert a.tolist() == b.tolist()
