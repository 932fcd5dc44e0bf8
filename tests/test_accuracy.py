"""Functions of real numbers against references in higher precision, bounded in ulp.

float32 is judged by NumPy in float64, float64 by NumPy in long double or by mpmath. The tests run
with subnormal numbers kept, on this machine's best instruction set; the last test repeats them on
the others.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr

F = cr.nn.functional
INF, NAN = math.inf, math.nan
FLOATS = ("float32", "float64")
WIDE = {"float32": np.float64, "float64": np.longdouble}


@pytest.fixture(autouse=True)
def _keep_subnormals() -> Iterator[None]:
    cr.set_flush_denormal(False)
    yield
    cr.set_flush_denormal(True)


def call(f: Callable[..., Any], *args: np.ndarray) -> np.ndarray:
    return f(*(cr.from_numpy(a) for a in args)).numpy()


def ulp_error(got: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance to the reference in units of the last place of the result's type."""
    limits = np.finfo(got.dtype)
    size = np.minimum(np.abs(reference), limits.max).astype(got.dtype)
    unit = np.maximum(np.spacing(size), limits.smallest_subnormal)
    error = np.abs(got - reference) / unit.astype(reference.dtype)
    same = (got == reference) | (np.isnan(got) & np.isnan(reference))
    # Where the reference overflows the type, infinity is right.
    beyond = np.isinf(got) & (np.abs(reference) > limits.max) & (np.sign(got) == np.sign(reference))
    return np.where(same | beyond, 0.0, np.where(np.isnan(error), INF, error)).astype(float)


def assert_ulp(got: np.ndarray, reference: np.ndarray, bound: float, *args: np.ndarray) -> None:
    error = ulp_error(got, reference)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, (
        f"{error[worst]:.3g} ulp at {[float(a[worst]) for a in args]}: "
        f"got {float(got[worst])!r}, expected {float(reference[worst])!r}"
    )


# ---------------------------------------------------------------- references


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def mish(x: Any) -> Any:
    n = np.exp(np.minimum(x, 60)) * (np.exp(np.minimum(x, 60)) + 2)
    return x * (n / (n + 2))


def logit(x: Any) -> Any:
    middle = np.clip(x, 0.25, 0.75)
    return np.where(middle == x, 2 * np.arctanh(2 * middle - 1), np.log(x / (1 - x)))


def elu(x: Any) -> Any:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


@dataclass(frozen=True)
class Function:
    """An op, its reference in wider types, where it is sampled and the error allowed."""

    name: str
    reference: Callable[..., Any]
    low: float
    high: float
    ulp: float
    op: Callable[..., Any] | None = None

    def __call__(self, *args: np.ndarray) -> np.ndarray:
        return call(self.op or getattr(cr, self.name), *args)

    def samples(self, dtype: str, n: int) -> np.ndarray:
        """Half of them uniform, half spread over the magnitudes from 2^-40 to the range's ends."""
        rng = np.random.default_rng(1)
        uniform = rng.uniform(self.low, self.high, n)
        small = np.exp2(rng.uniform(-40, math.log2(max(-self.low, self.high)), n))
        small *= np.where(rng.random(n) < 0.5, -1.0, 1.0)
        x = np.concatenate([uniform, small[(small >= self.low) & (small <= self.high)]])
        return x.astype(dtype)


