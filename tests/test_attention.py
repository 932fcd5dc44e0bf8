"""Attention: lengths of several tiles, layouts, masks, dropout, memory, threads, gradients."""

import os
import subprocess
import sys

import numpy as np
import pytest
from opspec.attention import attention as reference

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

EPS = {"float32": float(np.finfo("float32").eps), "float64": float(np.finfo("float64").eps)}


def arrays(*shapes, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def qkv(lead, queries, keys, features, values, dtype="float64", seed=0):
    shapes = ((*lead, n, e) for n, e in ((queries, features), (keys, features), (keys, values)))
    return arrays(*shapes, (*lead, queries, values), dtype=dtype, seed=seed)


def gradients(g, q, k, v, mask=None, scale=None):
    """Gradients of query, key and value by the textbook."""
    scale = 1 / np.sqrt(q.shape[-1]) if scale is None else scale
    scores = scale * (q @ np.swapaxes(k, -1, -2)) + (0 if mask is None else mask)
    highest = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    total = weights.sum(-1, keepdims=True)
    weights /= np.where(total == 0, 1, total)
    dweights = g @ np.swapaxes(v, -1, -2)
    dscores = weights * (dweights - (weights * dweights).sum(-1, keepdims=True))
    flip = np.swapaxes(dscores, -1, -2)
    return scale * dscores @ k, scale * flip @ q, np.swapaxes(weights, -1, -2) @ g


def close(got, expected, dtype, factor=60.0):
    for a, b in zip(got, expected, strict=True):
        bound = factor * EPS[dtype] * max(1.0, float(np.abs(b).max(initial=0)))
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=0, atol=bound)


# Lengths about the edges of strips, blocks of queries and tiles of keys.
LENGTHS = [(1, 1), (1, 999), (2, 40), (3, 130), (16, 120), (31, 121), (64, 241), (67, 64)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("queries", "keys"), LENGTHS)
def test_long(queries, keys, dtype):
    """Values and gradients against whole matrices, with every kind of mask."""
    lead = (1, 2)
    *data, g = qkv(lead, queries, keys, 9, 20, dtype)
    rng = np.random.default_rng(1)
    seen = rng.random((*lead, queries, keys)) < 0.5
    seen[..., 0, :] = False
    causal = np.where(np.tri(queries, keys, dtype=bool), 0.0, -np.inf)
    additive = rng.standard_normal((queries, keys)).astype(dtype)
    for mask, is_causal, total in (
        (None, False, np.zeros(())),
        (None, True, causal),
        (seen, False, np.where(seen, 0, -np.inf)),
        (additive, True, additive + causal),
    ):
        x = [cr.tensor(a, requires_grad=True) for a in data]
        tensor = None if mask is None else cr.tensor(mask)
        out = F.scaled_dot_product_attention(*x, tensor, is_causal=is_causal)
        got = cr.autograd.grad(out, x, cr.tensor(g))
        wide = [a.astype("float64") for a in (g, *data)]
        close([out], [reference(*wide[1:], total)], dtype)
        close(got, gradients(*wide, total), dtype)


@pytest.mark.parametrize("heads", [1, 3])
def test_few_heads_are_cut_into_stretches_of_keys(heads):
    """One head: its keys are shared out, and the partial gradients of the queries summed."""
    *data, g = qkv((heads,), 70, 2100, 8, 6)
    x = [cr.tensor(a, requires_grad=True) for a in data]
    out = F.scaled_dot_product_attention(*x)
    close([out], [reference(*data)], "float64")
    close(cr.autograd.grad(out, x, cr.tensor(g)), gradients(g, *data), "float64")


def test_large_scores_do_not_overflow():
    q, k, v, _ = qkv((2,), 9, 300, 4, 3, "float32")
    out = F.scaled_dot_product_attention(cr.tensor(1e3 * q), cr.tensor(1e3 * k), cr.tensor(v))
    wide = reference(*(a.astype("float64") for a in (1e3 * q, 1e3 * k, v)))
    np.testing.assert_allclose(out.numpy(), wide, atol=0.1)
    assert not np.isnan(out.numpy()).any()


