"""Metrics fed batch by batch: what `chainrule.train` computes while it trains and evaluates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import chainrule as cr

from .arrays import Array, to_array, to_floats, to_labels
from .classification import check_binary, normalized, scores_of_counts
from .ranking import log_loss, roc_auc_score, top_k_hits
from .regression import r2_of_sums

__all__ = [
    "F1",
    "MAE",
    "MSE",
    "R2",
    "RMSE",
    "ROCAUC",
    "Accuracy",
    "ConfusionMatrix",
    "LogLoss",
    "Mean",
    "Metric",
    "Precision",
    "Recall",
    "TopKAccuracy",
    "as_metrics",
]


class Metric:
    """Base class: ``update`` with batches, then ``compute``; ``reset`` starts anew.

    A subclass keeps what it has seen as numbers and NumPy arrays in the dict ``_state``, which
    ``reset`` fills, so that a checkpoint can hold a metric in the middle of an epoch.

    Attributes:
        name: under which it stands in a history.
        higher_is_better: None where that is not known.

    Example:
        >>> metric = cr.metrics.Accuracy()
        >>> metric.update(cr.tensor([[0.9, 0.1], [0.2, 0.8]]), cr.tensor([0, 0]))
        >>> metric.update(cr.tensor([[0.3, 0.7]]), cr.tensor([1]))
        >>> round(metric.compute(), 4)
        0.6667
    """

    name: str = ""
    higher_is_better: bool | None = None
    _state: dict[str, Any]

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__}: reset is not defined")

    def update(self, output: Any, target: Any) -> None:
        """Take a batch into account.

        Args:
            output: what the model gives.
            target: what it should give.
        """
        raise NotImplementedError(f"{type(self).__name__}: update is not defined")

    def compute(self) -> Any:
        """Return the metric over all batches since the last ``reset``."""
        raise NotImplementedError(f"{type(self).__name__}: compute is not defined")

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen, as `chainrule.save` takes it."""
        return {key: _storable(value) for key, value in self._state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned."""
        self._state = {key: _restored(value) for key, value in state.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _storable(value: Any) -> Any:
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return cr.tensor(value) if isinstance(value, np.ndarray) else value


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return np.array(value) if isinstance(value, cr.Tensor) else value


class Mean(Metric):
    """The mean of a function of (output, target), weighted by the sizes of the batches.

    Args:
        function: returns a number or a tensor of one element.
        name: under which it stands in a history; the function's own when None.

    Example:
        >>> metric = cr.metrics.Mean(F.l1_loss)
        >>> metric.update(cr.tensor([1.0, 2.0]), cr.tensor([0.0, 0.0]))
        >>> metric.name, metric.compute()
        ('l1_loss', 1.5)
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"total": 0.0, "count": 0}

    def update(self, output: Any, target: Any) -> None:
        """Call the function."""
        size = len(target) if getattr(target, "ndim", 1) else 1
        with cr.no_grad():
            self._state["total"] += float(self.function(output, target)) * size
        self._state["count"] += size

    def compute(self) -> float:
        """Return the mean; NaN of nothing."""
        return _ratio(self._state["total"], self._state["count"])


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count else float("nan")


# ---------------------------------------------------------------- classes


class _ClassMetric(Metric):
    """Metrics of class labels; the threshold is for models with one output for two classes."""

    higher_is_better = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold
        super().__init__()

    def _labels(self, output: Any, target: Any) -> tuple[Array, Array]:
        """Return (predicted, true) class numbers, flat.

        Outputs are labels if they are ints or bools, class scores ``(N, C, ...)`` if they have one
        dimension more than the target, and else scores of class 1.
        """
        name = type(self).__name__
        guess, truth = to_array(output), to_array(target)
        if guess.dtype.kind == "f":
            if guess.ndim == truth.ndim + 1 and guess.shape[1] > 1:
                guess = guess.argmax(axis=1)
            else:
                guess = guess > self.threshold
        guess, truth = guess.ravel(), to_labels(name, "target", truth.ravel())
        if len(guess) != len(truth):
            raise ValueError(
                f"{name}: output has shape {tuple(np.shape(output))} and target "
                f"{tuple(np.shape(target))}; expected scores (N, C) or labels (N,), and (N,)"
            )
        return guess.astype(np.int64), truth.astype(np.int64)


