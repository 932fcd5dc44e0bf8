"""Any module as a scikit-learn estimator."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

from chainrule import Tensor

from .. import nn, optim
from ..nn import functional as F
from .base import (
    NeuralClassifier,
    NeuralEstimator,
    NeuralRegressor,
    as_schedule,
    patience,
    resolve_optimizer,
)

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]

_PREFIXES = ("module__", "optimizer__")


class _NeuralNet(NeuralEstimator):
    """The network and its training, made from a module and an optimizer of any kind."""

    module: Any
    criterion: Any
    optimizer: Any
    lr: float
    max_epochs: int
    batch_size: int
    scheduler: Any
    callbacks: Any
    n_iter_no_change: int
    tol: float

    # Parameters such as module__hidden are attributes; scikit-learn finds the others by the
    # signature of the constructor.

    def _keep(self, options: dict[str, Any]) -> None:
        self._extra = sorted({*getattr(self, "_extra", ()), *options})
        for name, value in options.items():
            setattr(self, name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, those of the module and the optimizer included.

        Args:
            deep: accepted as scikit-learn's base class does.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        params.update((name, getattr(self, name)) for name in self._extra)
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name.

        Returns:
            The estimator.

        Raises:
            ValueError: there is no such parameter.
        """
        own = {name: value for name, value in params.items() if name.startswith(_PREFIXES)}
        super().set_params(**{name: v for name, v in params.items() if name not in own})
        self._keep(own)
        return self

    def _options(self, prefix: str) -> dict[str, Any]:
        names = [name for name in self._extra if name.startswith(prefix)]
        return {name.removeprefix(prefix): getattr(self, name) for name in names}

    def _check_parameters(self) -> None:
        for name in self._extra:  # here and not in the constructor, as scikit-learn wants it
            if not name.startswith(_PREFIXES):
                raise TypeError(
                    f"{type(self).__name__}: no parameter {name!r}; those of the module and the "
                    "optimizer are written module__NAME and optimizer__NAME"
                )
        rules = [
            ("lr", "positive", self.lr > 0),
            ("max_epochs", "at least 1", self.max_epochs >= 1),
            ("batch_size", "at least 1", self.batch_size >= 1),
            ("n_iter_no_change", "at least 1", self.n_iter_no_change >= 1),
        ]
        for parameter, expected, holds in rules:
            if not holds:
                raise ValueError(
                    f"{type(self).__name__}: {parameter} is {expected} "
                    f"(got {getattr(self, parameter)!r})"
                )

    def _make_module(self, features: int, outputs: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            if self._options("module__"):
                raise ValueError(
                    f"{type(self).__name__}: module__ parameters need a class or function as "
                    f"module (got a {type(self.module).__name__})"
                )
            module: nn.Module = copy.deepcopy(self.module)
            return module
        if not callable(self.module):
            raise TypeError(
                f"{type(self).__name__}: module is a {type(self.module).__name__}; expected a "
                "module, a class of one, or a function that returns one"
            )
        options = self._options("module__")
        accepted = inspect.signature(self.module).parameters
        for name, value in (("n_features", features), ("n_outputs", outputs)):
            if name in accepted:
                options.setdefault(name, value)
        made = self.module(**options)
        if not isinstance(made, nn.Module):
            raise TypeError(
                f"{type(self).__name__}: module returned a {type(made).__name__}; expected a Module"
            )
        return made

    def _make_optimizer(self, module: nn.Module, weight_per_batch: float) -> optim.Optimizer:
        make = resolve_optimizer(type(self).__name__, self.optimizer)
        return make(module.parameters(), lr=self.lr, **self._options("optimizer__"))

    def _make_criterion(self) -> Callable[..., Tensor]:
        criterion = self.criterion
        if isinstance(criterion, type):
            criterion = criterion()
        if isinstance(criterion, nn.Module):
            by_reduction = {}
            for reduction in ("mean", "none"):
                by_reduction[reduction] = copy.deepcopy(criterion)
                if hasattr(criterion, "reduction"):
                    by_reduction[reduction].reduction = reduction
                elif reduction == "none":
                    del by_reduction["none"]

            def call(output: Tensor, target: Tensor, reduction: str) -> Tensor:
                if reduction not in by_reduction:
                    raise ValueError(
                        f"{type(self).__name__}: weights need a criterion with reduction='none' "
                        f"(got {type(criterion).__name__})"
                    )
                loss: Tensor = by_reduction[reduction](output, target)
                return loss

            return call
        chosen: Callable[..., Tensor] = criterion or self._default_criterion
        return chosen

    @staticmethod
    def _default_criterion(output: Tensor, target: Tensor, reduction: str) -> Tensor:
        raise NotImplementedError

    def _make_callbacks(self, optimizer: optim.Optimizer, rows: int) -> list[Any]:
        chosen: list[Any] = copy.deepcopy(list(self.callbacks or ()))
        if self.scheduler is not None:
            chosen.append(as_schedule(type(self).__name__, self.scheduler(optimizer)))
        if self.early_stopping:
            chosen += patience("val_score", self.n_iter_no_change, self.tol, restore=True)
        return chosen

    def _rows_per_batch(self, rows: int) -> int:
        return int(self.batch_size)

    def _epochs(self) -> int:
        return int(self.max_epochs)

    def _accepts(self) -> dict[str, Any]:
        return {"allow_nd": True}


class NeuralNetClassifier(_NeuralNet, NeuralClassifier):
    """A module with one output per class (logits) as a classifier.

    Args:
        module: a module, which is copied; or a class or function that returns one. Parameters
            of it that are named ``n_features`` and ``n_outputs`` are filled from the data.
        criterion: a loss module, its class, or a function of (output, target, reduction);
            cross-entropy when None.
        optimizer: the name of an optimizer of `chainrule.optim`, a class, or a function.
        lr: learning rate.
        max_epochs: epochs.
        batch_size: rows per step.
        shuffle: visit the rows in a new random order each epoch.
        scheduler: a function of the optimizer that returns a scheduler, stepped every epoch.
        callbacks: callbacks of `chainrule.train`, which are copied for each fit.
        early_stopping: hold rows out, stop by their accuracy and restore the best weights.
        validation_fraction: the part of the rows held out.
        n_iter_no_change: epochs without improvement after which it stops.
        tol: what is at most this much better does not count as an improvement.
        class_weight: weights by class, ``"balanced"`` for the inverse of their frequency, or None.
        warm_start: let `fit` go on from the present weights.
        random_state: a seed or RandomState.
        verbose: show progress.
        dtype: ``"float32"`` or ``"float64"``, to which module and data are converted.
        **options: ``module__NAME`` and ``optimizer__NAME``, passed on to the module's and the
            optimizer's constructors; they can be searched as any other parameter.

    Attributes:
        classes_: the classes, sorted.
        module_: the trained network.
        history_: the `chainrule.train.History` of the last fit.

    Example:
        >>> from chainrule.sklearn import NeuralNetClassifier
        >>> def net(n_features, n_outputs, hidden):
        ...     return nn.Sequential(nn.Linear(n_features, hidden), nn.GELU(),
        ...                          nn.Linear(hidden, n_outputs))
        >>> model = NeuralNetClassifier(net, module__hidden=16, lr=0.05, max_epochs=100,
        ...                             random_state=0)
        >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
        >>> model.fit(X, y).score(X, y)
        1.0
    """

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = None,
        optimizer: Any = "adam",
        lr: float = 0.001,
        max_epochs: int = 20,
        batch_size: int = 128,
        shuffle: bool = True,
        scheduler: Any = None,
        callbacks: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        dtype: Any = "float32",
        **options: Any,
    ) -> None:
        self.module = module
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.scheduler = scheduler
        self.callbacks = callbacks
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self._keep(options)

    @staticmethod
    def _default_criterion(output: Tensor, target: Tensor, reduction: str) -> Tensor:
        return F.cross_entropy(output, target, reduction=reduction)


class NeuralNetRegressor(_NeuralNet, NeuralRegressor):
    """A module with one output per target as a regressor.

    The parameters are those of :class:`NeuralNetClassifier`, but for ``class_weight``; the
    criterion is the squared error when None, and early stopping goes by R2. Targets reach the
    criterion as ``(rows, outputs)``.

    Example:
        >>> from chainrule.sklearn import NeuralNetRegressor
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> model = NeuralNetRegressor(nn.Linear(1, 1), lr=0.1, max_epochs=200, random_state=0)
        >>> bool(model.fit(X, 3 * X[:, 0]).score(X, 3 * X[:, 0]) > 0.99)
        True
    """

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = None,
        optimizer: Any = "adam",
        lr: float = 0.001,
        max_epochs: int = 20,
        batch_size: int = 128,
        shuffle: bool = True,
        scheduler: Any = None,
        callbacks: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        dtype: Any = "float32",
        **options: Any,
    ) -> None:
        self.module = module
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.scheduler = scheduler
        self.callbacks = callbacks
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self._keep(options)

    @staticmethod
    def _default_criterion(output: Tensor, target: Tensor, reduction: str) -> Tensor:
        return F.mse_loss(output, target, reduction=reduction)
