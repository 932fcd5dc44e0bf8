"""Names of torch that are compositions here: values by NumPy, gradients, errors."""

from typing import Any

import numpy as np
import pytest
from opspec import to_numpy, to_tensor

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4))
SQUARE = RNG.standard_normal((3, 3))
CUBE = RNG.standard_normal((2, 3, 4))
OTHER = RNG.standard_normal((2, 4, 5))
V, W = RNG.standard_normal(3), RNG.standard_normal(4)
MASK = A > 0
HOLES = np.where(A > 0.5, np.nan, A)


def same(got: Any, expected: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(to_numpy(got), expected, rtol=rtol, atol=1e-14)


def smooth(function: Any, *arrays: np.ndarray) -> None:
    """Check gradients of first and second order."""
    inputs = tuple(to_tensor(a.astype(np.float64)).requires_grad_() for a in arrays)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


# ---------------------------------------------------------------- products


def test_sums_with_products() -> None:
    m = RNG.standard_normal((3, 4))
    same(cr.addmv(to_tensor(V), to_tensor(m), to_tensor(W), beta=2, alpha=3), 2 * V + 3 * m @ W)
    same(cr.addr(to_tensor(A), to_tensor(V), to_tensor(W), alpha=0.5), A + 0.5 * np.outer(V, W))
    product = np.einsum("bij,bjk->ik", CUBE, OTHER)
    same(
        cr.addbmm(cr.tensor(1.5, dtype=cr.float64), to_tensor(CUBE), to_tensor(OTHER)),
        1.5 + product,
    )
    same(
        cr.addbmm(to_tensor(np.full((3, 5), np.nan)), to_tensor(CUBE), to_tensor(OTHER), beta=0),
        product,
    )
    smooth(lambda x, m, v: cr.addmv(x, m, v, beta=2, alpha=3), V, m, W)
    smooth(lambda x, a, b: cr.addr(x, a, b, beta=2), A, V, W)
    smooth(cr.addbmm, product, CUBE, OTHER)
    x = to_tensor(V)
    assert x.addmv_(to_tensor(m), to_tensor(W)) is x
    same(x, V + m @ W)
    whole = cr.tensor([1, 2])
    assert whole.addr(cr.tensor([1, 2]), whole, alpha=3).tolist() == [[4, 8], [7, 14]]


def test_bad_sums_with_products() -> None:
    with pytest.raises(ValueError, match=r"addmv: input of shape \(2,\).*\(3,\)"):
        cr.addmv(cr.zeros(2), cr.ones(3, 4), cr.ones(4))
    with pytest.raises(TypeError, match=r"addr: .*int64 and float32"):
        cr.addr(cr.tensor([1]), cr.ones(1), cr.ones(1))
    with pytest.raises(ValueError, match=r"addr: .*whole numbers"):
        cr.addr(cr.tensor([1]), cr.tensor([1]), cr.tensor([1]), alpha=0.5)
    with pytest.raises(ValueError, match=r"addbmm_?: .*\(2, 2\).*\(3, 5\)"):
        cr.zeros(2, 2, dtype=cr.float64).addbmm_(to_tensor(CUBE), to_tensor(OTHER))


def test_vdot_and_chains() -> None:
    same(cr.vdot(to_tensor(V), to_tensor(V)), V @ V)
    matrices = [RNG.standard_normal(s) for s in ((2, 9), (9, 1), (1, 7), (7, 3))]
    same(cr.chain_matmul(*map(to_tensor, matrices)), np.linalg.multi_dot(matrices))
    same(cr.chain_matmul(to_tensor(A)), A)
    with pytest.raises(ValueError, match=r"chain_matmul: .*\(3,\)"):
        cr.chain_matmul(to_tensor(V), to_tensor(A))


# ---------------------------------------------------------------- norms


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5, np.inf])
def test_pdist(p: float) -> None:
    x = to_tensor(CUBE.reshape(6, 4))
    same(cr.pdist(x, p), to_numpy(cr.cdist(x, x, p))[np.triu_indices(6, 1)])
    if 0 < p < np.inf:
        smooth(lambda v: cr.nn.functional.pdist(v, p), A)
    assert cr.pdist(cr.zeros(1, 3)).shape == (0,)
    with pytest.raises(ValueError, match=r"pdist: expected a matrix .*\(2, 3, 4\)"):
        cr.pdist(to_tensor(CUBE))


