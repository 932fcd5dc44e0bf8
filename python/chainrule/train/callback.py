"""Callbacks: what happens during a training besides the training."""

from __future__ import annotations

import csv
import math
import os
import warnings
from typing import TYPE_CHECKING, Any

from ..nn.utils import clip_grad_norm_
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

if TYPE_CHECKING:
    from .loop import Run

__all__ = ["CSVLog", "Callback", "ClipGradNorm", "EarlyStopping", "LRSchedule", "NaNStop"]


class Callback:
    """Base class: methods that `fit` calls with the :class:`Run`; override those you need.

    Attributes:
        rank: callbacks of a lower rank are called first, those of the same rank in their order
            (schedules have -1, logs 1, checkpoints 2, so that each sees what it records).

    Example:
        >>> class Shout(cr.train.Callback):
        ...     def on_epoch_end(self, run):
        ...         print(f"epoch {run.epoch}: {list(run.logs)}")
        >>> net = nn.Linear(1, 1)
        >>> _ = cr.train.fit(net, (cr.ones(2, 1), cr.ones(2, 1)), nn.MSELoss(),
        ...                  optim.SGD(net.parameters()), callbacks=[Shout()], progress=False)
        epoch 1: ['loss']
    """

    rank: int = 0

    def on_fit_begin(self, run: Run) -> None:
        """Before the first epoch, and when a training is resumed."""

    def on_epoch_begin(self, run: Run) -> None:
        """Before the first batch of an epoch."""

    def on_backward(self, run: Run) -> None:
        """When the gradients are known and the optimizer has not stepped yet."""

    def on_batch_end(self, run: Run) -> None:
        """After a step."""

    def on_epoch_end(self, run: Run) -> None:
        """After the validation; ``run.logs`` holds the epoch's numbers and takes more."""

    def on_interrupt(self, run: Run) -> None:
        """After the step in which Ctrl-C or a signal came, before ``on_fit_end``."""

    def on_fit_end(self, run: Run) -> None:
        """When the training is over, for whatever reason but an exception."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the callback to go on: plain data, tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned."""


def logged(callback: Callback, run: Run, column: str) -> float:
    """Return a number of the epoch, or say which there are."""
    if column not in run.logs:
        hint = "; give fit validation data" if column.startswith("val_") else ""
        raise KeyError(
            f"{type(callback).__name__}: the epoch has no {column!r} (got {list(run.logs)}){hint}"
        )
    return run.logs[column]


class Best:
    """The best value of a column so far."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max' (got {mode!r})")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = min_delta
        self.value: float | None = None

    def improves(self, callback: Callback, run: Run) -> bool:
        """Take note of the epoch's value; whether it is better than all before."""
        value = logged(callback, run, self.monitor)
        if math.isnan(value):
            return False
        sign = 1 if self._grows(callback, run) else -1
        if self.value is not None and not sign * (value - self.value) > self.min_delta:
            return False
        self.value = value
        return True

    def _grows(self, callback: Callback, run: Run) -> bool:
        """Whether more is better; what a metric says of itself."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return False
        metric = run.metrics.get(name)
        if metric is None or metric.higher_is_better is None:
            raise ValueError(
                f"{type(callback).__name__}: whether more or less of {self.monitor!r} is better "
                "is not known; expected mode='min' or mode='max'"
            )
        return metric.higher_is_better


class EarlyStopping(Callback):
    """Stop when a number has not improved for some epochs, and go back to the best weights.

    Args:
        monitor: the column to watch.
        patience: so many epochs in a row without improvement are let pass; the next one stops.
        min_delta: what is at most this much better does not count.
        mode: ``"min"`` if less is better, ``"max"``, or ``"auto"`` by what is known of the metric.
        restore_best: end with the weights of the best epoch, also when the training ends for
            another reason.

    Attributes:
        best: the best value so far, or None.
        best_epoch: its epoch, from 1.

    Raises:
        ValueError: a negative patience or an unknown mode.

    Example:
        >>> stop = cr.train.EarlyStopping("loss", patience=1)
        >>> net = nn.Linear(1, 1)
        >>> history = cr.train.fit(net, (cr.ones(2, 1), cr.ones(2, 1)), nn.MSELoss(),
        ...     optim.SGD(net.parameters(), lr=0.0), epochs=9, callbacks=[stop], progress=False)
        >>> history.epochs, history.stopped
        (3, "no better 'loss' for 2 epochs")
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience is at least 0 (got {patience})")
        self.monitor = monitor
        self.patience = patience
        self.restore_best = restore_best
        self.best_epoch = 0
        self._best = Best(monitor, mode, min_delta)
        self._weights: dict[str, Any] | None = None

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._best.value

    def on_fit_begin(self, run: Run) -> None:
        """Start anew, unless the training goes on from a checkpoint."""
        if run.history.epochs == 0:
            self._best.value, self.best_epoch, self._weights = None, 0, None

    def on_epoch_end(self, run: Run) -> None:
        """Compare, and stop if it is time."""
        if self._best.improves(self, run):
            self.best_epoch = run.epoch
            if self.restore_best:
                state = run.model.state_dict()
                self._weights = {key: tensor.clone() for key, tensor in state.items()}
        elif run.epoch - self.best_epoch > self.patience:
            waited = run.epoch - self.best_epoch
            run.stop(f"no better {self.monitor!r} for {waited} epoch{'s' if waited > 1 else ''}")

    def on_fit_end(self, run: Run) -> None:
        """Restore the best weights."""
        if self._weights is not None:
            run.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and weights."""
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned."""
        self._best.value, self.best_epoch = state["best"], state["best_epoch"]
        self._weights = state["weights"]


