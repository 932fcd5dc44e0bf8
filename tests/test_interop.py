"""Tensors and the rest of Python: DLPack, buffers, NumPy's protocols, einops, pickles, plots."""

import array
import copy
import ctypes
import gc
import io
import pickle
import struct
import subprocess
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import gradcheck
from chainrule.utils import dlpack

NAMES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
         "float16", "float32", "float64"]  # fmt: skip


def example(name: str = "float32", shape: tuple[int, ...] = (2, 3)) -> np.ndarray:
    return (np.arange(int(np.prod(shape))) % 2 if name == "bool" else np.arange(int(np.prod(shape)))
            ).reshape(shape).astype(name)  # fmt: skip


LAYOUTS: dict[str, Any] = {
    "whole": lambda x: x,
    "transposed": lambda x: x.T,
    "strided": lambda x: x[:, ::2],
    "backwards": lambda x: x[::-1, ::-1],
    "one": lambda x: x[1, 2, ...],
    "none": lambda x: x[:0],
    "new axes": lambda x: x[None, :, None],
    "broadcast": lambda x: np.broadcast_to(x, (2, 2, 3)),
}

# ---------------------------------------------------------------- DLPack


@pytest.mark.smoke
@pytest.mark.parametrize("name", NAMES)
def test_numpy_takes_and_gives_by_dlpack(name: str) -> None:
    x = example(name)
    t = cr.tensor(x)
    got = np.from_dlpack(t)
    assert got.dtype == x.dtype
    assert np.array_equal(got, x)
    assert got.ctypes.data == t.data_ptr()
    back = cr.from_dlpack(x)
    assert back.dtype is getattr(cr, name)
    assert back.tolist() == x.tolist()
    assert back.data_ptr() == x.ctypes.data
    back[0, 0] = 1
    assert x[0, 0] == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_survive_dlpack(layout: str) -> None:
    x = LAYOUTS[layout](example())
    try:
        t = cr.from_dlpack(x)
    except BufferError:  # NumPy before 2.1 does not give read-only arrays away
        t = cr.from_numpy(x)
    assert t.shape == x.shape
    assert t.tolist() == x.tolist()
    again = np.from_dlpack(t)
    assert np.array_equal(again, x)
    assert x.size < 2 or again.strides == x.strides


def test_dlpack_is_versioned_when_asked() -> None:
    t = cr.ones(2)
    assert '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    assert '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(2, 3)))
    assert '"dltensor"' in repr(t.__dlpack__())
    assert '"dltensor"' in repr(t.__dlpack__(max_version=(0, 8)))
    assert t.__dlpack_device__() == (1, 0)
    for capsule in (t.__dlpack__(max_version=(1, 0)), t.__dlpack__(), dlpack.to_dlpack(t)):
        got = dlpack.from_dlpack(capsule)
        assert got.data_ptr() == t.data_ptr()
        assert "used_dltensor" in repr(capsule)
        with pytest.raises(TypeError, match="used already"):
            cr.from_dlpack(capsule)
    with pytest.raises(TypeError, match=r"got list; expected an object with __dlpack__"):
        cr.from_dlpack([1.0])


def test_read_only_memory_stays_read_only() -> None:
    x = np.arange(3.0)
    x.flags.writeable = False
    t = cr.from_numpy(x)
    assert not np.from_dlpack(t).flags.writeable
    through = cr.from_dlpack(t)
    with pytest.raises(ValueError, match="read-only"):
        through.add_(1)
    with pytest.raises(BufferError, match="unversioned"):
        t.__dlpack__()
    assert cr.from_dlpack(t, copy=True).add_(1).tolist() == [1, 2, 3]
    assert x.tolist() == [0, 1, 2]


