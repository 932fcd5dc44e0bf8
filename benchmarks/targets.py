"""The speeds that chainrule sets itself, and whether a run's rows reach them.

A target is a ratio of peer to chainrule, best times: the geometric mean of a set of rows, and the
least that any row may have. Where a target names no peer, the fastest on that row counts.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.driver import Row
from benchmarks.figures import Summary, counted, ratios, summarize
from benchmarks.library import SUBJECT


@dataclass(frozen=True)
class Target:
    """A wanted speed.

    Attributes:
        name: what is measured.
        rows: patterns of group/name, comma separated.
        mean, worst: the ratios wanted.
        peer: against whom; the fastest where None.
        without: patterns of rows that the target leaves out.
    """

    name: str
    rows: str
    mean: float
    worst: float
    peer: str | None = None
    without: str = ""

    def selects(self, row: Row) -> bool:
        """Whether the target is about this row."""

        def matches(patterns: str) -> bool:
            return any(fnmatch.fnmatchcase(row.problem.key, each) for each in patterns.split(","))

        return matches(self.rows) and not matches(self.without)


def each(name: str, rows: str, ratio: float) -> Target:
    """A ratio to torch that every row must reach."""
    return Target(name, rows, ratio, ratio, "torch")


# An MLP whose batch takes fewer than 100,000 multiply-adds is all call costs, which a compiler of
# whole steps does not have.
CALLS_ONLY = "train/MLP 2-16-1 *"

TARGETS = (
    Target("overhead", "overhead/*", 6, 4, "torch"),
    Target("matmul", "matmul/*", 1.1, 0.97),
    Target("conv2d forward", "conv/*", 1.3, 1.0),
    Target("conv2d forward + backward", "conv-backward/*", 1.3, 1.0),
    Target("pooling", "pool/*", 1.5, 1.1),
    Target("pointwise", "pointwise/*", 1.5, 1.0),
    Target("reductions, softmax, losses", "reduce/*", 1.3, 1.0),
    Target("training steps", "train/*", 2.0, 1.2, "torch"),
    Target("training steps", "train/*", 2.0, 1.2, "torch.compile"),
    Target("training steps", "train/*", 1.3, 1.0, "jax", without=CALLS_ONLY),
    Target("peak memory of training steps", "memory/*", 1.0, 1.0, "torch"),
    each("recurrent forward + backward", "recurrent/*forward + backward", 2.0),
    each("attention", "attention/*", 1.2),
    each("normalization", "norm/*", 1.3),
    each("embedding", "embedding/*", 1.5),
    each("optimizers, 4 million numbers", "optim/*4 million", 1.5),
    each("optimizers, 40 small parameters", "optim/*40 small*", 4.0),
    each("dropout", "dropout/*", 1.5),
    each("DataLoader in memory", "data/*", 20),
)


@dataclass(frozen=True)
class Verdict:
    """How a target stands on one thread count.

    Attributes:
        summary: of the rows that were measured.
        short: the rows below the least ratio, with it and the peer, the slowest first; a row on
            which chainrule failed has no ratio.
    """

    target: Target
    threads: int
    summary: Summary | None
    short: Sequence[tuple[Row, str, float | None]]

    @property
    def mean_holds(self) -> bool:
        return self.summary is not None and self.summary.best >= self.target.mean

    @property
    def holds(self) -> bool:
        return self.mean_holds and not self.short


def verdict(target: Target, rows: Sequence[Row], threads: int) -> Verdict | None:
    """The verdict on a target, or None where the run has nothing to say about it."""
    found: list[tuple[Row, dict[str, float]]] = []
    short: list[tuple[Row, str, float | None]] = []
    for row in rows:
        if row.threads != threads or not target.selects(row) or SUBJECT not in row.results:
            continue
        if row.results[SUBJECT].error:
            short.append((row, SUBJECT, None))
            continue
        own = {k: v for k, v in ratios(row).items() if target.peer in (None, k)}
        if own:
            peer, ratio = min(own.items(), key=lambda item: item[1]["best"])
            found.append((row, ratio))
            if ratio["best"] < target.worst:
                short.append((row, peer, ratio["best"]))
    if not found and not short:
        return None
    short.sort(key=lambda item: item[2] or 0)
    return Verdict(target, threads, summarize(found) if found else None, short)


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """All verdicts that the rows allow, by target and thread count."""
    counts = sorted({row.threads for row in rows})
    found = [verdict(target, rows, threads) for target in TARGETS for threads in counts]
    return [one for one in found if one is not None]


def short_text(one: Verdict) -> str:
    """The rows that are short, each with its ratio and peer."""
    return "; ".join(
        f"{row.problem.name} " + ("failed" if ratio is None else f"{ratio:.2f} ({peer})")
        for row, peer, ratio in one.short
    )


def to_lines(rows: Sequence[Row]) -> list[str]:
    """The verdicts for a terminal."""
    lines = []
    for one in verdicts(rows):
        target, summary = one.target, one.summary
        reached = "no ratio" if summary is None else f"{summary.best:.2f}, {summary.worst:.2f}"
        lines.append(
            f"{'holds' if one.holds else 'SHORT'}  {target.name} against"
            f" {target.peer or 'the fastest'} @{one.threads}: mean, worst {reached}"
            f" (wanted {target.mean:g}, {target.worst:g})"
        )
        if one.short:
            lines.append(f"       {counted(len(one.short), 'row')}: {short_text(one)}")
    return lines
