"""Every row of the table: values, gradients, layouts, dtypes, spellings, threads."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opspec import (
    ELSEWHERE,
    FLOATS,
    INTEGERS,
    OPS,
    PROMOTION,
    Case,
    Drawn,
    Op,
    draw,
    dtype_name,
    expect,
    outputs,
    resolve,
    to_numpy,
    to_tensor,
)

import chainrule as cr
from chainrule import _core
from chainrule.autograd import gradcheck, gradgradcheck

REGISTRY = {row["name"]: row for row in _core.ops()}


def _rows(keep: Callable[[Op], Any] = lambda op: True) -> Any:
    return pytest.mark.parametrize("op", [pytest.param(o, id=o.name) for o in OPS if keep(o)])


def _cases(keep: Callable[[Op], Any] = lambda op: True, *, gradients: bool = False) -> Any:
    """Each row with each of its cases; the first of every row is in the smoke subset."""

    def params() -> Iterator[Any]:
        for op in filter(keep, OPS):
            for k, case in enumerate(op.cases):
                if gradients and not case.grad:
                    continue
                marks = [pytest.mark.smoke] if k == 0 else []
                yield pytest.param(op, case, id=f"{op.name}-{k}", marks=marks)

    return pytest.mark.parametrize(("op", "case"), list(params()))


def _differentiable(op: Op) -> bool:
    return op.grad is not False and "f" in op.dtypes


# ---------------------------------------------------------------- values


@_cases()
def test_forward(op: Op, case: Case) -> None:
    for dtype in [d for d in FLOATS if d in op.supported] or ["int64"]:
        drawn = draw(op, case, dtype)
        args, kwargs = drawn.tensors()
        result = op.fn(*args, **kwargs)
        expect(op, drawn).check(result, f"{op.name} {dtype}")
        for before, after in zip(drawn.arrays(), _flat(args, kwargs), strict=True):
            np.testing.assert_array_equal(before, to_numpy(after), f"{op.name} wrote its input")


SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.5, -2.5, 30.0, -30.0, 200.0, -200.0]
SPECIAL += [float("inf"), float("-inf"), float("nan")]


@_rows(lambda op: op.pointwise and op.special and "f" in op.dtypes)
def test_special_values(op: Op) -> None:
    for dtype in FLOATS:
        drawn = draw(op, op.cases[0], dtype)
        grid = np.meshgrid(*[np.array(SPECIAL, dtype)] * len(drawn.free), indexing="ij")
        for position, values in zip(drawn.free, grid, strict=True):
            drawn.args[position] = values
        args, kwargs = drawn.tensors()
        expect(op, drawn).check(op.fn(*args, **kwargs), f"{op.name} {dtype}")


INF, NAN = float("inf"), float("nan")
REDUCED = [
    ("sum", [1.0, NAN, 2.0], NAN),
    ("sum", [INF, -INF], NAN),
    ("mean", [], NAN),
    ("mean", [1.0, INF], INF),
    ("prod", [], 1.0),
    ("prod", [0.0, INF], NAN),
    ("var", [3.0], NAN),
    ("std", [3.0], NAN),
    ("amax", [1.0, NAN, 2.0], NAN),
    ("amin", [NAN, 1.0, 2.0], NAN),
    ("amax", [-INF, -INF], -INF),
    ("amin", [INF], INF),
    ("argmax", [1.0, NAN, INF, NAN], 1),
    ("argmin", [1.0, NAN, -INF], 1),
    ("argmax", [2.0, 7.0, 7.0], 1),
    ("norm", [3.0, INF], INF),
    ("norm", [], 0.0),
    ("all", [], True),
    ("any", [], False),
    ("any", [0.0, NAN], True),
    ("all", [1.0, NAN], True),
]


@pytest.mark.smoke
@pytest.mark.parametrize(("name", "values", "expected"), REDUCED)
def test_reductions_of_special_values(name: str, values: list[float], expected: Any) -> None:
    """As torch: NaN wins, nothing has the identity of the operation."""
    x = cr.tensor(values, dtype=cr.float32)
    for result in (
        getattr(cr, name)(x),
        getattr(cr, name)(x.reshape(1, -1).expand(3, -1), dim=1)[2],
        getattr(cr, name)(cr.cat([cr.zeros(40, 3), x.reshape(-1, 1).expand(-1, 3)])[40:], dim=0)[1],
    ):
        np.testing.assert_array_equal(result.item(), expected)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("values", "lse", "softmax"),
    [
        ([0.0, -INF], 0.0, [1.0, 0.0]),
        ([-INF, -INF], -INF, [NAN, NAN]),
        ([INF, 0.0], INF, [NAN, NAN]),
        ([NAN, 0.0], NAN, [NAN, NAN]),
        ([1000.0, 1000.0], 1000.0 + np.log(2.0), [0.5, 0.5]),
        ([-1000.0, 0.0], 0.0, [0.0, 1.0]),
    ],
)
def test_softmax_of_special_values(values: list[float], lse: float, softmax: list[float]) -> None:
    x = cr.tensor(values)
    for rows, dim in ((x.expand(5, 2), 1), (x.reshape(2, 1).expand(2, 5), 0)):
        np.testing.assert_allclose(to_numpy(cr.logsumexp(rows, dim)), [lse] * 5, rtol=1e-6)
        got = to_numpy(cr.softmax(rows, dim))
        np.testing.assert_allclose(got if dim else got.T, [softmax] * 5, rtol=1e-6)


# ---------------------------------------------------------------- gradients


def _flat(args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Every tensor of a call, in order."""
    found: list[Any] = []
    for value in [*args, *kwargs.values()]:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, cr.Tensor):
                found.append(item)
    return found