def test_rows_that_see_nothing_are_zero():
    """As torch has it: a result and gradients of zero, not NaN."""
    *data, g = qkv((2, 2), 5, 4, 3, 3)
    mask = np.ones((5, 4), bool)
    mask[1] = False
    for given in (cr.tensor(mask), cr.tensor(np.where(mask, 0, -np.inf))):
        for wanted in (False, True):  # a gradient of the mask takes the way by whole matrices
            given = given.detach()
            if given.is_floating_point() and wanted:
                given.requires_grad_()
            x = [cr.tensor(a, requires_grad=True) for a in data]
            out = F.scaled_dot_product_attention(*x, given)
            out.backward(cr.tensor(g))
            assert (out.detach().numpy()[..., 1, :] == 0).all()
            assert (x[0].grad.numpy()[..., 1, :] == 0).all()
            assert all(np.isfinite(t.grad.numpy()).all() for t in x)
            if given.requires_grad:
                assert (given.grad.numpy()[1] == 0).all()


def test_nan_passes():
    q, k, v, _ = qkv((), 4, 5, 3, 2)
    q[1, 2] = np.nan
    out = F.scaled_dot_product_attention(*map(cr.tensor, (q, k, v))).numpy()
    assert np.isnan(out[1]).all()
    assert np.isfinite(out[[0, 2, 3]]).all()


def test_views_are_read_where_they_lie():
    """Slices of one packed projection, keys with steps, values expanded."""
    packed = arrays((2, 7, 3, 4, 6))[0]
    x = cr.tensor(packed, requires_grad=True)
    q, k, v = (x[:, :, i].transpose(1, 2) for i in range(3))
    out = F.scaled_dot_product_attention(q, k, v)
    assert out.transpose(1, 2).is_contiguous()
    parts = [np.swapaxes(packed[:, :, i], 1, 2) for i in range(3)]
    close([out], [reference(*parts)], "float64")
    g = arrays((2, 4, 7, 6), seed=3)[0]
    out.backward(cr.tensor(g))
    expected = np.stack([np.swapaxes(a, 1, 2) for a in gradients(g, *parts)], 2)
    close([x.grad], [expected], "float64")
    flipped = cr.tensor(np.ascontiguousarray(np.swapaxes(parts[1], -1, -2))).transpose(-1, -2)
    wide = cr.tensor(np.repeat(parts[2], 2, -1))[..., ::2]
    one = cr.tensor(parts[0][:1]).expand(2, 4, 7, 6)
    mask = cr.tensor(arrays((7, 7))[0]).transpose(0, 1)
    expected = reference(parts[0][:1], *parts[1:], arrays((7, 7))[0].T)
    close([F.scaled_dot_product_attention(one, flipped, wide, mask)], [expected], "float64")


def masked(**options):
    return lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m, **options)


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": -0.7}])
def test_gradients_of_both_orders(options):
    data = [cr.tensor(a, requires_grad=True) for a in qkv((2, 2), 3, 4, 2, 3)[:3]]
    mask = cr.tensor(arrays((3, 4))[0], requires_grad=True)
    plain = lambda *x: F.scaled_dot_product_attention(*x, **options)  # noqa: E731
    assert gradcheck(plain, data)
    assert gradgradcheck(plain, data)
    assert gradcheck(masked(**options), (*data, mask))
    assert gradgradcheck(masked(**options), (*data, mask))


def test_gradients_of_shared_heads():
    shapes = ((2, 4, 3, 2), (2, 2, 3, 2), (2, 2, 3, 3))
    data = [cr.tensor(a, requires_grad=True) for a in arrays(*shapes)]
    f = lambda *x: F.scaled_dot_product_attention(*x, enable_gqa=True)  # noqa: E731
    assert gradcheck(f, data)
    assert gradgradcheck(f, data)
    mask = cr.tensor(arrays((3, 3))[0], requires_grad=True)
    assert gradcheck(masked(enable_gqa=True), (*data, mask))


# ---------------------------------------------------------------- dropout


def dropped(seed, data, p, **options):
    cr.manual_seed(seed)
    return F.scaled_dot_product_attention(*data, dropout_p=p, **options)


