"""Rows of losses."""

from typing import Any

import numpy as np

from .base import Bad, Case, Op, T, case
from .reduce import _log_softmax

N, C = 6, 5
BIG = T((2571, 131))
BIG_LABELS = T((2571,), 0, 130, dtype="int64")
LABELS = T((N,), 0, C - 1, dtype="int64")
IGNORED = np.array([0, -100, 2, 4, -100, 1])


def reduced(values: Any, reduction: str = "mean") -> Any:
    return {"none": lambda v: v, "mean": np.mean, "sum": np.sum}[reduction](values)


def _nll(
    logp: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    smoothing: float = 0.0,
) -> Any:
    classes = 0 if logp.ndim == 1 else 1
    logp = np.moveaxis(logp, classes, -1)
    weight = np.ones(logp.shape[-1]) if weight is None else weight
    keep = target != ignore_index
    label = np.where(keep, target, 0)
    picked = np.take_along_axis(logp, label[..., None], -1)[..., 0]
    weights = weight[label] * keep
    losses = -(1 - smoothing) * picked * weights
    if smoothing:
        losses -= smoothing / logp.shape[-1] * np.sum(logp * weight, -1) * keep
    if reduction == "mean":
        return losses.sum() / weights.sum()
    return reduced(losses, reduction)


def _cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    classes = 0 if x.ndim == 1 else 1
    logp = _log_softmax(x, classes)
    if target.dtype.kind != "f":
        return _nll(logp, target, weight, ignore_index, reduction, label_smoothing)
    target = (1 - label_smoothing) * target + label_smoothing / x.shape[classes]
    shape = [1] * x.ndim
    shape[classes] = -1
    weight = 1 if weight is None else weight.reshape(shape)
    losses = -np.sum(logp * target * weight, axis=classes)
    return (
        losses.sum() / (x.size / x.shape[classes])
        if reduction == "mean"
        else reduced(losses, reduction)
    )


def _bce_with_logits(
    x: Any,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    positive = 1 if pos_weight is None else pos_weight
    losses = positive * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x)
    return reduced(losses if weight is None else losses * weight, reduction)


def _ctc(
    logp: Any, targets: Any, steps: Any, sizes: Any, blank: int = 0, reduction: str = "mean"
) -> Any:
    losses = []
    for n, (count, size) in enumerate(zip(steps, sizes, strict=True)):
        states = [blank] + [x for label in targets[n, :size] for x in (label, blank)]
        alpha = np.full(len(states), -np.inf, logp.dtype)
        alpha[:2] = logp[0, n, states[:2]]
        for row in logp[1:count, n]:
            before = np.concatenate([[-np.inf] * 2, alpha])
            alpha = np.logaddexp(before[2:], before[1:-1])
            for s in range(3, len(states), 2):
                if states[s] != states[s - 2]:
                    alpha[s] = np.logaddexp(alpha[s], before[s])
            alpha = alpha + row[states]
        losses.append(-np.logaddexp.reduce(alpha[-2:]))
    scaled = np.array(losses) / (np.maximum(sizes, 1) if reduction == "mean" else 1)
    return reduced(scaled, reduction)


def _mse(x: Any, y: Any, reduction: str = "mean") -> Any:
    return reduced((x - y) ** 2, reduction)


def _l1(x: Any, y: Any, reduction: str = "mean") -> Any:
    return reduced(np.abs(x - y), reduction)


def _scale(x: Any, *_: Any, reduction: str = "mean", **__: Any) -> Any:
    """Values within [-3, 3] give terms of the order of ten, each rounded once."""
    return np.asarray(10.0 * (x.size if reduction == "sum" else 1))


def _loss(name: str, ref: Any, *cases: Case, **row: Any) -> Op:
    row.setdefault("ulp", 8)
    return Op(
        name,
        ref,
        cases,
        path=f"nn.functional.{name}",
        names=row.pop("names", ("input", "target")),
        dtypes="f",
        refused="",
        scale=_scale,
        **row,
    )


def _reductions(*args: Any, **kwargs: Any) -> tuple[Case, ...]:
    return tuple(case(*args, **kwargs, reduction=r) for r in ("mean", "sum", "none"))


X = T((N, C))
PIXELS = (T((2, C, 3, 4)), T((2, 3, 4), 0, C - 1, dtype="int64"))
WEIGHT = T((C,), 0.5, 2.0)
PROBABILITY = T((N, C), 0.0, 1.0)


