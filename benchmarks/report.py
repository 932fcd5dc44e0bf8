"""Figures, ratios and summaries of a run, as JSON and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
    def groups(self) -> list[str]:
        """Groups in table order."""
        return list(dict.fromkeys(row.problem.group for row in self.rows))


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


def summary(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Per peer: geometric means of the ratios, the worst one and its row."""
    table: dict[str, dict[str, Any]] = {}
    found = [(row, name, ratio) for row in rows for name, ratio in ratios(row).items()]
    for peer in dict.fromkeys(name for _, name, _ in found):
        own = [(ratio, row.problem.key) for row, name, ratio in found if name == peer]
        worst, key = min(own, key=lambda each: each[0]["best"])
        table[peer] = {
            "rows": len(own),
            "best": geometric_mean([ratio["best"] for ratio, _ in own]),
            "median": geometric_mean([ratio["median"] for ratio, _ in own]),
            "worst": worst["best"],
            "worst row": key,
        }
    return table


def geometric_mean(values: Sequence[float]) -> float:
    """exp(mean(log(values)))."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def to_json(run: Run) -> dict[str, Any]:
    """Everything, samples included."""

    def result(row: Row, one: Result) -> dict[str, Any]:
        if not one.usable:
            return {"error": one.error} if one.error else {"skip": one.skip}
        figures: dict[str, Any] = {"best": one.best, "median": one.median}
        work, part = rate(row, one), share(run, row, one)
        if work is not None:
            figures[work[1]] = work[0]
        if part is not None:
            figures["share of peak"] = part
        return figures | {"number": one.number, "values": one.values}

    return {
        "machine": dict(run.machine),
        "libraries": {name: dict(facts) for name, facts in run.libraries.items()},
        "command": run.command,
        "settings": asdict(run.settings),
        "peaks": [
            {"dtype": dtype, "threads": threads, "flops": peak}
            for (dtype, threads), peak in run.peaks.items()
        ],
        "rows": [
            {
                "group": row.problem.group,
                "name": row.problem.name,
                "threads": row.threads,
                "dtype": row.problem.dtype,
                "unit": row.problem.unit,
                "results": {name: result(row, one) for name, one in row.results.items()},
                "ratios": ratios(row),
            }
            for row in run.rows
        ],
        "summary": {
            group: summary([row for row in run.rows if row.problem.group == group])
            for group in run.groups
        },
    }


def figure(value: float, unit: str) -> str:
    """Three digits in a fitting unit, or a bare factor."""
    if unit == "x":
        return f"{value:.2f}"
    scales = {
        "s": ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")),
        "B": ((1e3, "kB"), (1e6, "MB"), (1e9, "GB")),
    }[unit]
    scale, name = next((each for each in scales if value < 999.5 * each[0]), scales[-1])
    return f"{value / scale:.{3 - len(str(int(value / scale)))}f} {name}"


def cell(row: Row, result: Result | None) -> str:
    """Best and median, or why there is neither."""
    if result is None or (not result.usable and not result.error):
        return "-"
    if not result.usable:
        return "failed"
    unit = row.problem.unit
    return f"{figure(result.best, unit)} ({figure(result.median, unit)})"


def ratio_cell(ratio: Mapping[str, float] | None) -> str:
    """Ratio of the best times, with that of the medians."""
    return "-" if ratio is None else f"**{ratio['best']:.2f}** ({ratio['median']:.2f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table: first column to the left, figures to the right."""
    align = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(line) + " |" for line in (header, align, *rows)]


def work_cell(run: Run, row: Row, result: Result | None) -> str:
    """Rate and share of the peak."""
    work = rate(row, result) if result is not None and result.usable else None
    if result is None or work is None:
        return ""
    part = share(run, row, result)
    digits = 0 if work[0] >= 10 else 2
    return f"{work[0]:.{digits}f} {work[1]}" + (f", {part:.0%}" if part is not None else "")


def group_table(run: Run, group: str) -> list[str]:
    """The table of one group."""
    rows = [row for row in run.rows if row.problem.group == group]
    names = list(dict.fromkeys(name for row in rows for name in row.results))
    peers = [name for name in names if name != SUBJECT]
    measured = any(row.problem.flops or row.problem.bytes for row in rows)
    header = ["problem", "threads", SUBJECT]
    header += ["rate, share of peak"] if measured else []
    header += [text for peer in peers for text in (peer, f"{peer} / {SUBJECT}")]
    lines = []
    for row in rows:
        subject, own = row.results.get(SUBJECT), ratios(row)
        line = [row.problem.name, str(row.threads), cell(row, subject)]
        line += [work_cell(run, row, subject)] if measured else []
        for peer in peers:
            line += [cell(row, row.results.get(peer)), ratio_cell(own.get(peer))]
        lines.append(line)
    return table(header, lines)


def to_markdown(run: Run) -> str:
    """The page: machine, summary, a table per group, failures."""
    machine = ", ".join(f"{key}: {value}" for key, value in run.machine.items() if value)
    versions = ", ".join(f"{name} {facts['version']}" for name, facts in run.libraries.items())
    extra = [
        f"- {name}: " + ", ".join(f"{key} {value}" for key, value in facts.items())
        for name, facts in run.libraries.items()
        if len(facts) > 1
    ]
    peaks = ", ".join(
        f"{dtype} on {threads} thread{'s' * (threads > 1)}: {peak * 1e-9:.0f} GFLOP/s"
        for (dtype, threads), peak in run.peaks.items()
    )
    settings = run.settings
    lines = [
        "# Benchmarks",
        "",
        "Written by the driver; `benchmarks/README.md` tells how the figures come about.",
        "Every time is *best (median)*; every ratio is *peer / chainrule* of the best times and,",
        "in parentheses, of the medians: above one, chainrule is faster.",
        "",
        f"- command: `{run.command}`",
        f"- {machine}",
        f"- {versions}",
        *extra,
        f"- multiply-add peak, {peaks}" if peaks else "- multiply-add peak: not measured",
        f"- up to {settings.rounds} rounds of {settings.count} samples of at least"
        f" {settings.sample_seconds * 1e3:g} ms, {settings.budget_seconds:g} s a problem",
        "",
        "## Summary",
        "",
        *table(
            ["group", "peer", "rows", "geometric mean, best", "median", "worst, best", "worst row"],
            [
                [
                    group,
                    peer,
                    str(entry["rows"]),
                    f"**{entry['best']:.2f}**",
                    f"{entry['median']:.2f}",
                    f"{entry['worst']:.2f}",
                    entry["worst row"].removeprefix(f"{group}/"),
                ]
                for group in run.groups
                for peer, entry in summary(
                    [row for row in run.rows if row.problem.group == group]
                ).items()
            ],
        ),
    ]
    for group in run.groups:
        lines += ["", f"## {group}", "", *group_table(run, group)]
    failures = [
        f"- {name}, {row.problem.key}: {one.error}"
        for row in run.rows
        for name, one in row.results.items()
        if one.error
    ]
    if failures:
        lines += ["", "## Failures", "", *failures]
    return "\n".join(lines) + "\n"


def to_line(row: Row) -> str:
    """One line for the terminal while the run goes on."""
    parts = []
    own = ratios(row)
    for name, one in row.results.items():
        if one.usable:
            text = f"{name} {figure(one.best, row.problem.unit)}"
            parts.append(text + (f" ({own[name]['best']:.2f}x)" if name in own else ""))
        elif one.error:
            parts.append(f"{name} FAILED: {one.error}")
    return f"{row.problem.key:<62} " + "  ".join(parts)