class NaNStop(Callback):
    """Stop before the step when the loss is NaN or infinite; the weights keep their values.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> data = cr.ones(2, 1) * float("inf"), cr.ones(2, 1)
        >>> cr.train.fit(net, data, nn.MSELoss(), optim.SGD(net.parameters()),
        ...              callbacks=[cr.train.NaNStop()], progress=False).stopped
        'the loss is inf in epoch 1, batch 1'
    """

    def on_backward(self, run: Run) -> None:
        """Look at the loss."""
        value = run.loss.item()
        if not math.isfinite(value):
            run.stop(f"the loss is {value} in epoch {run.epoch}, batch {run.batch + 1}")


class ClipGradNorm(Callback):
    """Scale all gradients together so that their norm is at most ``max_norm``.

    Args:
        max_norm: the limit.
        norm_type: the order of the norm.

    Example:
        >>> cr.train.ClipGradNorm(1.0).max_norm
        1.0
    """

    def __init__(self, max_norm: float, norm_type: float = 2.0) -> None:
        self.max_norm = max_norm
        self.norm_type = norm_type

    def on_backward(self, run: Run) -> None:
        """Clip."""
        clip_grad_norm_(run.model.parameters(), self.max_norm, self.norm_type)


class LRSchedule(Callback):
    """Step a learning-rate scheduler, and log the rate of each epoch's last step as ``lr``.

    Args:
        scheduler: a scheduler of the optimizer that is trained with.
        every: ``"epoch"`` or ``"step"``.
        monitor: the column that ReduceLROnPlateau is told.

    Raises:
        TypeError: not a scheduler of `chainrule.optim.lr_scheduler`.
        ValueError: an unknown ``every``.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> optimizer = optim.SGD(net.parameters(), lr=0.1)
        >>> schedule = cr.train.LRSchedule(optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5))
        >>> data = cr.ones(2, 1), cr.ones(2, 1)
        >>> cr.train.fit(net, data, nn.MSELoss(), optimizer, epochs=3, callbacks=[schedule],
        ...              progress=False)["lr"]
        [0.1, 0.05, 0.025]
    """

    rank = -1

    def __init__(
        self, scheduler: LRScheduler, every: str = "epoch", monitor: str = "val_loss"
    ) -> None:
        if not isinstance(scheduler, LRScheduler):
            raise TypeError(
                f"LRSchedule: scheduler is a {type(scheduler).__name__}; expected one of "
                "chainrule.optim.lr_scheduler"
            )
        if every not in ("epoch", "step"):
            raise ValueError(f"LRSchedule: every is 'epoch' or 'step' (got {every!r})")
        self.scheduler = scheduler
        self.every = every
        self.monitor = monitor
        self._rate = 0.0  # of the last step

    def on_batch_end(self, run: Run) -> None:
        """Step, if it is stepped in every step."""
        if self.every == "step":
            self._rate = float(run.optimizer.param_groups[0]["lr"])
            self.scheduler.step()

    def on_epoch_end(self, run: Run) -> None:
        """Log the rate, and step if it is stepped in every epoch."""
        if self.every == "step":
            run.logs["lr"] = self._rate
            return
        run.logs["lr"] = float(run.optimizer.param_groups[0]["lr"])
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(logged(self, run, self.monitor))
        else:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state."""
        return {"scheduler": self.scheduler.state_dict(), "rate": self._rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned."""
        self.scheduler.load_state_dict(state["scheduler"])
        self._rate = state["rate"]


class CSVLog(Callback):
    """Write the numbers of each epoch to a CSV file as soon as they are known.

    A new training replaces the file; a resumed one goes on behind the rows of its checkpoint.
    When the file cannot be written the training goes on, with a warning.

    Args:
        path: the file.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> _ = cr.train.fit(net, (cr.ones(2, 1), cr.ones(2, 1)), nn.MSELoss(),
        ...     optim.SGD(net.parameters(), lr=0.0), callbacks=[cr.train.CSVLog("/tmp/log.csv")],
        ...     progress=False)
        >>> with open("/tmp/log.csv") as file:
        ...     file.readline()
        'epoch,loss\\n'
    """

    rank = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._columns: list[str] = []

    def on_fit_begin(self, run: Run) -> None:
        """Write the rows there are, none in a new training."""
        self._rewrite(run)

    def on_epoch_end(self, run: Run) -> None:
        """Append a row; a column that was not there before has the file written anew."""
        if any(name not in self._columns for name in run.logs):
            self._rewrite(run)
            return
        try:
            with open(self.path, "a", newline="", encoding="utf-8") as file:
                row = [run.epoch, *(run.logs.get(name, "") for name in self._columns)]
                csv.writer(file, lineterminator="\n").writerow(row)
        except OSError as error:
            warn_unwritten(self, self.path, error)

    def _rewrite(self, run: Run) -> None:
        self._columns = list(run.history)
        try:
            run.history.to_csv(self.path)
        except OSError as error:
            warn_unwritten(self, self.path, error)


def warn_unwritten(callback: Callback, path: object, error: OSError) -> None:
    """Warn that a file could not be written; the training is worth more than its log."""
    warnings.warn(
        f"{type(callback).__name__}: {str(path)!r} could not be written "
        f"({error.strerror or error}); the training goes on",
        RuntimeWarning,
        stacklevel=2,
    )