def test_dlpack_copies_when_asked() -> None:
    t = cr.ones(2)
    assert cr.from_dlpack(t, copy=True).data_ptr() != t.data_ptr()
    assert cr.from_dlpack(t, copy=False).data_ptr() == t.data_ptr()
    assert cr.from_dlpack(np.ones(2), copy=True, device="cpu").tolist() == [1, 1]
    copied = cr.from_dlpack(t.__dlpack__(copy=True))
    assert copied.data_ptr() != t.data_ptr()


def test_dlpack_refusals() -> None:
    t = cr.ones(2)
    with pytest.raises(BufferError, match=r"\.detach\(\)"):
        cr.ones(2, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="no streams"):
        t.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="on the CPU"):
        t.__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="CPU only"):
        cr.from_dlpack(t, device="cuda")
    with pytest.raises(TypeError, match="no chainrule dtype for DLPack's code 5"):
        cr.from_dlpack(np.ones(2, np.complex64))

    class Elsewhere:
        def __dlpack__(self, **_: Any) -> Any:
            raise AssertionError

        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 1)

    with pytest.raises(BufferError, match=r"device \(2, 1\)"):
        cr.from_dlpack(Elsewhere())


def test_old_producers_know_no_keywords() -> None:
    class Old:
        def __init__(self, array: np.ndarray) -> None:
            self.array = array

        def __dlpack__(self, stream: Any = None) -> Any:
            return self.array.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    x = np.arange(3)
    assert cr.from_dlpack(Old(x)).data_ptr() == x.ctypes.data
    assert cr.from_dlpack(Old(x), copy=True).data_ptr() != x.ctypes.data


class _DlTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _DlTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("device_type", 2, "device of type 2"),
        ("ndim", 99, "99 dimensions"),
        ("ndim", -1, "-1 dimensions"),
        ("code", 5, "code 5"),
        ("bits", 24, "24 bits"),
        ("lanes", 4, "4 lanes"),
        ("data", None, "no memory"),
        ("byte_offset", 1, "not aligned"),
    ],
)
def test_capsules_that_lie_are_refused(field: str, value: Any, match: str) -> None:
    keep = cr.ones(4)
    capsule = keep.__dlpack__()
    managed = _Managed.from_address(_capsule_pointer(capsule, b"dltensor"))
    before = getattr(managed.tensor, field)
    setattr(managed.tensor, field, value)
    with pytest.raises((TypeError, ValueError), match=match):
        cr.from_dlpack(capsule)
    setattr(managed.tensor, field, before)
    assert cr.from_dlpack(capsule).tolist() == [1] * 4  # not consumed by the attempts


@pytest.mark.parametrize(("shape", "stride"), [(-1, 1), (2**62, 8), (3, 2**61), (3, -(2**62))])
def test_capsules_with_impossible_shapes_are_refused(shape: int, stride: int) -> None:
    capsule = cr.ones(4).__dlpack__()
    managed = _Managed.from_address(_capsule_pointer(capsule, b"dltensor"))
    managed.tensor.shape[0], managed.tensor.strides[0] = shape, stride
    with pytest.raises(ValueError, match=r"shape|negative|overflow"):
        cr.from_dlpack(capsule)


def test_memory_lives_as_long_as_its_borrowers() -> None:
    t = cr.arange(1000.0)
    expected = t.tolist()
    borrowed = np.from_dlpack(t)
    del t
    cr.zeros(1000), cr.zeros(1000)
    assert borrowed.tolist() == expected

    class Watched(np.ndarray):
        pass

    owner = np.arange(1000.0).view(Watched)
    alive = weakref.ref(owner)
    tensor = cr.from_dlpack(owner)
    view = tensor[10:20]
    del owner, tensor
    gc.collect()
    assert alive() is not None
    assert view.tolist() == list(range(10, 20))
    del view
    gc.collect()
    assert alive() is None


