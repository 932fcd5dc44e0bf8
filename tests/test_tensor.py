"""The tensor as a Python object: NumPy, lifetimes, text, copies, attributes, protocols."""

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
from opspec import DTYPES, FLOATS, dtype_name, to_numpy, to_tensor

import chainrule as cr

inf, nan = float("inf"), float("nan")


# ---------------------------------------------------------------- NumPy, zero-copy


@pytest.mark.parametrize("data", [[1], 1.0, None])
def test_from_numpy_takes_arrays_only(data: object) -> None:
    with pytest.raises(TypeError, match=r"from_numpy: expected a NumPy array \(got \w+\)"):
        cr.from_numpy(data)


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", DTYPES)
def test_from_numpy_shares_memory(dtype: str) -> None:
    a = np.arange(6).reshape(2, 3).astype(dtype)
    x = cr.from_numpy(a)
    assert dtype_name(x) == dtype
    assert x.data_ptr() == a.ctypes.data
    a[0, 0] = 1
    assert x[0, 0].item() == a[0, 0]
    x[1, 2] = 0
    assert a[1, 2] == 0
    back = x.numpy()
    assert back.ctypes.data == a.ctypes.data
    assert back.dtype == a.dtype


def test_strided_arrays_are_shared_too() -> None:
    a = np.arange(24.0).reshape(2, 3, 4)
    for view in (a.T, a[:, ::2], a[1], a[..., 1:3], a[:, :1]):
        x = cr.from_numpy(view)
        assert tuple(x.shape) == view.shape
        assert x.data_ptr() == view.ctypes.data
        np.testing.assert_array_equal(to_numpy(x), view)
        assert tuple(x.numpy().strides) == view.strides


def test_numpy_of_views() -> None:
    x = cr.arange(24.0).reshape(2, 3, 4)
    for view in (x.permute(2, 0, 1), x[:, 1:], x[..., ::2], x[0].expand(5, 3, 4)):
        a = view.numpy()
        assert a.shape == tuple(view.shape)
        assert a.ctypes.data == view.data_ptr()
        assert a.tolist() == view.tolist()


def test_arrays_outlive_tensors_and_tensors_arrays() -> None:
    a = np.arange(1000.0)
    x = cr.from_numpy(a)
    kept = weakref.ref(a)
    del a
    gc.collect()
    assert kept() is not None
    assert x.sum().item() == 499500.0
    y = x[::2]
    del x
    gc.collect()
    assert y.sum().item() == 249500.0
    del y
    gc.collect()
    assert kept() is None

    b = cr.arange(1000.0).numpy()
    gc.collect()
    for _ in range(20):  # memory that was given back would be handed out again here
        cr.zeros(1000).fill_(-1.0)
    assert b.sum() == 499500.0
    row = cr.ones(10, 10)[3].numpy()
    gc.collect()
    assert row.sum() == 10.0


def test_a_tensor_keeps_its_base_alive() -> None:
    view = cr.arange(10.0)[5:]
    gc.collect()
    for _ in range(20):
        cr.zeros(10).fill_(-1.0)
    assert view.tolist() == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_read_only_arrays_are_not_written() -> None:
    """Writing to the tensor must not change what NumPy promised to keep."""
    a = np.arange(3.0)
    a.flags.writeable = False
    for array in (a, np.broadcast_to(np.ones(1), (4,))):
        x = cr.from_numpy(array)
        assert x.sum().item() == array.sum()
        before = array.tolist()
        for write in (lambda x=x: x.add_(1.0), lambda x=x: x[0].fill_(7.0)):
            with pytest.raises(ValueError, match="read-only"):
                write()
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 7.0
        assert array.tolist() == before
        assert not x.numpy().flags.writeable
        assert cr.tensor(array).add_(1.0).sum().item() == array.sum() + array.size


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3, dtype=np.dtype(np.int32).newbyteorder()),
        np.array([object()]),
        np.array(["a"]),
        np.array([1 + 2j]),
        np.zeros(3, [("a", "i4")]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(3, np.longdouble),
    ],
    ids=lambda a: str(a.dtype).replace(" ", ""),
)
def test_arrays_of_other_types_are_refused(array: np.ndarray) -> None:
    for make in (cr.from_numpy, cr.tensor, cr.as_tensor):
        with pytest.raises(TypeError, match=r"from_numpy|tensor|dtype"):
            make(array)


