"""Tensors from nothing and from Python values."""

from typing import Any

import numpy as np
import pytest
from opspec import DTYPES, FLOATS, dtype_name, to_numpy

import chainrule as cr

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


# ---------------------------------------------------------------- tensor(...)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()),
        (3, "int64", ()),
        (True, "bool", ()),
        ([1, 2], "int64", (2,)),
        ([1, 2.0], "float32", (2,)),
        ([True, False], "bool", (2,)),
        ([True, 2], "int64", (2,)),
        ([[1, 2], [3, 4]], "int64", (2, 2)),
        ((1, (2,))[1], "int64", (1,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        (range(3), "int64", (3,)),
        (np.float32(1.5), "float32", ()),
        (np.float64(1.5), "float64", ()),
        (np.int8(3), "int8", ()),
        ([np.float32(1), np.float32(2)], "float32", (2,)),
        (np.zeros((2, 3), np.int16), "int16", (2, 3)),
    ],
)
def test_tensor_infers(data: Any, dtype: str, shape: tuple[int, ...]) -> None:
    x = cr.tensor(data)
    assert dtype_name(x) == dtype
    assert tuple(x.shape) == shape
    np.testing.assert_array_equal(to_numpy(x), np.asarray(data, dtype))


def test_tensor_copies() -> None:
    a = np.zeros(3)
    x = cr.tensor(a)
    x[0] = 1.0
    assert a[0] == 0.0
    y = x.clone()
    y[1] = 5.0
    assert x[1].item() == 0.0


def test_tensor_of_tensors() -> None:
    x = cr.tensor([cr.tensor(1.0), cr.tensor(2.0)])
    assert x.tolist() == [1.0, 2.0]
    assert cr.tensor([[cr.tensor(1), 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]


def test_as_tensor_shares_when_it_can() -> None:
    a = np.zeros(3)
    assert cr.as_tensor(a).data_ptr() == a.ctypes.data
    assert cr.as_tensor(a, dtype=cr.float32).data_ptr() != a.ctypes.data
    x = cr.zeros(3)
    assert cr.as_tensor(x) is x
    assert cr.as_tensor([1, 2]).tolist() == [1, 2]
    assert cr.asarray(a).data_ptr() == a.ctypes.data


@every_dtype
def test_tensor_with_a_dtype(dtype: str) -> None:
    x = cr.tensor([0, 1, 2], dtype=getattr(cr, dtype))
    assert dtype_name(x) == dtype
    np.testing.assert_array_equal(to_numpy(x), np.array([0, 1, 2]).astype(dtype))


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ([[1, 2], [3]], ValueError, r"tensor: |expected sequence|length"),
        ([1, [2]], (ValueError, TypeError), "tensor|sequence|convert|length"),
        ("text", TypeError, "str"),
        (None, TypeError, "None"),
        ({"a": 1}, TypeError, "dict"),
        ([1, "a"], (TypeError, ValueError), "str"),
        ([None], TypeError, "tensor: "),
        ([1 << 70], (OverflowError, RuntimeError, ValueError), "64 bits"),
        (1j, TypeError, "complex"),
    ],
)
def test_tensor_refuses(data: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        cr.tensor(data)


def test_default_dtype() -> None:
    assert cr.get_default_dtype() is cr.float32
    cr.set_default_dtype(cr.float64)
    assert cr.tensor(1.5).dtype is cr.float64
    assert cr.zeros(2).dtype is cr.float64
    assert (cr.tensor([1]) / 2).dtype is cr.float64
    assert (cr.tensor([1]) * 0.5).dtype is cr.float64
    assert cr.rand(2).dtype is cr.float64
    with pytest.raises(TypeError, match=r"float"):
        cr.set_default_dtype(cr.int64)


# ---------------------------------------------------------------- fills


@every_dtype
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4), (100_003,)])
def test_fills(dtype: str, shape: tuple[int, ...]) -> None:
    d = getattr(cr, dtype)
    for x, expected in (
        (cr.zeros(shape, dtype=d), np.zeros(shape, dtype)),
        (cr.ones(shape, dtype=d), np.ones(shape, dtype)),
        (cr.full(shape, 3, dtype=d), np.full(shape, 3, dtype)),
        (cr.zeros_like(cr.ones(shape, dtype=d)), np.zeros(shape, dtype)),
        (cr.ones_like(cr.zeros(shape, dtype=d)), np.ones(shape, dtype)),
        (cr.full_like(cr.zeros(shape, dtype=d), 2), np.full(shape, 2, dtype)),
        (cr.zeros(1, dtype=d).new_full(shape, 2), np.full(shape, 2, dtype)),
        (cr.zeros(1, dtype=d).new_zeros(shape), np.zeros(shape, dtype)),
        (cr.zeros(1, dtype=d).new_ones(shape), np.ones(shape, dtype)),
    ):
        assert dtype_name(x) == dtype
        np.testing.assert_array_equal(to_numpy(x), expected)
    for empty in (cr.empty(shape, dtype=d), cr.empty_like(cr.zeros(shape, dtype=d))):
        assert tuple(empty.shape) == shape
        assert dtype_name(empty) == dtype


