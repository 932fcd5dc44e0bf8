"""Products, statistics and placing against torch, where it is installed."""

import numpy as np
import pytest

import chainrule as cr

torch = pytest.importorskip("torch")

NAN, INF = float("nan"), float("inf")
A = np.random.default_rng(0).standard_normal((4, 3))
B = np.random.default_rng(1).standard_normal((4, 3))
C = np.random.default_rng(2).standard_normal((3, 5))
HOLES = np.where(A > 0.5, NAN, A)
INDEX = np.array([[0, 1, 3], [2, 1, 0]])
WHOLE = np.array([[3, -1, 2], [0, 5, -4]])

# Name, arguments (arrays become tensors), options.
CALLS = [
    ("einsum", ("ij,jk->ik", A, C), {}),
    ("einsum", ("ij,jk,ik", A, C, A @ C), {}),
    ("einsum", ("...j,...j", A, B), {}),
    ("tensordot", (A, C), {"dims": 1}),
    ("tensordot", (A, B), {"dims": ([0], [0])}),
    ("kron", (A, C), {}),
    ("cross", (A, B), {"dim": 1}),
    ("trace", (A,), {}),
    ("cdist", (A, B), {}),
    ("cdist", (A, B), {"p": 1.0}),
    ("cdist", (A, B), {"p": INF}),
    ("cdist", (A, B), {"p": 3.0}),
    ("cov", (A,), {"correction": 0}),
    ("corrcoef", (A,), {}),
    ("vander", (WHOLE[1],), {"N": 4}),
    ("vander", (WHOLE[0],), {}),
    ("block_diag", (A, C[0], C), {}),
    ("cartesian_prod", (A[0], C[0]), {}),
    ("combinations", (A[0],), {"r": 2, "with_replacement": True}),
    ("aminmax", (A,), {"dim": 1}),
    ("std_mean", (A, 1), {"correction": 0}),
    ("var_mean", (A,), {"dim": 0, "keepdim": True}),
    ("count_nonzero", (WHOLE,), {"dim": 1}),
    ("nansum", (HOLES, 0), {}),
    ("nanmean", (HOLES, 1, True), {}),
    ("nan_to_num", (HOLES,), {"nan": 3.0}),
    ("diff", (A,), {"n": 2, "dim": 0}),
    ("diff", (WHOLE > 0,), {}),
    ("logcumsumexp", (A, 1), {}),
    ("logaddexp", (A, B), {}),
    ("xlogy", (A, B * B), {}),
    ("xlogy", (WHOLE, B[:2] ** 2), {}),
    ("rad2deg", (A,), {}),
    ("sinc", (A,), {}),
    ("heaviside", (WHOLE, INDEX), {}),
    ("float_power", (WHOLE, 2), {}),
    ("logspace", (0, 2, 5), {"base": 3.0}),
    ("take", (A, INDEX), {}),
    ("take_along_dim", (A, INDEX[:1]), {"dim": 0}),
    ("index_copy", (A, 0, INDEX[1], C[:, :3]), {}),
    ("index_fill", (A, 0, INDEX[1], 2.5), {}),
    ("diag_embed", (A, 1, 0, 2), {}),
    ("tril_indices", (3, 4, 1), {}),
    ("triu_indices", (3, 4, -1), {}),
    ("rot90", (A, 3, (1, 0)), {}),
    ("repeat_interleave", (A, INDEX[0], 1), {}),
    ("scatter_reduce", (A, 0, INDEX, B[:2], "sum"), {}),
    ("scatter_reduce", (A, 0, INDEX, B[:2], "prod"), {"include_self": False}),
    ("scatter_reduce", (A, 0, INDEX, B[:2], "mean"), {}),
    ("scatter_reduce", (A, 0, INDEX, B[:2], "amax"), {"include_self": False}),
    ("scatter_reduce", (A, 0, INDEX, B[:2], "amin"), {}),
    ("scatter_reduce", (WHOLE, 0, INDEX % 2, WHOLE, "mean"), {}),
    ("column_stack", ((A, B),), {}),
    ("dstack", ((A, B),), {}),
    ("atleast_3d", (A,), {}),
]


def _tensors(value, library):
    if isinstance(value, np.ndarray):
        wanted = value.dtype.kind == "f"
        return library.tensor(value, requires_grad=wanted)
    if isinstance(value, tuple) and isinstance(value[0], np.ndarray):
        return tuple(_tensors(v, library) for v in value)
    return value


def _leaves(args):
    flat = [x for a in args for x in (a if isinstance(a, tuple) else (a,))]
    return [x for x in flat if getattr(x, "requires_grad", False)]


@pytest.mark.parametrize(
    ("name", "args", "options"), CALLS, ids=[f"{c[0]}{i}" for i, c in enumerate(CALLS)]
)
def test_agrees(name, args, options):
    ours, theirs = ([_tensors(a, library) for a in args] for library in (cr, torch))
    got = getattr(cr, name)(*ours, **options)
    expected = getattr(torch, name)(*theirs, **options)
    if not isinstance(expected, tuple):
        got, expected = (got,), (expected,)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype.name == str(b.dtype).split(".")[1]
        assert a.shape == tuple(b.shape)
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-9, equal_nan=True
        )
    if not expected[0].requires_grad:
        return
    (got[0] * got[0]).nansum().backward()
    (expected[0] * expected[0]).nansum().backward()
    for a, b in zip(_leaves(ours), _leaves(theirs), strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6, atol=1e-9)