HUGE = 1e30
NUMPY = (
    Function("exp", np.exp, -104, 89, 1.25),
    Function("exp2", np.exp2, -150, 128, 1.25),
    Function("expm1", np.expm1, -30, 88, 1.5),
    Function("log", np.log, 0, HUGE, 1.5),
    Function("log", np.log, 0.5, 2, 1.5),
    Function("log2", np.log2, 0, HUGE, 2.5),
    Function("log2", np.log2, 0.5, 2, 2.5),
    Function("log10", np.log10, 0, HUGE, 2.5),
    Function("log10", np.log10, 0.5, 2, 2.5),
    Function("log1p", np.log1p, -1, 8, 1),
    Function("sqrt", np.sqrt, 0, HUGE, 0.5),
    Function("rsqrt", lambda x: 1 / np.sqrt(x), 0, 4, 1.5),
    Function("reciprocal", lambda x: 1 / x, -4, 4, 0.5),
    Function("sin", np.sin, -20, 20, 2.5),
    Function("sin", np.sin, -1e7, 1e7, 2.5),
    Function("cos", np.cos, -20, 20, 2.5),
    Function("cos", np.cos, -1e7, 1e7, 2.5),
    Function("tan", np.tan, -20, 20, 4),
    Function("tan", np.tan, -1e7, 1e7, 4),
    Function("asin", np.arcsin, -1, 1, 2.5),
    Function("acos", np.arccos, -1, 1, 1.25),
    Function("atan", np.arctan, -4, 4, 2.5),
    Function("atan", np.arctan, -HUGE, HUGE, 2.5),
    Function("sinh", np.sinh, -88, 88, 2),
    Function("cosh", np.cosh, -88, 88, 2),
    Function("tanh", np.tanh, -12, 12, 2.25),
    Function("asinh", np.arcsinh, -8, 8, 2),
    Function("asinh", np.arcsinh, -HUGE, HUGE, 2),
    Function("acosh", np.arccosh, 1, 4, 3),
    Function("acosh", np.arccosh, 1, HUGE, 3),
    Function("atanh", np.arctanh, -1, 1, 2.5),
    Function("sigmoid", sigmoid, -80, 80, 3),
    Function("logit", logit, 0, 1, 3.5),
    Function("log_sigmoid", lambda x: -softplus(-x), -100, 40, 3, F.log_sigmoid),
    Function("softplus", softplus, -80, 20, 3, lambda x: F.softplus(x)),
    Function("silu", lambda x: x * sigmoid(x), -80, 80, 3.5, lambda x: F.silu(x)),
    Function("mish", mish, -80, 40, 4, lambda x: F.mish(x)),
    Function("elu", elu, -40, 4, 1.5, lambda x: F.elu(x)),
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("f", NUMPY, ids=lambda f: f"{f.name}{f.low:g}to{f.high:g}")
def test_against_wider_numpy(f: Function, dtype: str) -> None:
    wide = WIDE[dtype]
    if np.finfo(wide).eps >= np.finfo(dtype).eps:
        pytest.skip("long double is no wider than double here")
    x = f.samples(dtype, 20_000)
    with np.errstate(all="ignore"):
        assert_ulp(f(x), f.reference(x.astype(wide)), f.ulp, x)


PAIRS = (
    ("pow", np.power, (0, 40), (-20, 20), 1.5),
    ("pow", np.power, (0.9, 1.1), (-600, 600), 1.5),
    ("atan2", np.arctan2, (-5, 5), (-5, 5), 2.5),
    ("hypot", np.hypot, (-5, 5), (-5, 5), 1.5),
    ("hypot", np.hypot, (-3e38, 3e38), (-3e38, 3e38), 1.5),
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p[0]}{p[2]}")
def test_pairs_against_wider_numpy(pair: Any, dtype: str) -> None:
    name, reference, left, right, ulp = pair
    wide = WIDE[dtype]
    if np.finfo(wide).eps >= np.finfo(dtype).eps:
        pytest.skip("long double is no wider than double here")
    rng = np.random.default_rng(2)
    x, y = rng.uniform(*left, 20_000).astype(dtype), rng.uniform(*right, 20_000).astype(dtype)
    got = call(getattr(cr, name), x, y)
    with np.errstate(all="ignore"):
        assert_ulp(got, reference(x.astype(wide), y.astype(wide)), ulp, x, y)


# Their references take the module mpmath first.
MPMATH = (
    Function("erf", lambda mp, x: mp.erf(x), -6, 6, 2.25),
    Function("erfc", lambda mp, x: mp.erfc(x), -6, 9, 4),
    Function("erfinv", lambda mp, x: mp.erfinv(x), -1, 1, 3.5),
    Function("digamma", lambda mp, x: mp.digamma(x), 1e-3, 30, 2.5),
    Function("lgamma", lambda mp, x: mp.loggamma(x), 2.5, 90, 4),
    Function("gelu", lambda mp, x: x * mp.ncdf(x), -12, 12, 4, lambda x: F.gelu(x)),
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("f", MPMATH, ids=lambda f: f.name)
def test_against_mpmath(f: Function, dtype: str) -> None:
    mp = pytest.importorskip("mpmath")
    x = f.samples(dtype, 300)
    x = x[np.abs(x) < 1] if f.name == "erfinv" else x
    limits = np.finfo(dtype)
    with mp.workdps(50):
        for value, got in zip(x, f(x), strict=True):
            exact = f.reference(mp, mp.mpf(float(value)))
            unit = max(np.spacing(np.abs(np.array(float(exact), dtype))), limits.smallest_subnormal)
            error = abs(mp.mpf(float(got)) - exact) / mp.mpf(float(unit))
            assert error <= f.ulp, f"{float(error):.3g} ulp at {float(value)!r}"


# float32 needs no mpmath where the C library has the function in double.
@pytest.mark.parametrize(
    ("name", "reference", "low", "high", "ulp"),
    [
        ("erf", math.erf, -5, 5, 2.25),
        ("erfc", math.erfc, -5, 10, 4),
        ("lgamma", math.lgamma, -20.5, 60, 1),
    ],
)
def test_float32_against_the_c_library(
    name: str, reference: Any, low: float, high: float, ulp: float
) -> None:
    f = Function(name, np.vectorize(reference, otypes=[float]), low, high, ulp)
    x = f.samples("float32", 5_000)
    x = x[x != np.floor(x)]
    assert_ulp(f(x), f.reference(x.astype(float)), ulp, x)


def test_erfinv_inverts_erf_in_both_types() -> None:
    for dtype in FLOATS:
        y = np.linspace(-0.95, 0.95, 1001, dtype=dtype)
        back = call(cr.erf, call(cr.erfinv, y))
        np.testing.assert_allclose(back, y, rtol=8 * np.finfo(dtype).eps)


# ---------------------------------------------------------------- special values

SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (2000.0, INF), (-2000.0, 0.0)],
    "exp2": [(0.0, 1.0), (10.0, 1024.0), (-1.0, 0.5), (INF, INF), (-INF, 0.0), (3e3, INF)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-200.0, -1.0), (2000.0, INF)],
    "log": [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-1.0, NAN), (-INF, NAN)],
    "log2": [(1.0, 0.0), (8.0, 3.0), (0.125, -3.0), (0.0, -INF), (INF, INF), (-1.0, NAN)],
    "log10": [(1.0, 0.0), (1000.0, 3.0), (0.0, -INF), (INF, INF), (-1.0, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (INF, INF), (-INF, NAN)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (4.0, 2.0), (INF, INF), (-1.0, NAN), (-INF, NAN)],
    "rsqrt": [(0.0, INF), (-0.0, -INF), (4.0, 0.5), (INF, 0.0), (-1.0, NAN)],
    "reciprocal": [(0.0, INF), (-0.0, -INF), (4.0, 0.25), (INF, 0.0), (-INF, -0.0)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (-1.0, -math.pi / 2), (1.5, NAN)],
    "acos": [(1.0, 0.0), (0.0, math.pi / 2), (-1.0, math.pi), (1.5, NAN), (-INF, NAN)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (2e3, INF), (-2e3, -INF)],
    "cosh": [(0.0, 1.0), (INF, INF), (-INF, INF), (2e3, INF), (-2e3, INF)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (50.0, 1.0)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)],
    "acosh": [(1.0, 0.0), (0.5, NAN), (-1.0, NAN), (INF, INF), (-INF, NAN)],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (INF, NAN)],
    "sigmoid": [(0.0, 0.5), (INF, 1.0), (-INF, 0.0), (2e3, 1.0), (-2e3, 0.0)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (9.0, 1.0)],
    "erfc": [(0.0, 1.0), (INF, 0.0), (-INF, 2.0), (40.0, 0.0), (-9.0, 2.0)],
    "erfinv": [(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (INF, NAN)],
    "lgamma": [(1.0, 0.0), (2.0, 0.0), (0.0, INF), (-1.0, INF), (INF, INF), (-INF, INF)],
    "digamma": [(0.0, -INF), (-0.0, INF), (-1.0, NAN), (INF, INF), (-INF, NAN)],
    "logit": [(0.5, 0.0), (0.0, -INF), (1.0, INF), (-0.5, NAN), (1.5, NAN)],
    "floor": [(-0.5, -1.0), (0.5, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e30, 1e30)],
    "ceil": [(-0.5, -0.0), (0.5, 1.0), (-0.0, -0.0), (INF, INF), (-1e30, -1e30)],
    "round": [(0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, -0.0), (-2.5, -2.0), (INF, INF)],
    "trunc": [(-1.5, -1.0), (1.5, 1.0), (-0.5, -0.0), (-0.0, -0.0), (-INF, -INF)],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str, dtype: str) -> None:
    x, expected = np.array([*SPECIAL[name], (NAN, NAN)], dtype).T.copy()
    got = call(getattr(cr, name), x)
    np.testing.assert_array_equal(got, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "f",
    [F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.silu, F.mish, lambda x: F.softplus(x)],
    ids=["gelu", "gelu-tanh", "silu", "mish", "softplus"],
)
def test_gradients_far_from_zero_are_one_or_zero(f: Callable[..., Any], dtype: str) -> None:
    far = np.array([50.0, 200.0, 1e3, 1e6, 1e12, 1e30, INF], dtype)
    x = cr.from_numpy(np.concatenate([far, -20 * far])).requires_grad_()
    (grad,) = cr.autograd.grad(f(x).sum(), x)
    expected = np.repeat([1.0, 0.0], len(far))
    limits = np.finfo(dtype)
    np.testing.assert_allclose(
        grad.numpy(), expected, rtol=limits.eps, atol=float(limits.smallest_subnormal)
    )