def _problem(
    op: Op, drawn: Drawn, make: Callable[[np.ndarray], Any] = to_tensor
) -> tuple[Callable[..., Any], list[Any]]:
    """The op as a function of the tensors that want a gradient, and those tensors."""
    wanted: list[Any] = []

    def place(position: int, value: Any) -> Any:
        chosen = position in drawn.free and op.gradient_at(position)
        items = value if isinstance(value, list) else [value]
        made = []
        for item in items:
            if not isinstance(item, np.ndarray):
                made.append(item)
                continue
            tensor = make(item)
            if chosen:
                wanted.append(tensor.requires_grad_())
                made.append(_Slot(len(wanted) - 1))
            else:
                made.append(tensor)
        return made if isinstance(value, list) else made[0]

    args = [place(i, a) for i, a in enumerate(drawn.args)]
    kwargs = {k: place(len(args) + i, v) for i, (k, v) in enumerate(drawn.kwargs.items())}

    def function(*tensors: Any) -> Any:
        def fill(value: Any) -> Any:
            if isinstance(value, list):
                return [fill(v) for v in value]
            return tensors[value.index] if isinstance(value, _Slot) else value

        result = op.fn(*fill(args), **{k: fill(v) for k, v in kwargs.items()})
        return result if isinstance(result, cr.Tensor) else tuple(result)

    return function, wanted


class _Slot:
    """Where a differentiable tensor goes in a call."""

    def __init__(self, index: int) -> None:
        self.index = index


@_cases(_differentiable, gradients=True)
def test_gradient(op: Op, case: Case) -> None:
    function, wanted = _problem(op, draw(op, case, "float64"))
    result = outputs(function(*wanted))[0]
    assert result.requires_grad
    gradcheck(function, wanted, fast_mode=True)


@_cases(_differentiable, gradients=True)
def test_second_gradient(op: Op, case: Case) -> None:
    function, wanted = _problem(op, draw(op, case, "float64"))
    gradgradcheck(function, wanted, fast_mode=True)


@_rows(lambda op: not _differentiable(op) and "f" in op.dtypes)
def test_no_gradient(op: Op) -> None:
    drawn = draw(op, op.cases[0], "float32")
    args, kwargs = drawn.map(lambda a: to_tensor(a).requires_grad_(a.dtype.kind == "f"))
    assert not any(r.requires_grad for r in outputs(op.fn(*args, **kwargs)))


