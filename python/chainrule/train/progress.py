"""Progress: a bar in a terminal or notebook, one line per epoch in a log, and silence when broken.

What is printed must never end a training: a closed terminal or pipe switches the output off.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any

__all__: list[str] = []

_REFRESH = 0.1  # seconds between two updates of the bar


class Progress:
    """Says nothing; what the others build on."""

    def step(self, epoch: int, total: float, count: int) -> None:
        """Take note of a training step; the mean loss so far is ``total / count``."""

    def epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Take note of the end of an epoch."""

    def close(self, remark: str | None) -> None:
        """End the output with a remark."""


class Lines(Progress):
    """One line per epoch, to standard output."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._start = time.perf_counter()
        self._broken = False

    def _print(self, line: str) -> None:
        if not self._broken:
            try:
                print(line, flush=True)
            except (OSError, ValueError, AttributeError):  # hung up, closed, or no stdout at all
                self._broken = True

    def epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        width = len(str(self._epochs))
        elapsed = time.perf_counter() - self._start
        self._print(
            f"epoch {epoch:{width}}/{self._epochs}  {_numbers(row, '  ', ' ')}  [{elapsed:.1f} s]"
        )

    def close(self, remark: str | None) -> None:
        if remark:
            self._print(remark)


class Bar(Progress):
    """A bar of tqdm over all steps, with the numbers of the last epoch."""

    def __init__(self, tqdm: Any, epochs: int, steps: int | None, done: int) -> None:
        self._epochs = epochs
        self._waiting = 0
        self._next = time.perf_counter()
        self._row: Mapping[str, float] = {}
        self._bar: Any = None
        # Terminals that say they have no size (some containers') would get no bar at all.
        size = {"ncols": 80, "nrows": 24} if _has_no_size() else {"dynamic_ncols": True}
        try:
            self._bar = tqdm(
                total=steps,
                initial=done,
                file=sys.stdout,
                unit="step",
                miniters=1,
                **size,
            )
        except (OSError, ValueError):
            self._break()

    def step(self, epoch: int, total: float, count: int) -> None:
        self._waiting += 1
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + _REFRESH
            self._show(epoch, {"loss": total / count, **{k: v for k, v in self._row.items()
                                                         if k != "loss"}})  # fmt: skip

    def epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        self._row = row
        if time.perf_counter() >= self._next or epoch == self._epochs:
            self._show(epoch, row)

    def _show(self, epoch: int, row: Mapping[str, float]) -> None:
        if self._bar is None:
            return
        try:
            text = f"epoch {epoch}/{self._epochs}, {_numbers(row, ', ', '=')}"
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(self._waiting)
            self._waiting = 0
        except (OSError, ValueError):
            self._break()

    def _break(self) -> None:
        if self._bar is not None:
            self._bar.disable = True  # so that tqdm itself writes no more
            self._bar = None

    def close(self, remark: str | None) -> None:
        if self._bar is None:
            return
        try:
            self._bar.update(self._waiting)
            self._bar.refresh()
            self._bar.close()
            if remark:
                print(remark, flush=True)
        except (OSError, ValueError):
            self._break()


def _has_no_size() -> bool:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns == 0
    except (OSError, ValueError, AttributeError):  # no terminal
        return False


def _numbers(row: Mapping[str, float], between: str, equals: str) -> str:
    return between.join(f"{name}{equals}{value:.4g}" for name, value in row.items())


def start_progress(
    progress: bool | str | None, epochs: int, steps_per_epoch: int | None, done: int
) -> Progress:
    """Return the output that suits the place, or the one asked for.

    Args:
        progress: None for a bar in a terminal or notebook and lines elsewhere, True for the same,
            False for silence, or ``"bar"`` or ``"lines"``.
        epochs: epochs of the training.
        steps_per_epoch: batches, where known.
        done: steps taken before, in a resumed training.

    Raises:
        ValueError: another word.
    """
    if progress not in (None, True, False, "bar", "lines"):
        raise ValueError(
            f"fit: progress is True, False, 'bar' or 'lines' (got {progress!r}); "
            "None chooses by where the output goes"
        )
    if progress is False:
        return Progress()
    if progress == "bar" or (progress != "lines" and _is_interactive()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a notebook without ipywidgets gets a plain bar
                from tqdm.auto import tqdm
        except ImportError:
            return Lines(epochs)
        steps = None if steps_per_epoch is None else epochs * steps_per_epoch
        return Bar(tqdm, epochs, steps, done)
    return Lines(epochs)


def _is_interactive() -> bool:
    """Whether output goes to a terminal or a notebook, where a line can be drawn anew."""
    try:
        if sys.stdout.isatty():
            return True
    except (AttributeError, ValueError):  # no standard output, or a closed one
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
