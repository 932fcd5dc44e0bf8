"""Sorting, ranks, distinct values, counting and running extremes against NumPy."""

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

NAN = float("nan")
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
SHAPES: list[tuple[tuple[int, ...], int]] = [
    ((7,), 0), ((3, 5), 0), ((3, 5), -1), ((2, 3, 4), 1), ((2, 0), 0), ((0,), 0), ((), -1),
    ((1,), 0),
]  # fmt: skip


def _draw(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> np.ndarray:
    """Few different values, so that ties occur."""
    values = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 5, shape)
    return np.asarray(values).astype(dtype)


def _distinct(*shape: int, seed: int = 0) -> cr.Tensor:
    """Values far enough apart that a difference quotient does not change their order."""
    n = int(np.prod(shape))
    values = np.random.default_rng(seed).permutation(n).reshape(shape) / 3
    return cr.tensor(values, requires_grad=True)


def _transposed(array: np.ndarray) -> cr.Tensor:
    """A tensor of the same values whose memory is in the opposite order."""
    return cr.tensor(array.T.copy()).permute(list(range(array.ndim))[::-1])


# ---------------------------------------------------------------- sorting


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("descending", [False, True])
def test_sort(shape: tuple[int, ...], dim: int, dtype: str, descending: bool) -> None:
    array = _draw(shape, dtype)
    for x in (cr.tensor(array), _transposed(array)):
        values, indices = cr.sort(x, dim, descending)
        rows = np.atleast_1d(array)
        keys = -rows.astype("float64") if descending else rows
        expected = np.argsort(keys, axis=dim, kind="stable")
        assert values.dtype == x.dtype
        assert indices.dtype == cr.int64
        assert values.shape == indices.shape == shape
        np.testing.assert_array_equal(indices.numpy().reshape(expected.shape), expected)
        sorted_rows = np.take_along_axis(rows, expected, dim)
        np.testing.assert_array_equal(values.numpy().reshape(expected.shape), sorted_rows)
        assert cr.equal(x.argsort(dim, descending), indices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("descending", [False, True])
def test_equal_elements_keep_their_order(dtype: str, descending: bool) -> None:
    """In vectors so long that an unstable algorithm would mix them."""
    array = _draw((2000,), dtype)
    keys = -array.astype("float64") if descending else array
    found = cr.tensor(array).sort(descending=descending).indices
    np.testing.assert_array_equal(found.numpy(), np.argsort(keys, kind="stable"))


def test_nan_is_the_largest() -> None:
    x = cr.tensor([2.0, NAN, 1.0, NAN])
    assert x.sort().indices.tolist() == [2, 0, 1, 3]
    assert x.sort(descending=True).indices.tolist() == [1, 3, 0, 2]
    assert x.topk(3).indices.tolist() == [1, 3, 0]
    assert x.topk(1, largest=False).values.tolist() == [1.0]
    assert x.kthvalue(2).indices.item() == 0
    np.testing.assert_array_equal(cr.msort(x).numpy(), [1, 2, NAN, NAN])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [s for s in SHAPES if 0 not in s[0]])
@pytest.mark.parametrize("largest", [False, True])
def test_topk(shape: tuple[int, ...], dim: int, dtype: str, largest: bool) -> None:
    x = cr.tensor(_draw(shape, dtype))
    n = x.shape[dim] if shape else 1
    for k in range(n + 1 if shape else 1, 0, -1):
        if k > n:
            with pytest.raises(ValueError, match=rf"topk: .*k={k} for shape"):
                x.topk(k, dim)
            continue
        values, indices = x.topk(k, dim, largest)
        expected = x.sort(dim, largest).values
        expected = expected.narrow(dim, 0, k) if shape else expected
        assert cr.equal(values, expected)
        assert cr.equal(values, x.gather(dim, indices))
        loose = x.topk(k, dim, largest, sorted=False)
        assert cr.equal(loose.values.sort(dim, largest).values, expected)
        assert cr.equal(loose.values, x.gather(dim, loose.indices))
        if shape:
            assert (np.diff(np.sort(loose.indices.numpy(), dim), axis=dim) > 0).all()