def test_misaligned_arrays_are_refused() -> None:
    raw = np.zeros(24, np.uint8)
    with pytest.raises(ValueError, match=r"aligned.*copy it first"):
        cr.from_numpy(raw[1:17].view(np.float64))
    records = np.zeros(3, [("a", "i4"), ("b", "i2")])
    with pytest.raises(ValueError, match=r"stride 6.*ascontiguousarray"):
        cr.from_numpy(records["a"])
    assert cr.tensor(records["a"]).tolist() == [0, 0, 0]


def test_only_arrays() -> None:
    for other in ([1.0], 1.0, "a", None):
        with pytest.raises(TypeError, match="from_numpy"):
            cr.from_numpy(other)


def test_negative_strides_are_shared() -> None:
    a = np.arange(6.0).reshape(2, 3)
    x = cr.from_numpy(a[::-1, ::-1])
    assert x.tolist() == [[5.0, 4.0, 3.0], [2.0, 1.0, 0.0]]
    x[0, 0] = 9.0
    assert a[1, 2] == 9.0


def test_empty_and_zero_dimensional() -> None:
    x = cr.from_numpy(np.array(5.0))
    assert tuple(x.shape) == ()
    assert x.item() == 5.0
    assert x.numpy().shape == ()
    assert cr.zeros(0, 3).numpy().shape == (0, 3)
    assert tuple(cr.from_numpy(np.zeros((3, 0))).shape) == (3, 0)


def test_numpy_needs_no_gradient() -> None:
    x = cr.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        x.numpy()
    with pytest.raises(RuntimeError, match=r"detach\(\)"):
        np.asarray(x * 2)
    assert x.numpy(force=True).tolist() == [1.0, 1.0]


def test_array_protocol() -> None:
    x = cr.arange(3.0)
    a = np.asarray(x)
    assert a.ctypes.data == x.data_ptr()
    assert np.array(x).ctypes.data != x.data_ptr()
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.asarray([cr.tensor(1.0), cr.tensor(2.0)]).tolist() == [1.0, 2.0]


def test_numpy_and_tensors_mix() -> None:
    a, x = np.ones(3, np.float32), cr.arange(3.0)
    for result in (a + x, x + a, a * x, x * a, a - x, x - a, a / (x + 1), (x + 1) / a):
        assert isinstance(result, cr.Tensor)
    assert (a - x).tolist() == [1.0, 0.0, -1.0]
    assert (x @ a).item() == 3.0
    assert (a @ x).item() == 3.0
    assert (x == a).tolist() == [False, True, False]
    assert (np.float32(2.0) * x).tolist() == [0.0, 2.0, 4.0]
    assert isinstance(np.float64(2.0) * x, cr.Tensor)


# ---------------------------------------------------------------- Python values


def test_item() -> None:
    for value, kind in ((1.5, float), (3, int), (True, bool)):
        got = cr.tensor(value).item()
        assert got == value
        assert type(got) is kind
    assert cr.ones(1, 1).item() == 1.0
    for x in (cr.ones(2), cr.ones(0)):
        with pytest.raises((ValueError, RuntimeError), match=r"item|one element|scalar"):
            x.item()


@pytest.mark.parametrize("dtype", DTYPES)
def test_tolist(dtype: str) -> None:
    a = np.arange(6).reshape(2, 3).astype(dtype)
    got = to_tensor(a).tolist()
    assert got == a.tolist()
    assert type(got[0][1]) is type(a.tolist()[0][1])
    assert to_tensor(a).t().tolist() == a.T.tolist()
    assert cr.zeros(2, 0, 3).tolist() == [[], []]
    assert cr.tensor(2.0).tolist() == 2.0


