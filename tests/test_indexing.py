"""x[...] and x[...] = y: NumPy is the reference for values, shapes and errors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opspec import to_numpy, to_tensor

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck

A = np.arange(60.0, dtype=np.float32).reshape(3, 4, 5)
MASK = A % 3 == 0
ROWS = np.array([2, 0, 0])
COLUMNS = np.array([1, -1, 2])

BASIC = [
    0,
    -1,
    (1, 2),
    (1, 2, 3),
    slice(1, 3),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(2, None, -2),
    slice(-2, None),
    slice(5, 9),
    slice(2, 1),
    (slice(None), 1),
    (slice(None), slice(1, 3), slice(4, None, -2)),
    ...,
    (..., 0),
    (0, ...),
    (..., slice(None, 2)),
    None,
    (None, 0),
    (0, None, slice(1, 2), None),
    (..., None),
    (slice(None), None, ..., 2),
    (),
]

ADVANCED = [
    ROWS,
    (ROWS, COLUMNS),
    (ROWS, 1),
    (1, ROWS),
    (slice(None), ROWS),
    (slice(None), ROWS, COLUMNS),
    (ROWS, slice(None), COLUMNS),
    (ROWS, slice(1, 3)),
    (..., ROWS),
    (ROWS[:, None], COLUMNS),
    (ROWS[:, None], COLUMNS[None, :2], 0),
    (None, ROWS, slice(None), None),
    np.zeros((2, 0), np.int64),
    [0, 2],
    ([0, 2], [1, 3]),
    MASK,
    MASK[:, :, 0],
    MASK[:, 0, 0],
    (slice(None), MASK[0, :, 0]),
    (slice(None), MASK[0]),
    (..., MASK[0, 0]),
    (ROWS[:2], slice(None), MASK[0, 0] & (np.arange(5) < 4)),
    np.zeros((3, 4), bool),
    True,
    False,
    (0, True),
]


def as_index(index: Any) -> Any:
    """NumPy's index with tensors for arrays."""
    if isinstance(index, tuple):
        return tuple(as_index(i) for i in index)
    return to_tensor(index) if isinstance(index, np.ndarray) else index


def _name(index: Any) -> str:
    return repr(index).replace("\n", "").replace(" ", "")[:50]


basic = pytest.mark.parametrize("index", BASIC, ids=_name)
advanced = pytest.mark.parametrize("index", ADVANCED, ids=_name)
full = pytest.mark.parametrize("index", [i for i in BASIC + ADVANCED if A[i].size], ids=_name)
either = pytest.mark.parametrize("index", BASIC + ADVANCED, ids=_name)


# ---------------------------------------------------------------- get


@pytest.mark.smoke
@either
def test_get(index: Any) -> None:
    got = to_tensor(A)[as_index(index)]
    expected = A[index]
    assert tuple(got.shape) == np.shape(expected)
    np.testing.assert_array_equal(to_numpy(got), expected)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float64"])
def test_get_dtypes(dtype: str) -> None:
    a = A.astype(dtype)
    for index in ((slice(None), 1), (ROWS, COLUMNS), MASK):
        np.testing.assert_array_equal(to_numpy(to_tensor(a)[as_index(index)]), a[index])


@either
def test_get_from_strided_memory(index: Any) -> None:
    room = np.full((5, 8, 7), np.nan, np.float32)
    room[1:4, ::2, 1:6] = A
    x = to_tensor(np.ascontiguousarray(room.transpose(2, 0, 1))).permute(1, 2, 0)
    np.testing.assert_array_equal(to_numpy(x[1:4, ::2, 1:6][as_index(index)]), A[index])


@basic
def test_basic_indexing_is_a_view(index: Any) -> None:
    x = to_tensor(A)
    view = x[index]
    if view.numel():
        view.fill_(-1.0)
        assert int((x == -1.0).sum()) == view.numel()


@advanced
def test_advanced_indexing_is_a_copy(index: Any) -> None:
    x = to_tensor(A)
    x[as_index(index)].fill_(-1.0)
    np.testing.assert_array_equal(to_numpy(x), A)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_index_dtypes(dtype: str) -> None:
    index = np.array([2, 0, 1], dtype)
    np.testing.assert_array_equal(to_numpy(to_tensor(A)[to_tensor(index)]), A[index])


def test_index_of_numpy_kind() -> None:
    x = to_tensor(A)
    np.testing.assert_array_equal(to_numpy(x[ROWS, COLUMNS]), A[ROWS, COLUMNS])
    np.testing.assert_array_equal(to_numpy(x[MASK]), A[MASK])
    assert x[np.int64(1), np.int32(2), np.uint8(3)].item() == A[1, 2, 3]
    assert x[to_tensor(np.array(1)), 2, 3].item() == A[1, 2, 3]


def test_integer_beside_a_list_selects_first() -> None:
    """torch's rule, where NumPy moves the dimension of the list to the front."""
    got = to_tensor(A)[0, :, to_tensor(ROWS)]
    np.testing.assert_array_equal(to_numpy(got), A[0][:, ROWS])