class Accuracy(_ClassMetric):
    """The fraction of samples whose class is predicted.

    Args:
        threshold: a single output per sample means class 1 above it: 0.5 suits probabilities, 0
            logits.

    Example:
        >>> metric = cr.metrics.Accuracy(threshold=0)
        >>> metric.update(cr.tensor([-1.0, 2.0]), cr.tensor([0.0, 0.0]))
        >>> metric.compute()
        0.5
    """

    name = "accuracy"

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"hits": 0, "count": 0}

    def update(self, output: Any, target: Any) -> None:
        """Count the hits of a batch."""
        guess, truth = self._labels(output, target)
        self._state["hits"] += int(np.count_nonzero(guess == truth))
        self._state["count"] += len(truth)

    def compute(self) -> float:
        """Return hits by samples; NaN of nothing."""
        return _ratio(self._state["hits"], self._state["count"])


class TopKAccuracy(Metric):
    """The fraction of samples whose class is among the k with the highest scores.

    Args:
        k: how many count.

    Example:
        >>> metric = cr.metrics.TopKAccuracy(k=2)
        >>> metric.update(cr.tensor([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]), cr.tensor([1, 1]))
        >>> metric.compute()
        0.5
    """

    higher_is_better = True

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"TopKAccuracy: k is at least 1 (got {k})")
        self.k = k
        self.name = f"top_{k}_accuracy"
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"hits": 0, "count": 0}

    def update(self, output: Any, target: Any) -> None:
        """Count the hits of a batch; the output is ``(N, C)``."""
        scores, truth = to_array(output), to_labels("TopKAccuracy", "target", target)
        if scores.ndim != 2 or len(scores) != len(truth):
            raise ValueError(
                f"TopKAccuracy: output has shape {scores.shape} and target {truth.shape}; "
                "expected (N, C) and (N,)"
            )
        self._state["hits"] += int(top_k_hits(scores, truth, self.k).sum())
        self._state["count"] += len(truth)

    def compute(self) -> float:
        """Return hits by samples; NaN of nothing."""
        return _ratio(self._state["hits"], self._state["count"])


class ConfusionMatrix(_ClassMetric):
    """How many samples of class i (row) were taken for class j (column).

    Classes are the numbers from 0; the matrix grows with what is seen.

    Args:
        num_classes: the least size of the matrix.
        normalize: as in `confusion_matrix`.
        threshold: as in :class:`Accuracy`.

    Example:
        >>> metric = cr.metrics.ConfusionMatrix()
        >>> metric.update(cr.tensor([0, 1, 1]), cr.tensor([0, 0, 1]))
        >>> metric.compute()
        array([[1, 1],
               [0, 1]])
    """

    name = "confusion_matrix"

    def __init__(
        self, num_classes: int = 0, normalize: str | None = None, threshold: float = 0.5
    ) -> None:
        if normalize not in ("true", "pred", "all", None):
            raise ValueError(
                f"{type(self).__name__}: normalize is 'true', 'pred', 'all' or None "
                f"(got {normalize!r})"
            )
        self.num_classes = num_classes
        self.normalize = normalize
        super().__init__(threshold)

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"matrix": np.zeros((self.num_classes, self.num_classes), np.int64)}

    def update(self, output: Any, target: Any) -> None:
        """Count a batch."""
        guess, truth = self._labels(output, target)
        if not len(truth):
            return
        if min(guess.min(), truth.min()) < 0:
            raise ValueError(
                f"{type(self).__name__}: classes are numbers from 0 "
                f"(got {min(guess.min(), truth.min())})"
            )
        matrix = self._state["matrix"]
        size = max(len(matrix), int(guess.max()) + 1, int(truth.max()) + 1)
        counts = np.bincount(truth * size + guess, minlength=size * size).reshape(size, size)
        counts[: len(matrix), : len(matrix)] += matrix
        self._state["matrix"] = counts

    def compute(self) -> Any:
        """Return the matrix."""
        return normalized(self._state["matrix"].copy(), self.normalize)