def test_len_iter_in() -> None:
    x = cr.arange(6.0).reshape(3, 2)
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert 3.0 in x
    assert 7 not in x
    _, _, c = x
    assert c.tolist() == [4.0, 5.0]
    with pytest.raises(TypeError, match="0-d"):
        len(cr.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        iter(cr.tensor(1.0))
    rows = list(cr.ones(2, 2, requires_grad=True) * 2)
    assert rows[0].requires_grad


def test_bool_int_float_index() -> None:
    assert bool(cr.tensor(2.0))
    assert not bool(cr.tensor([[0]]))
    assert int(cr.tensor(2.7)) == 2
    assert float(cr.tensor(3)) == 3.0
    assert complex(cr.tensor(3.0)) == 3 + 0j
    assert [10, 20, 30][cr.tensor(1)] == 20
    assert list(range(cr.tensor(3))) == [0, 1, 2]
    with pytest.raises((RuntimeError, ValueError), match=r"ambiguous|one value|bool"):
        bool(cr.ones(2))
    with pytest.raises((RuntimeError, ValueError), match=r"ambiguous|one value|bool"):
        bool(cr.ones(0))
    with pytest.raises(TypeError, match="int"):
        [1, 2][cr.tensor(1.0)]
    with pytest.raises((ValueError, OverflowError)):
        int(cr.tensor(nan))


def test_round_and_format() -> None:
    assert round(cr.tensor(2.567), 1).item() == pytest.approx(2.6)
    assert f"{cr.tensor(2.5):.2f}" == "2.50"
    assert f"{cr.tensor(3):04d}" == "0003"
    assert f"{cr.tensor(2.5)}" == str(cr.tensor(2.5).item())
    assert f"{cr.tensor([1, 2])}" == "tensor([1, 2])"
    with pytest.raises(TypeError):
        f"{cr.ones(2):.2f}"


# ---------------------------------------------------------------- text


# The expression and what torch prints for it, but for the shape that ends a summary.
GOLDEN = {
    "tensor(1.5)": "tensor(1.5000)",
    "tensor(3)": "tensor(3)",
    "tensor(True)": "tensor(True)",
    "tensor([])": "tensor([])",
    "tensor([1, 2, 3])": "tensor([1, 2, 3])",
    "tensor([1.0, 2.0, 3.0])": "tensor([1., 2., 3.])",
    "tensor([1.0, 2.5, -3.25])": "tensor([ 1.0000,  2.5000, -3.2500])",
    "tensor([0.1, 0.2, 1/3])": "tensor([0.1000, 0.2000, 0.3333])",
    "tensor([1e-5, 1.0])": "tensor([1.0000e-05, 1.0000e+00])",
    "tensor([1e5, 1.0])": "tensor([1.0000e+05, 1.0000e+00])",
    "tensor([1e9, 1.0])": "tensor([1.0000e+09, 1.0000e+00])",
    "tensor([1e8, 2e8])": "tensor([1.0000e+08, 2.0000e+08])",
    "tensor([100000000.0])": "tensor([100000000.])",
    "tensor([123456.789])": "tensor([123456.7891])",
    "tensor([0.00001])": "tensor([1.0000e-05])",
    "tensor([1e-10, 1.0])": "tensor([1.0000e-10, 1.0000e+00])",
    "tensor([inf, -inf, nan, 1.0])": "tensor([inf, -inf, nan, 1.])",
    "tensor([inf, 2.5])": "tensor([   inf, 2.5000])",
    "tensor([nan])": "tensor([nan])",
    "tensor([True, False])": "tensor([ True, False])",
    "tensor([[1, 2], [3, 4]])": ("tensor([[1, 2],\n        [3, 4]])"),
    "tensor([[1.5, -2.0], [1000.25, 0.0]])": (
        "tensor([[   1.5000,   -2.0000],\n        [1000.2500,    0.0000]])"
    ),
    "tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])": (
        "tensor([[[1, 2],\n         [3, 4]],\n\n        [[5, 6],\n         [7, 8]]])"
    ),
    "tensor([-1, 10, 100])": "tensor([ -1,  10, 100])",
    "tensor([1, 2], dtype=int32)": "tensor([1, 2], dtype=chainrule.int32)",
    "tensor([1, 2], dtype=uint8)": "tensor([1, 2], dtype=chainrule.uint8)",
    "tensor([1, 2], dtype=int16)": "tensor([1, 2], dtype=chainrule.int16)",
    "tensor([1.0, 2.0], dtype=float64)": "tensor([1., 2.], dtype=chainrule.float64)",
    "tensor(1.0, dtype=float64)": "tensor(1., dtype=chainrule.float64)",
    "tensor([], dtype=int64)": "tensor([], dtype=chainrule.int64)",
    "zeros(0, 3)": "tensor([], size=(0, 3))",
    "zeros(2, 0)": "tensor([], size=(2, 0))",
    "zeros(2, 0, dtype=int64)": "tensor([], size=(2, 0), dtype=chainrule.int64)",
    "tensor([1.0, 2.0], requires_grad=True)": "tensor([1., 2.], requires_grad=True)",
    "tensor([1.0, 2.0], requires_grad=True) * 2": "tensor([2., 4.], grad_fn=<MulBackward>)",
    "tensor(2.0, requires_grad=True).exp()": "tensor(7.3891, grad_fn=<ExpBackward>)",
    "tensor([1.0, 2.0], dtype=float64, requires_grad=True)": (
        "tensor([1., 2.], dtype=chainrule.float64, requires_grad=True)"
    ),
    "arange(1001)": "tensor([   0,    1,    2,  ...,  998,  999, 1000], shape=(1001,))",
    "arange(1001.0)": "tensor([   0.,    1.,    2.,  ...,  998.,  999., 1000.], shape=(1001,))",
    "arange(10000).reshape(100, 100)": (
        "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n"
        "        [ 100,  101,  102,  ...,  197,  198,  199],\n"
        "        [ 200,  201,  202,  ...,  297,  298,  299],\n"
        "        ...,\n"
        "        [9700, 9701, 9702,  ..., 9797, 9798, 9799],\n"
        "        [9800, 9801, 9802,  ..., 9897, 9898, 9899],\n"
        "        [9900, 9901, 9902,  ..., 9997, 9998, 9999]], shape=(100, 100))"
    ),
    "arange(40.0)": (
        "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n"
        "        14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27.,\n"
        "        28., 29., 30., 31., 32., 33., 34., 35., 36., 37., 38., 39.])"
    ),
    "zeros(3, 4)": (
        "tensor([[0., 0., 0., 0.],\n        [0., 0., 0., 0.],\n        [0., 0., 0., 0.]])"
    ),
    "ones(2, 3, 2)": (
        "tensor([[[1., 1.],\n"
        "         [1., 1.],\n"
        "         [1., 1.]],\n"
        "\n"
        "        [[1., 1.],\n"
        "         [1., 1.],\n"
        "         [1., 1.]]])"
    ),
    "arange(30)": (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
    ),
    "arange(24.0).reshape(2, 3, 4) / 7": (
        "tensor([[[0.0000, 0.1429, 0.2857, 0.4286],\n"
        "         [0.5714, 0.7143, 0.8571, 1.0000],\n"
        "         [1.1429, 1.2857, 1.4286, 1.5714]],\n"
        "\n"
        "        [[1.7143, 1.8571, 2.0000, 2.1429],\n"
        "         [2.2857, 2.4286, 2.5714, 2.7143],\n"
        "         [2.8571, 3.0000, 3.1429, 3.2857]]])"
    ),
    "zeros(1001, 2)": (
        "tensor([[0., 0.],\n"
        "        [0., 0.],\n"
        "        [0., 0.],\n"
        "        ...,\n"
        "        [0., 0.],\n"
        "        [0., 0.],\n"
        "        [0., 0.]], shape=(1001, 2))"
    ),
}


@pytest.mark.parametrize("expression", list(GOLDEN))
def test_repr(expression: str) -> None:
    """The text is torch's."""
    value = eval(expression, dict(vars(cr)), {"inf": inf, "nan": nan})
    assert repr(value) == str(value) == GOLDEN[expression]


def test_repr_of_a_summary_ends_early() -> None:
    lines = repr(cr.zeros(11, 11, 11)).splitlines()
    assert lines[3] == "         ...,"
    assert len(repr(cr.zeros(1000, 1000))) < 400


def test_printoptions() -> None:
    try:
        cr.set_printoptions(precision=2, threshold=4, edgeitems=1)
        assert repr(cr.tensor([1.5, 2.25])) == "tensor([1.50, 2.25])"
        assert repr(cr.arange(9)) == "tensor([0,  ..., 8], shape=(9,))"
        cr.set_printoptions(sci_mode=True)
        assert repr(cr.tensor([1.5])) == "tensor([1.50e+00])"
    finally:
        cr.set_printoptions(profile="default")
    assert repr(cr.tensor([1.5])) == "tensor([1.5000])"


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle(dtype: str) -> None:
    x = to_tensor(np.arange(6).reshape(2, 3).astype(dtype))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        y = pickle.loads(pickle.dumps(x, protocol))
        assert y.dtype == x.dtype
        assert y.tolist() == x.tolist()
        assert y.data_ptr() != x.data_ptr()


def test_pickle_keeps_requires_grad_and_not_the_graph() -> None:
    x = cr.ones(2, requires_grad=True)
    assert pickle.loads(pickle.dumps(x)).requires_grad
    y = pickle.loads(pickle.dumps((x * 2).detach()))
    assert not y.requires_grad
    part = pickle.dumps(cr.zeros(100_000)[:2])
    assert len(part) < 10_000, "a view pickles its own elements"


def test_copy_shares_deepcopy_does_not() -> None:
    x = cr.arange(3.0, requires_grad=True)
    x.grad = cr.ones(3)
    shallow, deep = copy.copy(x), copy.deepcopy(x)
    assert shallow.data_ptr() == x.data_ptr()
    assert deep.data_ptr() != x.data_ptr()
    assert deep.tolist() == x.tolist()
    assert deep.requires_grad
    assert deep.is_leaf
    assert deep.grad.tolist() == [1.0, 1.0, 1.0]
    assert deep.grad is not x.grad


def test_deepcopy_remembers() -> None:
    x = cr.arange(3.0)
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_deepcopy_of_a_strided_tensor() -> None:
    x = cr.arange(6.0).reshape(2, 3).t()
    assert copy.deepcopy(x).tolist() == x.tolist()


# ---------------------------------------------------------------- attributes, identity


def test_geometry() -> None:
    x = cr.zeros(2, 3, 4)
    assert x.shape == (2, 3, 4)
    assert x.size() == (2, 3, 4)
    assert x.size(-1) == 4
    assert (x.dim(), x.ndim, x.numel()) == (3, 3, 24)
    assert x.stride() == (12, 4, 1)
    assert x.stride(1) == 4
    assert x.permute(2, 1, 0).stride() == (1, 4, 12)
    assert x.is_contiguous()
    assert not x.transpose(0, 1).is_contiguous()
    assert x.transpose(0, 1).contiguous().is_contiguous()
    assert x.contiguous() is x or x.contiguous().data_ptr() == x.data_ptr()
    assert x[1].storage_offset() == 12
    assert (x.element_size(), x.nbytes) == (4, 96)
    assert x.data_ptr() % 64 == 0
    assert x.expand(5, 2, 3, 4).stride() == (0, 12, 4, 1)


def test_transposed_attributes() -> None:
    x = cr.arange(6).reshape(2, 3)
    assert x.T.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert x.mT.tolist() == x.T.tolist()


def test_dtype_objects() -> None:
    assert repr(cr.float32) == "chainrule.float32"
    assert cr.float is cr.float32
    assert cr.double is cr.float64
    assert cr.long is cr.int64
    assert cr.int is cr.int32
    assert cr.float32.is_floating_point
    assert not cr.int8.is_floating_point
    assert cr.float64.itemsize == 8
    assert cr.zeros(1).dtype is cr.float32
    assert {cr.float32: 1}[cr.zeros(1).dtype] == 1
    assert cr.float32 != cr.float64
    assert pickle.loads(pickle.dumps(cr.int16)) is cr.int16
    assert copy.deepcopy(cr.int16) is cr.int16


def test_dtype_predicates() -> None:
    for name in DTYPES:
        x = cr.zeros(1, dtype=getattr(cr, name))
        assert x.is_floating_point() == (name in FLOATS)
    assert cr.finfo(cr.float32).eps == np.finfo(np.float32).eps
    assert cr.finfo(cr.float64).max == np.finfo(np.float64).max
    assert cr.iinfo(cr.int8).min == -128
    assert cr.promote_types(cr.uint8, cr.int8) is cr.int16
    assert cr.result_type(cr.ones(1, dtype=cr.int32), 1.5) is cr.float32
    assert cr.can_cast(cr.int32, cr.float32)
    assert not cr.can_cast(cr.float32, cr.int32)


def test_hash_and_equality() -> None:
    x, y = cr.ones(2), cr.ones(2)
    assert hash(x) == hash(x)
    assert {x: 1, y: 2}[x] == 1
    assert (x == y).tolist() == [True, True]
    assert (x != y).tolist() == [False, False]
    assert (x == 1).all().item()
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "text") is False
    assert cr.equal(x, y)
    assert not cr.equal(x, cr.ones(3))