def test_zero_dimensional() -> None:
    x = cr.tensor(5.0)
    assert x[()].item() == 5.0
    assert x[...].item() == 5.0
    assert tuple(x[None].shape) == (1,)
    assert x[True].tolist() == [5.0]
    assert x[False].tolist() == []
    x[()] = 7.0
    assert x.item() == 7.0
    x[...] = 8.0
    assert x.item() == 8.0


# ---------------------------------------------------------------- set


@pytest.mark.smoke
@either
def test_set_scalar(index: Any) -> None:
    x, a = to_tensor(A), A.copy()
    x[as_index(index)] = -1.5
    a[index] = -1.5
    np.testing.assert_array_equal(to_numpy(x), a)


def _unique(index: Any) -> Any:
    """The index without repeated positions, so that assignment has one answer."""
    if isinstance(index, np.ndarray) and np.array_equal(index.ravel(), ROWS):
        return np.array([2, 0, 1]).reshape(index.shape)
    if isinstance(index, tuple):
        return tuple(_unique(i) for i in index)
    return index


@either
def test_set_values(index: Any) -> None:
    index = _unique(index)
    x, a = to_tensor(A), A.copy()
    values = -np.arange(1.0, A[index].size + 1, dtype=np.float32).reshape(A[index].shape)
    x[as_index(index)] = to_tensor(values)
    a[index] = values
    np.testing.assert_array_equal(to_numpy(x), a)


@pytest.mark.parametrize("index", [slice(1, 3), (slice(None), 1), ROWS, (..., ROWS), None])
def test_set_broadcasts(index: Any) -> None:
    index = _unique(index)
    x, a = to_tensor(A), A.copy()
    values = np.arange(A[index].shape[-1], dtype=np.float32)
    x[as_index(index)] = to_tensor(values)
    a[index] = values
    np.testing.assert_array_equal(to_numpy(x), a)


def test_set_converts() -> None:
    x = cr.zeros(4)
    x[0] = 3
    x[1] = True
    x[2:] = cr.tensor([7, 8])
    assert x.tolist() == [3.0, 1.0, 7.0, 8.0]
    x[1:3] = np.array([5.0, 6.0])
    assert x.tolist() == [3.0, 5.0, 6.0, 8.0]
    i = cr.zeros(2, dtype=cr.int64)
    i[0] = 2.9
    assert i.tolist() == [2, 0]


def test_set_from_overlapping_memory() -> None:
    x, a = to_tensor(A), A.copy()
    x[1:] = x[:-1]
    a[1:] = A[:-1]
    np.testing.assert_array_equal(to_numpy(x), a)
    y = cr.arange(6.0)
    y[:] = y.flip((0,))
    assert y.tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    z = cr.arange(6.0)
    z[1:] = z[::-1][:5]
    assert z.tolist() == [0.0, 5.0, 4.0, 3.0, 2.0, 1.0]


def test_set_counts_a_version() -> None:
    x = to_tensor(A)
    before = x._version
    x[0] = 1.0
    x[to_tensor(ROWS)] = 1.0
    assert x._version == before + 2


def test_augmented_assignment() -> None:
    x, a = to_tensor(A), A.copy()
    x[1:] *= 2
    a[1:] *= 2
    x[MASK] += 1.0
    a[MASK] += 1.0
    np.testing.assert_array_equal(to_numpy(x), a)


def test_index_put_accumulates() -> None:
    x = cr.zeros(3)
    x.index_put_((cr.tensor([0, 0, 2]),), cr.tensor([1.0, 2.0, 5.0]), accumulate=True)
    assert x.tolist() == [3.0, 0.0, 5.0]


# ---------------------------------------------------------------- gradients


@full
def test_get_gradient(index: Any) -> None:
    x = to_tensor(A.astype(np.float64) / 10).requires_grad_()
    gradcheck(lambda v: v[as_index(index)], (x,), fast_mode=True)
    gradgradcheck(lambda v: v[as_index(index)] ** 2, (x,), fast_mode=True)


@full
def test_set_gradient(index: Any) -> None:
    index = _unique(index)
    x = to_tensor(A.astype(np.float64) / 10).requires_grad_()
    y = to_tensor(np.linspace(0.0, 1.0, A[index].size).reshape(A[index].shape)).requires_grad_()

    def assign(x: Any, y: Any) -> Any:
        z = x * 1
        z[as_index(index)] = y
        return z * z

    gradcheck(assign, (x, y), fast_mode=True)
    gradgradcheck(assign, (x, y), fast_mode=True)


def test_repeated_index_sums_gradients() -> None:
    x = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[cr.tensor([0, 0, 2])].sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


# ---------------------------------------------------------------- errors


