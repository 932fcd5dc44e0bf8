"""Interruption: signals are noted and obeyed between two steps."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

__all__: list[str] = []


class Interruption:
    """While it is entered, the first Ctrl-C (or SIGTERM, or hang-up) is noted instead of obeyed.

    The second one acts as it did before, so that a training which hangs can still be ended. A
    handler that the program has set itself is left alone, and so is everything outside of the
    main thread, where Python cannot set handlers.

    Attributes:
        caught: the number of the signal, or None.
    """

    caught: int | None

    def __init__(self, active: bool = True) -> None:
        self.caught = None
        self._active = active
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if not self._active or threading.current_thread() is not threading.main_thread():
            return self
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is None:
                continue
            before = signal.getsignal(number)
            if before in (signal.default_int_handler, signal.SIG_DFL):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.caught = number
        self._restore()

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def __exit__(self, *exception: object) -> None:
        self._restore()
        if self.caught is not None and self.caught != signal.SIGINT:
            # Who asked the process to end gets its way, now that all is saved.
            os.kill(os.getpid(), self.caught)

    @property
    def reason(self) -> str:
        """The signal in words."""
        if self.caught == signal.SIGINT:
            return "interrupted (Ctrl-C)"
        return f"interrupted by {signal.Signals(self.caught or 0).name}"