SPOKEN = (T((7, 3, C)), np.array([[1, 2, 2], [4, 3, 0], [1, 0, 0]]))
LENGTHS = (np.array([7, 5, 4]), np.array([3, 2, 0]))


def _label_errors(name: str) -> tuple[Bad, ...]:
    return (
        Bad(case(X, np.array([0, 1, 5, 0, 0, 0])), IndexError, rf"^{name}: .*\b5\b"),
        Bad(case(X, np.array([0, 1, -1, 0, 0, 0])), IndexError, rf"^{name}: .*-1\b"),
        Bad(case(X, np.array([0, 1])), ValueError, rf"^{name}: .*\(2,\).*\(6, 5\)"),
        Bad(case(X, LABELS, weight=T((C + 1,))), ValueError, rf"^{name}: .*weight.*\(6,\)"),
        Bad(case(X, LABELS, reduction="avg"), ValueError, rf"^{name}: .*avg"),
    )


def _shape_errors(name: str) -> tuple[Bad, ...]:
    return (
        Bad(case(T((3,)), T((3, 1))), ValueError, rf"^{name}: .*\(3,\).*\(3, 1\)"),
        Bad(case(X, X, reduction="avg"), ValueError, rf"^{name}: .*avg"),
    )


ROWS = (
    _loss(
        "cross_entropy",
        _cross_entropy,
        *_reductions(X, LABELS),
        *_reductions(X, LABELS, weight=WEIGHT, label_smoothing=0.1),
        case(X, IGNORED),
        case(X, np.array([0, 2, 2, 4, 3, 1]), ignore_index=2, weight=WEIGHT),
        case(*PIXELS, label_smoothing=0.2),
        case(*PIXELS, reduction="none", weight=WEIGHT),
        case(T((C,)), np.array(2)),
        *_reductions(X, PROBABILITY),
        case(X, PROBABILITY, weight=WEIGHT, label_smoothing=0.1),
        case(T((N, 1)), np.zeros(N, np.int64)),
        case(X, np.array([0, 1, 2, 3, 4, 0], np.int32)),
        case(X, np.array([0, 1, 2, 3, 4, 0], np.uint8)),
        grad=(True, True, False, False),
        big=case(BIG, BIG_LABELS),
        bad=_label_errors("cross_entropy"),
    ),
    _loss(
        "nll_loss",
        _nll,
        *_reductions(X, LABELS),
        *_reductions(X, LABELS, weight=WEIGHT),
        case(X, IGNORED),
        case(*PIXELS, ignore_index=2),
        case(T((C,)), np.array(2)),
        grad=(True, False, False),
        big=case(BIG, BIG_LABELS),
        bad=_label_errors("nll_loss"),
    ),
    _loss(
        "mse_loss",
        _mse,
        *_reductions(X, X),
        case(T(()), T(())),
        big=case(BIG, BIG),
        bad=_shape_errors("mse_loss"),
    ),
    _loss(
        "l1_loss",
        _l1,
        *_reductions(X, X),
        big=case(BIG, BIG),
        bad=_shape_errors("l1_loss"),
    ),
    _loss(
        "binary_cross_entropy_with_logits",
        _bce_with_logits,
        *_reductions(X, PROBABILITY),
        *_reductions(X, PROBABILITY, pos_weight=WEIGHT),
        case(X, PROBABILITY, weight=T((N, 1), 0.5, 2.0)),
        grad=(True, True, False, False, False),
        big=case(BIG, T((2571, 131), 0, 1)),
        bad=_shape_errors("binary_cross_entropy_with_logits"),
    ),
    _loss(
        "ctc_loss",
        _ctc,
        *_reductions(*SPOKEN, *LENGTHS),
        case(SPOKEN[0], np.array([[0, 1], [2, 2], [0, 4]]), LENGTHS[0], np.array([2, 2, 1]), 3),
        names=("log_probs", "targets", "input_lengths", "target_lengths", "blank"),
        grad=(True, False, False, False),
        ulp=16,
        big=case(
            T((80, 64, C)),
            T((64, 30), 1, C - 1, dtype="int64"),
            np.full(64, 80),
            np.full(64, 30),
        ),
        bad=(
            Bad(case(*SPOKEN, np.array([8, 5, 4]), LENGTHS[1]), ValueError, r"^ctc_loss: .*8"),
            Bad(case(*SPOKEN, *LENGTHS, 2), IndexError, r"^ctc_loss: label 2 .* blank 2"),
        ),
    ),
)
