"""The array API namespace: every name with the standard's parameters, and what they do.

The standard's own tests run by tools/array_api_suite.py; here is what must hold without them.
"""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import array_api as xp

ROOT = Path(__file__).resolve().parent.parent

# What the standard prescribes, beside the functions of one and of two operands.
SIGNATURES = """
all(x, /, *, axis=None, keepdims=False)
any(x, /, *, axis=None, keepdims=False)
arange(start, /, stop=None, step=1, *, dtype=None, device=None)
argmax(x, /, *, axis=None, keepdims=False)
argmin(x, /, *, axis=None, keepdims=False)
argsort(x, /, *, axis=-1, descending=False, stable=True)
asarray(obj, /, *, dtype=None, device=None, copy=None)
astype(x, dtype, /, *, copy=True, device=None)
broadcast_arrays(*arrays)
broadcast_shapes(*shapes)
broadcast_to(x, /, shape)
can_cast(from_, to, /)
clip(x, /, min=None, max=None)
concat(arrays, /, *, axis=0)
count_nonzero(x, /, *, axis=None, keepdims=False)
cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
empty(shape, *, dtype=None, device=None)
empty_like(x, /, *, dtype=None, device=None)
expand_dims(x, /, axis)
eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
finfo(type, /)
flip(x, /, *, axis=None)
from_dlpack(x, /, *, device=None, copy=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, /, fill_value, *, dtype=None, device=None)
iinfo(type, /)
isdtype(dtype, kind)
isin(x1, x2, /, *, invert=False)
linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
matmul(x1, x2, /)
matrix_transpose(x, /)
max(x, /, *, axis=None, keepdims=False)
mean(x, /, *, axis=None, keepdims=False)
meshgrid(*arrays, indexing='xy')
min(x, /, *, axis=None, keepdims=False)
moveaxis(x, source, destination, /)
nonzero(x, /)
ones(shape, *, dtype=None, device=None)
ones_like(x, /, *, dtype=None, device=None)
permute_dims(x, /, axes)
prod(x, /, *, axis=None, dtype=None, keepdims=False)
repeat(x, repeats, /, *, axis=None)
reshape(x, /, shape, *, copy=None)
result_type(*arrays_and_dtypes)
roll(x, /, shift, *, axis=None)
searchsorted(x1, x2, /, *, side='left', sorter=None)
sort(x, /, *, axis=-1, descending=False, stable=True)
squeeze(x, /, axis)
stack(arrays, /, *, axis=0)
std(x, /, *, axis=None, correction=0.0, keepdims=False)
sum(x, /, *, axis=None, dtype=None, keepdims=False)
take(x, indices, /, *, axis=None)
take_along_axis(x, indices, /, *, axis=-1)
tensordot(x1, x2, /, *, axes=2)
tile(x, repetitions, /)
tril(x, /, *, k=0)
triu(x, /, *, k=0)
unique_all(x, /)
unique_counts(x, /)
unique_inverse(x, /)
unique_values(x, /)
unstack(x, /, *, axis=0)
var(x, /, *, axis=None, correction=0.0, keepdims=False)
vecdot(x1, x2, /, *, axis=-1)
where(condition, x1, x2, /)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, /, *, dtype=None, device=None)
"""
# Of the extension linalg; eig and eigvals are left out, their results being complex.
LINALG = """
cholesky(x, /, *, upper=False)
cross(x1, x2, /, *, axis=-1)
det(x, /)
diagonal(x, /, *, offset=0)
eigh(x, /)
eigvalsh(x, /)
inv(x, /)
matmul(x1, x2, /)
matrix_norm(x, /, *, keepdims=False, ord='fro')
matrix_power(x, n, /)
matrix_rank(x, /, *, rtol=None)
matrix_transpose(x, /)
outer(x1, x2, /)
pinv(x, /, *, rtol=None)
qr(x, /, *, mode='reduced')
slogdet(x, /)
solve(x1, x2, /)
svd(x, /, *, full_matrices=True)
svdvals(x, /)
tensordot(x1, x2, /, *, axes=2)
trace(x, /, *, offset=0, dtype=None)
vecdot(x1, x2, /, *, axis=-1)
vector_norm(x, /, *, axis=None, keepdims=False, ord=2)
"""
UNARY = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_invert", "ceil", "conj",
    "cos", "cosh", "exp", "expm1", "floor", "imag", "isfinite", "isinf", "isnan", "log",
    "log1p", "log2", "log10", "logical_not", "negative", "positive", "real", "reciprocal",
    "round", "sign", "signbit", "sin", "sinh", "square", "sqrt", "tan", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal",
    "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or", "logical_xor",
    "maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder", "subtract",
]  # fmt: skip


