"""Rows that reduce or scan along dimensions."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case


def _axes(dim: Any) -> Any:
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


def _reduction(f: Any) -> Any:
    """The reference with torch's parameter names."""

    def ref(x: Any, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
        return f(x, axis=_axes(dim), keepdims=keepdim, **kwargs)

    return ref


def _row_length(x: Any, reduced: Any) -> int:
    """How many terms each result has."""
    return max(x.size // max(np.size(reduced), 1), 1)


def _sum_scale(x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    """sqrt(K) |x| |1| for rows of K terms: what rounding a sum of K terms may lose."""
    squares = np.sum(x * x, axis=_axes(dim), keepdims=keepdim)
    return np.sqrt(squares) * _row_length(x, squares)


def _mean_scale(x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    total = _sum_scale(x, dim, keepdim)
    return total / _row_length(x, total)


def _var(
    x: Any, axis: Any, keepdims: bool, correction: int = 1, unbiased: bool | None = None
) -> Any:
    ddof = correction if unbiased is None else int(unbiased)
    return np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)


def _std(x: Any, **kwargs: Any) -> Any:
    return np.sqrt(_var(x, **kwargs))


def _moment_scale(x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    return np.sum(x * x, axis=_axes(dim), keepdims=keepdim)


def _norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    axis = _axes(dim)
    if p == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdim)
    if p == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdim).astype(x.dtype)
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdim) ** (1.0 / p)


def _logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    axis = _axes(dim)
    shift = np.max(x, axis=axis, keepdims=True)
    result = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return result if keepdim else np.squeeze(result, axis=axis)


def _log_softmax(x: Any, dim: int) -> Any:
    return x - _logsumexp(x, dim, True)


def _softmax(x: Any, dim: int) -> Any:
    return np.exp(_log_softmax(x, dim))


def _argreduce(f: Any) -> Any:
    def ref(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return f(x, axis=dim, keepdims=keepdim)

    return ref


def _extreme(values: Any, indices: Any) -> Any:
    """max and min: of everything, or values and indices along one dimension."""

    def ref(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        best = values(x, axis=dim, keepdims=keepdim)
        return best if dim is None else (best, indices(x, axis=dim, keepdims=keepdim))

    return ref


X = T((3, 4, 5))
DISTINCT = T((3, 4, 5), distinct=True)


def _grid(x: T, *, several: bool = True) -> tuple[Case, ...]:
    """One dimension, from the end, several, all, kept, and 0-d."""
    some = (case(x, (0, 2)), case(x, [1, 2], keepdim=True)) if several else ()
    return (
        case(x),
        case(x, 0),
        case(x, 1),
        case(x, -1),
        case(x, dim=2, keepdim=True),
        case(T(())),
        *some,
    )


_EMPTY = (case(T((0, 3)), 0), case(T((3, 0)), 0))
_NAMES = ("input", "dim", "keepdim")
# More rows than one thread takes, in both directions.
BIG = T((257, 1031))


def _bad(name: str) -> tuple[Bad, ...]:
    return (
        Bad(case(X, 3), IndexError, rf"^{name}(_dim)?: .*\b3\b.*expected -3 to 2"),
        Bad(case(X, -4), IndexError, rf"^{name}(_dim)?: .*-4.*expected -3 to 2"),
    )


def _repeated(name: str) -> tuple[Bad, ...]:
    return (Bad(case(X, (1, -2)), RuntimeError, rf"^{name}: dimension 1 .*twice"),)


def _along(name: str, ref: Any, **row: Any) -> Op:
    row.setdefault("also", (f"Tensor.{name}",))
    row.setdefault("names", _NAMES)
    return Op(name, ref, row.pop("cases"), big=row.pop("big", case(BIG, 1)), **row)


ROWS = (
    _along(
        "sum",
        _reduction(np.sum),
        cases=_grid(X) + _EMPTY + (case(T((2, 1000)), 1), case(T((1000, 3)), 0)),
        result="sum",
        ulp=0.5,
        scale=_sum_scale,
        bad=_bad("sum") + _repeated("sum"),
    ),
    _along(
        "mean",
        _reduction(np.mean),
        cases=(*_grid(X), case(T((2, 1000)), 1)),
        dtypes="f",
        ulp=0.5,
        scale=_mean_scale,
        bad=(*_bad("mean"), Bad(case(X), TypeError, r"^mean: .*int64", dtype="int64")),
    ),
    _along(
        "prod",
        _reduction(np.prod),
        cases=(
            *_grid(T((3, 4, 5), 0.5, 1.5), several=False),
            *_EMPTY,
            # Zeros: none, one and two in a row.
            case(np.array([[1.0, 2, 3], [4, 0, 5], [0, 6, 0]]), 1),
            case(np.array([[1.0, 2, 3], [4, 0, 5], [0, 6, 0]])),
        ),
        result="sum",
        ulp=60,
        bad=_bad("prod"),
    ),
    _along(
        "max",
        _extreme(np.max, np.argmax),
        cases=_grid(DISTINCT, several=False),
        result=("same", "int64"),
        bad=(
            *_bad("max"),
            Bad(case(T((0, 3)), 0), IndexError, r"^max: .*\(0, 3\)"),
            Bad(case(T((0,))), IndexError, r"^amax: .*\(0,\)"),
        ),
    ),
    _along(
        "min",
        _extreme(np.min, np.argmin),
        cases=_grid(DISTINCT, several=False),
        result=("same", "int64"),
        bad=_bad("min"),
    ),
    _along("amax", _reduction(np.max), cases=_grid(DISTINCT), bad=_bad("amax")),
    _along("amin", _reduction(np.min), cases=_grid(DISTINCT), bad=_bad("amin")),
    _along(
        "argmax",
        _argreduce(np.argmax),
        cases=_grid(DISTINCT, several=False),
        result="int64",
        grad=False,
        dtypes="uif",
        refused="",
        bad=_bad("argmax"),
    ),
    _along(
        "argmin",
        _argreduce(np.argmin),
        cases=_grid(DISTINCT, several=False),
        result="int64",
        grad=False,
        dtypes="uif",
        refused="",
        bad=_bad("argmin"),
    ),
    _along(
        "all",
        _reduction(np.all),
        cases=_grid(T((3, 4, 5), step=1.0)) + _EMPTY,
        result="bool",
        grad=False,
        dtypes="bif",
        refused="",
        bad=_bad("all"),
    ),
    _along(
        "any",
        _reduction(np.any),
        cases=_grid(T((3, 4, 5), step=1.0)) + _EMPTY,
        result="bool",
        grad=False,
        dtypes="bif",
        refused="",
        bad=_bad("any"),
    ),
    _along(
        "var",
        _reduction(_var),
        cases=(
            *(c for c in _grid(X) if c.args[0].shape),
            case(X, 1, correction=0),
            case(X, 1, unbiased=False),
            case(X, 1, unbiased=True),
            case(X, (0, 2), correction=2, keepdim=True),
            case(T((2, 1000), 5, 6), 1),
        ),
        names=("input", "dim"),
        dtypes="f",
        ulp=2,
        scale=_moment_scale,
        bad=_bad("var"),
    ),
    _along(
        "std",
        _reduction(_std),
        cases=(
            *(c for c in _grid(X) if c.args[0].shape),
            case(X, 1, correction=0),
            case(X, 1, unbiased=False),
            case(T((2, 1000), 5, 6), 1),
        ),
        names=("input", "dim"),
        dtypes="f",
        ulp=2,
        scale=_moment_scale,
        bad=_bad("std"),
    ),
    _along(
        "norm",
        _norm,
        cases=(
            case(X),
            case(X, 2, 1),
            case(X, 1, 0),
            case(X, 3, (0, 2)),
            case(X, float("inf"), -1, keepdim=True),
            case(X, 2.5, 1, True),
            Case((X, 0, 1), grad=False),
            case(T(())),
        ),
        names=("input", "p", "dim", "keepdim"),
        dtypes="f",
        ulp=16,
        big=case(BIG, 2, 1),
        bad=(Bad(case(X, 2, 3), IndexError, r"norm: .*\b3\b.*expected -3 to 2"),),
    ),
    _along(
        "logsumexp",
        _logsumexp,
        cases=(case(X, 1), case(X, (0, 2)), case(X, -1, keepdim=True), case(T((2, 90), 80, 99), 1)),
        dtypes="f",
        refused="",
        ulp=2,
        scale=lambda x, dim, keepdim=False: np.abs(_logsumexp(x, dim, keepdim)) + 4,
        bad=_bad("logsumexp"),
    ),
    _along(
        "cumsum",
        lambda x, dim: np.cumsum(x, axis=dim),
        cases=(case(X, 1), case(X, 0), case(X, -1), case(T((0, 3)), 0), case(T((2, 1000)), 1)),
        names=("input", "dim"),
        result="sum",
        ulp=1,
        scale=lambda x, dim: np.sqrt(
            np.cumsum(x * x, axis=dim) * x.shape[dim] if x.ndim else np.abs(x)
        ),
        inplace=True,
        bad=_bad("cumsum"),
    ),
    _along(
        "cumprod",
        lambda x, dim: np.cumprod(x, axis=dim),
        cases=(
            case(T((3, 4, 5), 0.5, 1.5), 1),
            case(T((3, 4, 5), 0.5, 1.5), -1),
            case(T((0, 3)), 0),
            # Zeros: none, one and two in a row.
            case(np.array([[1.0, 2, 3], [4, 0, 5], [0, 6, 0]]), 1),
        ),
        names=("input", "dim"),
        result="sum",
        ulp=8,
        big=case(T((2571, 13), 0.5, 1.5), 1),
        inplace=True,
        bad=_bad("cumprod"),
    ),
    _along(
        "softmax",
        _softmax,
        cases=(
            case(X, 1),
            case(X, 0),
            case(X, -1),
            case(T((2, 3, 21)), 1),
            case(T((2, 90), 80, 99), 1),
            case(T(()), 0),
        ),
        also=("Tensor.softmax", "nn.functional.softmax"),
        names=("input", "dim"),
        dtypes="f",
        refused="",
        ulp=30,
        big=case(T((2571, 131)), 1),
        bad=_bad("softmax"),
    ),
    _along(
        "log_softmax",
        _log_softmax,
        cases=(
            case(X, 1),
            case(X, 0),
            case(X, -1),
            case(T((2, 3, 21)), 1),
            case(T((2, 90), 80, 99), 1),
            case(T(()), 0),
        ),
        also=("Tensor.log_softmax", "nn.functional.log_softmax"),
        names=("input", "dim"),
        dtypes="f",
        refused="",
        ulp=3,
        scale=lambda x, dim: np.abs(x) + np.abs(_log_softmax(x, dim)) + 4,
        big=case(T((2571, 131)), 1),
        bad=_bad("log_softmax"),
    ),
)
