"""What follows from the samples of a run: ratios, rates, shares of the peak, summaries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.driver import Result, Row, Settings
from benchmarks.library import SUBJECT


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        machine: facts about the machine.
        libraries: facts per library that was loaded, in table order.
        command: the command line.
        settings: how long was measured.
        peaks: operations a second per (dtype, threads).
        rows: the results.
    """

    machine: Mapping[str, str]
    libraries: Mapping[str, Mapping[str, str]]
    command: str
    settings: Settings
    peaks: Mapping[tuple[str, int], float]
    rows: Sequence[Row]

    @property
    def groups(self) -> dict[str, list[Row]]:
        """The rows of each group, in table order."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.problem.group, []).append(row)
        return groups

    @property
    def threads(self) -> list[int]:
        """The thread counts of all rows."""
        return sorted({row.threads for row in self.rows})


def ratios(row: Row) -> dict[str, dict[str, float]]:
    """Per peer, its time over chainrule's: more than one means that chainrule is faster."""
    subject = row.results.get(SUBJECT)
    if subject is None or not subject.usable:
        return {}
    return {
        name: {"best": peer.best / subject.best, "median": peer.median / subject.median}
        for name, peer in row.results.items()
        if name != SUBJECT and peer.usable
    }


def rate(row: Row, result: Result) -> tuple[float, str] | None:
    """Work per second of the best sample: GFLOP/s or GB/s."""
    if row.problem.flops:
        return row.problem.flops / result.best * 1e-9, "GFLOP/s"
    if row.problem.bytes:
        return row.problem.bytes / result.best * 1e-9, "GB/s"
    return None


def share(run: Run, row: Row, result: Result) -> float | None:
    """Share of the multiply-add peak that the best sample reached."""
    peak = run.peaks.get((row.problem.dtype, row.threads))
    if peak is None or not row.problem.flops:
        return None
    return row.problem.flops / result.best / peak


@dataclass(frozen=True)
class Summary:
    """Ratios of some rows on one thread count.

    Attributes:
        rows: how many.
        best, median: geometric mean of the ratios of the best times, and of the medians.
        worst, worst_row: the least ratio of best times, and the problem's name.
    """

    rows: int
    best: float
    median: float
    worst: float
    worst_row: str


def summarize(found: Sequence[tuple[Row, Mapping[str, float]]]) -> Summary:
    """The summary of rows with a ratio each."""
    row, worst = min(found, key=lambda each: each[1]["best"])
    best, median = (
        geometric_mean([ratio[key] for _, ratio in found]) for key in ("best", "median")
    )
    return Summary(len(found), best, median, worst["best"], row.problem.name)


def summaries(rows: Sequence[Row]) -> dict[str, dict[int, Summary]]:
    """Summaries per peer and thread count."""
    found: dict[str, dict[int, list[tuple[Row, Mapping[str, float]]]]] = {}
    for row in rows:
        for peer, ratio in ratios(row).items():
            found.setdefault(peer, {}).setdefault(row.threads, []).append((row, ratio))
    return {
        peer: {threads: summarize(each) for threads, each in counts.items()}
        for peer, counts in found.items()
    }


def counted(count: int, noun: str) -> str:
    """The count with its noun."""
    return f"{count} {noun}{'s' * (count > 1)}"


def geometric_mean(values: Sequence[float]) -> float:
    """exp(mean(log(values)))."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))
