"""Einstein summation and its kin, distances, covariance: against NumPy and finite differences."""

import itertools
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck


def _draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _leaf(*shape: int, seed: int = 0) -> cr.Tensor:
    return cr.tensor(_draw(*shape, seed=seed), requires_grad=True)


# ---------------------------------------------------------------- einsum

EQUATIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]),
    ("ij,kj->ki", [(2, 3), (4, 3)]),
    ("i,j->ji", [(2,), (3,)]),
    ("i,i->", [(3,), (3,)]),
    ("ij->ji", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->j", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->ji", [(3, 3, 2)]),
    ("iii->i", [(2, 2, 2)]),
    ("ijij->ji", [(2, 3, 2, 3)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
    ("...ij,jk", [(2, 3, 4), (4, 2)]),
    ("i...,i...->...", [(3, 2, 2), (3, 2, 2)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("ij...->...", [(2, 3, 4)]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 2), (2, 3)]),
    ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("i,i,i->i", [(3,), (3,), (3,)]),
    ("i,ij,j->", [(2,), (2, 3), (3,)]),
    ("ij,kl->", [(2, 3), (4, 2)]),
    (",ij->ij", [(), (2, 3)]),
    ("Ab,bA->A", [(2, 3), (3, 2)]),
    ("ij,jk->ik", [(2, 0), (0, 4)]),
    ("ij,jk->ik", [(0, 3), (3, 4)]),
    ("ij,ij->ij", [(2, 3), (2, 3)]),
    ("bi,bj,bk->bijk", [(2, 3), (2, 2), (2, 2)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [_draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    expected = np.einsum(equation, *arrays)
    tensors = [cr.tensor(a, requires_grad=True) for a in arrays]
    found = cr.einsum(equation, *tensors)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    assert cr.equal(cr.einsum(equation, tensors), found)
    if all(array.size for array in arrays):
        assert gradcheck(lambda *xs: cr.einsum(equation, *xs), tensors)
        assert gradgradcheck(lambda *xs: cr.einsum(equation, *[x * x for x in xs]), tensors)


def test_einsum_broadcasts_ones() -> None:
    a, b = cr.tensor(_draw(2, 1)), cr.tensor(_draw(3, 4, seed=1))
    expected = np.einsum("ij,jk->ik", np.broadcast_to(a.numpy(), (2, 3)), b.numpy())
    np.testing.assert_allclose(cr.einsum("ij,jk->ik", a, b).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_einsum_dtypes(dtype: str) -> None:
    a, b = (np.arange(6).reshape(2, 3).astype(dtype) for _ in range(2))
    found = cr.einsum("ij,kj->ik", cr.tensor(a), cr.tensor(b))
    assert found.dtype.name == dtype
    np.testing.assert_array_equal(found.numpy(), a @ b.T)


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], r"'ij,jk->ik' has 2 operands \(got 1 tensors\)"),
        ("i1->i", [(2, 3)], r"subscripts must be letters \(got '1'"),
        ("i->i", [(2, 3)], r"operand 0 has 2 dimensions, but 'i->i' gives it 1"),
        ("...ijk", [(2, 3)], r"operand 0 has 2 dimensions"),
        ("ij,jk->ik", [(2, 3), (4, 5)], r"subscript 'j' .* sizes 3 and 4 .*\(2, 3\), \(4, 5\)"),
        ("ii->i", [(2, 3)], r"subscript 'i'"),
        ("ii->i", [(3, 1)], r"subscript 'i' is repeated within an operand.*\(got 3 and 1\)"),
        ("ij->ik", [(2, 3)], r"output subscript 'k'"),
        ("ij->ii", [(2, 3)], r"output subscript 'i'"),
    ],
)
def test_einsum_errors(equation: str, shapes: Any, message: str) -> None:
    with pytest.raises(ValueError, match="einsum: .*" + message):
        cr.einsum(equation, *[cr.ones(shape) for shape in shapes])


def test_einsum_needs_one_dtype() -> None:
    with pytest.raises(TypeError, match=r"einsum: operands differ in dtype"):
        cr.einsum("i,i", cr.ones(2), cr.ones(2, dtype=cr.float64))


def test_einsum_contracts_the_cheapest_pair_first() -> None:
    """Written order would make a matrix of 10**8 elements."""
    column, row = cr.ones(10_000, 1), cr.ones(1, 10_000)
    assert cr.einsum("ij,jk,kl->il", column, row, column).sum().item() == 1e8


# ---------------------------------------------------------------- products of two


@pytest.mark.parametrize(
    ("a", "b", "dims"),
    [
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (3, 4), 1),
        ((2,), (3,), 0),
        ((2, 3, 4), (4, 2), ([2, 0], [0, 1])),
        ((2, 3, 4), (5, 3), ([1], [1])),
        ((2, 3, 4), (5, 3), ([-2], [-1])),
        ((3, 0), (0, 2), 1),
    ],
)
def test_tensordot(a: Any, b: Any, dims: Any) -> None:
    x, y = _draw(*a), _draw(*b, seed=1)
    expected = np.tensordot(x, y, dims)
    found = cr.tensordot(cr.tensor(x), cr.tensor(y), dims)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert found.shape == expected.shape
    if x.size:
        assert gradcheck(lambda p, q: cr.tensordot(p, q, dims), (_leaf(*a), _leaf(*b)))


def test_tensordot_errors() -> None:
    with pytest.raises(ValueError, match=r"tensordot: .*\(2, 3\) and \(4, 5\)"):
        cr.tensordot(cr.ones(2, 3), cr.ones(4, 5), 1)
    with pytest.raises(ValueError, match=r"tensordot: cannot sum over 3 dimensions"):
        cr.tensordot(cr.ones(2, 3), cr.ones(2, 3), 3)
    with pytest.raises(ValueError, match=r"two sequences of one length"):
        cr.tensordot(cr.ones(2, 3), cr.ones(2, 3), ([0, 1], [0]))
    with pytest.raises(IndexError, match=r"tensordot: dimension out of range \(got 2"):
        cr.tensordot(cr.ones(2, 3), cr.ones(2, 3), ([2], [0]))


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (3,)), ((2, 3), (4, 3)), ((2, 4, 3), (3,)), ((), (2,))]
)
def test_inner(a: Any, b: Any) -> None:
    x, y = _draw(*a), _draw(*b, seed=1)
    found = cr.tensor(x).inner(cr.tensor(y))
    np.testing.assert_allclose(found.numpy(), np.inner(x, y), rtol=1e-12)
    assert found.shape == np.inner(x, y).shape
    assert gradcheck(cr.inner, (_leaf(*a), _leaf(*b)))
    with pytest.raises(ValueError, match=r"inner: .*\(2,\) and \(3,\)"):
        cr.inner(cr.ones(2), cr.ones(3))