def _parameters(signatures: str) -> dict[str, str]:
    lines = signatures.strip().split("\n")
    return dict(line.removesuffix(")").split("(", 1) for line in lines)


PRESCRIBED = (
    dict.fromkeys(UNARY, "x, /") | dict.fromkeys(BINARY, "x1, x2, /") | _parameters(SIGNATURES)
)


def _check_parameters(function: Any, parameters: str) -> None:
    """Positions, names, kinds and defaults; a parameter may also be passed in more ways."""
    names: dict[str, Any] = {}
    exec(f"def wanted({parameters}): ...", names)
    wanted = inspect.signature(names["wanted"]).parameters.values()
    got = list(inspect.signature(function).parameters.values())
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for place, w in enumerate(wanted):
        g = got[place] if w.kind is not w.KEYWORD_ONLY else next(p for p in got if p.name == w.name)
        assert g.kind in (w.kind, either), f"{function.__name__}: {g}"
        assert w.kind in (w.POSITIONAL_ONLY, w.VAR_POSITIONAL) or g.name == w.name
        if w.default is not w.empty:
            assert g.default == w.default, f"{function.__name__}: {g}"


@pytest.mark.smoke
@pytest.mark.parametrize(("name", "parameters"), PRESCRIBED.items())
def test_every_name_is_here_with_its_parameters(name: str, parameters: str) -> None:
    function = getattr(xp, name)
    assert name in xp.__all__
    assert function.__doc__
    if name not in ("finfo", "iinfo"):
        _check_parameters(function, parameters)


@pytest.mark.parametrize(("name", "parameters"), _parameters(LINALG).items())
def test_every_name_of_linalg_is_here_with_its_parameters(name: str, parameters: str) -> None:
    assert name in xp.linalg.__all__
    _check_parameters(getattr(xp.linalg, name), parameters)


def test_dtypes_constants_and_what_the_namespace_says_of_itself() -> None:
    info = xp.__array_namespace_info__()
    assert xp.__array_api_version__ == "2025.12"
    assert (xp.e, xp.inf, xp.pi, xp.newaxis) == (np.e, np.inf, np.pi, None)
    assert np.isnan(xp.nan)
    words = [
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float32", "float64",
    ]  # fmt: skip
    assert info.dtypes() == {name: getattr(xp, name) for name in words}
    assert all(getattr(xp, name) is getattr(cr, name) for name in words)
    assert list(info.dtypes(kind=("bool", "unsigned integer"))) == [words[0], *words[5:9]]
    assert info.dtypes(kind="complex floating") == {}
    assert not hasattr(xp, "complex64")
    with pytest.raises(ValueError, match="unknown kind"):
        info.dtypes(kind="float")
    assert info.devices() == (info.default_device(),) == (cr.zeros(1).device,)
    defaults = info.default_dtypes()
    assert defaults["integral"] is xp.asarray(1).dtype
    assert defaults["real floating"] is xp.asarray(1.0).dtype
    assert defaults["indexing"] is xp.argmax(xp.ones(3)).dtype
    most = info.capabilities()["max dimensions"]
    assert xp.ones((1,) * most).ndim == most
    with pytest.raises(ValueError, match=f"at most {most} dimensions"):
        xp.ones((1,) * (most + 1))


def test_a_tensor_knows_its_namespace() -> None:
    x = cr.ones(2)
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2022.12") is xp
    with pytest.raises(ValueError, match=r"no version '2099\.12'"):
        x.__array_namespace__(api_version="2099.12")
    assert x.to_device(x.device) is x
    with pytest.raises(RuntimeError, match="CPU only"):
        x.to_device("cuda")
    with pytest.raises(ValueError, match="no streams"):
        x.to_device("cpu", stream=1)
    assert complex(cr.tensor(2.5)) == 2.5
    with pytest.raises(RuntimeError, match="elements"):
        complex(cr.ones(2))