BAD_GET: list[tuple[Any, type[Exception], str]] = [
    (3, IndexError, r"\b3\b.*\b3\b"),
    (-4, IndexError, "-4"),
    ((0, 0, 0, 0), IndexError, "too many|4"),
    ((..., ...), IndexError, "ellipsis|'\\.\\.\\.'"),
    (np.array([0, 3]), IndexError, r"\b3\b"),
    (np.array([-4]), IndexError, "-4"),
    (
        (np.array([0, 1]), np.array([0, 1, 2])),
        (IndexError, ValueError),
        r"\(2,\).*\(3,\)|\[2\].*\[3\]",
    ),
    (np.zeros(4, bool), IndexError, r"\(4,\)|\[4\]"),
    (np.zeros((3, 5), bool), IndexError, r"\(3, 5\)|\[3, 5\]"),
    (np.zeros(3, np.float32), (IndexError, TypeError), "float"),
    (1.0, (IndexError, TypeError), "float"),
    ("a", (IndexError, TypeError), "str"),
    (slice(0.5, 2), TypeError, "slice|float"),
    (slice(0, 2, 0), ValueError, "step|zero"),
]


@pytest.mark.parametrize(("index", "error", "match"), BAD_GET, ids=lambda v: _name(v))
def test_bad_index(index: Any, error: type[Exception], match: str) -> None:
    x = to_tensor(A)
    with pytest.raises(error, match=match):
        x[as_index(index)]
    with pytest.raises(error, match=match):
        x[as_index(index)] = 0.0
    np.testing.assert_array_equal(to_numpy(x), A)


def test_zero_dimensional_cannot_be_indexed() -> None:
    with pytest.raises(IndexError, match=r"0-d|too many"):
        cr.tensor(1.0)[0]


def test_bad_values() -> None:
    x = to_tensor(A)
    with pytest.raises((ValueError, RuntimeError), match=r"\(2,\).*\(4, 5\)|shape"):
        x[0] = cr.zeros(2)
    with pytest.raises((ValueError, RuntimeError), match=r"shape|\(7,\)"):
        x[to_tensor(ROWS)] = cr.zeros(7)
    with pytest.raises((TypeError, ValueError), match="str"):
        x[0] = "a"
    np.testing.assert_array_equal(to_numpy(x), A)


# ---------------------------------------------------------------- anything else


@st.composite
def _index_of(draw: Any) -> Any:
    """A basic index of A, in any combination."""
    part = st.one_of(
        st.integers(-3, 2),
        st.builds(
            slice,
            st.none() | st.integers(-7, 7),
            st.none() | st.integers(-7, 7),
            st.none() | st.integers(-3, 3).filter(bool),
        ),
        st.none(),
    )
    parts = draw(st.lists(part, max_size=5))
    if sum(p is not None for p in parts) > 3:
        parts = [p for p in parts if p is not None][:3]
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), ...)
    return tuple(parts)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_index_of())
def test_any_basic_index(index: Any) -> None:
    x, a = to_tensor(A), A.copy()
    np.testing.assert_array_equal(to_numpy(x[index]), A[index])
    x[index] = -1.0
    a[index] = -1.0
    np.testing.assert_array_equal(to_numpy(x), a)


@pytest.mark.parametrize("shape", [(7,), (5, 6), (3, 4, 5), (0, 3), (3, 0)])
def test_masks_over_the_first_dimensions(shape: tuple[int, ...]) -> None:
    """Picked, filled and written to like NumPy, of any layout, with gradients."""
    rng = np.random.default_rng(len(shape))
    array = rng.standard_normal(shape).astype("float32")
    for rank in range(1, len(shape) + 1):
        mask = rng.random(shape[:rank]) > 0.5
        for flip in (False, True):
            x = cr.tensor(array.T.copy()).T if flip else cr.tensor(array)
            np.testing.assert_array_equal(x[cr.tensor(mask)].numpy(), array[mask])
            for value in (3.0, array[mask] * 2):
                written, expected = x.clone(), array.copy()
                written[cr.tensor(mask)] = value if isinstance(value, float) else cr.tensor(value)
                expected[mask] = value
                np.testing.assert_array_equal(written.numpy(), expected)
        leaf = cr.tensor(array, requires_grad=True)
        leaf[cr.tensor(mask)].sum().backward()
        expected = np.zeros_like(array)
        expected[mask] = 1
        np.testing.assert_array_equal(leaf.grad.numpy(), expected)


def test_several_index_arrays_on_the_first_dimensions() -> None:
    """Rows are found by one number; the last of repeated ones wins, or all add up."""
    x = np.arange(60.0).reshape(3, 4, 5)
    i, j = np.array([[0, 2], [2, -1]]), np.array([[1, -1], [-1, 3]])
    left, right = cr.tensor(i), cr.tensor(j)
    np.testing.assert_array_equal(cr.tensor(x)[left, right].numpy(), x[i, j])
    values = np.arange(20.0).reshape(2, 2, 5)
    put, added = cr.tensor(x), cr.tensor(x)
    put[left, right] = cr.tensor(values)
    expected = x.copy()
    expected[i, j] = values
    np.testing.assert_array_equal(put.numpy(), expected)
    added.index_put_([left, right], cr.tensor(values), accumulate=True)
    expected = x.copy()
    np.add.at(expected, (i, j), values)
    np.testing.assert_array_equal(added.numpy(), expected)