def test_sizes_are_given_in_two_ways() -> None:
    for make in (cr.zeros, cr.ones, cr.empty, cr.rand, cr.randn):
        assert tuple(make(2, 3).shape) == tuple(make((2, 3)).shape) == (2, 3)
        assert tuple(make([2, 3]).shape) == (2, 3)
        assert tuple(make(()).shape) == ()
        assert make(2, requires_grad=True).requires_grad
    assert dtype_name(cr.full((2,), 1)) == "int64"
    assert dtype_name(cr.full((2,), 1.0)) == "float32"
    assert dtype_name(cr.full((2,), True)) == "bool"
    assert dtype_name(cr.zeros_like(cr.ones(2), dtype=cr.int8)) == "int8"


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "rand", "randn"])
def test_bad_sizes(make: str) -> None:
    f = getattr(cr, make)
    with pytest.raises((ValueError, RuntimeError), match="-1"):
        f(2, -1)
    with pytest.raises(TypeError, match=r"float|int"):
        f(2.5)
    with pytest.raises((ValueError, RuntimeError, MemoryError)):
        f(1 << 62, 1 << 62)
    with pytest.raises((MemoryError, RuntimeError, ValueError)):
        f(1 << 50)
    with pytest.raises((ValueError, TypeError, OverflowError, RuntimeError)):
        f(1 << 70)


# ---------------------------------------------------------------- ranges


@pytest.mark.parametrize(
    "args",
    [
        (5,),
        (0,),
        (2, 7),
        (1, 10, 3),
        (10, 1, -3),
        (5.0,),
        (0, 1, 0.1),
        (1.0, 2.0, 0.25),
        (1, 0, -0.25),
        (-3, 3),
        (0, 0.3, 0.1),
    ],
)
def test_arange(args: tuple[float, ...]) -> None:
    x = cr.arange(*args)
    expected = np.arange(*args)
    assert dtype_name(x) == ("float32" if expected.dtype.kind == "f" else "int64")
    assert tuple(x.shape) == expected.shape
    np.testing.assert_allclose(to_numpy(x), expected, rtol=1e-6)


def test_arange_keywords_and_errors() -> None:
    assert cr.arange(start=1, end=4).tolist() == [1, 2, 3]
    assert cr.arange(3, dtype=cr.float64).tolist() == [0.0, 1.0, 2.0]
    with pytest.raises((ValueError, RuntimeError), match=r"step|zero|nonzero"):
        cr.arange(0, 3, 0)
    with pytest.raises((ValueError, RuntimeError), match=r"arange|step|bound"):
        cr.arange(3, 0)
    with pytest.raises((ValueError, RuntimeError, MemoryError)):
        cr.arange(0, 1e30)
    with pytest.raises((ValueError, RuntimeError)):
        cr.arange(float("nan"))


@pytest.mark.parametrize(
    "args", [(0, 1, 5), (1, -1, 7), (2.5, 2.5, 3), (0, 10, 1), (0, 1, 0), (0, 1, 100)]
)
def test_linspace(args: tuple[Any, ...]) -> None:
    x = cr.linspace(*args, dtype=cr.float64)
    np.testing.assert_allclose(to_numpy(x), np.linspace(*args), rtol=1e-15, atol=1e-16)
    if args[2] > 1:
        assert x[-1].item() == args[1], "the end is exact"
    assert dtype_name(cr.linspace(*args)) == "float32"


def test_eye() -> None:
    np.testing.assert_array_equal(to_numpy(cr.eye(3)), np.eye(3))
    np.testing.assert_array_equal(to_numpy(cr.eye(2, 4)), np.eye(2, 4))
    np.testing.assert_array_equal(to_numpy(cr.eye(4, 2, dtype=cr.int64)), np.eye(4, 2))
    assert tuple(cr.eye(0).shape) == (0, 0)
    with pytest.raises((ValueError, RuntimeError), match="-1"):
        cr.eye(-1)


def test_requires_grad_of_created_tensors() -> None:
    for make in (
        lambda **k: cr.zeros(2, **k),
        lambda **k: cr.full((2,), 1.0, **k),
        lambda **k: cr.arange(2.0, **k),
        lambda **k: cr.linspace(0, 1, 2, **k),
        lambda **k: cr.eye(2, **k),
        lambda **k: cr.tensor([1.0], **k),
        lambda **k: cr.ones_like(cr.zeros(2), **k),
    ):
        assert make(requires_grad=True).requires_grad
        assert not make().requires_grad
        with pytest.raises(RuntimeError, match="floating"):
            make(requires_grad=True, dtype=cr.int64)


# ---------------------------------------------------------------- fills in place


@every_dtype
def test_fill_and_zero_in_place(dtype: str) -> None:
    x = cr.ones(3, 4, dtype=getattr(cr, dtype))
    assert x.zero_() is x
    assert not to_numpy(x).any()
    x.t()[1:].fill_(1)
    assert to_numpy(x)[:, 0].sum() == 0
    assert to_numpy(x)[:, 1:].all()


def test_copy_in_place() -> None:
    x = cr.zeros(2, 3)
    assert x.copy_(cr.tensor([1, 2, 3])) is x
    assert x.tolist() == [[1.0, 2.0, 3.0]] * 2
    x.t().copy_(cr.arange(6.0).reshape(3, 2))
    assert x.tolist() == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    with pytest.raises((ValueError, RuntimeError), match=r"copy_|size"):
        x.copy_(cr.zeros(4))


def test_float_names() -> None:
    assert FLOATS == ("float32", "float64")
    assert dtype_name(cr.zeros(1)) == "float32"
