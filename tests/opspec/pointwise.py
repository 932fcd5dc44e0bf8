"""Rows of the pointwise family: arithmetic, comparison, logic and functions of real numbers."""

import functools
import math
from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case

SHAPES = ((67,), (), (0, 3), (4, 9))
BROADCASTS = (
    ((67,), (67,)),
    ((4, 9), (9,)),
    ((4, 1), (1, 3)),
    ((2, 3, 4), ()),
    ((), (5,)),
    ((0, 4), (4,)),
)
BIG = (100_003,)


def _unary(
    name: str,
    ref: Any,
    low: float = -3.0,
    high: float = 3.0,
    *,
    avoid: tuple[float, ...] = (),
    step: float | None = None,
    attrs: tuple[dict[str, Any], ...] = (),
    **row: Any,
) -> Op:
    def x(shape: tuple[int, ...]) -> T:
        return T(shape, low, high, avoid, step)

    row.setdefault("dtypes", "buif")
    row.setdefault("result", "float")
    row.setdefault("ulp", 2.0)
    row.setdefault("inplace", True)
    if "path" not in row:
        row.setdefault("also", (f"Tensor.{name}",))
    plain = tuple(case(x(shape)) for shape in SHAPES)
    graded = tuple(Case((x((5, 7)),), kwargs) for kwargs in attrs)
    return Op(name, ref, plain + graded, pointwise=True, big=case(x(BIG)), **row)


def _binary(
    name: str,
    ref: Any,
    left: tuple[float, float] = (-3.0, 3.0),
    right: tuple[float, float] = (-3.0, 3.0),
    *,
    avoid: tuple[float, ...] = (),
    step: float | None = None,
    extra: tuple[Case, ...] = (),
    **row: Any,
) -> Op:
    def pair(a: tuple[int, ...], b: tuple[int, ...]) -> Case:
        return case(T(a, *left, step=step), T(b, *right, avoid, step))

    row.setdefault("result", "promote")
    row.setdefault("names", ("input", "other"))
    row.setdefault("also", (f"Tensor.{name}",))
    row.setdefault("weak", True)
    dtype = "float32" if "f" in row.get("dtypes", "f") else "int64"
    row.setdefault(
        "bad",
        (
            Bad(pair((2, 3), (2, 4)), ValueError, rf"^{name}: .*\(2, 3\).*\(2, 4\)", dtype),
            Bad(case(T((2,)), "two"), TypeError, rf"^{name}: .*str", dtype),
            Bad(case(T((2,))), TypeError, rf"^{name}: missing argument '{row['names'][1]}'", dtype),
        ),
    )
    cases = tuple(pair(a, b) for a, b in BROADCASTS) + extra
    return Op(name, ref, cases, pointwise=True, big=pair(BIG, BIG), **row)


_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])


def _erfinv(y: Any) -> Any:
    """Newton's method on erf, from Winitzki's closed form."""
    log = np.log1p(-y * y)
    a = 2 / (math.pi * 0.147) + log / 2
    x = np.copysign(np.sqrt(np.sqrt(a * a - log / 0.147) - a), y)
    for _ in range(4):
        x = x - (_erf(x) - y) * np.exp(x * x) * math.sqrt(math.pi) / 2
    return np.where(np.abs(y) == 1, np.copysign(np.inf, y), x)


@functools.partial(np.vectorize, otypes=[float])
def _lgamma(x: float) -> float:
    pole = math.isinf(x) or (x <= 0 and x == math.floor(x))
    return math.inf if pole else math.lgamma(x)


def _digamma(x: Any) -> Any:
    """Recurrence up to 20, then the asymptotic series (Abramowitz & Stegun 6.3)."""
    x = np.asarray(x)
    total = np.zeros_like(x)
    for _ in range(20):
        total = total - 1 / x
        x = x + 1
    r = 1 / (x * x)
    return total + np.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r / 240)))


def sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -np.asarray(x)))


def _logit(x: Any, eps: float | None = None) -> Any:
    x = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(x) - np.log1p(-x)


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def _gelu(x: Any, approximate: str = "none") -> Any:
    x = np.maximum(x, -1e3)  # the limit at minus infinity is 0
    if approximate == "none":
        return 0.5 * x * _erfc(-x / math.sqrt(2.0))
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    return np.where(x > 0, x, negative_slope * x)


def _signbit(x: Any) -> Any:
    return np.signbit(np.asarray(x, np.float64))


def _reciprocal(x: Any) -> Any:
    return 1 / x