class _Score(ConfusionMatrix):
    """Precision, recall and F1: scores of a confusion matrix."""

    _which: int

    def __init__(
        self,
        average: str | None = "binary",
        pos_label: int = 1,
        zero_division: float | str = "warn",
        threshold: float = 0.5,
    ) -> None:
        if average not in ("binary", "micro", "macro", "weighted", None):
            raise ValueError(
                f"{type(self).__name__}: average is 'binary', 'micro', 'macro', 'weighted' or "
                f"None (got {average!r})"
            )
        self.average = average
        self.pos_label = pos_label
        self.zero_division = zero_division
        super().__init__(threshold=threshold)
        self.name = type(self).name + ("" if average in ("binary", None) else f"_{average}")

    def compute(self) -> Any:
        """Return the score, or one per class that occurs if ``average`` is None."""
        matrix = self._state["matrix"]
        predicted, true = matrix.sum(axis=0), matrix.sum(axis=1)
        present = np.flatnonzero(predicted + true)
        if not len(present):
            return float("nan")
        name = type(self).__name__
        if self.average == "binary":
            check_binary(name, present, self.pos_label)
            present = np.array([self.pos_label])
        chosen = np.minimum(present, len(matrix))  # a class that never occurred has counts of 0
        hits, predicted, true = (
            np.append(part, 0)[chosen] for part in (matrix.diagonal(), predicted, true)
        )
        wanted = ("PRF"[self._which],)
        scores = scores_of_counts(
            name, hits, predicted, true, self.average, 1.0, self.zero_division, wanted
        )
        return scores[self._which]


class Precision(_Score):
    """The part that is right of the samples predicted to be of a class.

    Args:
        average: as in `precision_recall_fscore_support`.
        pos_label: the class that is reported for ``average="binary"``.
        zero_division: as there.
        threshold: as in :class:`Accuracy`.

    Example:
        >>> metric = cr.metrics.Precision()
        >>> metric.update(cr.tensor([0.9, 0.8, 0.1]), cr.tensor([1, 0, 1]))
        >>> metric.compute()
        0.5
    """

    name = "precision"
    _which = 0


class Recall(_Score):
    """The part that is found of the samples of a class; see :class:`Precision`.

    Example:
        >>> metric = cr.metrics.Recall(average="macro")
        >>> metric.update(cr.tensor([0, 1, 2, 2]), cr.tensor([0, 1, 1, 2]))
        >>> round(metric.compute(), 4)
        0.8333
    """

    name = "recall"
    _which = 1


class F1(_Score):
    """The harmonic mean of precision and recall; see :class:`Precision`.

    Example:
        >>> metric = cr.metrics.F1()
        >>> metric.update(cr.tensor([1, 1, 1]), cr.tensor([0, 1, 1]))
        >>> metric.compute()
        0.8
    """

    name = "f1"
    _which = 2


class _Collected(Metric):
    """Metrics that need all scores at once; they keep the scores and targets of all batches.

    Args:
        logits: whether outputs are to be passed through softmax (of one column, sigmoid) first.
        num_classes: of the targets; from the outputs' columns when None.
    """

    def __init__(self, logits: bool = False) -> None:
        self.logits = logits
        super().__init__()

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"outputs": [], "targets": []}

    def update(self, output: Any, target: Any) -> None:
        """Keep a batch."""
        name = type(self).__name__
        scores = to_floats(name, "output", output).astype(np.float64)
        truth = to_labels(name, "target", target)
        if scores.ndim not in (1, 2) or len(scores) != len(truth):
            raise ValueError(
                f"{name}: output has shape {scores.shape} and target {truth.shape}; "
                "expected (N,) or (N, C), and (N,)"
            )
        scores = scores.reshape(len(scores), -1)
        if self.logits and scores.shape[1] == 1:
            scores = 0.5 * (1 + np.tanh(0.5 * scores))
        elif self.logits:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        self._state["outputs"].append(scores)
        self._state["targets"].append(truth.astype(np.int64))

    def _all(self) -> tuple[Array, Array] | None:
        """Return (targets, scores) of all batches; None of nothing."""
        if not self._state["targets"]:
            return None
        return np.concatenate(self._state["targets"]), np.concatenate(self._state["outputs"])


