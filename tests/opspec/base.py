"""The vocabulary of the table: what a row says, and how its arguments are drawn and judged."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr

BOOLS = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = UNSIGNED + SIGNED
FLOATS = ("float32", "float64")
DTYPES = BOOLS + INTEGERS + FLOATS
# One letter per family in `Op.dtypes`.
FAMILIES = {"b": BOOLS, "u": UNSIGNED, "i": SIGNED, "f": FLOATS}

# torch.promote_types, row by row; "." marks pairs that have no common type. Torch leaves uint16,
# uint32 and uint64 with other integers and bools open: there NumPy's rule stands, the smallest
# integer type that holds both.
_PROMOTION = """
         bool     uint8    uint16   uint32   uint64   int8     int16    int32    int64    float16  bfloat16 float32  float64
bool     bool     uint8    uint16   uint32   uint64   int8     int16    int32    int64    float16  bfloat16 float32  float64
uint8    uint8    uint8    uint16   uint32   uint64   int16    int16    int32    int64    float16  bfloat16 float32  float64
uint16   uint16   uint16   uint16   uint32   uint64   int32    int32    int32    int64    float16  bfloat16 float32  float64
uint32   uint32   uint32   uint32   uint32   uint64   int64    int64    int64    int64    float16  bfloat16 float32  float64
uint64   uint64   uint64   uint64   uint64   uint64   .        .        .        .        float16  bfloat16 float32  float64
int8     int8     int16    int32    int64    .        int8     int16    int32    int64    float16  bfloat16 float32  float64
int16    int16    int16    int32    int64    .        int16    int16    int32    int64    float16  bfloat16 float32  float64
int32    int32    int32    int32    int64    .        int32    int32    int32    int64    float16  bfloat16 float32  float64
int64    int64    int64    int64    int64    .        int64    int64    int64    int64    float16  bfloat16 float32  float64
float16  float16  float16  float16  float16  float16  float16  float16  float16  float16  float16  float32  float32  float64
bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 bfloat16 float32  bfloat16 float32  float64
float32  float32  float32  float32  float32  float32  float32  float32  float32  float32  float32  float32  float32  float64
float64  float64  float64  float64  float64  float64  float64  float64  float64  float64  float64  float64  float64  float64
"""  # noqa: E501
_COLUMNS, *_ROWS = (line.split() for line in _PROMOTION.strip().splitlines())
PROMOTION = {
    (row[0], b): result
    for row in _ROWS
    for b, result in zip(_COLUMNS, row[1:], strict=True)
    if result != "."
}


def promote(*dtypes: str) -> str:
    """Return the dtype that torch.promote_types gives."""
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = PROMOTION[result, dtype]
    return result


# ---------------------------------------------------------------- arguments


@dataclass(frozen=True)
class T:
    """A tensor argument: its shape and the values it may take.

    Values are uniform on [low, high]. `avoid` lists kinks and poles to stay 0.05 away from (whole
    numbers: to differ from), `step` rounds to multiples so that ties occur, `distinct` spreads the
    values so that none do. A `dtype` fixes the type of an index or a mask; the others follow the
    test.
    """

    shape: tuple[int, ...]
    low: float = -3.0
    high: float = 3.0
    avoid: tuple[float, ...] = ()
    step: float | None = None
    distinct: bool = False
    dtype: str | None = None

    def draw(self, rng: np.random.Generator, dtype: str) -> np.ndarray:
        if dtype == "bool":
            return np.asarray(rng.random(self.shape) < 0.5)
        if dtype in INTEGERS:
            low = max(self.low, 0.0) if dtype in UNSIGNED else self.low
            values = rng.integers(int(np.ceil(low)), int(np.floor(self.high)) + 1, self.shape)
            for pole in self.avoid:
                values = np.where(values == pole, values + 1, values)
            return np.asarray(values).astype(dtype)
        if self.distinct:
            n = int(np.prod(self.shape))
            values = rng.permutation(np.linspace(self.low, self.high, n)).reshape(self.shape)
        else:
            values = rng.uniform(self.low, self.high, self.shape)
        if self.step:
            values = np.round(values / self.step) * self.step
        for kink in self.avoid:
            near = values - kink
            values = np.where(np.abs(near) < 0.05, kink + near + np.copysign(0.05, near), values)
        return np.asarray(values).astype(dtype)


@dataclass(frozen=True)
class Case:
    """One call: positional arguments (T, arrays, lists of them, plain values) and keywords."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    grad: bool = True  # False where the result is piecewise constant


def case(*args: Any, **kwargs: Any) -> Case:
    return Case(args, kwargs)


@dataclass(frozen=True)
class Bad:
    """A call that must fail: the case, the exception and a pattern its message must match."""

    case: Case
    error: type[Exception]
    match: str
    dtype: str = "float32"