def test_nothing_leaks() -> None:
    x = np.zeros(1 << 12)
    wrong = np.array([2], np.uint8).view(bool)
    references = sys.getrefcount(x), sys.getrefcount(wrong)
    t = cr.ones(1 << 12)
    for _ in range(100):
        np.from_dlpack(t)
        t.__dlpack__()  # dropped unused
        cr.from_dlpack(x)
        cr.from_dlpack(x.__dlpack__())
        memoryview(t).release()
        cr.frombuffer(x, dtype=cr.float64)
        with pytest.raises(BufferError):
            t[::2].__dlpack__(stream=1)
        with pytest.raises(ValueError, match="bytes other"):
            cr.from_dlpack(wrong)
    gc.collect()
    assert (sys.getrefcount(x), sys.getrefcount(wrong)) == references
    allocated = cr.memory_stats()["allocated"]
    for _ in range(50):
        np.from_dlpack(cr.ones(1 << 12))
        cr.ones(1 << 12).__dlpack__(max_version=(1, 0))
        memoryview(cr.ones(1 << 12))
    gc.collect()
    assert cr.memory_stats()["allocated"] <= allocated + (1 << 12)


def test_the_last_borrower_may_be_another_thread() -> None:
    class Watched(np.ndarray):
        pass

    owner = np.arange(100.0).view(Watched)
    alive = weakref.ref(owner)
    box = [cr.from_dlpack(owner), np.from_dlpack(cr.ones(1000))]
    del owner
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert alive() is None


# ---------------------------------------------------------------- buffers


@pytest.mark.smoke
@pytest.mark.parametrize("name", NAMES)
def test_memoryview(name: str) -> None:
    x = example(name)
    t = cr.tensor(x)
    view = memoryview(t)
    assert view.shape == (2, 3)
    assert view.itemsize == x.itemsize
    assert view.format == memoryview(x).format
    assert view.tobytes() == x.tobytes()
    assert name == "float16" or view.tolist() == x.tolist()  # memoryview cannot read those
    assert not view.readonly
    assert view.c_contiguous
    assert np.asarray(view).dtype == x.dtype
    assert cr.asarray(view).data_ptr() == t.data_ptr()
    assert memoryview(t.t()).strides == x.T.strides
    assert np.array_equal(np.asarray(memoryview(t.t())), x.T)
    assert memoryview(t[0, 0]).shape == ()


def test_buffers_for_consumers_that_want_bytes() -> None:
    t = cr.tensor([1.5, -2.0])
    assert bytes(t) == struct.pack("2f", 1.5, -2.0)
    assert struct.unpack("2f", t) == (1.5, -2.0)
    struct.pack_into("f", t, 4, 7.0)
    assert t.tolist() == [1.5, 7.0]
    stream = io.BytesIO()
    stream.write(t)
    stream.seek(0)
    other = cr.zeros(2)
    stream.readinto(other)
    assert other.tolist() == t.tolist()
    grid = cr.arange(6.0).reshape(2, 3)
    with pytest.raises(BufferError, match="not contiguous"):
        io.BytesIO().write(grid.t())
    with pytest.raises(BufferError, match=r"\.detach\(\)"):
        memoryview(cr.ones(1, requires_grad=True))
    with pytest.raises(BufferError, match="bfloat16"):
        memoryview(cr.ones(1).bfloat16())
    frozen = cr.frombuffer(b"\0\0\0\0", dtype=cr.float32)
    assert memoryview(frozen).readonly
    with pytest.raises(TypeError):  # BufferError inside, "read-write" outside
        io.BytesIO(b"1234").readinto(frozen)


def test_a_buffer_keeps_the_memory_of_a_tensor_that_moved_on() -> None:
    t = cr.arange(4.0)
    view = memoryview(t)
    t.data = cr.zeros(2)
    assert view.tolist() == [0, 1, 2, 3]
    del t
    gc.collect()
    assert view.tolist() == [0, 1, 2, 3]