class ROCAUC(_Collected):
    """The area under the ROC curve.

    Args:
        multi_class: ``"ovr"`` or ``"ovo"``, of more than two classes; as in `roc_auc_score`.
        average: as there.
        logits: whether outputs of several columns are logits instead of probabilities.

    Example:
        >>> metric = cr.metrics.ROCAUC()
        >>> metric.update(cr.tensor([0.1, 0.4, 0.35, 0.8]), cr.tensor([0, 0, 1, 1]))
        >>> metric.compute()
        0.75
    """

    name = "roc_auc"
    higher_is_better = True

    def __init__(
        self, multi_class: str = "ovr", average: str = "macro", logits: bool = False
    ) -> None:
        self.multi_class = multi_class
        self.average = average
        super().__init__(logits)

    def compute(self) -> Any:
        """Return the area; NaN of nothing."""
        seen = self._all()
        if seen is None:
            return float("nan")
        truth, scores = seen
        if scores.shape[1] <= 2:
            return roc_auc_score(truth, scores[:, -1])
        labels = np.arange(scores.shape[1])
        return roc_auc_score(
            truth, scores, labels=labels, multi_class=self.multi_class, average=self.average
        )


class LogLoss(_Collected):
    """The mean of minus the logarithm of the probability given to the true class.

    Args:
        logits: whether outputs are logits instead of probabilities.

    Example:
        >>> metric = cr.metrics.LogLoss()
        >>> metric.update(cr.tensor([[0.5, 0.5]]), cr.tensor([1]))
        >>> round(metric.compute(), 4)
        0.6931
    """

    name = "log_loss"
    higher_is_better = False

    def compute(self) -> float:
        """Return the mean; NaN of nothing."""
        seen = self._all()
        if seen is None:
            return float("nan")
        truth, proba = seen
        return log_loss(truth, proba, labels=np.arange(max(2, proba.shape[1])))


# ---------------------------------------------------------------- numbers


class _NumberMetric(Metric):
    """Metrics of numbers, over all elements alike."""

    higher_is_better = False

    def _numbers(self, output: Any, target: Any) -> tuple[Array, Array]:
        """Return (output, target) as float64, of one shape."""
        name = type(self).__name__
        guess, truth = to_array(output), to_array(target)
        if guess.ndim == truth.ndim + 1 and guess.shape[-1] == 1:
            guess = guess[..., 0]
        elif truth.ndim == guess.ndim + 1 and truth.shape[-1] == 1:
            truth = truth[..., 0]
        if guess.shape != truth.shape:
            raise ValueError(
                f"{name}: output has shape {guess.shape} and target {truth.shape}; "
                "expected the same shape"
            )
        return guess.astype(np.float64), truth.astype(np.float64)

    def reset(self) -> None:
        """Forget all batches."""
        self._state = {"total": 0.0, "count": 0}

    def compute(self) -> float:
        """Return the mean; NaN of nothing."""
        return _ratio(self._state["total"], self._state["count"])


class MAE(_NumberMetric):
    """The mean absolute error over all elements.

    Example:
        >>> metric = cr.metrics.MAE()
        >>> metric.update(cr.tensor([1.0, 2.0]), cr.tensor([2.0, 4.0]))
        >>> metric.compute()
        1.5
    """

    name = "mae"

    def update(self, output: Any, target: Any) -> None:
        """Add the errors of a batch."""
        guess, truth = self._numbers(output, target)
        self._state["total"] += float(np.abs(guess - truth).sum())
        self._state["count"] += guess.size


class MSE(_NumberMetric):
    """The mean squared error over all elements.

    Example:
        >>> metric = cr.metrics.MSE()
        >>> metric.update(cr.tensor([1.0, 2.0]), cr.tensor([2.0, 4.0]))
        >>> metric.compute()
        2.5
    """

    name = "mse"

    def update(self, output: Any, target: Any) -> None:
        """Add the errors of a batch."""
        guess, truth = self._numbers(output, target)
        self._state["total"] += float(((guess - truth) ** 2).sum())
        self._state["count"] += guess.size


class RMSE(MSE):
    """The square root of the mean squared error over all elements.

    Example:
        >>> metric = cr.metrics.RMSE()
        >>> metric.update(cr.tensor([1.0, 2.0]), cr.tensor([4.0, 6.0]))
        >>> round(metric.compute(), 4)
        3.5355
    """

    name = "rmse"

    def compute(self) -> float:
        """Return the root of the mean; NaN of nothing."""
        return float(np.sqrt(super().compute()))