def test_conjugate_transpose_and_device() -> None:
    x = cr.tensor(_draw(2, 3))
    np.testing.assert_array_equal(x.H.numpy(), x.numpy().T)
    assert x.H.data_ptr() == x.data_ptr()
    with pytest.raises(ValueError, match=r"H: expected a matrix \(got shape \(2,\)\)"):
        _ = cr.ones(2).H
    assert (x.is_cpu, x.is_cuda, x.get_device()) == (True, False, -1)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (4, 2)), ((3,), (2,)), ((2,), (2, 3)), ((2, 2, 2), (3,)), ((), (2,))]
)
def test_kron(a: Any, b: Any) -> None:
    x, y = _draw(*a), _draw(*b, seed=1)
    expected = np.kron(x, y)
    found = cr.tensor(x).kron(cr.tensor(y))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    assert gradcheck(cr.kron, (_leaf(*a), _leaf(*b)))


@pytest.mark.parametrize(
    ("a", "b", "dim"),
    [((3,), (3,), None), ((4, 3), (4, 3), 1), ((3, 2), (3, 2), 0), ((5, 3), (3,), -1)],
)
def test_cross(a: Any, b: Any, dim: Any) -> None:
    x, y = _draw(*a), _draw(*b, seed=1)
    axis = -1 if dim is None else dim
    found = cr.cross(cr.tensor(x), cr.tensor(y), dim)
    np.testing.assert_allclose(found.numpy(), np.cross(x, y, axis=axis), rtol=1e-12)
    assert gradcheck(lambda p, q: cr.cross(p, q, dim), (_leaf(*a), _leaf(*b)))


