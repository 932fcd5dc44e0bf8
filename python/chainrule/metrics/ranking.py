"""Metrics of scores and probabilities: top-k accuracy, area under the ROC curve, log loss."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from . import arrays
from .arrays import Array, check_lengths, to_floats, to_labels, to_weights, warn_undefined

__all__ = ["log_loss", "roc_auc_score", "top_k_accuracy_score"]


def _classes(op: str, truth: Array, labels: Any) -> Array:
    """Return the sorted classes: those given, which contain all that occur, or those that occur."""
    if labels is None:
        return np.unique(truth)
    classes = to_labels(op, "labels", labels)
    if not np.array_equal(np.unique(classes), classes):
        raise ValueError(f"{op}: labels are sorted and each there once (got {classes.tolist()})")
    unknown = np.setdiff1d(truth, classes)
    if len(unknown):
        raise ValueError(
            f"{op}: y_true contains {unknown.tolist()}, which are not among the labels "
            f"{classes.tolist()}"
        )
    return classes


def _check_columns(op: str, classes: Array, scores: Array) -> None:
    if scores.ndim != 2 or scores.shape[1] != len(classes):
        raise ValueError(
            f"{op}: y_score has shape {scores.shape}; expected a column for each of "
            f"{len(classes)} classes; give labels= if y_true does not contain them all"
        )


def top_k_accuracy_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 2,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
) -> float:
    """Return the fraction of samples whose label is among the k with the highest scores.

    Args:
        y_true: labels, ``(N,)``.
        y_score: scores, ``(N, C)`` in the order of the sorted classes; ``(N,)`` for two classes.
        k: how many count; of equal scores, the last classes first.
        normalize: False for the number (or weight) of samples instead.
        sample_weight: weights, ``(N,)``.
        labels: the sorted classes; those in ``y_true`` when None.

    Raises:
        ValueError: shapes that do not fit the classes, or a label that is not among them.

    Example:
        >>> cr.metrics.top_k_accuracy_score([0, 1, 2], [[3, 2, 1], [3, 1, 2], [3, 2, 1]], k=2)
        0.3333333333333333
    """
    op = "top_k_accuracy_score"
    truth, scores = to_labels(op, "y_true", y_true), to_floats(op, "y_score", y_score)
    check_lengths(op, truth, scores)
    if k < 1:
        raise ValueError(f"{op}: k is at least 1 (got {k})")
    weights = to_weights(op, sample_weight, len(truth))
    classes = _classes(op, truth, labels)
    encoded = np.searchsorted(classes, truth)
    if len(classes) <= 2 and (scores.ndim == 1 or scores.shape[1] == 1):
        scores = scores.reshape(len(truth))
        threshold = 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0
        hits = ((scores > threshold) == encoded) if k == 1 else np.ones(len(truth), bool)
        if len(classes) < 2:
            raise ValueError(f"{op}: y_true contains one class; expected labels= with both")
    else:
        _check_columns(op, classes, scores)
        hits = top_k_hits(scores, encoded, k)
    if k >= len(classes):
        warn_undefined(f"{op}: every label is among the top {k} of {len(classes)}")
    if normalize:
        return arrays.average(hits, weights)
    return float(hits.sum() if weights is None else hits @ weights)


def top_k_hits(scores: Array, encoded: Array, k: int) -> Array:
    """Return for each row whether the column ``encoded`` is among the k highest."""
    order = np.argsort(scores, axis=1, kind="stable")[:, ::-1]
    return np.asarray((order[:, :k] == encoded[:, None]).any(axis=1))


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    sample_weight: Any = None,
    multi_class: str = "raise",
    labels: Any = None,
) -> Any:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Args:
        y_true: labels, ``(N,)``; of two classes, the greater one is positive.
        y_score: scores, ``(N,)``; for several classes probabilities, ``(N, C)``.
        average: over the classes: ``"macro"``, ``"weighted"`` by their frequency, ``"micro"``
            over all entries, or None for an array (the latter two for ``"ovr"``).
        sample_weight: weights, ``(N,)``; not for ``"ovo"``.
        multi_class: ``"ovr"``: each class against the rest; ``"ovo"``: each pair of classes (Hand
            and Till, 2001); ``"raise"`` refuses several classes.
        labels: the sorted classes; those in ``y_true`` when None.

    Returns:
        A float; NaN, with a warning, where only one class is there.

    Raises:
        ValueError: several classes and no ``multi_class``, rows that do not sum to 1, shapes or
            labels that do not fit.

    Example:
        >>> cr.metrics.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    op = "roc_auc_score"
    truth, scores = to_labels(op, "y_true", y_true), to_floats(op, "y_score", y_score)
    check_lengths(op, truth, scores)
    weights = to_weights(op, sample_weight, len(truth))
    present = np.unique(truth)
    if len(present) <= 2 and (scores.ndim == 1 or scores.shape[1] == 1):
        scores = scores.reshape(len(truth))
        return _binary_auc(op, truth == present[-1], scores, weights, len(present) < 2)
    classes = _classes(op, truth, labels)
    if multi_class not in ("ovr", "ovo"):
        raise ValueError(
            f"{op}: there are {len(classes)} classes; expected multi_class='ovr' or 'ovo'"
        )
    _check_columns(op, classes, scores)
    if not np.allclose(scores.sum(axis=1), 1):
        raise ValueError(f"{op}: the scores of several classes are probabilities, rows sum to 1")
    encoded = np.searchsorted(classes, truth)
    if multi_class == "ovo":
        if average not in ("macro", "weighted"):
            raise ValueError(f"{op}: average is 'macro' or 'weighted' for ovo (got {average!r})")
        if weights is not None:
            raise ValueError(f"{op}: sample_weight is not offered for ovo")
        return _one_against_one(op, encoded, scores, average)
    if average not in ("micro", "macro", "weighted", None):
        raise ValueError(f"{op}: average is 'micro', 'macro', 'weighted' or None (got {average!r})")
    return _one_against_rest(op, encoded, scores, average, weights)


def _one_against_rest(
    op: str, encoded: Array, scores: Array, average: str | None, weights: Array | None
) -> Any:
    positive = encoded[:, None] == np.arange(scores.shape[1])
    if average == "micro":
        spread = None if weights is None else np.repeat(weights, scores.shape[1])
        return _binary_auc(op, positive.ravel(), scores.ravel(), spread)
    areas = np.array([
        _binary_auc(op, positive[:, c], scores[:, c], weights) for c in range(scores.shape[1])
    ])  # fmt: skip
    if average is None:
        return areas
    if average == "macro":
        return float(areas.mean())
    share = positive.sum(axis=0) if weights is None else weights @ positive
    areas[share == 0] = 0
    return float(np.average(areas, weights=share))


def _one_against_one(op: str, encoded: Array, scores: Array, average: str) -> float:
    areas, shares = [], []
    for a, b in itertools.combinations(range(scores.shape[1]), 2):
        pair = (encoded == a) | (encoded == b)
        first = encoded[pair] == a
        areas.append((_binary_auc(op, first, scores[pair, a], None)
                      + _binary_auc(op, ~first, scores[pair, b], None)) / 2)  # fmt: skip
        shares.append(pair.mean())
    return float(np.average(areas, weights=shares if average == "weighted" else None))


def _binary_auc(
    op: str, positive: Array, scores: Array, weights: Array | None, one_class: bool = False
) -> float:
    """Return the area, by trapezoids between the distinct scores."""
    if weights is not None and (weights == 0).any():
        positive, scores, weights = (part[weights != 0] for part in (positive, scores, weights))
    if one_class or positive.all() or not positive.any():
        warn_undefined(f"{op}: only one class is there, the area is not defined")
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    positive, scores = positive[order], scores[order]
    weight = np.ones(len(scores)) if weights is None else weights[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each distinct score
    hits = np.append(0, np.cumsum(weight * positive)[last])
    alarms = np.append(0, np.cumsum(weight * ~positive)[last])
    area = np.sum(np.diff(alarms) * (hits[1:] + hits[:-1])) / 2
    return float(area / (hits[-1] * alarms[-1]))


def log_loss(
    y_true: Any,
    y_proba: Any,
    *,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
) -> float:
    """Return the mean of minus the logarithm of the probability given to the true label.

    Args:
        y_true: labels, ``(N,)``.
        y_proba: probabilities, ``(N, C)`` in the order of the sorted classes; of two classes also
            ``(N,)``, of the greater one. They are clipped to [eps, 1 - eps] of their dtype.
        normalize: False for the sum instead of the mean.
        sample_weight: weights, ``(N,)``.
        labels: the sorted classes; those in ``y_true`` when None.

    Raises:
        ValueError: probabilities outside [0, 1], shapes or labels that do not fit, or one class.

    Example:
        >>> round(cr.metrics.log_loss([0, 1, 1], [0.1, 0.8, 0.5]), 4)
        0.3406
    """
    op = "log_loss"
    truth, proba = to_labels(op, "y_true", y_true), to_floats(op, "y_proba", y_proba)
    check_lengths(op, truth, proba)
    weights = to_weights(op, sample_weight, len(truth))
    if proba.min() < 0 or proba.max() > 1:
        raise ValueError(
            f"{op}: probabilities are from 0 to 1 (got {proba.min():g} to {proba.max():g}); "
            "pass logits through softmax first"
        )
    classes = _classes(op, truth, labels)
    if len(classes) < 2:
        raise ValueError(
            f"{op}: y_true contains one label, {classes.tolist()}; expected labels= with all of "
            "at least two classes"
        )
    if proba.ndim == 1 or proba.shape[1] == 1:
        proba = proba.reshape(-1, 1)
        proba = np.concatenate([1 - proba, proba], axis=1)
    _check_columns(op, classes, proba)
    eps = np.finfo(proba.dtype).eps
    if not np.allclose(proba.sum(axis=1), 1, rtol=np.sqrt(eps)):
        warnings.warn(f"{op}: the probabilities of a row do not sum to 1", stacklevel=2)
    own = np.clip(proba, eps, 1 - eps)[np.arange(len(truth)), np.searchsorted(classes, truth)]
    losses = -np.log(own)
    if normalize:
        return arrays.average(losses, weights)
    return float(losses.sum() if weights is None else losses @ weights)