# ---------------------------------------------------------------- dtypes


def test_zero_dimensional_arrays_count_in_promotion() -> None:
    small, wide = xp.ones(2, dtype=xp.float32), xp.asarray(2.0, dtype=xp.float64)
    assert (small * wide).dtype is xp.float32  # the operators are torch's
    for name in set(BINARY) - {n for n in BINARY if "bit" in n or "logical" in n}:
        result = getattr(xp, name)(small, wide)
        expected = getattr(np, name)(small.numpy(), wide.numpy())
        assert result.dtype.name == expected.dtype.name, name
        assert np.allclose(result.numpy(), expected), name
    assert xp.where(xp.asarray(True), small, wide).dtype is xp.float64
    assert xp.clip(wide, small, None).dtype is xp.float64
    assert xp.add(small, 2.0).dtype is xp.add(2.0, small).dtype is xp.float32
    assert xp.equal(xp.asarray(-1, dtype=xp.int8), xp.asarray([255], dtype=xp.uint8)).tolist() == [
        False
    ]


def test_result_type_can_cast_and_isdtype() -> None:
    assert xp.result_type(xp.int8, xp.uint8, xp.int16) is xp.int16
    assert xp.result_type(xp.float32, 1.0, True) is xp.float32
    assert xp.result_type(xp.asarray(1, dtype=xp.float64), xp.ones(1)) is xp.float64
    assert xp.result_type(xp.bool, 1) is xp.int64
    with pytest.raises(ValueError, match="needs at least one"):
        xp.result_type(1, 2.0)
    assert xp.can_cast(xp.ones(1), xp.float64)
    assert not xp.can_cast(xp.float64, xp.float32)
    assert not xp.can_cast(xp.uint64, xp.int64)
    kinds = ("bool", "signed integer", "unsigned integer", "real floating", "complex floating")
    for dtype in xp.__array_namespace_info__().dtypes().values():
        assert sum(xp.isdtype(dtype, kind) for kind in kinds) == 1
        assert xp.isdtype(dtype, ("bool", "numeric"))
        assert xp.isdtype(dtype, dtype)
    with pytest.raises(ValueError, match="unknown kind"):
        xp.isdtype(xp.bool, "integer")


@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_sums_of_small_integers_are_wide(name: str) -> None:
    for dtype, wanted in [("int8", "int64"), ("uint8", "uint64"), ("float32", "float32")]:
        x = xp.asarray([100, 2, 3], dtype=getattr(xp, dtype))
        result = getattr(xp, name)(x)
        assert result.dtype.name == wanted
        assert np.array_equal(result.numpy(), getattr(np, name)(x.numpy()))
        assert getattr(xp, name)(x, dtype=xp.float64).dtype is xp.float64


def test_astype() -> None:
    x = xp.asarray([1.5])
    assert xp.astype(x, xp.float32, copy=False) is x
    assert xp.astype(x, xp.float32) is not x
    assert xp.astype(x, xp.int8).tolist() == [1]
    with pytest.raises(RuntimeError, match="CPU only"):
        xp.astype(x, xp.int8, device="gpu")


# ---------------------------------------------------------------- against NumPy

NUMBERS = np.array([[3.0, -1.0, 2.0], [0.5, 4.0, -2.0]])
PLACES = np.array([[2, 0], [1, 1]])