def test_the_same_object_comes_back() -> None:
    x = cr.ones(2, requires_grad=True)
    x.grad = cr.zeros(2)
    assert x.grad is x.grad
    assert x.requires_grad_() is x


def test_attributes_can_be_hung_on() -> None:
    x = cr.ones(2)
    x.note = "mine"
    assert x.note == "mine"
    assert x.__dict__ == {"note": "mine"}
    assert copy.copy(x).note == "mine"
    with pytest.raises(AttributeError, match="nothing"):
        _ = x.nothing
    with pytest.raises(AttributeError):
        x.shape = (1,)


def test_weak_references() -> None:
    x = cr.ones(2)
    alive = weakref.ref(x)
    assert alive() is x
    del x
    gc.collect()
    assert alive() is None


def test_reference_cycles_are_collected() -> None:
    x = cr.ones(2)
    x.self = x
    alive = weakref.ref(x)
    del x
    gc.collect()
    assert alive() is None


def test_attributes_live_as_long_as_the_tensor() -> None:
    """A parameter whose Python object went away while the graph holds it keeps its attributes."""
    x = cr.ones(2, requires_grad=True)
    x.note = "mine"
    y = (x * x).sum()
    holder = [x]
    del x
    gc.collect()
    y.backward()
    assert holder[0].note == "mine"
    assert holder[0].grad.tolist() == [2.0, 2.0]


