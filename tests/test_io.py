"""Model files and data files: round trips, other people's files, and files that lie."""

import gzip
import json
import math
import os
import struct
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.io import atomic_write, load_metadata, read_idx, read_mnist, safe_open

DTYPES = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64"]  # fmt: skip
SHAPES = [(), (1,), (0,), (3, 0, 2), (5,), (2, 3), (4, 1, 3, 2)]


def example(dtype, shape, seed=0):
    low = 0 if dtype.startswith("u") else -100
    return np.random.default_rng(seed).uniform(low, 100, shape).astype(dtype)


def assert_same(tensor, array):
    array = np.asarray(array)
    got = np.asarray(tensor)
    assert isinstance(tensor, cr.Tensor)
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    np.testing.assert_array_equal(got, array)


def assert_loads_or_refuses(load, path):
    """Call `load`; the only exception allowed is a ValueError that names the function."""
    try:
        message = f"{load.__name__}: {load(path)!r}"
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{load.__name__}: ")


# ---------------------------------------------------------------- safetensors, good files


@pytest.mark.smoke
def test_every_dtype_and_shape_round_trips(tmp_path):
    arrays = {
        f"{dtype}{shape}": example(dtype, shape, i)
        for i, (dtype, shape) in enumerate((d, s) for d in DTYPES for s in SHAPES)
    }
    path = tmp_path / "all.safetensors"
    cr.save_file({name: cr.tensor(a) for name, a in arrays.items()}, path, {"note": "π", "": "x"})
    loaded = cr.load_file(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert_same(loaded[name], array)
    assert load_metadata(path) == {"note": "π", "": "x"}


def test_views_and_special_values_round_trip(tmp_path):
    array = np.array([[np.nan, np.inf, -0.0], [1e-45, -np.inf, 3.0]], dtype="float32")
    tensor = cr.tensor(array)
    views = {"t": (tensor.t(), array.T), "slice": (tensor[:, 1:], array[:, 1:])}
    path = tmp_path / "views.safetensors"
    cr.save_file({name: view for name, (view, _) in views.items()}, path)
    for name, (_, expected) in views.items():
        got = np.asarray(cr.load_file(path)[name])
        assert got.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_a_tensor_with_gradient_is_saved_as_its_values(tmp_path):
    weight = cr.ones(2, 2, requires_grad=True)
    cr.save_file({"weight": weight}, tmp_path / "w.safetensors")
    loaded = cr.load_file(tmp_path / "w.safetensors")["weight"]
    assert not loaded.requires_grad
    assert_same(loaded, np.ones((2, 2), "float32"))


def test_an_empty_file_round_trips(tmp_path):
    cr.save_file({}, tmp_path / "none.safetensors")
    assert cr.load_file(tmp_path / "none.safetensors") == {}


def test_loaded_tensors_are_private_and_outlive_a_new_save(tmp_path):
    path = tmp_path / "w.safetensors"
    cr.save_file({"w": cr.ones(3)}, path)
    before = path.read_bytes()
    first, second = cr.load_file(path)["w"], cr.load_file(path)["w"]
    first += 1
    assert path.read_bytes() == before
    assert_same(second, np.ones(3, "float32"))
    cr.save_file({"w": cr.zeros(3)}, path)
    assert_same(first, np.full(3, 2, "float32"))
    assert_same(second, np.ones(3, "float32"))
    assert_same(cr.load_file(path)["w"], np.zeros(3, "float32"))


def test_the_first_tensor_is_aligned_to_a_cache_line(tmp_path):
    for size in range(1, 40):
        path = tmp_path / "a.safetensors"
        cr.save_file({"n" * size: cr.zeros(1)}, path)
        assert (8 + int.from_bytes(path.read_bytes()[:8], "little")) % 64 == 0


# ---------------------------------------------------------------- safetensors, other people's files


def test_the_reference_package_reads_our_files(tmp_path):
    reference = pytest.importorskip("safetensors.numpy")
    arrays = {f"{d}.{len(s)}.{math.prod(s)}": example(d, s) for d in DTYPES for s in SHAPES}
    path = tmp_path / "ours.safetensors"
    cr.save_file({name: cr.tensor(a) for name, a in arrays.items()}, path, {"format": "pt"})
    loaded = reference.load_file(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


def test_we_read_the_files_of_the_reference_package(tmp_path):
    reference = pytest.importorskip("safetensors.numpy")
    arrays = {f"{d}.{len(s)}.{math.prod(s)}": example(d, s) for d in DTYPES for s in SHAPES}
    path = tmp_path / "theirs.safetensors"
    reference.save_file(arrays, path, metadata={"format": "np"})
    loaded = cr.load_file(path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert_same(loaded[name], array)
    assert load_metadata(path) == {"format": "np"}


def test_safe_open_gives_one_tensor_at_a_time(tmp_path):
    w = cr.arange(12.0).reshape(3, 4)
    path = tmp_path / "m.safetensors"
    tensors = {"w": w, "b": cr.tensor([1, 2]), "h": cr.ones(2, dtype=cr.bfloat16)}
    cr.save_file(tensors, path, {"note": "x"})
    with safe_open(path, framework="pt", device="cpu") as file:
        assert file.metadata() == {"note": "x"}
        assert file.keys() == ["b", "h", "w"]
        assert file.offset_keys() == list(cr.load_file(path))
        for name in file.keys():  # noqa: SIM118 (it is no dict)
            assert file.get_tensor(name).equal(tensors[name])
        part = file.get_slice("w")
        assert (part.get_shape(), part.get_dtype()) == ([3, 4], "F32")
        assert part[1:, :2].equal(w[1:, :2])
        assert file.get_slice("h").get_dtype() == "BF16"
        kept = file.get_tensor("w")
        with pytest.raises(KeyError, match=r"m\.safetensors' has no 'wh' \(the nearest is 'w'\)"):
            file.get_tensor("wh")
    assert kept.equal(w)
    with pytest.raises(ValueError, match=r"m\.safetensors' is closed"):
        file.get_tensor("w")
    cr.save_file({}, path)
    assert safe_open(path).metadata() is None
    with pytest.raises(RuntimeError, match="CPU only"):
        safe_open(path, "pt", "cuda")
    with pytest.raises(ValueError, match=r"safe_open: .*truncated"):
        safe_open(write(tmp_path, b"123"))


@pytest.mark.parametrize("framework", ["np", "pt"])
def test_safe_open_answers_as_the_reference_package(tmp_path, framework):
    reference = pytest.importorskip("safetensors")
    if framework == "pt":
        pytest.importorskip("torch")
    path = tmp_path / "m.safetensors"
    cr.save_file({"w": cr.rand(3, 4), "b": cr.tensor([1, 2])}, path, {"note": "x"})
    with safe_open(path) as ours, reference.safe_open(path, framework) as theirs:
        assert ours.metadata() == theirs.metadata()
        assert ours.keys() == sorted(theirs.keys())
        assert ours.offset_keys() == theirs.offset_keys()
        for name in ("w", "b"):
            a, b = ours.get_slice(name), theirs.get_slice(name)
            assert a.get_shape() == b.get_shape()
            assert a.get_dtype() == b.get_dtype()
            assert a[1:].tolist() == b[1:].tolist()
            assert ours.get_tensor(name).tolist() == theirs.get_tensor(name).tolist()


def build(header, data=b"", pad=0):
    """The bytes of a safetensors file with this header (an object, or text as it is)."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * pad
    return struct.pack("<Q", len(text)) + text + data


def info(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def write(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    return path


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    values = np.array([1.0, -2.5, 3.0e38, np.inf, 0.0], "<f4")
    halves = (values.view("<u4") >> 16).astype("<u2")
    path = write(tmp_path, build({"x": info("BF16", (5,), (0, 10))}, halves.tobytes()))
    loaded = cr.load_file(path)["x"]
    assert loaded.dtype is cr.bfloat16
    assert_same(loaded.float(), (halves.astype("u4") << 16).view("f4"))
    loaded[0] = 7  # a private map


@pytest.mark.parametrize("shape", SHAPES)
def test_bfloat16_round_trips(tmp_path, shape):
    x = cr.tensor(example("float32", shape)).to(cr.bfloat16)
    state = {"a": x, "b": cr.ones(3, dtype=cr.float16), "c": x.flip(0) if shape else x}
    path = tmp_path / "bf16.safetensors"
    cr.save(state, path)
    cr.save([state, x.reshape(-1)], tmp_path / "nested.safetensors")
    for loaded in (cr.load(path), cr.load(tmp_path / "nested.safetensors")[0]):
        for name, tensor in state.items():
            assert loaded[name].dtype is tensor.dtype
            assert loaded[name].shape == tensor.shape
            assert loaded[name].tolist() == tensor.tolist()


def test_unaligned_data_and_headers_in_any_order_are_read(tmp_path):
    data = bytes([1]) + np.array([1.5, -7.0], "<f4").tobytes()
    header = {"late": info("F32", (2,), (1, 9)), "early": info("U8", (1,), (0, 1))}
    for pad in range(8):
        loaded = cr.load_file(write(tmp_path, build(header, data, pad)))
        assert list(loaded) == ["early", "late"]
        assert_same(loaded["late"], np.array([1.5, -7.0], "float32"))


# ---------------------------------------------------------------- safetensors, files that lie

EIGHT = bytes(8)
BAD_FILES = {
    "empty": (b"", "truncated: 0 bytes"),
    "short length": (b"\x01\0\0", "truncated: 3 bytes"),
    "no header": (struct.pack("<Q", 50), "the header should take 50 bytes, 0 follow"),
    "huge header": (struct.pack("<Q", 2**63) + EIGHT, "expected at most 100000000"),
    "not JSON": (build(b"hello"), "the header is not valid: .*line 1"),
    "not UTF-8": (build(b'{"\xff": 1}'), "the header is not valid: .*utf-8"),
    "a list": (build([]), "the header is a JSON list; expected an object"),
    "NaN": (build(b'{"a": NaN}'), "NaN is not JSON"),
    "deep": (build(b"[" * 200_000), "not valid|nests too deeply"),
    "long number": (build(b'{"a": ' + b"9" * 6000 + b"}"), "not valid|described by"),
    "duplicate": (build(b'{"a": 1, "b": 2, "a": 3}'), "'a' appears twice"),
    "metadata number": (build({"__metadata__": {"a": 1}}), "something else than strings"),
    "metadata list": (build({"__metadata__": []}), "something else than strings"),
    "no description": (build({"a": 3}), "tensor 'a' is described by 3"),
    "missing field": (build({"a": {"dtype": "F32"}}), "expected .'data_offsets', 'dtype'"),
    "extra field": (build({"a": {**info(), "x": 1}}, EIGHT), "tensor 'a' is described by"),
    "dtype": (build({"a": info("F8_E4M3")}, EIGHT), "has dtype 'F8_E4M3'; expected one of BOOL"),
    "dtype list": (build({"a": info(["F32"])}, EIGHT), "has dtype"),
    "negative size": (build({"a": info(shape=(-2, -1))}, EIGHT), r"has shape \[-2, -1\]"),
    "fraction": (build({"a": info(shape=(2.0,))}, EIGHT), r"has shape \[2.0\]"),
    "boolean": (build({"a": info(shape=(True, 2))}, EIGHT), r"has shape \[True, 2\]"),
    "rank": (build({"a": info(shape=(1,) * 17)}, EIGHT), "at most 16 sizes"),
    "product": (build({"a": info(shape=(2**32, 2**32))}, EIGHT), "overflows 64-bit"),
    "zero product": (build({"a": info(shape=(0, 2**62, 4), offsets=(0, 0))}), "overflows"),
    "enormous size": (build({"a": info(shape=(2**70,))}, EIGHT), "has shape"),
    "too few bytes": (build({"a": info(shape=(3,))}, EIGHT), r"\(3,\) .*takes 12 .*span 8"),
    "backwards": (build({"a": info(offsets=(8, 0))}, EIGHT), r"has offsets \[8, 0\]"),
    "negative begin": (build({"a": info(offsets=(-8, 0))}, EIGHT), r"has offsets \[-8, 0\]"),
    "three offsets": (build({"a": info(offsets=(0, 4, 8))}, EIGHT), "has offsets"),
    "past the end": (build({"a": info()}, bytes(7)), "truncated: .* take 8 bytes.* has 7"),
    "bytes left": (build({"a": info()}, bytes(9)), "too long: .* take 8 bytes.* has 9"),
    "overlap": (build({"a": info(), "b": info(offsets=(4, 12))}, bytes(12)), "'b'.* overlaps"),
    "same bytes": (build({"a": info(), "b": info()}, EIGHT), "'b' at byte 0 overlaps tensor 'a'"),
    "gap": (build({"a": info(), "b": info(offsets=(9, 17))}, bytes(17)), "gap after tensor 'a'"),
    "gap at start": (build({"a": info(offsets=(8, 16))}, bytes(16)), "gap after the start"),
    "bool byte": (build({"a": info("BOOL", (2,), (0, 2))}, b"\1\2"), "bytes other than 0 and 1"),
}


@pytest.mark.smoke
@pytest.mark.parametrize("case", BAD_FILES)
def test_a_damaged_file_is_refused(tmp_path, case):
    content, message = BAD_FILES[case]
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        cr.load_file(path)
    assert str(caught.value).startswith(f"load_file: {str(path)!r}: ")


def test_missing_files_and_directories_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        cr.load_file(tmp_path / "none")
    with pytest.raises(OSError):
        cr.load_file(tmp_path)


@pytest.fixture(scope="module")
def checkpoint_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "checkpoint"
    cr.save({"model": {"w": cr.ones(2, 3), "b": cr.tensor([True, False])}, "at": (1, 2.5)}, path)
    return path.read_bytes()


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_files_load_or_raise_value_error(tmp_path, checkpoint_bytes, data):
    content = bytearray(checkpoint_bytes)
    end = 8 + len(content[8:].rstrip(b"\0 ")) + 1
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(end, len(content)) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "delete", "token"]))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at + 1 :]
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        elif kind == "delete":
            del content[at : at + data.draw(st.integers(1, 9))]
            content = content or bytearray(1)
        else:
            tokens = [
                b"-1",
                b"1e9",
                b"99999999999999999999",
                b"null",
                b"[]",
                b"{}",
                b'"',
                b"\\u0000",
            ]
            token = data.draw(st.sampled_from(tokens))
            content[at : at + len(token)] = token
    path = write(tmp_path, bytes(content))
    assert_loads_or_refuses(cr.load, path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=64))
def test_random_bytes_are_refused(tmp_path, content):
    with pytest.raises(ValueError):
        cr.load_file(write(tmp_path, content))


# ---------------------------------------------------------------- safetensors, saving


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"a": np.ones(2)}, None, TypeError, "save_file: 'a' holds a ndarray; expected tensors"),
        ({1: "x"}, None, TypeError, "save_file: 1 holds a str"),
        ({}, {"a": 1}, TypeError, "save_file: metadata 'a' is 1; expected strings"),
        ({"__metadata__": cr.ones(1)}, None, ValueError, "save_file: '__metadata__' is reserved"),
        ({"\ud800": cr.ones(1)}, None, ValueError, "save_file: .*surrogates not allowed"),
    ],
)
def test_what_cannot_be_saved_leaves_the_old_file(tmp_path, tensors, metadata, error, message):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"precious")
    with pytest.raises(error, match=message):
        cr.save_file(tensors, path, metadata)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_a_failure_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    cr.save_file({"w": cr.ones(2)}, path)
    before = path.read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        cr.save_file({"w": cr.zeros(2)}, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]


def interrupt():
    raise KeyboardInterrupt


def test_atomic_write_replaces_only_on_success(tmp_path):
    path = tmp_path / "notes"
    with atomic_write(path) as file:
        file.write(b"one")
    assert path.read_bytes() == b"one"
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(interrupt())
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["notes"]


def test_atomic_write_names_the_directory_that_is_missing(tmp_path):
    path = tmp_path / "none" / "notes"
    with pytest.raises(FileNotFoundError) as caught, atomic_write(path):
        pass
    assert caught.value.filename == str(path)


def test_atomic_write_refuses_what_is_no_file(tmp_path):
    with pytest.raises(OSError, match="not a regular file"), atomic_write(tmp_path):
        pass
    with pytest.raises(OSError, match="not a regular file"), atomic_write(os.devnull):
        pass
    assert not os.path.isfile(os.devnull)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_atomic_write_keeps_permissions_and_links(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


# ---------------------------------------------------------------- checkpoints


def assert_same_object(got, expected):
    assert type(got) is type(expected)
    if isinstance(expected, cr.Tensor):
        assert_same(got, expected)
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same_object(got[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            assert_same_object(a, b)
    else:
        assert got == expected or (math.isnan(got) and math.isnan(expected))


CHECKPOINTS = [
    cr.arange(4),
    {},
    [],
    None,
    "text",
    {"w": cr.ones(2)},
    {"a.b": cr.ones(1), "a": {"b": cr.zeros(1)}},
    {"tensor": "no tensor", "dict": {"tuple": (1, [2, (3,)])}},
    {
        "state": {0: {"step": 3, "exp_avg": cr.ones(2, 2)}},
        "param_groups": [{"betas": (0.9, 0.999)}],
    },
    [True, False, 1, 0, 1.0, -0.0, float("nan"), float("inf"), 2**80, 1e-310, "é\n\0", None],
]


@pytest.mark.parametrize("obj", CHECKPOINTS, ids=[str(i) for i in range(len(CHECKPOINTS))])
def test_checkpoints_round_trip(tmp_path, obj):
    cr.save(obj, tmp_path / "c")
    assert_same_object(cr.load(tmp_path / "c"), obj)


def test_a_state_dict_is_an_ordinary_safetensors_file(tmp_path):
    state = {"fc.weight": cr.ones(2, 3), "fc.bias": cr.zeros(2)}
    cr.save(state, tmp_path / "m")
    assert load_metadata(tmp_path / "m") == {}
    assert cr.load_file(tmp_path / "m").keys() == state.keys()


def itself():
    loop = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("obj", "error", "message"),
    [
        ({"model": {"a": [1, {2}]}}, TypeError, r"save: cannot store a set at 'model.a.1'"),
        (object(), TypeError, "save: cannot store a object; expected"),
        ({"x": np.float32(1)}, TypeError, "cannot store a float32 at 'x'"),
        ({(1, 2): 3}, TypeError, "cannot store a dict"),
        ({"f": len}, TypeError, "by its state_dict"),
        (itself(), ValueError, "contains itself"),
    ],
)
def test_checkpoints_refuse_other_objects(tmp_path, obj, error, message):
    with pytest.raises(error, match=message):
        cr.save(obj, tmp_path / "c")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "tree",
    [
        "",
        "{}",
        '{"tensor": "absent"}',
        '{"tensor": ["w"]}',
        '{"tuple": 1}',
        '{"dict": [[1]]}',
        '{"dict": [[[], 1]]}',
        '{"dict": {}, "tuple": []}',
        '{"other": 1}',
        "[" * 100_000,
    ],
)
def test_a_lying_structure_is_refused(tmp_path, tree):
    cr.save_file({"w": cr.ones(1)}, tmp_path / "c", {"chainrule.tree": tree})
    with pytest.raises(ValueError, match=r"load: .*chainrule\.tree is not valid"):
        cr.load(tmp_path / "c")


# ---------------------------------------------------------------- IDX


def idx_bytes(array, code):
    sizes = b"".join(struct.pack(">I", size) for size in array.shape)
    big = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, code, array.ndim]) + sizes + big.tobytes()


CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("dtype", CODES)
def test_idx_files_are_read(tmp_path, dtype, zipped):
    for shape in [(3,), (2, 3, 4), (0, 5)]:
        array = example(dtype, shape)
        content = idx_bytes(array, CODES[dtype])
        got = read_idx(write(tmp_path, gzip.compress(content) if zipped else content))
        assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)


GOOD_IDX = idx_bytes(np.arange(6, dtype="uint8").reshape(2, 3), 8)
BAD_IDX = {
    "empty": (b"", "truncated: 0 bytes of 4"),
    "magic": (b"\x89PNG" + bytes(8), "the magic number is 89 50 4e 47"),
    "dtype": (bytes([0, 0, 10, 1, 0, 0, 0, 0]), "the magic number is 00 00 0a 01"),
    "rank 0": (bytes([0, 0, 8, 0]), "the magic number"),
    "rank 200": (bytes([0, 0, 8, 200]), "the rank is 200"),
    "no sizes": (GOOD_IDX[:9], "truncated: 5 bytes of 8 for the sizes"),
    "short": (GOOD_IDX[:-1], r"truncated: 5 bytes of 6 for the numbers of shape \(2, 3\)"),
    "long": (GOOD_IDX + b"x", r"bytes are left after the numbers of shape \(2, 3\)"),
    "lying": (bytes([0, 0, 14, 3]) + b"\xff" * 12, "truncated: 0 bytes of"),
    "lying zero": (bytes([0, 0, 14, 4]) + bytes(4) + b"\xff" * 12, "."),
    "gzip cut": (gzip.compress(GOOD_IDX)[:-9], "."),
    "gzip garbage": (b"\x1f\x8b" + bytes(30), "."),
    "gzip checksum": (gzip.compress(GOOD_IDX)[:-8] + bytes(8), "CRC"),
}


@pytest.mark.smoke
@pytest.mark.parametrize("case", BAD_IDX)
def test_a_damaged_idx_file_is_refused(tmp_path, case):
    content, message = BAD_IDX[case]
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"read_idx: {str(path)!r}: ")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 100), value=st.binary(max_size=5), zipped=st.booleans())
def test_mutated_idx_files_load_or_raise_value_error(tmp_path, at, value, zipped):
    content = bytearray(gzip.compress(GOOD_IDX) if zipped else GOOD_IDX)
    at %= len(content)
    content[at : at + len(value)] = value
    assert_loads_or_refuses(read_idx, write(tmp_path, bytes(content)))


def write_mnist(directory, train=6, test=4, size=8, suffix=""):
    """A tiny set in MNIST's four files."""
    arrays = {
        "train-images-idx3-ubyte": example("uint8", (train, size, size)),
        "train-labels-idx1-ubyte": np.arange(train, dtype="uint8") % 10,
        "t10k-images-idx3-ubyte": example("uint8", (test, size, size)),
        "t10k-labels-idx1-ubyte": np.arange(test, dtype="uint8") % 10,
    }
    for name, array in arrays.items():
        content = idx_bytes(array, 8)
        (directory / (name + suffix)).write_bytes(gzip.compress(content) if suffix else content)
    return list(arrays.values())


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_four_mnist_files_are_found(tmp_path, suffix):
    arrays = write_mnist(tmp_path, suffix=suffix)
    for got, expected in zip(read_mnist(tmp_path), arrays, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_mnist_files_must_be_there_and_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no train-images-idx3-ubyte"):
        read_mnist(tmp_path)
    write_mnist(tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(np.arange(5, dtype="uint8"), 8))
    with pytest.raises(ValueError, match=r"labels have shape \(5,\) .* beside 4 images"):
        read_mnist(tmp_path)
    write_mnist(tmp_path)
    images = tmp_path / "t10k-images-idx3-ubyte"
    images.write_bytes(idx_bytes(example("uint8", (4, 7, 8)), 8))
    with pytest.raises(ValueError, match=r"\(8, 8\), test images \(7, 8\)"):
        read_mnist(tmp_path)
    images.write_bytes(idx_bytes(example("uint8", (4, 64)), 8))
    with pytest.raises(ValueError, match=r"images have shape \(4, 64\)"):
        read_mnist(tmp_path)
