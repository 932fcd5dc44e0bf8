"""fit: the plain training loop, with the bookkeeping around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chainrule import Tensor

from .. import nn
from ..metrics import Metric, as_metrics
from ..optim import LBFGS, Optimizer
from .batches import as_batches, check_batch, count_batches
from .callback import Callback
from .checkpoint import Checkpoint, RandomState, load_run, resume_path
from .evaluation import Loss, evaluate_batches
from .history import History
from .progress import Progress, start_progress
from .signals import Interruption

__all__ = ["Run", "fit"]


class Run:
    """A training in progress: what callbacks see and steer.

    Attributes:
        model, optimizer: what was given to `fit`.
        metrics: the metrics by name.
        callbacks: the callbacks, in the order in which they are called.
        epochs: the number of epochs asked for.
        epoch: the epoch in progress, from 1.
        batch: batches done in this epoch.
        loss: the loss of the last batch, a tensor.
        logs: the numbers of the epoch that has ended, by column.
        history: those of all epochs.
        stopped: why the training stops before its last epoch, or None.
    """

    epoch: int
    batch: int
    loss: Tensor
    logs: dict[str, float]
    stopped: str | None

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss_function: Loss,
        batches: Iterable[Sequence[Any]],
        validation: Iterable[Sequence[Any]] | None,
        metrics: dict[str, Metric],
        callbacks: Sequence[Callback],
        epochs: int,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss_function = loss_function
        self.metrics = metrics
        self.callbacks = sorted(callbacks, key=lambda callback: callback.rank)
        self.epochs = epochs
        self.epoch = self.batch = 0
        self.logs = {}
        self.history = History()
        self.stopped = None
        self._batches = batches
        self._validation = validation
        self._steps = 0  # in the epochs before this one
        self._total, self._rows = 0.0, 0  # the sum of the epoch's losses, and over how many rows
        # Asking for random states takes time, so only trainings that are saved do it.
        saved = any(isinstance(callback, Checkpoint) for callback in callbacks)
        self._random = RandomState(model, batches) if saved else None
        self._epoch_random: dict[str, Any] | None = None  # at the beginning of the epoch
        self._resumed_random: dict[str, Any] | None = None  # of the checkpoint

    @property
    def step(self) -> int:
        """Steps done in all epochs."""
        return self._steps + self.batch

    def stop(self, reason: str) -> None:
        """Stop the training, in mid-epoch when called from ``on_backward`` or ``on_batch_end``.

        Args:
            reason: in words; `History.stopped` will say it.
        """
        self.stopped = reason

    # ---------------------------------------------------------------- the loop

    def go(self, interruption: Interruption, progress: Progress) -> None:
        """Train until the last epoch, or until something stops it."""
        self._call("on_fit_begin")
        if self.batch == 0 and self._random and self._resumed_random:
            self._random.set(self._resumed_random)
        while self.history.epochs < self.epochs and not self.stopped:
            ended = self._train_epoch(interruption, progress)
            if ended and not self.stopped:
                self._end_epoch(progress)
            if interruption.caught is not None and not self.stopped:
                self._call("on_interrupt")  # before `stopped` is set: a checkpoint can go on
                self.stopped = interruption.reason
        self.model.eval()
        self._call("on_fit_end")
        self.history.stopped = self.stopped

    def _call(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)

    def _hooks(self, name: str) -> list[Callable[[Run], None]]:
        """Return the callbacks' methods of a name, but for those that do nothing."""
        return [
            getattr(callback, name)
            for callback in self.callbacks
            if getattr(type(callback), name) is not getattr(Callback, name)
        ]

    def _train_epoch(self, interruption: Interruption, progress: Progress) -> bool:
        """Train on the batches that the epoch has left; whether it came to its end."""
        model, optimizer, loss_function = self.model, self.optimizer, self.loss_function
        metrics = list(self.metrics.values())
        on_backward, on_batch_end = self._hooks("on_backward"), self._hooks("on_batch_end")
        watched = bool(metrics or on_batch_end or type(progress) is not Progress)
        iterator = self._begin_epoch()
        # What must not cost time when nobody looks at it is kept in local variables.
        done, total, rows = self.batch, self._total, self._rows
        model.train()
        for batch in iterator:
            if rows == 0:
                check_batch("fit", batch)
            output = model(*batch[:-1])
            loss = loss_function(output, batch[-1])
            optimizer.zero_grad()
            loss.backward()
            if on_backward:
                self.loss = loss
                for hook in on_backward:
                    hook(self)
                if self.stopped:
                    break
            optimizer.step()

            size = len(batch[0])
            total += loss.item() * size
            rows += size
            done += 1
            if watched:
                self.batch, self._total, self._rows, self.loss = done, total, rows, loss
                for metric in metrics:
                    metric.update(output, batch[-1])
                for hook in on_batch_end:
                    hook(self)
                progress.step(self.epoch, total, rows)
                if self.stopped:
                    break
            if interruption.caught is not None:
                break
        ended = not self.stopped and interruption.caught is None
        self.batch, self._total, self._rows = done, total, rows
        if ended and rows == 0:
            again = " any more; expected what can be iterated over anew" if self.epoch > 1 else ""
            raise ValueError(f"fit: the data gave no batch in epoch {self.epoch}{again}")
        return ended

    def _begin_epoch(self) -> Iterable[Any]:
        """Return the batches of the next epoch, or of the resumed one behind those it has had."""
        self.epoch = self.history.epochs + 1
        if self.batch == 0:
            self._total, self._rows = 0.0, 0
            for metric in self.metrics.values():
                metric.reset()
            self._call("on_epoch_begin")
            if self._random:
                self._epoch_random = self._random.get()
            return self._batches
        # The order of the data is that of the interrupted epoch if it begins in the same state.
        assert self._random is not None
        assert self._epoch_random is not None
        self._random.set(self._epoch_random)
        iterator = iter(self._batches)
        for done in range(self.batch):
            if next(iterator, None) is None:
                raise ValueError(
                    f"fit: the checkpoint has had {self.batch} batches of this epoch and the data "
                    f"gives {done}; expected the data it was saved with"
                )
        assert self._resumed_random is not None
        self._random.set(self._resumed_random)
        return iterator

    def _end_epoch(self, progress: Progress) -> None:
        """Compute the epoch's numbers, validate, and tell the callbacks."""
        self.logs = {"loss": self._total / self._rows}
        self.logs.update((name, float(m.compute())) for name, m in self.metrics.items())
        if self._validation is not None:
            found = evaluate_batches(self.model, self._validation, self.loss_function, self.metrics)
            self.logs.update((f"val_{name}", value) for name, value in found.items())
        self.history.rows.append(self.logs)
        self._steps, self.batch = self.step, 0
        self._call("on_epoch_end")
        progress.epoch(self.epoch, self.logs)

    # ---------------------------------------------------------------- saving

    def state_dict(self) -> dict[str, Any]:
        """Return all that the rest of the training depends on, as `chainrule.save` takes it.

        Raises:
            ValueError: the training has no :class:`Checkpoint`, so that the state of the random
                numbers at the beginning of the epoch is not known.
        """
        if self._random is None:
            raise ValueError("Run.state_dict: give fit a Checkpoint to save a training")
        return {
            "batch": self.batch,
            "steps": self._steps,
            "total": self._total,
            "rows": self._rows,
            "stopped": self.stopped,
            "history": self.history.rows,
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "metrics": {name: metric.state_dict() for name, metric in self.metrics.items()},
            "callbacks": [[type(c).__name__, c.state_dict()] for c in self.callbacks],
            "random": self._random.get(),
            "epoch_random": self._epoch_random if self.batch else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that ``state_dict`` returned.

        Args:
            state: the state.

        Raises:
            ValueError, RuntimeError, KeyError, TypeError: it belongs to another training.
        """
        names = [type(callback).__name__ for callback in self.callbacks]
        saved = [name for name, _ in state["callbacks"]]
        if names != saved:
            raise ValueError(f"it was saved with the callbacks {saved} (got {names})")
        if list(state["metrics"]) != list(self.metrics):
            raise ValueError(
                f"it was saved with the metrics {list(state['metrics'])} (got {list(self.metrics)})"
            )
        before = {key: tensor.clone() for key, tensor in self.model.state_dict().items()}
        self.model.load_state_dict(state["model"])
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except BaseException:  # all or nothing
            self.model.load_state_dict(before)
            raise
        for callback, (_, own) in zip(self.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(own)
        for name, metric in self.metrics.items():
            metric.load_state_dict(state["metrics"][name])
        self.batch, self._steps = state["batch"], state["steps"]
        self._total, self._rows = state["total"], state["rows"]
        self.stopped = state["stopped"]
        self.history.rows = state["history"]
        self.epoch = self.history.epochs
        self._resumed_random, self._epoch_random = state["random"], state["epoch_random"]
        if self._random is None:
            self._random = RandomState(self.model, self._batches)


class _EpochFunction(Callback):
    """A plain function as callback: called with the run at the end of each epoch."""

    def __init__(self, function: Callable[[Run], Any]) -> None:
        self.function = function

    def on_epoch_end(self, run: Run) -> None:
        self.function(run)


def fit(
    model: nn.Module,
    data: Any,
    loss: Loss,
    optimizer: Optimizer,
    *,
    epochs: int = 1,
    validation: Any = None,
    metrics: Any = None,
    callbacks: Iterable[Callback | Callable[[Run], Any]] = (),
    batch_size: int = 32,
    shuffle: bool = True,
    progress: bool | str | None = None,
    resume: bool | str | Any = False,
    handle_signals: bool = True,
) -> History:
    """Train a model: the plain loop, with validation, metrics, callbacks and progress.

    For each batch ``(inputs ..., target)``::

        loss(model(*inputs), target) -> zero_grad -> backward -> step

    Ctrl-C ends the training after the step in progress and returns the history so far; a second
    one interrupts as usual. SIGTERM and a closed terminal end it in the same way and are then
    passed on. The model is left in evaluation mode.

    Args:
        model: any module; it is trained in training mode.
        data: a tuple of tensors or NumPy arrays (inputs ..., target) whose rows are the samples,
            a Dataset, or batches: a DataLoader or anything else that can be iterated over once
            per epoch. Arrays of floats are converted to the dtype of the model.
        loss: a function of (output, target) that returns the mean over the batch.
        optimizer: of the model's parameters.
        epochs: the number of epochs, counted from the beginning also in a resumed training.
        validation: data, evaluated after each epoch; its columns are named ``val_...``.
        metrics: a name such as ``"accuracy"``, a :class:`chainrule.metrics.Metric`, a function of
            (output, target), a list of them or a dict by name. They are fed by the outputs of the
            training steps, and once more in the validation.
        callbacks: callbacks, or functions that are called with the :class:`Run` after each epoch.
        batch_size: rows per batch, where the data does not come in batches.
        shuffle: visit the rows in a new random order each epoch, where likewise.
        progress: None for a bar (with tqdm) in a terminal or notebook and one line per epoch
            elsewhere; False for silence; ``"bar"`` or ``"lines"``.
        resume: the file of a :class:`Checkpoint` to go on from, bit for bit as if there had been
            no break; True for that of the first Checkpoint among the callbacks, if there is one
            yet.
        handle_signals: whether Ctrl-C and the like are handled as said above.

    Returns:
        The numbers of each epoch: the mean loss and the metrics over its steps, the same of the
        validation, and what callbacks add.

    Raises:
        TypeError: the data, a metric or a callback is none of these, or the optimizer needs a
            closure (LBFGS).
        ValueError: the data is empty, or the checkpoint is of another model or training.
        OSError: the checkpoint cannot be read.

    Example:
        >>> x = cr.linspace(-1, 1, 64).unsqueeze(1)
        >>> net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
        >>> history = cr.train.fit(net, (x, x**2), nn.MSELoss(),
        ...     optim.Adam(net.parameters(), lr=0.05), epochs=100, metrics="mae", progress=False)
        >>> list(history), history["loss"][-1] < 0.01
        (['loss', 'mae'], True)
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"fit: epochs is an int of at least 0 (got {epochs!r})")
    if isinstance(optimizer, LBFGS):
        raise TypeError(
            "fit: LBFGS computes the loss several times a step; expected another optimizer, or "
            "call optimizer.step(closure) in a loop of your own"
        )
    chosen = []
    for callback in callbacks:
        if not isinstance(callback, Callback):
            if isinstance(callback, type) or not callable(callback):
                raise TypeError(f"fit: {callback!r:.80} is no callback; expected an object of one")
            callback = _EpochFunction(callback)
        chosen.append(callback)
    held_out = None
    if validation is not None:
        held_out = as_batches("fit", validation, model, max(batch_size, 256), shuffle=False)
    run = Run(
        model,
        optimizer,
        loss,
        as_batches("fit", data, model, batch_size, shuffle),
        held_out,
        as_metrics("fit", metrics),
        chosen,
        epochs,
    )
    path = resume_path(resume, run.callbacks)
    if path is not None:
        load_run(run, path)
    output = start_progress(progress, epochs, count_batches(run._batches), run.step)
    with Interruption(handle_signals) as interruption:
        try:
            run.go(interruption, output)
        finally:
            output.close(f"stopped: {run.stopped}" if run.stopped else None)
    return run.history