@_rows(lambda op: _differentiable(op) and not REGISTRY.get(op.name, {}).get("composite", True))
def test_backward_reads_only_what_the_row_saves(op: Op) -> None:
    """All else is spoilt between forward and backward, and the gradient stays the same."""
    row = REGISTRY[op.name]
    drawn = draw(op, op.cases[0], "float64")
    function, wanted = _problem(op, drawn)
    result = outputs(function(*wanted))
    start = to_tensor(np.random.default_rng(0).standard_normal(tuple(result[0].shape)))
    expected = _bits(cr.autograd.grad(result[0], wanted, start))

    memory: list[np.ndarray] = []

    def keep(a: np.ndarray) -> Any:
        memory.append(a.copy())
        return cr.from_numpy(memory[-1])

    function, wanted = _problem(op, drawn, keep)
    result = outputs(function(*wanted))
    named = zip([a["name"] for a in row["args"]], drawn.args, strict=False)
    spoilt = iter(memory)
    for name, value in named:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, np.ndarray):
                array = next(spoilt)
                if name not in row["saves"]:
                    array[...] = np.nan if array.dtype.kind == "f" else array == 0
    for name, tensor in zip(row["outputs"], result, strict=True):
        if name not in row["saves"] and not row["view"]:
            tensor.detach().numpy()[...] = -1 if tensor.dtype == cr.int64 else np.nan
    assert _bits(cr.autograd.grad(result[0], wanted, start)) == expected


# ---------------------------------------------------------------- layouts


def _transposed(a: np.ndarray) -> Any:
    return to_tensor(np.ascontiguousarray(a.T)).permute(*range(a.ndim)[::-1])