def _rsqrt(x: Any) -> Any:
    return 1 / np.sqrt(x)


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def _round(x: Any, decimals: int = 0) -> Any:
    return np.round(x * 10.0**decimals) / 10.0**decimals if decimals else np.round(x)


def _sign(x: Any) -> Any:
    """As torch: NaN has no sign."""
    return np.where(np.isnan(x), 0, np.sign(x))


def _frac(x: Any) -> Any:
    return x - np.trunc(x)


FUNCTIONS = (
    _unary("abs", np.abs, result="same", dtypes="uif", ulp=0, avoid=(0,)),
    _unary("neg", np.negative, result="same", dtypes="uif", ulp=0),
    _unary("sign", _sign, result="same", dtypes="uif", ulp=0, avoid=(0,)),
    _unary("square", np.square, result="same", dtypes="uif", ulp=0.5),
    _unary("sqrt", np.sqrt, 0.1, 9.0, ulp=0.5),
    _unary("rsqrt", _rsqrt, 0.1, 9.0),
    _unary("reciprocal", _reciprocal, 0.3, 3.0, ulp=0.5),
    _unary("exp", np.exp, -8.0, 8.0),
    _unary("exp2", np.exp2, -8.0, 8.0),
    _unary("expm1", np.expm1),
    _unary("log", np.log, 0.1, 9.0),
    _unary("log2", np.log2, 0.1, 9.0),
    _unary("log10", np.log10, 0.1, 9.0),
    _unary("log1p", np.log1p, -0.9, 9.0),
    _unary("sin", np.sin, -9.0, 9.0),
    _unary("cos", np.cos, -9.0, 9.0),
    _unary("tan", np.tan, -1.3, 1.3, ulp=4),
    _unary("asin", np.arcsin, -0.95, 0.95, ulp=3),
    _unary("acos", np.arccos, -0.95, 0.95, ulp=3),
    _unary("atan", np.arctan, ulp=3),
    _unary("sinh", np.sinh, ulp=4),
    _unary("cosh", np.cosh, ulp=4),
    _unary("tanh", np.tanh),
    _unary("asinh", np.arcsinh, ulp=4),
    _unary("acosh", np.arccosh, 1.2, 9.0, ulp=4),
    _unary("atanh", np.arctanh, -0.95, 0.95, ulp=4),
    _unary("erf", _erf, ulp=4),
    _unary("erfc", _erfc, -2.0, 2.0, ulp=8),
    _unary("erfinv", _erfinv, -0.95, 0.95, ulp=6),
    _unary("lgamma", _lgamma, 2.5, 9.0, ulp=6, scale=lambda x: np.abs(_lgamma(x)) + 1),
    _unary(
        "digamma", _digamma, 2.0, 9.0, ulp=6, scale=lambda x: np.abs(_digamma(x)) + 1, special=False
    ),
    _unary("sigmoid", sigmoid, -8.0, 8.0, ulp=3),
    _unary(
        "logit",
        _logit,
        0.05,
        0.95,
        ulp=3,
        scale=lambda x, eps=None: np.abs(_logit(x, eps)) + 1,
        attrs=({"eps": 0.2},),
        dtypes="f",
        refused="",
        names=("input", "eps"),
    ),
    _unary("floor", np.floor, result="same", dtypes="uif", ulp=0),
    _unary("ceil", np.ceil, result="same", dtypes="uif", ulp=0),
    _unary("trunc", np.trunc, result="same", dtypes="uif", ulp=0),
    _unary("round", _round, result="same", dtypes="uif", ulp=0, names=("input", "decimals")),
    _unary("deg2rad", np.deg2rad, -400.0, 400.0),
    _unary("rad2deg", np.rad2deg, -7.0, 7.0),
    _unary("frac", _frac, result="same", dtypes="f", refused="", ulp=0),
    _unary("isnan", np.isnan, result="bool", inplace=False, grad=False, ulp=0),
    _unary("isinf", np.isinf, result="bool", inplace=False, grad=False, ulp=0),
    _unary("isposinf", np.isposinf, result="bool", inplace=False, grad=False, ulp=0),
    _unary("isneginf", np.isneginf, result="bool", inplace=False, grad=False, ulp=0),
    _unary("signbit", _signbit, result="bool", inplace=False, grad=False, ulp=0),
    _unary("isfinite", np.isfinite, result="bool", inplace=False, grad=False, ulp=0),
    _unary("logical_not", np.logical_not, result="bool", grad=False, ulp=0, step=1.0),
    _unary("bitwise_not", np.invert, result="same", dtypes="bui", grad=False, ulp=0),
)