def _walk(value: Any, f: Callable[[Any], Any]) -> Any:
    """Apply f to each T and array in a nested argument."""
    if isinstance(value, (T, np.ndarray)):
        return f(value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (T, np.ndarray)) for v in value):
        return [f(v) for v in value]
    return value


# ---------------------------------------------------------------- the row


@dataclass(frozen=True)
class Op:
    """One row: everything the tests need to know about an op.

    Args:
        name: The row's name in the registry.
        ref: The same function of NumPy arrays, evaluated in a wider type.
        cases: Calls to make. The first is plain: it must be valid for every dtype in `dtypes`.
        path: Where the function lives, if not at `chainrule.<name>`.
        also: Other spellings that must give the same bits.
        names: Parameter names, for calls by keyword.
        dtypes: Letters of FAMILIES for the free tensor arguments; others must be refused.
        result: How the result's dtype follows: same, promote, float, bool, int64, sum, or a dtype.
        grad: Whether a gradient flows; a tuple tells it per position.
        ulp: Allowed distance from the reference in units in the last place of `scale`.
        scale: Magnitude of the terms that are rounded, from the reference's arguments; the result
            itself when None.
        inplace: Whether the method `name_` exists.
        view: Whether the result shares memory with its first argument.
        pointwise: Whether out[i] depends on in[i] only.
        special: Whether the reference of a pointwise row holds at infinities, NaN and far values.
        weak: Whether Python scalars may stand for the second operand.
        big: A call large enough for several threads; derived for pointwise rows.
        bad: Calls that must fail.
        layouts: Whether the case survives its tensors being laid out differently.
    """

    name: str
    ref: Callable[..., Any]
    cases: tuple[Case, ...]
    path: str = ""
    also: tuple[str, ...] = ()
    names: tuple[str, ...] = ("input",)
    dtypes: str = "buif"
    refused: str | None = None
    result: str | tuple[str, ...] = "same"
    grad: bool | tuple[bool, ...] = True
    ulp: float = 0.0
    scale: Callable[..., Any] | None = None
    inplace: bool = False
    view: bool = False
    pointwise: bool = False
    special: bool = True
    weak: bool = False
    big: Case | None = None
    bad: tuple[Bad, ...] = ()
    layouts: bool = True

    @property
    def fn(self) -> Callable[..., Any]:
        return resolve(self.path or self.name)

    @property
    def supported(self) -> list[str]:
        return [d for letter in self.dtypes for d in FAMILIES[letter]]

    @property
    def unsupported(self) -> list[str]:
        if self.refused is not None:
            return [d for letter in self.refused for d in FAMILIES[letter]]
        return [d for d in DTYPES if d not in self.supported]

    def gradient_at(self, position: int) -> bool:
        if isinstance(self.grad, bool):
            return self.grad
        return position < len(self.grad) and self.grad[position]

    def result_dtypes(self, *dtypes: str) -> tuple[str, ...]:
        """The expected dtype of each output for these argument dtypes."""
        rules = (self.result,) if isinstance(self.result, str) else self.result
        return tuple(_apply_rule(rule, dtypes) for rule in rules)


def _apply_rule(rule: str, dtypes: tuple[str, ...]) -> str:
    if rule == "bool":
        return rule
    promoted = promote(*dtypes) if dtypes else "float32"
    if rule == "same":
        return dtypes[0]
    if rule == "promote":
        return promoted
    if rule == "float":
        return promoted if promoted in FLOATS else "float32"
    if rule == "sum":
        return promoted if promoted in (*FLOATS, "uint64") else "int64"
    if rule == "bool_to_int":
        return "int64" if promoted == "bool" else promoted
    return rule


def resolve(path: str) -> Callable[..., Any]:
    """Look up "exp", "Tensor.exp" or "nn.functional.relu" in chainrule."""
    owner: Any = cr
    for part in path.split("."):
        owner = getattr(owner, part)
    return owner


# ---------------------------------------------------------------- drawing and judging


@dataclass
class Drawn:
    """The arguments of a case as NumPy arrays; `free` are the positions that follow the dtype."""

    args: list[Any]
    kwargs: dict[str, Any]
    free: list[int]

    def map(
        self, f: Callable[[Any], Any], *, free_only: bool = False
    ) -> tuple[list[Any], dict[str, Any]]:
        """Apply f to every array, or to those that follow the dtype of the test."""

        def at(position: int, value: Any) -> Any:
            return value if free_only and position not in self.free else _walk(value, f)

        first = len(self.args)
        return (
            [at(i, a) for i, a in enumerate(self.args)],
            {k: at(first + i, v) for i, (k, v) in enumerate(self.kwargs.items())},
        )

    def tensors(self) -> tuple[list[Any], dict[str, Any]]:
        return self.map(to_tensor)

    def arrays(self, *, free_only: bool = False) -> list[np.ndarray]:
        """The arrays in order."""
        found: list[np.ndarray] = []
        self.map(found.append, free_only=free_only)
        return found