def test_frombuffer() -> None:
    raw = bytearray(range(16))
    t = cr.frombuffer(raw, dtype=cr.int32)
    assert t.tolist() == np.frombuffer(raw, np.int32).tolist()
    t[0] = -1
    assert raw[:4] == b"\xff" * 4
    assert cr.frombuffer(raw, dtype=cr.uint8, count=3, offset=5).tolist() == [5, 6, 7]
    assert cr.frombuffer(raw, dtype=cr.bfloat16, offset=2).shape == (7,)
    assert cr.frombuffer(b"", dtype=cr.float32).shape == (0,)
    assert cr.frombuffer(
        array.array("d", [1.0]), dtype=cr.float64, requires_grad=True
    ).requires_grad
    with pytest.raises(BufferError):
        raw.extend(b"more")  # memory in use cannot move
    for arguments, match in (
        ({"dtype": cr.int32, "offset": 1}, "no whole number"),
        ({"dtype": cr.int32, "offset": 1, "count": 1}, "not aligned"),
        ({"dtype": cr.int32, "count": 5}, "do not fit"),
        ({"dtype": cr.int32, "offset": 17}, "offset must lie"),
        ({"dtype": cr.int32, "offset": -1}, "offset must lie"),
        ({"dtype": cr.bool}, "bytes other than 0 and 1"),
    ):
        with pytest.raises(ValueError, match=match):
            cr.frombuffer(raw, **arguments)
    with pytest.raises(ValueError, match="read-only"):
        cr.frombuffer(b"\1", dtype=cr.bool).fill_(False)
    with pytest.raises(TypeError):
        cr.frombuffer([1], dtype=cr.int32)
    with pytest.raises(TypeError, match="dtype"):
        cr.frombuffer(raw, dtype="nonsense")


def test_bytes_that_are_no_bools_are_refused() -> None:
    wrong = np.array([0, 2, 1], np.uint8).view(bool)
    for make in (cr.from_numpy, cr.from_dlpack, cr.asarray):
        with pytest.raises(ValueError, match="bytes other than 0 and 1"):
            make(wrong)


def test_pillow_reads_a_tensor() -> None:
    image = pytest.importorskip("PIL.Image")
    t = cr.arange(12, dtype=cr.uint8).reshape(3, 4)
    picture = image.frombuffer("L", (4, 3), t, "raw", "L", 0, 1)
    assert np.array_equal(np.asarray(picture), t.numpy())
    assert np.array_equal(np.asarray(image.fromarray(t)), t.numpy())
    assert cr.asarray(np.asarray(picture)).tolist() == t.tolist()


# ---------------------------------------------------------------- NumPy


def test_array_and_interface() -> None:
    t = cr.arange(6.0).reshape(2, 3)
    shared = np.asarray(t)
    assert shared.ctypes.data == t.data_ptr()
    assert np.array(t).ctypes.data != t.data_ptr()
    assert np.asarray(t, dtype=np.float64).dtype == np.float64
    assert np.asarray(t.t()).strides == (4, 12)
    assert t.__array__(copy=True).ctypes.data != t.data_ptr()
    assert t.__array__(copy=False).ctypes.data == t.data_ptr()
    with pytest.raises(ValueError, match="without a copy"):
        t.__array__(np.float64, copy=False)
    assert t.__array_interface__["data"] == (t.data_ptr(), False)
    assert t.__array_priority__ > 0
    for read in (np.asarray, np.array, lambda x: x.__array_interface__, lambda x: x.numpy()):
        with pytest.raises(RuntimeError, match=r"\.detach\(\)\.numpy\(\)"):
            read(cr.ones(2, requires_grad=True))
    half = cr.tensor([1.0, 2.5]).bfloat16()
    assert np.asarray(half).dtype == np.float32
    assert np.asarray(half).tolist() == [1.0, 2.5]
    with pytest.raises(ValueError, match="without a copy"):
        half.__array__(copy=False)
    assert not hasattr(half, "__array_interface__")


