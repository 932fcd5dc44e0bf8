"""Checkpoints: a training saved as a whole, and continued bit for bit."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import chainrule as cr

from .. import nn
from ..io import load, save
from .callback import Best, Callback, warn_unwritten

if TYPE_CHECKING:
    from .loop import Run

__all__ = ["Checkpoint"]

_FORMAT = "chainrule.train checkpoint 1"


class Checkpoint(Callback):
    """Save the whole training to a file: weights, optimizer, schedules, random state, position.

    ``fit(..., resume=path)`` continues it as if there had been no break. The file is replaced in
    one step, so a full disk or a crash leaves the previous one whole; the training then goes on
    with a warning. An interrupted training is saved once more, in mid-epoch. The weights alone
    are ``chainrule.load(path)["model"]``.

    Random state means that of chainrule, of Python's ``random`` and of NumPy's global functions,
    and of every generator that is an attribute of the model's modules, of the data or of its
    samplers and datasets.

    Args:
        path: the file; ``{epoch}`` and ``{step}`` in it are replaced by their numbers.
        every_epochs: save after so many epochs; 0 for not at the end of epochs.
        every_steps: save also after so many steps; None for not.
        monitor: save only the epochs in which this column is better than before.
        mode: ``"min"`` if less is better, ``"max"``, or ``"auto"`` by what is known of the metric.

    Raises:
        ValueError: a count that is not positive, or an unknown mode.

    Example:
        >>> x = cr.rand(8, 1)
        >>> def train(epochs, **options):
        ...     _ = cr.manual_seed(0)
        ...     net = nn.Linear(1, 1)
        ...     optimizer = optim.Adam(net.parameters())
        ...     saved = cr.train.Checkpoint("/tmp/run.safetensors")
        ...     return cr.train.fit(net, (x, 2 * x), nn.MSELoss(), optimizer, epochs=epochs,
        ...                         callbacks=[saved], progress=False, **options)["loss"]
        >>> half = train(2)
        >>> train(4, resume="/tmp/run.safetensors") == train(4)
        True
    """

    rank = 2

    def __init__(
        self,
        path: str | os.PathLike[str],
        every_epochs: int = 1,
        every_steps: int | None = None,
        monitor: str | None = None,
        mode: str = "auto",
    ) -> None:
        if every_epochs < 0 or (every_steps is not None and every_steps < 1):
            raise ValueError(
                f"Checkpoint: got every_epochs={every_epochs}, every_steps={every_steps}; "
                "expected at least 0 and at least 1"
            )
        self.path = path
        self.every_epochs = every_epochs
        self.every_steps = every_steps
        self._best = None if monitor is None else Best(monitor, mode)

    def on_fit_begin(self, run: Run) -> None:
        """Start anew, unless the training goes on from a checkpoint."""
        if self._best and run.history.epochs == 0:
            self._best.value = None

    def on_batch_end(self, run: Run) -> None:
        """Save, if it is time."""
        if self.every_steps and run.step % self.every_steps == 0:
            self._save(run)

    def on_epoch_end(self, run: Run) -> None:
        """Save, if it is time."""
        better = self._best is None or self._best.improves(self, run)
        if self.every_epochs and run.epoch % self.every_epochs == 0 and better:
            self._save(run)

    def on_interrupt(self, run: Run) -> None:
        """Save, so that nothing is lost."""
        if self._best is None:
            self._save(run)

    def _save(self, run: Run) -> None:
        path = os.fspath(self.path).format(epoch=run.epoch, step=run.step)
        try:
            save({"format": _FORMAT, **run.state_dict()}, path)
        except OSError as error:
            warn_unwritten(self, path, error)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best": self._best.value if self._best else None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state that ``state_dict`` returned."""
        if self._best:
            self._best.value = state["best"]


def resume_path(resume: Any, callbacks: Iterable[Callback]) -> str | None:
    """Return the file to go on from, or None for a new training.

    Raises:
        ValueError: ``resume`` is True and no callback says where the file is.
    """
    if resume is False or resume is None:
        return None
    if resume is not True:
        return str(os.fspath(resume))
    paths = [os.fspath(c.path) for c in callbacks if isinstance(c, Checkpoint)]
    if not paths or "{" in paths[0]:
        raise ValueError("fit: resume=True needs a Checkpoint to one file among the callbacks")
    return paths[0] if os.path.exists(paths[0]) else None


def load_run(run: Run, path: str) -> None:
    """Put a training where a checkpoint says; all of it or, on an error, nothing.

    Raises:
        ValueError: the file is no checkpoint, or one of another model or training.
        OSError: it cannot be read.
    """
    state = load(path)
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise ValueError(f"fit: {path!r} is no checkpoint of a training; expected a file of "
                         "chainrule.train.Checkpoint")  # fmt: skip
    try:
        run.load_state_dict(state)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"fit: the checkpoint {path!r} is of another training: {error}") from error


# ---------------------------------------------------------------- random state

_KINDS = (cr.Generator, np.random.Generator, np.random.RandomState, random.Random)


class RandomState:
    """All sources of random numbers that a training can draw from."""

    def __init__(self, model: nn.Module, data: Any) -> None:
        self._own: list[Any] = []
        for owner in (*model.modules(), *_parts(data)):
            for value in getattr(owner, "__dict__", {}).values():
                known = any(value is other for other in self._own)
                if isinstance(value, _KINDS) and not known and value is not cr.default_generator:
                    self._own.append(value)

    def get(self) -> dict[str, Any]:
        """Return the states, as `chainrule.save` takes them."""
        legacy = "numpy.random" in sys.modules
        return {
            "chainrule": cr.get_rng_state(),
            "python": random.getstate(),
            "numpy": _plain(np.random.get_state()) if legacy else None,
            "own": [_get(generator) for generator in self._own],
        }

    def set(self, state: dict[str, Any]) -> None:
        """Go back to states of ``get``.

        Raises:
            ValueError: there were other generators.
        """
        if len(state["own"]) != len(self._own):
            raise ValueError(
                f"fit: the checkpoint was saved with {len(state['own'])} random generators in "
                f"model and data (got {len(self._own)}); expected the same model and data"
            )
        cr.set_rng_state(state["chainrule"])
        random.setstate(state["python"])
        if state["numpy"] is not None:
            np.random.set_state(state["numpy"])
        for generator, own in zip(self._own, state["own"], strict=True):
            _set(generator, own)


def _parts(data: Any) -> Iterator[Any]:
    """Yield a loader and the samplers and datasets it is made of."""
    yield data
    for name in ("batch_sampler", "sampler", "dataset"):
        part = getattr(data, name, None)
        if part is not None:
            yield from _parts(part)


def _get(generator: Any) -> Any:
    if isinstance(generator, cr.Generator):
        return generator.get_state()
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return _plain(generator.get_state())
    return _plain(generator.bit_generator.state)


def _set(generator: Any, state: Any) -> None:
    if isinstance(generator, cr.Generator):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _plain(state: Any) -> Any:
    """Return NumPy's state as Python's own types."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    if isinstance(state, (tuple, list)):
        return tuple(_plain(value) for value in state)
    if isinstance(state, (np.ndarray, np.generic)):
        return state.tolist()
    return state