def draw(op: Op, case: Case, dtype: str | tuple[str, ...], seed: int = 0) -> Drawn:
    """Draw the arguments of a case; `dtype` may differ per free argument."""
    rng = np.random.default_rng(zlib.crc32(f"{op.name}{seed}".encode()))
    dtypes = [dtype] if isinstance(dtype, str) else list(dtype)
    free: list[int] = []

    def one(position: int) -> Callable[[Any], Any]:
        def f(a: Any) -> Any:
            literal = isinstance(a, np.ndarray)
            if (a.dtype.kind != "f") if literal else (a.dtype is not None):
                return a if literal else a.draw(rng, a.dtype)
            if position not in free:
                free.append(position)
            chosen = dtypes[min(len(free), len(dtypes)) - 1]
            return a.astype(chosen) if literal else a.draw(rng, chosen)

        return f

    args = [_walk(a, one(i)) for i, a in enumerate(case.args)]
    kwargs = {k: _walk(v, one(len(args) + i)) for i, (k, v) in enumerate(case.kwargs.items())}
    return Drawn(args, kwargs, free)


def to_tensor(array: np.ndarray) -> Any:
    """A contiguous tensor that owns a copy of the array."""
    return cr.tensor(array)


def to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(tensor.detach().numpy())


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).rpartition(".")[2]


def outputs(result: Any) -> tuple[Any, ...]:
    """The results of a call as a tuple of tensors."""
    return (result,) if isinstance(result, cr.Tensor) else tuple(result)


def wide(array: np.ndarray, in_float: bool) -> np.ndarray:
    """The array in a type in which the reference is exact enough."""
    if array.dtype == np.float64:
        return array.astype(np.longdouble)
    if array.dtype == np.float32 or in_float:
        return array.astype(np.float64)
    return array.astype(np.int64) if array.dtype.kind in "iu" else array


@dataclass
class Expected:
    """What the reference says: values, dtypes and the allowed absolute errors."""

    values: tuple[np.ndarray, ...]
    dtypes: tuple[str, ...]
    bounds: tuple[np.ndarray, ...]

    def check(self, result: Any, context: str = "") -> None:
        got = outputs(result)
        assert len(got) == len(self.values), f"{context}: {len(got)} outputs"
        for tensor, value, dtype, bound in zip(
            got, self.values, self.dtypes, self.bounds, strict=True
        ):
            assert dtype_name(tensor) == dtype, f"{context}: {dtype_name(tensor)}, not {dtype}"
            assert tuple(tensor.shape) == value.shape, f"{context}: shape {tuple(tensor.shape)}"
            _check_close(to_numpy(tensor), value, bound, context)


def expect(op: Op, drawn: Drawn) -> Expected:
    """Evaluate the reference of a row on drawn arguments."""
    dtypes = op.result_dtypes(*(a.dtype.name for a in drawn.arrays(free_only=True)))
    in_float = dtypes[0] in FLOATS
    args, kwargs = drawn.map(lambda a: wide(a, in_float), free_only=True)
    with np.errstate(all="ignore"):
        result = op.ref(*args, **kwargs)
        results = result if isinstance(result, (tuple, list)) else (result,)
        values = tuple(np.asarray(v) for v in results)
        scales = [np.abs(v) if v.dtype.kind == "f" else 0.0 for v in values]
        if op.scale is not None:
            scales[0] = op.scale(*args, **kwargs)
    if len(values) != len(dtypes):
        dtypes = dtypes[:1] * len(values)
    bounds = tuple(_bound(op.ulp, s, d) for s, d in zip(scales, dtypes, strict=True))
    return Expected(values, dtypes, bounds)


def _bound(ulp: float, scale: Any, dtype: str) -> np.ndarray:
    """`ulp` units in the last place of `scale`; results below the smallest normal may flush."""
    if dtype not in FLOATS or ulp == 0:
        return np.zeros(())
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        scale = np.clip(np.nan_to_num(np.asarray(scale, np.longdouble)), 0, info.max)
        spacing = np.spacing(scale.astype(dtype)).astype(np.longdouble)
    return ulp * np.nan_to_num(spacing, posinf=float(info.max)) + info.tiny


def _check_close(got: np.ndarray, value: np.ndarray, bound: np.ndarray, context: str) -> None:
    if got.size == 0:
        return
    if got.dtype.kind != "f":
        with np.errstate(all="ignore"):
            value = value.astype(got.dtype)
        wrong = got != value
    else:
        with np.errstate(all="ignore"):
            rounded = value.astype(got.dtype)
            error = np.abs(got.astype(np.longdouble) - value.astype(np.longdouble))
            same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
            wrong = ~same & ~(error <= bound)
    if np.any(wrong):
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        allowed = np.broadcast_to(bound, got.shape)[at]
        raise AssertionError(
            f"{context}: {int(np.sum(wrong))} of {got.size} values are wrong; at {at}: got "
            f"{got[at]!r}, expected {value[at]!r} (allowed error {allowed:.3g})"
        )