class R2(_NumberMetric):
    """The coefficient of determination, the mean of that of the outputs.

    Means and sums of squares of batches are joined as Chan, Golub and LeVeque (1983) do, without
    the cancellation of a difference of two large sums.

    Example:
        >>> metric = cr.metrics.R2()
        >>> metric.update(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 2.0]))
        >>> metric.update(cr.tensor([4.0]), cr.tensor([3.0]))
        >>> metric.compute()
        0.5
    """

    name = "r2"
    higher_is_better = True

    def reset(self) -> None:
        """Forget all batches."""
        zero = np.zeros(1)
        self._state = {"count": 0, "residual": zero, "mean": zero, "spread": zero}

    def update(self, output: Any, target: Any) -> None:
        """Take a batch of shape ``(N,)`` or ``(N, outputs)`` into account."""
        guess, truth = self._numbers(output, target)
        if not len(truth):
            return
        guess, truth = guess.reshape(len(guess), -1), truth.reshape(len(truth), -1)
        state, new = self._state, len(truth)
        mean, old = truth.mean(axis=0), state["count"]
        shift = mean - state["mean"]
        state["residual"] = state["residual"] + ((guess - truth) ** 2).sum(axis=0)
        state["spread"] = (
            state["spread"]
            + ((truth - mean) ** 2).sum(axis=0)
            + shift**2 * (old * new / (old + new))
        )
        state["mean"] = state["mean"] + shift * (new / (old + new))
        state["count"] = old + new

    def compute(self) -> float:
        """Return the coefficient; NaN of less than two samples."""
        state = self._state
        if state["count"] < 2:
            return float("nan")
        return float(r2_of_sums("R2", state["residual"], state["spread"], "uniform_average", True))


# ---------------------------------------------------------------- by name

_SINGLE: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy,
    "log_loss": LogLoss,
    "mae": MAE,
    "mse": MSE,
    "r2": R2,
    "rmse": RMSE,
    "roc_auc": ROCAUC,
    "top_k_accuracy": TopKAccuracy,
}
_AVERAGED = {"f1": F1, "precision": Precision, "recall": Recall}


def _by_name(op: str, name: str) -> Metric:
    if name in _SINGLE:
        return _SINGLE[name]()
    kind, _, average = name.partition("_")
    if kind in _AVERAGED and average in ("", "micro", "macro", "weighted"):
        return _AVERAGED[kind](average or "binary", zero_division=0.0)
    known = [*_SINGLE, *_AVERAGED, *(f"{k}_micro, _macro, _weighted" for k in _AVERAGED)]
    raise ValueError(f"{op}: no metric is named {name!r}; expected one of {', '.join(known)}")


def as_metrics(op: str, metrics: Any) -> dict[str, Metric]:
    """Return metrics by name.

    Args:
        op: the function to name in messages.
        metrics: None, a name, a :class:`Metric`, a function of (output, target), an iterable of
            these, or a dict of these by name.

    Raises:
        ValueError: an unknown name, or two metrics of one name.
        TypeError: none of these, or a metric that gives no single number.

    Example:
        >>> cr.metrics.as_metrics("fit", ["accuracy", "f1_macro"])
        {'accuracy': Accuracy(), 'f1_macro': F1()}
    """
    if metrics is None:
        return {}
    if isinstance(metrics, Mapping):
        return {name: _as_metric(op, metric, name) for name, metric in metrics.items()}
    if isinstance(metrics, (str, Metric)) or not isinstance(metrics, Iterable):
        metrics = [metrics]
    found: dict[str, Metric] = {}
    for given in metrics:
        metric = _as_metric(op, given, None)
        if metric.name in found or metric.name == "loss":
            raise ValueError(f"{op}: two metrics are named {metric.name!r}; give a dict by name")
        found[metric.name] = metric
    return found


def _as_metric(op: str, metric: Any, name: str | None) -> Metric:
    if isinstance(metric, str):
        return _by_name(op, metric)
    if isinstance(metric, Metric):
        matrix = type(metric) is ConfusionMatrix
        if matrix or getattr(metric, "average", "") is None:
            raise TypeError(
                f"{op}: {metric!r} gives an array; expected metrics of one number "
                "(feed it with the outputs of predict instead)"
            )
        return metric
    if callable(metric) and not isinstance(metric, type):
        return Mean(metric, name)
    raise TypeError(
        f"{op}: {metric!r:.80} is no metric; expected a name, a Metric or a function of "
        "(output, target)"
    )
