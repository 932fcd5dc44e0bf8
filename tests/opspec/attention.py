"""Rows of attention."""

from typing import Any

import numpy as np

from .base import Bad, Op, T, case


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if enable_gqa:
        group = query.shape[-3] // key.shape[-3]
        key, value = np.repeat(key, group, -3), np.repeat(value, group, -3)
    scale = 1 / np.sqrt(query.dtype.type(max(query.shape[-1], 1))) if scale is None else scale
    scores = scale * (query @ np.swapaxes(key, -1, -2))
    if attn_mask is not None:
        additive = np.where(attn_mask, 0, -np.inf) if attn_mask.dtype == bool else attn_mask
        scores = scores + additive
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    highest = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    total = weights.sum(-1, keepdims=True)
    return weights @ value / np.where(total == 0, 1, total)


SPARSE = np.random.default_rng(0).random((7, 9)) < 0.6
SPARSE[2] = False  # a query that sees nothing
Q, K, V = T((2, 3, 7, 5)), T((2, 3, 9, 5)), T((2, 3, 9, 4))
_NAME = "^scaled_dot_product_attention: "


ROWS = (
    Op(
        "scaled_dot_product_attention",
        attention,
        (
            case(Q, K, V),
            case(Q, K, V, SPARSE),
            case(Q, K, V, T((3, 7, 9))),
            case(Q, K, V, T((2, 1, 1, 9)), is_causal=True),
            case(Q, K, V, is_causal=True, scale=0.3),
            case(T((4, 5)), T((6, 5)), T((6, 2))),
            case(T((2, 1, 4, 5)), T((3, 6, 5)), T((6, 2)), SPARSE[:4, :6]),
            case(T((2, 6, 4, 5)), T((2, 3, 6, 5)), T((2, 3, 6, 2)), enable_gqa=True),
            case(T((6, 4, 5)), T((2, 6, 5)), T((2, 6, 2)), T((6, 4, 6)), enable_gqa=True),
            case(T((2, 3, 5)), T((2, 0, 5)), T((2, 0, 4))),
            case(T((2, 0, 5)), T((2, 3, 5)), T((2, 3, 4))),
            case(T((3, 0)), T((5, 0)), T((5, 2))),
        ),
        path="nn.functional.scaled_dot_product_attention",
        names=("query", "key", "value", "attn_mask", "dropout_p", "is_causal"),
        dtypes="f",
        grad=(True, True, True, True),
        ulp=20,  # scores up to 45: an error of their last place is as large in the exponential
        scale=lambda *_, **__: np.asarray(6.0),
        big=case(T((2, 3, 150, 20)), T((2, 3, 300, 20)), T((2, 3, 300, 33)), is_causal=True),
        bad=(
            Bad(
                case(Q, T((2, 3, 9, 4)), V), ValueError, _NAME + r".*\(2, 3, 7, 5\).*\(2, 3, 9, 4\)"
            ),
            Bad(case(Q, K, T((2, 3, 8, 4))), ValueError, _NAME + r".*\(2, 3, 8, 4\)"),
            Bad(case(T((5,)), K, V), ValueError, _NAME + r"query has shape \(5,\)"),
            Bad(case(T((2, 6, 7, 5)), K, V), ValueError, _NAME + ".*broadcast.*enable_gqa=True"),
            Bad(
                case(T((2, 4, 7, 5)), K, V, enable_gqa=True),
                ValueError,
                _NAME + ".*4 heads .* multiple of the 3",
            ),
            Bad(case(Q, K, V, np.ones((7, 8), bool)), ValueError, _NAME + r"attn_mask .*\(7, 8\)"),
            Bad(case(Q, K, V, np.ones((7, 9), int)), TypeError, _NAME + "attn_mask is .*int64"),
            Bad(case(Q, K, V, dropout_p=1.5), ValueError, _NAME + "dropout_p .*1.5"),
            Bad(case(Q, T((2, 3, 9, 5), dtype="float64"), V), TypeError, _NAME + "key is .*64"),
        ),
    ),
)
