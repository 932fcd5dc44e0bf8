"""Multi-layer perceptrons with scikit-learn's parameters, and the ones it lacks."""

from __future__ import annotations

import copy
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import chainrule as cr
from chainrule import Tensor

from .. import nn, optim
from ..nn import functional as F
from ..nn.modules import activation as activations
from ..optim import lr_scheduler
from ..train import Callback, LRSchedule, Run
from .base import (
    Array,
    NeuralClassifier,
    NeuralEstimator,
    NeuralRegressor,
    as_schedule,
    patience,
    resolve_optimizer,
)

__all__ = ["MLPClassifier", "MLPRegressor"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    **{name.lower(): getattr(activations, name) for name in activations.__all__},
}
_RATES = ("constant", "invscaling", "adaptive", "cosine")
_LEAST_RATE = 1e-6  # where "adaptive" gives up


class _Adaptive(Callback):
    """Stop when the adaptive rate has become too small to matter."""

    def on_epoch_end(self, run: Run) -> None:
        if run.optimizer.param_groups[0]["lr"] <= _LEAST_RATE:
            run.stop("the learning rate is too small to go on")


class _MLP(NeuralEstimator):
    """The network and its training, made from scikit-learn's parameters."""

    hidden_layer_sizes: Any
    activation: Any
    dropout: float
    batch_norm: bool
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    max_iter: int
    tol: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float

    def _check_parameters(self) -> None:
        name = type(self).__name__
        sizes = self._sizes()
        rules = [
            ("hidden_layer_sizes", "positive ints", all(size > 0 for size in sizes)),
            ("dropout", "at least 0 and below 1", 0 <= self.dropout < 1),
            ("alpha", "at least 0", self.alpha >= 0),
            ("max_iter", "at least 1", self.max_iter >= 1),
            ("learning_rate_init", "positive", self.learning_rate_init > 0),
            ("n_iter_no_change", "at least 1", self.n_iter_no_change >= 1),
            ("batch_size", "'auto' or at least 1", self.batch_size == "auto"
             or self.batch_size >= 1),
        ]  # fmt: skip
        for parameter, expected, holds in rules:
            if not holds:
                raise ValueError(
                    f"{name}: {parameter} is {expected} (got {getattr(self, parameter)!r})"
                )
        if not callable(self.learning_rate) and self.learning_rate not in _RATES:
            raise ValueError(
                f"{name}: learning_rate is one of {_RATES}, or a function of the optimizer that "
                f"returns a scheduler (got {self.learning_rate!r})"
            )

    def _sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        return [int(s) for s in (sizes if np.iterable(sizes) else [sizes])]

    def _activation(self) -> nn.Module:
        given = self.activation
        if isinstance(given, str) and given.lower().replace("_", "") in _ACTIVATIONS:
            return _ACTIVATIONS[given.lower().replace("_", "")]()
        if isinstance(given, nn.Module):
            module: nn.Module = copy.deepcopy(given)
            return module
        made = given() if callable(given) else None
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"{type(self).__name__}: no activation {given!r}; expected a name such as 'relu', "
                "'tanh', 'gelu' or 'leaky_relu', a module, or a function that returns one"
            )
        return made

    def _make_module(self, features: int, outputs: int) -> nn.Module:
        layers: list[nn.Module] = []
        width = features
        for size in self._sizes():
            layers.append(self._linear(width, size))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers.append(self._activation())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = size
        layers.append(self._linear(width, outputs))
        return nn.Sequential(*layers)

    def _linear(self, inputs: int, outputs: int) -> nn.Linear:
        """Return a layer with the uniform weights of Glorot and Bengio (2010), as scikit-learn."""
        layer = nn.Linear(inputs, outputs)
        bound = math.sqrt((2 if self.activation == "logistic" else 6) / (inputs + outputs))
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        return layer

    def _make_optimizer(self, module: nn.Module, weight_per_batch: float) -> optim.Optimizer:
        make = resolve_optimizer(type(self).__name__, self.solver)
        if make is optim.LBFGS:
            raise ValueError(
                f"{type(self).__name__}: solver='lbfgs' needs all rows in every step and is not "
                "offered; expected an optimizer of batches, such as 'adam'"
            )
        options: dict[str, Any] = {}
        if make is optim.SGD:
            nesterov = self.nesterovs_momentum and self.momentum > 0
            options = {"momentum": self.momentum, "nesterov": nesterov}
        elif make in (optim.Adam, optim.AdamW):
            options = {"betas": (self.beta_1, self.beta_2), "eps": self.epsilon}
        # The penalty alpha / 2 |W|^2 is shared by the rows, and biases have none.
        matrices = [p for p in module.parameters() if p.ndim > 1]
        others = [p for p in module.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.alpha / max(weight_per_batch, 1e-12)},
            {"params": others, "weight_decay": 0.0},
        ]
        return make(groups, lr=self.learning_rate_init, **options)

    def _make_callbacks(self, optimizer: optim.Optimizer, rows: int) -> list[Any]:
        column = "val_score" if self.early_stopping else "loss"
        stop = patience(column, self._patience(), self.tol, self.early_stopping)
        if self.learning_rate == "constant":
            return stop
        scheduler: Any
        if self.learning_rate == "adaptive":
            scheduler = lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=0.2, patience=self._patience() - 1,
                threshold=self.tol, threshold_mode="abs",
            )  # fmt: skip
            return [LRSchedule(scheduler, monitor="loss"), _Adaptive()]
        if self.learning_rate == "invscaling":
            power = self.power_t
            scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: (1 + t * rows) ** -power)
        elif self.learning_rate == "cosine":
            scheduler = lr_scheduler.CosineAnnealingLR(optimizer, self.max_iter)
        else:
            scheduler = self.learning_rate(optimizer)
        return [as_schedule(type(self).__name__, scheduler), *stop]

    def _patience(self) -> int:
        return sys.maxsize if math.isinf(self.n_iter_no_change) else int(self.n_iter_no_change)

    def _rows_per_batch(self, rows: int) -> int:
        return min(200, rows) if self.batch_size == "auto" else int(self.batch_size)

    def _epochs(self) -> int:
        return int(self.max_iter)

    def _train(self, X: Array, y: Array, *args: Any, **how: Any) -> None:
        super()._train(X, y, *args, **how)
        self.n_iter_ = self.history_.epochs
        self.n_layers_ = len(self._sizes()) + 2
        self.loss_curve_ = self.history_["loss"]
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_)
        if "val_score" in self.history_:
            self.validation_scores_ = self.history_["val_score"]
            self.best_validation_score_ = max(self.validation_scores_)
        endless = math.isinf(self.n_iter_no_change) and self.learning_rate != "adaptive"
        if not how.get("partial") and self.history_.stopped is None and not endless:
            warnings.warn(
                f"{type(self).__name__}: max_iter={self.max_iter} epochs were done and the "
                "training has not converged yet",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _layers(self) -> list[nn.Linear]:
        return [layer for layer in self.module_.modules() if isinstance(layer, nn.Linear)]

    @property
    def coefs_(self) -> list[Array]:
        """The weight matrices of the layers, ``(inputs, outputs)`` each."""
        return [layer.weight.detach().numpy().T.copy() for layer in self._layers()]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of the layers."""
        return [cr.as_tensor(layer.bias).detach().numpy().copy() for layer in self._layers()]


class MLPClassifier(_MLP, NeuralClassifier):
    """A multi-layer perceptron for classes, with softmax and cross-entropy.

    The parameters are those of scikit-learn's class of this name, and dropout, batch_norm,
    dtype and class_weight.

    Args:
        hidden_layer_sizes: units of each hidden layer.
        activation: the name of an activation of `chainrule.nn` (``"relu"``, ``"gelu"``,
            ``"leaky_relu"`` ...), ``"identity"``, ``"logistic"``, a module, or a function that
            returns one.
        dropout: the fraction of hidden units that each step leaves out.
        batch_norm: normalize each hidden layer over the batch, before the activation.
        solver: the name of an optimizer of `chainrule.optim`, or a class.
        alpha: strength of the L2 penalty of the weights.
        batch_size: rows per step; ``"auto"`` is at most 200.
        learning_rate: ``"constant"``; ``"adaptive"``: a fifth when the loss has stopped falling;
            ``"invscaling"``: ``learning_rate_init / t**power_t`` after t rows; ``"cosine"`` down
            to 0 at ``max_iter``; or a function of the optimizer that returns a scheduler.
        learning_rate_init: the learning rate at the start.
        power_t: the exponent of ``"invscaling"``.
        max_iter: epochs at most.
        shuffle: visit the rows in a new random order each epoch.
        random_state: a seed or RandomState.
        tol: what is at most this much better does not count as an improvement.
        verbose: show progress.
        warm_start: let `fit` go on from the present weights.
        momentum: of ``"sgd"``.
        nesterovs_momentum: whether it is Nesterov's.
        early_stopping: hold rows out, stop by their accuracy and restore the best weights.
        validation_fraction: the part of the rows held out.
        beta_1: of ``"adam"`` and ``"adamw"``: decay of the mean of gradients.
        beta_2: of their squares.
        epsilon: added to the denominator.
        n_iter_no_change: epochs without improvement after which it stops; ``inf`` for never.
        dtype: ``"float32"`` or ``"float64"``, in which everything is computed.
        class_weight: weights by class, ``"balanced"`` for the inverse of their frequency, or None.

    Attributes:
        classes_: the classes, sorted.
        module_: the trained network, a `chainrule.nn.Sequential`.
        history_: the `chainrule.train.History` of the last fit.
        n_iter_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_,
            coefs_, intercepts_: as in scikit-learn.

    Example:
        >>> from chainrule.sklearn import MLPClassifier
        >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["no", "yes", "yes", "no"]
        >>> model = MLPClassifier((16,), "tanh", learning_rate_init=0.1, tol=1e-3, random_state=0)
        >>> model.fit(X, y).predict(X).tolist()
        ['no', 'yes', 'yes', 'no']
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        dtype: Any = "float32",
        class_weight: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.class_weight = class_weight

    def _make_criterion(self) -> Callable[..., Tensor]:
        return F.cross_entropy


class MLPRegressor(_MLP, NeuralRegressor):
    """A multi-layer perceptron for numbers, with the squared error.

    The parameters are those of :class:`MLPClassifier`, but for ``class_weight``; early stopping
    goes by R2.

    Example:
        >>> from chainrule.sklearn import MLPRegressor
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> model = MLPRegressor((32,), "tanh", learning_rate_init=0.02,
        ...                      n_iter_no_change=np.inf, random_state=0)
        >>> bool(model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95)
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        dtype: Any = "float32",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype

    def _make_criterion(self) -> Callable[..., Tensor]:
        return F.mse_loss