CALLS: list[tuple[str, Callable[[Any, Any, Any], Any]]] = [
    ("arange", lambda m, x, i: m.arange(5, 2, -1)),
    ("arange of floats", lambda m, x, i: m.arange(0.0, 1.0, 0.25, dtype=m.float64)),
    ("arange that leads away", lambda m, x, i: m.arange(3, 1)),
    ("linspace", lambda m, x, i: m.linspace(0, 1, 4, dtype=m.float64, endpoint=False)),
    ("eye", lambda m, x, i: m.eye(3, 2, k=-1, dtype=m.float64)),
    ("eye beyond", lambda m, x, i: m.eye(2, k=5, dtype=m.float64)),
    ("full", lambda m, x, i: m.full((2, 1), True)),
    ("full_like", lambda m, x, i: m.full_like(x, 2)),
    ("zeros", lambda m, x, i: m.zeros(3, dtype=m.int16)),
    ("ones_like", lambda m, x, i: m.ones_like(x, dtype=m.uint8)),
    ("meshgrid", lambda m, x, i: m.stack(m.meshgrid(x[0], x[1]))),
    ("meshgrid ij", lambda m, x, i: m.stack(m.meshgrid(x[0], x[1, :2], indexing="ij"))),
    ("tril", lambda m, x, i: m.tril(x, k=-1)),
    ("triu", lambda m, x, i: m.triu(x, k=1)),
    ("clip", lambda m, x, i: m.clip(x, 0.0, 2.0)),
    ("clip below", lambda m, x, i: m.clip(x, min=0.0)),
    ("nextafter", lambda m, x, i: m.nextafter(x, x[1])),
    ("sign of NaN", lambda m, x, i: m.sign(m.asarray([m.nan, -2.0, 0.0]))),
    ("broadcast_to", lambda m, x, i: m.broadcast_to(x, (2, 2, 3))),
    ("broadcast_arrays", lambda m, x, i: m.stack(m.broadcast_arrays(x, x[0]))),
    ("concat", lambda m, x, i: m.concat((x, i), axis=-1)),
    ("concat flattened", lambda m, x, i: m.concat([x, i], axis=None)),
    ("stack promotes", lambda m, x, i: m.stack([x[0, 0], i[0, 0]])),
    ("unstack", lambda m, x, i: m.unstack(x, axis=1)[2]),
    ("expand_dims", lambda m, x, i: m.expand_dims(x, axis=(0, -1))),
    ("squeeze", lambda m, x, i: m.squeeze(x[None, :, :, None], (0, 3))),
    ("flip all", lambda m, x, i: m.flip(x)),
    ("flip one", lambda m, x, i: m.flip(x, axis=-1)),
    ("moveaxis", lambda m, x, i: m.moveaxis(x, 0, -1)),
    ("permute_dims", lambda m, x, i: m.permute_dims(x, (-1, 0))),
    ("repeat", lambda m, x, i: m.repeat(x, 2)),
    ("repeat by counts", lambda m, x, i: m.repeat(x, i[0], axis=0)),
    ("reshape", lambda m, x, i: m.reshape(x, (3, -1))),
    ("roll", lambda m, x, i: m.roll(x, 1)),
    ("roll two", lambda m, x, i: m.roll(x, (1, -1), axis=(0, 1))),
    ("tile", lambda m, x, i: m.tile(x, (2, 1, 2))),
    ("take", lambda m, x, i: m.take(x, i[0], axis=1)),
    ("take of a vector", lambda m, x, i: m.take(x[0], i[0])),
    ("take_along_axis", lambda m, x, i: m.take_along_axis(x, i)),
    ("take_along_axis 0", lambda m, x, i: m.take_along_axis(x, m.argsort(x, axis=0), axis=0)),
    ("argmax", lambda m, x, i: m.argmax(x, axis=1, keepdims=True)),
    ("argmin of all", lambda m, x, i: m.argmin(x, keepdims=True)),
    ("count_nonzero", lambda m, x, i: m.count_nonzero(i, axis=0, keepdims=True)),
    ("nonzero", lambda m, x, i: m.stack(m.nonzero(i))),
    ("searchsorted", lambda m, x, i: m.searchsorted(m.sort(x[0]), x, side="right")),
    ("searchsorted number", lambda m, x, i: m.searchsorted(m.sort(x[0]), 2.5)),
    ("where", lambda m, x, i: m.where(x > 0, x, 0)),
    ("unique_all", lambda m, x, i: m.concat([a.reshape(-1) for a in m.unique_all(i)])),
    ("unique_inverse", lambda m, x, i: m.unique_inverse(i).inverse_indices),
    ("unique_counts", lambda m, x, i: m.unique_counts(i).counts),
    ("unique_values", lambda m, x, i: m.unique_values(x)),
    ("isin", lambda m, x, i: m.isin(i, i[0], invert=True)),
    ("sort", lambda m, x, i: m.sort(x, axis=0)),
    ("argsort", lambda m, x, i: m.argsort(i, stable=True)),
    ("cumulative_sum", lambda m, x, i: m.cumulative_sum(x, axis=-1, include_initial=True)),
    ("cumulative_prod", lambda m, x, i: m.cumulative_prod(x, axis=0, include_initial=True)),
    ("prod over two", lambda m, x, i: m.prod(x, axis=(0, -1), keepdims=True)),
    ("prod of all", lambda m, x, i: m.prod(x, keepdims=True)),
    ("sum over none", lambda m, x, i: m.sum(i, axis=())),
    ("prod over none", lambda m, x, i: m.prod(x, axis=())),
    ("max over none", lambda m, x, i: m.max(x, axis=())),
    ("min", lambda m, x, i: m.min(x, axis=(0, 1), keepdims=True)),
    ("mean", lambda m, x, i: m.mean(x, axis=1, keepdims=True)),
    ("mean of nothing", lambda m, x, i: m.mean(x[:, :0], axis=0)),
    ("var", lambda m, x, i: m.var(x, axis=1, correction=1.5)),
    ("std", lambda m, x, i: m.std(x, keepdims=True)),
    ("all", lambda m, x, i: m.all(x, axis=(0, 1), keepdims=True)),
    ("any over none", lambda m, x, i: m.any(i, axis=())),
    ("diff", lambda m, x, i: m.diff(x, n=2, prepend=x[:, :1])),
    ("matmul promotes", lambda m, x, i: m.matmul(i, x)),
    ("matrix_transpose", lambda m, x, i: m.matrix_transpose(x)),
    ("tensordot", lambda m, x, i: m.tensordot(x, i, axes=((0,), (-1,)))),
    ("vecdot", lambda m, x, i: m.vecdot(x, x[0])),
    ("cross", lambda m, x, i: m.linalg.cross(x, x[:1])),
    ("det", lambda m, x, i: m.linalg.det(x[:, :2])),
    ("diagonal", lambda m, x, i: m.linalg.diagonal(x, offset=1)),
    ("eigh", lambda m, x, i: m.linalg.eigh(m.matmul(x.T, x)).eigenvalues[1:]),
    ("matrix_norm", lambda m, x, i: m.linalg.matrix_norm(x, ord=1, keepdims=True)),
    ("matrix_power", lambda m, x, i: m.linalg.matrix_power(x[:, :2], -2)),
    ("matrix_rank", lambda m, x, i: m.linalg.matrix_rank(x, rtol=0.9)),
    ("outer promotes", lambda m, x, i: m.linalg.outer(x[0], i[0])),
    ("pinv", lambda m, x, i: m.linalg.pinv(x, rtol=0.9)),
    ("qr", lambda m, x, i: m.abs(m.linalg.qr(x, mode="complete").R)),
    ("slogdet", lambda m, x, i: m.linalg.slogdet(x[:, :2]).logabsdet),
    ("solve a vector", lambda m, x, i: m.linalg.solve(m.stack([x[:, :2]] * 2), x[0, :2])),
    ("solve matrices", lambda m, x, i: m.linalg.solve(m.stack([x[:, :2]] * 2), x)),
    ("svd", lambda m, x, i: m.linalg.svd(x, full_matrices=False).S),
    ("trace", lambda m, x, i: m.linalg.trace(m.astype(i, m.uint8), offset=-1)),
    ("vector_norm", lambda m, x, i: m.linalg.vector_norm(x, axis=(0, 1), ord=1)),
    ("vector_norm over none", lambda m, x, i: m.linalg.vector_norm(x, axis=())
        if m is xp else abs(x)),
]  # fmt: skip