@pytest.mark.smoke
def test_operators_from_both_sides() -> None:
    a = np.array([4.0, 9.0])
    t = cr.tensor([2.0, 3.0], requires_grad=True)
    for left, right, expected in (
        (a + t, t + a, [6, 12]), (a * t, t * a, [8, 27]), (a / t, 1 / (t / a), [2, 3]),
        (a - t, -(t - a), [2, 6]), (a**t, cr.pow(cr.tensor(a), t), [16, 729]),
    ):  # fmt: skip
        for got in (left, right):
            assert isinstance(got, cr.Tensor)
            assert got.dtype is cr.float64
            assert got.requires_grad
            np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-12)
    assert (a < t).tolist() == [False, False]
    assert (a.reshape(1, 2) @ t.double()).tolist() == [35.0]
    (a * t).sum().backward()
    assert t.grad.tolist() == [4.0, 9.0]
    assert (np.float64(2) * t.detach()).dtype is cr.float32
    assert (np.int64(2) * t.detach()).tolist() == [4, 6]
    a += t.detach()
    assert a.tolist() == [6, 12]
    with pytest.raises(TypeError, match="gradient of the tensor would be lost"):
        a += t


_SAMPLES = {
    "arccosh": (1.5, 3.0), "arctanh": (-0.5, 0.5), "arcsin": (-0.5, 0.5), "arccos": (-0.5, 0.5),
    "log": (0.5, 3.0), "log2": (0.5, 3.0), "log10": (0.5, 3.0), "sqrt": (0.5, 3.0),
    "power": (0.5, 3.0), "float_power": (0.5, 3.0), "divmod": (0.5, 3.0), "cbrt": (0.5, 3.0),
}  # fmt: skip


def _ufuncs() -> list[np.ufunc]:
    found = {v.__name__: v for v in vars(np).values() if isinstance(v, np.ufunc)}
    return [found[name] for name in sorted(found)]


def _has_kind(ufunc: np.ufunc, kind: str) -> bool:
    return any(set(t.split("->")[0]) == {kind} for t in ufunc.types)


@pytest.mark.parametrize("ufunc", _ufuncs(), ids=lambda u: u.__name__)
def test_every_ufunc_gives_numpys_values(ufunc: np.ufunc) -> None:
    """Each ufunc of NumPy on tensors, of the first kind of number that it takes."""
    for kind, name in (("d", "float64"), ("l", "int64"), ("?", "bool")):
        if not _has_kind(ufunc, kind):
            continue
        low, high = _SAMPLES.get(ufunc.__name__, (0.2, 2.0))
        rng = np.random.default_rng(0)
        arrays = [
            rng.uniform(low, high, (3, 3)) if kind == "d" else rng.integers(1, 5, (3, 3)) % 5
            for _ in range(ufunc.nin)
        ]
        if kind == "?":
            arrays = [x % 2 == 0 for x in arrays]
        arrays = [x.astype(name) for x in arrays]
        got = ufunc(*(cr.tensor(x) for x in arrays))
        wanted = ufunc(*arrays)
        if ufunc.nout == 1:
            got, wanted = (got,), (wanted,)
        for g, w in zip(got, wanted, strict=True):
            assert isinstance(g, cr.Tensor)
            np.testing.assert_allclose(g.numpy(), w, rtol=2e-6, atol=1e-7)
        return
    assert ufunc.__name__ in ("isnat", "ldexp", "matvec", "vecmat")


KEEP_GRADIENTS = [
    "add", "subtract", "multiply", "divide", "power", "float_power", "negative", "positive",
    "absolute", "fabs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt",
    "square", "reciprocal", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "arcsinh", "arccosh", "arctanh", "arctan2", "maximum", "minimum", "matmul", "degrees",
    "radians", "deg2rad", "rad2deg", "copysign", "hypot", "logaddexp", "vecdot",
]  # fmt: skip