def test_topk_of_none() -> None:
    assert cr.ones(2, 3).topk(0).values.shape == (2, 0)


# ---------------------------------------------------------------- ranks


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [s for s in SHAPES if s[0] not in ((2, 0), (0,))])
@pytest.mark.parametrize("keepdim", [False, True])
def test_median_and_kthvalue(shape: tuple[int, ...], dim: int, dtype: str, keepdim: bool) -> None:
    array = _draw(shape, dtype)
    x = cr.tensor(array)
    rows = np.sort(np.atleast_1d(array), axis=dim)
    n = rows.shape[dim]
    for found, rank in (
        (x.median(dim, keepdim), (n - 1) // 2),
        (x.kthvalue(n, dim, keepdim), n - 1),
    ):
        expected = np.take(rows, [rank], dim)
        if not (keepdim and shape):
            expected = np.squeeze(expected, dim)
        assert found.values.shape == found.indices.shape == (expected.shape if shape else ())
        np.testing.assert_array_equal(found.values.numpy(), expected.reshape(found.values.shape))
        index = found.indices if keepdim or not shape else found.indices.unsqueeze(dim)
        picked = x.gather(dim, index)
        assert cr.equal(picked.reshape(found.values.shape), found.values)
    flat = np.sort(array, axis=None)
    assert x.median().item() == flat[(flat.size - 1) // 2]
    assert x.median().shape == ()


def test_medians_with_nan() -> None:
    x = cr.tensor([[4.0, NAN, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], [NAN, NAN, NAN, NAN]])
    np.testing.assert_array_equal(x.median(1).values.numpy(), [NAN, 2, NAN])
    assert x.median(1).indices.tolist()[0] == 1
    np.testing.assert_array_equal(x.nanmedian(1).values.numpy(), [3, 2, NAN])
    assert x.nanmedian(1).indices.tolist()[:2] == [3, 1]
    assert np.isnan(x.median().item())
    assert x.nanmedian().item() == 3
    with pytest.raises(ValueError, match=r"median: no elements .*\(2, 0\)"):
        cr.ones(2, 0).median(1)


@pytest.mark.parametrize("how", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("q", [0.0, 0.3, 1.0, [0.25, 0.5, 0.9]])
@pytest.mark.parametrize(("shape", "dim"), [((7,), 0), ((4, 5), 1), ((2, 3, 4), 0), ((3, 4), None)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_quantile(shape: Any, dim: Any, q: Any, how: Any, keepdim: bool) -> None:
    array = np.random.default_rng(0).standard_normal(shape)
    expected = np.quantile(array, q, axis=dim, method=how, keepdims=keepdim)
    x = cr.tensor(array)
    wanted = cr.tensor(q, dtype=cr.float64) if isinstance(q, list) else q
    for function in (cr.quantile, cr.nanquantile):
        found = function(x, wanted, dim, keepdim, interpolation=how)
        assert found.shape == np.shape(expected)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    array[(1,) * array.ndim] = NAN
    found = cr.nanquantile(cr.tensor(array), wanted, dim, keepdim, interpolation=how)
    expected = np.nanquantile(array, q, axis=dim, method=how, keepdims=keepdim)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    found = cr.quantile(cr.tensor(array), wanted, dim, keepdim, interpolation=how)
    expected = np.quantile(array, q, axis=dim, method=how, keepdims=keepdim)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)


def test_quantile_beside_infinity() -> None:
    x = cr.tensor([1.0, 2.0, float("inf")])
    assert x.quantile(0.5).item() == 2
    assert x.quantile(cr.tensor([0.0, 1.0])).tolist() == [1, float("inf")]
    assert cr.tensor(3.0).quantile(0.2, 0, True).shape == ()


def test_quantile_errors() -> None:
    x = cr.ones(3)
    with pytest.raises(ValueError, match=r"quantile: q must lie between 0 and 1 \(got 1.5\)"):
        x.quantile(1.5)
    with pytest.raises(ValueError, match=r"unknown interpolation \(got 'cubic'\)"):
        x.quantile(0.5, interpolation="cubic")
    with pytest.raises(TypeError, match=r"quantile: needs a floating-point tensor \(got int64\)"):
        cr.arange(3).quantile(0.5)
    with pytest.raises(ValueError, match=r"q must be a number or a vector \(got shape \(1, 1\)\)"):
        x.quantile(cr.zeros(1, 1))
    with pytest.raises(ValueError, match=r"nanquantile: no elements"):
        cr.ones(0).nanquantile(0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), [((9,), 0), ((3, 8), 1), ((6, 2), 0), ((1,), 0)])
def test_mode(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    array = _draw(shape, dtype, seed=3)
    x = cr.tensor(array)
    values, indices = x.mode(dim)
    for lane, value, index in zip(
        np.moveaxis(array, dim, -1).reshape(-1, shape[dim]),
        values.reshape(-1).tolist(),
        indices.reshape(-1).tolist(),
        strict=True,
    ):
        found, counts = np.unique(lane, return_counts=True)
        assert value == found[np.argmax(counts)]
        assert index == np.flatnonzero(lane == value)[-1]
    kept = x.mode(dim, keepdim=True)
    assert cr.equal(x.gather(dim, kept.indices), kept.values)


@pytest.mark.parametrize(
    "name", ["sort", "argsort", "mode", "kthvalue", "topk", "cummax", "median"]
)
def test_no_such_dimension(name: str) -> None:
    arguments = {"kthvalue": (1, 2), "topk": (1, 2)}.get(name, (2,))
    with pytest.raises(IndexError, match=rf"{name}: dimension out of range \(got 2 for shape"):
        getattr(cr.ones(2, 3), name)(*arguments)


def test_lists_are_no_tensors() -> None:
    lists: Any = [3, 1]
    for call in (cr.sort, cr.mode, lambda x: cr.topk(x, 1), lambda x: cr.cummax(x, 0)):
        with pytest.raises(TypeError, match=r"expected a Tensor \(got list\)"):
            call(lists)


def test_empty_lanes() -> None:
    x = cr.ones(0, 3)
    assert x.sort(1).values.shape == (0, 3)
    assert x.topk(2).indices.shape == (0, 2)
    assert x.median(1).values.shape == x.mode(1).values.shape == (0,)
    assert x.quantile(cr.tensor([0.1, 0.2]), 1, True).shape == (2, 0, 1)
    assert x.unique(dim=1).shape == (0, 1)


# ---------------------------------------------------------------- distinct values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(9,), (4, 5), (0,), (2, 0), ()])
def test_unique(shape: tuple[int, ...], dtype: str) -> None:
    array = _draw(shape, dtype)
    output, inverse, counts = cr.tensor(array).unique(return_inverse=True, return_counts=True)
    expected, expected_counts = np.unique(array, return_counts=True)
    np.testing.assert_array_equal(output.numpy(), expected)
    np.testing.assert_array_equal(counts.numpy(), expected_counts)
    assert output.dtype.name == dtype
    assert inverse.shape == shape
    np.testing.assert_array_equal(output.numpy()[inverse.numpy()], array)
    assert cr.equal(cr.tensor(array).unique(), output)


def test_unique_slices() -> None:
    x = cr.tensor([[2, 1, 2], [0, 5, 0]])
    output, inverse, counts = x.unique(return_inverse=True, return_counts=True, dim=1)
    assert output.tolist() == [[1, 2], [5, 0]]
    assert inverse.tolist() == [1, 0, 1]
    assert counts.tolist() == [1, 2]
    assert cr.tensor([NAN, 1.0, NAN]).unique().shape == (3,)


@pytest.mark.parametrize("dim", [None, 0, 1])
def test_unique_consecutive(dim: Any) -> None:
    array = np.array([[1, 1, 2, 2, 1], [1, 1, 2, 2, 1], [3, 3, 2, 2, 3]])
    x = cr.tensor(array)
    output, inverse, counts = x.unique_consecutive(True, True, dim)
    expected = {
        None: ([1, 2, 1, 2, 1, 3, 2, 3], [2, 2, 3, 2, 1, 2, 2, 1]),
        0: ([[1, 1, 2, 2, 1], [3, 3, 2, 2, 3]], [2, 1]),
        1: ([[1, 2, 1], [1, 2, 1], [3, 2, 3]], [2, 2, 1]),
    }[dim]
    assert output.tolist() == expected[0]
    assert counts.tolist() == expected[1]
    if dim is None:
        assert cr.equal(output[inverse], x)
    else:
        assert cr.equal(output.index_select(dim, inverse), x)
    empty = cr.zeros(0).unique_consecutive(return_counts=True)
    assert empty[0].shape == empty[1].shape == (0,)


# ---------------------------------------------------------------- places in a sorted sequence


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
@pytest.mark.parametrize("right", [False, True])
def test_searchsorted(dtype: str, right: bool) -> None:
    rows = np.sort(_draw((2, 3, 6), dtype), -1)
    wanted = _draw((2, 3, 4), dtype, seed=1)
    found = cr.searchsorted(cr.tensor(rows), cr.tensor(wanted), right=right)
    side: Any = "right" if right else "left"
    for i, j in np.ndindex(2, 3):
        expected = np.searchsorted(rows[i, j], wanted[i, j], side)
        np.testing.assert_array_equal(found[i, j].numpy(), expected)
    vector = cr.tensor(rows[0, 0])
    found = cr.searchsorted(vector, cr.tensor(wanted), right=right, out_int32=True)
    assert found.dtype == cr.int32
    np.testing.assert_array_equal(found.numpy(), np.searchsorted(rows[0, 0], wanted, side))
    assert cr.equal(cr.bucketize(cr.tensor(wanted), vector, right=right, out_int32=True), found)
    assert cr.searchsorted(vector, 2, side=side).item() == np.searchsorted(rows[0, 0], 2, side)


def test_searchsorted_through_a_sorter() -> None:
    x = cr.tensor([5.0, 1.0, 3.0])
    assert cr.searchsorted(x, cr.tensor([2.0, 9.0]), sorter=x.argsort()).tolist() == [1, 3]


def test_searchsorted_errors() -> None:
    with pytest.raises(ValueError, match=r"searchsorted: .*\(2, 3\) and \(3, 4\)"):
        cr.searchsorted(cr.zeros(2, 3), cr.zeros(3, 4))
    with pytest.raises(ValueError, match="side is 'left' but right is True"):
        cr.searchsorted(cr.zeros(2), 1.0, side="left", right=True)
    with pytest.raises(ValueError, match=r"sorter has shape \(3,\); expected \(2,\)"):
        cr.searchsorted(cr.zeros(2), 1.0, sorter=cr.arange(3))
    with pytest.raises(ValueError, match=r"bucketize: boundaries must be a vector \(got shape"):
        cr.bucketize(cr.zeros(2), cr.zeros(2, 2))


def test_isin() -> None:
    a, b = _draw((4, 5), "int64"), np.array([1, 3])
    for invert in (False, True):
        found = cr.isin(cr.tensor(a), cr.tensor(b), invert=invert)
        np.testing.assert_array_equal(found.numpy(), np.isin(a, b, invert=invert))
    assert cr.isin(3, cr.tensor(b)).item() is True
    assert cr.isin(cr.tensor(b), 3).tolist() == [False, True]


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_bincount(dtype: str) -> None:
    array = _draw((20,), dtype)
    x = cr.tensor(array)
    np.testing.assert_array_equal(x.bincount(minlength=9).numpy(), np.bincount(array, minlength=9))
    for kind, result in (("float32", "float32"), ("float64", "float64"), ("int64", "float64")):
        weights = np.random.default_rng(0).integers(1, 9, 20).astype(kind)
        found = x.bincount(cr.tensor(weights))
        assert found.dtype.name == result
        np.testing.assert_allclose(found.numpy(), np.bincount(array, weights))
    assert cr.zeros(0, dtype=cr.int64).bincount().shape == (0,)


def test_bincount_errors() -> None:
    with pytest.raises(TypeError, match=r"bincount: expected integers \(got float32\)"):
        cr.ones(3).bincount()
    with pytest.raises(ValueError, match=r"bincount: expected a vector \(got shape \(2, 2\)\)"):
        cr.zeros(2, 2, dtype=cr.int64).bincount()
    with pytest.raises(ValueError, match=r"must not be negative \(got -1\)"):
        cr.tensor([2, -1]).bincount()
    with pytest.raises(ValueError, match=r"differ in shape \(got \(3,\) and \(2,\)\)"):
        cr.tensor([2, 1]).bincount(cr.ones(3))


def test_histc() -> None:
    array = np.random.default_rng(0).uniform(-2, 2, 200)
    x = cr.tensor(array)
    expected = np.histogram(array, 7, (-1, 1))[0]
    assert x.histc(7, -1, 1).tolist() == expected.tolist()
    assert x.float().histc(5).dtype == cr.float32
    assert x.histc(5).sum().item() == 200
    assert cr.ones(3).histc(2).tolist() == [0, 3]
    with pytest.raises(ValueError, match=r"histc: the range must be finite and ascending"):
        x.histc(5, 2, 1)
    with pytest.raises(ValueError, match=r"histc: bins must be 1 or more \(got 0\)"):
        x.histc(0)


# ---------------------------------------------------------------- running extremes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_running_extremes(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    array = _draw(shape, dtype)
    x = cr.tensor(array)
    rows = np.atleast_1d(array)
    for name, accumulate in (("cummax", np.maximum), ("cummin", np.minimum)):
        values, indices = getattr(x, name)(dim)
        expected = accumulate.accumulate(rows, axis=dim).reshape(shape)
        np.testing.assert_array_equal(values.numpy(), expected)
        assert values.dtype == x.dtype
        assert indices.shape == shape
        if shape and array.size:  # the last place that reached the value
            last = np.moveaxis(indices.numpy(), dim, -1)
            lanes = np.moveaxis(rows, dim, -1)
            for place in np.ndindex(last.shape):
                here = lanes[place[:-1]][: place[-1] + 1]
                best = here.max() if name == "cummax" else here.min()
                assert last[place] == np.flatnonzero(here == best)[-1]


def test_running_extremes_keep_nan() -> None:
    values, indices = cr.tensor([1.0, NAN, 5.0, NAN, 2.0]).cummax(0)
    np.testing.assert_array_equal(values.numpy(), [1, NAN, NAN, NAN, NAN])
    assert indices.tolist() == [0, 1, 1, 3, 3]


# ---------------------------------------------------------------- gradients

FUNCTIONS = {
    "sort": lambda x: cr.sort(x, 0, descending=True).values,
    "msort": cr.msort,
    "topk": lambda x: cr.topk(x, 2, 1).values,
    "kthvalue": lambda x: cr.kthvalue(x, 2, 0).values,
    "median": cr.median,
    "median of rows": lambda x: cr.median(x, 1, True).values,
    "nanmedian": lambda x: cr.nanmedian(x, 0).values,
    "quantile": lambda x: cr.quantile(x, cr.tensor([0.2, 0.7], dtype=cr.float64), 1),
    "nanquantile": lambda x: cr.nanquantile(x, 0.4, interpolation="midpoint"),
    "mode": lambda x: cr.mode(x, 1).values,
    "cummax": lambda x: cr.cummax(x, 1).values,
    "cummin": lambda x: cr.cummin(x, 0).values,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients(name: str) -> None:
    function = FUNCTIONS[name]
    assert gradcheck(function, (_distinct(3, 4),))
    assert gradgradcheck(lambda x: function(x * x * x), (_distinct(3, 4),))


def test_gradients_of_weights() -> None:
    x = cr.tensor([0, 2, 2, 1])
    assert gradcheck(lambda w: cr.bincount(x, w), (_distinct(4),))


def test_gradient_of_a_number() -> None:
    x = cr.tensor(3.0, requires_grad=True)
    (x.sort().values * 2 + x.median() + x.cummax(0).values).backward()
    assert x.grad is not None
    assert x.grad.item() == 4