@pytest.mark.parametrize("call", [pytest.param(f, id=name) for name, f in CALLS])
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_results_are_numpys(call: Callable[[Any, Any, Any], Any]) -> None:
    expected = np.asarray(call(np, NUMBERS, PLACES))
    result = call(xp, xp.asarray(NUMBERS), xp.asarray(PLACES))
    assert tuple(result.shape) == expected.shape
    if expected.dtype != np.float64 or result.dtype is not xp.float32:  # the default is float32
        assert result.dtype.name == expected.dtype.name
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-6)


def test_sorting_downwards_keeps_the_order_of_equals() -> None:
    x = xp.asarray([1, 3, 1, 3, 2])
    assert xp.argsort(x, descending=True).tolist() == [1, 3, 4, 0, 2]
    assert xp.sort(x, descending=True).tolist() == [3, 3, 2, 1, 1]


def test_zeros_and_nans_are_distinct_as_the_standard_wants() -> None:
    found = xp.unique_all(xp.asarray([xp.nan, 0.0, xp.nan, -0.0, 1.0]))
    assert found.values.shape == (4,)
    assert found.counts.tolist() == [2, 1, 1, 1]
    assert sorted(found.indices.tolist()) == [0, 1, 2, 4]
    assert found._fields == ("values", "indices", "inverse_indices", "counts")