def test_cross_errors() -> None:
    with pytest.raises(ValueError, match=r"no dimension has size 3 \(got shape \(2, 4\)\)"):
        cr.cross(cr.ones(2, 4), cr.ones(2, 4))
    with pytest.raises(ValueError, match=r"dimension 0 must have size 3 \(got shape \(2, 3\)\)"):
        cr.cross(cr.ones(2, 3), cr.ones(2, 3), 0)


def test_trace() -> None:
    x = _draw(3, 4)
    np.testing.assert_allclose(cr.tensor(x).trace().item(), np.trace(x), rtol=1e-14)
    assert cr.trace(cr.tensor([[1, 2], [3, 4]])).dtype == cr.int64
    assert gradcheck(cr.trace, (_leaf(3, 2),))
    with pytest.raises(ValueError, match=r"trace: expected a matrix \(got shape \(2,\)\)"):
        cr.trace(cr.ones(2))


# ---------------------------------------------------------------- distances

INF = float("inf")


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize(
    ("a", "b"), [((3, 4), (5, 4)), ((2, 3, 2), (2, 4, 2)), ((2, 1, 3, 2), (4, 2))]
)
def test_cdist(a: Any, b: Any, p: float) -> None:
    x, y = _draw(*a), _draw(*b, seed=1)
    expected = np.linalg.norm(
        (x[..., :, None, :] - y[..., None, :, :]).reshape(-1, a[-1]), p, axis=-1
    )
    found = cr.cdist(cr.tensor(x), cr.tensor(y), p)
    assert found.shape[-2:] == (a[-2], b[-2])
    np.testing.assert_allclose(found.numpy().reshape(-1), expected, rtol=1e-12)
    if p >= 1:
        assert gradcheck(lambda s, t: cr.cdist(s, t, p), (_leaf(*a), _leaf(*b, seed=1)))
    if p in (1, 2, 3):
        assert gradgradcheck(lambda s, t: cr.cdist(s, t, p), (_leaf(*a), _leaf(*b, seed=1)))


def test_cdist_by_matmul() -> None:
    x, y = _leaf(3, 4), _leaf(5, 4, seed=1)
    found = cr.cdist(x, y, compute_mode="use_mm_for_euclid_dist")
    assert cr.allclose(found, cr.cdist(x, y), rtol=1e-10)
    assert gradcheck(lambda s, t: cr.cdist(s, t, 2, "use_mm_for_euclid_dist"), (x, y))