@pytest.mark.parametrize("name", KEEP_GRADIENTS)
def test_ufuncs_keep_the_gradient(name: str) -> None:
    ufunc = getattr(np, name, None)
    if ufunc is None:
        pytest.skip(f"this NumPy has no {name}")
    low, high = _SAMPLES.get(name, (0.2, 2.0))
    rng = np.random.default_rng(1)
    inputs = [
        cr.tensor(rng.uniform(low, high, (3, 3)), requires_grad=True) for _ in range(ufunc.nin)
    ]
    assert gradcheck(ufunc, inputs)


def test_ufunc_methods() -> None:
    x = np.arange(1.0, 7.0).reshape(2, 3)
    t = cr.tensor(x, requires_grad=True)
    for name in ("add", "multiply", "maximum", "minimum"):
        ufunc = getattr(np, name)
        for arguments in ({}, {"axis": 1}, {"axis": None}, {"axis": 0, "keepdims": True}):
            got = ufunc.reduce(t, **arguments)
            np.testing.assert_allclose(got.detach().numpy(), ufunc.reduce(x, **arguments))
            assert got.requires_grad
    assert np.add.accumulate(t, axis=1).tolist() == np.add.accumulate(x, axis=1).tolist()
    outer = np.multiply.outer(t, np.ones(2))
    assert outer.shape == (2, 3, 2)
    assert outer.requires_grad
    assert np.logical_and.reduce(t.detach() > 1, axis=1).tolist() == [False, True]
    assert np.add.reduceat(t.detach()[0], [0, 1]).tolist() == [1.0, 5.0]
    assert np.add.reduce(t.detach(), initial=1.0).tolist() == [6, 8, 10]
    with pytest.raises(TypeError, match=r"np\.add\.reduceat: the gradient"):
        np.add.reduceat(t[0], [0, 1])


def test_ufuncs_refuse_what_they_cannot_do() -> None:
    t = cr.ones(2)
    with pytest.raises(TypeError, match=r"np\.add: cannot write into a tensor"):
        np.add(np.ones(2), np.ones(2), out=t)
    with pytest.raises(TypeError, match=r"np\.add\.at: cannot write into a tensor"):
        np.add.at(t, [0], 1)
    with pytest.raises(TypeError, match=r"np\.nextafter|gradient"):
        np.spacing(cr.ones(2, requires_grad=True))
    assert isinstance(np.spacing(t), cr.Tensor)
    out = np.zeros(2)
    assert np.add(t, t, out=out) is out
    assert out.tolist() == [2, 2]
    assert np.sin(cr.ones(2, dtype=cr.int64)).dtype is cr.float32
    with pytest.raises(TypeError):
        np.add(t, np.array([object(), None]))
    with pytest.raises(TypeError, match="byte order"):
        np.add(t, np.ones(2, np.dtype(np.float32).newbyteorder()))


def test_other_functions_see_arrays() -> None:
    t = cr.arange(6.0).reshape(2, 3)
    assert np.concatenate([t, t]).shape == (4, 3)
    assert isinstance(np.concatenate([t, np.ones((1, 3))]), np.ndarray)
    assert np.sum(t) == 15
    assert np.mean(t, axis=0).tolist() == [1.5, 2.5, 3.5]
    assert np.shape(t) == (2, 3)
    assert np.linalg.norm(t) == pytest.approx(55**0.5)
    assert np.allclose(t, t)
    assert np.stack([t.bfloat16()]).dtype == np.float32
    w = cr.ones(2, requires_grad=True)
    for call in (lambda: np.concatenate([w, w]), lambda: np.sum(w), lambda: np.mean(a=w)):
        with pytest.raises(TypeError, match=r"np\.\w+: the gradient of the tensor would be lost"):
            call()
    with pytest.raises(TypeError, match="cannot write into a tensor"):
        np.sum(np.ones((2, 2)), axis=0, out=cr.zeros(2))