def _activation(name: str, ref: Any, **row: Any) -> Op:
    row.setdefault("path", f"nn.functional.{name}")
    row.setdefault("inplace", False)
    row.setdefault("dtypes", "f")
    row.setdefault("refused", "")
    row.setdefault("ulp", 3.0)
    return _unary(name, ref, -6.0, 6.0, avoid=(0,), result="same", **row)


def _hard_activations() -> tuple[Op, ...]:
    """Curves of straight lines, away from their corners."""

    def hard_sigmoid(x: Any) -> Any:
        return np.clip(x + 3, 0, 6) / 6

    def hard_swish(x: Any) -> Any:
        return x * hard_sigmoid(x)

    def row(name: str, ref: Any, kinks: tuple[float, ...], *names: str, **rest: Any) -> Op:
        options: dict[str, Any] = {"dtypes": "f", "refused": "", "ulp": 0, "result": "same", **rest}
        options |= {"path": f"nn.functional.{name}", "names": ("input", *names)}
        return _unary(name, ref, -6.0, 6.0, avoid=kinks, **options)

    def hard_tanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
        return np.clip(x, min_val, max_val)

    def soft_shrink(x: Any, lambd: float = 0.5) -> Any:
        return np.sign(x) * np.maximum(np.abs(x) - lambd, 0)

    def hard_shrink(x: Any, lambd: float = 0.5) -> Any:
        return np.where(np.abs(x) <= lambd, 0, x)

    limits, far = {"min_val": -2.0, "max_val": 3.0}, {"lambd": 2.0}
    return (
        row("hardtanh", hard_tanh, (-1, 1, -2, 3), "min_val", "max_val", attrs=(limits,)),
        row("hardsigmoid", hard_sigmoid, (-3, 3), ulp=2, scale=lambda x: np.ones_like(x)),
        row("hardswish", hard_swish, (-3, 3), ulp=2, special=False, scale=np.abs),
        row("softshrink", soft_shrink, (-0.5, 0.5, -2, 2), "lambd", attrs=(far,), ulp=1),
        row("hardshrink", hard_shrink, (-0.5, 0.5, -2, 2), "lambd", attrs=(far,)),
    )


ACTIVATIONS = (
    _activation(
        "relu",
        lambda x: np.maximum(x, 0),
        also=("relu", "Tensor.relu"),
        dtypes="uif",
        ulp=0,
        inplace=True,
    ),
    _activation(
        "leaky_relu",
        _leaky_relu,
        inplace=True,
        ulp=1,
        attrs=({"negative_slope": 0.2},),
        names=("input", "negative_slope"),
    ),
    _activation("elu", _elu, inplace=True, attrs=({"alpha": 0.7},), names=("input", "alpha")),
    # The factor Phi(x) cancels for large negative x: the error is measured against x.
    _activation("gelu", _gelu, attrs=({"approximate": "tanh"},), scale=lambda x, **_: np.abs(x)),
    _activation("silu", lambda x: x * sigmoid(x), ulp=4, inplace=True),
    _activation("mish", lambda x: x * np.tanh(np.logaddexp(0, x)), ulp=6, inplace=True),
    *_hard_activations(),
    _activation(
        "softplus",
        _softplus,
        ulp=4,
        attrs=({"beta": 2.0}, {"beta": 0.5, "threshold": 1.0}),
        names=("input", "beta", "threshold"),
    ),
    _activation(
        "log_sigmoid", lambda x: -np.logaddexp(0, -x), ulp=4, path="nn.functional.logsigmoid"
    ),
)


def _lerp(a: Any, b: Any, weight: Any) -> Any:
    return a + weight * (b - a)


def _addcmul(x: Any, a: Any, b: Any, value: float = 1) -> Any:
    return x + value * a * b


def _addcdiv(x: Any, a: Any, b: Any, value: float = 1) -> Any:
    return x + value * a / b