@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"])
def test_cdist_of_equal_rows(mode: str) -> None:
    x = cr.tensor([[1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    found = cr.cdist(x, x, compute_mode=mode)
    assert found.tolist() == [[0, 0], [0, 0]]
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0, 0], [0, 0]]
    nan = cr.tensor([[float("nan")]])
    assert np.isnan(cr.cdist(nan, nan, compute_mode=mode).item())


def test_cdist_is_accurate_far_from_the_origin() -> None:
    x = cr.tensor([[1e4, 1e4]])
    y = cr.tensor([[1e4 + 3 / 1024, 1e4 + 4 / 1024]])
    assert cr.cdist(x, y).item() == 5 / 1024


def test_cdist_errors() -> None:
    with pytest.raises(ValueError, match=r"cdist: .*\(2, 3\) and \(2, 4\)"):
        cr.cdist(cr.ones(2, 3), cr.ones(2, 4))
    with pytest.raises(ValueError, match=r"cdist: p must not be negative \(got -1"):
        cr.cdist(cr.ones(2, 3), cr.ones(2, 3), -1.0)
    with pytest.raises(ValueError, match=r"unknown compute_mode \(got 'fast'\)"):
        cr.cdist(cr.ones(2, 3), cr.ones(2, 3), compute_mode="fast")


# ---------------------------------------------------------------- covariance


@pytest.mark.parametrize("shape", [(3, 6), (5,)])
@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("frequencies", [False, True])
@pytest.mark.parametrize("importances", [False, True])
def test_cov(shape: Any, correction: int, frequencies: bool, importances: bool) -> None:
    x, n = _draw(*shape), shape[-1]
    f = np.arange(1, n + 1) if frequencies else None
    a = np.linspace(0.5, 2, n) if importances else None

    def ours(t: cr.Tensor) -> cr.Tensor:
        return cr.cov(
            t,
            correction=correction,
            fweights=None if f is None else cr.tensor(f),
            aweights=None if a is None else cr.tensor(a),
        )

    expected = np.cov(x, ddof=correction, fweights=f, aweights=a)
    np.testing.assert_allclose(ours(cr.tensor(x)).numpy(), expected, rtol=1e-12, atol=1e-14)
    assert gradcheck(ours, (_leaf(*shape),))


def test_corrcoef() -> None:
    x = _draw(3, 6)
    np.testing.assert_allclose(cr.tensor(x).corrcoef().numpy(), np.corrcoef(x), rtol=1e-12)
    assert cr.corrcoef(cr.tensor(x[0])).item() == 1
    off_diagonal = cr.tensor(1 - np.eye(3))
    assert gradcheck(lambda t: cr.corrcoef(t) * off_diagonal, (_leaf(3, 6),))
    assert cr.cov(cr.tensor([[1, 2], [3, 5]])).dtype == cr.float32


def test_cov_errors() -> None:
    with pytest.raises(ValueError, match=r"cov: expected a matrix or a vector \(got shape"):
        cr.cov(cr.ones(1, 2, 3))
    with pytest.raises(ValueError, match=r"fweights must have shape \(3,\) \(got \(2,\)\)"):
        cr.cov(cr.ones(2, 3), fweights=cr.tensor([1, 2]))


# ---------------------------------------------------------------- matrices and tuples


@pytest.mark.parametrize("n", [None, 0, 1, 5])
@pytest.mark.parametrize("increasing", [False, True])
def test_vander(n: Any, increasing: bool) -> None:
    for x in (np.array([0.0, 2.0, -1.5]), np.array([2, 0, 3])):
        expected = np.vander(x, n, increasing)
        found = cr.vander(cr.tensor(x), n, increasing)
        assert found.dtype.name == x.dtype
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    leaf = cr.tensor([0.0, 2.0, -1.5], dtype=cr.float64, requires_grad=True)
    if n != 0:
        assert gradcheck(lambda t: cr.vander(t, n, increasing), (leaf,))
    with pytest.raises(ValueError, match=r"vander: expected a vector \(got shape \(1, 2\)\)"):
        cr.vander(cr.ones(1, 2))


def test_block_diag() -> None:
    a, b, c = _leaf(2, 3), _leaf(2), _leaf()
    found = cr.block_diag(a, b, c)
    expected = np.zeros((4, 6))
    expected[:2, :3], expected[2, 3:5] = a.detach().numpy(), b.detach().numpy()
    expected[3, 5] = c.item()
    np.testing.assert_array_equal(found.detach().numpy(), expected)
    assert gradcheck(cr.block_diag, (a, b, c))
    assert cr.block_diag().shape == (1, 0)
    with pytest.raises(ValueError, match=r"block_diag: expected matrices \(got shape \(1, 1, 1\)"):
        cr.block_diag(cr.ones(1, 1, 1))


def test_cartesian_prod() -> None:
    a, b, c = [1, 2], [3, 4, 5], [6, 7]
    found = cr.cartesian_prod(cr.tensor(a), cr.tensor(b), cr.tensor(c))
    assert [tuple(row) for row in found.tolist()] == list(itertools.product(a, b, c))
    assert cr.cartesian_prod(cr.tensor(a)).tolist() == a
    assert gradcheck(cr.cartesian_prod, (_leaf(2), _leaf(3)))
    with pytest.raises(ValueError, match=r"cartesian_prod: expected vectors \(got shape \(1, 1\)"):
        cr.cartesian_prod(cr.ones(1, 1), cr.ones(2))


@pytest.mark.parametrize("r", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("again", [False, True])
def test_combinations(r: int, again: bool) -> None:
    values = [4, 7, 9]
    choose = itertools.combinations_with_replacement if again else itertools.combinations
    expected = [list(row) for row in choose(values, r)] if r else []
    found = cr.combinations(cr.tensor(values), r, again)
    assert found.tolist() == expected
    assert found.shape == ((len(expected), r) if r else (0,))
    if 0 < r <= 3:
        assert gradcheck(lambda t: cr.combinations(t, r, again), (_leaf(3),))
    with pytest.raises(ValueError, match=r"combinations: .*\(got shape \(1, 1\)"):
        cr.combinations(cr.ones(1, 1), r)
