"""What all estimators share: checked arrays in, a training by `chainrule.train.fit`, arrays out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

import chainrule as cr
from chainrule import Tensor

from .. import nn, optim
from ..nn import functional as F
from ..nn.modules.batchnorm import _BatchNorm
from ..optim.lr_scheduler import LRScheduler
from ..train import Callback, EarlyStopping, LRSchedule, NaNStop, Run, fit, predict

__all__: list[str] = []

Array = npt.NDArray[Any]


class Batches:
    """Rows in batches, gathered from whole tensors; targets come as (target, weight)."""

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None,
        size: int,
        shuffle: bool,
        single: bool = True,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.size = size
        self.shuffle = shuffle
        count = len(x)
        self._starts = list(range(0, count, size))
        if not single and count > 1 and count % size == 1 and size > 1:
            self._starts.pop()  # a last batch of one row goes with the one before
        self._ends = [*self._starts[1:], count]

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[Tensor, Any]]:
        order = cr.randperm(len(self.x)) if self.shuffle else None
        for start, end in zip(self._starts, self._ends, strict=True):
            rows = slice(start, end) if order is None else order[start:end]
            x, y = self.x[rows], self.y[rows]
            yield x, (y if self.weight is None else (y, self.weight[rows]))


class NeuralEstimator(BaseEstimator):  # type: ignore[misc]
    """Base class of the estimators; a subclass says how the network and its training are made."""

    random_state: Any
    warm_start: bool
    verbose: Any
    shuffle: bool
    early_stopping: bool
    validation_fraction: float
    dtype: Any
    _stream: Tensor  # the state of the estimator's random numbers

    # ---------------------------------------------------------------- what subclasses define

    def _make_module(self, features: int, outputs: int) -> nn.Module:
        raise NotImplementedError

    def _make_optimizer(self, module: nn.Module, weight_per_batch: float) -> optim.Optimizer:
        raise NotImplementedError

    def _make_criterion(self) -> Callable[..., Tensor]:
        """Return a loss of (output, target, reduction)."""
        raise NotImplementedError

    def _make_callbacks(self, optimizer: optim.Optimizer, rows: int) -> list[Any]:
        raise NotImplementedError

    def _rows_per_batch(self, rows: int) -> int:
        raise NotImplementedError

    def _epochs(self) -> int:
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Raise ValueError when a parameter is out of range."""

    def _score_held_out(self, x: Tensor, y: Tensor, weight: Tensor | None) -> float:
        raise NotImplementedError

    def _stratify(self, y: Array) -> Array | None:
        return None

    # ---------------------------------------------------------------- training

    def _train(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        outputs: int,
        *,
        fresh: bool,
        partial: bool = False,
    ) -> None:
        """Train on checked arrays; `fresh` starts from a new network, `partial` for one epoch."""
        self._check_parameters()
        with self._seeded(fresh):
            if fresh:
                wanted = cr.float64 if X.dtype == np.float64 else cr.float32
                self.module_ = self._make_module(X.shape[1], outputs).to(wanted)
                self.history_: Any = None
            held_out = None
            if self.early_stopping and not partial:
                X, held_X, y, held_y, weight, held_weight = self._split(X, y, weight)
                held_out = _tensors(held_X, held_y, held_weight)
            tensors = _tensors(X, y, weight)
            rows = len(X)
            size = min(rows, self._rows_per_batch(rows))
            batches = Batches(
                *tensors,
                size,
                self.shuffle,
                single=not any(isinstance(m, _BatchNorm) for m in self.module_.modules()),
            )
            total = float(rows if weight is None else weight.sum())
            if fresh or not partial:
                self.optimizer_ = self._make_optimizer(self.module_, total / len(batches))
            callbacks: list[Any] = [NaNStop()]
            if not partial:
                callbacks += self._validation(held_out)
                callbacks += self._make_callbacks(self.optimizer_, rows)
            history = fit(
                self.module_,
                batches,
                self._loss(),
                self.optimizer_,
                epochs=1 if partial else self._epochs(),
                callbacks=callbacks,
                progress=None if self.verbose else False,
                handle_signals=False,  # Ctrl-C is to end a grid search, not one of its fits
            )
        if history.stopped and history.stopped.startswith("the loss is"):
            raise ValueError(
                f"{type(self).__name__}: {history.stopped}; lower the learning rate, or scale the "
                "data to unit variance"
            )
        if self.history_ is not None and partial:
            history.rows = [*self.history_.rows, *history.rows]
        self.history_ = history

    def _loss(self) -> Callable[[Tensor, Any], Tensor]:
        criterion = self._make_criterion()

        def loss(output: Tensor, target: Any) -> Tensor:
            value: Tensor
            if isinstance(target, tuple):
                y, weight = target
                each = criterion(output, y, reduction="none")
                each = each.reshape(len(weight), -1).mean(dim=1)
                total = weight.sum()
                # A batch of rows without weight teaches nothing; 0 / 0 would be NaN.
                value = (each * weight).sum() / (total + (total == 0).to(total.dtype))
            else:
                value = criterion(output, target, reduction="mean")
            return value

        return loss

    def _validation(self, held_out: Any) -> list[Any]:
        if held_out is None:
            return []

        def score(run: Run) -> None:
            run.logs["val_score"] = self._score_held_out(*held_out)

        return [score]

    def _split(self, X: Array, y: Array, weight: Array | None) -> Any:
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"{type(self).__name__}: validation_fraction is between 0 and 1 "
                f"(got {self.validation_fraction!r})"
            )
        seed = int(cr.randint(0, 2**31 - 1, (1,)).item())
        parts = [X, y] + ([] if weight is None else [weight])
        split = train_test_split(
            *parts,
            test_size=self.validation_fraction,
            random_state=seed,
            stratify=self._stratify(y),
        )
        return [*split, None, None][:6]

    @contextlib.contextmanager
    def _seeded(self, fresh: bool) -> Iterator[None]:
        """Draw from the estimator's own stream, and leave the caller's where it was."""
        before = cr.get_rng_state()
        if fresh or not hasattr(self, "_stream"):
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            cr.manual_seed(int(seed))
        else:
            cr.set_rng_state(self._stream)
        try:
            yield
        finally:
            self._stream = cr.get_rng_state()
            cr.set_rng_state(before)

    # ---------------------------------------------------------------- prediction

    def _outputs(self, X: Any) -> Tensor:
        """Return the network's outputs for rows of X."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=self._dtype(), reset=False, **self._accepts())
        outputs: Tensor = predict(self.module_, cr.from_numpy(X), batch_size=4096)
        return outputs

    def _dtype(self) -> np.dtype[Any]:
        if self.dtype not in ("float32", "float64", np.float32, np.float64):
            raise ValueError(
                f"{type(self).__name__}: dtype is 'float32' or 'float64' (got {self.dtype!r})"
            )
        wanted: np.dtype[Any] = np.dtype(self.dtype)
        return wanted

    def _accepts(self) -> dict[str, Any]:
        """Return what `validate_data` is to let pass."""
        return {}


def _tensors(X: Array, y: Array, weight: Array | None) -> tuple[Tensor, Tensor, Tensor | None]:
    return (
        cr.from_numpy(np.ascontiguousarray(X)),
        cr.from_numpy(np.ascontiguousarray(y)),
        None if weight is None else cr.from_numpy(np.ascontiguousarray(weight)),
    )


class NeuralClassifier(ClassifierMixin, NeuralEstimator):  # type: ignore[misc]
    """Classification by a network with one output per class."""

    class_weight: Any
    classes_: Array

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on rows and their classes.

        Args:
            X: ``(N, features)``.
            y: ``(N,)``, labels of any kind.
            sample_weight: ``(N,)``, how much each row counts in the loss.

        Returns:
            The estimator.

        Raises:
            ValueError: NaN, shapes that do not fit, a single class, or a parameter out of range.
        """
        X, y, sample_weight = self._check(X, y, sample_weight, reset=True)
        classes = unique_labels(y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__}: the data has one class, {classes.tolist()}; expected at "
                "least two (the number of classes has to be greater than one; got 1 class)"
            )
        fresh = not (self.warm_start and hasattr(self, "module_"))
        if not fresh and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{type(self).__name__}: with warm_start the classes are those of the first fit, "
                f"{self.classes_.tolist()} (got {classes.tolist()})"
            )
        self.classes_ = classes
        self._fit_encoded(X, y, sample_weight, fresh=fresh)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Train for one epoch on some rows, going on from where the estimator is.

        Args:
            X: ``(N, features)``.
            y: ``(N,)``, labels.
            classes: all classes, in the first call; None in later ones.
            sample_weight: ``(N,)``, how much each row counts in the loss.

        Returns:
            The estimator.

        Raises:
            ValueError: the first call without ``classes``, or a label that is not among them.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError(
                f"{type(self).__name__}: classes must be passed on the first call to partial_fit"
            )
        X, y, sample_weight = self._check(X, y, sample_weight, reset=first)
        if classes is not None:
            classes = unique_labels(classes)
            if not first and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"{type(self).__name__}: `classes={classes.tolist()}` is not the same as on "
                    f"last call to partial_fit, was: {self.classes_.tolist()}"
                )
            self.classes_ = classes
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"{type(self).__name__}: y contains {unknown.tolist()}, which are not among the "
                f"classes {self.classes_.tolist()}"
            )
        self._fit_encoded(X, y, sample_weight, fresh=not hasattr(self, "module_"), partial=True)
        return self

    def _check(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> Any:
        X, y = validate_data(self, X, y, dtype=self._dtype(), reset=reset, **self._accepts())
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=self._dtype())
        return X, y, sample_weight

    def _fit_encoded(self, X: Array, y: Array, weight: Any, **how: bool) -> None:
        if self.class_weight is not None:
            if how.get("partial") and self.class_weight == "balanced":
                raise ValueError(
                    f"{type(self).__name__}: class_weight='balanced' is not known from a part of "
                    "the data; expected a dict of weights with partial_fit"
                )
            of_class = compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weight = of_class if weight is None else weight * of_class
        codes = np.searchsorted(self.classes_, y).astype(np.int64)
        self._train(X, codes, weight, len(self.classes_), **how)

    def _stratify(self, y: Array) -> Array | None:
        return y

    def _score_held_out(self, x: Tensor, y: Tensor, weight: Tensor | None) -> float:
        hits = predict(self.module_, x, batch_size=4096).argmax(dim=1) == y
        each = None if weight is None else weight.numpy()
        return float(np.average(hits.numpy(), weights=each))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Args:
            X: ``(N, features)``.

        Returns:
            ``(N,)``, labels.
        """
        best: Array = self._outputs(X).argmax(dim=1).numpy()
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, in the order of ``classes_``.

        Args:
            X: ``(N, features)``.

        Returns:
            ``(N, classes)``; rows sum to 1.
        """
        return np.asarray(self._outputs(X).softmax(dim=1).numpy())

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, without going through it.

        Args:
            X: ``(N, features)``.

        Returns:
            ``(N, classes)``.
        """
        return np.asarray(self._outputs(X).log_softmax(dim=1).numpy())


class NeuralRegressor(RegressorMixin, NeuralEstimator):  # type: ignore[misc]
    """Regression by a network with one output per target."""

    n_outputs_: int
    _flat: bool  # whether targets came as (N,)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on rows and their targets.

        Args:
            X: ``(N, features)``.
            y: ``(N,)`` or ``(N, outputs)``.
            sample_weight: ``(N,)``, how much each row counts in the loss.

        Returns:
            The estimator.

        Raises:
            ValueError: NaN, shapes that do not fit, or a parameter out of range.
        """
        fresh = not (self.warm_start and hasattr(self, "module_"))
        self._fit_checked(X, y, sample_weight, reset=True, fresh=fresh)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train for one epoch on some rows, going on from where the estimator is.

        Args:
            X: ``(N, features)``.
            y: ``(N,)`` or ``(N, outputs)``.
            sample_weight: ``(N,)``, how much each row counts in the loss.

        Returns:
            The estimator.
        """
        first = not hasattr(self, "module_")
        self._fit_checked(X, y, sample_weight, reset=first, fresh=first, partial=True)
        return self

    def _fit_checked(self, X: Any, y: Any, weight: Any, reset: bool, **how: bool) -> None:
        X, y = validate_data(
            self,
            X,
            y,
            dtype=self._dtype(),
            multi_output=True,
            y_numeric=True,
            reset=reset,
            **self._accepts(),
        )
        if weight is not None:
            weight = _check_sample_weight(weight, X, dtype=self._dtype())
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        columns = y.reshape(len(y), -1).astype(X.dtype)
        if not how["fresh"] and columns.shape[1] != self.n_outputs_:
            raise ValueError(
                f"{type(self).__name__}: y has {columns.shape[1]} outputs; expected those of the "
                f"first fit, {self.n_outputs_}"
            )
        self.n_outputs_ = columns.shape[1]
        self._flat = y.ndim == 1
        self._train(X, columns, weight, self.n_outputs_, **how)

    def _score_held_out(self, x: Tensor, y: Tensor, weight: Tensor | None) -> float:
        from ..metrics import r2_score

        outputs = predict(self.module_, x, batch_size=4096).reshape(y.shape)
        if len(y) < 2:  # R2 is not defined
            return -float(F.mse_loss(outputs, y).item())
        return float(r2_score(y, outputs, sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """Return the targets of each row.

        Args:
            X: ``(N, features)``.

        Returns:
            ``(N,)`` or ``(N, outputs)`` as in `fit`.
        """
        outputs: Array = self._outputs(X).numpy()
        return outputs.reshape(len(outputs)) if self._flat else outputs


def resolve_optimizer(owner: str, given: Any) -> Callable[..., optim.Optimizer]:
    """Return an optimizer class by its name, in any case, or what was given if it can be called."""
    if isinstance(given, str):
        for name in optim.__all__:
            kind = getattr(optim, name)
            if name.lower() == given.lower() and isinstance(kind, type) and name != "Optimizer":
                found: Callable[..., optim.Optimizer] = kind
                return found
    elif callable(given):
        chosen: Callable[..., optim.Optimizer] = given
        return chosen
    raise ValueError(
        f"{owner}: no optimizer {given!r}; expected a name such as 'adam', 'sgd' or 'adamw', or a "
        "class of chainrule.optim"
    )


def as_schedule(owner: str, scheduler: Any) -> LRSchedule:
    """Return the callback of a scheduler.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(scheduler, LRScheduler):
        raise TypeError(
            f"{owner}: the function of the optimizer returns a {type(scheduler).__name__}; "
            "expected one of chainrule.optim.lr_scheduler"
        )
    return LRSchedule(scheduler, monitor="loss")


def patience(column: str, epochs: int, tol: float, restore: bool) -> list[Callback]:
    """Return early stopping on a column."""
    mode = "min" if column == "loss" else "max"
    return [EarlyStopping(column, epochs, tol, mode, restore_best=restore)]
