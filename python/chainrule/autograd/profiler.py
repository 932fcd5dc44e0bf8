"""Where the time of a program goes: every op that ran, as a table or a trace.

Names follow ``torch.autograd.profiler``. Off, profiling costs one memory read per op.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from .._core import _profile_clock, _record_event, _start_profile, _stop_profile

__all__ = ["FunctionEvent", "KeyAverage", "profile", "record_function"]


@dataclass
class FunctionEvent:
    """One op that ran. Times are in microseconds; `self` leaves out the ops that ran inside.

    Attributes:
        name: the op's name, with an underscore behind in-place forms.
        start_us, end_us: since profiling began.
        thread: number of the thread it was called on.
        self_cpu_time_total: its time without that of ops inside it.
    """

    name: str
    start_us: float
    end_us: float
    thread: int
    self_cpu_time_total: float = field(default=0.0)

    @property
    def cpu_time_total(self) -> float:
        """Its time, that of ops inside it included."""
        return self.end_us - self.start_us


@dataclass
class KeyAverage:
    """All events of one name together. Times are in microseconds."""

    key: str
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0

    @property
    def cpu_time(self) -> float:
        """Mean time of one call."""
        return self.cpu_time_total / self.count


COLUMNS = ("self_cpu_time_total", "cpu_time_total", "cpu_time", "count")


class profile:
    """Record every op that runs inside the ``with`` block, on all threads.

    One profile runs at a time.

    Args:
        enabled: ``False`` makes this do nothing.

    Raises:
        RuntimeError: when another profile is running.

    Example:
        >>> x = cr.ones(3, requires_grad=True)
        >>> with cr.autograd.profiler.profile() as prof:
        ...     (x.exp() * 2).sum().backward()
        >>> [event.name for event in prof.function_events][:3]
        ['exp', 'mul', 'sum']
        >>> prof.key_averages()[0].count
        1
    """

    _running = False

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.function_events: list[FunctionEvent] = []

    def __enter__(self) -> profile:
        if self.enabled:
            if profile._running:
                raise RuntimeError("profile: another profile is running; one at a time")
            profile._running = True
            self._start = _profile_clock()
            _start_profile()
        return self

    def __exit__(self, *_: object) -> None:
        if not self.enabled:
            return
        profile._running = False
        self.function_events = _nested(
            FunctionEvent(name, (start - self._start) / 1e3, (end - self._start) / 1e3, thread)
            for name, start, end, thread in _stop_profile()
        )

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in ops altogether."""
        return sum(event.self_cpu_time_total for event in self.function_events)

    def key_averages(self) -> list[KeyAverage]:
        """The events summed by name, in order of appearance."""
        averages: dict[str, KeyAverage] = {}
        for event in self.function_events:
            average = averages.setdefault(event.name, KeyAverage(event.name))
            average.count += 1
            average.cpu_time_total += event.cpu_time_total
            average.self_cpu_time_total += event.self_cpu_time_total
        return list(averages.values())

    def table(self, sort_by: str = "self_cpu_time_total", row_limit: int = 100) -> str:
        """The sums by name as text, the largest first.

        Args:
            sort_by: ``"self_cpu_time_total"``, ``"cpu_time_total"``, ``"cpu_time"`` or ``"count"``.
            row_limit: how many rows are shown.

        Raises:
            ValueError: for another `sort_by`.
        """
        if sort_by not in COLUMNS:
            raise ValueError(f"table: sort_by must be one of {COLUMNS} (got {sort_by!r})")
        rows = sorted(self.key_averages(), key=lambda row: getattr(row, sort_by), reverse=True)
        whole = self.self_cpu_time_total or 1.0
        lines = [
            f"{'name':<28}{'self us':>12}{'share':>8}{'total us':>12}{'mean us':>10}{'calls':>8}"
        ]
        for row in rows[:row_limit]:
            share = row.self_cpu_time_total / whole
            lines.append(
                f"{row.key:<28}{row.self_cpu_time_total:>12.1f}{share:>8.1%}"
                f"{row.cpu_time_total:>12.1f}{row.cpu_time:>10.2f}{row.count:>8}"
            )
        lines.append(f"in ops altogether: {self.self_cpu_time_total / 1e3:.3f} ms")
        return "\n".join(lines)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events for a trace viewer (chrome://tracing, Perfetto)."""
        events = [
            {
                "name": event.name,
                "ph": "X",
                "ts": event.start_us,
                "dur": event.cpu_time_total,
                "pid": os.getpid(),
                "tid": event.thread,
            }
            for event in self.function_events
        ]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ns"}, file)

    def __str__(self) -> str:
        return self.table()


class record_function:
    """Name a stretch of a program in the profile.

    Example:
        >>> with cr.autograd.profiler.profile() as prof:
        ...     with cr.autograd.profiler.record_function("two draws"):
        ...         _ = cr.rand(2), cr.rand(2)
        >>> prof.function_events[0].name
        'two draws'
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._start = _profile_clock()
        return self

    def __exit__(self, *_: object) -> None:
        if profile._running:
            _record_event(self.name, self._start)


def _nested(events: Iterable[FunctionEvent]) -> list[FunctionEvent]:
    """In order of start, with the time of inner events taken off the one that holds them."""
    ordered = sorted(events, key=lambda event: (event.thread, event.start_us, -event.end_us))
    open_events: list[FunctionEvent] = []
    for event in ordered:
        event.self_cpu_time_total = event.cpu_time_total
        while open_events and (
            open_events[-1].thread != event.thread or open_events[-1].end_us <= event.start_us
        ):
            open_events.pop()
        if open_events:
            open_events[-1].self_cpu_time_total -= event.cpu_time_total
        open_events.append(event)
    return sorted(ordered, key=lambda event: event.start_us)