@pytest.mark.parametrize("make", [cr.asarray, cr.as_tensor])
def test_asarray_shares_what_it_can(make: Any) -> None:
    x = np.arange(3.0)
    assert make(x).data_ptr() == x.ctypes.data
    t = cr.ones(2)
    assert make(t) is t
    assert make(t, dtype=cr.float64).dtype is cr.float64
    assert make([1, 2]).tolist() == [1, 2]
    raw = array.array("h", [1, 2, 3])
    shared = make(raw)
    shared[0] = 9
    assert raw[0] == 9
    assert make(memoryview(raw)).dtype is cr.int16
    assert make(bytearray(b"\1\2")).tolist() == [1, 2]
    assert make(np.float32(2)).item() == 2
    assert make(range(3)).tolist() == [0, 1, 2]
    with pytest.raises(TypeError):
        make("text")
    with pytest.raises(TypeError, match="byte order"):
        make(np.ones(2, ">i4" if sys.byteorder == "little" else "<i4"))
    with pytest.raises(TypeError, match="object"):
        make(np.array([1, None], object))


def test_asarray_copy() -> None:
    x = np.arange(3.0)
    assert cr.asarray(x, copy=True).data_ptr() != x.ctypes.data
    assert cr.asarray(x, copy=False).data_ptr() == x.ctypes.data
    assert cr.asarray(x, copy=False, dtype=cr.float64).data_ptr() == x.ctypes.data
    for data, arguments in (([1], {}), (x, {"dtype": cr.float32}), (1.0, {})):
        with pytest.raises(ValueError, match="copy=False"):
            cr.asarray(data, copy=False, **arguments)
    assert cr.asarray([1.0], requires_grad=True).requires_grad


# ---------------------------------------------------------------- einops


@pytest.mark.parametrize("first", ["chainrule", "einops"])
def test_einops_finds_tensors_whichever_is_imported_first(first: str) -> None:
    pytest.importorskip("einops")
    second = {"chainrule": "einops", "einops": "chainrule"}[first]
    script = (
        f"import gc, sys, {first}, {second}, chainrule as cr\n"
        "gc.collect()\n"
        "x = einops.rearrange(cr.arange(6), '(a b) -> b a', a=2)\n"
        "assert x.tolist() == [[0, 3], [1, 4], [2, 5]]\n"
        "assert not any('chainrule' in repr(f) for f in sys.meta_path)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_chainrule_does_not_import_einops() -> None:
    script = "import sys, chainrule; assert 'einops' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_einops() -> None:
    einops = pytest.importorskip("einops")
    x = np.random.default_rng(0).normal(size=(4, 6, 5))
    t = cr.tensor(x, requires_grad=True)
    calls = [
        (einops.rearrange, "a (b c) d -> (a d) c b", {"b": 2}),
        (einops.rearrange, "a b c -> c 1 b a", {}),
        (einops.reduce, "a (b k) c -> c b", {"reduction": "mean", "k": 3}),
        (einops.reduce, "a b c -> b", {"reduction": "sum"}),
        (einops.reduce, "a b c -> a 1 c", {"reduction": "max"}),
        (einops.reduce, "a b c -> ", {"reduction": "min"}),
        (einops.reduce, "a b c -> b", {"reduction": "prod"}),
        (einops.repeat, "a b c -> a (b k) c m", {"k": 2, "m": 3}),
    ]
    for function, pattern, arguments in calls:
        got = function(t, pattern, **arguments)
        assert isinstance(got, cr.Tensor)
        assert got.requires_grad
        wanted = function(x, pattern, **arguments)
        np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=1e-12)
    assert gradcheck(lambda t: einops.reduce(t, "a b c -> c b", "mean"), [t])
    w = cr.randn(5, 2, dtype=cr.float64)
    got = einops.einsum(t, w, "a b c, c d -> a b d")
    np.testing.assert_allclose(got.detach().numpy(), x @ w.numpy(), rtol=1e-12)
    packed, shapes = einops.pack([t, t[0, 0]], "* c")
    assert [p.shape for p in einops.unpack(packed, shapes, "* c")] == [(4, 6, 5), (5,)]
    stacked = einops.rearrange([t, t], "n a b c -> a n b c")
    assert stacked.shape == (4, 2, 6, 5)
    assert einops.parse_shape(t, "a _ c") == {"a": 4, "c": 5}
    assert einops.asnumpy(t.detach()).shape == (4, 6, 5)


