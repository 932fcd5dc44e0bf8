"""Rows that choose elements by indices or masks."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case

X = T((3, 4, 5))


def _index(*shape: int, n: int) -> T:
    """Indices in [0, n)."""
    return T(shape, 0, n - 1, dtype="int64")


def _along(index: np.ndarray, dim: int) -> tuple[Any, ...]:
    """NumPy's index for gather and scatter: `index` along `dim`, its own position elsewhere."""
    grid = list(np.indices(index.shape))
    grid[dim] = index
    return tuple(grid)


def _gather(x: Any, dim: int, index: Any) -> Any:
    return x[_along(index, dim)] if x.ndim else x


def _scatter(x: Any, dim: int, index: Any, src: Any) -> Any:
    result = x.copy()
    where = _along(index, dim)
    result[where] = src if np.ndim(src) == 0 else src[tuple(slice(n) for n in index.shape)]
    return result


def _scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    result = x.copy()
    where = _along(index, dim)
    np.add.at(result, where, src[tuple(slice(n) for n in index.shape)])
    return result


def _index_add(x: Any, dim: int, index: Any, source: Any, alpha: float = 1) -> Any:
    result = np.moveaxis(x.copy(), dim, 0)
    np.add.at(result, index, alpha * np.moveaxis(source, dim, 0))
    return np.moveaxis(result, 0, dim)


def _masked_fill(x: Any, mask: Any, value: Any) -> Any:
    x, mask = np.broadcast_arrays(x, mask)
    return np.where(mask, np.asarray(value, x.dtype), x)


def _masked_select(x: Any, mask: Any) -> Any:
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


# No index twice along dimension 1, so that scatter has one answer.
UNIQUE = np.argsort(np.random.default_rng(0).random((3, 4, 5)), axis=1)[:, :2]
BIG = T((257, 1031))
BIG_INDEX = _index(257, 500, n=1031)
_NAMES = ("input", "dim", "index", "src")


def _row(name: str, ref: Any, *cases: Case, **row: Any) -> Op:
    row.setdefault("also", (f"Tensor.{name}",))
    return Op(name, ref, cases, **row)