def test_views_and_copies() -> None:
    x = xp.reshape(xp.arange(6), (2, 3))
    assert xp.reshape(x, (6,), copy=False).data_ptr() == x.data_ptr()
    assert xp.reshape(x, (6,), copy=True).data_ptr() != x.data_ptr()
    with pytest.raises(ValueError, match="view"):
        xp.reshape(x.mT, (6,), copy=False)
    assert xp.asarray(x, copy=False) is x
    with pytest.raises(ValueError, match="needs a copy"):
        xp.asarray([1], copy=False)
    assert xp.from_dlpack(x.numpy(), copy=True).data_ptr() != x.data_ptr()


@pytest.mark.parametrize("dtype", [xp.float32, xp.float64])
def test_zero_remainders_have_the_divisors_sign(dtype: Any) -> None:
    x = xp.asarray([0.0, -0.0, 6.0, -6.0] * 9, dtype=dtype)
    for divisor in (2.0, -2.0):
        y = xp.full_like(x, divisor)
        expected = np.signbit(np.remainder(x.numpy(), y.numpy()))
        assert np.array_equal(xp.signbit(x % y).numpy(), expected)


def test_gradients_pass_through_the_namespace() -> None:
    x = cr.tensor(NUMBERS, requires_grad=True)
    xp.sum(xp.take(xp.square(x), xp.asarray([0, 0]), axis=1)).backward()
    assert x.grad.tolist() == [[12.0, 0.0, 0.0], [2.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: xp.squeeze(x, 0), ValueError, "axis 0 has not size 1"),
        (lambda x: xp.squeeze(x, 2), IndexError, "axis out of range"),
        (lambda x: xp.expand_dims(x, 4), IndexError, "axis out of range"),
        (lambda x: xp.expand_dims(x, (0, 0)), ValueError, "given twice"),
        (lambda x: xp.take(x, xp.asarray([0])), ValueError, "needs an axis"),
        (lambda x: xp.take(x, xp.asarray([9]), axis=0), IndexError, "out of bounds"),
        (lambda x: xp.nonzero(x[0, 0]), ValueError, "needs at least one dimension"),
        (lambda x: xp.cumulative_sum(x), ValueError, "needs an axis"),
        (lambda x: xp.vecdot(x, x[0, :2]), ValueError, "sizes along the axis"),
        (lambda x: xp.concat([]), (ValueError, TypeError), "cat"),
        (lambda x: xp.add(x, "1"), TypeError, "add"),
        (lambda x: xp.zeros(2, device="cuda"), RuntimeError, "CPU only"),
        (lambda x: xp.prod(x, axis=(0, 2)), IndexError, "out of range"),
    ],
)
def test_bad_calls_are_refused(call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call(xp.asarray(NUMBERS))


def test_einops_works_through_the_namespace() -> None:
    einops = pytest.importorskip("einops.array_api")
    x = xp.asarray(np.arange(24.0).reshape(2, 3, 4))
    rearranged = einops.rearrange(x, "a b c -> c (a b)")
    assert np.array_equal(rearranged.numpy(), x.numpy().reshape(6, 4).T)
    assert einops.reduce(x, "a b c -> b", "mean").tolist() == [7.5, 11.5, 15.5]
    assert einops.repeat(x, "a b c -> a b (c k)", k=2).shape == (2, 3, 8)


def test_every_skip_has_a_reason() -> None:
    spec = importlib.util.spec_from_file_location("suite", ROOT / "tools/array_api_suite.py")
    assert spec is not None
    assert spec.loader is not None
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    listed = suite.skips()
    assert len(listed) > 3
    assert all(len(reason) > 20 for _, reason in listed)