SPECIALS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 1e30, -1e30, INF, -INF, NAN)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("name", "reference"), [("pow", np.power), ("atan2", np.arctan2), ("hypot", np.hypot)]
)
def test_special_pairs(name: str, reference: Any, dtype: str) -> None:
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(SPECIALS, SPECIALS))
    got = call(getattr(cr, name), x, y)
    with np.errstate(all="ignore"):
        expected = reference(x.astype(float), y.astype(float)).astype(dtype)
    np.testing.assert_allclose(got, expected, rtol=3 * np.finfo(dtype).eps)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(expected)[numbers])


@pytest.mark.parametrize("name", ["sin", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1"])
def test_odd_functions_of_subnormals_are_the_identity(name: str) -> None:
    for dtype in FLOATS:
        tiny = np.finfo(dtype).smallest_subnormal * np.arange(-4, 5).astype(dtype)
        np.testing.assert_array_equal(call(getattr(cr, name), tiny), tiny)


def test_logarithms_and_exponentials_of_subnormals() -> None:
    for dtype in FLOATS:
        tiny = np.finfo(dtype).smallest_subnormal
        lowest = round(math.log2(float(tiny)))
        x = np.array([tiny, 4 * float(tiny)], dtype)
        np.testing.assert_array_equal(call(cr.log2, x), np.array([lowest, lowest + 2], dtype))
        exponent = np.array([lowest, lowest + 2, lowest - 2], dtype)
        expected = np.array([tiny, 4 * float(tiny), 0], dtype)
        np.testing.assert_array_equal(call(cr.exp2, exponent), expected)


# ---------------------------------------------------------------- exactness


def test_powers_of_two_and_ten() -> None:
    for dtype in FLOATS:
        n = np.arange(-120, 121, dtype=dtype)
        np.testing.assert_array_equal(call(cr.exp2, n), np.exp2(n))
        np.testing.assert_array_equal(call(cr.log2, np.exp2(n)), n)
        tens = np.arange(-30, 31)
        got = call(cr.log10, np.array([float(f"1e{k}") for k in tens], dtype))
        np.testing.assert_allclose(got, tens.astype(dtype), rtol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", FLOATS)
def test_remainders_are_exact(dtype: str) -> None:
    rng = np.random.default_rng(3)
    x = (rng.standard_normal(20_000) * 1e4).astype(dtype)
    y = np.exp(rng.uniform(-40, 40, 20_000)).astype(dtype)
    y[::2] = rng.standard_normal(10_000).astype(dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(call(cr.fmod, x, y), np.fmod(x, y))
        np.testing.assert_array_equal(call(cr.remainder, x, y), np.remainder(x, y))
        np.testing.assert_array_equal(call(cr.floor_divide, x, y), np.floor_divide(x, y))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("f", [*NUMPY, *MPMATH], ids=lambda f: f"{f.name}{f.low:g}to{f.high:g}")
def test_a_result_does_not_depend_on_its_place(f: Function, dtype: str) -> None:
    x = f.samples(dtype, 200)  # several rounds of the widest loop
    whole = f(x)
    for start in range(20):
        for stop in (start, start + 1, start + 7, start + 70, len(x)):
            part = f(x[start:stop].copy())
            assert part.tobytes() == whole[start:stop].tobytes(), (start, stop)


def test_an_awkward_neighbour_changes_nothing() -> None:
    # Lanes that need the C library (huge quotients, huge angles) leave the others as they were.
    for dtype in FLOATS:
        x = np.linspace(-9, 9, 37, dtype=dtype)
        y = np.full_like(x, 0.7)
        for awkward in (1e30, INF, NAN):
            for at in range(0, 37, 5):
                x2 = x.copy()
                x2[at] = awkward
                others = np.arange(37) != at
                for f, operands in (
                    (cr.fmod, (y,)), (cr.floor_divide, (y,)), (cr.sin, ()), (F.gelu, ()),
                ):  # fmt: skip
                    before, after = call(f, x, *operands), call(f, x2, *operands)
                    assert before[others].tobytes() == after[others].tobytes()


# ---------------------------------------------------------------- integers

INTEGERS = ("uint8", "int8", "int16", "int32", "int64")


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_division_never_traps(dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.max, 0, 1, 7] * 9, dtype)
    zero = np.zeros_like(x)
    for f in (cr.floor_divide, cr.remainder, cr.fmod):
        np.testing.assert_array_equal(call(f, x, zero), zero)
    if limits.min < 0:
        ones = np.full_like(x, -1)
        np.testing.assert_array_equal(call(cr.floor_divide, x, ones), zero - x)
        np.testing.assert_array_equal(call(cr.remainder, x, ones), zero)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap(dtype: str) -> None:
    rng = np.random.default_rng(4)
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max, 1000, dtype, endpoint=True)
    y = rng.integers(limits.min, limits.max, 1000, dtype, endpoint=True)
    with np.errstate(over="ignore"):
        for f, reference in ((cr.add, np.add), (cr.sub, np.subtract), (cr.mul, np.multiply)):
            np.testing.assert_array_equal(call(f, x, y), reference(x, y))
        np.testing.assert_array_equal(call(cr.neg, x), -x)
        np.testing.assert_array_equal(call(cr.abs, x), np.abs(x))
        np.testing.assert_array_equal(call(cr.square, x), x * x)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts_by_any_count(dtype: str) -> None:
    limits = np.iinfo(dtype)
    counts = [*range(limits.bits), limits.bits, limits.bits + 1, limits.max]
    counts += [-1, limits.min] if limits.min < 0 else []
    for value in (limits.min, limits.max, 1, 5):
        x, n = np.full(len(counts), value, dtype), np.array(counts, dtype)
        inside = (n >= 0) & (n < limits.bits)
        safe = np.where(inside, n, 0).astype(dtype)
        np.testing.assert_array_equal(
            call(cr.bitwise_left_shift, x, n), np.where(inside, x << safe, 0).astype(dtype)
        )
        filled = np.where(inside, x >> safe, -1 if value < 0 else 0).astype(dtype)
        np.testing.assert_array_equal(call(cr.bitwise_right_shift, x, n), filled)


def exact_truncation(value: float, limits: np.iinfo) -> int:
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return int(limits.max if value > 0 else limits.min)
    return max(int(limits.min), min(int(limits.max), math.trunc(value)))


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_floats_become_integers_by_saturation(source: str, target: str) -> None:
    limits = np.iinfo(target)
    edges = [float(limits.max), float(limits.min), 2.0**31, 2.0**63, 1e30, INF, NAN, 0.99, 1.5]
    x = np.array([s * e for e in edges for s in (1, -1)], source)
    x = np.concatenate([x, np.nextafter(x, np.zeros_like(x))])
    expected = [exact_truncation(float(v), limits) for v in x]
    got = cr.from_numpy(x).to(getattr(cr, target)).numpy()
    assert got.tolist() == expected


# ---------------------------------------------------------------- the other instruction sets


@pytest.mark.skipif("CHAINRULE_ISA" in os.environ, reason="already one of several")
@pytest.mark.parametrize("level", ["baseline", "v3"])
def test_the_same_on_other_instruction_sets(level: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        command, env=os.environ | {"CHAINRULE_ISA": level}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]