ROWS = (
    _row(
        "gather",
        _gather,
        case(X, 1, _index(3, 2, 5, n=4)),
        case(X, 0, _index(7, 4, 5, n=3)),
        case(X, -1, _index(2, 3, 9, n=5)),
        case(T((5,)), 0, _index(0, n=5)),
        case(T(()), 0, np.array(0)),
        names=("input", "dim", "index"),
        big=case(BIG, 1, BIG_INDEX),
        bad=(
            Bad(case(X, 1, np.full((3, 1, 5), 4)), IndexError, r"^gather: .*\b4\b"),
            Bad(case(X, 1, np.full((3, 1, 5), -5)), IndexError, r"^gather: .*-5"),
            Bad(case(X, 1, np.zeros((3, 4), np.int64)), ValueError, r"^gather: .*\(3, 4\)"),
            Bad(case(X, 1, np.zeros((4, 1, 5), np.int64)), ValueError, r"^gather: .*\(4, 1, 5\)"),
            Bad(case(X, 1, np.zeros((3, 1, 5))), IndexError, r"^gather: .*float"),
            Bad(case(X, 3, np.zeros((3, 1, 5), np.int64)), IndexError, r"^gather: .*\b3\b"),
        ),
    ),
    _row(
        "scatter",
        _scatter,
        case(X, 1, UNIQUE, T((3, 2, 5))),
        case(X, 1, UNIQUE[:2], T((3, 4, 5))),
        case(X, 1, UNIQUE, 2.5),
        names=_NAMES,
        inplace=True,
        result="same",
        bad=(
            Bad(case(X, 1, UNIQUE + 3, T((3, 2, 5))), IndexError, r"^scatter: "),
            Bad(case(X, 1, UNIQUE, T((3, 1, 5))), ValueError, r"^scatter: .*\(3, 1, 5\)"),
        ),
    ),
    _row(
        "scatter_add",
        _scatter_add,
        case(X, 1, _index(3, 2, 5, n=4), T((3, 2, 5))),
        case(X, 0, _index(6, 4, 5, n=3), T((7, 4, 5))),
        case(T((2,)), 0, _index(40, n=2), T((40,))),
        names=_NAMES,
        inplace=True,
        ulp=4,
        scale=lambda x, dim, index, src: _scatter_add(np.abs(x), dim, index, np.abs(src)),
        dtypes="uif",
        refused="",
        big=case(BIG, 1, BIG_INDEX, T((257, 500))),
        bad=(
            Bad(case(X, 1, UNIQUE + 3, T((3, 2, 5))), IndexError, r"^scatter_add: "),
            Bad(case(X, 1, UNIQUE, T((3, 1, 5))), ValueError, r"^scatter_add: .*\(3, 1, 5\)"),
        ),
    ),
    _row(
        "index_select",
        lambda x, dim, index: np.take(x, index, axis=dim),
        case(X, 1, _index(7, n=4)),
        case(X, -1, _index(2, n=5)),
        case(X, 0, _index(0, n=3)),
        case(T((4,)), 0, _index(9, n=4)),
        names=("input", "dim", "index"),
        big=case(BIG, 0, _index(600, n=257)),
        bad=(
            Bad(case(X, 1, np.array([0, 4])), IndexError, r"^index_select: .*\b4\b"),
            Bad(case(X, 1, np.array([[0, 1]])), ValueError, r"^index_select: .*\(1, 2\)"),
            Bad(case(X, 1, np.array([0.5])), IndexError, r"^index_select: .*float"),
        ),
    ),
    _row(
        "index_add",
        _index_add,
        case(X, 1, _index(7, n=4), T((3, 7, 5))),
        case(X, 0, _index(2, n=3), T((2, 4, 5)), alpha=2),
        names=("input", "dim", "index", "source"),
        inplace=True,
        ulp=4,
        scale=lambda x, dim, index, source, alpha=1: _index_add(
            np.abs(x), dim, index, np.abs(source), abs(alpha)
        ),
        dtypes="uif",
        refused="",
        big=case(BIG, 0, _index(600, n=257), T((600, 1031))),
        bad=(
            Bad(case(X, 1, np.array([9]), T((3, 1, 5))), IndexError, r"^index_add: .*\b9\b"),
            Bad(case(X, 1, np.array([0]), T((3, 2, 5))), ValueError, r"^index_add: "),
        ),
    ),
    _row(
        "masked_fill",
        _masked_fill,
        case(X, T((3, 4, 5), dtype="bool"), 2),
        case(X, T((5,), dtype="bool"), -1.0),
        case(X, T((4, 1), dtype="bool"), T(())),
        case(T((0, 3)), T((3,), dtype="bool"), 1.0),
        names=("input", "mask", "value"),
        dtypes="uif",
        refused="",
        inplace=True,
        grad=(True, False, True),
        big=case(BIG, T((257, 1031), dtype="bool"), 2.0),
        bad=(
            Bad(case(X, T((3, 4, 5), dtype="float32"), 1), TypeError, r"^masked_fill: .*bool"),
            Bad(case(X, T((3,), dtype="bool"), 1), ValueError, r"^masked_fill: .*\(3,\)"),
        ),
    ),
    _row(
        "masked_select",
        _masked_select,
        case(X, T((3, 4, 5), dtype="bool")),
        case(X, T((5,), dtype="bool")),
        case(X, np.zeros((3, 4, 5), bool)),
        names=("input", "mask"),
        big=case(BIG, T((257, 1031), dtype="bool")),
        bad=(
            Bad(case(X, T((3, 4, 5), dtype="int64")), TypeError, r"^masked_select: .*bool"),
            Bad(case(X, T((3,), dtype="bool")), ValueError, r"^masked_select: .*\(3,\)"),
        ),
    ),
    _row(
        "nonzero",
        lambda x: np.argwhere(x),
        case(T((3, 4, 5), step=1.0)),
        case(T((7,), step=1.0)),
        case(T((0, 3))),
        result="int64",
        grad=False,
        big=case(T((257, 1031), step=1.0)),
    ),
)