def _surround(a: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Room around the values, filled with what would spoil any result that reads it."""
    return np.full(shape, np.nan if a.dtype.kind == "f" else 1, a.dtype)


def _stepped(a: np.ndarray) -> Any:
    room = _surround(a, tuple(2 * n + 1 for n in a.shape))
    index = tuple(slice(1, 2 * n + 1, 2) for n in a.shape)
    room[index] = a
    return to_tensor(room)[index]


def _reversed(a: np.ndarray) -> Any:
    return to_tensor(np.ascontiguousarray(np.flip(a)))[(slice(None, None, -1),) * a.ndim]


def _unaligned(a: np.ndarray) -> Any:
    room = _surround(a, (a.size + 1,))
    room[1:] = a.ravel()
    return to_tensor(room)[1:].view(a.shape)


def _expanded(a: np.ndarray) -> Any:
    """Only for arrays whose rows are equal; see `_equal_rows`."""
    return to_tensor(np.ascontiguousarray(a[:1])).expand(a.shape)


LAYOUTS = {
    "transposed": _transposed,
    "stepped": _stepped,
    "reversed": _reversed,
    "unaligned": _unaligned,
    "expanded": _expanded,
}
layouts = pytest.mark.parametrize("layout", list(LAYOUTS))


def _laid_out(op: Op, case: Case, dtype: str, layout: str) -> tuple[Drawn, Callable[..., Any]]:
    """The arguments of a case, and what makes tensors of them in a layout."""
    drawn = draw(op, case, dtype)
    if layout == "expanded":
        args, kwargs = drawn.map(
            lambda a: np.repeat(a[:1], len(a), axis=0) if a.ndim and len(a) else a
        )
        drawn = Drawn(args, kwargs, drawn.free)

    def make(a: np.ndarray) -> Any:
        return LAYOUTS[layout](a) if a.ndim and a.size else to_tensor(a)

    return drawn, make


@layouts
@_rows(lambda op: op.layouts)
def test_layout(op: Op, layout: str) -> None:
    for k, case in enumerate(op.cases):
        for dtype in ("float32", "int64"):
            if dtype not in op.supported or (k and dtype == "int64"):
                continue
            drawn, make = _laid_out(op, case, dtype, layout)
            args, kwargs = drawn.map(make)
            expect(op, drawn).check(op.fn(*args, **kwargs), f"{op.name} {k} {dtype}")


@layouts
@_rows(lambda op: op.layouts and _differentiable(op))
def test_layout_gradient(op: Op, layout: str) -> None:
    """The gradient is that of the contiguous call, also for gradients laid out differently."""
    drawn, make = _laid_out(op, op.cases[0], "float64", layout)
    function, plain = _problem(op, drawn)
    same, moved = _problem(op, drawn, make)
    result, expected = outputs(same(*moved))[0], outputs(function(*plain))[0]
    direction = np.random.default_rng(0).standard_normal(tuple(result.shape))
    if layout == "expanded" and direction.ndim:
        direction[:] = direction[:1]
    start = LAYOUTS[layout](direction) if direction.ndim else to_tensor(direction)
    got = cr.autograd.grad(result, moved, start)
    want = cr.autograd.grad(expected, plain, to_tensor(direction))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(to_numpy(g), to_numpy(w), rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------- dtypes


@_rows()
def test_dtypes(op: Op) -> None:
    for dtype in op.supported:
        drawn = draw(op, op.cases[0], dtype)
        args, kwargs = drawn.tensors()
        expect(op, drawn).check(op.fn(*args, **kwargs), f"{op.name} {dtype}")


@_rows(lambda op: op.unsupported)
def test_refused_dtypes(op: Op) -> None:
    for dtype in op.unsupported:
        args, kwargs = draw(op, op.cases[0], dtype).tensors()
        with pytest.raises(TypeError, match=dtype):
            op.fn(*args, **kwargs)


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
@pytest.mark.parametrize("source", ["bool", "uint8", "int32", "float32"])
@pytest.mark.parametrize("target", [*INTEGERS, *FLOATS])
def test_dtype_argument(name: str, source: str, target: str) -> None:
    """The input is converted to ``dtype`` first, and the result has it."""
    a = np.array([[3, 100, 2], [7, 1, 5]]).astype(source)
    result = getattr(cr, name)(to_tensor(a), 1, dtype=getattr(cr, target))
    assert dtype_name(result) == target
    expected = getattr(np, name)(a.astype(target), axis=1, dtype=target)
    np.testing.assert_array_equal(to_numpy(result), expected)


def test_dtype_argument_of_means_and_softmax() -> None:
    x = cr.tensor([[1, 2], [3, 5]])
    assert cr.mean(x, 1, dtype=cr.float64).tolist() == [1.5, 4.0]
    with pytest.raises(TypeError, match="mean"):
        cr.mean(cr.ones(2), dtype=cr.int64)
    for name in ("softmax", "log_softmax"):
        assert getattr(cr, name)(x, 1, dtype=cr.float64).dtype is cr.float64


def _is_binary(op: Op) -> bool:
    return op.pointwise and op.names[1:] in (("other",), ("exponent",))


@_rows(_is_binary)
def test_promotion(op: Op) -> None:
    """All pairs of dtypes, against torch.promote_types."""
    for left in op.supported:
        for right in op.supported:
            drawn = draw(op, op.cases[1], (left, right))
            args, kwargs = drawn.tensors()
            if (left, right) not in PROMOTION and not op.name.startswith("logical"):
                with pytest.raises(TypeError, match="no common integer type"):
                    op.fn(*args, **kwargs)
                continue
            expect(op, drawn).check(op.fn(*args, **kwargs), f"{op.name} {left} {right}")


WEAK = {
    # (tensor, Python scalar): the scalar decides only when its category is higher.
    ("bool", True): "bool",
    ("bool", 2): "int64",
    ("bool", 1.5): "float32",
    ("uint8", True): "uint8",
    ("uint8", 2): "uint8",
    ("int16", 2): "int16",
    ("int16", 1.5): "float32",
    ("int64", 1.5): "float32",
    ("float32", 2): "float32",
    ("float32", 1.5): "float32",
    ("float64", 1.5): "float64",
}


@_rows(lambda op: _is_binary(op) and op.weak)
def test_python_scalars(op: Op) -> None:
    for (dtype, scalar), promoted in WEAK.items():
        if dtype not in op.supported or promoted not in op.supported:
            continue
        if scalar is True and "bool" not in op.supported:
            continue
        x = draw(op, op.cases[0], dtype).args[0]
        expected = expect(op, Drawn([x.astype(promoted), scalar], {}, [0]))
        expected.check(op.fn(to_tensor(x), scalar), f"{op.name} {dtype} {scalar}")


ZERO_DIM = {
    # (tensor with dimensions, 0-d tensor): likewise weak within a category.
    ("int16", "int64"): "int16",
    ("float32", "float64"): "float32",
    ("int64", "float64"): "float64",
    ("int64", "float32"): "float32",
    ("bool", "int8"): "int8",
    ("uint8", "int64"): "uint8",
    ("float64", "int64"): "float64",
}


@_rows(lambda op: _is_binary(op) and op.result == "promote")
def test_zero_dim_tensors_are_weak(op: Op) -> None:
    for (dtype, other), promoted in ZERO_DIM.items():
        if dtype not in op.supported or other not in op.supported:
            continue
        x = to_tensor(np.ones((2, 3), dtype))
        y = to_tensor(np.ones((), other))
        assert dtype_name(op.fn(x, y)) == dtype_name(op.fn(y, x)) == promoted


# ---------------------------------------------------------------- spellings


def _bits(result: Any) -> list[bytes]:
    return [to_numpy(r).tobytes() for r in outputs(result)]


@_rows()
def test_spellings(op: Op) -> None:
    """Function, method, keywords and positions are one op."""
    dtype = "float32" if "float32" in op.supported else "int64"
    for case in op.cases:
        args, kwargs = draw(op, case, dtype).tensors()
        expected = _bits(op.fn(*args, **kwargs))
        for path in op.also:
            if path.startswith("Tensor.") and not isinstance(args[0], cr.Tensor):
                continue
            assert _bits(resolve(path)(*args, **kwargs)) == expected, path
        named = dict(zip(op.names, args, strict=False)) | kwargs
        if op.names[0] != "self" and len(args) <= len(op.names):
            assert _bits(op.fn(**named)) == expected, f"{op.name} by keyword"
        if list(named) == list(op.names[: len(named)]) and kwargs:
            assert _bits(op.fn(*named.values())) == expected, f"{op.name} by position"


@_rows(lambda op: op.view)
def test_view_shares_memory(op: Op) -> None:
    for case in op.cases:
        args, kwargs = draw(op, case, "float32").tensors()
        for result in outputs(op.fn(*args, **kwargs)):
            args[0].fill_(77.0)
            assert (to_numpy(result) == 77.0).all()
            args[0].fill_(0.0)


@_rows(lambda op: not op.view and "f" in op.dtypes)
def test_result_is_fresh(op: Op) -> None:
    args, kwargs = draw(op, op.cases[0], "float32").tensors()
    for result in outputs(op.fn(*args, **kwargs)):
        assert all(result.data_ptr() != t.data_ptr() for t in _flat(args, kwargs))


# ---------------------------------------------------------------- in place


def _inplace_cases(op: Op, dtype: str) -> Iterator[tuple[list[Any], dict[str, Any], Any]]:
    for case in op.cases if dtype in FLOATS else op.cases[:1]:
        args, kwargs = draw(op, case, dtype).tensors()
        if not isinstance(args[0], cr.Tensor):
            continue
        result = op.fn(*args, **kwargs)
        if result.shape == args[0].shape:
            yield args, kwargs, result


def _twin(op: Op) -> Callable[..., Any]:
    twin: Callable[..., Any] = getattr(cr.Tensor, f"{op.name}_")
    return twin


@_rows(lambda op: op.inplace)
def test_inplace(op: Op) -> None:
    for dtype in op.supported:
        for args, kwargs, expected in _inplace_cases(op, dtype):
            x = args[0]
            if not cr.can_cast(expected.dtype, x.dtype):
                continue  # refused: see test_inplace_never_narrows
            version = x._version
            assert _twin(op)(x, *args[1:], **kwargs) is x
            assert x._version == version + 1
            assert dtype_name(x) == dtype
            np.testing.assert_array_equal(to_numpy(x), to_numpy(expected.to(x.dtype)))


@_rows(lambda op: op.inplace)
def test_inplace_on_strided_memory(op: Op) -> None:
    dtype = "float32" if "float32" in op.supported else "int64"
    for args, kwargs, expected in _inplace_cases(op, dtype):
        x = to_numpy(args[0])
        if not x.ndim or not x.size:
            continue
        room = to_tensor(_surround(x, (*x.shape, 2)))
        room[..., 0] = args[0]
        _twin(op)(room[..., 0], *args[1:], **kwargs)
        np.testing.assert_array_equal(to_numpy(room[..., 0]), to_numpy(expected.to(room.dtype)))
        np.testing.assert_array_equal(to_numpy(room[..., 1]), _surround(x, x.shape))


@_rows(lambda op: op.inplace and _differentiable(op))
def test_inplace_gradient(op: Op) -> None:
    drawn = draw(op, op.cases[0], "float64")
    function, plain = _problem(op, drawn)
    grads = cr.autograd.grad(function(*plain).sum(), plain)
    _, leaves = _problem(op, drawn)
    it = iter(leaves)
    args = [
        next(it)
        if i in drawn.free and op.gradient_at(i)
        else to_tensor(a)
        if isinstance(a, np.ndarray)
        else a
        for i, a in enumerate(drawn.args)
    ]
    changed = args[0] * 1
    _twin(op)(changed, *args[1:])
    for got, want in zip(cr.autograd.grad(changed.sum(), leaves), grads, strict=True):
        np.testing.assert_array_equal(to_numpy(got), to_numpy(want))


@_rows(lambda op: op.inplace and _differentiable(op))
def test_inplace_on_a_leaf_is_refused(op: Op) -> None:
    args, kwargs = draw(op, op.cases[0], "float32").tensors()
    args[0].requires_grad_()
    before = to_numpy(args[0]).copy()
    with pytest.raises(RuntimeError, match=rf"{op.name}_.*leaf"):
        _twin(op)(*args, **kwargs)
    np.testing.assert_array_equal(before, to_numpy(args[0]))
    with cr.no_grad():
        _twin(op)(*args, **kwargs)
    assert args[0].requires_grad


@_rows(lambda op: op.inplace and op.result == "float" and "i" in op.dtypes)
def test_inplace_never_narrows(op: Op) -> None:
    args, _ = draw(op, op.cases[0], "int64").tensors()
    before = to_numpy(args[0]).copy()
    with pytest.raises(TypeError, match=rf"{op.name}_.*float32.*int64"):
        _twin(op)(*args)
    np.testing.assert_array_equal(before, to_numpy(args[0]))


# ---------------------------------------------------------------- threads


def _run_big(op: Op) -> list[bytes]:
    dtype = "float32" if "float32" in op.supported else "int64"
    assert op.big is not None
    drawn = draw(op, op.big, dtype)
    if not _differentiable(op):
        args, kwargs = drawn.tensors()
        return _bits(op.fn(*args, **kwargs))
    function, wanted = _problem(op, drawn)
    result = outputs(function(*wanted))
    start = np.random.default_rng(0).standard_normal(tuple(result[0].shape)).astype(dtype)
    grads = cr.autograd.grad(result[0], wanted, to_tensor(start))
    return _bits(result) + _bits(grads)


@_rows(lambda op: op.big is not None)
def test_same_bits_for_any_number_of_threads(op: Op) -> None:
    cr.set_num_threads(1)
    one = _run_big(op)
    for threads in (2, 4):
        cr.set_num_threads(threads)
        assert _run_big(op) == one, f"{threads} threads"


def test_python_threads_in_parallel() -> None:
    """Eight Python threads run all rows at once, forward and backward."""
    rows = [op for op in OPS if "f" in op.dtypes]

    def run(op: Op) -> list[bytes]:
        function, wanted = _problem(op, draw(op, op.cases[0], "float32"))
        result = outputs(function(*wanted))
        if not result[0].requires_grad:
            return _bits(result)
        return _bits(result) + _bits(cr.autograd.grad(result[0].sum(), wanted))

    expected = [run(op) for op in rows]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            assert list(pool.map(run, rows)) == expected


# ---------------------------------------------------------------- instruction sets, completeness


@pytest.mark.parametrize("level", ["baseline", "v3"])
def test_every_instruction_set(level: str) -> None:
    """The smoke subset of this file, with the dispatcher held down to a level."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "smoke", __file__],
        env=os.environ | {"CHAINRULE_ISA": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]


@pytest.mark.smoke
def test_every_row_is_tested() -> None:
    """A row of the registry is in the table, or named with the test that covers it."""
    covered = {op.name for op in OPS}
    covered |= {f"_{name}_grad" for name in covered} | set(ELSEWHERE)
    missing = sorted(name for name in REGISTRY if name not in covered)
    assert not missing, "add a row to tests/opspec"
    unknown = sorted(name for name in ELSEWHERE if name not in REGISTRY)
    assert not unknown, "no such rows any more"
    folder = Path(__file__).parent
    for name, (where, word) in ELSEWHERE.items():
        assert word in (folder / where).read_text(), f"{where} does not test {name}"
