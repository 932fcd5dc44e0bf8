"""Rows of tables of vectors."""

from typing import Any

import numpy as np

from .base import Bad, Op, T, case

_MODES = {"sum": np.sum, "mean": np.mean, "max": np.max}


def embedding_bag(
    x: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    factors = np.ones(x.shape) if per_sample_weights is None else per_sample_weights
    if x.ndim == 2:
        bags = list(zip(x, factors, strict=True))
    else:
        ends = offsets[1:] if include_last_offset else [*offsets[1:], len(x)]
        cuts = zip(offsets, ends, strict=False)
        bags = [(x[a:b], factors[a:b]) for a, b in cuts]
    out = np.zeros((len(bags), weight.shape[1]), weight.dtype)
    for i, (numbers, parts) in enumerate(bags):
        kept = np.ones(len(numbers), bool) if padding_idx is None else numbers != padding_idx
        if kept.any():
            out[i] = _MODES[mode](weight[numbers[kept]] * parts[kept][:, None], 0)
    return out


NUMBERS = np.array([[0, 3, 3, 1], [4, 4, 2, 0], [3, 1, 0, 0]])
W = T((5, 7), distinct=True)
FLAT = NUMBERS.reshape(-1)
CUTS = np.array([0, 2, 2, 7])
_NAME = "^embedding_bag: "


ROWS = (
    Op(
        "embedding_bag",
        embedding_bag,
        (
            case(NUMBERS, W),
            case(NUMBERS, W, mode="sum"),
            case(NUMBERS, W, mode="max"),
            case(NUMBERS.astype(np.int32), W, mode="sum", per_sample_weights=T((3, 4))),
            case(FLAT, W, CUTS),
            case(FLAT, W, CUTS, mode="max"),
            case(FLAT, W, CUTS, mode="sum", per_sample_weights=T((12,))),
            case(FLAT, W, np.array([0, 5, 9]), mode="sum", include_last_offset=True),
            case(NUMBERS, W, padding_idx=3),
            case(FLAT, W, CUTS, mode="sum", per_sample_weights=T((12,)), padding_idx=0),
            case(NUMBERS[:, :2], W, mode="max", padding_idx=4),
            case(NUMBERS, T((5, 150), distinct=True)),
            case(np.zeros((2, 0), np.int64), W),
            case(np.zeros(0, np.int64), W, np.zeros(2, np.int64), mode="max"),
        ),
        path="nn.functional.embedding_bag",
        names=("input", "weight", "offsets"),
        dtypes="f",
        grad=(False, True, False, True),
        ulp=8,
        scale=lambda *_, **__: np.asarray(8.0),
        big=case(T((300, 40), 0, 999, dtype="int64"), T((1000, 130)), mode="sum"),
        bad=(
            Bad(case(NUMBERS + 1, W), IndexError, _NAME + r"index 5 .*size 5"),
            Bad(case(NUMBERS - 1, W), IndexError, _NAME + r"index -1 "),
            Bad(case(NUMBERS, T((5,))), ValueError, _NAME + r"weight .*\(5,\).*\(V, D\)"),
            Bad(case(T((3, 4)), W), TypeError, _NAME + ".*float32.*int64"),
            Bad(case(NUMBERS, W, CUTS), ValueError, _NAME + r"offsets .*\(3, 4\)"),
            Bad(case(FLAT, W), ValueError, _NAME + r".*\(12,\) and offsets None"),
            Bad(case(FLAT, W, np.array([1, 2])), ValueError, _NAME + "offsets begin with 0"),
            Bad(case(FLAT, W, np.array([0, 4, 2])), ValueError, _NAME + r"offsets .*2 after 4"),
            Bad(case(FLAT, W, np.array([0, 13])), ValueError, _NAME + r"offsets .*12 after 13"),
            Bad(
                case(FLAT, W, np.array([0, 13]), include_last_offset=True),
                ValueError,
                _NAME + "the last offset is 13; expected at most 12",
            ),
            Bad(case(FLAT, W, np.array([0.0])), TypeError, _NAME + "offsets .*float"),
            Bad(case(NUMBERS, W, mode="min"), ValueError, _NAME + "mode='min'"),
            Bad(case(NUMBERS, W, sparse=True), ValueError, _NAME + "sparse=True"),
            Bad(case(NUMBERS, W, padding_idx=5), ValueError, _NAME + "padding_idx .*got 5"),
            Bad(
                case(NUMBERS, W, mode="max", scale_grad_by_freq=True),
                ValueError,
                _NAME + "scale_grad_by_freq",
            ),
            Bad(
                case(NUMBERS, W, per_sample_weights=T((3, 4))),
                ValueError,
                _NAME + "per_sample_weights .*mean",
            ),
            Bad(
                case(NUMBERS, W, mode="sum", per_sample_weights=T((4, 3))),
                ValueError,
                _NAME + r"per_sample_weights .*\(4, 3\).*\(3, 4\)",
            ),
        ),
    ),
)