def test_deterministic_algorithms_are_accepted() -> None:
    cr.use_deterministic_algorithms(True)
    assert cr.are_deterministic_algorithms_enabled()
    cr.use_deterministic_algorithms(False, warn_only=True)
    assert not cr.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, np.inf, -np.inf])
def test_dist(p: float) -> None:
    difference = np.abs(A - W)
    if p == 0:
        expected: Any = float((difference != 0).sum())
    elif np.isinf(p):
        expected = difference.max() if p > 0 else difference.min()
    else:
        expected = (difference**p).sum() ** (1 / p)
    same(cr.dist(to_tensor(A), to_tensor(W), p), expected)
    same(to_tensor(A).dist(to_tensor(W), p), expected)


def test_renorm() -> None:
    size = np.sqrt((CUBE**2).sum((0, 2), keepdims=True))
    limit = float(np.sort(size.ravel())[1])
    expected = CUBE * np.where(size > limit, limit / (size + 1e-7), 1)
    same(cr.renorm(to_tensor(CUBE), 2, 1, limit), expected)
    smooth(lambda x: cr.renorm(x, 2, 1, limit + 0.01), CUBE)
    x = to_tensor(CUBE)
    same(x.renorm_(2, 1, limit), expected)
    with pytest.raises(ValueError, match=r"renorm: .*p=-1"):
        cr.renorm(to_tensor(A), -1, 0, 1.0)


def test_norm_spellings() -> None:
    x = to_tensor(A)
    same(x.norm("fro"), np.linalg.norm(A))
    same(x.norm(), np.linalg.norm(A))
    same(x.norm(1, axis=0, keepdims=True), np.abs(A).sum(0, keepdims=True))
    same(cr.tensor([3, 4]).norm(dtype=cr.float64), 5.0)
    with pytest.raises(ValueError, match="norm: unknown p"):
        x.norm("max")


def test_norm_0_has_a_gradient_of_0() -> None:
    x = to_tensor(A).requires_grad_()
    (x.norm(0) + x.sum()).backward()
    same(x.grad, np.ones_like(A))


@pytest.mark.parametrize("name", ["var", "std"])
def test_unbiased(name: str) -> None:
    x, reference = to_tensor(A), getattr(np, name)
    function = getattr(cr, name)
    same(function(x), reference(A, ddof=1))
    same(function(x, False), reference(A))
    same(function(x, 1, False), reference(A, axis=1))
    same(function(x, 1, unbiased=True, keepdim=True), reference(A, axis=1, ddof=1, keepdims=True))
    same(getattr(x, name)(axis=0, correction=2), reference(A, axis=0, ddof=2))
    spread, mean = getattr(cr, f"{name}_mean")(x, 0, False)
    same(spread, reference(A, axis=0))
    same(mean, A.mean(0))
    with pytest.raises(TypeError, match=rf"{name}: unexpected keyword argument 'ddof'"):
        function(x, ddof=1)


# ---------------------------------------------------------------- parts replaced


def test_replaced_parts() -> None:
    expected = A.copy()
    expected[:, 2] = V
    same(cr.select_scatter(to_tensor(A), to_tensor(V), 1, 2), expected)
    expected = A.copy()
    expected[:, 1::2] = 7
    seven = to_tensor(np.full((3, 2), 7.0))
    same(to_tensor(A).slice_scatter(seven, 1, 1, None, 2), expected)
    expected = SQUARE.copy()
    np.fill_diagonal(expected, V)
    same(cr.diagonal_scatter(to_tensor(SQUARE), to_tensor(V)), expected)
    smooth(lambda x, y: cr.select_scatter(x, y, 1, 2) ** 2, A, V)
    smooth(lambda x, y: cr.slice_scatter(x, y, 1, 1, None, 2) ** 2, A, A[:, :2])
    smooth(lambda x, y: cr.diagonal_scatter(x, y) ** 2, SQUARE, V)
    with pytest.raises(ValueError, match=r"select_scatter: .*\(3,\).*expected \(4,\)"):
        cr.select_scatter(to_tensor(A), to_tensor(V), 0, 0)