# ---------------------------------------------------------------- copies, pickles, joblib, plots


class Labelled(cr.Tensor):
    pass


@pytest.mark.parametrize("name", [*NAMES, "bfloat16"])
def test_pickle_and_copies(name: str) -> None:
    t = cr.tensor(example()).to(getattr(cr, name))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(t, protocol))
        assert back.dtype is t.dtype
        assert back.tolist() == t.tolist()
    shallow, deep = copy.copy(t), copy.deepcopy(t)
    assert shallow.data_ptr() == t.data_ptr()
    assert deep.data_ptr() != t.data_ptr()
    assert shallow.dtype is deep.dtype is t.dtype


def test_copies_of_leaves_and_results() -> None:
    leaf = cr.ones(2, requires_grad=True)
    leaf.note = "kept"
    (leaf * 3).sum().backward()
    deep = copy.deepcopy(leaf)
    assert deep.requires_grad
    assert deep.grad.tolist() == [3, 3]
    assert deep.note == "kept"
    result = leaf * 2
    for made in (copy.deepcopy(result), copy.copy(result), pickle.loads(pickle.dumps(result))):
        assert made.tolist() == [2, 2]
        assert not made.requires_grad
        assert made.is_leaf
    again = pickle.loads(pickle.dumps(leaf))
    assert again.requires_grad
    assert again.note == "kept"
    shared = copy.deepcopy([leaf, leaf])
    assert shared[0] is shared[1]
    parameter = cr.nn.Parameter(cr.ones(2))
    assert type(copy.deepcopy(parameter)) is cr.nn.Parameter
    assert type(pickle.loads(pickle.dumps(parameter))) is cr.nn.Parameter


def test_joblib(tmp_path: Any) -> None:
    joblib = pytest.importorskip("joblib")
    state = {"w": cr.randn(300, 40), "b": cr.ones(3, requires_grad=True), "h": cr.ones(2).half()}
    joblib.dump(state, tmp_path / "state.joblib")
    for back in (
        joblib.load(tmp_path / "state.joblib"),
        joblib.load(tmp_path / "state.joblib", mmap_mode="r"),
    ):
        for key, tensor in state.items():
            assert back[key].dtype is tensor.dtype
            assert back[key].tolist() == tensor.tolist()
    assert back["b"].requires_grad
    assert joblib.hash(state["w"]) == joblib.hash(state["w"].clone())
    assert joblib.hash(state["w"]) != joblib.hash(state["w"] + 1)
    doubled = joblib.Parallel(n_jobs=2, prefer="threads")(
        joblib.delayed(lambda x: x * 2)(state["w"]) for _ in range(2)
    )
    assert (doubled[0] == state["w"] * 2).all()


def test_matplotlib_draws_tensors() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    x = cr.linspace(0, 1, 5)
    (line,) = axes.plot(x, x.square())
    np.testing.assert_allclose(line.get_ydata(), x.square().numpy())
    image = axes.imshow(cr.rand(4, 4))
    assert image.get_array().shape == (4, 4)
    axes.scatter(x, x.bfloat16(), c=x)
    axes.hist(cr.randn(20), bins=5)
    axes.fill_between(x, x, 1 - x)
    axes.bar(cr.arange(3), cr.tensor([1.0, 2.0, 3.0]))
    figure.canvas.draw()
    plt.close(figure)


def test_layout() -> None:
    assert cr.ones(2).layout is cr.strided
    assert isinstance(cr.strided, cr.layout)
    assert repr(cr.strided) == "chainrule.strided"
    assert pickle.loads(pickle.dumps(cr.strided)) is cr.strided
    assert cr.zeros(2, layout=cr.strided).shape == (2,)
