"""Metrics of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, check_lengths, to_floats, to_weights, warn_undefined

__all__ = [
    "mean_absolute_error",
    "mean_squared_error",
    "r2_score",
    "root_mean_squared_error",
]


def _columns(op: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return both as float64 of shape (N, outputs)."""
    truth, guess = to_floats(op, "y_true", y_true), to_floats(op, "y_pred", y_pred)
    truth, guess = (a[:, None] if a.ndim == 1 else a for a in (truth, guess))
    if truth.ndim != 2 or guess.ndim != 2 or truth.shape[1] != guess.shape[1]:
        raise ValueError(
            f"{op}: y_true has shape {np.shape(y_true)} and y_pred {np.shape(y_pred)}; "
            "expected the same shape, (N,) or (N, outputs)"
        )
    check_lengths(op, truth, guess)
    return truth.astype(np.float64, copy=False), guess.astype(np.float64, copy=False)


def _over_outputs(op: str, values: Array, multioutput: Any) -> Any:
    """Return the numbers of the outputs, or their mean."""
    if isinstance(multioutput, str):
        if multioutput == "raw_values":
            return values
        if multioutput != "uniform_average":
            raise ValueError(
                f"{op}: multioutput is 'raw_values', 'uniform_average' or weights "
                f"(got {multioutput!r})"
            )
        return float(values.mean())
    weights = to_weights(op, multioutput, len(values))
    return float(np.average(values, weights=weights))


def mean_absolute_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the mean of ``|y_true - y_pred|``.

    Args:
        y_true: numbers, ``(N,)`` or ``(N, outputs)``.
        y_pred: predicted numbers, of the same shape.
        sample_weight: weights, ``(N,)``.
        multioutput: ``"uniform_average"`` over the outputs, ``"raw_values"`` for one number each,
            or weights of the outputs.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity, or no samples.

    Example:
        >>> cr.metrics.mean_absolute_error([1.0, 2.0], cr.tensor([2.0, 4.0]))
        1.5
    """
    op = "mean_absolute_error"
    truth, guess = _columns(op, y_true, y_pred)
    weights = to_weights(op, sample_weight, len(truth))
    errors = np.average(np.abs(truth - guess), axis=0, weights=weights)
    return _over_outputs(op, errors, multioutput)


def mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the mean of ``(y_true - y_pred)^2``.

    The arguments are those of `mean_absolute_error`.

    Example:
        >>> cr.metrics.mean_squared_error([1.0, 2.0], [2.0, 4.0])
        2.5
    """
    op = "mean_squared_error"
    return _over_outputs(op, _squares(op, y_true, y_pred, sample_weight), multioutput)


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the square root of the mean squared error; with several outputs, the mean of roots.

    The arguments are those of `mean_absolute_error`.

    Example:
        >>> cr.metrics.root_mean_squared_error([1.0, 2.0], [4.0, 6.0])
        3.5355339059327378
    """
    op = "root_mean_squared_error"
    return _over_outputs(op, np.sqrt(_squares(op, y_true, y_pred, sample_weight)), multioutput)


def _squares(op: str, y_true: Any, y_pred: Any, sample_weight: Any) -> Array:
    truth, guess = _columns(op, y_true, y_pred)
    weights = to_weights(op, sample_weight, len(truth))
    return np.asarray(np.average((truth - guess) ** 2, axis=0, weights=weights))


def r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """Return the coefficient of determination: 1 for the truth, 0 for its mean.

    ``1 - sum (y_true - y_pred)^2 / sum (y_true - mean(y_true))^2``

    Args:
        y_true: numbers, ``(N,)`` or ``(N, outputs)``.
        y_pred: predicted numbers, of the same shape.
        sample_weight: weights, ``(N,)``.
        multioutput: as in `mean_absolute_error`, or ``"variance_weighted"``.
        force_finite: of a constant ``y_true``, say 1 for a perfect prediction and 0 for any
            other, instead of NaN and minus infinity.

    Returns:
        The number; NaN, with a warning, of less than two samples.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity, or no samples.

    Example:
        >>> cr.metrics.r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
        0.5
    """
    op = "r2_score"
    truth, guess = _columns(op, y_true, y_pred)
    weights = to_weights(op, sample_weight, len(truth))
    if len(truth) < 2:
        warn_undefined(f"{op}: not defined with less than two samples")
        return float("nan")
    each = np.ones(len(truth)) if weights is None else weights
    residual = each @ (truth - guess) ** 2
    spread = each @ (truth - np.average(truth, axis=0, weights=weights)) ** 2
    return r2_of_sums(op, residual, spread, multioutput, force_finite)


def r2_of_sums(
    op: str, residual: Array, spread: Array, multioutput: Any, force_finite: bool
) -> Any:
    """Return R2 from the sums of squares around the prediction and around the mean."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - residual / spread
    if force_finite:
        scores = np.where(spread == 0, np.where(residual == 0, 1.0, 0.0), scores)
    if isinstance(multioutput, str) and multioutput == "variance_weighted":
        weights = spread if spread.any() else None
        return float(np.average(scores, weights=weights))
    return _over_outputs(op, scores, multioutput)