def test_masked_scatter() -> None:
    source = RNG.standard_normal((3, 5))
    expected = A.copy()
    expected[MASK] = source.ravel()[: MASK.sum()]
    same(cr.masked_scatter(to_tensor(A), to_tensor(MASK), to_tensor(source)), expected)
    smooth(lambda x, y: cr.masked_scatter(x, to_tensor(MASK), y) ** 2, A, source)
    x = to_tensor(A)
    assert x.masked_scatter_(to_tensor(MASK), to_tensor(source)) is x
    same(x, expected)
    row = to_tensor(np.array([True, False, True, False]))
    expected = A.copy()
    expected[:, ::2] = source.ravel()[:6].reshape(3, 2)
    same(to_tensor(A).masked_scatter(row, to_tensor(source)), expected)
    with pytest.raises(ValueError, match=r"masked_scatter: .* 12 places, .* 2 elements"):
        cr.masked_scatter(to_tensor(A), to_tensor(A == A), to_tensor(A[0, :2]))
    with pytest.raises(TypeError, match="masked_scatter: the mask must be bool"):
        cr.masked_scatter(to_tensor(A), to_tensor(A), to_tensor(A))


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (7, 2), (3, 3, 3), (0, 2)])
@pytest.mark.parametrize("wrap", [False, True])
def test_fill_diagonal(shape: tuple[int, ...], wrap: bool) -> None:
    expected = np.zeros(shape)
    if expected.size:
        np.fill_diagonal(expected, 5.0, wrap=wrap)
        if not wrap and len(shape) == 2:  # NumPy stops a tall matrix's diagonal by itself
            expected = np.zeros(shape)
            np.fill_diagonal(expected[: min(shape)], 5.0)
    x = to_tensor(np.zeros(shape))
    assert x.fill_diagonal_(5.0, wrap) is x
    same(x, expected)


def test_fill_diagonal_has_no_gradient_there() -> None:
    x = to_tensor(SQUARE).requires_grad_()
    (x * 1).fill_diagonal_(2.0).sum().backward()
    same(x.grad, 1 - np.eye(3))
    with pytest.raises(ValueError, match=r"fill_diagonal_: .*\(2, 3, 2\)"):
        cr.zeros(2, 3, 2).fill_diagonal_(1)


