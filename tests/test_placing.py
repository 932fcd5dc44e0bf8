"""Elements by position against NumPy: taking, putting, scattering, repeating, joining, cutting."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck


def _draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _leaf(*shape: int, seed: int = 0) -> cr.Tensor:
    return cr.tensor(_draw(*shape, seed=seed), requires_grad=True)


# ---------------------------------------------------------------- taking and putting


def test_take() -> None:
    x, index = _draw(3, 4), np.array([[0, -1], [5, 5]])
    np.testing.assert_array_equal(cr.tensor(x).take(cr.tensor(index)).numpy(), np.take(x, index))
    assert gradcheck(lambda t: t.take(cr.tensor(index)), (_leaf(3, 4),))
    with pytest.raises(IndexError, match="12"):
        cr.tensor(x).take(cr.tensor([12]))


def test_take_along_dim() -> None:
    x = _draw(3, 4)
    order = np.argsort(x, 1)
    found = cr.tensor(x).take_along_dim(cr.tensor(order), 1)
    np.testing.assert_array_equal(found.numpy(), np.take_along_axis(x, order, 1))
    one_row = cr.tensor(order[:1])
    expected = np.take_along_axis(x, np.broadcast_to(order[:1], (3, 4)), 1)
    np.testing.assert_array_equal(cr.take_along_dim(cr.tensor(x), one_row, 1).numpy(), expected)
    flat = cr.take_along_dim(cr.tensor(x), cr.tensor([7, 2]))
    np.testing.assert_array_equal(flat.numpy(), x.reshape(-1)[[7, 2]])
    assert gradcheck(lambda t: t.take_along_dim(one_row, 1), (_leaf(3, 4),))
    with pytest.raises(ValueError, match=r"take_along_dim: .*\(3, 4\) and \(1,\)"):
        cr.take_along_dim(cr.tensor(x), cr.tensor([1]), 0)


@pytest.mark.parametrize("accumulate", [False, True])
def test_put(accumulate: bool) -> None:
    x, source = _draw(3, 4), _draw(2, 2, seed=1)
    index = np.array([[0, 11], [-2, 5]])
    expected = x.copy()
    expected.reshape(-1)[index] = source + accumulate * expected.reshape(-1)[index]
    t = cr.tensor(x)
    found = t.put(cr.tensor(index), cr.tensor(source), accumulate)
    np.testing.assert_array_equal(found.numpy(), expected)
    np.testing.assert_array_equal(t.numpy(), x)
    assert t.put_(cr.tensor(index), cr.tensor(source), accumulate) is t
    np.testing.assert_array_equal(t.numpy(), expected)
    leaves = (_leaf(3, 4), _leaf(2, 2))
    assert gradcheck(lambda a, b: a.put(cr.tensor(index), b, accumulate), leaves)
    with pytest.raises(ValueError, match=r"put: .*\(2, 2\) and \(3,\)"):
        t.put(cr.tensor(index), cr.ones(3, dtype=cr.float64))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_index_copy_and_fill(dim: int) -> None:
    x, index = _draw(3, 4, 5), np.array([2, 0])
    source = np.take(_draw(3, 4, 5, seed=1), index, dim)
    place: list[Any] = [slice(None)] * 3
    place[dim] = index
    expected = x.copy()
    expected[tuple(place)] = source
    t = cr.tensor(x)
    found = t.index_copy(dim, cr.tensor(index), cr.tensor(source))
    np.testing.assert_array_equal(found.numpy(), expected)
    assert t.index_copy_(dim, cr.tensor(index), cr.tensor(source)) is t
    np.testing.assert_array_equal(t.numpy(), expected)
    expected[tuple(place)] = 7
    np.testing.assert_array_equal(t.index_fill(dim, cr.tensor(index), 7).numpy(), expected)
    assert t.index_fill_(dim, cr.tensor(index), cr.tensor(7.0)) is t
    np.testing.assert_array_equal(t.numpy(), expected)
    leaves = (_leaf(3, 4, 5), cr.tensor(source, requires_grad=True))
    assert gradcheck(lambda a, b: a.index_copy(dim, cr.tensor(index), b), leaves)
    value = cr.tensor(2.0, dtype=cr.float64, requires_grad=True)
    assert gradcheck(lambda a, v: a.index_fill(dim, cr.tensor(index), v), (_leaf(3, 4, 5), value))


def test_index_copy_errors() -> None:
    with pytest.raises(ValueError, match=r"index_copy: .* source \(3,\) .*\(5,\).*\(2,\)"):
        cr.ones(5).index_copy(0, cr.tensor([0, 1]), cr.ones(3))
    with pytest.raises(ValueError, match=r"index_fill: value must be a number \(got shape \(2,\)"):
        cr.ones(5).index_fill(0, cr.tensor([0, 1]), cr.ones(2))
    with pytest.raises(IndexError, match=r"index_fill: dimension out of range \(got 1"):
        cr.ones(5).index_fill(1, cr.tensor([0]), 1)


def test_writing_in_place_is_on_the_tape() -> None:
    x = _leaf(4)
    y = x * 2
    y.index_fill_(0, cr.tensor([1]), 0.0)
    y.put_(cr.tensor([3]), x.narrow(0, 0, 1))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3, 0, 2, 0]


# ---------------------------------------------------------------- scattering with a reduction


def _scatter_loop(x: Any, dim: int, index: Any, src: Any, how: str, include: bool) -> np.ndarray:
    gathered: dict[tuple[int, ...], list[Any]] = {}
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        gathered.setdefault(tuple(target), []).append(src[place])
    result = np.array(x)
    for target, values in gathered.items():
        values = [x[target], *values] if include else values
        reduce: Any = {"amax": np.max, "amin": np.min}.get(how) or getattr(np, how)
        mean = how == "mean" and x.dtype.kind != "f"
        result[target] = np.sum(values) // len(values) if mean else reduce(values)
    return result


@pytest.mark.parametrize("how", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "src", "index", "dim"),
    [((4,), (9,), (9,), 0), ((3, 5), (7, 5), (6, 4), 0), ((2, 3, 4), (2, 3, 6), (2, 2, 5), 2)],
)
def test_scatter_reduce(
    shape: Any, src: Any, index: Any, dim: int, how: str, include: bool, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, shape).astype(dtype)
    values = rng.integers(1, 6, src).astype(dtype)
    places = rng.integers(0, shape[dim], index)
    expected = _scatter_loop(x, dim, places, values, how, include)
    t = cr.tensor(x)
    found = t.scatter_reduce(dim, cr.tensor(places), cr.tensor(values), how, include_self=include)
    assert found.dtype == t.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    t.scatter_reduce_(dim, cr.tensor(places), cr.tensor(values), how, include_self=include)
    assert cr.equal(t, found)


@pytest.mark.parametrize("how", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include", [False, True])
def test_scatter_reduce_gradients(how: str, include: bool) -> None:
    index = cr.tensor([[0, 1, 0], [0, 1, 3], [0, 0, 1]])
    leaves = (_leaf(4, 3), _leaf(3, 3, seed=1))

    def function(a: cr.Tensor, b: cr.Tensor) -> cr.Tensor:
        return a.scatter_reduce(0, index, b, how, include_self=include)

    assert gradcheck(function, leaves)
    assert gradgradcheck(lambda a, b: function(a * a * a, b * b * b), leaves)


def test_scatter_reduce_product_with_zeros() -> None:
    src = cr.tensor([0.0, 2.0, 0.0, 3.0], requires_grad=True)
    cr.ones(2).scatter_reduce(0, cr.tensor([0, 0, 1, 1]), src, "prod").sum().backward()
    assert src.grad is not None
    assert src.grad.tolist() == [2, 0, 3, 0]


def test_scatter_reduce_of_nothing_and_numbers() -> None:
    x = cr.ones(3)
    for how in ("sum", "prod", "mean", "amax", "amin"):
        nothing = x.scatter_reduce(0, cr.zeros(0, dtype=cr.int64), cr.zeros(0), how)
        assert nothing.tolist() == [1, 1, 1]
    number = cr.tensor(2.0).scatter_reduce(0, cr.tensor(0), cr.tensor(5.0), "amax")
    assert number.item() == 5


def test_scatter_reduce_errors() -> None:
    index = cr.tensor([0, 1])
    with pytest.raises(ValueError, match=r"scatter_reduce: unknown reduce \(got 'max'\)"):
        cr.ones(3).scatter_reduce(0, index, cr.ones(2), "max")
    with pytest.raises(TypeError, match=r"scatter_reduce: input and src differ in dtype"):
        cr.ones(3).scatter_reduce(0, index, cr.tensor([1, 2]), "sum")
    with pytest.raises(IndexError, match="3"):
        cr.ones(3).scatter_reduce(0, cr.tensor([0, 3]), cr.ones(2), "amax")


# ---------------------------------------------------------------- diagonals and triangles


@pytest.mark.parametrize("offset", [-2, 0, 1])
def test_diag_embed(offset: int) -> None:
    x = _draw(2, 3)
    expected = np.stack([np.diag(row, offset) for row in x])
    np.testing.assert_array_equal(cr.tensor(x).diag_embed(offset).numpy(), expected)
    moved = cr.tensor(x).diag_embed(offset, 0, 2)
    np.testing.assert_array_equal(moved.numpy(), np.moveaxis(expected, 0, 1))
    assert gradcheck(lambda t: cr.diag_embed(t, offset), (_leaf(2, 3),))
    with pytest.raises(ValueError, match=r"diag_embed: dimensions must differ \(got 0 and -3\)"):
        cr.diag_embed(cr.tensor(x), offset, 0, -3)
    with pytest.raises(IndexError, match=r"diag_embed: dimension out of range \(got 3 for shape"):
        cr.diag_embed(cr.tensor(x), offset, 3)


@pytest.mark.parametrize(("row", "col", "offset"), [(3, 3, 0), (2, 4, 1), (4, 2, -1), (0, 3, 0)])
def test_triangle_indices(row: int, col: int, offset: int) -> None:
    lower, upper = cr.tril_indices(row, col, offset), cr.triu_indices(row, col, offset)
    np.testing.assert_array_equal(lower.numpy(), np.stack(np.tril_indices(row, offset, col)))
    np.testing.assert_array_equal(upper.numpy(), np.stack(np.triu_indices(row, offset, col)))
    assert cr.tril_indices(row, col, dtype=cr.int32).dtype == cr.int32
    with pytest.raises(ValueError, match=r"triu_indices: sizes must not be negative \(got -1"):
        cr.triu_indices(-1, 2)


def test_triangles_in_place() -> None:
    x = cr.ones(3, 3)
    assert x.tril_() is x
    assert x.triu_() is x
    assert cr.equal(x, cr.eye(3))


# ---------------------------------------------------------------- turning and repeating


@pytest.mark.parametrize("k", [-1, 0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("dims", [(0, 1), (1, 0), (2, -2)])
def test_rot90(k: int, dims: Any) -> None:
    x = _draw(2, 3, 4)
    np.testing.assert_array_equal(cr.tensor(x).rot90(k, dims).numpy(), np.rot90(x, k, dims))
    assert gradcheck(lambda t: t.rot90(k, dims), (_leaf(2, 3, 4),))
    with pytest.raises(ValueError, match=r"rot90: dimensions must differ \(got \(0, -3\)"):
        cr.rot90(cr.tensor(x), 1, (0, -3))


def test_flips() -> None:
    x = _draw(2, 3, 4)
    np.testing.assert_array_equal(cr.tensor(x).flipud().numpy(), np.flipud(x))
    np.testing.assert_array_equal(cr.tensor(x).fliplr().numpy(), np.fliplr(x))
    assert gradcheck(cr.fliplr, (_leaf(2, 3),))
    with pytest.raises(ValueError, match=r"fliplr: needs at least 2 dimensions \(got shape \(2,\)"):
        cr.fliplr(cr.ones(2))
    with pytest.raises(ValueError, match=r"flipud: needs at least 1 dimension"):
        cr.flipud(cr.tensor(1))


@pytest.mark.parametrize(
    ("repeats", "dim"), [(2, None), (2, 0), ([1, 0, 3], 0), ([2], 1), ([1, 2], -1), (0, 0)]
)
def test_repeat_interleave(repeats: Any, dim: Any) -> None:
    x = _draw(3, 2)
    wanted = cr.tensor(repeats) if isinstance(repeats, list) else repeats
    found = cr.tensor(x).repeat_interleave(wanted, dim)
    np.testing.assert_array_equal(found.numpy(), np.repeat(x, repeats, dim))
    if repeats:
        assert gradcheck(lambda t: t.repeat_interleave(wanted, dim), (_leaf(3, 2),))


def test_repeat_interleave_of_counts_and_errors() -> None:
    assert cr.repeat_interleave(cr.tensor([1, 0, 2])).tolist() == [0, 2, 2]
    x = cr.ones(3)
    with pytest.raises(ValueError, match=r"repeats must be .*\(got shape \(2,\) for 3 places\)"):
        x.repeat_interleave(cr.tensor([1, 2]), 0)
    with pytest.raises(ValueError, match=r"repeats must not be negative \(got -1\)"):
        x.repeat_interleave(-1)
    with pytest.raises(ValueError, match=r"output_size is 5, but repeats add up to 6"):
        x.repeat_interleave(2, output_size=5)


# ---------------------------------------------------------------- joining and cutting


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_at_least_and_stacks(shape: Any) -> None:
    a, b = _draw(*shape), _draw(*shape, seed=1)
    x, y = cr.tensor(a), cr.tensor(b)
    for name in ("atleast_2d", "atleast_3d"):
        np.testing.assert_array_equal(getattr(cr, name)(x).numpy(), getattr(np, name)(a))
        several = getattr(cr, name)(x, y)
        assert isinstance(several, tuple)
        assert cr.equal(several[1], getattr(cr, name)(y))
    np.testing.assert_array_equal(cr.dstack([x, y]).numpy(), np.dstack([a, b]))
    np.testing.assert_array_equal(cr.column_stack([x, y]).numpy(), np.column_stack([a, b]))
    assert gradcheck(lambda p, q: cr.dstack([p, q]), (_leaf(*shape), _leaf(*shape)))


@pytest.mark.parametrize("where", [2, [1, 3]])
@pytest.mark.parametrize("name", ["vsplit", "hsplit", "dsplit"])
def test_splits(name: str, where: Any) -> None:
    x = _draw(4, 4, 4)
    parts = getattr(cr.tensor(x), name)(where)
    for part, expected in zip(parts, getattr(np, name)(x, where), strict=True):
        np.testing.assert_array_equal(part.numpy(), expected)
    with pytest.raises(ValueError, match=rf"{name}: cannot cut .* into 3 equal parts"):
        getattr(cr, name)(cr.tensor(x), 3)
    with pytest.raises(ValueError, match=rf"{name}: needs at least"):
        getattr(cr, name)(cr.tensor(1.0), 1)


def test_hsplit_of_a_vector() -> None:
    assert [part.tolist() for part in cr.arange(4).hsplit(2)] == [[0, 1], [2, 3]]
