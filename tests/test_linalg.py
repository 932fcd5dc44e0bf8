"""Linear algebra: values against NumPy, gradients of both orders against differences, errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import linalg
from chainrule.autograd import gradcheck, gradgradcheck

BATCHES: list[tuple[int, ...]] = [(), (2,), (2, 1)]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def regular(*shape: int, seed: int = 0) -> np.ndarray:
    """Matrices far from singular."""
    return draw(*shape, seed=seed) + 3 * np.eye(*shape[-2:])


def symmetric(*shape: int, seed: int = 0) -> np.ndarray:
    a = draw(*shape, seed=seed) + np.diag(np.arange(shape[-1]) * 2.0)
    return a + np.swapaxes(a, -1, -2)


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    a = draw(*shape, seed=seed)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def leaf(array: np.ndarray) -> cr.Tensor:
    return cr.tensor(array, requires_grad=True)


def array(x: cr.Tensor) -> np.ndarray:
    return np.asarray(x.detach().numpy())


def close(found: cr.Tensor, expected: Any, **tolerance: float) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(array(found), expected, **{"rtol": 1e-9, "atol": 1e-11, **tolerance})


def both_orders(function: Callable[..., Any], *arrays: np.ndarray) -> None:
    leaves = [leaf(a) for a in arrays]
    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


def sym(a: cr.Tensor) -> cr.Tensor:
    return (a + a.mT) / 2


# ---------------------------------------------------------------- values

T = np.swapaxes
VALUES: list[tuple[str, np.ndarray, Callable[[Any], Any], Callable[[np.ndarray], Any]]] = [
    ("inv", regular(3, 3), linalg.inv, np.linalg.inv),
    ("inv", regular(2, 4, 3, 3), linalg.inv, np.linalg.inv),
    ("det", regular(2, 4, 4), linalg.det, np.linalg.det),
    ("slogdet", regular(2, 4, 4), lambda a: linalg.slogdet(a)[1],
     lambda a: np.linalg.slogdet(a)[1]),
    ("pinv", draw(2, 3, 5), linalg.pinv, np.linalg.pinv),
    ("pinv", draw(5, 3), linalg.pinv, np.linalg.pinv),
    ("pinv symmetric", symmetric(4, 4), lambda a: linalg.pinv(a, hermitian=True), np.linalg.pinv),
    ("cholesky", positive(2, 3, 3), linalg.cholesky, np.linalg.cholesky),
    ("cholesky upper", positive(3, 3), lambda a: linalg.cholesky(a, upper=True).mT,
     np.linalg.cholesky),
    ("eigvalsh", symmetric(2, 3, 3), linalg.eigvalsh, np.linalg.eigvalsh),
    ("svdvals", draw(2, 3, 5), linalg.svdvals, lambda a: np.linalg.svd(a, compute_uv=False)),
    ("power", regular(2, 3, 3), lambda a: linalg.matrix_power(a, 5),
     lambda a: np.linalg.matrix_power(a, 5)),
    ("power -2", regular(2, 3, 3), lambda a: linalg.matrix_power(a, -2),
     lambda a: np.linalg.matrix_power(a, -2)),
    ("power 0", regular(2, 3, 3), lambda a: linalg.matrix_power(a, 0),
     lambda a: np.linalg.matrix_power(a, 0)),
    ("rank", draw(2, 3, 5), linalg.matrix_rank, np.linalg.matrix_rank),
    ("cond", draw(2, 3, 3), linalg.cond, np.linalg.cond),
    ("cond -2", draw(2, 3, 3), lambda a: linalg.cond(a, -2), lambda a: np.linalg.cond(a, -2)),
    ("cond 1", draw(2, 3, 3), lambda a: linalg.cond(a, 1), lambda a: np.linalg.cond(a, 1)),
    ("cond fro", draw(3, 3), lambda a: linalg.cond(a, "fro"), lambda a: np.linalg.cond(a, "fro")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "a", "ours", "theirs"), VALUES)
def test_values(name: str, a: np.ndarray, ours: Any, theirs: Any) -> None:
    close(ours(cr.tensor(a)), theirs(a))
    transposed = cr.tensor(np.ascontiguousarray(np.swapaxes(a, -1, -2))).mT
    assert not transposed.is_contiguous()
    close(ours(transposed), theirs(a))
    single = ours(cr.tensor(a, dtype=cr.float32))
    assert single.dtype in (cr.float32, cr.int64)
    close(single, theirs(a), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("batch", BATCHES)
def test_factors_multiply_to_the_matrix(batch: tuple[int, ...]) -> None:
    for shape in ((3, 3), (4, 2), (2, 4)):
        a = draw(*batch, *shape)
        for full in (False, True):
            u, s, vh = map(array, linalg.svd(cr.tensor(a), full_matrices=full))
            k = s.shape[-1]
            np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)
            assert u.shape[-1] == (shape[0] if full else k)
            assert vh.shape[-2] == (shape[1] if full else k)
        for mode in ("reduced", "complete"):
            q, r = map(array, linalg.qr(cr.tensor(a), mode))
            np.testing.assert_allclose(q @ r, a)
            np.testing.assert_allclose(r, np.triu(r))
            assert q.shape[-1] == (shape[0] if mode == "complete" else min(shape))
        empty, r_only = linalg.qr(cr.tensor(a), "r")
        assert empty.shape == (0,)
        close(r_only, array(linalg.qr(cr.tensor(a)).R))
    values, vectors = map(array, linalg.eigh(cr.tensor(symmetric(*batch, 3, 3))))
    np.testing.assert_allclose(
        (vectors * values[..., None, :]) @ T(vectors, -1, -2), symmetric(*batch, 3, 3)
    )
    a = np.triu(draw(*batch, 3, 3)) + np.diag([1.0, 5.0, 9.0])
    values, vectors = map(array, linalg.eig(cr.tensor(a)))
    np.testing.assert_allclose(a @ vectors, vectors * values[..., None, :], atol=1e-12)
    close(linalg.eigvals(cr.tensor(a)), values)


def test_one_triangle_is_read() -> None:
    a, junk = positive(3, 3), np.triu(draw(3, 3, seed=5), 1)
    lower, upper = cr.tensor(np.tril(a) + junk), cr.tensor(np.triu(a) + junk.T)
    close(linalg.cholesky(lower), np.linalg.cholesky(a))
    close(linalg.cholesky(upper, upper=True), np.linalg.cholesky(a).T)
    close(linalg.eigvalsh(lower), np.linalg.eigvalsh(a))
    close(linalg.eigvalsh(upper, "U"), np.linalg.eigvalsh(a))
    b = draw(3, 2)
    close(linalg.solve_triangular(lower, cr.tensor(b), upper=False), np.linalg.solve(np.tril(a), b))


@pytest.mark.parametrize(
    ("a", "b", "batch"),
    [((3, 3), (3, 2), ()), ((3, 3), (3,), ()), ((2, 3, 3), (2, 3), (2,)),
     ((2, 3, 3), (3, 1), (2,)), ((3, 3), (2, 3, 2), (2,)), ((2, 1, 3, 3), (4, 3, 2), (2, 4)),
     ((0, 0), (0, 2), ()), ((0, 3, 3), (3, 2), (0,))],
)  # fmt: skip
def test_solve(a: tuple[int, ...], b: tuple[int, ...], batch: tuple[int, ...]) -> None:
    left, right = regular(*a), draw(*b, seed=1)
    vector = b == a[:-1] or len(b) == 1
    columns = right[..., None] if vector else right
    expected = np.linalg.inv(left) @ columns
    assert expected.shape[:-2] == batch
    expected = expected[..., 0] if vector else expected
    close(linalg.solve(cr.tensor(left), cr.tensor(right)), expected)
    result, info = linalg.solve_ex(cr.tensor(left), cr.tensor(right))
    close(result, expected)
    assert info.dtype is cr.int32
    assert not info.any()
    if not vector:
        rows = np.swapaxes(right, -1, -2)
        found = linalg.solve(cr.tensor(left), cr.tensor(rows), left=False)
        close(found, rows @ np.linalg.inv(left))


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_solve_triangular(upper: bool, left: bool, unit: bool) -> None:
    a, b = regular(2, 3, 3), draw(2, 3, 3, seed=1)
    half = np.triu(a) if upper else np.tril(a)
    if unit:
        half = half - half * np.eye(3) + np.eye(3)

    def solve(a: cr.Tensor, b: cr.Tensor) -> cr.Tensor:
        return linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)

    expected = np.linalg.inv(half) @ b if left else b @ np.linalg.inv(half)
    close(solve(cr.tensor(a), cr.tensor(b)), expected)
    both_orders(solve, a[0], b[0])


def test_lstsq() -> None:
    a, b = draw(2, 5, 3), draw(2, 5, 2, seed=1)
    x, residuals, rank, values = linalg.lstsq(cr.tensor(a), cr.tensor(b))
    for i in range(2):
        expected = np.linalg.lstsq(a[i], b[i], None)
        close(x[i], expected[0])
        close(residuals[i], expected[1])
        assert rank[i].item() == expected[2]
        close(values[i], expected[3])
    vector = linalg.lstsq(cr.tensor(a[0]), cr.tensor(b[0, :, 0]))
    close(vector.solution, np.linalg.lstsq(a[0], b[0, :, 0], None)[0])
    assert vector.residuals.shape == ()
    short = linalg.lstsq(cr.tensor(a[0].T), cr.tensor(b[0, :3]))
    close(short.solution, np.linalg.pinv(a[0].T) @ b[0, :3])
    assert short.residuals.shape == (0,)
    dependent = np.stack([a[0, :, 0], a[0, :, 0]], 1)
    found = linalg.lstsq(cr.tensor(dependent), cr.tensor(b[0]))
    close(found.solution, np.linalg.lstsq(dependent, b[0], None)[0])
    assert found.rank.item() == 1


def test_tensor_equations() -> None:
    a, b = regular(6, 6).reshape(2, 3, 3, 2), draw(2, 3, seed=1)
    close(linalg.tensorsolve(cr.tensor(a), cr.tensor(b)), np.linalg.tensorsolve(a, b))
    close(linalg.tensorinv(cr.tensor(a)), np.linalg.tensorinv(a))
    close(linalg.tensorinv(cr.tensor(a.reshape(6, 2, 3)), 1),
          np.linalg.tensorinv(a.reshape(6, 2, 3), 1))  # fmt: skip
    moved = np.moveaxis(a, 3, 0)
    close(linalg.tensorsolve(cr.tensor(moved), cr.tensor(b), 0), np.linalg.tensorsolve(a, b))


NORMS: list[Any] = [None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]


@pytest.mark.parametrize("ord", NORMS)
@pytest.mark.parametrize("dim", [(-2, -1), (0, 1), (2, 0)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_matrix_norms(ord: Any, dim: tuple[int, int], keepdim: bool) -> None:
    a = draw(2, 3, 4)
    expected = np.linalg.norm(a, ord, dim, keepdim)
    close(linalg.norm(cr.tensor(a), ord, dim, keepdim), expected)
    if ord is not None:
        close(linalg.matrix_norm(cr.tensor(a), ord, dim, keepdim), expected)


@pytest.mark.parametrize("ord", [0, 0.5, 1, 2, 3.5, -1, -2.5, math.inf, -math.inf])
def test_vector_norms(ord: float) -> None:
    a = draw(2, 3, 4)
    close(linalg.vector_norm(cr.tensor(a), ord, 1), np.linalg.norm(a, ord, 1))
    close(linalg.norm(cr.tensor(a), ord, 1, True), np.linalg.norm(a, ord, 1, True))
    close(linalg.norm(cr.tensor(a[0, 0]), ord), np.linalg.norm(a[0, 0], ord))
    close(linalg.vector_norm(cr.tensor(a), ord), np.linalg.norm(a.ravel(), ord))
    zero = leaf(np.array([0.0, 2.0]))
    slope = cr.autograd.grad(linalg.vector_norm(zero, ord), zero, allow_unused=True)[0]
    assert slope is None or np.isfinite(array(slope)).all()


def test_products() -> None:
    chain = [draw(*shape, seed=i) for i, shape in enumerate([(2, 5), (5, 3), (3, 4), (4, 2)])]
    for part in (chain, [chain[0][0], *chain[1:]], [*chain[:-1], chain[-1][:, 0]], chain[:2]):
        close(linalg.multi_dot([cr.tensor(x) for x in part]), np.linalg.multi_dot(part))
    a, b = draw(2, 3), draw(2, 3, seed=1)
    close(linalg.cross(cr.tensor(a), cr.tensor(b)), np.cross(a, b))
    close(linalg.vecdot(cr.tensor(a), cr.tensor(b)), (a * b).sum(-1))
    close(linalg.vecdot(cr.tensor(a), cr.tensor(b), dim=0), (a * b).sum(0))
    close(linalg.diagonal(cr.tensor(draw(2, 3, 4)), offset=1), draw(2, 3, 4).diagonal(1, -2, -1))
    close(linalg.vander(cr.tensor(a), N=4), a[..., None] ** np.arange(4))
    close(linalg.matmul(cr.tensor(a), cr.tensor(b.T)), a @ b.T)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_a_chain_is_the_cheapest(seed: int) -> None:
    from chainrule._products import _cheapest_cuts

    sizes = np.random.default_rng(seed).integers(1, 30, 7).tolist()
    cut = _cheapest_cuts(sizes)

    def split(i: int, j: int, k: int, cost: Callable[[int, int], int]) -> int:
        return cost(i, k) + cost(k + 1, j) + sizes[i] * sizes[k + 1] * sizes[j + 1]

    def chosen(i: int, j: int) -> int:
        return 0 if i == j else split(i, j, cut[i, j], chosen)

    def least(i: int, j: int) -> int:
        return 0 if i == j else min(split(i, j, k, least) for k in range(i, j))

    assert chosen(0, 5) == least(0, 5)


def test_matrix_exp() -> None:
    values, vectors = np.linalg.eigh(symmetric(3, 4, 4) * np.array([1e-3, 0.5, 2])[:, None, None])
    a = (vectors * values[:, None, :]) @ T(vectors, -1, -2)
    expected = (vectors * np.exp(values)[:, None, :]) @ T(vectors, -1, -2)
    for one, exact in zip(a, expected, strict=True):
        close(linalg.matrix_exp(cr.tensor(one)), exact, rtol=1e-10, atol=1e-12 * exact.max())
    close(linalg.matrix_exp(cr.tensor(a)), expected, rtol=1e-10, atol=1e-12 * expected.max())
    skew = draw(6, 6) * 10
    skew = skew - skew.T
    values, vectors = np.linalg.eigh(1j * skew)
    rotation = (vectors * np.exp(-1j * values)) @ vectors.conj().T
    close(linalg.matrix_exp(cr.tensor(skew)), rotation.real, atol=1e-11)
    turn = np.array([[0.0, -40.0], [40.0, 0.0]])
    wave = [[math.cos(40), -math.sin(40)], [math.sin(40), math.cos(40)]]
    close(linalg.matrix_exp(cr.tensor(turn)), wave, rtol=1e-10)


def test_householder_product() -> None:
    a = draw(5, 3)
    reflections, tau = np.linalg.qr(a, mode="raw")
    q = np.linalg.qr(a)[0]
    close(linalg.householder_product(cr.tensor(reflections.T.copy()), cr.tensor(tau)), q)


# ---------------------------------------------------------------- torch's older names


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_factors_solve(upper: bool) -> None:
    a, b = positive(2, 3, 3), draw(3, 2, seed=1)
    factor = cr.tensor(a).cholesky(upper)
    close(cr.tensor(b).cholesky_solve(factor, upper), np.linalg.inv(a) @ b)
    close(factor.cholesky_inverse(upper), np.linalg.inv(a))
    both_orders(lambda b, f: cr.cholesky_solve(b, f, upper), b, array(factor))
    both_orders(lambda f: cr.cholesky_inverse(f, upper), array(factor)[0])


def test_older_names() -> None:
    a = regular(2, 3, 3)
    x = cr.tensor(a)
    close(x.inverse(), np.linalg.inv(a))
    close(x.pinverse(), np.linalg.pinv(a))
    close(x.det(), np.linalg.det(a))
    close(x.slogdet()[1], np.linalg.slogdet(a)[1])
    close(x.matrix_power(2), a @ a)
    close(x.matrix_exp(), array(linalg.matrix_exp(x)))
    signs = cr.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]], [[0.0] * 2] * 2])
    close(signs.logdet(), [math.log(2), math.nan, -math.inf], rtol=1e-6)
    wide = cr.tensor(draw(2, 3, 5))
    for some in (True, False):
        u, s, v = wide.svd(some)
        close((u * s.unsqueeze(-2)) @ v[..., :3].mT, array(wide))
        assert v.shape[-1] == (3 if some else 5)
        q, r = wide.mT.qr(some)
        close(q @ r, array(wide.mT))
        assert q.shape[-1] == (3 if some else 5)
    u, s, v = wide.svd(compute_uv=False)
    close(s, np.linalg.svd(array(wide), compute_uv=False))
    assert u.shape == (2, 3, 3)
    assert v.shape == (2, 5, 5)
    close(cr.norm(wide[0], "nuc"), np.linalg.norm(array(wide[0]), "nuc"))
    close(wide.norm("nuc", (0, 2), True), np.linalg.norm(array(wide), "nuc", (0, 2), True))


# ---------------------------------------------------------------- gradients

REAL = draw(3, 3) @ np.diag([1.0, 5.0, 9.0]) @ np.linalg.inv(draw(3, 3))  # its eigenvalues
GRADIENTS: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "solve": (linalg.solve, [regular(3, 3), draw(3, 2)]),
    "solve, broadcast": (linalg.solve, [regular(2, 1, 2, 2), draw(3, 2, 1)]),
    "solve from the right": (lambda a, b: linalg.solve(a, b, left=False),
                             [regular(2, 2, 2), draw(2, 1, 2)]),
    "inv": (linalg.inv, [regular(2, 3, 3)]),
    "det": (linalg.det, [regular(2, 3, 3)]),
    "slogdet": (lambda a: linalg.slogdet(a).logabsdet, [regular(2, 3, 3)]),
    "pinv, tall": (linalg.pinv, [draw(2, 4, 2)]),
    "pinv, wide": (linalg.pinv, [draw(2, 3)]),
    "pinv of a product": (lambda a, b: linalg.pinv(a @ b), [draw(4, 2), draw(2, 3)]),
    "pinv, symmetric": (lambda a: linalg.pinv(sym(a), hermitian=True), [symmetric(3, 3)]),
    "lstsq, tall": (lambda a, b: linalg.lstsq(a, b)[:2], [draw(4, 2), draw(4, 2, seed=1)]),
    "lstsq, wide": (lambda a, b: linalg.lstsq(a, b).solution, [draw(2, 3), draw(2, 1)]),
    "cholesky": (lambda a: linalg.cholesky(sym(a)), [positive(2, 3, 3)]),
    "cholesky, upper": (lambda a: linalg.cholesky(sym(a), upper=True), [positive(3, 3)]),
    "qr": (linalg.qr, [regular(2, 3, 3)]),
    "qr, tall": (linalg.qr, [draw(4, 2)]),
    "qr, wide": (linalg.qr, [draw(2, 4)]),
    "eigh": (lambda a: linalg.eigh(sym(a)), [symmetric(2, 3, 3)]),
    "eigvalsh": (lambda a: linalg.eigvalsh(sym(a), "U"), [symmetric(3, 3)]),
    "eig": (linalg.eig, [REAL]),
    "eigvals": (linalg.eigvals, [REAL]),
    "svd": (linalg.svd, [draw(2, 3, 3)]),
    "svd, tall": (lambda a: linalg.svd(a, full_matrices=False), [draw(4, 2)]),
    "svd, wide": (lambda a: linalg.svd(a, full_matrices=False), [draw(2, 4)]),
    "svd, U alone": (lambda a: linalg.svd(a, full_matrices=False).U, [draw(3, 2)]),
    "svd, full": (lambda a: linalg.svd(a).U[:, :2], [draw(3, 2)]),
    "svdvals": (linalg.svdvals, [draw(2, 3, 2)]),
    "matrix_power": (lambda a: linalg.matrix_power(a, 3), [regular(2, 2, 2)]),
    "matrix_power -2": (lambda a: linalg.matrix_power(a, -2), [regular(2, 2, 2)]),
    "matrix_exp": (linalg.matrix_exp, [draw(2, 2, 2) * np.array([1.0, 4.0])[:, None, None]]),
    "multi_dot": (lambda *a: linalg.multi_dot(a), [draw(2, 3), draw(3, 2), draw(2)]),
    "vecdot": (linalg.vecdot, [draw(2, 3), draw(3)]),
    "cross": (linalg.cross, [draw(2, 3), draw(2, 3, seed=1)]),
    "vander": (linalg.vander, [draw(3)]),
    "tensorinv": (lambda a: linalg.tensorinv(a, 1), [regular(4, 4).reshape(4, 2, 2)]),
    "tensorsolve": (linalg.tensorsolve, [regular(4, 4).reshape(2, 2, 4), draw(2, 2)]),
    "householder_product": (linalg.householder_product, [draw(3, 2), draw(2)]),
    "logdet": (cr.logdet, [positive(2, 2, 2)]),
    "cond": (linalg.cond, [draw(3, 3)]),
    "cond fro": (lambda a: linalg.cond(a, "fro"), [draw(2, 2)]),
    **{f"matrix_norm {ord}": (lambda a, ord=ord: linalg.matrix_norm(a, ord), [draw(2, 3, 2)])
       for ord in NORMS[1:]},
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    function, arrays = GRADIENTS[name]
    both_orders(function, *arrays)


def test_third_order() -> None:
    a = leaf(regular(2, 2))
    found = cr.autograd.grad(linalg.inv(a)[0, 0], a, create_graph=True)[0][0, 0]
    assert gradgradcheck(
        lambda x: cr.autograd.grad(linalg.inv(x)[0, 0], x, create_graph=True)[0], [a]
    )
    assert found.requires_grad


def test_gradient_of_singular_determinants() -> None:
    """The cofactors exist, and those of regular matrices in the batch are theirs."""
    singular = draw(3, 2) @ draw(2, 3, seed=1)
    a = leaf(np.stack([singular, regular(3, 3), np.ones((3, 3)), np.zeros((3, 3))]))
    linalg.det(a).sum().backward()
    expected = np.zeros((4, 3, 3))
    for n, i, j in np.ndindex(expected.shape):
        minor = np.delete(np.delete(array(a)[n], i, 0), j, 1)
        expected[n, i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    assert a.grad is not None
    close(a.grad, expected, atol=1e-9)
    both_orders(linalg.det, singular)


def test_gradient_of_a_constant_is_zero() -> None:
    a = leaf(regular(2, 2))
    linalg.matrix_power(a, 0).sum().backward()
    assert a.grad is not None
    close(a.grad, np.zeros((2, 2)))


# ---------------------------------------------------------------- failures


def test_failures_are_numbered() -> None:
    batch = np.stack([regular(2, 2), np.ones((2, 2)), np.zeros((2, 2)), np.eye(2)])
    inverse, info = linalg.inv_ex(cr.tensor(batch))
    assert info.tolist() == [0, 2, 1, 0]
    close(inverse[0], np.linalg.inv(batch[0]))
    assert np.isnan(array(inverse[1:3])).all()
    result, info = linalg.solve_ex(cr.tensor(batch), cr.ones(4, 2, dtype=cr.float64))
    assert info.tolist() == [0, 2, 1, 0]
    close(result[3], np.ones(2))
    assert np.isnan(array(result[1])).all()
    lower, info = linalg.cholesky_ex(cr.tensor(np.stack([np.eye(2), np.diag([1.0, -1.0])])))
    assert info.tolist() == [0, 2]
    close(lower[0], np.eye(2))
    assert linalg.cond(cr.tensor(batch), 1)[1].item() == math.inf
    for function in (linalg.inv_ex, linalg.cholesky_ex):
        with pytest.raises(linalg.LinAlgError, match="the matrix 1 of the batch"):
            function(cr.tensor(np.stack([np.eye(2), -np.ones((2, 2))])), check_errors=True)


ONES, NAN = cr.ones(2, 2), cr.full((2, 2), float("nan"))
REFUSED: list[tuple[Callable[[], Any], Any, str]] = [
    (lambda: linalg.inv(ONES), linalg.LinAlgError, r"linalg\.inv: the matrix is singular; "),
    (lambda: linalg.inv(cr.stack([cr.eye(2), ONES])), RuntimeError, "matrix 1 of the batch is sin"),
    (lambda: linalg.inv(ONES.expand(2, 3, 2, 2)), RuntimeError, r"matrix \(0, 0\) of the batch"),
    (lambda: linalg.solve(ONES, ONES), linalg.LinAlgError, "solve: the matrix is singular"),
    (lambda: linalg.matrix_power(ONES, -1), linalg.LinAlgError, "matrix_power: .* singular"),
    (lambda: linalg.cholesky(-ONES), linalg.LinAlgError, "not positive definite"),
    (lambda: linalg.svd(NAN), linalg.LinAlgError, "svd: .*no convergence"),
    (lambda: linalg.eig(cr.tensor([[0.0, 1.0], [-1.0, 0.0]])), linalg.LinAlgError,
     r"complex eigenvalues.*numpy\.linalg\.eig"),
    (lambda: linalg.det(cr.full((2, 2), math.nan, requires_grad=True)).backward(),
     linalg.LinAlgError, "linalg.det: backward: .*no convergence"),
    (lambda: linalg.inv(cr.ones(2, 3)), ValueError, r"got shape \(2, 3\).*square matrices"),
    (lambda: linalg.svd(cr.ones(3)), ValueError, r"got shape \(3,\); expected matrices"),
    (lambda: linalg.det(cr.eye(2).to(cr.int64)), TypeError, "got dtype int64.*use .to"),
    (lambda: linalg.det(cr.eye(2).half()), TypeError, "got dtype float16"),
    (lambda: linalg.det([[1.0]]), TypeError, "expected a Tensor .got list"),
    (lambda: linalg.solve(ONES, ONES.double()), TypeError, "differ in dtype .*float32 and float64"),
    (lambda: linalg.solve(ONES, cr.ones(3, 2)), ValueError, r"needs B of shape \(\*, 2, k\)"),
    (lambda: linalg.solve(ONES, cr.ones(2), left=False), ValueError, "left=False needs matrices"),
    (lambda: linalg.solve(ONES.expand(2, 2, 2), cr.ones(3, 2, 2)), ValueError,
     r"batches do not broadcast \(got shapes \(2, 2, 2\) and \(3, 2, 2\)\)"),
    (lambda: linalg.lstsq(ONES, cr.ones(3, 2)), ValueError, r"needs B of shape"),
    (lambda: linalg.lstsq(ONES, ONES, driver="x"), ValueError, "unknown driver .got 'x'"),
    (lambda: linalg.qr(ONES, "full"), ValueError, "unknown mode .got 'full'"),
    (lambda: linalg.qr(cr.ones(3, 2, requires_grad=True), "complete"), linalg.LinAlgError,
     "has no gradient.*use mode='reduced'"),
    (lambda: linalg.eigh(ONES, "X"), ValueError, "UPLO must be"),
    (lambda: linalg.svd(ONES, driver="gesvd"), ValueError, "drivers are for GPUs"),
    (lambda: linalg.pinv(ONES, atol=cr.ones(3)), ValueError, r"atol has shape \(3,\)"),
    (lambda: linalg.matrix_norm(ONES, 3), ValueError, "unknown norm .got 3"),
    (lambda: linalg.matrix_norm(ONES, dim=(0, 0)), ValueError, "must differ"),
    (lambda: linalg.matrix_norm(ONES, dim=(0, 2)), IndexError, "out of range"),
    (lambda: linalg.matrix_norm(cr.ones(2)), ValueError, "expected matrices"),
    (lambda: linalg.norm(cr.ones(2), "fro"), ValueError, "norm of matrices"),
    (lambda: linalg.norm(cr.ones(2, 2, 2), 2), ValueError, "ord without dim"),
    (lambda: linalg.vector_norm(cr.ones(2).long()), TypeError, "got int64"),
    (lambda: linalg.multi_dot([ONES]), ValueError, "at least 2"),
    (lambda: linalg.multi_dot([ONES, cr.ones(3, 2)]), ValueError, "operands 0 and 1 do not fit"),
    (lambda: linalg.cross(cr.ones(3), cr.ones(2, 3)), ValueError, "as many dimensions"),
    (lambda: linalg.matrix_power(cr.ones(2, 3), 2), ValueError, "square matrices"),
    (lambda: linalg.matrix_power(ONES, 1.5), TypeError, "expected an int as the power .got float"),
    (lambda: linalg.multi_dot([1, 2]), TypeError, "expected tensors"),
    (lambda: linalg.householder_product(ONES, 3), TypeError, "expected a Tensor .got int"),
    (lambda: linalg.tensorinv(ONES, 0), ValueError, "ind must be positive"),
    (lambda: linalg.tensorinv(cr.ones(2, 3), 1), ValueError, "products of"),
    (lambda: linalg.tensorsolve(ONES, cr.ones(3)), ValueError, "does not fit"),
    (lambda: linalg.householder_product(cr.ones(2, 3), cr.ones(1)), ValueError, "m >= n >= k"),
    (lambda: linalg.vander(cr.ones(2), N=1), ValueError, "N must be 2 or more"),
    (lambda: linalg.lu(ONES), AttributeError, r"'chainrule.linalg'.*'lu'.*use linalg\.solve"),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(REFUSED)))
def test_errors(at: int) -> None:
    call, error, text = REFUSED[at]
    with pytest.raises(error, match=text):
        call()


@pytest.mark.filterwarnings("error")
def test_overflow_is_silent_infinity() -> None:
    large = cr.eye(64) * 1e3
    assert linalg.det(large).item() == math.inf
    close(linalg.slogdet(large).logabsdet, 64 * math.log(1e3), rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
def test_empty(shape: tuple[int, ...]) -> None:
    a = cr.zeros(shape, dtype=cr.float64, requires_grad=True)
    for name in ("inv", "pinv", "cholesky", "matrix_exp"):
        assert getattr(linalg, name)(a).shape == shape
    for name in ("det", "cond", "matrix_rank"):
        close(getattr(linalg, name)(a), np.ones(shape[:-2]) * (name == "det"))
    for name in ("svd", "qr", "eigh"):
        results = getattr(linalg, name)(a)
        assert results[0].shape == (shape if name != "eigh" else shape[:-1])
        sum(r.sum() for r in results).backward()
    wide = cr.zeros(*shape[:-1], 2, dtype=cr.float64)
    assert linalg.svd(wide).Vh.shape == (*shape[:-2], 2, 2)