def test_dropout_drops_weights_and_scales_the_rest():
    """With values of an identity the result is the matrix of weights itself."""
    q, k, _, _ = qkv((2, 2), 33, 150, 4, 1)
    data = [cr.tensor(q), cr.tensor(k), cr.eye(150, dtype=cr.float64).expand(2, 2, 150, 150)]
    whole = F.scaled_dot_product_attention(*data).numpy()
    out = dropped(0, data, 0.25).numpy()
    kept = out != 0
    assert abs(kept.mean() - 0.75) < 0.01
    np.testing.assert_allclose(out[kept], whole[kept] / 0.75, rtol=1e-12)
    assert (dropped(0, data, 0.25).numpy() == out).all()
    assert (dropped(1, data, 0.25).numpy() != out).any()
    assert (dropped(0, data, 1.0).numpy() == 0).all()
    # Which weights are kept is what F.dropout keeps of the matrix.
    cr.manual_seed(0)
    by_hand = F.dropout(cr.tensor(whole), 0.25).numpy()
    np.testing.assert_allclose(out, by_hand, atol=1e-14)


@pytest.mark.parametrize("grouped", [False, True])
def test_dropout_gradients(grouped):
    shapes = ((2, 4, 5, 3), *([(2, 2 if grouped else 4, 6, 3)] * 2))
    data = [cr.tensor(a, requires_grad=True) for a in arrays(*shapes)]
    f = lambda *x: dropped(5, x, 0.4, is_causal=True, enable_gqa=grouped)  # noqa: E731
    assert gradcheck(f, data)
    assert gradgradcheck(f, data)
    out = f(*data)
    g = cr.tensor(arrays(tuple(out.shape), seed=2)[0])
    fused = cr.autograd.grad(out, data, g, retain_graph=True)
    taped = cr.autograd.grad(out, data, g, create_graph=True)
    close(fused, [t.detach().numpy() for t in taped], "float64")


def test_the_row_guards_itself():
    x = cr.zeros(2, 3, 4)
    row = cr._core._attention
    with pytest.raises(TypeError, match="attention: dropout needs a state"):
        row(x, x, x, None, None, 0.5, False, 1.0)
    with pytest.raises(ValueError, match=r"attention: .*\(2, 3, 4\).*\(3, 4\)"):
        row(x, x[0], x, None, None, 0.0, False, 1.0)
    with pytest.raises(ValueError, match=r"attention: the mask has shape \(3, 3\)"):
        row(x, x, x, cr.zeros(3, 3), None, 0.0, False, 1.0)
    with pytest.raises(ValueError, match=r"attention: query .* do not fit"):
        row(x, cr.zeros(2, 3, 5), x, None, None, 0.0, False, 1.0)
    out, log_sum, start = row(x, x, x, None, None, 0.0, False, 1.0)
    grad_row = cr._core._attention_grad
    with pytest.raises(ValueError, match=r"attention_grad: .*\(2, 3\); expected .*\(2, 3, 4\)"):
        grad_row(out, x, x, x, None, log_sum, log_sum, start, 0.0, False, 1.0)
    with pytest.raises(ValueError, match=r"attention_grad: .*\(2, 3, 4\); expected .*\(2, 3\)"):
        grad_row(out, x, x, x, None, out, out, start, 0.0, False, 1.0)


# ---------------------------------------------------------------- threads and memory

_BITS = """
import hashlib, chainrule as cr
from chainrule.nn import functional as F
for lead, n, causal, p in (([2, 3], 150, 1, 0.0), ([1], 700, 0, 0.0), ([3], 90, 0, 0.3)):
    cr.manual_seed(0)
    x = [cr.randn(*lead, n, 20, requires_grad=True) for _ in range(3)]
    out = F.scaled_dot_product_attention(*x, is_causal=bool(causal), dropout_p=p)
    for t in (out.detach(), *cr.autograd.grad(out, x, cr.randn(*lead, n, 20))):
        print(hashlib.sha256(t.contiguous().numpy().tobytes()).hexdigest())
"""


def test_the_same_bits_for_any_number_of_threads():
    runs = [
        subprocess.run(
            [sys.executable, "-c", _BITS],
            env=os.environ | {"CHAINRULE_NUM_THREADS": n},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in ("1", "2", "5")
    ]
    assert runs[0].count("\n") == 12
    assert runs[0] == runs[1] == runs[2]


_PEAK = """
import resource, chainrule as cr
from chainrule.nn import functional as F
x = [cr.randn(1, 1, 16384, 8, requires_grad=True) for _ in range(3)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
F.scaled_dot_product_attention(*x, is_causal=True).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_linear_in_the_length():
    """A matrix of 16,384 x 16,384 weights would take a gigabyte."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100_000  # kilobytes
