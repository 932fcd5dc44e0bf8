"""Rows of the matrix products. tests/test_matmul.py has what is particular to them."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    return x @ weight.T + (0 if bias is None else bias)


def _addmm(x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1) -> Any:
    return beta * x + alpha * (a @ b)


def _scale(f: Any) -> Any:
    """sqrt(K) |a| |b|: what a sum of K products may lose."""

    def scale(*args: Any, **kwargs: Any) -> Any:
        factors = [np.abs(a) for a in args]
        depth = args[0].shape[-1] if f is not _addmm else args[1].shape[-1]
        kwargs = {k: np.abs(v) for k, v in kwargs.items()}
        return np.sqrt(depth + 1) * f(*factors, **kwargs)

    return scale


def _row(name: str, ref: Any, *cases: Case, **row: Any) -> Op:
    row.setdefault("scale", _scale(ref))
    row.setdefault("also", (f"Tensor.{name}",))
    return Op(name, ref, cases, dtypes="uif", ulp=2, **row)


M, K, N = 5, 4, 3
A, B, VECTOR = T((M, K)), T((K, N)), T((K,))
BIG = T((300, 520)), T((520, 410))
TWO_VECTORS = Bad(case(VECTOR, B), ValueError, r"\(4,\).*expected 2 dimensions")
MIXED = Bad(case(A, np.ones((K, N), "int64")), TypeError, "differ in dtype.*float32 and int64")

ROWS = (
    _row(
        "matmul",
        np.matmul,
        case(A, B),
        case(VECTOR, VECTOR),
        case(VECTOR, B),
        case(A, VECTOR),
        case(T((2, M, K)), B),
        case(T((2, M, K)), T((2, K, N))),
        case(A, T((2, K, N))),
        case(T((3, 1, M, K)), T((2, K, N))),
        case(T((2, 3, M, K)), VECTOR),
        case(VECTOR, T((2, 3, K, N))),
        case(T((2, 1, K)), B),
        case(T((M, 1)), T((1, N))),
        case(T((1, 1)), T((1, 1))),
        case(T((M, 0)), T((0, N))),
        case(T((0, K)), B),
        case(T((2, 0, M, K)), T((K, 0))),
        names=("input", "other"),
        big=case(*BIG),
        bad=(
            Bad(case(A, T((3, N))), ValueError, r"matmul: inner sizes.*\(5, 4\) and \(3, 3\)"),
            Bad(case(A, T((5,))), ValueError, r"matmul: inner sizes differ.*\[0\] == 4"),
            Bad(case(T((2, M, K)), T((3, K, N))), ValueError, r"batch sizes \(2,\) and \(3,\)"),
            Bad(case(T(()), B), ValueError, "at least 1 dimension"),
            MIXED,
        ),
    ),
    _row(
        "linear",
        _linear,
        case(A, T((N, K)), T((N,))),
        case(A, T((N, K))),
        case(VECTOR, T((N, K)), T((N,))),
        case(T((2, 3, K)), T((N, K)), T((N,))),
        case(T((0, K)), T((N, K)), T((N,))),
        case(T((M, 0)), T((N, 0)), T((N,))),
        path="nn.functional.linear",
        also=(),
        names=("input", "weight", "bias"),
        big=case(T((300, 520)), T((410, 520)), T((410,))),
        bad=(
            Bad(case(A, B), ValueError, r"linear: .*\(5, 4\) and \(4, 3\).*shape\[-1\] == 3"),
            Bad(case(A, T((K,))), ValueError, r"\(4,\).*\(out_features, in_features\)"),
            Bad(case(A, T((N, K)), T((K,))), ValueError, r"bias of shape \(4,\); expected \(3,\)"),
            Bad(case(T(()), T((N, K))), ValueError, "at least 1 dimension"),
        ),
    ),
    _row("mm", np.matmul, case(A, B), names=("input", "mat2"), bad=(TWO_VECTORS, MIXED)),
    _row(
        "bmm",
        np.matmul,
        case(T((2, M, K)), T((2, K, N))),
        names=("input", "mat2"),
        big=case(T((64, 50, 60)), T((64, 60, 70))),
        bad=(
            Bad(case(A, B), ValueError, "bmm: .*expected 3 dimensions"),
            Bad(case(T((2, M, K)), T((1, K, N))), ValueError, "bmm: batch sizes differ"),
        ),
    ),
    _row(
        "mv",
        np.matmul,
        case(A, VECTOR),
        names=("input", "vec"),
        big=case(T((1031, 700)), T((700,))),
        bad=(Bad(case(A, B), ValueError, "mv: other .*expected 1 dimension;"),),
    ),
    _row(
        "dot",
        np.dot,
        case(VECTOR, VECTOR),
        names=("input", "tensor"),
        big=case(T((100_003,)), T((100_003,))),
        bad=(Bad(case(VECTOR, T((3,))), ValueError, r"inner sizes differ .*\(4,\) and \(3,\)"),),
    ),
    Op(
        "outer",
        np.outer,
        (case(T((M,)), T((N,))),),
        also=("Tensor.outer",),
        names=("input", "vec2"),
        result="promote",
        bad=(Bad(case(A, VECTOR), ValueError, "outer: input .*expected 1 dimension;"),),
    ),
    _row(
        "addmm",
        _addmm,
        case(T((M, N)), A, B),
        case(T((N,)), A, B),
        case(T((M, 1)), A, B, beta=2, alpha=-3),
        case(T((M, N)), A, B, beta=0),
        names=("input", "mat1", "mat2"),
        inplace=True,
        bad=(
            Bad(case(T((4, N)), A, B), ValueError, r"^addmm: input of shape \(4, 3\).*\(5, 3\)"),
            Bad(case(np.ones(N, "int64"), A, B), TypeError, "^addmm: .*int64 and float32"),
        ),
    ),
    _row(
        "baddbmm",
        _addmm,
        case(T((2, M, N)), T((2, M, K)), T((2, K, N))),
        case(T((N,)), T((2, M, K)), T((2, K, N)), beta=2, alpha=3),
        names=("input", "batch1", "batch2"),
        inplace=True,
        bad=(Bad(case(A, A, B), ValueError, "^baddbmm: .*expected 3 dimensions"),),
    ),
)