def _div(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    quotient = np.true_divide(a, b)
    return {None: quotient, "floor": np.floor(quotient), "trunc": np.trunc(quotient)}[rounding_mode]


_INPLACE = {"inplace": True}
_EXACT: dict[str, Any] = {"ulp": 0.5, **_INPLACE}
_COMPARE: dict[str, Any] = {"result": "bool", "grad": False, "step": 1.0, "inplace": True}
_BITS: dict[str, Any] = {"grad": False, "inplace": True, "dtypes": "bui"}


def _x(*shape: int) -> T:
    return T(shape)


def _nonzero(*shape: int) -> T:
    return T(shape, avoid=(0,))


ARITHMETIC = (
    _binary(
        "add",
        lambda a, b, alpha=1: a + alpha * b,
        extra=(case(_x(4, 3), _x(3), alpha=0.5), case(_x(5), 2.5), case(_x(5), -2)),
        **_EXACT | {"ulp": 1},
        scale=lambda a, b, alpha=1: np.abs(a) + np.abs(alpha * b),
    ),
    _binary(
        "sub",
        lambda a, b, alpha=1: a - alpha * b,
        extra=(case(_x(4, 3), _x(3), alpha=0.5), case(_x(5), 2.5)),
        dtypes="uif",
        **_EXACT | {"ulp": 1},
        scale=lambda a, b, alpha=1: np.abs(a) + np.abs(alpha * b),
    ),
    _binary("mul", np.multiply, extra=(case(_x(5), 2.5),), **_EXACT),
    _binary(
        "div",
        _div,
        avoid=(0,),
        result="float",
        extra=(
            case(_x(5), 2.5),
            case(_x(4, 3), _nonzero(3), rounding_mode="floor"),
            case(_x(4, 3), _nonzero(3), rounding_mode="trunc"),
        ),
        **_EXACT,
    ),
    _binary("floor_divide", np.floor_divide, avoid=(0,), dtypes="uif", inplace=True),
    _binary(
        "remainder",
        np.remainder,
        avoid=(0,),
        dtypes="uif",
        **_EXACT,
        scale=lambda a, b: np.maximum(np.abs(a), np.abs(b)),
    ),
    _binary("fmod", np.fmod, avoid=(0,), dtypes="uif", **_EXACT),
    _binary(
        "pow",
        np.power,
        (0.2, 3.0),
        (0.0, 3.0),
        dtypes="uif",
        ulp=4,
        names=("input", "exponent"),
        inplace=True,
        extra=(
            case(T((7,)), 2),
            case(T((7,)), 3),
            case(T((7,)), 2.0),
            case(T((7,), 0.2, 3), 0.5),
            case(T((7,), 0.2, 3), -1.5),
            case(_x(7), 4),
            case(_nonzero(7), -2),
            case(T((7,), 0.2, 3), -0.5),
            case(2.5, _x(7)),
            case(_x(7), 0),
        ),
    ),
    _binary("maximum", np.maximum, ulp=0, weak=False),
    _binary("minimum", np.minimum, ulp=0, weak=False),
    _binary("fmax", np.fmax, ulp=0, weak=False),
    _binary("fmin", np.fmin, ulp=0, weak=False),
    _binary("atan2", np.arctan2, (0.3, 3.0), result="float", ulp=4, weak=False, inplace=True),
    _binary(
        "hypot", np.hypot, result="float", ulp=2, weak=False, inplace=True, dtypes="f", refused=""
    ),
    _binary(
        "logaddexp2",
        np.logaddexp2,
        result="float",
        ulp=4,
        weak=False,
        dtypes="f",
        refused="",
        scale=lambda a, b: np.abs(np.maximum(a, b)) + 1,
    ),
    _binary(
        "logaddexp",
        np.logaddexp,
        result="float",
        ulp=4,
        weak=False,
        dtypes="f",
        refused="",
        scale=lambda a, b: np.abs(np.maximum(a, b)) + 1,
    ),
    _binary(
        "xlogy",
        lambda a, b: np.where(a == 0, np.where(np.isnan(b), b, 0), a * np.log(b)),
        right=(0.2, 5.0),
        result="float",
        ulp=4,
        weak=False,
        inplace=True,
    ),
    _binary(
        "copysign",
        np.copysign,
        result="float",
        ulp=0,
        avoid=(0,),
        dtypes="f",
        refused="",
        weak=False,
    ),
    _binary("eq", np.equal, **_COMPARE),
    _binary("ne", np.not_equal, **_COMPARE),
    _binary("lt", np.less, **_COMPARE),
    _binary("le", np.less_equal, **_COMPARE),
    _binary("gt", np.greater, **_COMPARE),
    _binary("ge", np.greater_equal, **_COMPARE),
    _binary("logical_and", np.logical_and, **_COMPARE | {"weak": False}),
    _binary("logical_or", np.logical_or, **_COMPARE | {"weak": False}),
    _binary("logical_xor", np.logical_xor, **_COMPARE | {"weak": False}),
    _binary("bitwise_and", np.bitwise_and, **_BITS),
    _binary("bitwise_or", np.bitwise_or, **_BITS),
    _binary("bitwise_xor", np.bitwise_xor, **_BITS),
    _binary("bitwise_left_shift", np.left_shift, right=(0, 3), **_BITS | {"dtypes": "ui"}),
    _binary("bitwise_right_shift", np.right_shift, right=(0, 3), **_BITS | {"dtypes": "ui"}),
)

SELECT = (
    Op(
        "where",
        np.where,
        (
            case(T((67,), dtype="bool"), _x(67), _x(67)),
            case(T((4, 1), dtype="bool"), _x(3), _x(4, 3)),
            case(T((4, 3), dtype="bool"), _x(), _x(4, 3)),
            case(T((4, 3), dtype="bool"), _x(4, 3), 0.5),
            case(T((), dtype="bool"), _x(3), _x(3)),
            case(T((0, 3), dtype="bool"), _x(3), _x(3)),
        ),
        names=("condition", "input", "other"),
        result="promote",
        grad=(False, True, True),
        big=case(T(BIG, dtype="bool"), _x(*BIG), _x(*BIG)),
        bad=(
            Bad(
                case(T((3,), dtype="float32"), _x(3), _x(3)), TypeError, r"^where: .*bool.*float32"
            ),
            Bad(case(T((3,), dtype="bool"), _x(3), _x(4)), ValueError, r"^where: .*\(3,\).*\(4,\)"),
        ),
    ),
    Op(
        "clamp",
        _clamp,
        (
            case(_x(67), 1, 2),
            case(_x(4, 9), min=-1.0),
            case(_x(4, 9), max=1.5),
            case(_x(4, 9), min=-1.0, max=1.5),
            case(_x(4, 9), T((9,), -2, 0), T((4, 1), 0, 2)),
            case(_x(0, 3), 0, 1),
            case(_x(), 0, 1),
        ),
        also=("Tensor.clamp",),
        names=("input", "min", "max"),
        dtypes="uif",
        refused="",
        pointwise=True,
        inplace=True,
        big=case(_x(*BIG), -1.0, 1.5),
        bad=(Bad(case(_x(2)), ValueError, r"^clamp: .*min.*max"),),
    ),
    Op(
        "lerp",
        _lerp,
        (
            case(_x(67), _x(67), 0.3),
            case(_x(67), _x(67), 0.9),
            case(_x(4, 3), _x(3), _x(4, 1)),
            case(_x(0, 3), _x(3), _x(3)),
        ),
        also=("Tensor.lerp",),
        names=("input", "end", "weight"),
        dtypes="f",
        refused="",
        pointwise=True,
        inplace=True,
        ulp=2,
        scale=lambda a, b, w: np.abs(a) + np.abs(w) * (np.abs(a) + np.abs(b)),
        big=case(_x(*BIG), _x(*BIG), 0.3),
    ),
    Op(
        "addcmul",
        _addcmul,
        (
            case(_x(67), _x(67), _x(67)),
            case(_x(4, 3), _x(3), _x(4, 1), value=0.5),
            case(_x(0, 3), _x(3), _x(3)),
        ),
        also=("Tensor.addcmul",),
        names=("input", "tensor1", "tensor2"),
        result="promote",
        dtypes="uif",
        pointwise=True,
        inplace=True,
        ulp=2,
        scale=lambda x, a, b, value=1: np.abs(x) + np.abs(value * a * b),
        big=case(_x(*BIG), _x(*BIG), _x(*BIG)),
    ),
    Op(
        "addcdiv",
        _addcdiv,
        (
            case(_x(67), _x(67), T((67,), 0.5)),
            case(_x(4, 3), _x(3), T((4, 1), 0.5), value=0.5),
            case(_x(0, 3), _x(3), T((3,), 0.5)),
        ),
        also=("Tensor.addcdiv",),
        names=("input", "tensor1", "tensor2"),
        result="promote",
        dtypes="f",
        refused="",
        pointwise=True,
        inplace=True,
        ulp=2,
        scale=lambda x, a, b, value=1: np.abs(x) + np.abs(value * a / b),
        big=case(_x(*BIG), _x(*BIG), T(BIG, 0.5)),
    ),
)

ROWS = FUNCTIONS + ACTIVATIONS + ARITHMETIC + SELECT