def test_version() -> None:
    x = cr.zeros(3)
    assert x._version == 0
    x.add_(1.0)
    x[0] = 5.0
    assert x._version == 2
    assert x[1:]._version == 2
    assert x.clone()._version == 0


def test_data_is_detached_memory() -> None:
    x = cr.ones(2, requires_grad=True)
    x.data.mul_(3.0)
    assert x.tolist() == [3.0, 3.0]
    assert not x.data.requires_grad
    x.data = cr.zeros(2)
    assert x.tolist() == [0.0, 0.0]


# ---------------------------------------------------------------- operators


def test_operators() -> None:
    x, y = cr.tensor([7.0, -7.0]), cr.tensor([2.0, 2.0])
    assert (x + y).tolist() == [9.0, -5.0]
    assert (x - y).tolist() == [5.0, -9.0]
    assert (x * y).tolist() == [14.0, -14.0]
    assert (x / y).tolist() == [3.5, -3.5]
    assert (x // y).tolist() == [3.0, -4.0]
    assert (x % y).tolist() == [1.0, 1.0]
    assert (x**2).tolist() == [49.0, 49.0]
    assert (x @ y).item() == 0.0
    assert (-x).tolist() == [-7.0, 7.0]
    assert (+x).tolist() == x.tolist()
    assert abs(x).tolist() == [7.0, 7.0]
    assert (1 + x).tolist() == [8.0, -6.0]
    assert (1 - x).tolist() == [-6.0, 8.0]
    assert (2 * x).tolist() == [14.0, -14.0]
    assert (14 / x).tolist() == [2.0, -2.0]
    assert (15 // x).tolist() == [2.0, -3.0]
    assert (15 % x).tolist() == [1.0, -6.0]
    assert (2**y).tolist() == [4.0, 4.0]
    assert (x < y).tolist() == [False, True]
    assert (x <= y).tolist() == [False, True]
    assert (x > y).tolist() == [True, False]
    assert (x >= y).tolist() == [True, False]
    assert (x > 3).tolist() == [True, False]


def test_bit_operators() -> None:
    x, y = cr.tensor([6, 5]), cr.tensor([3, 1])
    assert (x & y).tolist() == [2, 1]
    assert (x | y).tolist() == [7, 5]
    assert (x ^ y).tolist() == [5, 4]
    assert (~x).tolist() == [-7, -6]
    assert (x << y).tolist() == [48, 10]
    assert (x >> y).tolist() == [0, 2]
    t = cr.tensor([True, False])
    assert (~t).tolist() == [False, True]
    assert (t & True).tolist() == [True, False]


def test_augmented_operators_write_in_place() -> None:
    x = cr.tensor([8.0, 6.0])
    same = x
    x += 1
    x -= 3
    x *= 2
    x /= 4
    x //= 1
    x **= 2
    x %= 5
    assert x is same
    assert x.tolist() == [4.0, 4.0]
    b = cr.tensor([6, 5])
    same = b
    b &= 3
    b |= 8
    b ^= 1
    assert b is same
    assert b.tolist() == [11, 8]


def test_operators_with_strangers() -> None:
    x = cr.ones(2)
    for other in ("a", None, object(), [1, 2]):
        with pytest.raises(TypeError):
            x + other
        with pytest.raises(TypeError):
            other + x

    class Polite:
        def __radd__(self, left: Any) -> str:
            return "radd"

    assert x + Polite() == "radd"


# ---------------------------------------------------------------- conversions


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_casts(source: str, target: str) -> None:
    a = np.array([0, 1, 2, 100]).astype(source)
    x = to_tensor(a).to(getattr(cr, target))
    assert dtype_name(x) == target
    np.testing.assert_array_equal(to_numpy(x), a.astype(target))
    if source == target:
        assert x.data_ptr() != to_tensor(a).data_ptr()


def test_casts_truncate_and_wrap() -> None:
    assert cr.tensor([1.9, -1.9]).long().tolist() == [1, -1]
    assert cr.tensor([300, -1]).to(cr.uint8).tolist() == [44, 255]
    assert cr.tensor([0.0, 0.5, nan]).bool().tolist() == [False, True, True]
    assert cr.tensor([True, False]).float().tolist() == [1.0, 0.0]
    assert cr.tensor([1e300], dtype=cr.float64).float().tolist() == [inf]


def test_cast_spellings() -> None:
    x = cr.ones(2)
    for method, dtype in (
        ("float", cr.float32),
        ("double", cr.float64),
        ("long", cr.int64),
        ("int", cr.int32),
        ("short", cr.int16),
        ("char", cr.int8),
        ("byte", cr.uint8),
        ("bool", cr.bool),
    ):
        assert getattr(x, method)().dtype is dtype
        assert x.to(dtype).dtype is dtype
        assert x.type_as(cr.zeros(1, dtype=dtype)).dtype is dtype
        assert x.to(cr.zeros(1, dtype=dtype)).dtype is dtype
    assert x.to(cr.float32) is x
    assert x.float() is x
    assert x.to(cr.float32, copy=True) is not x
    assert x.to("cpu") is x
    assert x.cpu() is x
    assert str(x.device) == "cpu"
    with pytest.raises((RuntimeError, AssertionError, ValueError), match=r"(?i)cuda|cpu"):
        x.cuda()