def test_scatter_with_reduction() -> None:
    at = cr.tensor([[0, 2], [1, 1]])
    x, src = cr.ones(2, 3), cr.tensor([[2.0, 3.0], [4.0, 5.0]])
    assert cr.scatter(x, 1, at, src, reduce="add").tolist() == [[3, 1, 4], [1, 10, 1]]
    assert x.scatter(1, at, src, reduce="multiply").tolist() == [[2, 1, 3], [1, 20, 1]]
    assert x.scatter(1, at, value=7).tolist() == [[7, 1, 7], [1, 7, 1]]
    assert x.scatter_(1, at, 2.0, reduce="multiply") is x
    assert x.tolist() == [[2, 1, 2], [1, 4, 1]]
    with pytest.raises(ValueError, match=r"scatter: unknown reduce .*'max'"):
        x.scatter(1, at, src, reduce="max")
    with pytest.raises(TypeError, match="scatter: expected either src or value"):
        x.scatter(1, at)


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_index_reduce(reduce: str, include_self: bool) -> None:
    at = np.array([2, 0, 2, 2])
    expected = A.copy()
    functions = {"prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for row in set(at):
        parts = [CUBE[0].T[i] for i in range(4) if at[i] == row]  # rows of 3
        column = [A[:, row]] * include_self + parts
        expected[:, row] = functions[reduce](column, axis=0)
    source = CUBE[0]  # (3, 4): four slices along dimension 1
    x, y = to_tensor(A), to_tensor(source)
    got = cr.index_reduce(x, 1, to_tensor(at), y, reduce, include_self=include_self)
    same(got, expected)
    same(x.index_reduce_(1, to_tensor(at), y, reduce, include_self=include_self), expected)
    with pytest.raises(ValueError, match="index_reduce: unknown reduce"):
        cr.index_reduce(x, 1, to_tensor(at), y, "sum")
    with pytest.raises(ValueError, match=r"index_reduce: source has shape \(3, 4\)"):
        cr.index_reduce(x, 1, to_tensor(at[:2]), y, reduce)


def test_masks_as_indices() -> None:
    x = to_tensor(CUBE)
    mask = CUBE[:, :, 0] > 0
    same(cr.index(x, [to_tensor(mask)]), CUBE[mask])
    expected = CUBE.copy()
    expected[mask] = W
    same(x.index_put((to_tensor(mask),), to_tensor(W)), expected)
    x.index_put_((to_tensor(mask),), to_tensor(W))
    same(x, expected)
    with pytest.raises(IndexError, match=r"index: mask of shape \(3, 2\)"):
        cr.index(x, [to_tensor(mask.T)])


def test_masks_without_elements_pick_nothing() -> None:
    x = to_tensor(CUBE)
    for shape in [(0,), (2, 0), (0, 3), (0, 0, 0)]:
        mask = np.zeros(shape, dtype=bool)
        same(x[to_tensor(mask)], CUBE[mask])
        same(cr.index(x, [to_tensor(mask)]), CUBE[mask])
        changed = to_tensor(CUBE).clone()
        changed[to_tensor(mask)] = 7.0
        same(changed, CUBE)
    with pytest.raises(IndexError, match=r"index: mask of shape \(0, 7\) does not match"):
        x[to_tensor(np.zeros((0, 7), dtype=bool))]


# ---------------------------------------------------------------- shapes


def test_shapes() -> None:
    x = to_tensor(CUBE)
    same(cr.moveaxis(x, 0, -1), np.moveaxis(CUBE, 0, -1))
    same(cr.diagflat(to_tensor(A[:1]), -1), np.diagflat(A[:1], -1))
    assert [p.shape for p in x.split_with_sizes([1, 3], 2)] == [(2, 3, 1), (2, 3, 3)]
    same(x.sum_to_size(3, 1), CUBE.sum((0, 2))[:, None])
    same(x.sum_to_size((2, 3, 4)), CUBE)
    same(x.sum_to_size(()), CUBE.sum())
    with pytest.raises(ValueError, match=r"sum_to_size: .*\(2, 4\).*\(2, 3, 4\)"):
        x.sum_to_size(2, 4)
    rows, columns = cr.nonzero(to_tensor(MASK), as_tuple=True)
    np.testing.assert_array_equal(to_numpy(rows), MASK.nonzero()[0])
    np.testing.assert_array_equal(to_numpy(columns), MASK.nonzero()[1])
    assert [p.tolist() for p in cr.tensor(3.0).nonzero(as_tuple=True)] == [[0]]
    got = cr.unravel_index(cr.tensor([[5, 0], [11, 7]]), (3, 4))
    expected = np.unravel_index([[5, 0], [11, 7]], (3, 4))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(to_numpy(a), b)
    with pytest.raises(ValueError, match=r"unravel_index: .*12"):
        cr.unravel_index(cr.tensor([12]), (3, 4))


def test_as_strided_counts_from_the_memory() -> None:
    base = cr.arange(10)
    part = base[4:8]
    assert part.as_strided((2,), (1,)).tolist() == [4, 5]
    assert part.as_strided((2,), (1,), 0).tolist() == [0, 1]
    assert part.as_strided((2, 2), (1, 3), 5).tolist() == [[5, 8], [6, 9]]
    with pytest.raises(ValueError, match=r"as_strided: .*10 elements"):
        part.as_strided((2,), (1,), 9)


def test_gradient_of_a_view_that_reaches_beyond_its_input() -> None:
    base = cr.arange(10.0)
    x = base[4:8].detach().requires_grad_()
    weights = cr.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = (x.as_strided((4,), (2,), 2) * weights).sum()  # elements 2, 4, 6, 8: 4 and 6 are in x
    (g,) = cr.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [2.0, 0.0, 3.0, 0.0]
    (second,) = cr.autograd.grad((g * cr.tensor([1.0, 1.0, 10.0, 1.0])).sum(), weights)
    assert second.tolist() == [0.0, 1.0, 10.0, 0.0]


# ---------------------------------------------------------------- facts


def test_facts() -> None:
    x = cr.zeros(2, 3)
    assert not cr.is_complex(x)
    assert not x.is_complex()
    assert cr.is_floating_point(x)
    assert [cr.tensor([1], dtype=d).is_signed() for d in (cr.uint8, cr.int8, cr.bool)] == [
        False, True, False,
    ]  # fmt: skip
    assert x.is_same_size(cr.ones(2, 3))
    assert not x.is_same_size(x.T)
    assert cr.tensor([2.0]).is_nonzero()
    with pytest.raises(RuntimeError, match="ambiguous"):
        x.is_nonzero()
    assert x.is_set_to(x.view(2, 3))
    assert not x.is_set_to(x.clone())
    assert not x.is_set_to(x.T)
    assert x.name is None
    assert x.output_nr == 0
    values = cr.tensor([[3.0, 1.0]], requires_grad=True).max(1)
    assert values[0].output_nr == 0
    assert cr.typename(x) == "chainrule.Tensor"
    assert cr.typename([]) == "list"
    assert x.new(2, 2).shape == (2, 2)
    assert cr.tensor([1]).new([1.5, 2]).tolist() == [1, 2]
    assert cr.scalar_tensor(3).dtype is cr.float32


def test_real_numbers_among_complex_ones() -> None:
    x = to_tensor(HOLES)
    np.testing.assert_array_equal(
        to_numpy(x.angle()), np.where(np.isnan(HOLES), np.nan, np.angle(HOLES))
    )
    assert cr.angle(cr.tensor([-2, 3])).dtype is cr.float32
    assert x.isreal().all()
    assert x.positive() is x
    same(to_tensor(A).sgn(), np.sign(A))
    same(to_tensor(CUBE).mH, CUBE.swapaxes(1, 2))
    same(to_tensor(CUBE).adjoint(), CUBE.swapaxes(1, 2))
    with pytest.raises(TypeError, match=r"positive: .*bool"):
        cr.positive(cr.tensor([True]))
    y = to_tensor(A).requires_grad_()
    y.angle().sum().backward()
    same(y.grad, np.zeros_like(A))


def test_subclass() -> None:
    class Mine(cr.Tensor):
        pass

    x = cr.ones(2, requires_grad=True)
    y = (x * 2).as_subclass(Mine)
    assert type(y) is Mine
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(TypeError, match=r"as_subclass: .*int"):
        x.as_subclass(int)


# ---------------------------------------------------------------- memory


def test_storage() -> None:
    base = cr.arange(6.0)
    part = base[2:4]
    memory = part.storage()
    assert len(memory) == 6
    assert memory.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert memory[2] == 2.0
    memory[2] = 9.0
    assert part.tolist() == [9.0, 3.0]
    assert part.untyped_storage().nbytes() == 24
    assert part.untyped_storage().data_ptr() == base.data_ptr()
    assert part.storage() == base.storage()
    assert part.storage() != base.clone().storage()
    assert cr.zeros(0).untyped_storage().nbytes() == 0


def test_shared_memory() -> None:
    import os

    x = cr.arange(4.0)
    assert not x.is_shared()
    assert x.share_memory_() is x
    assert x.is_shared()
    assert x[1:].is_shared()
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]
    if hasattr(os, "fork"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads and fork
            child = os.fork()
        if child == 0:
            x[2] = 7.0
            os._exit(0)
        os.waitpid(child, 0)
        assert x.tolist() == [0.0, 1.0, 7.0, 3.0]


def test_compile_is_accepted() -> None:
    layer = cr.nn.Linear(2, 3)
    assert cr.compile(layer, fullgraph=True, dynamic=False) is layer

    @cr.compile(mode="reduce-overhead")
    def double(x):
        return x * 2

    assert double(cr.tensor(2.0)).item() == 4
    with pytest.raises(TypeError, match=r"unexpected keyword arguments \['speed'\]"):
        cr.compile(layer, speed=9)
    with pytest.raises(TypeError, match=r"needs a function or a module \(got int\)"):
        cr.compile(3)


def test_sizes_are_tuples() -> None:
    x = cr.zeros(2, 3)
    assert x.shape == x.size() == cr.Size([2, 3]) == (2, 3)
    assert isinstance(x.shape, cr.Size)
