"""Metrics of predicted class labels: counts of who was taken for whom."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import (
    Array,
    average,
    check_lengths,
    to_labels,
    to_weights,
    union,
    warn_undefined,
)

__all__ = [
    "accuracy_score",
    "confusion_matrix",
    "f1_score",
    "fbeta_score",
    "precision_recall_fscore_support",
    "precision_score",
    "recall_score",
]

_AVERAGES = ("binary", "micro", "macro", "weighted", None)


def accuracy_score(
    y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None
) -> float:
    """Return the fraction of samples whose label is predicted.

    Args:
        y_true: labels, ``(N,)``.
        y_pred: predicted labels, ``(N,)``.
        normalize: False for the number (or weight) of samples instead.
        sample_weight: weights, ``(N,)``.

    Raises:
        ValueError: shapes that do not fit, or no samples.

    Example:
        >>> cr.metrics.accuracy_score([0, 1, 2, 2], cr.tensor([0, 1, 1, 2]))
        0.75
    """
    op = "accuracy_score"
    truth, guess = to_labels(op, "y_true", y_true), to_labels(op, "y_pred", y_pred)
    check_lengths(op, truth, guess)
    weights = to_weights(op, sample_weight, len(truth))
    union(truth, guess)
    hits = truth == guess
    if normalize:
        return average(hits, weights)
    return float(hits.sum() if weights is None else hits @ weights)


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    sample_weight: Any = None,
    normalize: str | None = None,
) -> Array:
    """Return how many samples of class i (row) were taken for class j (column).

    Args:
        y_true: labels, ``(N,)``.
        y_pred: predicted labels, ``(N,)``.
        labels: the classes, in the order of the rows; the sorted labels that occur when None.
        sample_weight: weights, ``(N,)``.
        normalize: ``"true"``: rows sum to 1; ``"pred"``: columns; ``"all"``: the whole.

    Returns:
        ``(C, C)``, int64, or float64 where there are weights of floats or it is normalized.

    Raises:
        ValueError: shapes that do not fit, no label of ``labels`` in ``y_true``, an unknown
            ``normalize``.

    Example:
        >>> cr.metrics.confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
        array([[1, 1],
               [0, 2]])
    """
    op = "confusion_matrix"
    truth, guess = to_labels(op, "y_true", y_true), to_labels(op, "y_pred", y_pred)
    check_lengths(op, truth, guess)
    if normalize not in ("true", "pred", "all", None):
        raise ValueError(f"{op}: normalize is 'true', 'pred', 'all' or None (got {normalize!r})")
    weights = to_weights(op, sample_weight, len(truth))
    if labels is None:
        classes = union(truth, guess)
    else:
        classes = to_labels(op, "labels", labels)
        if not np.isin(classes, truth).any():
            raise ValueError(f"{op}: none of the labels {classes.tolist()} is in y_true")
    # int64 counts, unless the weights are floats.
    whole = weights is None or np.asarray(sample_weight).dtype.kind in "biu"
    matrix = _count(truth, guess, classes, weights)
    if whole:
        matrix = np.rint(matrix).astype(np.int64)
    return normalized(matrix, normalize)


def normalized(matrix: Array, normalize: str | None) -> Array:
    """Return a confusion matrix divided by its row sums, column sums or sum; 0 / 0 is 0."""
    if normalize is None:
        return matrix
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    sums = matrix.sum(axis=axis, keepdims=True)
    return np.asarray(np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums != 0))


def _count(truth: Array, guess: Array, classes: Array, weights: Array | None) -> Array:
    """Return the confusion matrix over some classes; pairs with another class are left out."""
    order = np.argsort(classes, kind="stable")
    place = classes[order]
    rows, columns = np.searchsorted(place, truth), np.searchsorted(place, guess)
    size = len(classes)
    rows, columns = np.minimum(rows, size - 1), np.minimum(columns, size - 1)
    known = (place[rows] == truth) & (place[columns] == guess)
    flat = order[rows[known]] * size + order[columns[known]]
    chosen = None if weights is None else weights[known]
    return np.bincount(flat, chosen, minlength=size * size).reshape(size, size)


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = None,
    sample_weight: Any = None,
    zero_division: float | str = "warn",
) -> tuple[Any, Any, Any, Any]:
    """Return precision, recall, F-score and support, per class or averaged.

    Of a class: precision is the part that is right of the samples predicted to be of it, recall
    the part that is found of those that are, and with P and R of them::

        F = (1 + beta^2) P R / (beta^2 P + R)

    Args:
        y_true: labels, ``(N,)``.
        y_pred: predicted labels, ``(N,)``.
        beta: how much more recall weighs than precision.
        labels: the classes to report, in order; all that occur when None.
        pos_label: the class that is reported for ``average="binary"``.
        average: None for one number per class; ``"binary"`` for that of ``pos_label``;
            ``"micro"`` over the counts of all classes; ``"macro"``: the mean over classes;
            ``"weighted"``: the mean weighted by support.
        sample_weight: weights, ``(N,)``.
        zero_division: what 0 / 0 is, 0, 1 or NaN (left out of averages); ``"warn"`` is 0 with a
            warning.

    Returns:
        Precision, recall and F-score (floats, or arrays if ``average`` is None), and the true
        samples per class (None if averaged).

    Raises:
        ValueError: an unknown option, ``"binary"`` with more than two classes, or ``pos_label``
            that does not occur.

    Example:
        >>> cr.metrics.precision_recall_fscore_support([0, 1, 1, 1], [0, 0, 1, 1], average="macro")
        (0.75, 0.8333333333333333, 0.7333333333333334, None)
    """
    return _scores("precision_recall_fscore_support", y_true, y_pred, beta, labels, pos_label,
                   average, sample_weight, zero_division, ("P", "R", "F"))  # fmt: skip


def _scores(
    op: str,
    y_true: Any,
    y_pred: Any,
    beta: float,
    labels: Any,
    pos_label: Any,
    average: str | None,
    sample_weight: Any,
    zero_division: float | str,
    wanted: tuple[str, ...],
) -> tuple[Any, Any, Any, Any]:
    truth, guess = to_labels(op, "y_true", y_true), to_labels(op, "y_pred", y_pred)
    check_lengths(op, truth, guess)
    if average not in _AVERAGES:
        raise ValueError(f"{op}: average is one of {_AVERAGES} (got {average!r})")
    weights = to_weights(op, sample_weight, len(truth))
    present = union(truth, guess)
    if average == "binary":
        check_binary(op, present, pos_label)
        labels = [pos_label]
    chosen = present if labels is None else to_labels(op, "labels", labels)
    everything = np.union1d(present, chosen)
    matrix = _count(truth, guess, everything, weights)
    at = np.searchsorted(everything, chosen)
    counts = matrix.diagonal()[at], matrix.sum(axis=0)[at], matrix.sum(axis=1)[at]
    return scores_of_counts(op, *counts, average, beta, zero_division, wanted)


def check_binary(op: str, present: Array, pos_label: Any) -> None:
    """Raise ValueError unless ``average="binary"`` has a meaning for the classes that occur."""
    if len(present) > 2:
        raise ValueError(
            f"{op}: there are {len(present)} classes; expected average='micro', 'macro', "
            "'weighted' or None with more than two"
        )
    if len(present) == 2 and pos_label not in present:
        raise ValueError(f"{op}: pos_label={pos_label!r} is none of the classes {present.tolist()}")


def scores_of_counts(
    op: str,
    hits: Array,
    predicted: Array,
    true: Array,
    average: str | None,
    beta: float,
    zero_division: float | str,
    wanted: tuple[str, ...],
) -> tuple[Any, Any, Any, Any]:
    """Return precision, recall, F-score and support of per-class counts."""
    if zero_division != "warn" and not (zero_division in (0, 1) or zero_division != zero_division):
        raise ValueError(f"{op}: zero_division is 'warn', 0, 1 or NaN (got {zero_division!r})")
    if average == "micro":
        hits, predicted, true = (part.sum(keepdims=True) for part in (hits, predicted, true))
    square = beta * beta

    def divide(letter: str, above: Array, below: Array) -> Array:
        undefined = below == 0
        if undefined.any() and zero_division == "warn" and letter in wanted:
            name = {"P": "precision", "R": "recall", "F": "F-score"}[letter]
            warn_undefined(
                f"{op}: {name} is not defined where there are no samples to divide by and is set "
                "to 0; zero_division says what else it should be"
            )
        value = 0.0 if zero_division == "warn" else float(zero_division)
        return np.where(undefined, value, above / np.where(undefined, 1, below))

    precision = divide("P", hits, predicted)
    recall = divide("R", hits, true)
    if np.isinf(square):
        fscore = recall
    elif square == 0:
        fscore = precision
    else:
        fscore = divide("F", (1 + square) * hits, square * true + predicted)
    if average is None:
        return precision, recall, fscore, true
    weights = true if average == "weighted" else None
    return (
        _nan_average(precision, weights),
        _nan_average(recall, weights),
        _nan_average(fscore, weights),
        None,
    )


def _nan_average(values: Array, weights: Array | None) -> float:
    """Return the mean of the values that are not NaN; weights that are all 0 do not count."""
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    if weights is None or weights[known].sum() == 0:
        return float(values[known].mean())
    return float(np.average(values[known], weights=weights[known]))


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: float | str = "warn",
) -> Any:
    """Return the part that is right of the samples predicted to be of a class.

    The arguments are those of `precision_recall_fscore_support`.

    Example:
        >>> cr.metrics.precision_score([0, 1, 1], [1, 1, 1])
        0.6666666666666666
    """
    return _scores("precision_score", y_true, y_pred, 1.0, labels, pos_label, average,
                   sample_weight, zero_division, ("P",))[0]  # fmt: skip


def recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: float | str = "warn",
) -> Any:
    """Return the part that is found of the samples of a class.

    The arguments are those of `precision_recall_fscore_support`.

    Example:
        >>> cr.metrics.recall_score([0, 1, 1, 1], [1, 1, 1, 0])
        0.6666666666666666
    """
    return _scores("recall_score", y_true, y_pred, 1.0, labels, pos_label, average,
                   sample_weight, zero_division, ("R",))[1]  # fmt: skip


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: float | str = "warn",
) -> Any:
    """Return the harmonic mean of precision and recall.

    The arguments are those of `precision_recall_fscore_support`.

    Example:
        >>> cr.metrics.f1_score([0, 1, 1], [1, 1, 1])
        0.8
    """
    return _scores("f1_score", y_true, y_pred, 1.0, labels, pos_label, average,
                   sample_weight, zero_division, ("F",))[2]  # fmt: skip


def fbeta_score(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: float | str = "warn",
) -> Any:
    """Return the weighted harmonic mean of precision and recall.

    The arguments are those of `precision_recall_fscore_support`.

    Example:
        >>> cr.metrics.fbeta_score([0, 1, 1], [1, 1, 1], beta=2)
        0.9090909090909091
    """
    return _scores("fbeta_score", y_true, y_pred, beta, labels, pos_label, average,
                   sample_weight, zero_division, ("F",))[2]  # fmt: skip
